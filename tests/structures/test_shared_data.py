"""Public DFT data read as their README files say; skipped where the data are absent."""

import time

import numpy as np
import pytest

from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.structures import check_frames, read, reference_energies
from lacemaker.structures.plausibility import label_findings, work_slope


@pytest.fixture(scope="module")
def silicon(shared_data):
    return read(shared_data / "zuo2020" / "Si" / "train.xyz.xz")


def test_zuo_silicon_has_the_published_counts(shared_data, silicon):
    test = read(shared_data / "zuo2020/Si/test.xyz.xz")
    assert (len(silicon), silicon.n_atoms) == (214, 13233)
    assert (len(test), test.n_atoms) == (25, 1525)
    assert silicon.labels.quantities["virial"].n_with == 202
    assert {k: g.n_frames for k, g in silicon.labels.groups.items()} == {
        "AIMD-NVT": 90, "Elastic": 55, "Vacancy": 57, "Surface": 12}  # fmt: skip
    energies = [f.energy / len(f) for f in silicon]
    assert (min(energies), max(energies)) == pytest.approx((-5.425, -4.567), abs=1e-3)


def test_zuo_virials_are_positive_when_compressed_and_are_the_work_of_strains(silicon):
    elastic = silicon.groups()["Elastic"]
    volume = np.array([f.volume for f in elastic])
    trace = np.array([f.virial[:3].sum() for f in elastic])
    rest = np.median(volume)
    assert np.all(trace[volume < 0.98 * rest] > 0)
    assert np.all(trace[volume > 1.02 * rest] < 0)
    assert (volume < 0.98 * rest).sum() >= 2
    slope = work_slope(silicon)
    assert slope.decided
    assert slope.slope == pytest.approx(1.0, abs=0.03)  # README: 0.997-0.998


def test_zuo_virials_in_kbar_or_flipped_would_be_noticed(silicon):
    from dataclasses import replace

    def scaled(factor):
        return [replace(f, virial=None if f.virial is None else f.virial * factor) for f in silicon]

    (unit,) = label_findings(scaled(1602.0))
    assert "kbar" in unit.where
    (sign,) = label_findings(scaled(-1.0))
    assert "wrong sign" in sign.what


def test_reading_zuo_silicon_takes_well_under_a_second(shared_data, silicon):
    started = time.process_time()
    read(shared_data / "zuo2020" / "Si" / "train.xyz.xz")
    assert time.process_time() - started < 2.0  # 0.2 s measured; a wide margin for slow machines


def test_zuo_train_and_test_share_no_structure(shared_data, silicon):
    report = check_frames(silicon, read(shared_data / "zuo2020/Si/test.xyz.xz"))
    assert report.ok
    assert report.distances["Si-Si"][0] == pytest.approx(1.829, abs=1e-3)


def test_tiny_gap_silicon_has_an_isolated_atom(shared_data):
    frames = read(shared_data / "si_gap18_tiny" / "train.xyz")
    found = reference_energies(frames, frames.elements)
    assert found.method == "isolated_atoms"
    assert -5.0 < found.residual_per_atom < -4.0  # cohesive energies of silicon phases


def test_molecules_and_their_atoms_are_read_together(shared_data):
    folder = shared_data / "3bpa"
    frames = read([folder / "train_300K.xyz.xz", folder / "isolated_atoms.xyz"])
    assert frames.elements == ("H", "C", "N", "O")
    assert len(frames) == 504
    assert not any(f.pbc.any() for f in frames)
    assert reference_energies(frames, frames.elements).residual_per_atom == pytest.approx(-4.87, abs=0.01)
    assert check_frames(frames).ok


def test_alloys_of_four_elements_are_read(shared_data):
    frames = read(shared_data / "monbtaw_snap2020" / "test.xyz.xz")
    assert frames.elements == ("Nb", "Mo", "Ta", "W")
    assert len(frames) == 360
    with pytest.warns(LacemakerWarning, match="estimated by least_squares"):
        found = reference_energies(frames, frames.elements)
    assert found.values["W"] < found.values["Ta"] < found.values["Mo"] < found.values["Nb"] < -9


def test_energies_alone_are_refused_unless_asked_for(shared_data):
    path = shared_data / "qm7" / "test.xyz.xz"
    with pytest.raises(DataError, match=r"no frame has forces(.|\n)*dftb3_energy \(710\)"):
        read(path)
    assert len(read(path, require=["energy"])) == 710
