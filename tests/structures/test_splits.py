"""Splits are deterministic, stratified, disjoint, and never part relatives."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structure_files import frame

from lacemaker.errors import DataError
from lacemaker.structures import Frames, fold_numbers, k_folds, leave_one_group_out, predefined_split, split


def many(counts: dict[str, int], **fields) -> Frames:
    return Frames(
        frame(2, config_type=name, seed=i, source=f"{name}.xyz frame {i} (line {i})", **fields)
        for name, n in counts.items()
        for i in range(n)
    )


def names(frames):
    return [id(f) for f in frames]


@settings(max_examples=50, deadline=None)
@given(
    counts=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=1),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**31),
)
def test_a_split_is_a_partition_of_the_right_size(counts, fraction, seed):
    frames = many(counts)
    expected = round(fraction * len(frames))
    if not 0 < expected < len(frames):
        return
    train, test = split(frames, fraction, seed=seed)
    assert len(test) == expected
    assert Counter(names(train)) + Counter(names(test)) == Counter(names(frames))
    for name, group in test.groups().items():
        assert abs(len(group) - fraction * counts[name]) < 1


def test_the_same_seed_gives_the_same_split_and_another_another():
    frames = many({"a": 40, "b": 40})
    assert names(split(frames, 0.2, seed=3)[1]) == names(split(frames, 0.2, seed=3)[1])
    assert names(split(frames, 0.2, seed=3)[1]) != names(split(frames, 0.2, seed=4)[1])
    assert names(frames.split(0.2, seed=3)[0]) == names(split(frames, 0.2, seed=3)[0])


def test_the_draw_is_the_documented_one_for_ever():
    # written down when splits were first made: another list would change every user's split
    frames = many({"a": 20})
    chosen = {id(f): i for i, f in enumerate(frames)}
    assert [chosen[n] for n in names(split(frames, 0.25, seed=0)[1])] == [0, 5, 8, 12, 18]


def test_a_new_config_type_leaves_the_draw_within_others():
    a = many({"a": 20})
    both = a + many({"b": 20})
    assert names(split(a, 0.25, seed=1)[1]) == [
        n for n in names(split(both, 0.25, seed=1)[1]) if n in names(a)
    ]


def test_relatives_stay_together():
    frames = Frames(frame(2, seed=i, group=f"run {i // 5}") for i in range(50))
    train, test = split(frames, 0.3, seed=0)
    assert not {f.group for f in train} & {f.group for f in test}
    assert len(test) == 15
    folds = fold_numbers(frames, 5)
    assert all(len({folds[i] for i in range(r, r + 5)}) == 1 for r in range(0, 50, 5))


@pytest.mark.parametrize("by", ["config_type", "file"])
def test_whole_groups_or_files_go_to_one_side(by):
    frames = many({"a": 10, "b": 10, "c": 10, "d": 10})
    train, test = split(frames, 0.25, by=by)
    assert len(test.groups()) == 1
    assert not set(train.groups()) & set(test.groups())


def test_isolated_atoms_stay_in_training():
    isolated = Frames([frame(1, config_type="IsolatedAtom")])
    frames = isolated + many({"a": 9})
    for seed in range(5):
        assert isolated[0] in list(split(frames, 0.5, seed=seed)[0])
    assert all(isolated[0] in list(train) for train, _ in k_folds(frames, 3))
    assert [name for name, _, _ in leave_one_group_out(frames)] == ["a"]


def test_every_frame_is_tested_once_over_all_folds():
    frames = many({"a": 11, "b": 7, "c": 1})
    tested = [n for _, test in k_folds(frames, 4, seed=2) for n in names(test)]
    assert Counter(tested) == Counter(names(frames))
    sizes = Counter(fold_numbers(frames, 4, seed=2).tolist())
    assert max(sizes.values()) - min(sizes.values()) <= 2
    assert all(len(train) + len(test) == len(frames) for train, test in k_folds(frames, 4))


def test_leaving_out_each_config_type_in_turn():
    frames = many({"a": 3, "b": 2})
    parts = {name: (len(train), len(test)) for name, train, test in leave_one_group_out(frames)}
    assert parts == {"a": (2, 3), "b": (3, 2)}


def test_split_of_the_data_s_author_is_honoured():
    words = ["train", "test", None, "Testing"]
    frames = Frames(frame(2, seed=i, split=w) for i, w in enumerate(words))
    train, test = predefined_split(frames)
    assert (names(train), names(test)) == (names(frames[::2]), names(frames[1::2]))
    assert predefined_split(many({"a": 3})) is None
    with pytest.raises(DataError, match=r"other than train and test(.|\n)*valid"):
        predefined_split(Frames([frame(2, split="valid")]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fs: split(fs, 1.0), "must be between 0 and 1"),
        (lambda fs: split(fs, 0.01), "leaves one part empty"),
        (lambda fs: split(fs, 0.3, by="config_type"), "leaves one part empty"),
        (lambda fs: split(fs, 0.3, by="colour"), "unknown way to split"),
        (lambda fs: fold_numbers(fs, 1), "cannot make this many folds"),
        (lambda fs: fold_numbers(fs, 11), "k = 11 for 10 independent frames"),
    ],
)
def test_impossible_splits_are_refused(call, message):
    with pytest.raises(DataError, match=message):
        call(many({"a": 10}))
