"""Perfect crystals of a study: lattice constant, strains, displacements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.elasticity import equilibrium_scale
from lacemaker.analysis.second_derivatives import STRAIN_PAIRS, deformed_cell, strain_matrix
from lacemaker.errors import ConfigError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "Crystal",
    "displaced_pairs",
    "irreducible_displacements",
    "make_crystal",
    "mixed_strained_cells",
    "strained_cells",
]


@dataclass(frozen=True, eq=False)
class Crystal:
    """A conventional cell at the reference's lattice constant.

    Attributes
    ----------
    cell : ase.Atoms
        Without calculator.
    structure : str
        diamond, bcc, fcc, …, or "file".
    nearest_neighbour : float, Å
    energy : float
        Energy per atom of the reference, eV.
    """

    cell: Atoms
    structure: str
    nearest_neighbour: float
    energy: float

    @property
    def lattice_constant(self) -> float:
        """Length of the first lattice vector, Å."""
        return float(self.cell.cell.lengths()[0])

    def supercell(self, n: int) -> Atoms:
        """The conventional cell repeated n times along each vector."""
        return self.cell.repeat((n, n, n))


def make_crystal(structure: str, element: str | None, calculator: Any, lattice: float | None) -> Crystal:
    """The conventional cell of a crystal by name or from a file, scaled to zero pressure of `calculator`.

    Parameters
    ----------
    structure : str
        A name `ase.build.bulk` knows, or a structure file.
    element : str or None
        Chemical symbol; needed with a name.
    lattice : float or None
        Å; where the search for zero pressure starts.

    Raises
    ------
    ConfigError
    """
    cell = _cell(structure, element, lattice)
    scale, _ = equilibrium_scale(calculator, cell)
    cell.set_cell(cell.cell * scale, scale_atoms=True)
    cell.calc = calculator
    energy = float(cell.get_potential_energy()) / len(cell)
    cell.calc = None
    pair = cell.repeat([1 + int(8.0 // length) for length in cell.cell.lengths()])
    distances = pair.get_distances(0, np.arange(1, len(pair)), mic=True)
    name = "file" if Path(structure).is_file() else structure
    return Crystal(cell, name, float(distances.min()), energy)


def _cell(structure: str, element: str | None, lattice: float | None) -> Atoms:
    if Path(structure).is_file():
        from ase.io import read

        cell: Any = read(structure)
        cell.calc = None
        return cell
    from ase.build import bulk

    try:
        return bulk(element or "", structure, a=lattice, cubic=structure in ("diamond", "bcc", "fcc"))
    except (ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(
            f"The crystal cannot be built. Found structure {structure!r} of {element!r}: {error}. Give "
            "diamond, bcc, fcc, … with an element, or the path of a structure file."
        ) from error


def strained_cells(cell: Atoms, strain: float) -> list[Atoms]:
    """The cell, and the cell under six strains of both signs; atoms follow the strain (13 structures)."""
    single = [(component,) for component in range(6)]
    return [cell.copy(), *_strained(cell, single, strain)]


def mixed_strained_cells(cell: Atoms, strain: float) -> list[Atoms]:
    """The cell under two strains at once, of both signs: 15 pairs of components (30 structures).

    Models are tested on them, not trained: with :func:`strained_cells` they give all second derivatives.
    """
    return _strained(cell, STRAIN_PAIRS, strain)


def _strained(cell: Atoms, combinations: Sequence[tuple[int, ...]], strain: float) -> list[Atoms]:
    cells = []
    for components in combinations:
        for sign in (1.0, -1.0):
            deformation = np.eye(3) + sum(strain_matrix(k, sign * strain) for k in components)
            cells.append(deformed_cell(cell, deformation))
    return cells


def displaced_pairs(supercell: Atoms, step: float) -> list[tuple[Atoms, Atoms]]:
    """±`step` displacements (Å) of :func:`irreducible_displacements`."""
    moves = []
    for atom, direction in irreducible_displacements(supercell):
        pair = []
        for sign in (1.0, -1.0):
            moved = supercell.copy()
            moved.positions[atom] += sign * step * direction
            pair.append(moved)
        moves.append((pair[0], pair[1]))
    return moves


def irreducible_displacements(supercell: Atoms) -> list[tuple[int, np.ndarray]]:
    """Symmetry-inequivalent atoms and directions whose force constants give all others.

    With phonopy the irreducible list (one displacement for diamond, bcc and fcc); without it every direction
    of the first atom of each element.
    """
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError:
        first = [int(np.flatnonzero(supercell.numbers == z)[0]) for z in np.unique(supercell.numbers)]
        return [(atom, axis) for atom in first for axis in np.eye(3)]
    atoms = PhonopyAtoms(
        symbols=supercell.get_chemical_symbols(),
        cell=supercell.cell.array,
        scaled_positions=supercell.get_scaled_positions(),
    )
    phonons = Phonopy(atoms, supercell_matrix=np.eye(3, dtype=int), primitive_matrix="P")
    phonons.generate_displacements(distance=1.0, is_plusminus=False, is_diagonal=False)
    dataset: Any = phonons.dataset
    return [
        (int(row["number"]), np.asarray(row["displacement"]) / np.linalg.norm(row["displacement"]))
        for row in dataset["first_atoms"]
    ]
