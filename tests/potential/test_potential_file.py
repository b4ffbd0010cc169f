"""A .lace file gives back the potential bit for bit, or a FileFormatError that says what is wrong."""

import json
import os
import re
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacemaker.errors import FileFormatError
from lacemaker.potential import Potential, file


@pytest.fixture(scope="module")
def saved(rough, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "rough.lace"
    rough.save(path)
    return path


def tampered(data, change_header=None, change_arrays=None):
    """A file with a valid digest whose contents were changed before it was written."""
    contents = file.decode(data, "x")
    arrays = dict(contents.arrays)
    if change_arrays:
        change_arrays(arrays)
    text = file.encode(contents._replace(arrays=arrays))
    return change_header(text) if change_header else text


def with_header(data, **changes):
    """The same arrays under a changed header (the digest then no longer fits)."""
    import safetensors
    from safetensors.numpy import save

    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["lacemaker"]) | changes
    arrays = {
        name: np.frombuffer(view["data"], file._TYPES[view["dtype"]]).reshape(view["shape"])
        for name, view in safetensors.deserialize(data)
    }
    return save(arrays, {"lacemaker": json.dumps(header, sort_keys=True)})


def equal(one, other):
    return one.to_bytes() == other.to_bytes()


def test_load_gives_back_every_array_bit_for_bit(rough, saved):
    loaded = Potential.load(saved)
    for name, array in rough._arrays().items():
        assert array.tobytes() == loaded._arrays()[name].tobytes(), name
        assert array.dtype == loaded._arrays()[name].dtype
    assert loaded.metadata == rough.metadata
    assert loaded.basis_spec == rough.basis_spec


def test_loaded_potential_evaluates_bit_identically(rough, saved, nasty):
    before, after = rough.predict(nasty), Potential.load(saved).predict(nasty)
    assert before.energy == after.energy
    np.testing.assert_array_equal(before.forces, after.forces)
    np.testing.assert_array_equal(before.virial, after.virial)


def test_saving_again_gives_the_same_bytes(saved, tmp_path):
    again = tmp_path / "again.lace"
    Potential.load(saved).save(again)
    assert again.read_bytes() == saved.read_bytes()


def test_non_contiguous_coefficients_are_stored_right(silicon_basis, tmp_path):
    columns = np.random.default_rng(0).normal(size=(silicon_basis.n_functions, 3))
    potential = Potential(silicon_basis, columns[:, 1], np.zeros(1))
    potential.save(tmp_path / "strided.lace")
    np.testing.assert_array_equal(Potential.load(tmp_path / "strided.lace").coefficients, columns[:, 1])


def test_extra_arrays_travel_along(rough, tmp_path):
    grid = np.arange(6.0).reshape(2, 3).T
    rough.with_extras(posterior=grid).save(tmp_path / "extra.lace")
    loaded = Potential.load(tmp_path / "extra.lace")
    np.testing.assert_array_equal(loaded.extras["posterior"], grid)
    assert loaded.program.arrays.keys() == rough.program.arrays.keys()


def test_extra_arrays_of_other_types_are_refused_when_given(rough):
    with pytest.raises(FileFormatError, match=r"(?s)int8.*float64, int64 or int32"):
        rough.with_extras(flags=np.zeros(3, dtype=np.int8))


def test_metadata_is_readable_with_safetensors_alone(saved):
    from safetensors import safe_open

    with safe_open(saved, framework="numpy") as opened:
        assert list(opened.metadata()) == ["lacemaker"]
        assert json.loads(opened.metadata()["lacemaker"])["version"] == 1


# -- bad files --


def refused(data, tmp_path, match):
    path = tmp_path / "bad.lace"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=match) as caught:
        Potential.load(path)
    message = str(caught.value)
    assert "bad.lace" in message
    assert "\n  found: " in message
    assert "\n  to do: " in message


def test_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match=r"none\.lace cannot be read\n  found: No such file"):
        Potential.load(tmp_path / "none.lace")


def test_directory(tmp_path):
    with pytest.raises(FileFormatError, match="Is a directory"):
        Potential.load(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"elements: [Si]\n" * 50, bytes(range(256)), b"\xff" * 64])
def test_other_files(data, tmp_path):
    refused(data, tmp_path, r"is not a \.lace potential")


