"""Straight lines through log-log data, with confidence bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Slope", "fit_slope"]


@dataclass(frozen=True, eq=False)
class Slope:
    """log y = intercept + slope log x (natural logarithms), by ordinary least squares.

    Attributes
    ----------
    slope, intercept : float
    half_width : float
        Of the 95 % confidence interval of the slope (Student's t); NaN with two points.
    x, y : arrays
        The points used.
    """

    slope: float
    intercept: float
    half_width: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def line(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The fitted line."""
        return np.exp(self.intercept + self.slope * np.log(x))

    def band(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of the 95 % confidence band of the line at x; NaN with two points."""
        from scipy.stats import t

        n, u = len(self.x), np.log(self.x)
        if n < 3:
            nothing = np.full(np.shape(x), np.nan)
            return nothing, nothing
        residual = np.log(self.y) - self.intercept - self.slope * u
        variance = float(residual @ residual) / (n - 2)
        spread = ((u - u.mean()) ** 2).sum()
        width = t.ppf(0.975, n - 2) * np.sqrt(variance * (1.0 / n + (np.log(x) - u.mean()) ** 2 / spread))
        middle = self.line(x)
        return middle * np.exp(-width), middle * np.exp(width)

    def __str__(self) -> str:
        width = "" if np.isnan(self.half_width) else f" ± {self.half_width:.2f}"
        return f"{self.slope:.2f}{width}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "slope": self.slope,
            "half_width_95": self.half_width,
            "intercept": self.intercept,
            "n_points": len(self.x),
        }


def fit_slope(x: Sequence[float | None], y: Sequence[float | None]) -> Slope | None:
    """Fit the pairs in which both numbers are positive and finite; None if fewer than two distinct x."""
    pairs = [(a, abs(b)) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
    kept = np.array([(a, b) for a, b in pairs if a > 0 and b > 0 and np.isfinite(a * b)]).reshape(-1, 2)
    if len(np.unique(kept[:, 0])) < 2:
        return None
    from scipy.stats import t

    u, v = np.log(kept).T
    spread = float(((u - u.mean()) ** 2).sum())
    slope = float((u - u.mean()) @ (v - v.mean())) / spread
    intercept = float(v.mean() - slope * u.mean())
    n, width = len(u), np.nan
    if n > 2:
        residual = v - intercept - slope * u
        width = float(t.ppf(0.975, n - 2) * np.sqrt(float(residual @ residual) / (n - 2) / spread))
    return Slope(slope, intercept, width, kept[:, 0], kept[:, 1])
