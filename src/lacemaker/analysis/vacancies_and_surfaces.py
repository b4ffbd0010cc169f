"""Vacancies and surfaces of a crystal, for any ASE calculator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["DefectEnergy", "slab", "slab_energy", "surface_energy", "vacancy_energy"]

STEEPNESS = 0.01  # eV/Å: where relaxations end
MOST_STEPS = 200
RATTLE = 0.05  # Å: without it a vacancy may stay on a symmetric saddle point
INWARDS = 0.15  # of the bond length: how far the neighbours of a vacancy start inside of their sites
J_PER_M2 = 16.02176634  # of 1 eV/Å^2


@dataclass(frozen=True)
class DefectEnergy:
    """What a defect costs: eV for a vacancy, eV/Å^2 for a surface.

    ``converged`` tells whether the relaxation came to rest (0.01 eV/Å) within 200 steps.
    """

    relaxed: float
    unrelaxed: float
    converged: bool


def vacancy_energy(calculator: BaseCalculator, crystal: Atoms, *, n_atoms: int = 64) -> DefectEnergy:
    """Formation energy of a vacancy at constant volume, E(N - 1) - (N - 1)/N E(N).

    Parameters
    ----------
    calculator : ASE calculator
    crystal : Atoms
        An elemental crystal at its equilibrium volume, cubic if possible.
    n_atoms : int
        The cell is repeated evenly to at least so many atoms; the first is taken out. Relaxation starts with
        its neighbours 15 % nearer to the hole and all atoms moved by 0.05 Å at random, so that they may
        leave the ideal sites even where these are a stationary point.

    Raises
    ------
    DataError
        If the crystal has several elements.
    """
    if len(set(crystal.get_chemical_symbols())) != 1:
        raise DataError(
            "The formation energy of a vacancy in a compound needs chemical potentials. Found "
            f"{crystal.get_chemical_formula()}. Give an elemental crystal."
        )
    repeat = int(np.ceil((n_atoms / len(crystal)) ** (1 / 3) - 1e-9))
    whole = crystal.repeat(repeat)
    whole.calc = calculator
    per_atom = whole.get_potential_energy() / len(whole)
    vectors = whole.get_distances(0, range(1, len(whole)), mic=True, vector=True)
    lengths = np.linalg.norm(vectors, axis=1)
    holed = whole.copy()
    del holed[0]
    holed.calc = calculator
    unrelaxed = holed.get_potential_energy() - len(holed) * per_atom
    near = lengths < 1.1 * lengths.min()
    holed.positions[near] -= INWARDS * vectors[near]
    holed.rattle(RATTLE, seed=0)
    converged = _relax(holed)
    relaxed = holed.get_potential_energy() - len(holed) * per_atom
    return DefectEnergy(float(relaxed), float(unrelaxed), converged)


def slab(
    crystal: Atoms, miller: tuple[int, int, int], *, thickness: float = 12.0, vacuum: float = 10.0
) -> Atoms:
    """A slab cut between the two planes of atoms that are farthest apart: the fewest broken bonds.

    Parameters
    ----------
    crystal : Atoms
        The conventional cell, to which `miller` refers.
    miller : (int, int, int)
    thickness, vacuum : float
        Å: least thickness of the slab, and the gap to its image.
    """
    from ase.build import surface

    one = surface(crystal, miller, 1, periodic=True)
    n, height = len(one), float(one.cell[2, 2])  # ASE turns the normal into z, and c too: no period along it
    layers = max(1, int(np.ceil(thickness / height)))
    stack = surface(crystal, miller, layers + 1, periodic=True)
    order = np.argsort(stack.positions[:, 2], kind="stable")
    gaps = np.diff(stack.positions[order, 2])[:n]
    cut = 1 + int(np.argmax(gaps > gaps.max() - 1e-6))
    atoms = stack[order[cut : cut + n * layers]]
    cell = np.array(atoms.cell)
    cell[2] = [0.0, 0.0, layers * height + vacuum]
    atoms.set_cell(cell)
    return atoms


def surface_energy(
    calculator: BaseCalculator,
    crystal: Atoms,
    miller: tuple[int, int, int],
    *,
    thickness: float = 12.0,
    vacuum: float = 10.0,
) -> DefectEnergy:
    """Energy of an unreconstructed surface, eV/Å^2: (E_slab - N E_bulk) / 2A.

    Parameters
    ----------
    calculator : ASE calculator
    crystal : Atoms
        The conventional cell at equilibrium.
    miller : (int, int, int)
    thickness, vacuum : float
        Å.
    """
    bulk = crystal.copy()
    bulk.calc = calculator
    per_atom = bulk.get_potential_energy() / len(bulk)
    atoms = slab(crystal, miller, thickness=thickness, vacuum=vacuum)
    return slab_energy(calculator, atoms, per_atom)


def slab_energy(calculator: BaseCalculator, atoms: Atoms, bulk_energy: float) -> DefectEnergy:
    """Surface energy (eV/Å^2) of a given slab whose cell vectors a and b span the surface.

    Parameters
    ----------
    calculator : ASE calculator
    atoms : Atoms
        With two equivalent surfaces; copied.
    bulk_energy : float
        eV per atom.
    """
    atoms = atoms.copy()
    atoms.calc = calculator
    area = np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1]))

    def cost() -> float:
        return float((atoms.get_potential_energy() - len(atoms) * bulk_energy) / (2.0 * area))

    unrelaxed = cost()
    converged = _relax(atoms)
    return DefectEnergy(cost(), unrelaxed, converged)


def _relax(atoms: Atoms) -> bool:
    from ase.optimize import FIRE

    return bool(FIRE(atoms, logfile=None).run(fmax=STEEPNESS, steps=MOST_STEPS))
