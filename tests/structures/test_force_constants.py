"""Force constants, site energies and formation energies as labels: reading, writing, clear complaints."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.structures import (
    ForceConstants,
    Frame,
    read,
    with_formation_energies,
    with_total_energies,
    write,
)


def frame(**labels):
    rng = np.random.default_rng(0)
    cell = 4.0 * np.eye(3)
    positions = np.array([[0, 0, 0], [2, 2, 0], [0, 2, 2.1]]) + 0.1 * rng.random((3, 3))
    return Frame([14, 14, 8], positions, cell, [True] * 3, **labels)


@pytest.fixture
def constants():
    rng = np.random.default_rng(1)
    directions = [[1, 0, 0], [0.6, 0.8, 0.0]]
    return ForceConstants([0, 2], directions, [[0.01, 0.01], [0.02, 0.0]], rng.normal(size=(2, 3, 3)))


def test_written_labels_read_back(tmp_path, constants):
    first = frame(force_constants=constants, energies=[-1.0, -2.0, -3.0], energy=-6.0)
    write(tmp_path / "fc.xyz", [first])
    again = read(tmp_path / "fc.xyz", require=("force_constants", "energies"), energies_key="REF_energies")[0]
    for name in ("atoms", "directions", "steps", "values"):
        expected = getattr(first.force_constants, name)
        np.testing.assert_allclose(getattr(again.force_constants, name), expected, rtol=1e-15)
    np.testing.assert_array_equal(again.energies, first.energies)
    assert again.label_keys["force_constants"] == "REF_force_constants"
    assert "force_constants" in str(read(tmp_path / "fc.xyz", require=()).labels)
    with pytest.raises(DataError, match="no frame has forces") as error:
        read(tmp_path / "fc.xyz")
    assert "did you mean" not in str(error.value)


def test_words_for_directions(tmp_path):
    atoms = bulk("Si", cubic=True)
    atoms.arrays["force_constants"] = np.arange(24.0).reshape(8, 3)
    atoms.info.update(displaced_atom=3, direction="y", displacement=0.01)
    ase.io.write(tmp_path / "one.xyz", atoms)
    label = read(tmp_path / "one.xyz", require=())[0].force_constants
    assert label.atoms.tolist() == [3]
    assert label.directions.tolist() == [[0, 1, 0]]
    assert label.steps.tolist() == [[0.01, 0.01]]
    np.testing.assert_array_equal(label.values[0], atoms.arrays["force_constants"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": None}, "without direction"),
        ({"direction": "up"}, "direction must be x, y, z"),
        ({"displaced_atom": [0, 1]}, "which atoms moved"),
        ({"displaced_atom": 8}, "does not exist"),
        ({"displacement": -0.01}, "impossible"),
    ],
)
def test_incomplete_labels_are_explained(change, message):
    atoms = bulk("Si", cubic=True)
    atoms.arrays["REF_force_constants"] = np.zeros((8, 3))
    info = {"displaced_atom": 0, "direction": "x", "displacement": 0.01, **change}
    atoms.info.update({k: v for k, v in info.items() if v is not None})
    with pytest.raises(DataError, match=message):
        read(atoms, require=())


def test_site_energies_of_a_calculator_are_no_labels_unless_named():
    from ase.calculators.emt import EMT

    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    atoms.get_forces()
    atoms.calc.results["energies"] = np.full(4, -0.1)
    assert read(atoms)[0].energies is None
    assert read(atoms, energies_key="energies")[0].energies is not None


def test_a_full_hessian_is_all_its_rows():
    matrix = np.random.default_rng(2).normal(size=(9, 9))
    label = frame(force_constants=matrix).force_constants
    np.testing.assert_array_equal(label.values.reshape(9, 9), matrix)
    assert not label.steps.any()
    blocks = matrix.reshape(3, 3, 3, 3).transpose(0, 2, 1, 3)  # phonopy's order
    np.testing.assert_array_equal(ForceConstants.full(blocks).values.reshape(9, 9), matrix)


def test_differences_of_forces():
    plus, minus = np.full((3, 3), -0.3), np.full((3, 3), 0.1)
    central = ForceConstants.from_forces(0, [2, 0, 0], 0.02, plus, minus)
    np.testing.assert_allclose(central.values, 10.0)
    np.testing.assert_allclose(central.directions, [[1, 0, 0]])
    np.testing.assert_allclose(ForceConstants.from_forces(0, [1, 0, 0], 0.02, plus).values, 15.0)


def cells(n, config_type, energy):
    atoms = bulk("Si", cubic=True)[:n]
    return Frame(
        atoms.numbers, atoms.positions, atoms.cell[:], [True] * 3, energy=energy, config_type=config_type
    )


def test_formation_energies_refer_to_the_lowest_bulk():
    frames = [cells(8, "bulk", -40.0), cells(8, "bulk", -39.0), cells(7, "vacancy", -32.0)]
    found = with_formation_energies(frames, {"vacancy": "bulk"})
    assert found[2].formation_energy == pytest.approx(-32.0 + 7 * 5.0)
    assert found[0].formation_energy is None
    assert found[2].content_hash() != frames[2].content_hash()
    with pytest.raises(DataError, match="did you mean 'bulk'"):
        with_formation_energies(frames, {"vacancy": "bulkk"})
    other = Frame([32], np.zeros((1, 3)), 3 * np.eye(3), [True] * 3, energy=-1.0, config_type="vacancy")
    with pytest.raises(DataError, match="no bulk cell"):
        with_formation_energies([*frames, other], {"vacancy": "bulk"})


def test_total_energies_undo_the_size():
    from lacemaker.structures import row_multipliers

    frames = [cells(8, "bulk", -40.0), cells(7, "vacancy", -32.0)]
    plain, total = with_total_energies(frames, {"vacancy"})
    assert row_multipliers(plain)["energy"] == pytest.approx(8**-0.5)
    assert row_multipliers(total)["energy"] == pytest.approx(1.0)
    assert [row_multipliers(f)["energy"] for f in with_total_energies(frames, {"default"})] == pytest.approx(
        [1.0, 1.0]
    )


def test_a_column_of_that_name_alone_is_left_out_and_told():
    atoms = bulk("Si", cubic=True)
    atoms.arrays["force_constants"] = np.zeros((8, 9))
    with pytest.warns(LacemakerWarning, match="does not say which atoms moved"):
        (found,) = read(atoms, require=())
    assert found.force_constants is None
    assert "force_constants" not in found.label_keys


def test_atoms_without_columns_are_refused():
    atoms = Atoms("Si2", [[0, 0, 0], [0, 0, 2.4]])
    atoms.arrays["REF_force_constants"] = np.zeros((2, 2))
    atoms.info.update(displaced_atom=0, direction="x")
    with pytest.raises(DataError, match="incomplete"):
        read(atoms, require=())
