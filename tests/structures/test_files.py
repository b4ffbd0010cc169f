"""Bad and unusual files: a clear error with file, frame and line, or a documented behaviour."""

import gzip
import lzma

import numpy as np
import pytest
from ase.io import write as ase_write
from structure_files import DIMER, LATTICE, labelled_copper, xyz

from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.structures import read


def three(tmp_path, name="a.xyz"):
    texts = [xyz(tmp_path / "one.xyz", f"energy={e}").read_text() for e in (1, 2, 3)]
    path = tmp_path / name
    path.write_text("".join(texts))
    return path


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_compressed_text_reads_like_plain_text(tmp_path, suffix, pack):
    plain = three(tmp_path)
    packed = tmp_path / f"b.xyz{suffix}"
    packed.write_bytes(pack(plain.read_bytes()))
    assert read(packed).content_hash() == read(plain).content_hash()


def test_lists_patterns_and_objects_are_read_in_order(tmp_path):
    for i, name in enumerate(["b1.xyz", "b2.xyz", "a.xyz"]):
        xyz(tmp_path / name, f"energy={i}")
    frames = read([str(tmp_path / "b*.xyz"), tmp_path / "a.xyz", [labelled_copper(0.0)]])
    assert [f.energy for f in frames[:3]] == [0, 1, 2]
    assert frames.elements == ("Si", "Cu")
    assert frames[1].source.startswith(str(tmp_path / "b2.xyz"))


def test_other_formats_are_read_through_ase(tmp_path):
    ase_write(tmp_path / "a.traj", [labelled_copper(0.0), labelled_copper(0.01)])
    frames = read(tmp_path / "a.traj")
    assert len(frames) == 2
    assert frames[1].source.endswith("a.traj frame 1")


@pytest.mark.parametrize(
    ("index", "energies"), [(":", [1, 2, 3]), ("::2", [1, 3]), (-1, [3]), (1, [2]), (slice(1, None), [2, 3])]
)
def test_index_selects_frames_and_keeps_their_numbers(tmp_path, index, energies):
    frames = read(three(tmp_path), index=index)
    assert [f.energy for f in frames] == energies
    assert all(
        f"frame {int(e) - 1} (line {4 * int(e) - 3})" in f.source
        for f, e in zip(frames, energies, strict=True)
    )


def test_blank_lines_between_frames_end_nothing(tmp_path):
    path = three(tmp_path)
    text = path.read_text().replace("2\nLattice", "\n\n2\nLattice") + "\n  \n"
    path.write_text(text.replace("\n", "\r\n"))
    frames = read(path)
    assert [f.energy for f in frames] == [1, 2, 3]
    assert "line 9" in frames[1].source


def bad(tmp_path, text):
    path = tmp_path / "bad.xyz"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


HEAD = f"2\n{LATTICE} Properties=species:S:1:pos:R:3:forces:R:3 energy=1\n"
CELL = "8 0 0 0 8 0 0 0 8"


def head(old: str, new: str) -> str:
    assert old in HEAD
    return HEAD.replace(old, new) + DIMER


def rows(old: str, new: str) -> str:
    assert old in DIMER
    return HEAD + DIMER.replace(old, new)


