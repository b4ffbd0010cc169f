"""Figures of merit of a pair curve, after the diatomics tests of the MLIP benchmarks.

A physical pair interaction of two neutral atoms repels at short range, has one minimum, bends once on its
way out and changes the sign of its force once. Counted here as in ml-peg's ``diatomics``: force flips 1,
minima 1, inflections 1, Spearman's rank correlation of energy with distance -1 inside the minimum and +1
outside.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.analysis.dimers import DimerCurve

__all__ = ["PairSanity", "pair_sanity"]

FORCE_NOISE = 0.01  # eV/Å; smaller forces have no sign
BEND_NOISE = 0.05  # eV/Å²; smaller curvatures have no sign
SHORTEST = 0.5  # of the bond length: nearer than that only the core counts
MINIMUM_DEPTH = 0.005  # eV; a dip shallower than this is no minimum


@dataclass(frozen=True)
class PairSanity:
    """Counts and correlations of one curve.

    Attributes
    ----------
    pair : str
    minima, force_flips, inflections : int
        One each for a physical curve; minima deeper than 5 meV.
    spearman_inside, spearman_outside : float or None
        Rank correlation of energy and distance inside (ideal -1) and outside (+1) the lowest minimum.
    repulsive_core : bool
        The energy rises on approach below 0.7 bond lengths.
    depth : float or None
        eV at the lowest minimum; None without one.
    r_e : float or None
        Å.
    """

    pair: str
    minima: int
    force_flips: int
    inflections: int
    spearman_inside: float | None
    spearman_outside: float | None
    repulsive_core: bool
    depth: float | None
    r_e: float | None

    @property
    def sane(self) -> bool:
        """Repulsive core, one minimum and one change of the force's sign."""
        return self.repulsive_core and self.minima == 1 and self.force_flips == 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"sane": self.sane}


def pair_sanity(curve: DimerCurve) -> PairSanity:
    """Judge a pair curve between half a bond length and the end of its grid."""
    from scipy.signal import find_peaks

    used = curve.r >= SHORTEST * curve.nearest_neighbour
    r, energy, force = curve.r[used], curve.energy[used], curve.force[used]
    minima = find_peaks(-energy, prominence=MINIMUM_DEPTH)[0]
    inside = outside = depth = r_e = None
    if len(minima):
        k = int(minima[np.argmin(energy[minima])])
        inside, outside = _rank_correlation(r[: k + 1], energy[: k + 1]), _rank_correlation(r[k:], energy[k:])
        r_e, depth = parabola(r, energy, k)
    return PairSanity(
        pair=curve.name,
        minima=len(minima),
        force_flips=_sign_changes(force, FORCE_NOISE),
        inflections=_sign_changes(np.gradient(force, r), BEND_NOISE),
        spearman_inside=inside,
        spearman_outside=outside,
        repulsive_core=curve.repulsive,
        depth=depth,
        r_e=r_e,
    )


def parabola(x: np.ndarray, y: np.ndarray, k: int) -> tuple[float, float]:
    """Position and value of the minimum of the parabola through three samples around index k."""
    if not 0 < k < len(x) - 1:
        return float(x[k]), float(y[k])
    a, b, c = np.polyfit(x[k - 1 : k + 2] - x[k], y[k - 1 : k + 2], 2)
    shift = -b / (2.0 * a)
    return float(x[k] + shift), float(c - b * b / (4.0 * a))


def _sign_changes(values: np.ndarray, noise: float) -> int:
    signs = np.sign(values[np.abs(values) > noise])
    return int(np.sum(signs[1:] != signs[:-1]))


def _rank_correlation(r: np.ndarray, energy: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    if len(r) < 3 or np.ptp(energy) == 0.0:
        return None
    return float(spearmanr(r, energy).statistic)
