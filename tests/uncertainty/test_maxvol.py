"""MaxVol on plain matrices: the volume is a maximum, whatever the blocks, the units or the rank."""

from itertools import combinations

import numpy as np
import pytest

from lacemaker.uncertainty.maxvol import FLOOR, MaxVol


def chosen(rows, *, block=None, tolerance=0.01, sweeps=50):
    """Active set of all rows, fed in blocks."""
    labels = np.column_stack([np.arange(len(rows)), np.zeros(len(rows), dtype=int)])
    parts = [slice(at, at + (block or len(rows))) for at in range(0, len(rows), block or len(rows))]
    found = MaxVol(rows.shape[1], tolerance)
    for part in parts:
        found.spread(rows[part])
    for part in parts:
        found.choose(labels[part], rows[part])
    found.finish_choosing()
    for _ in range(sweeps):
        for part in parts:
            found.improve(labels[part], rows[part])
        if found.finish_improving():
            return found
    raise AssertionError("the sweeps did not settle")


def grades(found, rows):
    return np.abs(rows @ found.inverse()).max(axis=1)


@pytest.mark.parametrize("block", [None, 300, 64, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_row_exceeds_the_tolerance_and_active_rows_have_grade_one(block, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(900, 25)) * 10.0 ** rng.uniform(-4, 4, 25)
    found = chosen(rows, block=block)
    assert found.rank == 25
    assert grades(found, rows).max() <= 1.01 + 1e-9
    np.testing.assert_allclose(grades(found, rows[found.labels[:, 0]]), 1.0, atol=1e-9)


def test_volume_is_within_the_bound_of_the_best_of_all_subsets():
    """No single swap gains: at most n^(n/2) below the largest volume, and mostly equal."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(14, 3))
    best = max(abs(np.linalg.det(rows[list(s)])) for s in combinations(range(14), 3))
    found = chosen(rows, tolerance=0.0)
    volume = abs(np.linalg.det(rows[found.labels[:, 0]]))
    assert volume >= best / 3**1.5
    assert volume >= 0.8 * best


def test_result_depends_on_nothing_but_the_rows_and_their_order():
    rows = np.random.default_rng(2).normal(size=(500, 12))
    one, other = chosen(rows, block=100), chosen(rows, block=100)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.inverse(), other.inverse())


def test_grades_do_not_depend_on_the_units_of_the_columns():
    rng = np.random.default_rng(3)
    rows, unit = rng.normal(size=(400, 8)), 2.0 ** rng.integers(-20, 20, 8)
    np.testing.assert_allclose(
        grades(chosen(rows * unit), rows * unit), grades(chosen(rows), rows), rtol=1e-9
    )


@pytest.mark.parametrize("case", ["fewer rows", "dependent columns", "a column of zeros", "equal rows"])
def test_missing_rank_is_told_and_leaving_the_span_is_a_large_grade(case):
    rng = np.random.default_rng(6)
    n = 10
    rows = {
        "fewer rows": rng.normal(size=(6, n)),
        "dependent columns": rng.normal(size=(200, 6)) @ rng.normal(size=(6, n)),
        "a column of zeros": rng.normal(size=(200, n)) * (np.arange(n) != 3),
        "equal rows": np.tile(rng.normal(size=(1, n)), (50, 1)),
    }[case]
    found = chosen(rows)
    assert found.rank == np.linalg.matrix_rank(rows)
    assert grades(found, rows).max() <= 1.01 + 1e-6
    outside = rows[:1] + rng.normal(size=(1, n))
    assert grades(found, outside)[0] > 0.01 / FLOOR


def test_no_rows_and_no_functions():
    nothing = MaxVol(4)
    nothing.finish_choosing()
    assert nothing.finish_improving()
    assert nothing.rank == 0
    assert np.isfinite(nothing.inverse()).all()
    empty = MaxVol(0)
    empty.spread(np.zeros((3, 0)))
    empty.choose(np.zeros((3, 2), dtype=int), np.zeros((3, 0)))
    empty.finish_choosing()
    assert empty.finish_improving()
