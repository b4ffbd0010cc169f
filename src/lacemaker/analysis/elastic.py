"""Lattice constant and elastic constants of a crystal, for any ASE calculator with stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.analysis.minima import compression
from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["ElasticConstants", "elastic_constants", "equilibrium"]

STRAIN = 1e-3  # of the central differences
STEEPNESS = 1e-4  # eV/Å: internal relaxation
MOST_STEPS = 300
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, eq=False)
class ElasticConstants:
    """Second-order elastic constants at zero stress.

    Attributes
    ----------
    relaxed : (6, 6) array, GPa
        Voigt order xx yy zz yz xz xy, atoms at rest in every strained cell.
    clamped : (6, 6) array, GPa
        Atoms moved with the strain only.
    """

    relaxed: np.ndarray
    clamped: np.ndarray

    @property
    def cubic(self) -> tuple[float, float, float]:
        """C11, C12 and C44 (relaxed, GPa), averaged over the directions that cubic symmetry makes equal."""
        return _cubic(self.relaxed)

    @property
    def cubic_clamped(self) -> tuple[float, float, float]:
        """The same without internal relaxation."""
        return _cubic(self.clamped)

    @property
    def bulk_modulus(self) -> float:
        """Voigt average, GPa; exact for cubic crystals."""
        return float(self.relaxed[:3, :3].mean())


def equilibrium(calculator: BaseCalculator, crystal: Atoms) -> Atoms:
    """The crystal at the volume of lowest energy, scaled uniformly: a cubic crystal at rest.

    Parameters
    ----------
    calculator : ASE calculator
    crystal : Atoms
        Periodic, its lattice constant within 10 % of the equilibrium's.

    Raises
    ------
    DataError
        If the lowest energy lies at the end of the range.
    """
    volume = compression(calculator, crystal, n_points=2).volume
    scale = (volume * len(crystal) / crystal.get_volume()) ** (1 / 3)
    if not 0.89 < scale < 1.11:
        raise DataError(
            f"No equilibrium volume was found near the crystal. Found the lowest energy at {scale:.3f} times "
            "its lattice constant, where the search ends. Start from the right crystal, or distrust the "
            "potential."
        )
    atoms = crystal.copy()
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    atoms.calc = calculator
    return atoms


def elastic_constants(
    calculator: BaseCalculator, crystal: Atoms, *, strain: float = STRAIN
) -> ElasticConstants:
    """Central differences of the stress, with and without relaxation of the atoms inside the strained cell.

    Parameters
    ----------
    calculator : ASE calculator
        Energy, forces and stress.
    crystal : Atoms
        At zero stress (see :func:`equilibrium`), otherwise the numbers are stress-strain coefficients.
    strain : float
        Voigt component applied in both directions.
    """
    from ase import units

    relaxed, clamped = np.zeros((6, 6)), np.zeros((6, 6))
    for k in range(6):
        for sign in (1.0, -1.0):
            atoms = _strained(crystal, k, sign * strain)
            atoms.calc = calculator
            factor = sign / (2.0 * strain * units.GPa)
            clamped[:, k] += factor * atoms.get_stress()
            _relax(atoms)
            relaxed[:, k] += factor * atoms.get_stress()
    return ElasticConstants(0.5 * (relaxed + relaxed.T), 0.5 * (clamped + clamped.T))


def _strained(crystal: Atoms, component: int, strain: float) -> Atoms:
    """A symmetric strain; shear components are engineering strains."""
    i, j = VOIGT[component]
    deformation = np.eye(3)
    deformation[i, j] += strain if i == j else 0.5 * strain
    if i != j:
        deformation[j, i] += 0.5 * strain
    atoms = crystal.copy()
    atoms.set_cell(np.array(crystal.cell) @ deformation, scale_atoms=True)
    return atoms


def _relax(atoms: Atoms) -> None:
    from ase.optimize import BFGS

    BFGS(atoms, logfile=None).run(fmax=STEEPNESS, steps=MOST_STEPS)


def _cubic(c: np.ndarray) -> tuple[float, float, float]:
    diagonal, off = np.diag(c), c[[0, 0, 1], [1, 2, 2]]
    return float(diagonal[:3].mean()), float(off.mean()), float(diagonal[3:].mean())
