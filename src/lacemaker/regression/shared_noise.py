"""Evidence of Bayesian ridge regression with one noise: a profile over one number, maximised globally.

With singular values d of A, u = Uᵀz and λ = σ²/σ₀², the evidence of y = A c + ε, c ~ N(0, σ₀² I), ε ~ N(0,
σ² I) is (Bishop, *Pattern Recognition and Machine Learning*, 3.5)

    -2 log p = S(λ)/σ² + Σ log(1 + d²/λ) + N log σ² + N log 2π,     S(λ) = ρ² + Σ u² λ/(d² + λ)

Best for given λ is σ² = S/N. What is left is a function of log λ alone, cheap enough (K operations) to scan
over forty decades, so that no local maximum is mistaken for the global one, and smooth enough to finish
with a root search.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EvidenceProfile", "Hyper"]

Vector = NDArray[np.float64]

_STEP = 0.25  # of the scan, in log λ
_DECADES_BELOW, _DECADES_ABOVE = 32.0, 8.0  # of d_max²


@dataclass(frozen=True)
class Hyper:
    """Noise σ, prior scale σ₀, log evidence, and how they were found in words."""

    noise: float
    prior_scale: float
    log_evidence: float
    message: str


@dataclass(frozen=True, eq=False)
class EvidenceProfile:
    """The evidence of a problem in its singular coordinates.

    Attributes
    ----------
    values : (K,) array
        Singular values d.
    projection : (K,) array
        u = Uᵀz.
    residual_squared : float
        ρ².
    n_rows : int
        N.
    """

    values: Vector
    projection: Vector
    residual_squared: float
    n_rows: int

    def minus_two_log(self, log_ratio: Vector | float, noise_squared: Vector | float) -> Vector:
        """-2 log p at log λ and σ² (broadcast)."""
        ratio = np.exp(np.asarray(log_ratio, dtype=float))[..., None]
        misfit = self._misfit(ratio)
        spread = np.sum(np.log1p(self.values**2 / ratio), axis=-1)
        noise_squared = np.asarray(noise_squared, dtype=float)
        return misfit / noise_squared + spread + self.n_rows * np.log(2.0 * np.pi * noise_squared)

    def _misfit(self, ratio: Vector) -> Vector:
        """S(λ)."""
        return self.residual_squared + np.sum(
            self.projection**2 * (ratio / (self.values**2 + ratio)), axis=-1
        )

    def _slope(self, log_ratio: float, noise_squared: float | None, weight: float) -> float:
        """Derivative of -2 log p by log λ; with σ² following S/N (None) or held, plus ``weight`` (below)."""
        ratio = np.exp(log_ratio)
        share = self.values**2 / (self.values**2 + ratio)
        misfit_slope = np.sum(self.projection**2 * share * (1.0 - share))
        noise = (
            float(self._misfit(np.array([ratio]))) / self.n_rows if noise_squared is None else noise_squared
        )
        return float(misfit_slope / noise - np.sum(share) + weight)

    def maximise(self, noise_floor: float, prior_floor: float) -> Hyper:
        """Maximise over σ >= noise_floor and σ₀ >= prior_floor."""
        log_ratio, n_maxima = self._scan(
            lambda t: self._profiled(t, noise_floor), lambda t: self._slope_profiled(t, noise_floor)
        )
        noise = max(self._best_noise(log_ratio), noise_floor)
        prior_scale = noise / np.exp(0.5 * log_ratio)
        at_floor = noise == noise_floor
        message = "maximised the evidence, by a scan over all noise-to-prior ratios and a root search"
        message += f" (best of {n_maxima} maxima)" if n_maxima > 1 else ""
        if prior_scale < prior_floor:
            log_ratio, _ = self._scan(
                lambda t: self.minus_two_log(t, prior_floor**2 * np.exp(t)),
                lambda t: self._slope_fixed_prior(t, prior_floor),
            )
            prior_scale, noise = prior_floor, max(prior_floor * np.exp(0.5 * log_ratio), noise_floor)
            log_ratio = 2.0 * np.log(noise / prior_scale)
            message += "; the prior scale is at its floor: the data support no coefficient"
        if at_floor:
            message += "; the noise is at its floor: the data are fitted exactly"
        value = float(self.minus_two_log(log_ratio, noise**2))
        return Hyper(float(noise), float(prior_scale), -0.5 * value, message)

    def _best_noise(self, log_ratio: float) -> float:
        return float(np.sqrt(self._misfit(np.array([np.exp(log_ratio)])) / max(self.n_rows, 1)))

    def _profiled(self, log_ratio: Vector, floor: float) -> Vector:
        ratio = np.exp(log_ratio)[..., None]
        noise_squared = np.maximum(self._misfit(ratio) / max(self.n_rows, 1), floor**2)
        return self.minus_two_log(log_ratio, noise_squared)

    def _slope_profiled(self, log_ratio: float, floor: float) -> float:
        held = floor**2 if self._best_noise(log_ratio) < floor else None
        return self._slope(log_ratio, held, 0.0)

    def _slope_fixed_prior(self, log_ratio: float, prior_scale: float) -> float:
        """Along σ² = σ₀² λ both S/σ² and N log σ² change with λ."""
        noise_squared = prior_scale**2 * np.exp(log_ratio)
        misfit = float(self._misfit(np.array([np.exp(log_ratio)])))
        return self._slope(log_ratio, noise_squared, self.n_rows - misfit / noise_squared)

    def _scan(self, value: Callable[[Vector], Vector], slope: Callable[[float], float]) -> tuple[float, int]:
        """Global minimum of ``value`` over log λ, and how many local minima the scan met."""
        from scipy.optimize import brentq

        top = 2.0 * np.log(max(float(self.values.max(initial=0.0)), np.finfo(float).tiny))
        decade = np.log(10.0)
        grid = np.arange(top - _DECADES_BELOW * decade, top + _DECADES_ABOVE * decade, _STEP)
        heights = np.concatenate([value(part) for part in np.array_split(grid, 8)])
        inner = (heights[1:-1] <= heights[:-2]) & (heights[1:-1] <= heights[2:])
        lowest = int(np.argmin(heights))
        low, high = grid[max(lowest - 1, 0)], grid[min(lowest + 1, len(grid) - 1)]
        if 0 < lowest < len(grid) - 1 and slope(low) < 0.0 < slope(high):
            return float(brentq(slope, low, high, xtol=1e-13, rtol=8.9e-16)), int(inner.sum())
        return float(grid[lowest]), max(int(inner.sum()), 1)
