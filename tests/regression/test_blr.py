"""Bayesian linear regression is what it says: the maximum of the marginal likelihood of the rows."""

from functools import partial

import numpy as np
import pytest
from regression_helpers import SyntheticRows, labelled, row_weights, stack
from scipy.optimize import minimize

from lacemaker.errors import SolverError
from lacemaker.priors import AlgebraicPrior
from lacemaker.regression import BLR, QR, assemble
from lacemaker.regression import solve as solve_by_default

solve = partial(solve_by_default, prior="algebraic")  # a prior that does not depend on the data

SOURCE = SyntheticRows()
THETA, E0 = np.linspace(-1, 1, 12), np.array([-2.0, 3.0])
FRAMES = labelled(SOURCE, 9, coefficients=THETA, e0=E0, noise=(0.05, 0.2, 0.6))
SYSTEM = assemble(SOURCE, FRAMES)
STACKED = stack(SOURCE, FRAMES)
GAMMA = AlgebraicPrior().gamma(SOURCE.functions)
WEIGHTS = {"default": {"energy": 3.0, "forces": 1.0, "virial": 0.5}}
KINDS = ("energy", "forces", "virial")


def brute_force(noise: dict[str, float], prior_scale: float, e0: np.ndarray | None) -> float:
    """Log density of the weighted rows from their full covariance; a flat prior on E0 if none is given."""
    w = row_weights(STACKED, WEIGHTS)
    rows, one = w[:, None] * STACKED.basis / GAMMA, w[:, None] * STACKED.one_body
    target = w * STACKED.target
    covariance = prior_scale**2 * rows @ rows.T + np.diag([noise[kind] ** 2 for kind in STACKED.kind])
    if e0 is not None:
        return log_normal(target - one @ e0, covariance)
    # flat prior: density of the data in the complement of the one-body columns
    complement = np.linalg.svd(one.T)[2][one.shape[1] :]
    return log_normal(complement @ target, complement @ covariance @ complement.T)


def log_normal(x: np.ndarray, covariance: np.ndarray) -> float:
    sign, log_det = np.linalg.slogdet(covariance)
    if sign <= 0:
        return -np.inf
    return float(-0.5 * (x @ np.linalg.solve(covariance, x) + log_det + len(x) * np.log(2 * np.pi)))


@pytest.mark.parametrize("e0", [None, E0])
@pytest.mark.parametrize("noise", ["shared", "per_quantity"])
def test_log_evidence_is_the_density_of_the_rows(e0, noise):
    given = "fit" if e0 is None else dict(zip(SYSTEM.elements, e0, strict=True))
    fit = solve(SYSTEM, solver=BLR(noise=noise, tolerance=1e-8), e0=given, weights=WEIGHTS)
    assert fit.log_evidence == pytest.approx(brute_force(fit.noise, fit.prior_scale, e0), rel=1e-9)


@pytest.mark.parametrize("noise", ["shared", "per_quantity"])
def test_no_other_noise_or_prior_scale_has_more_evidence(noise):
    fit = solve(
        SYSTEM, solver=BLR(noise=noise), e0=dict(zip(SYSTEM.elements, E0, strict=True)), weights=WEIGHTS
    )
    names = KINDS if noise == "per_quantity" else ("all",)

    def minus_log(x: np.ndarray) -> float:
        sigmas = dict(zip(names, np.exp(x[:-1]), strict=True))
        return -brute_force({kind: sigmas.get(kind, sigmas.get("all")) for kind in KINDS}, np.exp(x[-1]), E0)

    best = np.inf
    for start in (-1.0, 0.5):
        search = minimize(minus_log, np.full(len(names) + 1, start), method="Nelder-Mead",
                          options={"xatol": 1e-5, "fatol": 1e-9, "maxfev": 600})  # fmt: skip
        if search.fun < best:
            best, found = search.fun, np.exp(search.x)
    assert fit.log_evidence >= -best - 1e-6
    ours = [fit.noise[kind] for kind in (KINDS if noise == "per_quantity" else KINDS[:1])]
    np.testing.assert_allclose([*ours, fit.prior_scale], found, rtol=1e-3)


def test_coefficients_are_the_posterior_mean_and_errors_its_covariance():
    fit = solve(SYSTEM, solver=BLR(noise="per_quantity"), weights=WEIGHTS)
    w = row_weights(STACKED, WEIGHTS) / np.array([fit.noise[kind] for kind in STACKED.kind])
    rows = w[:, None] * np.hstack([STACKED.one_body, STACKED.basis])
    precision = rows.T @ rows + np.diag(np.concatenate([[0, 0], (GAMMA / fit.prior_scale) ** 2]))
    covariance = np.linalg.inv(precision)
    mean = covariance @ rows.T @ (w * STACKED.target)
    np.testing.assert_allclose(np.concatenate([fit.e0, fit.coefficients]), mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        fit.posterior.precision_factor.T @ fit.posterior.precision_factor, precision, rtol=1e-7, atol=1e-7
    )
    probes = np.random.default_rng(0).standard_normal((5, 14))
    np.testing.assert_allclose(
        fit.posterior.variance(probes), np.sum(probes @ covariance * probes, axis=1), rtol=1e-7
    )
    samples = fit.posterior.samples(4000)
    np.testing.assert_allclose(
        np.std(samples @ probes.T, axis=0) ** 2, fit.posterior.variance(probes), rtol=0.1
    )


@pytest.mark.parametrize("e0", ["fit", dict(zip(SYSTEM.elements, E0, strict=True))])
def test_shared_noise_posterior_without_and_with_fitted_e0(e0):
    fit = solve(SYSTEM, e0=e0)
    n_one = 2 if e0 == "fit" else 0
    assert fit.posterior.n_one_body == n_one
    assert fit.posterior.mean.shape == (12 + n_one,)
    variances = fit.posterior.variance(np.eye(12 + n_one))
    assert np.all(variances > 0)


