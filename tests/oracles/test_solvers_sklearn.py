"""Our solvers against scikit-learn's and SciPy's, where the models coincide."""

import numpy as np
import pytest
import scipy.linalg

from lacemaker.regression.factor import Accumulator
from lacemaker.regression.problem import Block, Problem
from lacemaker.regression.solvers import BLR, QR

linear_model = pytest.importorskip("sklearn.linear_model")

N_ROWS, N_COLUMNS = 700, 60


def problem_and_rows(seed: int, noise: float) -> tuple[Problem, np.ndarray, np.ndarray]:
    """Correlated columns over six decades, as ACE rows are."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((N_ROWS, N_COLUMNS)) @ np.diag(np.logspace(2, -4, N_COLUMNS))
    rows = rows @ np.linalg.qr(rng.standard_normal((N_COLUMNS, N_COLUMNS)))[0]
    target = rows @ rng.standard_normal(N_COLUMNS) + noise * rng.standard_normal(N_ROWS)
    accumulator = Accumulator(N_COLUMNS + 1)
    accumulator.add(rows, target[:, None])
    return Problem((Block("forces", accumulator.finish()),)), rows, target


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.1), (1, 3.0), (2, 0.02)])
def test_blr_agrees_with_bayesian_ridge(seed, noise):
    problem, rows, target = problem_and_rows(seed, noise)
    ours = BLR().solve(problem)
    theirs = linear_model.BayesianRidge(
        max_iter=3000, tol=1e-14, alpha_1=0.0, alpha_2=0.0, lambda_1=0.0, lambda_2=0.0,
        fit_intercept=False, compute_score=True,
    ).fit(rows, target)  # fmt: skip
    scale = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.coefficients, theirs.coef_, atol=1e-6 * scale)
    assert ours.noise["forces"] == pytest.approx(theirs.alpha_**-0.5, rel=1e-6)
    assert ours.prior_scale == pytest.approx(theirs.lambda_**-0.5, rel=1e-6)
    assert ours.log_evidence == pytest.approx(theirs.scores_[-1], rel=1e-9)
    covariance = np.linalg.inv(ours.precision_factor.T @ ours.precision_factor)
    np.testing.assert_allclose(covariance, theirs.sigma_, rtol=1e-4, atol=1e-6 * np.abs(theirs.sigma_).max())


@pytest.mark.parametrize("ridge", [1e-3, 0.5, 40.0])
def test_qr_with_a_ridge_agrees_with_ridge_regression(ridge):
    problem, rows, target = problem_and_rows(3, 0.5)
    theirs = linear_model.Ridge(alpha=ridge**2, fit_intercept=False, solver="svd").fit(rows, target)
    np.testing.assert_allclose(
        QR(ridge=ridge).solve(problem).coefficients,
        theirs.coef_,
        rtol=1e-7,
        atol=1e-9 * np.abs(theirs.coef_).max(),
    )


def test_qr_agrees_with_ordinary_least_squares():
    problem, rows, target = problem_and_rows(4, 0.5)
    theirs, _, rank, _ = scipy.linalg.lstsq(rows, target)
    ours = QR().solve(problem)
    assert ours.rank == rank == N_COLUMNS
    np.testing.assert_allclose(rows @ ours.coefficients, rows @ theirs, atol=1e-8)
    sigma = np.sqrt(np.sum((rows @ ours.coefficients - target) ** 2) / (N_ROWS - N_COLUMNS))
    assert ours.noise["forces"] == pytest.approx(sigma, rel=1e-9)
