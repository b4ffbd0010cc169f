"""phonopy's files as force-constant labels: forces, pairs, matrices, other units, clear complaints."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from lacemaker.errors import DataError
from lacemaker.structures import read, read_phonopy

phonopy = pytest.importorskip("phonopy")


def made(plusminus, calculator=None):
    """Copper with EMT forces, displaced by 0.02 Å."""
    from phonopy.structure.atoms import PhonopyAtoms

    cell = bulk("Cu", a=3.6)
    unit = PhonopyAtoms(symbols=["Cu"], cell=cell.cell[:], scaled_positions=[[0, 0, 0]])
    phonon = phonopy.Phonopy(unit, supercell_matrix=2 * np.eye(3, dtype=int), primitive_matrix=np.eye(3),
                             calculator=calculator)  # fmt: skip
    phonon.generate_displacements(distance=0.02, is_plusminus=plusminus)
    forces = []
    for supercell in phonon.supercells_with_displacements:
        atoms = Atoms(supercell.symbols, positions=supercell.positions, cell=supercell.cell, pbc=True)
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    phonon.forces = np.array(forces)
    return phonon


@pytest.mark.parametrize(("plusminus", "steps"), [(True, (0.02, 0.02)), (False, (0.02, 0.0))])
def test_forces_of_displaced_supercells(tmp_path, plusminus, steps):
    phonon = made(plusminus)
    path = tmp_path / "phonopy_params.yaml"
    phonon.save(path, settings={"force_sets": True})
    (frame,) = read(path, require=("force_constants",))
    label = frame.force_constants
    assert frame.config_type == "phonons"
    assert len(label) == 1
    np.testing.assert_allclose(label.steps[0], steps, atol=1e-9)
    expected = (phonon.forces[0] - phonon.forces[1]) / 0.04 if plusminus else phonon.forces[0] / 0.02
    np.testing.assert_allclose(label.values[0], -expected, atol=1e-6)
    first = phonon.dataset["first_atoms"][0]
    np.testing.assert_allclose(label.directions[0], np.array(first["displacement"]) / 0.02, atol=1e-9)


def test_force_sets_and_force_constants_beside_the_yaml(tmp_path):
    from phonopy.file_IO import write_FORCE_CONSTANTS, write_FORCE_SETS

    phonon = made(True)
    path = tmp_path / "phonopy_disp.yaml"
    phonon.save(path, settings={"force_sets": False, "displacements": True})
    with pytest.raises(DataError, match="no force constants for a fit"):
        read_phonopy(path)
    write_FORCE_SETS(phonon.dataset, filename=str(tmp_path / "FORCE_SETS"))
    assert len(read_phonopy(path).force_constants) == 1
    phonon.produce_force_constants()
    write_FORCE_CONSTANTS(phonon.force_constants, filename=str(tmp_path / "fc.dat"))
    label = read_phonopy(path, force_constants=tmp_path / "fc.dat").force_constants
    matrix = phonon.force_constants
    np.testing.assert_allclose(label.values[1, 3], matrix[0, 3, 1], atol=1e-9)
    assert label.atoms[:3].tolist() == [0, 0, 0]


def test_atomic_units_become_electronvolts(tmp_path):
    for calculator, name in ((None, "phonopy_params.yaml"), ("qe", "phonopy_qe.yaml")):
        made(True, calculator).save(tmp_path / name, settings={"force_sets": True})
    ours, theirs = (read_phonopy(tmp_path / name) for name in ("phonopy_params.yaml", "phonopy_qe.yaml"))
    bohr, rydberg_per_bohr = 0.529177210, 25.7110431
    np.testing.assert_allclose(theirs.cell, ours.cell * bohr, rtol=1e-6)
    expected = ours.force_constants.values * rydberg_per_bohr / bohr
    np.testing.assert_allclose(theirs.force_constants.values, expected, rtol=1e-5, atol=1e-6)


def test_displacements_of_all_atoms_are_forces_not_force_constants(tmp_path):
    phonon = made(True)
    phonon.generate_displacements(distance=0.02, number_of_snapshots=2, random_seed=1)
    phonon.forces = np.zeros((2, 8, 3))
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_sets": True})
    with pytest.raises(DataError, match="structures with forces"):
        read_phonopy(tmp_path / "phonopy_params.yaml")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "phonopy.yaml").write_text("phonopy: {\n")
    with pytest.raises(DataError, match="cannot be read by phonopy"):
        read(tmp_path / "phonopy.yaml", require=())
