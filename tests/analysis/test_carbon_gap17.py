"""Reading C-GAP-17 from files for the body-order experiments: layout, split, dimers and the free atom.

The set itself is not redistributable and its download is not tested; the files here are made up in its
layout.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from lacemaker.errors import DataError

PAPERS = Path(__file__).resolve().parents[2] / "benchmarks" / "papers"
if not PAPERS.is_dir():
    pytest.skip("the experiments are not part of an installed copy", allow_module_level=True)
sys.path.insert(0, str(PAPERS))
from carbon_gap17 import gap17_frames  # noqa: E402

LENGTHS = np.arange(0.8, 3.75, 0.1).round(1)
FREE = -148.3  # eV


def morse(r: float) -> float:
    return 6.3 * ((1 - np.exp(-2.2 * (r - 1.3))) ** 2 - 1)


def as_in_the_set(atoms: Atoms, kind: str, energy: float, split: str | None = "train") -> Atoms:
    forces = np.full((len(atoms), 3), 0.01)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    atoms.info.update(config_type=kind, **({} if split is None else {"split": split}))
    return atoms


def dimers(split: str | None = "train") -> list[Atoms]:
    """In a periodic box, as plane waves want it, and across its border."""
    return [
        as_in_the_set(
            Atoms("C2", positions=[[0, 0, 19.9], [0, 0, (19.9 + r) % 20]], cell=[20] * 3, pbc=True),
            "dimer",
            morse(r) + 2 * FREE,
            split,
        )
        for r in LENGTHS
    ]


def matter(kind: str, n: int, split: str | None, seed: int) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    grid = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * 1.8
    return [
        as_in_the_set(
            Atoms("C8", positions=grid + rng.normal(0, 0.1, (8, 3)), cell=[3.6] * 3, pbc=True),
            kind,
            8 * (FREE - 7),
            split,
        )
        for _ in range(n)
    ]


@pytest.fixture
def place(tmp_path):
    """One file: 30 dimers, a free atom, and three kinds of matter with a split."""
    frames = [*dimers(), as_in_the_set(Atoms("C", cell=[20] * 3, pbc=True), "isolated_atom", FREE)]
    for seed, kind in enumerate(("bulk_amo", "bulk_cryst", "surf_amo")):
        frames += [*matter(kind, 6, "train", seed), *matter(kind, 2, "test", 10 + seed)]
    write(tmp_path / "C-GAP-17.xyz", frames, format="extxyz")
    return tmp_path


def test_matter_trains_and_dimers_are_the_reference(place):
    found = gap17_frames(place, 100, 100)
    kinds = {"bulk_amo", "bulk_cryst", "surf_amo"}
    assert {f.config_type for f in found.train} == {f.config_type for f in found.test} == kinds
    assert (len(found.train), len(found.test)) == (18, 6)
    assert all(len(f.numbers) == 8 and f.energy is not None and f.forces is not None for f in found.train)
    assert found.e0 == pytest.approx(FREE)
    assert "single atom" in str(found)
    np.testing.assert_allclose(found.curve.r, LENGTHS, atol=1e-6)
    np.testing.assert_allclose(found.curve.energy, [morse(r) for r in LENGTHS], atol=1e-6)


def test_fewer_structures_are_drawn_at_random_but_always_the_same(place):
    once, again = gap17_frames(place, 5, 3), gap17_frames(place, 5, 3)
    assert (len(once.train), len(once.test)) == (5, 3)
    for one, other in zip(once.train, again.train, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)


def test_a_file_without_split_and_free_atom(tmp_path):
    """Every tenth structure tests; half the longest dimer is the free atom."""
    write(tmp_path / "all.xyz", [*dimers(None), *matter("bulk_amo", 20, None, 3)], format="extxyz")
    found = gap17_frames(tmp_path / "all.xyz", 100, 100)
    assert (len(found.train), len(found.test)) == (18, 2)
    assert found.e0 == pytest.approx(FREE + 0.5 * morse(3.7))
    assert "half the dimer of 3.70 Å" in found.origin
    assert found.curve.energy[-1] == pytest.approx(0.0, abs=1e-6)


def test_files_named_after_their_split(tmp_path):
    write(tmp_path / "train.xyz", [*dimers(None), *matter("bulk_amo", 4, None, 1)], format="extxyz")
    write(tmp_path / "test.xyz", matter("bulk_amo", 3, None, 2), format="extxyz")
    found = gap17_frames(tmp_path, 100, 100)
    assert (len(found.train), len(found.test)) == (4, 3)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"Found no \.xyz file"):
        gap17_frames(tmp_path, 10, 10)
    write(tmp_path / "other.xyz", matter("bulk_amo", 3, None, 2), format="extxyz")
    with pytest.raises(DataError, match="Found 0 labelled dimers"):
        gap17_frames(tmp_path, 10, 10)
    short = [a for a in dimers(None) if a.get_distance(0, 1, mic=True) < 2]
    write(tmp_path / "other.xyz", [*short, *matter("bulk_amo", 3, None, 2)], format="extxyz")
    with pytest.raises(DataError, match="free carbon atom is not known"):
        gap17_frames(tmp_path, 10, 10)


def test_a_split_without_tests_is_refused(tmp_path):
    write(tmp_path / "train.xyz", [*dimers(), *matter("bulk_amo", 3, "train", 2)], format="extxyz")
    with pytest.raises(DataError, match="3 structures for training and 0 for testing"):
        gap17_frames(tmp_path, 10, 10)


def test_a_missing_downloader_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "load_atoms", None)
    with pytest.raises(DataError, match="pip install load_atoms"):
        gap17_frames(None, 10, 10)
