"""Random cells and their relaxation: does a potential have minima that no material has?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.analysis.stability import shortest_distance
from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Relaxation", "random_cell", "relax_random_cells"]

APART = 0.7  # bond lengths between the atoms of a random cell, and the least that a relaxed one may have
DENSITIES = (0.8, 1.3)  # volumes of random cells over that of the crystal
STEEPNESS = 0.05  # eV/Å: where a relaxation ends
LONGEST = 0.2  # Å: of one step, all coordinates together
LOOSE = 1.3  # bond lengths: atoms farther than that from all others are gas, not another crystal
TOLERANCE = 0.005  # eV/atom below the crystal that still count as the crystal
BOTTOM = 5.0  # eV/atom below the crystal: there is no need to follow a collapse further
FAR = 3.0  # bond lengths; nobody asks how far apart atoms are beyond that
DRAWS = 10  # of a volume, where atoms do not fit
TRIES = 20


@dataclass(frozen=True)
class Relaxation:
    """One random cell at rest. ``fault`` is empty if there is nothing unphysical about it."""

    energy_eV_per_atom: float  # above the crystal
    shortest_distance: float  # bond lengths
    n_steps: int
    converged: bool
    fault: str


def random_cell(symbols: Sequence[str], volume: float, apart: float, rng: np.random.Generator) -> Atoms:
    """Atoms at random places of a random parallelepiped, none nearer to another than `apart`.

    Parameters
    ----------
    symbols : sequence of str
    volume : float
        Å^3 per atom.
    apart : float
        Shortest distance, Å, periodic images included.
    rng : numpy Generator

    Raises
    ------
    DataError
        If so many atoms do not fit.
    """
    from ase import Atoms

    for _ in range(TRIES):
        cell = np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))
        cell *= (volume * len(symbols) / abs(np.linalg.det(cell))) ** (1 / 3)
        positions = rng.random((len(symbols), 3)) @ cell
        atoms = Atoms(symbols, positions=positions, cell=cell, pbc=True)
        if _spread(atoms, apart, rng):
            return atoms
    raise DataError(
        f"No random cell could be made: {len(symbols)} atoms of {volume:.2f} Å³ do not keep {apart:.2f} Å "
        "apart. Give a larger volume or a shorter distance."
    )


def _spread(atoms: Atoms, apart: float, rng: np.random.Generator) -> bool:
    """Move atoms that are too close to other random places; False if that does not end."""
    from lacemaker.structures import neighbour_list

    cell = np.array(atoms.cell)
    for _ in range(20 * len(atoms)):
        positions = atoms.get_positions()
        pairs = neighbour_list(positions, cell, np.ones(3, dtype=bool), apart)
        if not pairs.n_pairs:
            return True
        k = int(pairs.centre[0])
        positions[k] = rng.random(3) @ cell
        atoms.set_positions(positions)
    return False


def relax_random_cells(
    calculator: BaseCalculator,
    symbols: Sequence[str],
    *,
    volume: float,
    bond_length: float,
    crystal_energy: float,
    n_cells: int = 50,
    n_steps: int = 200,
    relax_cell: bool = True,
    seed: int = 0,
    advance: Callable[[int, int], None] | None = None,
) -> list[Relaxation]:
    """Relax random cells (FIRE) and judge where they end.

    Parameters
    ----------
    calculator : ASE calculator
    symbols : sequence of str
        Of each cell.
    volume : float
        Of the crystal, Å^3 per atom; the cells have 0.8 to 1.3 of it.
    bond_length : float
        Å. Cells start with atoms at least 0.7 of it apart, and should end so.
    crystal_energy : float
        eV per atom, of the same composition; what ends below it is unphysical.
    n_cells, n_steps : int
        Cells, and steps at most in each relaxation.
    relax_cell : bool
        Relax the cells too (needs stress).
    seed : int
    advance : callable, optional
        Called with (cells done, cells in all).
    """
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n_cells):
        atoms = _drawn(symbols, volume, APART * bond_length, rng)
        atoms.calc = calculator
        found.append(_relaxed(atoms, bond_length, crystal_energy, n_steps, relax_cell))
        if advance is not None:
            advance(k + 1, n_cells)
    return found


def _drawn(symbols: Sequence[str], volume: float, apart: float, rng: np.random.Generator) -> Atoms:
    """A random cell of a random volume; another volume where dense ones do not come off."""
    for _ in range(DRAWS):
        try:
            return random_cell(symbols, volume * rng.uniform(*DENSITIES), apart, rng)
        except DataError:
            continue
    return random_cell(symbols, volume * DENSITIES[1], apart, rng)


def _relaxed(
    atoms: Atoms, bond_length: float, crystal_energy: float, n_steps: int, relax_cell: bool
) -> Relaxation:
    from lacemaker.errors import LacemakerError

    shortest, energy, converged, fault = np.nan, np.nan, False, ""
    search = _Fire(atoms, relax_cell)
    try:
        while not converged and search.n_steps < n_steps:
            converged = search.step()
            energy = atoms.get_potential_energy() / len(atoms) - crystal_energy
            if not np.isfinite(energy) or energy < -BOTTOM:
                break
        shortest = min(FAR, shortest_distance(atoms, FAR * bond_length) / bond_length)
    except (LacemakerError, ArithmeticError, ValueError, RuntimeError, np.linalg.LinAlgError):
        fault = "broke the calculator"
    if not fault:
        fault = _fault(energy, shortest)
    return Relaxation(float(energy), float(shortest), search.n_steps, bool(converged), fault)


class _Fire:
    """The fast inertial relaxation engine (Bitzek et al. 2006) on atoms and cell.

    Coordinates are the positions in the undeformed cell, and the deformation gradient times the number of
    atoms. Written out because ASE's filters compute stress and forces three times per step.
    """

    def __init__(self, atoms: Atoms, relax_cell: bool) -> None:
        self.atoms, self.relax_cell = atoms, relax_cell
        self.cell, self.deformation = np.array(atoms.cell), np.eye(3)
        self.velocity = np.zeros((len(atoms) + 3, 3))
        self.time, self.mixing, self.downhill, self.n_steps = 0.1, 0.1, 0, 0

    def step(self) -> bool:
        """Move once, unless all forces are small: then True."""
        force = self._force()
        if np.sqrt((force**2).sum(axis=1).max()) < STEEPNESS:
            return True
        self.n_steps += 1
        power = float(np.vdot(force, self.velocity))
        if power > 0.0:
            direction = force / np.linalg.norm(force)
            speed = np.linalg.norm(self.velocity)
            self.velocity = (1.0 - self.mixing) * self.velocity + self.mixing * speed * direction
            if self.downhill > 5:
                self.time, self.mixing = min(1.1 * self.time, 1.0), 0.99 * self.mixing
            self.downhill += 1
        elif self.n_steps > 1:
            self.velocity[:] = 0.0
            self.time, self.mixing, self.downhill = 0.5 * self.time, 0.1, 0
        self.velocity += self.time * force
        move = self.time * self.velocity
        self._move(move * min(1.0, LONGEST / float(np.linalg.norm(move))))
        return False

    def _force(self) -> np.ndarray:
        """Minus the gradient by the coordinates, (n_atoms + 3, 3)."""
        n = len(self.atoms)
        force = np.zeros((n + 3, 3))
        force[:n] = self.atoms.get_forces() @ self.deformation
        if self.relax_cell:
            stress = self.atoms.get_stress(voigt=False)
            force[n:] = -self.atoms.get_volume() / n * stress @ np.linalg.inv(self.deformation).T
        return force

    def _move(self, move: np.ndarray) -> None:
        n = len(self.atoms)
        positions = np.linalg.solve(self.deformation, self.atoms.get_positions().T).T + move[:n]
        self.deformation = self.deformation + move[n:] / n
        self.atoms.set_cell(self.cell @ self.deformation.T)
        self.atoms.set_positions(positions @ self.deformation.T)


def _fault(energy: float, shortest: float) -> str:
    if not np.isfinite(energy):
        return "not finite"
    if shortest < APART:
        return "with atoms too close"
    if energy >= -TOLERANCE:
        return ""
    return "below the crystal" if shortest < LOOSE else "fallen apart to below the crystal"