BAD = [
    ("", r"bad\.xyz is empty"),
    ("\n \n", r"bad\.xyz holds no frames"),
    (bytes(range(256)), r"bad\.xyz is not text(.|\n)*not UTF-8"),
    (b"2\nxx\x00\x00\n", r"bad\.xyz is not text(.|\n)*zero bytes"),
    ("hello\nworld\n", r"line 1: frame 0 does not begin with a number of atoms"),
    (HEAD + DIMER + "7x\n", r"line 5: frame 1 does not begin with a number of atoms"),
    (HEAD + DIMER + DIMER, r"line 5: frame 1 does not begin with a number(.|\n)*frame before is wrong"),
    (HEAD + DIMER + HEAD + DIMER[:20] + "\n", r"frame 1 \(line 5\) is cut short(.|\n)*1 of the 2 atoms"),
    (HEAD + DIMER + "2\n", r"frame 1 \(line 5\) is cut short"),
    ("-1\n\n", r"does not begin with a number of atoms"),
    (HEAD + "Si 0 0 0 0 0 0\nSi 0 0 2 0\n", r"frame 0 \(line 1\) cannot be(.|\n)*line 4 has 5 columns"),
    ("0\n\n" + HEAD + DIMER, r"frame 0 \(line 1\): the structure has no atoms"),
    (rows("2.3", "***"), r"frame 0 \(line 1\) cannot be read"),
    (rows("Si", "Qq"), r"frame 0 \(line 1\) cannot be read(.|\n)*Qq"),
    (rows("Si", "X"), r"not a chemical element(.|\n)*dummy atom"),
    (rows("-0.2", "inf"), r"forces holds numbers that are not finite(.|\n)*inf at atom 1"),
    (rows("2.3", "nan"), r"positions holds numbers that are not finite"),
    (rows("2.3", "0.05"), r"on top of each other(.|\n)*atoms 0 \(Si\) and 1 \(Si\) are 0.05 Å apart"),
    (rows("2.3", "7.99"), r"on top of each other(.|\n)*0.01 Å"),
    (head("energy=1", "energy=nan"), r"frame 0 \(line 1\): energy holds numbers that are not finite"),
    (head("energy=1", "energy=high"), r"energy is not a number(.|\n)*'high'"),
    (head("energy=1", "energy=T"), r"energy is not a number"),
    (head("energy=1", 'energy="1 2"'), r"energy must be one number"),
    (head("forces:R:3", "forces:R:1:f:R:2"), r"forces has the wrong shape(.|\n)*forces:R:3"),
    (head(CELL, "8 0 0 8 0 0 0 0 8"), r"the cell has no volume"),
    (head(CELL, "8 0 0 0 8 0 0 0 0"), r"periodic along c, but that cell vector is zero"),
    (head(CELL, "8 0 0 0 8"), r"frame 0 \(line 1\) cannot be read"),
    (head("energy=1", "energy=1 energy_sigma=0"), r"energy_sigma must be a positive number"),
    (head("energy=1", "energy=1 config_weight=-1"), r"config_weight must be a non-negative"),
    (head("energy=1", "energy=1 config_weight=much"), r"non-negative number(.|\n)*'much'"),
    (head("forces:R:3", "f:R:2:force_weights:R:1"), r"one non-negative number per atom"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_text_is_a_clear_error(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(bad(tmp_path, text), require=["energy"])


def test_atoms_close_to_each_other_are_warned_of(tmp_path):
    with pytest.warns(LacemakerWarning, match=r"closer than 0.3 Å(.|\n)*atoms 0 \(Si\) and 1 \(Si\)"):
        read(bad(tmp_path, HEAD + DIMER.replace("2.3", "0.25")))


def test_atom_on_its_own_image_is_noticed(tmp_path):
    text = HEAD.replace("8 0 0 0 8", "0.05 0 0 0 8").replace("2\n", "1\n", 1) + DIMER.splitlines()[0] + "\n"
    with pytest.raises(DataError, match=r"atom 0 \(Si\) and its own periodic image are 0.05 Å apart"):
        read(bad(tmp_path, text))


def test_close_atoms_are_found_in_large_structures_too():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(7)] * 3), -1).reshape(-1, 3) * 2.5 + rng.uniform(
        -0.2, 0.2, (343, 3)
    )
    from ase import Atoms

    atoms = Atoms("Si343", grid, cell=np.eye(3) * 17.5, pbc=True)
    atoms.info["energy"] = 1.0
    read(atoms, require=["energy"])
    atoms.positions[300] = atoms.positions[2] + [0.01, 17.5, 0.0]
    with pytest.raises(DataError, match=r"atoms 2 \(Si\) and 300 \(Si\) are 0.01 Å apart"):
        read(atoms, require=["energy"])


def test_missing_file_names_similar_ones(tmp_path):
    three(tmp_path, "train.xyz")
    with pytest.raises(DataError, match=r"no file matches(.|\n)*did you mean train.xyz"):
        read(tmp_path / "trian.xyz")
    with pytest.raises(DataError, match="no folder"):
        read(tmp_path / "nowhere" / "*.xyz")
    with pytest.raises(DataError, match=r"is a folder(.|\n)*\*\.xyz"):
        read(tmp_path)


def test_damaged_archive_is_a_clear_error(tmp_path):
    packed = lzma.compress(three(tmp_path).read_bytes() * 50)
    (tmp_path / "b.xyz.xz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="cannot be opened or decompressed"):
        read(tmp_path / "b.xyz.xz")
    (tmp_path / "b.xyz.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="cannot be opened or decompressed"):
        read(tmp_path / "b.xyz.gz")


def test_unknown_or_wrong_format_is_a_clear_error(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"\x00\x01\x02 nothing ASE knows")
    with pytest.raises(DataError, match=r"cannot tell the format(.|\n)*format='extxyz'"):
        read(path)
    with pytest.raises(DataError, match="cannot be read as json"):
        read(path, format="json")


def test_sources_that_hold_nothing_are_refused(tmp_path):
    with pytest.raises(DataError, match="there are no structures"):
        read([])
    with pytest.raises(DataError, match="cannot read structures from this"):
        read(3.0)
    with pytest.raises(DataError, match="not a range of frames"):
        read(three(tmp_path), index="all")
    with pytest.raises(DataError, match="holds no frames in the range"):
        read(three(tmp_path), index="5:")


def test_many_odd_frames_make_one_warning(tmp_path):
    text = (HEAD + DIMER.replace("2.3", "0.25")) * 20
    with pytest.warns(LacemakerWarning) as caught:
        read(bad(tmp_path, text))
    assert len(caught) == 1
    assert "and 17 more" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_mask_of_unclear_meaning_is_warned_of():
    atoms = labelled_copper(0.0)
    atoms.arrays["force_mask"] = np.array([True, False, True, True])
    with pytest.warns(LacemakerWarning, match="masks of forces are not used"):
        assert read(atoms)[0].force_weights is None