def test_noise_of_each_quantity_is_recovered():
    source = SyntheticRows(20)
    truth = np.random.default_rng(3).standard_normal(20)
    frames = labelled(source, 500, coefficients=truth, e0=E0, noise=(0.02, 0.3, 1.5), seed=5)
    fit = solve(assemble(source, frames), solver=BLR(noise="per_quantity"), prior=None,
                weights={"default": {"energy": 1.0, "forces": 1.0, "virial": 1.0}})  # fmt: skip
    assert fit.noise["energy"] == pytest.approx(0.02, rel=0.1)
    assert fit.noise["forces"] == pytest.approx(0.3, rel=0.05)
    assert fit.noise["virial"] == pytest.approx(1.5, rel=0.05)
    assert fit.prior_scale == pytest.approx(1.0, rel=0.5)
    assert "converged to a maximum" in fit.messages[0]


def test_noise_per_quantity_does_not_depend_on_the_weights_of_quantities():
    solver = BLR(noise="per_quantity", tolerance=1e-9)
    one = solve(SYSTEM, solver=solver, weights=WEIGHTS)
    other = solve(SYSTEM, solver=solver,
                  weights={"default": {"energy": 300.0, "forces": 0.1, "virial": 20.0}})  # fmt: skip
    np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-5, atol=1e-7)
    assert one.details["log_evidence_labels"] == pytest.approx(other.details["log_evidence_labels"], abs=1e-6)
    assert one.noise["energy"] / 3.0 == pytest.approx(other.noise["energy"] / 300.0, rel=1e-5)


def test_noise_per_quantity_has_at_least_the_evidence_of_shared_noise():
    shared = solve(SYSTEM, weights=WEIGHTS)
    split = solve(SYSTEM, solver=BLR(noise="per_quantity"), weights=WEIGHTS)
    assert split.log_evidence > shared.log_evidence
    assert split.details["log_evidence_shared"] == shared.log_evidence


def test_noise_free_data_are_fitted_exactly_with_the_noise_at_its_floor():
    frames = labelled(SOURCE, 40, coefficients=THETA, e0=E0, noise=(0.0, 0.0, 0.0))
    system = assemble(SOURCE, frames)
    for noise in ("shared", "per_quantity"):
        fit = solve(system, solver=BLR(noise=noise, noise_floor=1e-6))
        np.testing.assert_allclose(fit.coefficients, THETA, atol=1e-5)
        assert "floor" in fit.messages[0]
        assert min(fit.noise.values()) == pytest.approx(1e-6)


def test_data_without_signal_leave_the_coefficients_at_zero():
    frames = labelled(SOURCE, 10, noise=(0.0, 0.0, 0.0))
    fit = solve(assemble(SOURCE, frames), solver=BLR())
    np.testing.assert_allclose(fit.coefficients, 0.0, atol=1e-7)
    assert "floor" in fit.messages[0]


def test_a_strong_prior_is_ridge_regression_at_the_found_ratio():
    fit = solve(SYSTEM, weights=WEIGHTS)
    ridge = solve(SYSTEM, solver=QR(ridge=fit.noise["forces"] / fit.prior_scale), weights=WEIGHTS)
    np.testing.assert_allclose(fit.coefficients, ridge.coefficients, rtol=1e-9)
    np.testing.assert_allclose(fit.e0, ridge.e0, rtol=1e-9)


def test_scaling_all_weights_scales_the_noise_only():
    fit = solve(SYSTEM, weights=WEIGHTS)
    scaled = solve(SYSTEM, weights={"default": {k: 7 * v for k, v in WEIGHTS["default"].items()}})
    np.testing.assert_allclose(scaled.coefficients, fit.coefficients, rtol=1e-8)
    assert scaled.noise["forces"] == pytest.approx(7 * fit.noise["forces"], rel=1e-8)
    assert scaled.prior_scale == pytest.approx(fit.prior_scale, rel=1e-8)
    assert scaled.details["log_evidence_labels"] == pytest.approx(
        fit.details["log_evidence_labels"], abs=1e-6
    )


def test_a_search_that_runs_out_of_evaluations_says_so(monkeypatch):
    from lacemaker.regression.solvers import blr

    real = blr.maximise_evidence
    monkeypatch.setattr(blr, "maximise_evidence", lambda *a, **k: real(*a, **k, max_evaluations=4))
    fit = solve(SYSTEM, solver=BLR(noise="per_quantity"))
    assert "stopped after" in fit.messages[0]
    assert "short of the maximum" in fit.messages[0]
    assert np.all(np.isfinite(fit.coefficients))


def test_a_precision_matrix_that_cannot_be_inverted_is_an_error_with_advice(monkeypatch):
    from lacemaker.regression.solvers import blr

    def singular(*args, **kwargs):
        raise ArithmeticError("the precision matrix is singular")

    monkeypatch.setattr(blr, "maximise_evidence", singular)
    with pytest.raises(SolverError, match=r"precision matrix is singular.*Use noise='shared'"):
        solve(SYSTEM, solver=BLR(noise="per_quantity"))


def test_one_structure_with_only_an_energy_is_an_error_with_advice():
    frame = labelled(SyntheticRows(3, elements=("H",)), 1)[0]
    source = SyntheticRows(3, elements=("H",))
    from regression_helpers import make_frame

    only = make_frame(0, numbers=np.ones(len(frame.numbers), int), positions=frame.positions, energy=1.0)
    with pytest.raises(SolverError, match=r"no row is left.*Add structures, or give E0"):
        solve(assemble(source, [only]))
