"""A lasting neighbour list never misses a pair, whatever moves, and is rebuilt no more often than needed."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

import lacemaker as lace
from lacemaker.calculators import LastingNeighbours
from lacemaker.errors import EvaluationError


def pairs(neighbours, positions, cell, cutoff):
    """The directed pairs nearer than `cutoff` as a set of (i, j, shift)."""
    near = neighbours.distances(positions, cell) < cutoff
    columns = np.column_stack([neighbours.centre, neighbours.index, neighbours.shift])[near]
    return set(map(tuple, columns.tolist()))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    pbc=st.tuples(*[st.booleans()] * 3),
    skin=st.floats(0.1, 1.0),
    step=st.floats(1e-3, 0.15),
    strain=st.sampled_from([0.0, 1e-3, 0.02]),
)
def test_no_pair_is_ever_missed(rough, seed, pbc, skin, step, strain):
    rng = np.random.default_rng(seed)
    evaluator = rough.evaluator()
    lasting = LastingNeighbours(evaluator, skin)
    cell = rng.normal(size=(3, 3)) + 4 * np.eye(3)
    positions = rng.uniform(size=(5, 3)) @ cell
    species, pbc = np.zeros(5, dtype=np.int32), np.array(pbc)
    for _ in range(8):
        kept = lasting.update(species, positions, cell, pbc)
        fresh = evaluator.neighbours(positions, cell, pbc)
        expected = pairs(fresh, positions, cell, evaluator.cutoff)
        assert pairs(kept, positions, cell, evaluator.cutoff) == expected
        change = np.eye(3) + rng.normal(0, strain, (3, 3))
        cell, positions = cell @ change, positions @ change
        positions = positions + rng.uniform(-step, step, positions.shape)


@pytest.fixture
def crystal():
    atoms = bulk("Si", a=5.43, cubic=True).repeat(2)
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.fixture
def calculator(silicon, crystal):
    crystal.calc = lace.Calculator(silicon, skin=0.5)
    crystal.get_forces()
    assert crystal.calc.n_neighbour_builds == 1
    return crystal.calc


def assert_right(atoms, builds):
    """Energy, forces and stress as with a fresh list, after so many builds."""
    expected = atoms.calc.potential.predict(atoms)
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, rel=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, rtol=0, atol=1e-12)
    if expected.stress is not None:
        np.testing.assert_allclose(atoms.get_stress(), expected.stress, rtol=0, atol=1e-12)
    assert atoms.calc.n_neighbour_builds == builds


def test_small_moves_keep_the_list(crystal, calculator):
    rng = np.random.default_rng(0)
    start = crystal.positions.copy()
    for _ in range(10):
        move = rng.normal(size=start.shape)
        crystal.positions = start + 0.2499 * move / np.linalg.norm(move, axis=1)[:, None]
        assert_right(crystal, 1)


def test_one_atom_beyond_half_the_skin_rebuilds(crystal, calculator):
    crystal.positions[3, 1] += 0.2501
    assert_right(crystal, 2)
    crystal.positions[3, 1] += 0.2499  # counted from the new list
    assert_right(crystal, 2)


def test_wrapped_atoms_rebuild(crystal, calculator):
    crystal.positions[0] -= 0.1
    assert_right(crystal, 1)
    crystal.wrap()
    assert_right(crystal, 2)


def test_lattice_shift_of_all_atoms_rebuilds_and_changes_nothing(crystal, calculator):
    before = crystal.get_forces()
    crystal.positions += crystal.cell[1]
    np.testing.assert_allclose(crystal.get_forces(), before, rtol=0, atol=1e-11)
    assert calculator.n_neighbour_builds == 2


def test_small_strain_keeps_the_list(crystal, calculator):
    crystal.set_cell(
        crystal.cell[:] @ (np.eye(3) + 0.01 * np.random.default_rng(1).normal(size=(3, 3))), scale_atoms=True
    )
    assert_right(crystal, 1)


def test_large_strain_rebuilds(crystal, calculator):
    crystal.set_cell(0.85 * crystal.cell[:], scale_atoms=True)
    assert_right(crystal, 2)


def test_shear_by_a_whole_lattice_vector_rebuilds(crystal, calculator):
    cell = crystal.cell[:].copy()
    cell[0] += cell[1]
    crystal.set_cell(cell)
    assert_right(crystal, 2)


def test_rigid_rotation_is_free_for_a_periodic_crystal(crystal, calculator):
    crystal.rotate(40, "z", rotate_cell=True)
    assert_right(crystal, 1)


def test_new_numbers_rebuild(alloy):
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.calc = lace.Calculator(alloy)
    before = atoms.get_potential_energy()
    atoms.numbers[0] = 79
    assert_right(atoms, 2)
    assert atoms.get_potential_energy() != pytest.approx(before)


def test_new_periodicity_rebuilds(crystal, calculator):
    crystal.pbc = (True, False, True)
    assert_right(crystal, 2)


def test_new_number_of_atoms_rebuilds(crystal, calculator):
    del crystal[5]
    assert_right(crystal, 2)


def test_axes_that_are_not_periodic_do_not_matter(silicon):
    slab = bulk("Si", a=5.43, cubic=True)
    slab.pbc = (True, True, False)
    slab.calc = lace.Calculator(silicon)
    slab.get_forces()
    slab.cell[2] = [0, 0, 40.0]
    assert_right(slab, 1)


def test_without_a_skin_every_move_rebuilds(silicon, crystal):
    crystal.calc = lace.Calculator(silicon, skin=0.0)
    for builds in (1, 2, 3):
        assert_right(crystal, builds)
        crystal.positions[0, 0] += 1e-3


def test_skin_does_not_change_results(silicon, crystal):
    expected = silicon.predict(crystal)
    for skin in (0.0, 0.3, 2.0):
        crystal.calc = lace.Calculator(silicon, skin=skin)
        np.testing.assert_allclose(crystal.get_forces(), expected.forces, rtol=0, atol=1e-12)
        assert crystal.get_potential_energy() == pytest.approx(expected.energy, rel=1e-13)


def test_atoms_that_meet_while_the_list_lasts_are_noticed(silicon):
    dimer = Atoms("Si2", [[0, 0, 0], [0, 0, 0.4]])
    dimer.calc = lace.Calculator(silicon, skin=1.0)
    dimer.get_potential_energy()
    dimer.positions[1, 2] = 0.0
    with pytest.raises(
        EvaluationError, match=r"on top of each other\n  found: atom 0 and atom 1 at 0.00e\+00 Å"
    ):
        dimer.get_potential_energy()


def test_failure_does_not_poison_the_list(silicon, crystal):
    crystal.calc = lace.Calculator(silicon)
    good = crystal.positions.copy()
    crystal.get_forces()
    crystal.positions[1] = crystal.positions[0]
    with pytest.raises(EvaluationError, match="on top of each other"):
        crystal.get_forces()
    crystal.positions = good
    np.testing.assert_allclose(crystal.get_forces(), silicon.predict(crystal).forces, rtol=0, atol=1e-12)
