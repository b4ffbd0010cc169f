"""Dimer curves: the first place where a potential without core repulsion shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.curves import local_minima, rises_down_to

if TYPE_CHECKING:
    from lacemaker.potential import Potential

__all__ = ["DimerCurve", "dimer_curve", "dimer_curves"]

REPULSIVE_BELOW = 0.7  # times the nearest-neighbour distance; below it the energy must rise on approach
MINIMUM_PROMINENCE = 0.020  # eV; shallower wiggles are not counted as minima
CLOSEST = 0.15  # times the nearest-neighbour distance: where the curve starts


@dataclass(frozen=True, eq=False)
class DimerCurve:
    """Energy of two atoms in vacuum against their distance.

    Attributes
    ----------
    pair : (str, str)
    r : (n,) array, Å, ascending
    energy : (n,) array, eV, relative to the two separate atoms
    force : (n,) array, eV/Å, -dE/dr: positive is repulsive
    nearest_neighbour : float
        Distance (Å) the verdict is scaled by.
    minima : tuple of (r in Å, energy in eV), those more than 20 meV deep
    repulsive_down_to : float
        The energy rises on approach from 0.7 nearest-neighbour distances down to this distance (Å).
    """

    pair: tuple[str, str]
    r: np.ndarray
    energy: np.ndarray
    force: np.ndarray
    nearest_neighbour: float
    minima: tuple[tuple[float, float], ...]
    repulsive_down_to: float

    @property
    def name(self) -> str:
        """For example ``"Si–Ge"``."""
        return "–".join(self.pair)

    @property
    def repulsive(self) -> bool:
        """Whether the energy rises monotonically on approach below 0.7 nearest-neighbour distances."""
        return self.repulsive_down_to <= float(self.r[0])

    @property
    def sane(self) -> bool:
        """Repulsive core and at most two minima."""
        return self.repulsive and len(self.minima) <= 2

    @property
    def verdict(self) -> str:
        """The judgement in words."""
        count = len(self.minima)
        wells = {0: "no minimum", 1: "one minimum"}.get(count, f"{count} minima")
        where = ", ".join(f"{depth:.2f} eV at {r:.2f} Å" for r, depth in self.minima)
        wells += f" ({where})" if count else ""
        if self.repulsive:
            core = f"repulsive down to {self.r[0]:.2f} Å"
        else:
            core = f"HOLE: the energy falls when the atoms come closer than {self.repulsive_down_to:.2f} Å"
        note = (
            "; several minima hint at too little smoothness or too few dimer-like data" if count > 2 else ""
        )
        return f"{self.name}: {core}, {wells}{note}"

    def to_dict(self) -> dict[str, Any]:
        """Verdict and key figures, without the curve."""
        return {
            "pair": self.name,
            "repulsive": self.repulsive,
            "repulsive_down_to_A": self.repulsive_down_to,
            "minima": [{"r_A": r, "energy_eV": depth} for r, depth in self.minima],
            "verdict": self.verdict,
        }


def dimer_curve(
    energy_and_force: Callable[[float], tuple[float, float]],
    pair: tuple[str, str],
    r: np.ndarray,
    nearest_neighbour: float,
) -> DimerCurve:
    """Sample and judge one curve; `energy_and_force` maps r (Å) to E (eV, 0 when apart) and -dE/dr."""
    values = np.array([energy_and_force(float(distance)) for distance in r])
    energy, force = values[:, 0], values[:, 1]
    start = int(np.searchsorted(r, REPULSIVE_BELOW * nearest_neighbour, side="right")) - 1
    minima = tuple((float(r[k]), float(energy[k])) for k in local_minima(energy, MINIMUM_PROMINENCE))
    return DimerCurve(
        pair=pair,
        r=r,
        energy=energy,
        force=force,
        nearest_neighbour=nearest_neighbour,
        minima=minima,
        repulsive_down_to=rises_down_to(r, energy, max(start, 0)),
    )


def dimer_curves(
    potential: Potential,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    n_points: int = 240,
) -> list[DimerCurve]:
    """Dimer curves of every pair of elements, from 0.15 nearest-neighbour distances to the cutoff.

    Parameters
    ----------
    potential : Potential
    pairs : sequence of (symbol, symbol), optional
        Default: every unordered pair of the potential's elements.
    n_points : int
        Samples per curve.
    """
    from lacemaker.analysis.predictions import SinglePoint, nearest_neighbour_distance

    single_point = SinglePoint(potential)
    curves = []
    for a, b in pairs or list(combinations_with_replacement(potential.elements, 2)):
        scale = nearest_neighbour_distance(potential, a, b)
        r = np.linspace(CLOSEST * scale, potential.cutoff * 1.02, n_points)
        apart = single_point.isolated(a) + single_point.isolated(b)

        def sample(distance: float, a: str = a, b: str = b, apart: float = apart) -> tuple[float, float]:
            positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]])
            energy, forces = single_point((a, b), positions)
            return energy - apart, float(np.asarray(forces)[1, 2])

        curves.append(dimer_curve(sample, (a, b), r, scale))
    return curves
