"""Interaction layers: what an atom learns from its neighbours.

HIP-NN       a = m + W z + c
HIP-NN-TS    a = m + t¹ √(|v|² + ε) + t² √(Q:Q + ε) + W z + c
HIP-HOP-NN   a_p = Σ_ka Y_kap X_ka + (W z + c)_p,     X = normalised invariants of s, v, Q, T
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lacemaker.networks import fused, fused_layers
from lacemaker.networks.graphs import Batch
from lacemaker.networks.invariants import invariants
from lacemaker.networks.messages import messages
from lacemaker.networks.options import NetworkOptions
from lacemaker.networks.sensitivity import Sensitivity
from lacemaker.networks.tensors import SLICES

__all__ = ["Geometry", "HopInteraction", "Interaction", "TensorInteraction", "interaction"]


@dataclass(frozen=True, eq=False)
class Geometry:
    """What all layers share: distances, envelope and tensor components of every pair of a batch."""

    batch: Batch
    r: Tensor  # (n_pairs,) Å
    envelope: Tensor  # (n_pairs,)
    tensors: Tensor  # (n_pairs, C)

    def coordination(self) -> Tensor:
        """Σ_j f(r_ij), (n_atoms,): a smooth count of neighbours."""
        return self.r.new_zeros(self.batch.n_atoms).index_add(0, self.batch.centre, self.envelope)


def xavier(*shape: int, fan_in: int, fan_out: int) -> nn.Parameter:
    """Normal weights of variance 2 / (fan_in + fan_out)."""
    return nn.Parameter(torch.randn(*shape) * math.sqrt(2 / (fan_in + fan_out)))


class Interaction(nn.Module):
    """HIP-NN: scalar messages."""

    def __init__(self, options: NetworkOptions, n_in: int, n_out: int) -> None:
        super().__init__()
        n = options.sensitivities
        self.options = options
        self.sensitivity = Sensitivity(options)
        self.weights = xavier(n, n_out, n_in, fan_in=n_out * n_in, fan_out=n * n_in)
        self.own = nn.Linear(n_in, n_out)
        nn.init.xavier_normal_(self.own.weight)

    def regularised(self) -> list[Tensor]:
        """Weights that enter the L2 term."""
        return [self.weights, self.own.weight]

    def messages(self, z: Tensor, geometry: Geometry) -> Tensor:
        """(n_atoms, n_in) to (n_atoms, C, n_out)."""
        n, n_out, n_in = self.weights.shape
        y = (z @ self.weights.reshape(n * n_out, n_in).T).reshape(-1, n, n_out)
        s = self.sensitivity(geometry.r, geometry.envelope)
        return messages(s, geometry.tensors, y, geometry.batch)

    def reduce(self, m: Tensor, geometry: Geometry) -> Tensor:
        """Messages (n_atoms, C, n_out) to what is added to the atom's own part, (n_atoms, n_out)."""
        return m[:, 0]

    def forward(self, z: Tensor, geometry: Geometry) -> Tensor:
        """(n_atoms, n_in) to (n_atoms, n_out)."""
        return self.reduce(self.messages(z, geometry), geometry) + self.own(z)


class TensorInteraction(Interaction):
    """HIP-NN-TS: adds the norms of vector and quadrupole messages."""

    def __init__(self, options: NetworkOptions, n_in: int, n_out: int) -> None:
        super().__init__(options, n_in, n_out)
        self.scales = nn.Parameter(torch.randn(options.degree, n_out))

    def reduce(self, m: Tensor, geometry: Geometry) -> Tensor:
        """See `Interaction.reduce`."""
        eps = self.options.cusp
        total = m[:, 0] + torch.sqrt(m[:, SLICES[1]].square().sum(1) + eps) * self.scales[0]
        if self.options.degree == 2:
            q = m[:, SLICES[2]]
            norm = 2 * (q.square().sum(1) + q[:, 0] * q[:, 3])
            total = total + torch.sqrt(norm + eps) * self.scales[1]
        return total


class HopInteraction(Interaction):
    """HIP-HOP-NN: mixes invariants of scalar, vector, quadrupole and octupole messages."""

    def __init__(self, options: NetworkOptions, n_in: int, n_out: int) -> None:
        super().__init__(options, n_in, n_out)
        k = options.n_invariants
        self.mixing = xavier(k, n_out, n_out, fan_in=k * n_out, fan_out=n_out * n_out)
        self.norm_weight: nn.Parameter | None = None
        if options.group_norm != "off":
            self.norm_weight = nn.Parameter(torch.ones(k, n_out))
            self.norm_bias = nn.Parameter(torch.zeros(k, n_out))

    def reduce(self, m: Tensor, geometry: Geometry) -> Tensor:
        """See `Interaction.reduce`."""
        options = self.options
        x = invariants(m, options.degree, options.n_max, options.extra_invariant)
        if self.norm_weight is not None:
            x = group_norm(x, self.norm_weight, self.norm_bias, options.group_norm_eps)
        if options.group_norm == "gated":
            count = geometry.coordination()
            x = x * (count / (count + options.gate)).reshape(-1, 1, 1)
        return x.flatten(1) @ self.mixing.flatten(0, 1)


def plain_group_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """x (n_atoms, K, F) normalised over its last axis, times weight plus bias, both (K, F)."""
    return nn.functional.layer_norm(x, x.shape[2:], eps=eps) * weight + bias


def group_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """As `plain_group_norm`, by the fused kernel where it can be used."""
    return (fused_layers.group_norm if fused.usable(x) else plain_group_norm)(x, weight, bias, eps)


def interaction(options: NetworkOptions, n_in: int, n_out: int) -> Interaction:
    """The layer of the wanted kind."""
    kinds = {"hip-nn": Interaction, "hip-nn-ts": TensorInteraction, "hip-hop-nn": HopInteraction}
    return kinds[options.kind](options, n_in, n_out)
