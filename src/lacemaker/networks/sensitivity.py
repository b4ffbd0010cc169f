"""Sensitivity functions: the trainable radial functions of an interaction layer.

    s_ν(r) = exp(-σ_ν² (1/r - 1/μ_ν)² / 2) f(r)      for r < R_c, else 0

with f = cos²(πr / 2R_c) as published, or f = 1 - 10x³ + 15x⁴ - 6x⁵, x = r/R_c, whose first two derivatives
vanish at R_c.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lacemaker.networks import fused, fused_layers
from lacemaker.networks.options import NetworkOptions

__all__ = ["Sensitivity", "cutoff_function"]


def cutoff_function(r: Tensor, cutoff: float, kind: str) -> Tensor:
    """f(r), (n_pairs,); one at r = 0 and zero from the cutoff on."""
    if kind == "cos2":
        f = torch.cos(r * (math.pi / (2 * cutoff))).square()
    else:
        x = r / cutoff
        f = 1 - x**3 * (10 - 15 * x + 6 * x.square())
    return torch.where(r < cutoff, f, torch.zeros_like(f))


def plain_sensitivities(r: Tensor, envelope: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """exp(-σ² (1/r - 1/μ)² / 2) f, (n_pairs, n_ν), of r and f (n_pairs,), μ and σ (n_ν,)."""
    x = (1 / r).unsqueeze(1) - 1 / mu
    return torch.exp(-0.5 * (x * sigma).square()) * envelope.unsqueeze(1)


class Sensitivity(nn.Module):
    """s_ν(r_ij) of all pairs.

    At the start 1/μ are equally spaced between 1/r_soft_max and 1/r_soft_min, and σ = 2 n r_soft_min.
    """

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        n = options.bottleneck or options.sensitivities
        inverse = torch.linspace(1 / options.r_soft_max, 1 / options.r_soft_min, n, dtype=torch.float64)
        self.mu = nn.Parameter((1 / inverse).to(torch.get_default_dtype()))  # (n,) Å
        self.sigma = nn.Parameter(torch.full((n,), 2.0 * n * options.r_soft_min))  # (n,) Å
        self.matching: nn.Parameter | None = None
        if options.bottleneck is not None:
            self.matching = nn.Parameter(nn.init.orthogonal_(torch.empty(n, options.sensitivities)))
        self.cutoff, self.kind = options.cutoff, options.cutoff_function

    def forward(self, r: Tensor, envelope: Tensor) -> Tensor:
        """(n_pairs,) Å and f(r) to (n_pairs, n_sensitivities)."""
        evaluate = fused_layers.sensitivities if fused.usable(r) else plain_sensitivities
        s = evaluate(r, envelope, self.mu, self.sigma)
        return s if self.matching is None else s @ self.matching