def test_other_safetensors_files(tmp_path):
    from safetensors.numpy import save

    refused(save({"weight": np.zeros(3)}), tmp_path, r"is not a \.lace potential")
    refused(save({"weight": np.zeros(3)}, {"lacemaker": "[]"}), tmp_path, "header of another kind")


def test_truncation_anywhere(saved, tmp_path):
    data = saved.read_bytes()
    header = 8 + struct.unpack("<Q", data[:8])[0]
    for length in (20, header - 1, header, header + 1, len(data) - 1):
        refused(data[:length], tmp_path, "truncated")


def test_trailing_bytes(saved, tmp_path):
    refused(saved.read_bytes() + b"\0", tmp_path, "damaged")


def test_future_version(saved, tmp_path):
    newer = with_header(saved.read_bytes(), version=2)
    refused(newer, tmp_path, r"(?s)newer lacemaker.*format version 2.*up to 1.*update lacemaker")


@pytest.mark.parametrize("version", [None, "1", 0, 1.5, True])
def test_senseless_version(saved, tmp_path, version):
    refused(with_header(saved.read_bytes(), version=version), tmp_path, "version is")


def test_edited_header(saved, tmp_path):
    refused(with_header(saved.read_bytes(), metadata={"licence": "mine"}), tmp_path, "was edited")
    refused(with_header(saved.read_bytes(), sha256=None), tmp_path, "was edited")


def test_edited_array(saved, tmp_path):
    data = bytearray(saved.read_bytes())
    data[-3] ^= 1
    refused(bytes(data), tmp_path, "was edited")


def test_arrays_that_exchange_their_names(saved, tmp_path):
    data = saved.read_bytes().replace(b'"mb_beta"', b'"mb_gamm_"').replace(b'"mb_gamma"', b'"mb_beta"')
    data = data.replace(b'"mb_gamm_"', b'"mb_gamma"')
    refused(data, tmp_path, "was edited")


def set_entry(name, index, value):
    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return change


