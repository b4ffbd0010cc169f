"""Axes: from data to pixels, and ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Scale", "linear", "logarithmic"]


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis range.

    Attributes
    ----------
    low, high : float
        Ends of the axis, in data units.
    log : bool
    """

    low: float
    high: float
    log: bool = False

    def fraction(self, values: np.ndarray | float) -> np.ndarray:
        """Position along the axis: 0 at `low`, 1 at `high`, not clipped."""
        v = np.asarray(values, dtype=float)
        if self.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                return (np.log10(v) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (v - self.low) / (self.high - self.low)

    def ticks(self, about: int = 5) -> list[tuple[float, str]]:
        """Round tick positions and their labels."""
        return (
            _log_ticks(self.low, self.high, about) if self.log else _linear_ticks(self.low, self.high, about)
        )


def _linear_ticks(low: float, high: float, about: int) -> list[tuple[float, str]]:
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if round(step / power, 3) == 2.5 else 0))
    decimals = min(decimals, 8)
    return [(k * step, _label(k * step, decimals)) for k in range(first, last + 1)]


def _label(value: float, decimals: int) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e5 or abs(value) < 1e-4:
        return f"{value:.1e}".replace("e+0", "e").replace("e-0", "e−").replace("-", "−")
    return f"{value:.{decimals}f}".replace("-", "−")


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _log_ticks(low: float, high: float, about: int) -> list[tuple[float, str]]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / max(about, 1)))
    plain = first >= -3 and last <= 3
    ticks = [(10.0**k, _power_label(k, plain)) for k in range(first, last + 1, every)]
    if len(ticks) < 2:
        values = [m * 10.0**k for k in range(first - 1, last + 2) for m in (1, 2, 5)]
        ticks = [(v, f"{v:g}") for v in values if low <= v <= high]
    return ticks


def _power_label(exponent: int, plain: bool) -> str:
    return f"{10.0**exponent:g}" if plain else "10" + str(exponent).translate(_SUPERSCRIPT)


def _finite(arrays: Sequence[np.ndarray], positive: bool = False) -> np.ndarray:
    joined = np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in arrays]) if arrays else np.zeros(0)
    joined = joined[np.isfinite(joined)]
    return joined[joined > 0] if positive else joined


def linear(
    *arrays: np.ndarray, margin: float = 0.04, low: float | None = None, high: float | None = None
) -> Scale:
    """Linear scale around all finite values, `margin` of the range wider; `low`, `high` override the ends."""
    values = _finite(arrays)
    lo, hi = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    pad = margin * (hi - lo) if hi > lo else 0.5 * max(abs(lo), 1e-9)
    lo, hi = (lo - pad if low is None else low), (hi + pad if high is None else high)
    return Scale(lo, hi if hi > lo else lo + 1.0)


def logarithmic(*arrays: np.ndarray, decades: float = 6.0) -> Scale:
    """Logarithmic scale around all positive values, at most `decades` below the largest."""
    values = _finite(arrays, positive=True)
    lo, hi = (float(values.min()), float(values.max())) if values.size else (0.1, 1.0)
    lo = max(lo, hi * 10.0**-decades)
    return Scale(lo / 1.3, hi * 1.3, log=True)
