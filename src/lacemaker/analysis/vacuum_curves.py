"""Dimers and trimers in vacuum, for any ASE calculator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.analysis.clusters import CalculatorEnergy
from lacemaker.analysis.curves import local_minima
from lacemaker.analysis.dimers import MINIMUM_PROMINENCE, DimerCurve, dimer_curve

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["MOST_MINIMA", "TrimerCurve", "dimers", "trimers"]

CLOSEST, FARTHEST = 0.5, 2.6  # bond lengths: range of the dimer curves
REPULSIVE_BELOW = 0.8  # bond lengths; nearer than that a dimer must only repel
ANGLES = (45.0, 180.0)  # degrees
MOST_MINIMA = 2  # of a sound dimer or trimer curve


@dataclass(frozen=True, eq=False)
class TrimerCurve:
    """Three atoms, two bonds of one length, against the angle between them.

    Attributes
    ----------
    symbols : (str, str, str), the middle atom first
    angle : (n,) array, degrees
    energy : (n,) array, eV, relative to three separate atoms
    minima : tuple of (angle in degrees, energy in eV), those more than 20 meV deep
    """

    symbols: tuple[str, str, str]
    angle: np.ndarray
    energy: np.ndarray
    minima: tuple[tuple[float, float], ...]

    @property
    def sane(self) -> bool:
        """At most two minima."""
        return len(self.minima) <= MOST_MINIMA


def dimers(
    calculator: BaseCalculator, symbols: tuple[str, ...], bond_length: float, *, n_points: int = 160
) -> list[DimerCurve]:
    """Dimer curves of every pair from 0.5 to 2.6 bond lengths.

    Parameters
    ----------
    calculator : ASE calculator
    symbols : tuple of str
    bond_length : float
        Å; core repulsion is asked for below 0.8 of it.
    n_points : int
    """
    energies = CalculatorEnergy(calculator)
    r = np.linspace(CLOSEST, FARTHEST, n_points) * bond_length
    curves = []
    for a, b in combinations_with_replacement(symbols, 2):
        apart = energies.isolated(a) + energies.isolated(b)

        def sample(
            distance: float, pair: tuple[str, str] = (a, b), apart: float = apart
        ) -> tuple[float, float]:
            positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]])
            energy, forces = energies(pair, positions, forces=True)
            return energy - apart, float(np.asarray(forces)[1, 2])

        curves.append(dimer_curve(sample, (a, b), r, bond_length * REPULSIVE_BELOW / 0.7))
    return curves


def trimers(
    calculator: BaseCalculator, symbols: tuple[str, ...], bond_length: float, *, n_points: int = 136
) -> list[TrimerCurve]:
    """Energy against the angle, 45 to 180 degrees, for every middle atom and pair of outer ones.

    Parameters
    ----------
    calculator : ASE calculator
    symbols : tuple of str
    bond_length : float
        Å, of both bonds.
    n_points : int
    """
    energies = CalculatorEnergy(calculator)
    angle = np.linspace(*ANGLES, n_points)
    curves = []
    for middle in symbols:
        for a, b in combinations_with_replacement(symbols, 2):
            apart = sum(energies.isolated(symbol) for symbol in (middle, a, b))
            energy = np.empty(n_points)
            for k, theta in enumerate(np.radians(angle)):
                outer = bond_length * np.array([[0, 0, 0], [0, 0, 1], [np.sin(theta), 0, np.cos(theta)]])
                energy[k] = energies((middle, a, b), outer)[0] - apart
            minima = tuple(
                (float(angle[k]), float(energy[k])) for k in local_minima(energy, MINIMUM_PROMINENCE)
            )
            curves.append(TrimerCurve((middle, a, b), angle, energy, minima))
    return curves
