"""Blocks: one interaction layer and several on-site layers, each with a residual connection.

y = R softplus(base(x)) + r0 + x          (+ U x instead of x where the widths differ)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lacemaker.networks.interactions import Geometry, interaction
from lacemaker.networks.options import NetworkOptions

__all__ = ["Block", "Residual"]


class Residual(nn.Module):
    """The part of a layer that comes after its base: activation, linear map and shortcut."""

    def __init__(self, n_in: int, n_middle: int, n_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_middle, n_out)
        self.adjust = nn.Linear(n_in, n_out, bias=False) if n_in != n_out else None

    def regularised(self) -> list[Tensor]:
        """Weights that enter the L2 term."""
        return [self.linear.weight] + ([] if self.adjust is None else [self.adjust.weight])

    def forward(self, base: Tensor, x: Tensor) -> Tensor:
        """Output of the base (n_atoms, n_middle) and its input (n_atoms, n_in) to (n_atoms, n_out)."""
        return self.linear(softplus(base)) + (x if self.adjust is None else self.adjust(x))


class Block(nn.Module):
    """From the features of the last block to those of this one."""

    linears: Any  # ModuleLists: their entries have types of their own
    residuals: Any

    def __init__(self, options: NetworkOptions, n_in: int) -> None:
        super().__init__()
        n, inner = options.features, options.width
        self.interaction = interaction(options, n_in, inner)
        self.linears = nn.ModuleList(nn.Linear(n, inner) for _ in range(options.atom_layers))
        for layer in self.linears:
            nn.init.xavier_normal_(layer.weight)
        self.residuals = None
        if options.resnet is not False:
            widths = [n_in] + [n] * options.atom_layers
            self.residuals = nn.ModuleList(Residual(width, inner, n) for width in widths)

    def regularised(self) -> list[Tensor]:
        """Weights that enter the L2 term."""
        weights = self.interaction.regularised() + [layer.weight for layer in self.linears]
        for residual in self.residuals or ():
            weights += residual.regularised()
        return weights

    def forward(self, z: Tensor, geometry: Geometry) -> Tensor:
        """(n_atoms, n_in) to (n_atoms, features)."""
        bases = [lambda x: self.interaction(x, geometry), *self.linears]
        for k, base in enumerate(bases):
            out = base(z)
            z = softplus(out) if self.residuals is None else self.residuals[k](out, z)
        return z


def squares(weights: list[Tensor]) -> Tensor:
    """Sum of the squares of all weights: the L2 term."""
    flat = torch.cat([w.flatten() for w in weights])  # one product instead of one for every weight
    return flat @ flat
