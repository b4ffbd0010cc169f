"""User pain 9: extended XYZ in and out, without loss."""

import os

import ase.io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from structure_files import frame

from lacemaker.errors import DataError
from lacemaker.structures import Frame, Frames, read, write

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=True)
WORDS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1).filter(
    lambda s: s.strip() == s
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(1, 4), word=WORDS, pbc=arrays(bool, 3), has_cell=st.booleans())
def test_what_is_written_reads_back_bit_for_bit(tmp_path_factory, data, n, word, pbc, has_cell):
    def draw(*shape):
        return data.draw(arrays(np.float64, shape, elements=NUMBERS))

    maybe = st.booleans()
    wanted = Frame(
        data.draw(arrays(np.int64, n, elements=st.integers(1, 118))),
        np.arange(n)[:, None] * 3.0 + 1e-6 * draw(n, 3),
        np.diag([12.0, 13.0, 14.0]) + 1e-6 * draw(3, 3) if has_cell else np.zeros((3, 3)),
        pbc if has_cell else np.zeros(3, bool),
        energy=float(draw(1)[0]) if data.draw(maybe) else None,
        forces=draw(n, 3) if data.draw(maybe) else None,
        virial=draw(6) if data.draw(maybe) and has_cell and pbc.any() else None,
        config_type=word,
        weights={"energy": 3.5},
        force_weights=np.abs(draw(n)) if data.draw(maybe) else None,
        group=word if data.draw(maybe) else None,
    )
    path = tmp_path_factory.mktemp("round") / "trip.xyz"
    write(path, [wanted])
    (found,) = read(path, require=[], check=False)
    assert found.content_hash() == wanted.content_hash()
    assert (found.config_type, found.group) == (word, wanted.group)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("suffix", ["", ".xz", ".gz", ".bz2"])
def test_ase_reads_what_is_written(tmp_path, n, suffix):
    rng = np.random.default_rng(n)
    wanted = frame(n, forces=rng.normal(size=(n, 3)), virial=rng.normal(size=6), config_type="two words")
    path = tmp_path / f"a.xyz{suffix}"
    write(path, [wanted, wanted])
    atoms = ase.io.read(path, index=1)
    assert atoms.info["REF_energy"] == wanted.energy
    assert atoms.info["config_type"] == "two words"
    np.testing.assert_array_equal(atoms.arrays["REF_forces"], wanted.forces)
    tensor = atoms.info["REF_virial"].reshape(3, 3)
    np.testing.assert_array_equal(tensor, tensor.T)
    np.testing.assert_array_equal(tensor.ravel()[[0, 4, 8, 5, 2, 1]], wanted.virial)
    assert read(path).content_hash() == Frames([wanted, wanted]).content_hash()


def test_predictions_stand_beside_the_labels(tmp_path):
    frames = [frame(2, forces=np.zeros((2, 3))), frame(3, forces=np.ones((3, 3)))]
    predictions = [
        {"energy": -1.5, "forces": np.full((2, 3), 0.25), "virial": np.arange(6.0), "energy_std": 0.1},
        {"energies": np.array([1.0, 2.0, 3.0]), "forces_std": np.full((3, 3), 0.5), "stress": None},
    ]
    write(tmp_path / "a.xyz", frames, predictions)
    first, second = ase.io.read(tmp_path / "a.xyz", ":")
    assert first.info["lace_energy"] == -1.5
    assert first.info["lace_energy_std"] == 0.1
    np.testing.assert_array_equal(first.arrays["lace_forces"], 0.25)
    np.testing.assert_array_equal(first.info["lace_virial"], [0, 5, 4, 5, 1, 3, 4, 3, 2])
    np.testing.assert_array_equal(second.arrays["lace_energies"], [1, 2, 3])
    np.testing.assert_array_equal(second.arrays["lace_forces_std"], 0.5)
    again = read(tmp_path / "a.xyz", energy_key="lace_energy", forces_key="lace_forces")
    assert again[0].energy == -1.5
    assert read(tmp_path / "a.xyz").content_hash() == Frames(frames).content_hash()


def test_predictions_must_match_the_frames(tmp_path):
    with pytest.raises(DataError, match="1 predictions for 2 frames"):
        write(tmp_path / "a.xyz", [frame(2), frame(2)], [{}])


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.xyz"
    write(path, [frame(2)])
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(DataError, match=r"cannot be written(.|\n)*No space left"):
        write(path, [frame(3)])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.xyz"]


def test_impossible_place_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "no" / "folder" / "a.xyz", [frame(2)])
