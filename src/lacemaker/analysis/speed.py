"""How fast this machine evaluates and makes design rows: CPU time, medians, neighbour lists excluded.

CPU time is summed over threads, so that with n threads a perfect speed-up leaves the CPU time as it is while
the wall time falls n-fold; both are reported.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis
    from lacemaker.potential import Potential

__all__ = [
    "STANDARD_MODELS",
    "EvaluationSpeed",
    "RowSpeed",
    "evaluation_speed",
    "row_speed",
    "standard_model",
]

SILICON_LATTICE = 5.43  # Å; rattled diamond silicon is the standard structure
RATTLE = 0.05  # Å
MOST_ROW_BYTES = 256 * 2**20  # larger blocks of rows would time the memory, not the kernel


@dataclass(frozen=True)
class EvaluationSpeed:
    """Energy and forces of one structure."""

    n_atoms: int
    neighbours: float
    cpu_us_per_atom: float
    wall_us_per_atom: float
    isa: str
    dtype: str
    n_threads: int

    def to_dict(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


@dataclass(frozen=True)
class RowSpeed:
    """Design rows (energy, forces, virial) of one structure."""

    n_atoms: int
    neighbours: float
    cpu_s_per_1000_atoms: float
    isa: str

    def to_dict(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


# name -> correlation order, degrees, wl, cutoff (Å) of single-element silicon models
STANDARD_MODELS: dict[str, tuple[int, Any, float, float]] = {
    "order 3, 44 neighbours, small": (3, 12, 1.0, 6.0),
    "order 3, 44 neighbours, large": (3, 15, 1.0, 6.0),
    "order 3, 140 neighbours, large": (3, 15, 1.0, 8.63),
    "order 4, 44 neighbours, small": (4, 12, 1.5, 6.0),
    "order 4, 44 neighbours, large": (4, 16, 1.5, 6.0),
}


def standard_model(name: str) -> Potential:
    """A silicon potential of a standard size with random coefficients: every function is in use."""
    from lacemaker.basis import ACEBasis
    from lacemaker.potential import Potential

    order, degree, wl, cutoff = STANDARD_MODELS[name]
    basis = ACEBasis("Si", order, degree, wl=wl, cutoff=cutoff)
    return Potential(basis, 1e-3 * np.random.default_rng(0).normal(size=basis.n_functions), [0.0])


def rattled_silicon(n_atoms: int) -> SimpleNamespace:
    """Diamond silicon of at least `n_atoms` atoms in a near-cubic periodic cell, rattled (fixed seed)."""
    from ase.build import bulk

    repeats = [1, 1, 1]
    while 8 * repeats[0] * repeats[1] * repeats[2] < n_atoms:
        repeats[repeats.index(min(repeats))] += 1
    atoms = bulk("Si", "diamond", a=SILICON_LATTICE, cubic=True).repeat(repeats)
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        numbers=atoms.numbers,
        positions=atoms.positions + RATTLE * rng.normal(size=atoms.positions.shape),
        cell=np.array(atoms.cell),
        pbc=np.ones(3, dtype=bool),
    )


def structure_for(potential: Potential, n_atoms: int) -> Any:
    """Rattled silicon for silicon potentials, otherwise a rattled solid of the potential's own elements."""
    if potential.elements == ("Si",):
        return rattled_silicon(n_atoms)
    from lacemaker.potential.speed import random_solid

    return random_solid(potential, max(1, round((n_atoms / 4) ** (1 / 3))))


def medians(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Median CPU and wall seconds of `call`, after one warm-up; short calls are repeated to fill 5 ms."""
    start = time.perf_counter()
    call()
    inner = max(1, int(0.005 / max(time.perf_counter() - start, 1e-7)))
    cpu, wall = [], []
    for _ in range(repeats):
        c, w = time.process_time(), time.perf_counter()
        for _ in range(inner):
            call()
        cpu.append((time.process_time() - c) / inner)
        wall.append((time.perf_counter() - w) / inner)
    return statistics.median(cpu), statistics.median(wall)


def evaluation_speed(
    potential: Potential,
    n_atoms: int,
    *,
    isa: str = "auto",
    dtype: str = "float64",
    n_threads: int = 1,
    repeats: int = 7,
) -> EvaluationSpeed:
    """Time energy and forces on about `n_atoms` atoms with a prebuilt neighbour list."""
    evaluator = potential.evaluator(isa, dtype, n_threads)
    species, positions, cell, pbc = evaluator.prepare(structure_for(potential, n_atoms))
    neighbours = evaluator.neighbours(positions, cell, pbc)
    cpu, wall = medians(
        lambda: evaluator.evaluate(species, positions, cell, pbc, neighbours, n_threads=n_threads), repeats
    )
    return EvaluationSpeed(
        n_atoms=len(positions),
        neighbours=len(neighbours.index) / len(positions),
        cpu_us_per_atom=1e6 * cpu / len(positions),
        wall_us_per_atom=1e6 * wall / len(positions),
        isa=str(evaluator.statistics().get("isa", isa)),
        dtype=dtype,
        n_threads=n_threads,
    )


def row_speed(
    potential: Potential, basis: ACEBasis, n_atoms: int, *, isa: str = "auto", repeats: int = 5
) -> RowSpeed:
    """Time the design rows of about `n_atoms` atoms (fewer where the block would not fit in 256 MiB)."""
    from lacemaker import _core
    from lacemaker.structures import neighbour_list

    width = 8 * (basis.n_functions // 8 + 1)
    n_atoms = max(8, min(n_atoms, MOST_ROW_BYTES // (3 * 8 * width)))
    solid = structure_for(potential, n_atoms)
    species = potential.evaluator(n_threads=1).species(solid.numbers)
    pairs = neighbour_list(solid.positions, solid.cell, solid.pbc, basis.cutoff)
    kernel = _core.DesignRows(_core.Tables(**basis.kernel_tables()), **basis.design_tables(), isa=isa)
    out = np.zeros((7 + 3 * len(species), width))
    place = (
        solid.positions,
        np.ascontiguousarray(solid.cell),
        species,
        pairs.first,
        pairs.index,
        pairs.shift,
    )
    cpu, _ = medians(lambda: kernel.rows(*place, out, n_threads=1), repeats)
    return RowSpeed(
        n_atoms=len(species),
        neighbours=pairs.n_pairs / len(species),
        cpu_s_per_1000_atoms=1000.0 * cpu / len(species),
        isa=isa if isa != "auto" else _core.isas()[-1],
    )


def sizes_from(text: str) -> Sequence[int]:
    """Numbers of atoms from ``"64,512"``.

    Raises
    ------
    ConfigError
    """
    from lacemaker.errors import ConfigError

    try:
        sizes = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1 or max(sizes) > 10**7:
        raise ConfigError(
            f"The sizes are not numbers of atoms. Found: {text!r}. To do: write for example 64,512,4096."
        )
    return sizes
