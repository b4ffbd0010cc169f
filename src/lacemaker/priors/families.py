"""Priors that are a formula in n and l: algebraic, exponential, Gaussian.

Definitions of ACEpotentials (``src/models/smoothness_priors.jl``, versions 0.8 and later), with one
difference: n is the index of the radial function itself and not folded with the species, so that all
elements are damped alike. A channel t is one factor of a basis function.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lacemaker.priors.base import Channels, Prior

__all__ = ["AlgebraicPrior", "ExponentialPrior", "GaussianPrior"]

Vector = NDArray[np.float64]


def sum_channels(functions: Sequence[Channels], term: Any) -> Vector:
    """Σ_t term(n_t, l_t) of every function; ``term`` takes and returns arrays."""
    lengths = np.array([len(function.channels) for function in functions])
    numbers = np.array([(n, ell) for f in functions for _, n, ell in f.channels], dtype=float).reshape(-1, 2)
    owner = np.repeat(np.arange(len(functions)), lengths)
    sums = np.bincount(owner, weights=term(numbers[:, 0], numbers[:, 1]), minlength=len(functions))
    return sums.astype(np.float64, copy=False)


class AlgebraicPrior(Prior):
    """γ = Σ_t (l_t/wl)^p + (n_t/wn)^p: a target with about p square-integrable derivatives.

    Parameters
    ----------
    p : float
        Strength; 4 is the safest single choice, 2 is gentler.
    wl, wn : float
        Scales of l and n. The defaults 2/3 and 1 give Σ (1.5 l)⁴ + n⁴ for p = 4.
    """

    kind: Literal["algebraic"] = "algebraic"
    p: float = Field(default=4.0, gt=0.0, le=20.0)
    wl: float = Field(default=2.0 / 3.0, gt=0.0, allow_inf_nan=False)
    wn: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)

    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> Vector:
        return np.log(
            sum_channels(functions, lambda n, ell: (ell / self.wl) ** self.p + (n / self.wn) ** self.p)
        )


class ExponentialPrior(Prior):
    """γ = exp Σ_t (l_t/wl + n_t/wn): an analytic target.

    Parameters
    ----------
    wl, wn : float
        Scales of l and n; large is gentle. The defaults 8/3 and 4 are exp ¼ Σ (n + 1.5 l). ACEpotentials'
        defaults are 2/3 and 1, four times as strong in the exponent: too strong for most data.
    """

    kind: Literal["exponential"] = "exponential"
    wl: float = Field(default=8.0 / 3.0, gt=0.0, allow_inf_nan=False)
    wn: float = Field(default=4.0, gt=0.0, allow_inf_nan=False)

    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> Vector:
        return sum_channels(functions, lambda n, ell: ell / self.wl + n / self.wn)


class GaussianPrior(Prior):
    """γ = exp Σ_t ((l_t/wl)² + (n_t/wn)²): an entire target.

    Parameters
    ----------
    wl, wn : float
        Scales of l and n; large is gentle. Another convention, exp Σ σ_l l² + σ_n n², has w = 1/√σ. Atomic
        densities broadened by a width σ in Å correspond to wn = 0.45 rcut/σ and wl = 2 wn (see
        :class:`~lacemaker.priors.SOAPPrior`); the defaults are those for σ = 0.5 Å and rcut = 6 Å.
        ACEpotentials' default 1/√2 would remove all but the first functions.
    """

    kind: Literal["gaussian"] = "gaussian"
    wl: float = Field(default=10.8, gt=0.0, allow_inf_nan=False)
    wn: float = Field(default=5.4, gt=0.0, allow_inf_nan=False)

    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> Vector:
        return sum_channels(functions, lambda n, ell: (ell / self.wl) ** 2 + (n / self.wn) ** 2)
