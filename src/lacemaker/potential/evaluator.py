"""Running a potential on atoms: energy, site energies, forces, virial, stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lacemaker.errors import DataError, EvaluationError, problem
from lacemaker.potential.program import Program
from lacemaker.potential.threads import default_threads

if TYPE_CHECKING:
    from lacemaker.structures import NeighbourList

__all__ = ["Evaluator", "Prediction", "Structure", "closest_pair"]

COINCIDENT = 1e-3  # Å; if a failure leaves two atoms nearer than this, they are its cause
_SHORTEST_LIST = 0.1  # Å; a potential of one-body energies alone still needs some list
_ATOMS_PER_THREAD = 64  # fewer are not worth starting a thread for


class Structure(Protocol):
    """Anything with these four attributes: a ``lacemaker.Frame`` or an ``ase.Atoms``."""

    @property
    def numbers(self) -> np.ndarray:
        """(n_atoms,) atomic numbers."""

    @property
    def positions(self) -> np.ndarray:
        """(n_atoms, 3) Å."""

    @property
    def cell(self) -> Any:
        """(3, 3) Å, rows are lattice vectors."""

    @property
    def pbc(self) -> np.ndarray:
        """(3,) bool."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a potential says about one structure.

    Attributes
    ----------
    energy : float
        eV; the sum of `energies`.
    energies : ndarray (n_atoms,)
        Site energies, eV.
    forces : ndarray (n_atoms, 3) or None
        eV/Å; None if they were not asked for.
    virial : ndarray (6,) or None
        eV, order xx yy zz yz xz xy; minus the derivative of the energy with respect to strain.
    stress : ndarray (6,) or None
        eV/Å³, ASE's sign and order, -virial / volume; None where it is not defined: without any periodic
        direction, or without a volume.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray | None
    virial: np.ndarray | None
    stress: np.ndarray | None


