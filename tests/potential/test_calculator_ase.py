"""The calculator keeps ASE's contract: truthful properties, a cache, copies, pickles, files, clear errors."""

import copy
import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from matter import nasty_structures

import lacemaker as lace
from lacemaker.errors import EvaluationError, FileFormatError
from lacemaker.potential import default_threads


@pytest.fixture
def atoms(silicon, diamond):
    diamond.calc = lace.Calculator(silicon)
    return diamond


def test_results_are_those_of_the_potential(atoms, silicon):
    expected = silicon.predict(atoms)
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, rel=1e-13)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_potential_energies(), expected.energies, rtol=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, rtol=0, atol=1e-13)
    np.testing.assert_allclose(atoms.get_stress(), expected.stress, rtol=0, atol=1e-13)
    assert atoms.get_potential_energies().sum() == pytest.approx(expected.energy, rel=1e-14)
    assert atoms.get_stress(voigt=False).shape == (3, 3)


def test_every_declared_property_can_be_had(atoms):
    for name in atoms.calc.implemented_properties:
        assert np.isfinite(atoms.calc.get_property(name, atoms)).all()


def test_others_are_not_implemented(atoms):
    for name in ("dipole", "charges", "magmoms", "stresses"):
        with pytest.raises(PropertyNotImplementedError):
            atoms.calc.get_property(name, atoms)


def test_results_are_kept_until_something_changes(atoms, monkeypatch):
    calls = []
    evaluate = atoms.calc._evaluator.evaluate
    monkeypatch.setattr(
        atoms.calc._evaluator, "evaluate", lambda *a, **k: calls.append(1) or evaluate(*a, **k)
    )
    atoms.get_forces()
    atoms.get_stress()
    atoms.get_potential_energy()
    atoms.set_initial_charges(np.ones(len(atoms)))
    atoms.get_forces()
    assert len(calls) == 1
    atoms.positions[0, 0] += 1e-9
    atoms.get_forces()
    assert len(calls) == 2
    assert atoms.calc.get_property("energy", atoms, allow_calculation=False) is not None
    atoms.positions[0, 0] += 0.1
    assert atoms.calc.get_property("energy", atoms, allow_calculation=False) is None


def test_changes_are_named_exactly(atoms):
    assert set(atoms.calc.check_state(atoms)) >= {"positions", "numbers", "cell", "pbc"}
    atoms.get_forces()
    assert atoms.calc.check_state(atoms) == []
    changed = atoms.copy()
    changed.positions[0, 0] = np.nextafter(changed.positions[0, 0], 9.0)
    assert atoms.calc.check_state(changed) == ["positions"]
    changed = atoms.copy()
    changed.set_cell(1.01 * changed.cell.array)
    assert atoms.calc.check_state(changed) == ["cell"]
    changed.pbc = [True, True, False]
    assert atoms.calc.check_state(changed) == ["cell", "pbc"]
    assert {"positions", "numbers"} <= set(atoms.calc.check_state(atoms[:1]))


def test_callers_cannot_spoil_the_cache(atoms):
    forces = atoms.get_forces()
    forces[:] = 0
    assert np.abs(atoms.get_forces()).max() > 1e-3


def test_calculator_from_a_path(silicon, diamond, tmp_path):
    silicon.save(tmp_path / "si.lace")
    for path in (tmp_path / "si.lace", str(tmp_path / "si.lace")):
        diamond.calc = lace.Calculator(path)
        assert diamond.get_potential_energy() == pytest.approx(silicon.predict(diamond).energy, rel=1e-13)
    assert diamond.calc.todict()["potential"] == str(tmp_path / "si.lace")


def test_bad_path(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read"):
        lace.Calculator(tmp_path / "none.lace")


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda calc: pickle.loads(pickle.dumps(calc))])
def test_copies_work_alone(atoms, make):
    energy = atoms.get_potential_energy()
    twin = make(atoms.calc)
    assert twin.results["energy"] == energy
    other = atoms.copy()
    other.calc = twin
    other.positions[0] += 0.1
    assert other.get_potential_energy() != energy
    assert atoms.calc.results["energy"] == energy
    assert atoms.get_potential_energy() == energy


def test_atoms_with_the_calculator_survive_pickling(atoms):
    energy = atoms.get_potential_energy()
    assert pickle.loads(pickle.dumps(atoms)).get_potential_energy() == energy


def test_same_history_gives_the_same_bits(silicon, diamond):
    runs = []
    for _ in range(2):
        atoms = diamond.copy()
        atoms.calc = lace.Calculator(silicon)
        forces = []
        for step in range(5):
            atoms.positions[0, 0] += 0.02 * step
            forces.append(atoms.get_forces())
        runs.append(np.array(forces))
    np.testing.assert_array_equal(runs[0], runs[1])


def test_number_of_threads_does_not_change_results(silicon):
    crystal = bulk("Si", a=5.43, cubic=True).repeat(3)
    crystal.rattle(0.1, seed=2)
    forces = []
    for n_threads in (1, 2, 3):
        crystal.calc = lace.Calculator(silicon, n_threads=n_threads)
        forces.append(crystal.get_forces())
    np.testing.assert_allclose(forces[1:], np.array(forces)[:1].repeat(2, axis=0), rtol=0, atol=1e-12)


