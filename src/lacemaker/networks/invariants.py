"""The 13 invariants of HIP-HOP-NN, and one more of degree 5.

With A = QQ, B_km = T_ijk T_ijm and e_k = T_ijk Q_ij:

    0 s     1 v·v    2 tr A    3 A:Q    4 tr B    5 B:B    6 vQv
    7 |Qv|²    8 T:vvv    9 vBv    10 B:Q    11 B:A    12 e·e    and 13 T_ijk T_lmn Q_il Q_jm Q_kn

The plain version below runs anywhere; the fused kernel of the core (`fused.py`) computes 0 … 12 on the CPU.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from lacemaker.networks.options import invariants_of
from lacemaker.networks.tensors import SLICES, expansion

__all__ = ["degree_five", "invariants", "plain_invariants"]


@cache
def _expansion(degree: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # kept for all later calls, also those that train
        return torch.as_tensor(expansion(degree), dtype=dtype, device=device)


def _full(m: Tensor, degree: int) -> Tensor:
    """Components (n_atoms, C, F) to full tensors (n_atoms, F, 3, …, 3)."""
    compact = m[:, SLICES[degree]].transpose(1, 2)
    full = compact @ _expansion(degree, m.dtype, m.device).T
    return full.reshape(*compact.shape[:2], *(3,) * degree)


def plain_invariants(m: Tensor, l_max: int, n_max: int) -> Tensor:
    """Messages (n_atoms, (l_max + 1)², F) to invariants (n_atoms, K, F), by increasing index."""
    values: dict[int, Tensor] = {0: m[:, 0]}
    if l_max >= 1:
        v = m[:, SLICES[1]]
        values[1] = v.square().sum(1)
    if l_max >= 2:
        v, q = v.transpose(1, 2), _full(m, 2)
        a = q @ q
        values[2] = a.diagonal(dim1=-2, dim2=-1).sum(-1)
        values[3] = (a * q).sum((-1, -2))
        c = (q @ v.unsqueeze(-1)).squeeze(-1)
        values[6], values[7] = (v * c).sum(-1), c.square().sum(-1)
    if l_max >= 3:
        t = _full(m, 3)
        rows = t.reshape(*t.shape[:2], 9, 3)
        b = rows.transpose(-1, -2) @ rows
        values[4] = b.diagonal(dim1=-2, dim2=-1).sum(-1)
        values[5], values[10], values[11] = ((b * x).sum((-1, -2)) for x in (b, q, a))
        e = (rows * q.reshape(*q.shape[:2], 9, 1)).sum(-2)
        values[12] = e.square().sum(-1)
        outer = v.unsqueeze(-1) * v.unsqueeze(-2)
        values[9] = (b * outer).sum((-1, -2))
        values[8] = ((rows * outer.reshape(*e.shape[:2], 9, 1)).sum(-2) * v).sum(-1)
    return torch.stack([values[k] for k in invariants_of(l_max, n_max)], dim=1)


def degree_five(m: Tensor) -> Tensor:
    """T_ijk T_lmn Q_il Q_jm Q_kn of messages (n_atoms, 16, F), (n_atoms, F).

    Where v vanishes it tells apart what the other invariants cannot (rank 9 instead of 8 of 10).
    """
    q, t = _full(m, 2), _full(m, 3)
    turned = t
    for _ in range(3):  # contract the last index with Q, and turn it to the front
        turned = (turned.reshape(*q.shape[:2], 9, 3) @ q).reshape(t.shape).movedim(-1, 2)
    return (t * turned).sum((-1, -2, -3))


def invariants(m: Tensor, l_max: int, n_max: int, extra: bool = False) -> Tensor:
    """As `plain_invariants`, by the fused kernel where it can be used, and the extra one last."""
    from lacemaker.networks import fused

    if l_max >= 2 and fused.usable(m):
        values = fused.invariants(m, l_max, n_max)
    else:
        values = plain_invariants(m, l_max, n_max)
    return torch.cat([values, degree_five(m).unsqueeze(1)], dim=1) if extra else values
