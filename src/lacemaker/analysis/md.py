"""A short molecular dynamics run: does the potential hold a hot crystal together and keep its energy?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.potential import Potential

__all__ = ["MDSummary", "short_md"]

DRIFT_LIMIT = 5.0  # meV/atom over a short run; thermal energies are 100 times larger
SHORTEST_BOND = 0.65  # times the nearest-neighbour distance
HOTTEST = 4.0  # times the starting temperature


@dataclass(frozen=True)
class MDSummary:
    """What happened in a constant-energy run.

    ``drift_meV_per_atom`` is the change of total energy between the first and last tenth of the run;
    ``microseconds_per_atom_step`` is wall time, neighbour lists and ASE included.
    """

    n_atoms: int
    n_steps: int
    timestep_fs: float
    start_temperature_K: float
    mean_temperature_K: float
    drift_meV_per_atom: float
    shortest_bond_A: float
    largest_force_eV_per_A: float
    microseconds_per_atom_step: float
    survived: bool

    def to_dict(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    @property
    def verdict(self) -> str:
        """The judgement in words."""
        state = "stable" if self.survived else "UNSTABLE"
        return (
            f"{self.n_steps} steps of {self.timestep_fs:g} fs, {self.n_atoms} atoms from "
            f"{self.start_temperature_K:.0f} K: {state}, energy drift "
            f"{self.drift_meV_per_atom:+.3f} meV/atom, mean temperature "
            f"{self.mean_temperature_K:.0f} K, shortest bond {self.shortest_bond_A:.2f} Å, "
            f"{self.microseconds_per_atom_step:.1f} µs per atom and step"
        )


def short_md(
    potential: Potential,
    atoms: Atoms,
    *,
    temperature: float,
    n_steps: int = 200,
    timestep: float = 1.0,
    seed: int = 0,
    trajectory: Callable[[Atoms], None] | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> MDSummary:
    """Constant-energy dynamics (velocity Verlet) from Maxwell–Boltzmann velocities.

    Parameters
    ----------
    potential : Potential
    atoms : Atoms
        Copied, not changed.
    temperature : float
        Of the starting velocities, K; a crystal at rest ends near half of it.
    n_steps, timestep : int, float
        Steps, and fs per step.
    seed : int
        Of the velocities.
    trajectory : callable, optional
        Called with the atoms every tenth step.
    advance : callable, optional
        Called with (steps done, steps in all).
    """
    from ase import units
    from ase.md.verlet import VelocityVerlet

    from lacemaker.analysis.predictions import nearest_neighbour_distance
    from lacemaker.calculators import Calculator

    atoms = atoms.copy()
    atoms.calc = Calculator(potential)
    atoms.set_velocities(_thermal_velocities(atoms, temperature, seed))
    dynamics = VelocityVerlet(atoms, timestep * units.fs)
    totals, temperatures, forces, bonds = [], [], [], []

    def record() -> None:
        totals.append(atoms.get_total_energy())
        temperatures.append(atoms.get_temperature())
        forces.append(float(np.abs(atoms.get_forces()).max()))
        if dynamics.nsteps % 10 == 0:
            bonds.append(_shortest_bond(atoms, potential.cutoff))
            if trajectory is not None:
                trajectory(atoms)
            if advance is not None:
                advance(dynamics.nsteps, n_steps)

    dynamics.attach(record)
    start = time.perf_counter()
    dynamics.run(n_steps)
    seconds = time.perf_counter() - start
    tenth = max(1, len(totals) // 10)
    drift = 1000 * (np.mean(totals[-tenth:]) - np.mean(totals[:tenth])) / len(atoms)
    scale = min(nearest_neighbour_distance(potential, a, a) for a in set(atoms.get_chemical_symbols()))
    survived = (
        abs(drift) < DRIFT_LIMIT
        and min(bonds) > SHORTEST_BOND * scale
        and max(temperatures) < HOTTEST * temperature
    )
    return MDSummary(
        n_atoms=len(atoms),
        n_steps=n_steps,
        timestep_fs=timestep,
        start_temperature_K=temperature,
        mean_temperature_K=float(np.mean(temperatures[len(temperatures) // 2 :])),
        drift_meV_per_atom=float(drift),
        shortest_bond_A=float(min(bonds)),
        largest_force_eV_per_A=float(max(forces)),
        microseconds_per_atom_step=1e6 * seconds / (len(atoms) * max(n_steps, 1)),
        survived=bool(survived),
    )


def _thermal_velocities(atoms: Atoms, temperature: float, seed: int) -> np.ndarray:
    """Maxwell–Boltzmann velocities (n_atoms, 3) in ASE's unit, without drift of the whole."""
    from ase import units

    masses = atoms.get_masses()[:, None]
    normal = np.random.default_rng(seed).standard_normal((len(atoms), 3))
    velocities = normal * np.sqrt(units.kB * temperature / masses)
    return velocities - (masses * velocities).sum(axis=0) / masses.sum()


def _shortest_bond(atoms: Atoms, cutoff: float) -> float:
    from lacemaker.structures import neighbour_list

    positions, cell = atoms.get_positions(), np.array(atoms.cell)
    pairs = neighbour_list(positions, cell, atoms.pbc, cutoff)
    return float(pairs.distances(positions, cell).min()) if pairs.n_pairs else float("inf")
