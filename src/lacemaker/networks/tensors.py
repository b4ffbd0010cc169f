"""Traceless symmetric tensors of unit vectors in their independent components.

Order of the components (l = 0, 1, 2, 3): 1 | x y z | xx xy xz yy yz | xxx xxy xxz xyy xyz yyy yyz; the
others follow from symmetry and tracelessness. Q = uuᵀ - I/3 and
T_xyz = u_x u_y u_z - (δ_xy u_z + δ_xz u_y + δ_yz u_x)/5.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np
import torch
from torch import Tensor

from lacemaker.networks import fused, fused_layers

__all__ = ["SLICES", "expansion", "pair_tensors", "plain_pair_tensors", "projection"]

SLICES = (slice(0, 1), slice(1, 4), slice(4, 9), slice(9, 16))
"""Where the components of each l stand."""


def _components(degree: int) -> list[tuple[int, ...]]:
    """The stored index triples: sorted and not ending in zz."""
    every = combinations_with_replacement(range(3), degree)
    return [index for index in every if index[-2:] != (2, 2)]


@cache
def expansion(degree: int) -> np.ndarray:
    """Matrix (3^degree, 2 degree + 1) from the stored components to the full tensor."""
    stored = _components(degree)
    full = np.zeros((3,) * degree + (len(stored),))

    def row(index: tuple[int, ...]) -> np.ndarray:
        index = tuple(sorted(index))
        if index in stored:
            return np.eye(len(stored))[stored.index(index)]
        return -row((*index[:-2], 0, 0)) - row((*index[:-2], 1, 1))  # the trace over the last two vanishes

    for index in product(range(3), repeat=degree):
        full[index] = row(index)
    return full.reshape(3**degree, -1)


@cache
def projection(degree: int) -> np.ndarray:
    """Matrix (3^degree, 2 degree + 1) from u ⊗ u ⊗ … to the stored components of its traceless part."""
    return np.linalg.pinv(expansion(degree)).T


@cache
def _projection(degree: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # kept for all later calls, also those that train
        return torch.as_tensor(projection(degree), dtype=dtype, device=device)


def plain_pair_tensors(u: Tensor, l_max: int) -> Tensor:
    """Unit vectors (n_pairs, 3) to tensor components (n_pairs, (l_max + 1)²)."""
    parts = [torch.ones_like(u[:, :1])]
    if l_max >= 1:
        parts.append(u)
    if l_max >= 2:
        outer = (u.unsqueeze(2) * u.unsqueeze(1)).reshape(-1, 9)
        parts.append(outer @ _projection(2, u.dtype, u.device))
    if l_max >= 3:
        cube = (outer.unsqueeze(2) * u.unsqueeze(1)).reshape(-1, 27)
        parts.append(cube @ _projection(3, u.dtype, u.device))
    return torch.cat(parts, dim=1)


def pair_tensors(u: Tensor, l_max: int) -> Tensor:
    """As `plain_pair_tensors`, by the fused kernel where it can be used."""
    return (fused_layers.pair_tensors if l_max and fused.usable(u) else plain_pair_tensors)(u, l_max)
