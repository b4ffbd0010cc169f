"""Solving the triangular system is solving the weighted rows, with E0 fitted, given or moved."""

import dataclasses
import json

import numpy as np
import pytest
from regression_helpers import Stacked, SyntheticRows, labelled, make_frame, row_weights, stack

from lacemaker.errors import ConfigError, LacemakerWarning, SolverError
from lacemaker.priors import AlgebraicPrior
from lacemaker.regression import BLR, QR, assemble, parse_solver, solve, solver_kinds
from lacemaker.structures import ReferenceEnergies

SOURCE = SyntheticRows()
SHIFT = np.array([1000.0, -500.0])
THETA, E0 = np.linspace(-1, 1, 12), np.array([-2.0, 3.0])
FRAMES = labelled(SOURCE, 40, coefficients=THETA, e0=E0)
STACKED = stack(SOURCE, FRAMES)
SYSTEM = assemble(SOURCE, FRAMES)
WEIGHTS = {"default": {"energy": 5.0, "forces": 1.0, "virial": 0.5}, "liquid": {"energy": 2.0}}


def least_squares(stacked: Stacked, weights, ridge=0.0, gamma=None) -> tuple[np.ndarray, np.ndarray]:
    """E0 and θ from all rows at once; the ridge spares E0."""
    w = row_weights(stacked, weights)[:, None]
    k, n_one = stacked.basis.shape[1], stacked.one_body.shape[1]
    penalty = ridge * np.diag(np.ones(k) if gamma is None else gamma)
    rows = np.vstack(
        [w * np.hstack([stacked.one_body, stacked.basis]), np.hstack([np.zeros((k, n_one)), penalty])]
    )
    x = np.linalg.lstsq(rows, np.concatenate([w[:, 0] * stacked.target, np.zeros(k)]), rcond=None)[0]
    return x[:n_one], x[n_one:]


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("prior", [None, AlgebraicPrior(p=2)])
def test_qr_with_fitted_e0_is_least_squares_on_all_rows(ridge, prior):
    fit = solve(SYSTEM, solver=QR(ridge=ridge), prior=prior, weights=WEIGHTS)
    gamma = None if prior is None else prior.gamma(SOURCE.functions)
    e0, theta = least_squares(STACKED, WEIGHTS, ridge, gamma)
    np.testing.assert_allclose(fit.coefficients, theta, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fit.e0, e0, rtol=1e-9)


