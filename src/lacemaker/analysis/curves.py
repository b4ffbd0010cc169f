"""Reading energy curves: minima that matter, and how far into compression a curve keeps rising."""

from __future__ import annotations

import numpy as np

__all__ = ["local_minima", "rises_down_to"]


def local_minima(energy: np.ndarray, prominence: float) -> np.ndarray:
    """Indices of interior minima at least `prominence` deep (SciPy's topographic definition, upside down).

    Parameters
    ----------
    energy : (n,) array
        Samples along a path.
    prominence : float
        Smallest depth counted, in the unit of `energy`.
    """
    from scipy.signal import find_peaks

    return np.asarray(find_peaks(-np.asarray(energy, dtype=float), prominence=prominence)[0], dtype=int)


def rises_down_to(x: np.ndarray, energy: np.ndarray, start: int, tolerance: float = 0.0) -> float:
    """Smallest x reached from ``x[start]`` downwards before `energy` falls.

    Parameters
    ----------
    x : (n,) array
        Ascending (a distance or volume).
    energy : (n,) array
    start : int
        Index from which compression starts, usually the minimum.
    tolerance : float
        A fall by less than this from the highest energy seen does not count.
    """
    highest = energy[start]
    for k in range(start, -1, -1):
        if not energy[k] >= highest - tolerance:  # also catches NaN
            return float(x[k + 1])
        highest = max(highest, energy[k])
    return float(x[0])
