"""How fast a potential runs on this machine, measured when asked."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.potential.model import Potential

__all__ = ["Speed", "measure_speed", "random_solid"]

_ATOMS_PER_CELL = {"fcc": 4, "bcc": 2, "diamond": 8, "sc": 1}


@dataclass(frozen=True)
class Speed:
    """Cost of energy and forces with one thread, neighbour list excluded.

    Attributes
    ----------
    microseconds_per_atom : float
        Median of several evaluations, CPU time.
    neighbours_per_atom : float
        Neighbours within the cutoff in the test structure.
    n_atoms : int
    isa, dtype : str
        Instruction set and precision.
    """

    microseconds_per_atom: float
    neighbours_per_atom: float
    n_atoms: int
    isa: str
    dtype: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.microseconds_per_atom:.2f} µs/atom ({self.isa}, {self.dtype}, one thread, "
            f"{self.neighbours_per_atom:.0f} neighbours, list excluded)"
        )


def measure_speed(
    potential: Potential, *, isa: str = "auto", dtype: str = "float64", n_cells: int = 5, repeats: int = 5
) -> Speed:
    """Time `potential` on a rattled solid of its own elements at their usual density (4 n_cells³ atoms)."""
    evaluator = potential.evaluator(isa, dtype, 1)
    solid = random_solid(potential, n_cells)
    species, positions, cell, pbc = evaluator.prepare(solid)
    neighbours = evaluator.neighbours(positions, cell, pbc)
    times = []
    for _ in range(repeats + 1):
        start = time.thread_time()
        evaluator.evaluate(species, positions, cell, pbc, neighbours, n_threads=1)
        times.append(time.thread_time() - start)
    return Speed(
        microseconds_per_atom=1e6 * statistics.median(times[1:]) / len(positions),
        neighbours_per_atom=len(neighbours.index) / len(positions),
        n_atoms=len(positions),
        isa=str(evaluator.statistics().get("isa", isa)),
        dtype=dtype,
    )


def random_solid(potential: Potential, n_cells: int) -> Any:
    """A rattled face-centred cubic lattice of 4 n_cells³ atoms with the elements at random (fixed seed)."""
    rng = np.random.default_rng(0)
    numbers = potential.numbers
    r0 = potential.bond_lengths.mean()
    edge = np.cbrt(4 * np.mean([volume_per_atom(int(number), r0) for number in numbers]))
    corners = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = edge * (corners + basis).reshape(-1, 3)
    return SimpleNamespace(
        numbers=rng.choice(numbers, len(positions)),
        positions=positions + rng.normal(0, 0.03 * edge / np.sqrt(2), positions.shape),
        cell=n_cells * edge * np.eye(3),
        pbc=np.ones(3, dtype=bool),
    )


def volume_per_atom(number: int, r0: float) -> float:
    """Å³ per atom of the element's reference crystal, or of a close packing at 1.1 r0 (Å)."""
    from ase.data import reference_states

    state: dict[str, Any] = reference_states[number] or {}
    symmetry, a = state.get("symmetry"), state.get("a")
    if a and symmetry in _ATOMS_PER_CELL:
        return a**3 / _ATOMS_PER_CELL[symmetry]
    if a and symmetry == "hcp":
        return np.sqrt(3) / 4 * a**3 * state["c/a"]
    return (1.1 * r0) ** 3 / np.sqrt(2)
