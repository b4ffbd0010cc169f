"""Restraint rows that hold close atoms repulsive where no data reach.

A fit is free to do anything inside the shortest distance of its data: dimers may stay repulsive while a
compressed crystal, where many neighbours come close at once, falls into a hole of a hundred eV. The restraint
therefore lists, for every pair of elements, dimers *and* compressed crystals with their ZBL energies as rough
targets. Each target comes with a tolerance in proportion to it, so the rows say "strongly repulsive, about
this much" and no more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Literal

import numpy as np

from lacemaker.basis.elements import ATOMIC_NUMBERS, shortest_bond
from lacemaker.basis.messages import basis_error, check_number
from lacemaker.basis.repulsion import zbl_energy
from lacemaker.basis.transforms import STRICT

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis

Shape = Literal["dimer", "diamond", "sc", "bcc", "fcc"]
_H, _D = 0.5**0.5, 1 / 3**0.5
# Two-atom cells with nearest-neighbour distance 1: rows of the cell, position of the second atom. With two
# elements they are zincblende, rocksalt, caesium chloride and L1_0.
_CRYSTALS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "diamond": (2 * _D * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), np.full(3, _D)),
    "sc": (np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]), np.array([1.0, 0, 0])),
    "bcc": (2 * _D * np.eye(3), np.full(3, _D)),
    "fcc": (np.diag([1, 1, 2 * _H]), np.array([0.5, 0.5, _H])),
}
_RANGE = 6.0  # nearest-neighbour distances over which the target of a crystal is summed
_LEAST = 1.0  # eV; tolerances do not shrink below those of this energy


@dataclass(frozen=True, eq=False)
class RestraintStructure:
    """One structure of a repulsion restraint.

    Attributes
    ----------
    name
        For messages, e.g. "Si-O sc at 1.23 Å".
    elements
        Symbol of each atom.
    positions, cell, pbc
        (n_atoms, 3) Å, (3, 3) Å (rows are lattice vectors, zeros for a dimer), (3,) bool.
    energy
        Rough target for the energy of all atoms minus that of free atoms, eV, any ZBL baseline included.
    tolerance
        Standard deviation granted to the target, eV. In a weighted fit with noise sigma (rows of weight 1)
        the row's factor is sigma / tolerance.
    """

    name: str
    elements: tuple[str, ...]
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    energy: float
    tolerance: float


@dataclass(frozen=True)
class RepulsionRestraint:
    """Weak rows that hold every pair of elements repulsive at short range.

    Attributes
    ----------
    target
        "zbl": the full ZBL energy. "envelope": the pair envelope, dimers only, as ACE1-type fits do.
    tolerance
        Standard deviation of the targets, relative to them.
    dimers
        Distances in units of the pair's shortest usual bond.
    crystals
        Nearest-neighbour distances in units of the pair's bond length r0; () for none.
    shapes
        Which crystals: two-atom cells, ordered when the elements differ.
    """

    target: Literal["zbl", "envelope"] = "zbl"
    tolerance: float = 0.05
    dimers: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
    crystals: tuple[float, ...] = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
    shapes: tuple[Shape, ...] = ("diamond", "sc", "bcc", "fcc")
    kind: Literal["repulsion"] = "repulsion"
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        check_number("the restraint's tolerance", self.tolerance, 0.0, 10.0)
        for scale in (*self.dimers, *self.crystals):
            check_number("a restraint distance, relative to the bond length,", scale, 0.0, 1.0)
        if unknown := set(self.shapes) - set(_CRYSTALS):
            raise basis_error("unknown restraint shapes", sorted(unknown), f"choose from {list(_CRYSTALS)}")

    def structures(self, basis: "ACEBasis") -> tuple[RestraintStructure, ...]:
        """The structures for all pairs of elements of `basis`, for the regression room to turn into rows.

        Raises
        ------
        BasisError
            when the targets are those of a pair envelope and the basis has no pair block.
        """
        pairs = combinations_with_replacement(range(basis.n_elements), 2)
        return tuple(structure for i, j in pairs for structure in self._of_pair(basis, i, j))

    def _of_pair(self, basis: "ACEBasis", i: int, j: int) -> Iterator[RestraintStructure]:
        elements = (basis.elements[i], basis.elements[j])
        r0 = basis.r0[i][j]
        name = "-".join(elements)
        for scale in self.dimers:
            r = scale * shortest_bond(*elements, r0)
            energy = _zbl(elements, r) if self.target == "zbl" else _envelope(basis, i, j, r)
            positions = np.array([[0.0, 0.0, 0.0], [r, 0.0, 0.0]])
            yield self._structure(f"{name} dimer at {r:.2f} Å", elements, positions, np.zeros((3, 3)), energy)
        if self.target == "envelope":
            return
        for shape in self.shapes:
            for scale in self.crystals:
                cell, second = (scale * r0 * a for a in _CRYSTALS[shape])
                positions = np.stack([np.zeros(3), second])
                energy = _crystal_energy(elements, positions, cell, _RANGE * scale * r0)
                yield self._structure(
                    f"{name} {shape} at {scale * r0:.2f} Å", elements, positions, cell, energy
                )

    def _structure(
        self, name: str, elements: tuple[str, str], positions: np.ndarray, cell: np.ndarray, energy: float
    ) -> RestraintStructure:
        pbc = np.full(3, bool(cell.any()))
        tolerance = self.tolerance * max(_LEAST, abs(energy))
        return RestraintStructure(name, elements, positions, cell, pbc, energy, tolerance)


def _zbl(elements: tuple[str, str], r: float | np.ndarray) -> float:
    """Sum of the full (not faded) ZBL energies at distances `r`, eV."""
    z1, z2 = (ATOMIC_NUMBERS[e] for e in elements)
    return float(np.sum(zbl_energy(np.asarray(r), z1, z2, 1e3, 2e3)[0]))


def _envelope(basis: "ACEBasis", i: int, j: int, r: float) -> float:
    pair = basis.pair_radial
    if pair is None:
        raise basis_error("this repulsion restraint needs a pair block", "pair=None", "use target='zbl'")
    rin, r0, rcut = basis.pair_lengths(i, j)
    x, _ = pair.transform(np.array([r]), rin, r0, rcut)
    return float(pair.envelope(np.array([r]), x, r0, rcut)[0][0])


def _crystal_energy(
    elements: tuple[str, str], positions: np.ndarray, cell: np.ndarray, reach: float
) -> float:
    """ZBL energy per two-atom cell, eV: pairs up to `reach` Å."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    images = [np.arange(-n, n + 1) for n in np.ceil(reach / heights).astype(int) + 1]
    shifts = np.stack(np.meshgrid(*images, indexing="ij"), axis=-1).reshape(-1, 3) @ cell
    energy = 0.0
    for a in range(2):
        for b in range(2):
            r = np.linalg.norm(shifts + positions[b] - positions[a], axis=1)
            energy += 0.5 * _zbl((elements[a], elements[b]), r[(r > 1e-6) & (r < reach)])
    return energy