class Evaluator:
    """A potential compiled for one instruction set and precision.

    Thread-safe: one evaluator may run on several structures at the same time.

    Parameters
    ----------
    program : Program
        The flat arrays of the potential.
    isa : str
        "auto" for the best of this machine, or a name from ``lacemaker._core.isas()``.
    dtype : {"float64", "float32"}
        Precision of the arithmetic inside the kernel; results are float64.
    n_threads : int, optional
        Threads for one structure; default `default_threads()`.
    """

    def __init__(
        self, program: Program, *, isa: str = "auto", dtype: str = "float64", n_threads: int | None = None
    ) -> None:
        from lacemaker import _core

        if dtype not in ("float64", "float32"):
            raise problem(
                EvaluationError,
                "the precision is unknown",
                f"dtype={dtype!r}",
                "choose 'float64' or 'float32'",
            )
        if isa != "auto" and isa not in _core.isas():
            raise problem(
                EvaluationError,
                "the instruction set cannot be used here",
                f"isa={isa!r}, while this machine offers {', '.join(_core.isas())}",
                "choose one of those or 'auto'",
            )
        if n_threads is not None and n_threads < 1:
            raise problem(
                EvaluationError,
                "the number of threads is impossible",
                f"n_threads={n_threads}",
                "give 1 or more",
            )
        self.elements = program.elements
        self.cutoff = max(program.cutoff, _SHORTEST_LIST)
        self.n_threads = n_threads or default_threads()
        try:
            tables = _core.Tables(**program.kernel_tables())
            self.kernel = _core.Evaluator(tables, **program.kernel_terms(), isa=isa, dtype=dtype)
        except ValueError as error:
            raise problem(
                EvaluationError,
                "the kernel cannot run this potential",
                str(error),
                "use the version of lacemaker that wrote it, or basis options that this version offers",
            ) from error
        self._species = np.full(119, -1, dtype=np.int32)
        self._species[program.arrays["elements"]] = np.arange(len(self.elements))

    def statistics(self) -> dict[str, Any]:
        """Size of the compiled program, instruction set and lanes, as the kernel reports them."""
        return dict(self.kernel.statistics())

    def species(self, numbers: np.ndarray) -> np.ndarray:
        """Species indices (n_atoms,) int32 of the atomic numbers; EvaluationError names unknown elements."""
        numbers = np.asarray(numbers)
        known = (numbers >= 0) & (numbers < len(self._species))
        species = self._species[np.where(known, numbers, 0)]
        if (species < 0).any():
            raise _unknown_elements(numbers[species < 0], self.elements)
        return species

    def evaluate(
        self,
        species: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray,
        pbc: np.ndarray,
        neighbours: NeighbourList,
        *,
        forces: bool = True,
        n_threads: int | None = None,
    ) -> Prediction:
        """Evaluate on a neighbour list that holds all pairs within the cutoff (more do no harm).

        Parameters are those of ``Structure``, with `species` (n_atoms,) int32 from `species`; float64 arrays.

        Raises
        ------
        EvaluationError
            If two atoms lie on top of each other, or the result is not finite.
        """
        n_atoms = len(species)
        if n_atoms == 0:
            nothing = np.zeros((0, 3)) if forces else None
            return _prediction(np.zeros(0), nothing, np.zeros(6) if forces else None, cell, pbc)
        threads = min(n_threads or self.n_threads, 1 + n_atoms // _ATOMS_PER_THREAD)
        try:
            energies, gradient, virial = self.kernel.evaluate(
                positions, cell, species, neighbours.first, neighbours.index, neighbours.shift,
                forces=forces, n_threads=threads,
            )  # fmt: skip
        except EvaluationError as error:
            raise _no_energy(positions, cell, neighbours, str(error)) from error
        prediction = _prediction(energies, gradient, virial, cell, pbc)
        if not np.isfinite(prediction.energy) or (forces and not np.isfinite(gradient).all()):
            raise _no_energy(positions, cell, neighbours, f"energy {prediction.energy} eV")
        return prediction

    def predict(
        self, structure: Structure, *, forces: bool = True, n_threads: int | None = None
    ) -> Prediction:
        """Evaluate one structure with a neighbour list made for it.

        Raises
        ------
        EvaluationError
            If an element is unknown, the geometry is impossible or atoms lie on top of each other.
        """
        species, positions, cell, pbc = self.prepare(structure)
        neighbours = self.neighbours(positions, cell, pbc)
        return self.evaluate(species, positions, cell, pbc, neighbours, forces=forces, n_threads=n_threads)

    def prepare(self, structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Species, positions, cell and pbc of a structure, checked, as the kernel wants them."""
        species = self.species(structure.numbers)
        positions = np.ascontiguousarray(structure.positions, dtype=np.float64)
        cell = np.ascontiguousarray(structure.cell, dtype=np.float64)
        pbc = np.asarray(structure.pbc, dtype=bool)
        if not np.isfinite(positions).all() or not np.isfinite(cell).all():
            atoms = np.flatnonzero(~np.isfinite(positions).all(axis=1))[:5].tolist()
            raise problem(
                EvaluationError,
                "the structure is not finite",
                f"NaN or infinite positions of atoms {atoms}" if atoms else f"the cell {cell.tolist()}",
                "if this is molecular dynamics that blew up, use a smaller time step; look at earlier frames",
            )
        return species, positions, cell, pbc

    def neighbours(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, *, skin: float = 0.0
    ) -> NeighbourList:
        """All pairs within the cutoff plus `skin` (Å); EvaluationError if the cell makes no sense."""
        from lacemaker.structures import neighbour_list

        try:
            return neighbour_list(positions, cell, pbc, self.cutoff + skin)
        except DataError as error:
            raise EvaluationError(str(error)) from error


def closest_pair(positions: np.ndarray, cell: np.ndarray, neighbours: NeighbourList) -> tuple[str, float]:
    """The two nearest atoms of a neighbour list, in words, and their distance in Å (inf without pairs)."""
    distances = neighbours.distances(positions, cell)
    if not len(distances):
        return "no two atoms within the cutoff", np.inf
    pair = int(np.argmin(distances))
    i, j = int(neighbours.centre[pair]), int(neighbours.index[pair])
    other = f"atom {j}" if i != j else "its own periodic image"
    return f"atom {i} and {other} at {distances[pair]:.2e} Å", float(distances[pair])


def _no_energy(
    positions: np.ndarray, cell: np.ndarray, neighbours: NeighbourList, reason: str
) -> EvaluationError:
    """Why these atoms have no energy: because two of them coincide, or else for the reason given."""
    text, distance = closest_pair(positions, cell, neighbours)
    if distance < COINCIDENT:
        wrong, found = "two atoms lie on top of each other", text
        do = "remove the duplicate, or check the cell (in the wrong unit?) and the periodic directions"
    else:
        wrong, found = "the potential gives no finite energy for these atoms", f"{reason}; {text}"
        do = "check the structure; in molecular dynamics use a smaller time step"
    return problem(EvaluationError, wrong, found, do)


def _prediction(
    energies: np.ndarray,
    forces: np.ndarray | None,
    virial: np.ndarray | None,
    cell: np.ndarray,
    pbc: np.ndarray,
) -> Prediction:
    volume = abs(np.linalg.det(cell)) if pbc.any() else 0.0
    stress = -virial / volume if virial is not None and volume > 0 else None
    return Prediction(float(energies.sum()), energies, forces, virial, stress)


def _unknown_elements(numbers: np.ndarray, elements: tuple[str, ...]) -> EvaluationError:
    from ase.data import chemical_symbols

    symbols = sorted(
        {chemical_symbols[z] if 0 <= z < len(chemical_symbols) else f"number {z}" for z in numbers}
    )
    return problem(
        EvaluationError,
        f"the potential does not know the element {', '.join(symbols)}",
        f"{len(numbers)} atoms of it, while the potential was fitted to {', '.join(elements)}",
        "use a potential that covers these elements, or fit one",
    )
