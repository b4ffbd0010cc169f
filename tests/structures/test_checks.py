"""`check_frames` says what is odd, where, and what to do."""

import json

import numpy as np
import pytest
from structure_files import frame, labelled_copper

from lacemaker.structures import Frames, check_frames, read


def good(n: int = 6) -> list:
    images = []
    for i in range(n):
        atoms = labelled_copper(0.01 * (i - 2), rattle=0.03, seed=i)
        atoms.info["config_type"] = "md"
        images.append(atoms)
    return images


def isolated(energy: float = 3.5):
    return frame(
        1, symbol="Cu", energy=energy, config_type="IsolatedAtom", pbc=[False] * 3, cell=np.zeros((3, 3))
    )


def of(report, word: str):
    (finding,) = [f for f in report.findings if word in f.what]
    return finding


def test_sound_data_raise_no_finding():
    report = check_frames(read([*good(), isolated()]))
    assert report.findings == ()
    assert report.ok
    assert "nothing odd was found" in str(report)


def test_report_holds_the_ranges_and_distances():
    frames = read(good())
    report = check_frames(frames)
    group = report.groups["md"]
    assert report.n_frames == 6
    assert report.n_atoms == 24
    assert group.energy_per_atom == pytest.approx(
        (min(f.energy for f in frames) / 4, max(f.energy for f in frames) / 4)
    )
    pressures = [f.virial[:3].sum() / 3 / f.volume * 160.2176634 for f in frames]
    assert group.pressure == pytest.approx((min(pressures), max(pressures)))
    closest = min(a.get_all_distances(mic=True)[np.triu_indices(4, 1)].min() for a in good())
    assert report.distances["Cu-Cu"][0] == pytest.approx(closest)
    assert json.loads(json.dumps(report.to_dict()))["groups"]["md"]["pressure_GPa"] == pytest.approx(
        group.pressure
    )
    assert "Cu-Cu" in str(report)


def test_label_findings_reach_the_report():
    images = good(8)
    for atoms in images:
        atoms.calc.results["stress"] = -atoms.calc.results["stress"]
    report = check_frames(read(images, check=False))
    assert of(report, "wrong sign").severity == "warning"
    assert not report.ok


def test_forces_erased_by_constraints_are_noticed():
    images = good()
    images[2].calc.results["forces"][1] = 0.0
    finding = of(check_frames(read(images)), "exactly zero forces on some atoms")
    assert "atoms 2" in finding.where
    assert "force_weights" in finding.do


def test_net_forces_and_huge_forces_are_noticed():
    images = good()
    images[1].calc.results["forces"] += 0.3  # 4 · 0.3 · √3 = 2.08
    images[3].calc.results["forces"][:2] += [[60, 0, 0], [-60, 0, 0]]
    report = check_frames(read(images))
    assert "2.08 eV/Å for 4 atoms" in of(report, "do not sum to zero").where
    assert of(report, "above 50 eV/Å").where.startswith("atoms 3 (")


def test_energy_outliers_are_named():
    images = good(8)
    images[5].calc.results["energy"] += 40.0
    finding = of(check_frames(read(images, check=False)), "energies far from the others'")
    assert "atoms 5 (+10" in finding.where


def test_all_electron_reference_is_an_error_in_the_report():
    report = check_frames(read([*good(), isolated(-45000.0)]))
    assert report.findings[0].severity == "error"
    assert "all-electron" in report.findings[0].do


def test_missing_isolated_atom_and_labels_are_notes():
    frames = Frames([frame(2, seed=1), frame(3, energy=None, seed=2)])
    report = check_frames(frames)
    assert "no isolated-atom frame of Si" in of(report, "no isolated-atom").what
    assert of(report, "1 frames have no energy").severity == "note"
    assert of(report, "no frame has forces").severity == "warning"
    assert of(report, "no frame has a config_type")


def test_duplicates_within_and_between_sets_are_found():
    frames = read(good())
    report = check_frames(frames + frames[:2])
    assert "2 structures occur twice" in of(report, "occur twice").what
    other = read(good()[:1])[0].to_atoms()
    other.info["REF_energy"] += 1.0
    assert of(check_frames(frames + read(other)), "different energies").severity == "warning"
    shared = of(check_frames(frames, read(good()[4:])), "test structures are in the training data")
    assert "2 test structures" in shared.what
    assert not [f for f in check_frames(frames[:3], frames[3:]).findings if "test" in f.what]
