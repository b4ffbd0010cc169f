"""Does a calculator survive molecular dynamics? Langevin runs with failure criteria, for any ASE calculator.

A run fails when atoms come closer than a share of the bond length, a force or the temperature explodes, the
energy falls far below that of the starting structure (a spurious minimum), or the calculator gives up.
Otherwise it survives. The energy of a thermostatted run is not conserved; its drift is that of the potential
energy, which tells a crystal that has melted or collapsed from one that has not. With ``thermostat=False``
it is that of the total energy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Limits", "Stability", "Survival", "shortest_distance", "survive"]

CHECK_EVERY = 10  # steps between looks at distances, which cost a neighbour list


@dataclass(frozen=True)
class Limits:
    """What counts as failure.

    Attributes
    ----------
    shortest_bond : float
        Times the shortest distance of the starting structure (or ``bond_length``).
    largest_force : float
        eV/Å, of a component.
    hottest : float
        Times the temperature of the thermostat.
    energy_drop : float
        eV per atom below the energy of the starting structure (or ``reference_energy``).
    """

    shortest_bond: float = 0.65
    largest_force: float = 60.0
    hottest: float = 4.0
    energy_drop: float = 0.5


@dataclass(frozen=True)
class Survival:
    """One run. ``failure`` is empty if it survived; drift in meV per atom, first to last tenth of the run."""

    temperature_K: float
    seed: int
    survived: bool
    time_ps: float
    failure: str
    shortest_distance_A: float
    largest_force_eV_per_A: float
    mean_temperature_K: float
    drift_meV_per_atom: float


@dataclass(frozen=True)
class Stability:
    """All runs of a test.

    Attributes
    ----------
    runs : tuple of Survival
    length_ps : float
        Planned length of each run.
    n_atoms : int
    """

    runs: tuple[Survival, ...]
    length_ps: float
    n_atoms: int

    @property
    def n_survived(self) -> int:
        """Runs that reached their end."""
        return sum(run.survived for run in self.runs)

    @property
    def survived(self) -> bool:
        """Whether all did."""
        return self.n_survived == len(self.runs)

    def curve(self, times_ps: np.ndarray) -> np.ndarray:
        """Share of the runs alive at each time (same shape)."""
        ends = np.array([np.inf if run.survived else run.time_ps for run in self.runs])
        return np.mean(ends[:, None] > np.ravel(times_ps), axis=0).reshape(np.shape(times_ps))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "n_runs": len(self.runs),
            "n_survived": self.n_survived,
            "length_ps": self.length_ps,
            "n_atoms": self.n_atoms,
            "runs": [asdict(run) for run in self.runs],
        }

    def __str__(self) -> str:
        lines = [f"{self.n_survived} of {len(self.runs)} runs of {self.length_ps:g} ps survived"]
        lines.append("     T, K  seed    ps  shortest, Å  largest |F|  mean T, K  drift, meV/atom")
        lines += [
            f"{run.temperature_K:9.0f} {run.seed:5d} {run.time_ps:5.1f} {run.shortest_distance_A:12.2f} "
            f"{run.largest_force_eV_per_A:12.1f} {run.mean_temperature_K:10.0f} "
            f"{run.drift_meV_per_atom:12.1f}" + (f"  {run.failure}" if run.failure else "")
            for run in self.runs
        ]
        return "\n".join(lines)


def survive(
    atoms: Atoms,
    calculator: BaseCalculator,
    *,
    temperatures: Sequence[float] = (300.0,),
    seeds: Sequence[int] = (0, 1, 2),
    picoseconds: float = 20.0,
    timestep: float = 1.0,
    friction: float = 0.01,
    thermostat: bool = True,
    limits: Limits = Limits(),
    bond_length: float | None = None,
    reference_energy: float | None = None,
    trajectory: Callable[[Atoms], None] | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> Stability:
    """Run dynamics at every temperature and seed, and see what survives.

    Parameters
    ----------
    atoms : Atoms
        Where every run starts; copied. 64 to 128 atoms are usual.
    calculator : ASE calculator
        Anything with energy and forces.
    temperatures : sequence of float
        K: of velocities and thermostat.
    seeds : sequence of int
        Of velocities and thermostat; equal seeds repeat a run exactly.
    picoseconds, timestep : float
        Length of a run; step in fs.
    friction : float
        Of the Langevin thermostat, 1/fs.
    thermostat : bool
        False: constant energy, velocity Verlet.
    limits : Limits
    bond_length : float, optional
        Å; default the shortest distance of `atoms`. Give it where the start is compressed or random.
    reference_energy : float, optional
        eV per atom; default that of `atoms`. Give the crystal's where the start is not a crystal.
    trajectory : callable, optional
        Called with the atoms every tenth step.
    advance : callable, optional
        Called with (runs done, runs in all).

    Raises
    ------
    DataError
        If the start has no two atoms near each other, or no temperature or seed is given.
    """
    if not temperatures or not seeds or min(temperatures) <= 0.0 or picoseconds <= 0.0:
        raise DataError(
            "There is nothing to run: positive temperatures and a length are needed. Found temperatures "
            f"{list(temperatures)}, seeds {list(seeds)}, {picoseconds} ps. Give temperatures=[300]."
        )
    start = atoms.copy()
    start.calc = calculator
    length = shortest_distance(start, 6.0) if bond_length is None else bond_length
    if not np.isfinite(length):
        raise DataError(
            "The bond length cannot be read off the structure: no two atoms are within 6 Å. Found "
            f"{len(atoms)} atoms. Pass bond_length."
        )
    lowest = start.get_potential_energy() / len(start) if reference_energy is None else reference_energy
    tests = _Tests(limits, limits.shortest_bond * length, lowest - limits.energy_drop)
    runs, total = [], len(temperatures) * len(seeds)
    n_steps = max(1, round(1000.0 * picoseconds / timestep))
    for temperature in temperatures:
        for seed in seeds:
            run = _Run(start, temperature, seed, timestep, friction if thermostat else None, tests)
            run.trajectory = trajectory
            runs.append(run.go(n_steps))
            if advance is not None:
                advance(len(runs), total)
    return Stability(tuple(runs), float(picoseconds), len(atoms))


def shortest_distance(atoms: Atoms, within: float) -> float:
    """Shortest distance between two atoms in Å, images included; infinite if none is nearer than `within`."""
    from lacemaker.structures import neighbour_list

    positions, cell = atoms.get_positions(), np.array(atoms.cell)
    pairs = neighbour_list(positions, cell, np.asarray(atoms.pbc), within)
    return float(pairs.distances(positions, cell).min()) if pairs.n_pairs else float("inf")


@dataclass(frozen=True)
class _Tests:
    """Limits in absolute numbers."""

    limits: Limits
    shortest: float  # Å
    lowest: float  # eV per atom


class _Run:
    """One run and what it saw."""

    def __init__(
        self,
        start: Atoms,
        temperature: float,
        seed: int,
        timestep: float,
        friction: float | None,
        tests: _Tests,
    ) -> None:
        from inspect import signature

        from ase import units
        from ase.md.langevin import Langevin
        from ase.md.verlet import VelocityVerlet

        self.atoms, self.tests, self.temperature, self.seed = start.copy(), tests, temperature, seed
        self.atoms.calc = start.calc
        rng = np.random.default_rng(seed)
        masses = self.atoms.get_masses()[:, None]
        velocities = rng.standard_normal((len(masses), 3)) * np.sqrt(units.kB * temperature / masses)
        self.atoms.set_velocities(velocities - (masses * velocities).sum(axis=0) / masses.sum())
        self.picoseconds = timestep / 1000.0
        if friction is None:
            self.dynamics: Any = VelocityVerlet(self.atoms, timestep * units.fs)
        else:
            self.dynamics = Langevin(
                self.atoms,
                timestep * units.fs,
                temperature_K=temperature,
                friction=friction / units.fs,
                rng=rng,
                **(
                    {"fixcm": False} if "fixcm" in signature(Langevin).parameters else {}
                ),  # older ASE fixes it
            )
        self.conserved = friction is None
        self.forces: np.ndarray | None = None  # of the positions as they are
        self.trajectory: Callable[[Atoms], None] | None = None
        self.energies: list[float] = []
        self.temperatures: list[float] = []
        self.nearest, self.largest = float("inf"), 0.0

    def go(self, n_steps: int) -> Survival:
        """Run to the end or to the first failure."""
        failure, step = "", 0
        for step in range(1, n_steps + 1):
            failure = self._step(step == n_steps or step % CHECK_EVERY == 0)
            if self.trajectory is not None and step % CHECK_EVERY == 0:
                self.trajectory(self.atoms)
            if failure:
                break
        energies = np.array(self.energies or [np.nan])
        tenth = max(1, len(energies) // 10)
        drift = 1000.0 * (energies[-tenth:].mean() - energies[:tenth].mean()) / len(self.atoms)
        half = self.temperatures[len(self.temperatures) // 2 :]
        return Survival(
            temperature_K=float(self.temperature),
            seed=int(self.seed),
            survived=not failure,
            time_ps=step * self.picoseconds,
            failure=failure,
            shortest_distance_A=self.nearest,
            largest_force_eV_per_A=self.largest,
            mean_temperature_K=float(np.mean(half)) if half else float("nan"),
            drift_meV_per_atom=float(drift),
        )

    def _step(self, look: bool) -> str:
        from lacemaker.errors import LacemakerError

        try:
            forces = self.forces = self.dynamics.step(self.forces)
            energy = self.atoms.get_potential_energy()
        except (LacemakerError, ArithmeticError, ValueError, RuntimeError) as error:
            return f"the calculator failed: {error}"
        temperature = self.atoms.get_temperature()
        self.temperatures.append(temperature)
        self.energies.append(self.atoms.get_total_energy() if self.conserved else energy)
        self.largest = max(self.largest, float(np.abs(forces).max()))
        return self._judge(energy / len(self.atoms), temperature, look)

    def _judge(self, energy: float, temperature: float, look: bool) -> str:
        limits = self.tests.limits
        if not np.isfinite([energy, temperature, self.largest]).all():
            return "energy or forces are not finite"
        if self.largest > limits.largest_force:
            return f"a force of {self.largest:.0f} eV/Å"
        if temperature > limits.hottest * self.temperature:
            return f"a temperature of {temperature:.0f} K"
        if energy < self.tests.lowest:
            return f"an energy of {energy:.3f} eV/atom, below {self.tests.lowest:.3f}"
        if look:
            self.nearest = min(self.nearest, shortest_distance(self.atoms, 2.0 * self.tests.shortest))
            if self.nearest < self.tests.shortest:
                return f"two atoms {self.nearest:.2f} Å apart"
        return ""
