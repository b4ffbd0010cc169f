"""ARD, RRQR, truncated SVD and LSQR: what they solve, what they leave out, and that they repeat."""

import numpy as np
import pytest
from sparse_helpers import correlated, problem_of

from lacemaker.errors import ConfigError, SolverError
from lacemaker.regression.solvers import parse_solver, solver_kinds
from lacemaker.regression.solvers.ard import _Search

ROWS, TARGET = correlated(0)
BEST = np.linalg.lstsq(ROWS, TARGET)[0]


def test_all_solvers_are_found_by_name():
    names = {"ard", "asp", "blr", "elastic_net", "lasso", "lsqr", "omp", "qr", "rrqr", "tsvd"}
    assert names <= set(solver_kinds())


@pytest.mark.parametrize(
    "solver",
    [
        {"kind": "rrqr", "rtol": 0.0},
        {"kind": "tsvd", "rtol": 1e-14},
        {"kind": "lsqr", "damp": 0.0, "atol": 1e-14, "btol": 1e-14, "condition_limit": 1e16},
    ],
)
def test_without_truncation_they_solve_least_squares(solver):
    solution = parse_solver(solver).solve(problem_of(ROWS, TARGET))
    np.testing.assert_allclose(solution.coefficients, BEST, rtol=1e-6, atol=1e-7)
    sigma = np.linalg.norm(ROWS @ BEST - TARGET) / np.sqrt(300 - 120)
    assert solution.noise["forces"] == pytest.approx(sigma, rel=1e-6)


@pytest.mark.parametrize("kind", ["rrqr", "tsvd", "lsqr", "ard", "omp", "asp"])
def test_equal_problems_have_equal_answers_to_the_last_bit(kind):
    first, second = (parse_solver(kind).solve(problem_of(ROWS, TARGET)) for _ in range(2))
    assert first.coefficients.tobytes() == second.coefficients.tobytes()


def test_rrqr_pivots_are_those_of_the_longest_remaining_part():
    solution = parse_solver("rrqr").solve(problem_of(ROWS, TARGET))
    left, expected = ROWS.copy(), []
    for _ in range(30):
        j = int(np.argmax(np.linalg.norm(left, axis=0)))
        expected.append(j)
        q = left[:, [j]] / np.linalg.norm(left[:, j])
        left = left - q @ (q.T @ left)
    assert list(solution.details["pivots"][:30]) == expected


def test_rrqr_gives_nothing_to_columns_below_its_tolerance():
    degenerate = np.column_stack([ROWS, ROWS[:, :20] + 1e-12 * ROWS[:, 20:40]])
    solution = parse_solver({"kind": "rrqr", "rtol": 1e-9}).solve(problem_of(degenerate, TARGET))
    assert solution.rank == 120
    assert np.count_nonzero(solution.coefficients) == 120
    np.testing.assert_allclose(degenerate @ solution.coefficients, ROWS @ BEST, atol=1e-8)


def test_lsqr_with_damping_is_ridge_regression():
    settings = {"damp": 0.3, "atol": 1e-13, "btol": 1e-13}
    solution = parse_solver({"kind": "lsqr", **settings}).solve(problem_of(ROWS, TARGET))
    ridge = parse_solver({"kind": "qr", "ridge": 0.3}).solve(problem_of(ROWS, TARGET))
    np.testing.assert_allclose(solution.coefficients, ridge.coefficients, atol=1e-8)


def test_lsqr_says_when_its_iterations_run_out():
    with pytest.raises(SolverError, match="did not converge"):
        parse_solver({"kind": "lsqr", "max_iterations": 3, "damp": 0.0, "atol": 0.0, "btol": 0.0}).solve(
            problem_of(ROWS, TARGET)
        )


def test_tsvd_validates_its_cutoff_on_held_out_rows():
    fresh, label = correlated(3, n_rows=400, decades=4.0)
    held_out = fresh[200:], label[200:]
    problem = problem_of(fresh[:130], label[:130], held_out=held_out)
    solution = parse_solver("tsvd").solve(problem)
    scores = []
    u, s, vt = np.linalg.svd(fresh[:130], full_matrices=False)
    for kept in range(1, 121):
        c = vt[:kept].T @ ((u[:, :kept].T @ label[:130]) / s[:kept])
        scores.append(np.mean((held_out[0] @ c - held_out[1]) ** 2))
    assert solution.details["directions"] == int(np.argmin(scores)) + 1
    assert problem.validation(solution.coefficients) == pytest.approx(min(scores), rel=1e-6)


def test_gcv_needs_no_validation_rows_and_beats_no_cutoff_on_new_ones():
    rows, target = correlated(3, n_rows=530, decades=3.0)
    problem = problem_of(rows[:130], target[:130])
    errors = {}
    for cutoff in ("gcv", "rtol"):
        c = parse_solver({"kind": "tsvd", "cutoff": cutoff}).solve(problem).coefficients
        errors[cutoff] = np.mean((rows[130:] @ c - target[130:]) ** 2)
    assert errors["gcv"] < 0.8 * errors["rtol"]


def test_ard_finds_the_relevant_columns_and_says_how_many():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((200, 80))
    target = rows[:, [3, 50]] @ np.array([2.0, -1.0]) + 0.1 * rng.standard_normal(200)
    solution = parse_solver({"kind": "ard", "threshold": 1e3}).solve(problem_of(rows, target))
    assert {3, 50} <= set(solution.details["support"])
    assert solution.rank < 40
    np.testing.assert_allclose(solution.coefficients[[3, 50]], [2.0, -1.0], atol=0.05)


def test_ard_survives_columns_that_normal_equations_cannot_tell_apart():
    degenerate = np.column_stack([ROWS, ROWS[:, :30] * (1 + 1e-9), 1e5 * ROWS[:, 30:50]])
    solution = parse_solver({"kind": "ard", "threshold": 1e12}).solve(problem_of(degenerate, TARGET))
    misfit = np.linalg.norm(degenerate @ solution.coefficients - TARGET)
    assert misfit < 1.2 * np.linalg.norm(ROWS @ BEST - TARGET)  # ARD shrinks; 10 times larger without care


def test_the_orthogonal_reduction_of_ard_is_a_factor_of_its_hessian():
    search = _Search(problem_of(ROWS, TARGET))
    search.precisions[:] = np.logspace(-3, 3, 120)
    scale = np.linspace(0.5, 2.0, 120)
    factor = search._orthogonal(scale)
    hessian = search.alpha * ROWS.T @ ROWS + np.diag(search.precisions)
    np.testing.assert_allclose(factor.T @ factor, scale[:, None] * hessian * scale, rtol=1e-9, atol=1e-9)


def test_ard_that_deletes_everything_says_so():
    with pytest.raises(SolverError, match="larger threshold"):
        parse_solver({"kind": "ard", "threshold": 1e-9}).solve(problem_of(ROWS, TARGET))


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="rtol"):
        parse_solver({"kind": "rrqr", "rtol": -1.0})
    with pytest.raises(ConfigError, match="Unknown solver"):
        parse_solver("lars")
