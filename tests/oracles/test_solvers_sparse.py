"""OMP, ASP, ARD, Lasso and elastic net against scikit-learn."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "regression"))
from sparse_helpers import correlated, problem_of

from lacemaker.regression.homotopy import lasso_path
from lacemaker.regression.solvers import parse_solver

linear_model = pytest.importorskip("sklearn.linear_model")


@pytest.mark.parametrize("seed", range(3))
def test_omp_chooses_as_orthogonal_mp_gram(seed):
    rows, target = correlated(seed)
    problem = problem_of(rows, target)
    gram, right = rows.T @ rows, rows.T @ target
    for size in (1, 7, 30, 60):
        theirs = linear_model.orthogonal_mp_gram(gram, right, n_nonzero_coefs=size)
        solver = parse_solver({"kind": "omp", "sizes": [size], "refit": "none"})
        ours = solver.solve(problem).coefficients
        assert set(np.flatnonzero(ours)) == set(np.flatnonzero(theirs))
        np.testing.assert_allclose(ours, theirs, atol=1e-8 * np.abs(theirs).max())


@pytest.mark.parametrize("seed", range(3))
def test_the_path_has_the_breakpoints_of_lars_path(seed):
    rows, target = correlated(seed)
    alphas, _, coefficients = linear_model.lars_path(rows, target, method="lasso", max_iter=90)
    path = list(lasso_path(rows, target, max_active=110))
    assert any(point.event == "drop" for point in path[:90])
    for i in range(1, 80):
        assert path[i].penalty == pytest.approx(alphas[i] * len(rows), rel=1e-8)
        np.testing.assert_allclose(
            path[i].dense(120), coefficients[:, i], atol=1e-8 * np.abs(coefficients[:, i]).max()
        )


def test_the_path_agrees_with_coordinate_descent_at_equal_penalty():
    rows, target = correlated(1, decades=0.5)
    points = [p for p in lasso_path(rows, target, max_active=110) if p.event != "end"][10:90:16]
    alphas = [point.penalty / len(rows) for point in points]
    _, theirs, _ = linear_model.lasso_path(rows, target, alphas=alphas, tol=1e-14, max_iter=200_000)
    for point, column in zip(points, theirs.T, strict=True):
        np.testing.assert_allclose(point.dense(120), column, atol=1e-6 * np.abs(column).max())


def test_lasso_and_elastic_net_are_scikit_learns():
    rows, target = correlated(2, decades=0.5)
    problem = problem_of(rows, target)
    largest = np.abs(rows.T @ target).max()
    settings = {"penalty": 0.01, "tolerance": 1e-12, "max_iterations": 100_000}
    ours = parse_solver({"kind": "lasso", **settings}).solve(problem).coefficients
    model = linear_model.Lasso(alpha=0.01 * largest / 300, fit_intercept=False, tol=1e-12, max_iter=100_000)
    np.testing.assert_allclose(ours, model.fit(rows, target).coef_, atol=1e-6)
    ours = parse_solver({"kind": "elastic_net", "l1_share": 0.5, **settings}).solve(problem).coefficients
    model = linear_model.ElasticNet(
        alpha=0.02 * largest / 300, l1_ratio=0.5, fit_intercept=False, tol=1e-12, max_iter=100_000
    )
    np.testing.assert_allclose(ours, model.fit(rows, target).coef_, atol=1e-6)


@pytest.mark.parametrize("threshold", [1e2, 1e4])
def test_ard_is_scikit_learns(threshold):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 40))
    target = rows[:, :6] @ np.array([3.0, -2.0, 1.5, 1.0, -0.7, 0.5]) + 0.3 * rng.standard_normal(200)
    solver = parse_solver({"kind": "ard", "threshold": threshold, "tolerance": 1e-9, "max_iterations": 2000})
    ours = solver.solve(problem_of(rows, target))
    model = linear_model.ARDRegression(
        threshold_lambda=threshold, tol=1e-10, max_iter=2000, fit_intercept=False
    ).fit(rows, target)
    np.testing.assert_allclose(ours.coefficients, model.coef_, atol=1e-6)
    assert ours.noise["forces"] == pytest.approx(model.alpha_**-0.5, rel=1e-6)
    assert 6 <= np.count_nonzero(ours.coefficients) < 40