@pytest.mark.parametrize("solver", [QR(ridge=0.2), BLR(), BLR(noise="per_quantity", tolerance=1e-8)])
def test_given_e0_equals_subtracting_it_from_the_labels(solver):
    given = {"O": 3.5, "H": -2.25}
    moved = []
    for frame in FRAMES:
        shift = -2.25 * np.sum(frame.numbers == 1) + 3.5 * np.sum(frame.numbers == 8)
        fields = {
            name: getattr(frame, name) for name in ("numbers", "positions", "forces", "virial", "config_type")
        }
        moved.append(make_frame(0, **fields, energy=frame.energy - shift))
    expected = solve(assemble(SOURCE, moved), solver=solver, e0="zero")
    for e0 in (given, ReferenceEnergies(given, "given", 0.0)):
        fit = solve(SYSTEM, solver=solver, e0=e0)
        np.testing.assert_allclose(fit.coefficients, expected.coefficients, rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(fit.e0, [-2.25, 3.5])


@pytest.mark.parametrize("solver", [QR(), BLR(), BLR(noise="per_quantity", tolerance=1e-8)])
def test_fitted_e0_does_not_depend_on_where_the_energies_are_measured_from(solver):
    moved = labelled(SOURCE, 40, coefficients=THETA, e0=E0 + SHIFT)
    here, there = solve(SYSTEM, solver=solver), solve(assemble(SOURCE, moved), solver=solver)
    np.testing.assert_allclose(there.coefficients, here.coefficients, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(there.e0, here.e0 + SHIFT, atol=1e-6)


def test_blr_with_given_e0_at_the_fitted_values_agrees_on_the_coefficients():
    fitted = solve(SYSTEM, solver=QR(ridge=0.1))
    given = solve(SYSTEM, solver=QR(ridge=0.1), e0=dict(zip(SYSTEM.elements, fitted.e0, strict=True)))
    np.testing.assert_allclose(given.coefficients, fitted.coefficients, rtol=1e-9)


def test_compositions_that_do_not_fix_e0_are_reported_and_fitted():
    rng = np.random.default_rng(0)
    frames = [
        make_frame(i, numbers=[1, 1, 8], positions=rng.random((3, 3)), energy=7.0 + i) for i in range(30)
    ]
    system = assemble(SOURCE, frames)
    with pytest.warns(LacemakerWarning, match=r"fix 1 of 2 combinations.*Add isolated atoms"):
        fit = solve(system)
    assert np.isclose(fit.e0[0], 2 * fit.e0[1])  # least norm along (2, 1)
    stacked = stack(SOURCE, frames)
    full, _ = least_squares(stacked, {}), None
    with pytest.warns(LacemakerWarning):
        exact = solve(system, solver=QR())
    np.testing.assert_allclose(exact.coefficients, full[1], atol=1e-9)
    np.testing.assert_allclose(2 * exact.e0[0] + exact.e0[1], 2 * full[0][0] + full[0][1])


def test_without_energies_e0_is_zero_and_said_so():
    frames = [make_frame(i, forces=np.ones((len(make_frame(i).numbers), 3))) for i in range(5)]
    with pytest.warns(LacemakerWarning, match="fix 0 of 2"):
        fit = solve(assemble(SOURCE, frames))
    np.testing.assert_array_equal(fit.e0, 0.0)


def test_dependent_columns_give_the_least_norm_solution_and_a_message():
    class Doubled(SyntheticRows):
        def design(self, frame):
            design = super().design(frame)
            design.rows[:, 7] = design.rows[:, 3]
            return design

    system = assemble(Doubled(), FRAMES)
    fit = solve(system, solver=QR(), prior=None, weights=WEIGHTS)
    assert fit.rank == 11
    assert np.isinf(fit.condition)
    assert "11 of 12 combinations" in fit.messages[0]
    assert fit.coefficients[7] == pytest.approx(fit.coefficients[3])
    _, theta = least_squares(stack(Doubled(), FRAMES), WEIGHTS)
    np.testing.assert_allclose(fit.coefficients, theta, atol=1e-9)
    blr = solve(system, prior=None)
    assert blr.rank == 11
    assert blr.coefficients[7] == pytest.approx(blr.coefficients[3])


@pytest.mark.parametrize("solver", [QR(), QR(ridge=0.5), BLR(), BLR(noise="per_quantity")])
def test_fewer_rows_than_columns_are_solved(solver):
    penalised = solver == QR(ridge=0.5)
    source = SyntheticRows(150)
    system = assemble(source, labelled(source, 3, coefficients=np.ones(150)))
    fit = solve(system, solver=solver, prior=None, e0="zero")
    assert np.all(np.isfinite(fit.coefficients))
    assert fit.rank == (150 if penalised else system.n_rows)


def test_train_and_validation_errors_are_those_of_the_coefficients():
    folded = assemble(SOURCE, FRAMES, folds=np.arange(40) % 4)
    fit = solve(folded, validation=2)
    apart = solve(folded.without_fold(2), validation=folded.only_fold(2))
    np.testing.assert_array_equal(fit.coefficients, apart.coefficients)
    held_out = folded.only_fold(2).rmse(fit.coefficients, fit.e0)
    assert fit.rmse["validation"]["total"]["forces"] == pytest.approx(float(held_out["total"]["forces"]))
    assert fit.rmse["train"]["solid"]["energy"] != fit.rmse["validation"]["solid"]["energy"]


def test_validation_scores_weighted_residuals_of_held_out_rows():
    from lacemaker.regression.problem import Problem, Solution
    from lacemaker.regression.solvers import Solver

    seen = {}

    class Spy(Solver):
        kind: str = "spy"

        def solve(self, problem: Problem) -> Solution:
            seen["score"] = problem.validation
            return BLR().solve(problem)

    folded = assemble(SOURCE, FRAMES, folds=np.arange(40) % 4)
    fit = solve(folded, solver=Spy(), prior="algebraic", validation=1, weights=WEIGHTS)
    Solver.registry.pop("spy")
    held_out = stack(SOURCE, [frame for i, frame in enumerate(FRAMES) if i % 4 == 1])
    weights = row_weights(held_out, WEIGHTS)
    residual = weights * (held_out.one_body @ fit.e0 + held_out.basis @ fit.coefficients - held_out.target)
    gamma = AlgebraicPrior().gamma(SOURCE.functions)
    assert seen["score"](fit.coefficients * gamma) == pytest.approx(np.mean(residual**2))


def test_a_fit_describes_itself_in_json():
    fit = solve(SYSTEM, weights=WEIGHTS)
    told = json.loads(json.dumps(fit.to_dict()))
    assert told["settings"]["solver"]["kind"] == "blr"
    assert told["settings"]["weights"]["liquid"] == {"energy": 2.0}
    assert told["e0_eV"] == dict(zip(["H", "O"], fit.e0, strict=True))
    assert told["rmse"]["train"]["total"]["forces"] > 0
    assert set(told["timings_s"]) == {"merge", "solve", "report"}
    assert "maximised the evidence" in told["messages"][0]


def test_same_problem_same_bits():
    for solver in (QR(), BLR(), BLR(noise="per_quantity")):
        first, second = solve(SYSTEM, solver=solver), solve(SYSTEM, solver=solver)
        np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_solvers_are_found_by_name():
    assert {"blr", "qr"} <= set(solver_kinds())
    assert parse_solver({"kind": "qr", "ridge": 0.5}) == QR(ridge=0.5)
    assert parse_solver("BLR") == BLR()
    with pytest.raises(ConfigError, match=r"Unknown solver 'lasso2'.*blr.*qr"):
        parse_solver("lasso2")
    with pytest.raises(ValueError, match="ridgee"):
        parse_solver({"kind": "qr", "ridgee": 1.0})
    with pytest.raises(ValueError, match="frozen"):
        QR().ridge = 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"e0": {"H": 1.0}}, ConfigError, r"missing for O.*Give every element"),
        ({"e0": 3.0}, ConfigError, r"Found 3\.0.*Write for example"),
        ({"e0": {"H": 1.0, "O": np.nan}}, ConfigError, "must be finite"),
        ({"weights": {"gas": {"energy": 1.0}}}, ConfigError, "no structure has"),
        (
            {"weights": {"default": {"energy": 0, "forces": 0, "virial": 0}}},
            SolverError,
            "every row has weight 0",
        ),
        ({"prior": "wavelet"}, ConfigError, r"Unknown prior 'wavelet'"),
    ],
)
def test_impossible_requests_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        solve(SYSTEM, **arguments)


def test_a_prior_needs_quantum_numbers():
    bare = dataclasses.replace(SYSTEM, functions=())
    assert solve(bare, prior=None).coefficients.shape == (12,)
    with pytest.raises(ConfigError, match=r"evidence prior needs the quantum numbers.*prior=None"):
        solve(bare)
    with pytest.raises(ConfigError, match=r"algebraic prior needs the quantum numbers.*prior=None"):
        solve(bare, prior="algebraic")


def test_coefficients_that_are_not_finite_are_an_error():
    from lacemaker.regression.problem import Problem, Solution
    from lacemaker.regression.solvers import Solver

    class Overflowing(Solver):
        kind: str = "overflowing"

        def solve(self, problem: Problem) -> Solution:
            return Solution(np.full(problem.n_columns, np.inf), {}, 3, 1e40, "made to fail")

    Solver.registry.pop("overflowing")
    with pytest.raises(
        SolverError, match=r"overflowing found coefficients that are not finite.*rank 3 of 12"
    ):
        solve(SYSTEM, solver=Overflowing())


def test_a_fit_without_a_basis_makes_no_potential():
    with pytest.raises(SolverError, match="no basis"):
        solve(SYSTEM).potential()
