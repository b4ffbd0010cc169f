"""User pain 6: stress or virial, which sign, which unit."""

import json

import numpy as np
import pytest
from structure_files import frame, labelled_copper, xyz

from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.structures import read
from lacemaker.structures.plausibility import label_findings, work_slope

W = np.array([1.0, 2.0, 3.0, 0.4, 0.5, 0.6])  # eV, xx yy zz yz xz xy
FULL = np.array([[1.0, 0.6, 0.5], [0.6, 2.0, 0.4], [0.5, 0.4, 3.0]])
VOLUME = 512.0  # Å^3 of the box in structure_files


def words(values, quote='"') -> str:
    return quote + " ".join(f"{v:.12g}" for v in np.ravel(values)) + quote


@pytest.mark.parametrize("key", ["virial", "virials", "REF_virial", "REF_virials"])
@pytest.mark.parametrize(
    "spelling",
    [words(FULL), words(FULL.T), words(W), '"_JSON ' + json.dumps(FULL.tolist()) + '"'],
    ids=["rows", "columns", "six", "json"],
)
def test_a_virial_is_the_same_however_it_is_spelt(tmp_path, key, spelling):
    # equal tiers, so that nothing is mixed
    tier = "REF_" * key.startswith("REF_")
    path = xyz(tmp_path / "a.xyz", f"{tier}energy=1 {key}={spelling}", forces=f"{tier}forces")
    (found,) = read(path)
    np.testing.assert_allclose(found.virial, W, rtol=1e-12)
    assert found.label_keys["virial"] == key


@pytest.mark.parametrize("spelling", [words(FULL / VOLUME), words(W / VOLUME)], ids=["nine", "six"])
def test_virial_is_minus_volume_times_stress(tmp_path, spelling):
    (found,) = read(xyz(tmp_path / "a.xyz", f"energy=1 stress={spelling}"))
    np.testing.assert_allclose(found.virial, -W, rtol=1e-10)
    assert found.label_keys["virial"] == "stress"


@pytest.mark.parametrize(
    ("unit", "size"), [("GPa", 160.2176634), ("kbar", 1602.176634), ("bar", 1602176.634)]
)
def test_stress_in_another_unit_and_sign_and_order_is_converted(tmp_path, unit, size):
    vasp = -W[[0, 1, 2, 5, 3, 4]] / VOLUME * size  # xx yy zz xy yz xz, positive when compressed
    path = xyz(tmp_path / "a.xyz", f"energy=1 stress={words(vasp)}")
    (found,) = read(path, stress_unit=unit, stress_sign=-1, voigt_order="xx yy zz xy yz xz")
    np.testing.assert_allclose(found.virial, -W, rtol=1e-10)


def test_virial_is_minus_the_strain_derivative_of_the_energy():
    h = 1e-5
    (found,) = read(labelled_copper(0.03, rattle=0.1, seed=3))
    for a, b, component in [(0, 0, 0), (1, 1, 1), (2, 2, 2), (1, 2, 3), (0, 2, 4), (0, 1, 5)]:
        energies = []
        for sign in (1, -1):
            atoms = labelled_copper(0.03, rattle=0.1, seed=3)
            strain = np.zeros((3, 3))
            strain[a, b] += sign * h / 2
            strain[b, a] += sign * h / 2
            from ase.calculators.emt import EMT

            atoms.calc = EMT()
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(atoms.get_potential_energy())
        assert -(energies[0] - energies[1]) / (2 * h) == pytest.approx(found.virial[component], abs=2e-5)


def test_compressed_matter_has_a_positive_virial():
    assert read(labelled_copper(-0.03))[0].virial[:3].sum() > 0
    assert read(labelled_copper(+0.03))[0].virial[:3].sum() < 0


def test_virial_and_stress_that_agree_are_both_accepted(tmp_path):
    (found,) = read(xyz(tmp_path / "a.xyz", f"energy=1 virial={words(FULL)} stress={words(-FULL / VOLUME)}"))
    np.testing.assert_allclose(found.virial, W)
    assert found.label_keys["virial"] == "virial"


@pytest.mark.parametrize(
    ("stress", "hint"),
    [
        (FULL / VOLUME, "they have opposite signs"),
        (-FULL / VOLUME * 160.2176634, "in GPa"),
        (FULL / VOLUME * 1602.176634, "in kbar and has the opposite sign"),
        (-FULL, "not multiplied by the volume"),
        (-FULL / VOLUME * 1.5, r"virial is 0\.6667 times"),
        (-FULL[::-1, ::-1] / VOLUME, "components may be permuted"),
    ],
)
def test_virial_and_stress_that_disagree_are_refused_with_the_likely_cause(tmp_path, stress, hint):
    path = xyz(tmp_path / "bad.xyz", f"energy=1 virial={words(FULL)} stress={words(stress)}")
    with pytest.raises(
        DataError, match=rf"bad\.xyz frame 0 \(line 1\): virial and stress disagree(.|\n)*{hint}"
    ):
        read(path)


