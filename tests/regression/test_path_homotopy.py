"""The Lasso path: every point is optimal, events are handled, degenerate columns survive; OMP is greedy."""

from itertools import pairwise

import numpy as np
import pytest
from sparse_helpers import correlated

from lacemaker.regression.homotopy import Breakpoint, lasso_path, violation
from lacemaker.regression.pursuit import matching_pursuit
from lacemaker.regression.updating import ActiveFactor


def optimal(rows, target, path, penalties=None):
    """Largest violation of the KKT conditions along a path."""
    inner = [point for point in path if point.penalty > 1e-9 * path[0].penalty]
    return max(violation(rows, target, point, penalties) for point in inner)


@pytest.mark.parametrize("shape", [(60, 25), (25, 60)])
def test_updated_factors_are_those_of_the_active_columns(shape):
    rng = np.random.default_rng(1)
    rows, target = rng.standard_normal(shape), rng.standard_normal(shape[0])
    factor = ActiveFactor(rows, target, 25)
    for step in range(120):
        if len(factor.active) > 3 and (step % 3 == 2 or len(factor.active) == factor.capacity):
            factor.drop(int(rng.integers(len(factor.active))))
        else:
            factor.add(int(rng.choice(np.setdiff1d(np.arange(shape[1]), factor.active))))
        chosen = rows[:, factor.active]
        best = np.linalg.lstsq(chosen, target)[0]
        np.testing.assert_allclose(factor.triangle.T @ factor.triangle, chosen.T @ chosen, atol=1e-11)
        np.testing.assert_allclose(np.tril(factor.triangle, -1), 0.0)
        np.testing.assert_allclose(factor.backward(factor.projection), best, atol=1e-10)
        np.testing.assert_allclose(factor.residual, target - chosen @ best, atol=1e-10)
        np.testing.assert_allclose(factor.correlations, rows.T @ (target - chosen @ best), atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_every_breakpoint_is_optimal_and_columns_also_leave(seed):
    rows, target = correlated(seed)
    path = list(lasso_path(rows, target, max_active=120))
    assert optimal(rows, target, path) < 1e-8
    assert sum(point.event == "drop" for point in path) > 3
    assert np.all(np.diff([point.penalty for point in path]) <= 0.0)
    np.testing.assert_allclose(path[-1].dense(120), np.linalg.lstsq(rows, target)[0], rtol=1e-6, atol=1e-8)


def test_points_between_breakpoints_are_optimal():
    rows, target = correlated(5)
    path = list(lasso_path(rows, target, max_active=100))
    for before, after in pairwise(path[20:81]):
        middle = 0.5 * (before.dense(120) + after.dense(120))
        support = np.flatnonzero(middle)
        point = Breakpoint(0.5 * (before.penalty + after.penalty), support, middle[support], "none")
        assert violation(rows, target, point) < 1e-8


def test_violation_sees_a_wrong_coefficient_and_a_forgotten_column():
    rows, target = correlated(0)
    point = list(lasso_path(rows, target, max_active=30))[-1]
    wrong = point.coefficients.copy()
    wrong[3] *= 1.0 + 1e-5
    assert violation(rows, target, Breakpoint(point.penalty, point.support, wrong, "end")) > 1e-6
    shorter = Breakpoint(point.penalty, point.support[1:], point.coefficients[1:], "end")
    assert violation(rows, target, shorter) > 1e-3


def test_fewer_rows_than_columns():
    rows, target = correlated(2, n_rows=40)
    path = list(lasso_path(rows, target, max_active=120))
    assert optimal(rows, target, path) < 1e-8
    assert max(len(point.support) for point in path) <= 40
    assert np.linalg.norm(rows @ path[-1].dense(120) - target) < 1e-6 * np.linalg.norm(target)


def test_duplicated_columns_change_nothing_but_their_own_coefficients():
    rows, target = correlated(3)
    signs = np.where(np.arange(50) % 2, 1.0, -1.0)
    doubled = np.column_stack([rows, signs * rows[:, :50]])
    plain = list(lasso_path(rows, target, max_active=100))
    path = list(lasso_path(doubled, target, max_active=100))
    assert len(path) == len(plain)
    for one, two in zip(plain[:-1], path[:-1], strict=True):  # the end lies anywhere on its last segment
        assert two.penalty == pytest.approx(one.penalty, rel=1e-8)
        merged = two.dense(170)[:120]
        merged[:50] += signs * two.dense(170)[120:]
        np.testing.assert_allclose(
            merged, one.dense(120), atol=1e-8 * np.abs(one.dense(120)).max(initial=1.0)
        )


def test_dependent_and_zero_columns_survive():
    rows, target = correlated(3)
    mixed = rows[:, 5] - 2.0 * rows[:, 17]
    degenerate = np.column_stack([rows, mixed, rows[:, 8] + rows[:, 9], np.zeros(len(rows)), rows[:, 3]])
    path = list(lasso_path(degenerate, target, max_active=110))
    assert optimal(degenerate, target, path) < 1e-8
    again = [point.support.tolist() for point in lasso_path(degenerate, target, max_active=110)]
    assert again == [point.support.tolist() for point in path]


def test_ties_go_to_the_smallest_index():
    identity = np.eye(6)
    path = list(lasso_path(identity, np.full(6, 2.0), max_active=6))
    assert path[-1].support.tolist() == [0, 1, 2, 3, 4, 5]
    assert matching_pursuit(identity, np.full(6, -1.0), max_active=4).active == [0, 1, 2, 3]


def test_penalties_per_column_are_those_of_the_weighted_problem():
    rows, target = correlated(6)
    weights = np.exp(np.random.default_rng(0).standard_normal(120))
    path = list(lasso_path(rows, target, max_active=80, penalties=weights))
    assert optimal(rows, target, path, weights) < 1e-8


def test_an_upper_triangle_gives_the_path_of_its_rows():
    rows, target = correlated(7)
    q, r = np.linalg.qr(rows)
    full = list(lasso_path(rows, target, max_active=70))
    small = list(lasso_path(r, q.T @ target, max_active=70))
    assert [p.support.tolist() for p in full] == [p.support.tolist() for p in small]
    np.testing.assert_allclose([p.penalty for p in full], [p.penalty for p in small], rtol=1e-9)


def test_a_target_of_zero_and_no_capacity_end_at_once():
    rows, target = correlated(0)
    assert [len(p.support) for p in lasso_path(rows, np.zeros(300), max_active=5)] == [0]
    assert [len(p.support) for p in lasso_path(rows, target, max_active=0)] == [0]


def test_pursuit_passes_over_dependent_columns_and_stops_when_nothing_is_left():
    rows, target = correlated(4)
    doubled = np.column_stack([rows, rows])
    assert matching_pursuit(doubled, target, max_active=60).active == (
        matching_pursuit(rows, target, max_active=60).active
    )
    exact = rows[:, [4, 40]] @ np.array([1.0, 2.0])
    found = matching_pursuit(rows, exact, max_active=100)
    assert np.linalg.norm(found.residual) < 1e-9 * np.linalg.norm(exact)
    assert len(found.active) < 100