def test_default_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert default_threads() == 3
    for value in ("", "zero", "0"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert default_threads() >= 1


def test_single_precision(silicon, atoms):
    expected = atoms.get_forces()
    atoms.calc = lace.Calculator(silicon, dtype="float32")
    assert atoms.get_forces().dtype == np.float64
    np.testing.assert_allclose(atoms.get_forces(), expected, rtol=0, atol=2e-4)


# -- stress --


@pytest.mark.parametrize("name", ["cluster", "cluster in a box", "wire without a volume", "one atom"])
def test_stress_without_a_periodic_volume(rough, name):
    atoms = nasty_structures()[name]
    atoms.calc = lace.Calculator(rough)
    atoms.get_forces()
    assert "stress" not in atoms.calc.results
    with pytest.raises(PropertyNotImplementedError, match=r"(?s)stress is not defined.*pbc.*to do"):
        atoms.get_stress()
    with pytest.raises(EvaluationError):
        atoms.get_stress()
    assert np.isfinite(atoms.get_forces()).all()
    assert atoms.calc.get_property("stress", atoms, allow_calculation=False) is None


def test_stress_of_a_slab_in_a_box(rough):
    atoms = nasty_structures()["slab"]
    atoms.calc = lace.Calculator(rough)
    np.testing.assert_allclose(atoms.get_stress() * atoms.get_volume(), -rough.predict(atoms).virial)


# -- bad structures --


def refused(atoms, potential, match):
    atoms.calc = lace.Calculator(potential)
    with pytest.raises(EvaluationError, match=match) as caught:
        atoms.get_potential_energy()
    assert "\n  found: " in str(caught.value)
    assert "\n  to do: " in str(caught.value)
    assert atoms.calc.results == {}


def test_unknown_element(silicon):
    molecule = Atoms("SiHHO", np.arange(12.0).reshape(4, 3))
    refused(molecule, silicon, r"(?s)does not know the element H, O\n  found: 3 atoms.*fitted to Si")


def test_dummy_element(silicon):
    refused(Atoms("XSi", [[0, 0, 0], [2, 0, 0]]), silicon, "does not know the element X")


def test_atoms_on_top_of_each_other(silicon):
    refused(
        Atoms("Si3", [[0, 0, 0], [2.3, 0, 0], [2.3, 0, 0]]),
        silicon,
        r"(?s)on top of each other.*atom 1 and atom 2",
    )


def test_atom_on_its_neighbours_periodic_image(silicon):
    pair = Atoms("Si2", [[0, 0, 0], [5, 5, 5]], cell=[5, 5, 5], pbc=True)
    refused(pair, silicon, r"(?s)on top of each other.*atom 0 and atom 1")


def test_cell_in_a_wrong_unit(silicon):
    refused(Atoms("Si", cell=[2.7e-4] * 3, pbc=True), silicon, "cell vector is zero")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_that_are_not_finite(silicon, bad):
    atoms = bulk("Si")
    atoms.positions[1, 2] = bad
    refused(atoms, silicon, r"(?s)not finite.*atoms \[1\].*smaller time step")


def test_flat_cell(silicon):
    refused(Atoms("Si", cell=[[3, 0, 0], [0, 3, 0], [3, 3, 0]], pbc=True), silicon, "no volume")
    refused(Atoms("Si", cell=[3, 3, 0], pbc=True), silicon, "zero")


def test_no_atoms(silicon):
    empty = Atoms(cell=[3, 3, 3], pbc=True)
    empty.calc = lace.Calculator(silicon)
    assert empty.get_potential_energy() == 0.0
    assert empty.get_forces().shape == (0, 3)


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_impossible_skin(silicon, skin):
    with pytest.raises(EvaluationError, match=r"(?s)skin of the neighbour list is impossible.*0 or more"):
        lace.Calculator(silicon, skin=skin)


def test_parameters_are_fixed(atoms):
    with pytest.raises(EvaluationError, match=r"cannot be changed\n  found: skin"):
        atoms.calc.set(skin=1.0)


# -- files of ASE --


def test_extended_xyz_holds_the_results(atoms, tmp_path):
    from ase.io import read, write

    atoms.get_stress()
    write(tmp_path / "out.xyz", atoms)
    again = read(tmp_path / "out.xyz")
    assert again.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
    np.testing.assert_allclose(again.get_forces(), atoms.get_forces(), atol=1e-7)
    np.testing.assert_allclose(again.calc.results["energies"], atoms.get_potential_energies(), atol=1e-7)


def test_trajectory_and_database(atoms, tmp_path):
    from ase.db import connect
    from ase.io import read, write

    energy = atoms.get_potential_energy()
    write(tmp_path / "out.traj", atoms)
    assert read(tmp_path / "out.traj").get_potential_energy() == energy
    with connect(tmp_path / "out.json") as database:
        database.write(atoms)
    row = connect(tmp_path / "out.json").get(1)
    assert row.energy == energy
    assert row.calculator == "lacemaker"
