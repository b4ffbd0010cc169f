"""The MD survival test: what it calls survival, what it calls failure, and that it repeats itself."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from lacemaker.analysis.stability import Limits, shortest_distance, survive
from lacemaker.errors import DataError, EvaluationError

COPPER = bulk("Cu", cubic=True).repeat(2)


class Hollow(Calculator):
    """EMT with a bottomless well: beyond a displacement of one atom the energy falls without end."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, mode):
        super().__init__()
        self.mode, self.emt, self.n_calls = mode, EMT(), 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.n_calls += 1
        copy = self.atoms.copy()
        copy.calc = self.emt
        energy, forces = copy.get_potential_energy(), copy.get_forces()
        if self.mode == "attracts" and self.n_calls > 2:
            gap = self.atoms.positions[1] - self.atoms.positions[0]
            push = 30.0 * gap / np.linalg.norm(gap)
            forces = np.zeros_like(forces)
            forces[0], forces[1] = push, -push
        if self.mode == "sinks":
            energy -= 0.2 * self.n_calls * len(self.atoms)
        if self.mode == "nan" and self.n_calls > 5:
            energy = np.nan
        if self.mode == "explodes" and self.n_calls > 5:
            forces = 1e3 * np.ones_like(forces)
        if self.mode == "gives up" and self.n_calls > 5:
            raise EvaluationError("two atoms lie on top of each other")
        self.results = {"energy": energy, "forces": forces}


def test_a_sound_crystal_survives_and_keeps_its_temperature():
    found = survive(COPPER, EMT(), temperatures=[300.0], seeds=[0, 1], picoseconds=0.2, friction=0.05)
    assert found.survived
    assert found.n_survived == 2
    for run in found.runs:
        assert run.time_ps == pytest.approx(0.2)
        assert 150 < run.mean_temperature_K < 450
        assert run.shortest_distance_A > 2.0
    np.testing.assert_array_equal(found.curve(np.array([0.0, 0.1, 0.5])), 1.0)
    json.dumps(found.to_dict())


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("attracts", "Å apart"),
        ("sinks", "below"),
        ("nan", "not finite"),
        ("explodes", "a force of 1000"),
        ("gives up", "calculator failed: two atoms"),
    ],
)
def test_each_failure_is_named_and_ends_the_run(mode, reason):
    limits = Limits(hottest=1e4 if mode == "attracts" else 4.0)
    found = survive(COPPER, Hollow(mode), temperatures=[300.0], seeds=[0], picoseconds=0.3, limits=limits)
    (run,) = found.runs
    assert not run.survived
    assert reason in run.failure
    assert run.time_ps < 0.3
    assert not found.survived
    assert found.curve(np.array([0.3]))[0] == 0.0
    assert reason in str(found)


def test_equal_seeds_repeat_a_run_and_others_do_not():
    first, again = (survive(COPPER, EMT(), seeds=[3, 4], picoseconds=0.02) for _ in range(2))
    assert first.runs == again.runs
    assert first.runs[0].drift_meV_per_atom != first.runs[1].drift_meV_per_atom


def test_constant_energy_runs_conserve_it():
    (run,) = survive(COPPER, EMT(), seeds=[0], picoseconds=0.2, timestep=2.0, thermostat=False).runs
    assert abs(run.drift_meV_per_atom) < 0.3
    assert 80 < run.mean_temperature_K < 250  # a crystal at rest gives half to its potential energy


def test_a_limit_on_temperature_is_felt():
    found = survive(COPPER, EMT(), seeds=[0], picoseconds=0.02, limits=Limits(hottest=0.1))
    assert "a temperature of" in found.runs[0].failure


def test_a_compressed_start_needs_the_bond_length_of_the_crystal():
    squeezed = COPPER.copy()
    squeezed.set_cell(0.6 * COPPER.cell, scale_atoms=True)
    found = survive(
        squeezed,
        EMT(),
        seeds=[0],
        picoseconds=0.01,
        bond_length=2.55,
        limits=Limits(largest_force=1e6, hottest=1e6),
    )
    assert "apart" in found.runs[0].failure


def test_the_start_is_not_changed_and_distances_see_images():
    atoms = bulk("Cu")
    before = atoms.positions.copy()
    assert shortest_distance(atoms, 4.0) == pytest.approx(3.61 / 2**0.5)
    assert shortest_distance(atoms, 1.0) == np.inf
    survive(atoms.repeat(2), EMT(), seeds=[0], picoseconds=0.003)
    np.testing.assert_array_equal(atoms.positions, before)


def test_impossible_requests_are_refused():
    with pytest.raises(DataError, match="nothing to run"):
        survive(COPPER, EMT(), temperatures=[])
    with pytest.raises(DataError, match="bond length"):
        survive(bulk("Cu", a=20.0), EMT())


def test_a_trajectory_is_handed_over_every_tenth_step():
    seen = []
    found = survive(
        COPPER, EMT(), seeds=[0], picoseconds=0.03, trajectory=lambda a: seen.append(a.get_positions())
    )
    assert found.survived
    assert len(seen) == 3
    assert np.abs(seen[2] - seen[1]).max() > 1e-4
