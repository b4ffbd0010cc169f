"""User pain 5: labels are read where they are, and nobody has to guess whether they were."""

import re

import numpy as np
import pytest
from structure_files import labelled_copper, xyz

from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.structures import read


@pytest.mark.parametrize(
    ("comment", "forces", "options", "keys"),
    [
        ("energy=-3.5", "forces", {}, ("energy", "forces")),
        ("energy=-3.5", "force", {}, ("energy", "force")),
        ("REF_energy=-3.5", "REF_forces", {}, ("REF_energy", "REF_forces")),
        ("dft_energy=-3.5", "dft_forces", {"prefix": "dft_"}, ("dft_energy", "dft_forces")),
        ("E=-3.5", "F", {"energy_key": "E", "forces_key": "F"}, ("E", "F")),
    ],
)
def test_labels_are_found_under_every_usual_key(tmp_path, comment, forces, options, keys):
    (frame,) = frames = read(xyz(tmp_path / "a.xyz", comment, forces=forces), **options)
    assert frame.energy == -3.5
    np.testing.assert_array_equal(frame.forces, [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    assert (frame.label_keys["energy"], frame.label_keys["forces"]) == keys
    assert keys[0] in str(frames.labels)


def test_reference_keys_come_before_prefix_and_plain_keys(tmp_path):
    comment = "energy=1 dft_energy=2 REF_energy=3"
    path = xyz(tmp_path / "a.xyz", comment, forces=None)
    options = {"require": ["energy"]}
    assert read(path, **options)[0].energy == 3
    assert read(path, prefix="dft_", **options)[0].energy == 3
    path = xyz(tmp_path / "b.xyz", "energy=1 dft_energy=2", forces=None)
    assert read(path, **options)[0].energy == 1
    assert read(path, prefix="dft_", **options)[0].energy == 2


def test_explicit_key_beats_every_other(tmp_path):
    path = xyz(tmp_path / "a.xyz", "energy=1 REF_energy=3 mace_energy=7", forces=None)
    assert read(path, energy_key="mace_energy", require=["energy"])[0].energy == 7


def test_typo_is_an_error_that_names_the_keys_present(tmp_path):
    path = xyz(tmp_path / "a.xyz", "Enregy=-3.5")
    with pytest.raises(DataError, match=r"no frame has energy.*REF_energy, energy") as caught:
        read(path)
    assert "Enregy (1)" in str(caught.value)
    assert "did you mean Enregy" in str(caught.value)
    assert "energy_key='Enregy'" in str(caught.value)


def test_prefixed_labels_suggest_the_prefix(tmp_path):
    path = xyz(tmp_path / "a.xyz", "dft_energy=-3.5", forces="dft_forces")
    with pytest.raises(DataError, match=r"prefix='dft_'"):
        read(path)


def test_no_labels_at_all_says_so(tmp_path):
    with pytest.raises(DataError, match=r"no frame has energy(.|\n)*leave it out of require"):
        read(xyz(tmp_path / "a.xyz", "", forces=None))


def test_absent_explicit_key_is_an_error_although_others_exist(tmp_path):
    with pytest.raises(DataError, match=r"looked for REF_enrgy(.|\n)*did you mean REF_energy"):
        read(xyz(tmp_path / "a.xyz", "REF_energy=1"), energy_key="REF_enrgy")


def test_requested_virial_that_nobody_has_is_an_error(tmp_path):
    path = xyz(tmp_path / "a.xyz", 'energy=1 dft_stress="1 2 3 0 0 0"')
    with pytest.raises(DataError, match=r"no frame has a virial or stress(.|\n)*stress_key='dft_stress'"):
        read(path, require=("energy", "virial"))


def test_unknown_quantity_in_require():
    with pytest.raises(DataError, match="unknown quantity in require"):
        read(labelled_copper(0.0), require=["enrgy"])


def test_frame_without_some_labels_is_normal(tmp_path):
    a = xyz(tmp_path / "a.xyz", "energy=1")
    b = xyz(tmp_path / "b.xyz", "config_type=md", forces=None)
    path = tmp_path / "both.xyz"
    path.write_text(a.read_text() + b.read_text())
    frames = read(path)
    assert [f.energy for f in frames] == [1.0, None]
    table = frames.labels.to_dict()
    assert table["quantities"]["energy"] == {"keys": {"energy": 1}, "frames_with": 1, "frames_without": 1}
    assert table["groups"]["md"]["frames_with"]["energy"] == 0


def test_each_file_has_its_own_keys(tmp_path):
    a = xyz(tmp_path / "a.xyz", "energy=1")
    b = xyz(tmp_path / "b.xyz", "REF_energy=2", forces="REF_forces")
    frames = read([a, b])
    assert [f.energy for f in frames] == [1, 2]
    assert frames.labels.quantities["forces"].keys == {"forces": 1, "REF_forces": 1}
    assert re.search(r"energy +energy \(1\), REF_energy \(1\) +2 +0", str(frames.labels))


def test_labels_of_different_kinds_in_one_file_are_warned_of(tmp_path):
    path = xyz(tmp_path / "a.xyz", "REF_energy=1", forces="forces")
    with pytest.warns(LacemakerWarning, match="energy from REF_energy, forces from forces"):
        frames = read(path)
    assert frames[0].forces is not None


def test_key_of_a_minority_is_warned_of(tmp_path):
    texts = [
        xyz(tmp_path / "a.xyz", c).read_text() for c in ("REF_energy=1 energy=1", "energy=2", "energy=3")
    ]
    (tmp_path / "all.xyz").write_text("".join(texts))
    with pytest.warns(LacemakerWarning) as caught:
        read(tmp_path / "all.xyz")
    messages = [str(w.message) for w in caught]
    assert any("REF_energy in 1 of 3 frames" in m and "energy in 3" in m for m in messages)


def test_whole_numbers_become_floats(tmp_path):
    path = xyz(tmp_path / "a.xyz", "energy=5", rows="Si 0 0 0 1 2 3\nSi 0 0 2 -1 -2 -3\n")
    (frame,) = read(path)
    assert isinstance(frame.energy, float)
    assert frame.forces.dtype == np.float64


@pytest.mark.parametrize("word", ["T", "300", "0.10", "1e5", "0.20-0.00", '"two words"', "IsolatedAtom"])
def test_config_type_is_the_text_in_the_file(tmp_path, word):
    (frame,) = read(xyz(tmp_path / "a.xyz", f"energy=1 config_type={word}"))
    assert frame.config_type == word.strip('"')


def test_stale_calculator_results_are_left_out():
    atoms = labelled_copper(0.0)
    atoms.positions[0] += 0.3
    with (
        pytest.warns(LacemakerWarning, match="belong to other positions"),
        pytest.raises(DataError, match="no frame has energy"),
    ):
        read(atoms)


def test_live_calculator_is_never_asked_to_compute():
    from ase.build import bulk
    from ase.calculators.emt import EMT

    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    with pytest.raises(DataError, match="no frame has energy"):
        read(atoms)
    atoms.get_potential_energy()
    assert read(atoms)[0].energy == atoms.calc.results["energy"]