IMPOSSIBLE = {
    "NaN coefficient": (set_entry("coefficients", 0, np.nan), r"'coefficients' holds 1 NaN"),
    "infinite weight": (set_entry("term_weight", -1, np.inf), r"'term_weight' holds 1 NaN"),
    "NaN cutoff": (set_entry("mb_transform_params", (0, 0, 2), np.nan), r"'mb_transform_params' holds 1 NaN"),
    "no such element": (set_entry("elements", 0, 119), r"atomic numbers \[119, 14\]"),
    "element twice": (set_entry("elements", 0, 14), r"atomic numbers \[14, 14\] repeat"),
    "negative cutoff": (set_entry("mb_transform_params", (0, 1, 2), -1.0), "impossible radii"),
    "endless cutoff": (set_entry("mb_transform_params", (0, 1, 2), 1e300), "impossible radii"),
    "unknown transform": (set_entry("mb_transform", 0, 9), "not a known transform"),
    "unknown envelope": (set_entry("pair_envelope", 0, -1), "not a known envelope"),
    "negative charge": (set_entry("zbl", (0, 0, 0), -3.0), "impossible charges"),
    "A out of range": (set_entry("term_index", 5, 10**6), "A function that does not exist"),
    "negative A": (set_entry("term_index", 5, -1), "A function that does not exist"),
    "product out of range": (set_entry("term_first", -1, 10**9), "'term_first' does not run"),
    "decreasing products": (set_entry("term_first", 2, 0), "empty product|decreases"),
    "centre out of range": (set_entry("term_centre", 1, -5), "'term_centre' decreases"),
    "A of no species": (set_entry("a_spec", (0, 0), 2), "species that does not exist"),
    "n too large": (set_entry("a_spec", (0, 1), 99), "radial function that does not exist"),
    "m above l": (set_entry("a_spec", (0, 3), 50), "spherical harmonic that does not exist"),
    "column of no species": (set_entry("column_centre", 0, 7), "'column_centre'"),
    "column of no kind": (set_entry("column_kind", 0, 2), "'column_kind'"),
    "n of zero": (set_entry("column_channels", (0, 1), 0), "'column_channels'"),
    "missing": (lambda arrays: arrays.pop("e0"), "'e0' is missing"),
    "unknown": (lambda arrays: arrays.update(surprise=np.zeros(1)), r"does not know: \['surprise'\]"),
    "wrong dtype": (lambda a: a.update(e0=a["e0"].astype(np.int64)), "holds int64 instead of float64"),
    "wrong shape": (lambda a: a.update(e0=np.zeros(3)), r"'e0' has the shape \(3,\) instead of \(2,\)"),
    "wrong rank": (lambda a: a.update(zbl=np.zeros((2, 2))), r"'zbl' has the shape \(2, 2\) instead of"),
    "one coefficient less": (lambda a: a.update(coefficients=a["coefficients"][1:]), "has the shape"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "match"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_contents_behind_a_valid_digest(saved, tmp_path, change, match):
    refused(tampered(saved.read_bytes(), change_arrays=change), tmp_path, match)


def test_single_precision_arrays_are_refused(saved, tmp_path, monkeypatch):
    monkeypatch.setitem(file._CODES, "float32", "F32")
    data = tampered(saved.read_bytes(), change_arrays=lambda a: a.update(e0=a["e0"].astype(np.float32)))
    refused(data, tmp_path, "holds F32 instead of F64")


@pytest.fixture(scope="module")
def tiny():
    import lacemaker as lace

    basis = lace.ACEBasis(["Si"], correlation_order=1, max_degree=2, cutoff=4.0)
    return Potential(basis, np.ones(basis.n_functions), [0.5]).to_bytes()


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_flipped_bytes_never_give_another_potential(tiny, data):
    flips = data.draw(
        st.lists(st.tuples(st.integers(0, len(tiny) - 1), st.integers(1, 255)), min_size=1, max_size=3)
    )
    bad = bytearray(tiny)
    for position, mask in flips:
        bad[position] ^= mask
    try:
        loaded = Potential.from_bytes(bytes(bad))
    except FileFormatError:
        return
    assert loaded.to_bytes() == tiny


def test_every_header_byte_flipped(tiny):
    header = 8 + struct.unpack("<Q", tiny[:8])[0]
    for position in range(header):
        bad = bytearray(tiny)
        bad[position] ^= 1 << (position % 8)
        try:
            loaded = Potential.from_bytes(bytes(bad))
        except FileFormatError:
            continue
        assert loaded.to_bytes() == tiny


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_refused(noise, with_length):
    data = struct.pack("<Q", len(noise)) + noise if with_length else noise
    with pytest.raises(FileFormatError):
        Potential.from_bytes(data)


def test_deeply_nested_header_is_refused():
    text = b'{"__metadata__":' + b"[" * 100_000
    with pytest.raises(FileFormatError):
        Potential.from_bytes(struct.pack("<Q", len(text)) + text)


# -- writing --


def test_full_disk_leaves_the_old_file_and_nothing_else(rough, tiny, tmp_path, monkeypatch):
    path = tmp_path / "model.lace"
    path.write_bytes(tiny)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        FileFormatError, match=r"(?s)cannot be written.*No space left on device.*free some space"
    ):
        rough.save(path)
    assert path.read_bytes() == tiny
    assert os.listdir(tmp_path) == ["model.lace"]


def test_real_size_limit_leaves_the_old_file(saved, tiny, tmp_path):
    path = tmp_path / "model.lace"
    path.write_bytes(tiny)
    code = (
        "import resource, sys; from lacemaker.potential import Potential; p = Potential.load(sys.argv[1]);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); p.save(sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, saved, path], capture_output=True, text=True, check=False
    )
    assert re.search(r"(?s)FileFormatError: .*File too large", done.stderr)
    assert path.read_bytes() == tiny
    assert os.listdir(tmp_path) == ["model.lace"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_missing_folder(rough, tmp_path):
    with pytest.raises(FileFormatError, match="No such file or directory"):
        rough.save(tmp_path / "nowhere" / "model.lace")


def test_saving_through_a_link_keeps_the_link(rough, tmp_path):
    (tmp_path / "link.lace").symlink_to(tmp_path / "real.lace")
    rough.save(tmp_path / "link.lace")
    assert (tmp_path / "link.lace").is_symlink()
    assert equal(Potential.load(tmp_path / "real.lace"), rough)


def test_loading_needs_no_basis(saved, monkeypatch):
    import lacemaker as lace

    monkeypatch.setattr(lace.ACEBasis, "from_spec", None)
    assert Potential.load(saved).cutoff > 0
