"""User pain 24: every pair within the cutoff, in every cell, and no other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from structure_files import brute_force_pairs

from lacemaker.errors import DataError
from lacemaker.structures import neighbour_list

TINY = [0.0, 5e-324, 1e-300, -1e-52, 1e-16]
COORDINATES = st.one_of(st.floats(-9, 9), st.sampled_from(TINY), st.integers(-4, 4).map(float))


def pairs_of(x, cell, pbc, cutoff):
    """Pairs by (i, j, shift) with their distances, checking the layout on the way."""
    found = neighbour_list(x, cell, pbc, cutoff)
    assert (found.first.dtype, found.index.dtype, found.shift.dtype) == (np.int64, np.int32, np.int32)
    assert found.first[0] == 0
    assert found.first[-1] == found.n_pairs == len(found.shift)
    assert found.shift.flags.c_contiguous
    distances = found.distances(x, cell)
    keys = zip(found.centre.tolist(), found.index.tolist(), *found.shift.T.tolist(), strict=True)
    pairs = dict(zip(keys, distances, strict=True))
    assert len(pairs) == found.n_pairs  # no pair twice
    return pairs


def assert_same(x, cell, pbc, cutoff):
    x, cell, pbc = np.asarray(x, float), np.asarray(cell, float), np.asarray(pbc, bool)
    found, expected = pairs_of(x, cell, pbc, cutoff), brute_force_pairs(x, cell, pbc, cutoff)
    for key in found.keys() ^ expected.keys():  # a pair at the cutoff itself may fall either way
        distance = found.get(key, expected.get(key))
        assert distance == pytest.approx(cutoff, abs=1e-9)
    for key in found.keys() & expected.keys():
        assert found[key] == pytest.approx(expected[key], abs=1e-9)
    return found


@settings(max_examples=150, deadline=None)
@given(
    x=arrays(np.float64, st.tuples(st.integers(1, 5), st.just(3)), elements=COORDINATES),
    cell=arrays(np.float64, (3, 3), elements=st.floats(-4, 4)),
    pbc=arrays(bool, 3),
    cutoff=st.floats(0.3, 4),
    empty=st.booleans(),
)
def test_any_cell_gives_what_brute_force_gives(x, cell, pbc, cutoff, empty):
    cell = cell + 5 * np.diag([1, -1, 1])  # left-handed as often as not, skewed, never flat
    if abs(np.linalg.det(cell)) < 20:
        return
    if empty:
        cell = cell * pbc[:, None]
    assert_same(x, cell, pbc, cutoff)


NASTY = {
    "smaller than the cutoff": (np.eye(3) * 1.7, [1, 1, 1]),
    "skewed": ([[3, 0, 0], [2.8, 1.5, 0], [-4, 2.9, 3]], [1, 1, 1]),
    "left-handed": ([[0, 3, 0], [3, 0, 0], [0, 0, 3]], [1, 1, 1]),
    "slab": ([[3, 0, 0], [1, 3, 0], [0, 0, 0]], [1, 1, 0]),
    "tilted slab": ([[3, 0, 0], [1, 3, 0], [2, 2, 9]], [1, 1, 0]),
    "tilted slab, other axis": ([[3, 1, 0.5], [1, 7, 2], [0.3, 1, 4]], [1, 0, 1]),
    "wire": ([[0, 0, 0], [0, 0, 0], [1, 1, 2]], [0, 0, 1]),
    "no cell": (np.zeros((3, 3)), [0, 0, 0]),
    "a cell that means nothing": (np.eye(3) * 1.5, [0, 0, 0]),
}


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_nasty_cells(name, n):
    cell, pbc = NASTY[name]
    x = np.random.default_rng(n).uniform(-4, 6, (n, 3))  # inside and outside
    assert_same(x, cell, pbc, 3.9)


def test_cell_is_irrelevant_without_periodicity():
    x = np.random.default_rng(0).uniform(0, 6, (20, 3))
    alone = pairs_of(x, np.zeros((3, 3)), [0, 0, 0], 3.0)
    for cell in (np.eye(3), np.eye(3) * 100, np.random.default_rng(1).normal(size=(3, 3))):
        assert pairs_of(x, cell, [0, 0, 0], 3.0) == alone


def test_open_axis_has_no_images_whatever_its_vector():
    x = np.random.default_rng(0).uniform(0, 4, (8, 3))
    cell = np.diag([4.0, 4.0, 0.0])
    alone = pairs_of(x, cell, [1, 1, 0], 3.0)
    for third in ([0, 0, 4], [1, 1, 1], [4, 0, 0], [0, 0, -50]):
        cell[2] = third
        assert pairs_of(x, cell, [1, 1, 0], 3.0) == alone


def test_wrapping_an_atom_moves_its_shifts_only():
    rng = np.random.default_rng(2)
    x, cell = rng.uniform(0, 5, (6, 3)), np.array([[5, 0, 0], [1, 5, 0], [0, 2, 5.0]])
    moved = x.copy()
    jump = np.array([[0, 0, 0], [1, 0, 0], [0, -3, 2], [100, 0, 0], [0, 0, 0], [-1, -1, -1]])
    moved += jump @ cell
    before = pairs_of(x, cell, [1, 1, 1], 4.0)
    after = pairs_of(moved, cell, [1, 1, 1], 4.0)
    back = {(i, j, *(np.array(s) + jump[j] - jump[i]).tolist()): d for (i, j, *s), d in after.items()}
    assert back.keys() == before.keys()


def test_every_pair_has_its_mirror_image():
    rng = np.random.default_rng(3)
    pairs = pairs_of(rng.uniform(0, 4, (10, 3)), np.eye(3) * 4, [1, 1, 1], 3.3)
    assert {(j, i, -a, -b, -c) for i, j, a, b, c in pairs} == pairs.keys()


@pytest.mark.parametrize("repeat", [1, 3, 6])
def test_perfect_lattices_have_equal_neighbourhoods(repeat):
    from ase.build import bulk

    atoms = bulk("Si", "diamond", a=5.43, cubic=True) * repeat
    found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, 5.0)
    np.testing.assert_array_equal(np.diff(found.first), 28)  # shells of 4, 12, 12


@pytest.mark.parametrize("shift", [1e-52, 5e-324, 1e-15])
def test_displacements_too_small_to_matter_do_not(shift):
    x = np.array([[0.0, 0.0, 0.0], [shift, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert_same(x, np.eye(3) * 4, [1, 1, 1], 2.0)


def test_far_apart_clusters_are_no_trouble():
    x = np.array([[0.0, 0, 0], [1.0, 0, 0], [9e6, 9e6, -9e6], [9e6, 9e6, -9e6 + 1.5]])
    found = pairs_of(x, np.zeros((3, 3)), [0, 0, 0], 5.0)
    assert {key[:2] for key in found} == {(0, 1), (1, 0), (2, 3), (3, 2)}


def test_no_atoms_have_no_neighbours():
    found = neighbour_list(np.zeros((0, 3)), np.eye(3), True, 2.0)
    assert found.n_pairs == 0
    assert found.first.tolist() == [0]


@pytest.mark.parametrize(
    ("x", "cell", "pbc", "cutoff", "message"),
    [
        (np.zeros((1, 3)), np.eye(3), True, 0.0, "cutoff must be positive"),
        (np.zeros((1, 3)), np.eye(3), True, np.nan, "cutoff must be positive"),
        (np.zeros((1, 3)), np.eye(3), True, np.inf, "cutoff must be positive"),
        (np.full((1, 3), np.nan), np.eye(3), True, 1.0, "not finite(.|\n)*3 bad coordinates"),
        (np.zeros((1, 3)), np.full((3, 3), np.inf), True, 1.0, "9 in the cell"),
        (np.full((1, 3), 1e9), np.eye(3), True, 1.0, "too far from the origin"),
        (
            np.zeros((1, 3)),
            np.zeros((3, 3)),
            True,
            1.0,
            "periodic along a, b, c, but that cell vector is zero",
        ),
        (np.zeros((1, 3)), np.ones((3, 3)), True, 1.0, "no volume"),
        (np.zeros((1, 2)), np.eye(3), True, 1.0, "wrong shape"),
        (np.zeros((1, 3)), np.eye(3) * 0.01, True, 10.0, "would not fit into memory(.|\n)*lower the cutoff"),
        (np.zeros((1, 3)), np.diag([9, 9, 1e-5]), False, 10.0, None),
    ],
)
def test_impossible_requests_are_refused(x, cell, pbc, cutoff, message):
    if message is None:
        assert neighbour_list(x, cell, pbc, cutoff).n_pairs == 0
        return
    with pytest.raises(DataError, match=message):
        neighbour_list(x, cell, pbc, cutoff)
