"""Frames are immutable, travel whole, and know what enters a fit."""

import copy
import pickle

import numpy as np
import pytest
from structure_files import frame, labelled_copper

from lacemaker.errors import DataError
from lacemaker.structures import Frame, Frames, read


def full(**changes) -> Frame:
    rng = np.random.default_rng(0)
    fields = {"forces": rng.normal(size=(2, 3)), "virial": rng.normal(size=6), "weights": {"energy": 2.0},
              "force_weights": [1.0, 0.5], "config_type": "a"}  # fmt: skip
    return frame(2, **(fields | changes))


def test_nothing_can_be_changed():
    f = full()
    with pytest.raises(ValueError, match="read-only"):
        f.positions[0, 0] = 1.0
    with pytest.raises(AttributeError):
        f.energy = 2.0
    with pytest.raises(TypeError):
        f.weights["energy"] = 1.0
    with pytest.raises(TypeError):
        Frames([f])[0] = f


@pytest.mark.parametrize("travel", [lambda f: pickle.loads(pickle.dumps(f)), copy.copy, copy.deepcopy])
def test_a_frame_travels_whole_and_stays_immutable(travel):
    f = full(group="g", split="test", source="a.xyz frame 3")
    g = travel(f)
    assert g.content_hash() == f.content_hash()
    assert (g.group, g.split, g.source) == ("g", "test", "a.xyz frame 3")
    assert not g.forces.flags.writeable


def test_arrays_are_float64_and_contiguous():
    f = frame(2, forces=np.ones((3, 2), dtype=np.float32).T, virial=[1, 2, 3, 4, 5, 6], energy=np.float32(1))
    assert all(
        a.dtype == np.float64 and a.flags.c_contiguous for a in (f.positions, f.cell, f.forces, f.virial)
    )
    assert type(f.energy) is float


@pytest.mark.parametrize(
    "changes",
    [
        {"energy": -1.1}, {"energy": None}, {"forces": None}, {"virial": np.arange(6.0)}, {"virial": None},
        {"config_type": "b"}, {"weights": {"energy": 3.0}}, {"weights": {}}, {"force_weights": None},
        {"pbc": [True, True, False]}, {"cell": np.eye(3) * 6}, {"seed": 1}, {"symbol": "Ge"},
    ],
)  # fmt: skip
def test_content_hash_tells_apart_everything_that_enters_a_fit(changes):
    assert full(**changes).content_hash() != full().content_hash()


@pytest.mark.parametrize(
    "changes", [{"source": "elsewhere"}, {"split": "train"}, {"weights": {"energy": 2, "forces": 1}}]
)
def test_content_hash_ignores_what_does_not(changes):
    assert full(**changes).content_hash() == full().content_hash()
    assert len(full().content_hash()) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forces": np.zeros((3, 3))}, r"forces has the wrong shape(.|\n)*\(3, 3\), where \(2, 3\) belongs"),
        ({"virial": np.zeros((3, 3))}, r"virial has the wrong shape(.|\n)*\(6\) belongs"),
        ({"force_constants": np.zeros((6, 3))}, "force_constants has the wrong shape"),
        ({"force_weights": [1.0]}, "force_weights has the wrong shape"),
        ({"energy": np.nan}, "here: energy holds numbers that are not finite"),
        ({"forces": [[0, 0, 0], [0, np.inf, 0]]}, "not finite(.|\n)*inf at atom 1"),
        ({"cell": np.zeros((3, 3))}, "periodic along a, b, c"),
        ({"cell": [[9, 0, 0], [0, 9, 0], [9, 9, 1e-9]]}, "no volume"),
    ],
)
def test_frames_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        frame(2, source="here", **changes)


def test_left_handed_cells_have_a_positive_volume():
    assert frame(2, cell=np.diag([2.0, 3.0, -4.0])).volume == pytest.approx(24.0)


def test_frames_are_a_sequence_of_their_own_kind():
    frames = Frames(frame(2, seed=i, config_type="ab"[i % 2]) for i in range(5))
    assert isinstance(frames[1:3], Frames)
    assert isinstance(frames + frames[:1], Frames)
    assert len(frames + frames[:1]) == 6
    assert frames[-1] is frames[4]
    assert {name: len(g) for name, g in frames.groups().items()} == {"a": 3, "b": 2}
    assert list(frames.subset([3, 0])) == [frames[3], frames[0]]
    assert list(frames.subset(np.array([True, False, False, False, True]))) == [frames[0], frames[4]]
    assert len(frames.where(lambda f: f.config_type == "b")) == 2
    with pytest.raises(DataError, match="one entry per frame"):
        frames.subset(np.array([True]))
    with pytest.raises(DataError, match="Frame objects only"):
        Frames([1])


def test_elements_are_ordered_by_atomic_number():
    assert Frames([frame(1, symbol="W"), frame(1, symbol="H"), frame(1, symbol="Si")]).elements == (
        "H",
        "Si",
        "W",
    )
    assert Frames().elements == ()


def test_to_atoms_uses_reference_keys_and_no_calculator():
    atoms = full().to_atoms()
    assert atoms.calc is None
    assert atoms.info["REF_energy"] == -1.0
    assert atoms.info["REF_virial"].shape == (9,)
    assert atoms.arrays["REF_forces"].shape == (2, 3)
    assert read(atoms).content_hash() == Frames([full()]).content_hash()


def test_same_structure_has_the_same_structure_hash_whatever_its_labels():
    a, b = read([labelled_copper(0.0), labelled_copper(0.0)])
    moved = Frame(a.numbers, a.positions + 0.5, a.cell, a.pbc)
    assert a.structure_hash() == b.structure_hash() == moved.structure_hash()
    assert a.structure_hash() != read(labelled_copper(0.001))[0].structure_hash()