def test_plain_stress_is_not_compared_with_a_reference_virial(tmp_path):
    # the plain one may come from another calculation, such as a model's prediction written beside
    path = xyz(
        tmp_path / "a.xyz", f"REF_energy=1 REF_virial={words(FULL)} stress={words(FULL)}", forces="REF_forces"
    )
    np.testing.assert_allclose(read(path)[0].virial, W)


def test_virial_in_some_frames_only_is_normal(tmp_path):
    texts = [xyz(tmp_path / "a.xyz", c).read_text() for c in ("energy=1", f"energy=1 virial={words(FULL)}")]
    (tmp_path / "b.xyz").write_text("".join(texts))
    assert [f.virial is None for f in read(tmp_path / "b.xyz")] == [True, False]


@pytest.mark.parametrize("values", ["1 2 3", "1 2 3 4 5 6 7 8", "1"])
def test_other_shapes_are_never_guessed_at(tmp_path, values):
    with pytest.raises(DataError, match="virial must have 6 or 9 components"):
        read(xyz(tmp_path / "a.xyz", f'energy=1 virial="{values}"'))


def test_tensor_that_is_not_symmetric_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"stress is not symmetric(.|\n)*up to 4"):
        read(xyz(tmp_path / "a.xyz", 'energy=1 stress="1 2 3 4 5 6 7 8 9"'))


def test_small_rounding_asymmetry_is_averaged(tmp_path):
    skewed = FULL + np.array([[0, 1e-4, 0], [0, 0, 0], [0, 0, 0]])
    (found,) = read(xyz(tmp_path / "a.xyz", f"energy=1 virial={words(skewed)}"))
    assert found.virial[5] == pytest.approx(0.60005)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stress_unit": "Mbar"}, "unknown unit of stress"),
        ({"stress_sign": 0}, r"sign of stress is \+1 or -1"),
        ({"voigt_order": "xx yy zz"}, "must name each once"),
    ],
)
def test_impossible_conventions_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        read(labelled_copper(0.0), **options)


def test_stress_of_a_molecule_is_left_out_with_a_warning(tmp_path):
    path = xyz(tmp_path / "a.xyz", f'energy=1 stress={words(FULL)} pbc="F F F"')
    with pytest.warns(LacemakerWarning, match="stresses were left out"):
        (found,) = read(path)
    assert found.virial is None


def test_virial_of_a_molecule_counts_only_if_it_is_that_of_the_forces(tmp_path):
    r, f = np.array([0.0, 0.0, 2.3]), np.array([-0.1, -0.2, -0.3])
    w = 0.5 * (np.outer(r, f) + np.outer(f, r))
    path = xyz(tmp_path / "a.xyz", f'energy=1 virial={words(w)} pbc="F F F"')
    np.testing.assert_allclose(read(path)[0].virial[2], -0.69)
    path = xyz(tmp_path / "b.xyz", f'energy=1 virial={words(FULL)} pbc="F F F"')
    with pytest.warns(LacemakerWarning, match="virials were left out"):
        assert read(path)[0].virial is None


def strained(factor: float = 1.0, *, most: float = 0.03, rattle: float = 0.02, count: int = 8):
    """Strained, slightly rattled copper whose stresses are multiplied by a factor."""
    rng = np.random.default_rng(5)
    images = []
    for i in range(count):
        strain = rng.uniform(-most, most, (3, 3))
        atoms = labelled_copper(0.5 * (strain + strain.T), rattle=rattle, seed=i)
        atoms.calc.results["stress"] = atoms.calc.results["stress"] * factor
        images.append(atoms)
    return images


def test_energies_of_close_structures_differ_by_the_work_of_forces_and_virials():
    frames = read(strained(most=0.003, rattle=0.003))
    slope = work_slope(frames)
    assert slope.decided
    assert slope.slope == pytest.approx(1.0, abs=0.01)
    assert label_findings(frames) == []


def test_flipped_sign_is_noticed():
    with pytest.warns(LacemakerWarning, match=r"wrong sign(.|\n)*stress_sign=-1"):
        read(strained(-1.0))


@pytest.mark.parametrize(
    ("unit", "size"), [("GPa", 160.2176634), ("kbar", 1602.176634), ("bar", 1602176.634)]
)
def test_wrong_unit_is_noticed_and_named_from_energies(unit, size):
    with pytest.warns(LacemakerWarning, match=rf"wrong unit(.|\n)*stresses were in {unit}"):
        read(strained(size))
    read(strained(size), stress_unit=unit)


def test_check_false_is_silent():
    read(strained(-160.0), check=False)


def test_large_stress_is_noticed_where_no_two_structures_are_alike():
    images = [frame(2 + i, virial=W * 160.0 * (2 + i), cell=np.eye(3) * 6, seed=i) for i in range(4)]
    (finding,) = label_findings(images)
    assert "too large to be in the right unit" in finding.what
    assert "in GPa the same number would be usual" in finding.where
    images = [frame(2 + i, virial=W * (2 + i), cell=np.eye(3) * 6, seed=i) for i in range(4)]
    assert label_findings(images) == []


def test_structures_of_equal_energy_and_no_stress_do_not_confuse_the_check():
    frames = [frame(4, energy=0.0, virial=np.zeros(6), cell=np.eye(3) * (9 + 0.1 * i)) for i in range(8)]
    assert label_findings(frames) == []
