"""User pain 7: what files hold arrives unharmed, through every road ASE knows."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian
from ase.io import write as ase_write
from structure_files import labelled_copper

from lacemaker.structures import Frames, read


@pytest.mark.parametrize("constraint", [FixAtoms([0, 2]), FixCartesian(1, [True, True, True])])
@pytest.mark.parametrize("suffix", ["xyz", "traj", "json"])
def test_constrained_atoms_keep_their_forces(tmp_path, constraint, suffix):
    atoms = labelled_copper(0.0, rattle=0.1)
    forces = atoms.calc.results["forces"].copy()
    atoms.set_constraint(constraint)
    assert np.abs(atoms.get_forces()[constraint.get_indices()]).max() == 0  # the trap: ASE's getter
    np.testing.assert_array_equal(read(atoms)[0].forces, forces)
    ase_write(tmp_path / f"a.{suffix}", atoms)
    np.testing.assert_allclose(read(tmp_path / f"a.{suffix}")[0].forces, forces, atol=1e-8)


def test_virial_of_a_three_atom_cell_is_not_taken_for_forces():
    tensor = np.array([[1.0, 0.6, 0.5], [0.6, 2.0, 0.4], [0.5, 0.4, 3.0]])
    forces = np.arange(9.0).reshape(3, 3) - 4
    atoms = Atoms("OH2", [[0, 0, 0], [0.9, 0, 0], [0, 0.9, 0]], cell=[9, 9, 9], pbc=True)
    atoms.info |= {"REF_energy": 1.0, "REF_virial": tensor}
    atoms.arrays["REF_forces"] = forces
    (found,) = read(atoms)
    np.testing.assert_array_equal(found.forces, forces)
    np.testing.assert_array_equal(found.virial, [1, 2, 3, 0.4, 0.5, 0.6])


@pytest.mark.parametrize("n", [1, 3, 6, 9])
def test_ase_round_trip_of_nine_numbers_for_any_number_of_atoms(tmp_path, n):
    rng = np.random.default_rng(n)
    tensor = rng.normal(size=(3, 3))
    tensor += tensor.T
    atoms = Atoms(f"Si{n}", rng.uniform(0, 9, (n, 3)), cell=np.eye(3) * 9, pbc=True)
    forces = rng.normal(size=(n, 3))
    atoms.calc = SinglePointCalculator(
        atoms, energy=1.5, forces=forces, stress=tensor.ravel()[[0, 4, 8, 5, 2, 1]] / 100
    )
    atoms.info["virial"] = -tensor / 100 * 729
    for name in ("a.xyz", "b.xyz"):
        ase_write(tmp_path / name, atoms)
    (found,) = read(tmp_path / "a.xyz")
    np.testing.assert_allclose(found.virial, -tensor.ravel()[[0, 4, 8, 5, 2, 1]] * 7.29, atol=1e-6)
    np.testing.assert_allclose(found.forces, forces, atol=1e-8)


def test_json_of_a_three_by_three_array_is_decoded(tmp_path):
    atoms = labelled_copper(0.01)
    tensor = np.diag([1.0, 2.0, 3.0])
    atoms.info["REF_virial"] = tensor
    atoms.info["REF_energy"] = 1.0
    atoms.arrays["REF_forces"] = np.zeros((4, 3))
    atoms.calc = None
    ase_write(tmp_path / "a.xyz", atoms)
    assert "_JSON" in (tmp_path / "a.xyz").read_text()
    np.testing.assert_array_equal(read(tmp_path / "a.xyz")[0].virial, [1, 2, 3, 0, 0, 0])


def test_one_atom_without_cell_is_read(tmp_path):
    atoms = Atoms("Si")
    atoms.info["energy"] = -0.8
    ase_write(tmp_path / "a.xyz", atoms)
    (found,) = read(tmp_path / "a.xyz", require=["energy"])
    assert found.energy == -0.8
    assert not found.pbc.any()
    assert not found.cell.any()


def test_lattice_vectors_are_rows():
    atoms = labelled_copper(0.0)
    atoms.cell = [[4, 1, 0], [0, 5, 2], [0, 0, 6]]
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((4, 3)))
    np.testing.assert_array_equal(read(atoms)[0].cell, [[4, 1, 0], [0, 5, 2], [0, 0, 6]])


def test_frames_do_not_share_memory_with_their_source():
    atoms = labelled_copper(0.0)
    (found,) = read(atoms)
    before = found.positions.copy()
    atoms.positions += 1.0
    np.testing.assert_array_equal(found.positions, before)


def test_to_atoms_and_back_changes_nothing():
    atoms = labelled_copper(0.02, rattle=0.1)
    atoms.info |= {"config_type": "elastic", "energy_weight": 2.0, "group": "g1", "split": "test"}
    atoms.arrays["force_weights"] = np.array([1.0, 0.0, 0.5, 1.0])
    frames = read(atoms)
    again = read([f.to_atoms() for f in frames])
    assert again.content_hash() == frames.content_hash()
    assert (again[0].group, again[0].split) == ("g1", "test")


def test_reading_frames_gives_the_same_frames():
    frames = read([labelled_copper(0.0), labelled_copper(0.01)])
    again = read([frames, labelled_copper(0.02)])
    assert isinstance(again, Frames)
    assert again[:2].content_hash() == frames.content_hash()
    assert len(again) == 3
