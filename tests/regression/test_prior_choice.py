"""The prior chosen by evidence: finds the law that made the coefficients, and repeats itself."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from regression_helpers import SyntheticRows, labelled

from lacemaker.errors import ConfigError, SolverError
from lacemaker.priors import (
    AlgebraicPrior,
    EvidencePrior,
    ExponentialPrior,
    GaussianPrior,
    NoPrior,
    parse_prior,
)
from lacemaker.regression import assemble, solve
from lacemaker.regression.factor import compress
from lacemaker.regression.prior_choice import choose_prior, tempered
from lacemaker.regression.problem import Block, Problem
from lacemaker.regression.solvers import BLR


@dataclass(frozen=True)
class F:
    channels: tuple[tuple[int, int, int], ...]
    centre: int = 0
    kind: str = "many-body"


FUNCTIONS = tuple(F(((0, n, ell),)) for n in range(1, 13) for ell in range(6))


def made_by(prior, *, n_rows=400, scale=30.0, noise=0.05, seed=0, functions=FUNCTIONS, multiplier=1.0):
    """Random rows whose coefficients were drawn from a prior."""
    rng = np.random.default_rng(seed)
    k = len(functions)
    rows = rng.standard_normal((n_rows, k))
    c = scale * rng.standard_normal(k) / (prior.gamma(functions) * multiplier)
    y = rows @ c + noise * rng.standard_normal(n_rows)
    return Problem((Block("energy", compress(np.column_stack([rows, y]))),)), c


@pytest.mark.parametrize(
    "truth",
    [
        AlgebraicPrior(p=2),
        AlgebraicPrior(p=5),
        ExponentialPrior(wn=1 / 0.4, wl=1 / 0.6),
        GaussianPrior(wn=6, wl=12),
    ],
    ids=lambda prior: prior.kind,
)
def test_the_family_that_made_the_coefficients_is_found(truth):
    problem, _ = made_by(truth)
    choice = choose_prior(EvidencePrior(caution=0.0), problem, FUNCTIONS)
    assert choice.prior.kind == truth.kind
    found = np.corrcoef(np.log(choice.gamma), truth.log_gamma(FUNCTIONS))[0, 1]
    assert found > 0.995
    assert np.std(np.log(choice.gamma)) == pytest.approx(np.std(truth.log_gamma(FUNCTIONS)), rel=0.25)


def test_coefficients_without_a_law_call_for_no_prior():
    problem, _ = made_by(NoPrior(), n_rows=60)
    assert (
        choose_prior(EvidencePrior(families=("none", "algebraic")), problem, FUNCTIONS).prior.kind == "none"
    )


def test_the_evidence_is_that_of_blr():
    problem, _ = made_by(AlgebraicPrior(p=3))
    trials = choose_prior(EvidencePrior(), problem, FUNCTIONS).trials
    for trial in trials[::3]:
        rows = problem.triangle.copy()
        rows[:, :-1] /= trial.prior.gamma(FUNCTIONS)
        scaled = Problem((Block("energy", compress(rows, problem.n_rows)),))
        assert trial.log_evidence == pytest.approx(BLR().solve(scaled).log_evidence, abs=1e-3)


def test_the_best_of_a_fine_grid_is_hardly_better():
    problem, _ = made_by(AlgebraicPrior(p=3.3))
    ladder = max(t.log_evidence for t in choose_prior(EvidencePrior(), problem, FUNCTIONS).trials)
    grid = tuple(AlgebraicPrior(p=p) for p in np.linspace(0.5, 8, 60))
    fine = max(
        t.log_evidence for t in choose_prior(EvidencePrior(candidates=grid), problem, FUNCTIONS).trials
    )
    assert fine - ladder < 3.0


def test_caution_prefers_the_gentler_of_equals():
    problem, _ = made_by(AlgebraicPrior(p=4), n_rows=50)
    bold = choose_prior(EvidencePrior(caution=0.0), problem, FUNCTIONS)
    careful = choose_prior(EvidencePrior(caution=0.2), problem, FUNCTIONS)
    assert np.std(np.log(careful.gamma)) < np.std(np.log(bold.gamma))
    by_prior = {str(t.prior): t.log_evidence for t in careful.trials}
    assert by_prior[str(careful.prior)] >= max(by_prior.values()) - 0.2 * problem.n_rows


def test_strengths_of_groups_are_found():
    functions = tuple(F(f.channels, kind="pair" if k % 2 else "many-body") for k, f in enumerate(FUNCTIONS))
    multiplier = np.where([f.kind == "pair" for f in functions], 20.0, 1.0)
    problem, _ = made_by(NoPrior(), functions=functions, multiplier=multiplier, noise=0.01)
    prior = EvidencePrior(families=("none",), strengths="body_order")
    strengths = choose_prior(prior, problem, functions).strengths
    assert strengths["pair"] / strengths["order 1"] == pytest.approx(20.0, rel=0.35)  # 36 draws each


def test_strengths_never_lower_the_evidence():
    functions = tuple(F(f.channels * (1 + k % 3), centre=k % 2) for k, f in enumerate(FUNCTIONS))
    problem, _ = made_by(AlgebraicPrior(p=3), functions=functions)

    def evidence(gamma):
        rows = problem.triangle.copy()
        rows[:, :-1] /= gamma
        return BLR().solve(Problem((Block("energy", compress(rows, problem.n_rows)),))).log_evidence

    shared = choose_prior(EvidencePrior(), problem, functions)
    for by in ("body_order", "species", "both"):
        grouped = choose_prior(EvidencePrior(strengths=by), problem, functions)
        assert evidence(grouped.gamma) >= evidence(shared.gamma) - 1e-3
        assert len(grouped.strengths) == {"body_order": 3, "species": 2, "both": 6}[by]


def test_the_choice_repeats_itself():
    problem, _ = made_by(AlgebraicPrior(p=3))
    first, second = (choose_prior(EvidencePrior(), problem, FUNCTIONS) for _ in range(2))
    assert first.prior == second.prior
    np.testing.assert_array_equal(first.gamma, second.gamma)


def test_what_it_cannot_do_is_said():
    problem, _ = made_by(AlgebraicPrior())
    with pytest.raises(ConfigError, match="quantum numbers"):
        choose_prior(EvidencePrior(), problem, ())
    with pytest.raises(ConfigError, match="chosen by data"):
        EvidencePrior().gamma(FUNCTIONS)
    with pytest.raises(ValueError, match="fixed shape"):
        EvidencePrior(candidates=["evidence"])
    empty = Problem((Block("energy", compress(np.zeros((0, len(FUNCTIONS) + 1)))),))
    with pytest.raises(SolverError, match="no row is left"):
        choose_prior(EvidencePrior(), empty, FUNCTIONS)


def test_solving_with_the_evidence_prior_is_solving_with_the_prior_it_chose():
    source = SyntheticRows()
    system = assemble(
        source, labelled(source, 20, coefficients=1.0 / AlgebraicPrior(p=3).gamma(source.functions))
    )
    fit = solve(system, prior=EvidencePrior(likelihood_power=1.0))
    again = solve(system, prior=parse_prior(fit.settings["prior"]))
    np.testing.assert_allclose(fit.coefficients, again.coefficients, rtol=1e-9)
    assert fit.log_evidence == pytest.approx(again.log_evidence, abs=1e-6)
    assert len(fit.settings["prior_choice"]["trials"]) > 5
    json.dumps(fit.to_dict())


def test_the_choice_can_be_repeated_with_its_one_candidate():
    source = SyntheticRows()
    system = assemble(source, labelled(source, 20))
    fit = solve(system, prior="evidence")
    again = solve(system, prior=EvidencePrior(candidates=(fit.settings["prior"],)))
    np.testing.assert_allclose(fit.coefficients, again.coefficients, rtol=1e-9)
    assert again.settings["prior_choice"]["trials"] == []


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_tempering_is_the_power_of_the_likelihood(power):
    """-2 log p_τ, maximised over σ², against the formula on dense matrices."""
    problem, _ = made_by(AlgebraicPrior(p=2), n_rows=500)
    blocks = tempered(problem.blocks, power)
    found = BLR().solve(Problem(tuple(blocks)))
    rows, target = problem.R, problem.z
    variance, prior = found.noise["energy"] ** 2, found.prior_scale**2

    def minus_two_log(variance, prior):
        precision = power * rows.T @ rows / variance + np.eye(rows.shape[1]) / prior
        mean = np.linalg.solve(precision, power * rows.T @ target / variance)
        misfit = np.sum((rows @ mean - target) ** 2) + problem.residual_squared
        return (
            power * misfit / variance
            + mean @ mean / prior
            + np.linalg.slogdet(precision * prior)[1]
            + power * problem.n_rows * np.log(2.0 * np.pi * variance)
        ), mean

    best, mean = minus_two_log(variance, prior)
    assert -2.0 * found.log_evidence == pytest.approx(best, rel=1e-9)
    np.testing.assert_allclose(found.coefficients, mean, rtol=1e-6, atol=1e-9)
    for change in (0.98, 1.02):
        assert minus_two_log(variance * change, prior)[0] > best
        assert minus_two_log(variance, prior * change)[0] > best


def test_tempering_asks_for_a_stronger_prior_and_a_wider_posterior():
    problem, _ = made_by(AlgebraicPrior(p=2), n_rows=120, noise=1.0)
    plain, half = (BLR().solve(Problem(tuple(tempered(problem.blocks, power)))) for power in (1.0, 0.5))
    assert half.noise["energy"] / half.prior_scale > plain.noise["energy"] / plain.prior_scale
    widths = [np.linalg.inv(s.precision_factor.T @ s.precision_factor).diagonal() for s in (plain, half)]
    assert np.median(widths[1] / widths[0]) > 1.2


def test_restraints_are_not_tempered():
    factor = compress(np.ones((3, len(FUNCTIONS) + 1)))
    (block,) = tempered([Block("restraint", factor)], 0.5)
    assert block.factor is factor


def test_a_large_basis_is_judged_by_its_functions_of_low_degree():
    problem, _ = made_by(AlgebraicPrior(p=4))
    whole = choose_prior(EvidencePrior(), problem, FUNCTIONS)
    part = choose_prior(EvidencePrior(max_functions=40), problem, FUNCTIONS)
    assert part.gamma.shape == whole.gamma.shape
    assert part.trials[0].log_evidence != whole.trials[0].log_evidence
    np.testing.assert_allclose(np.std(np.log(part.gamma)), np.std(np.log(whole.gamma)), rtol=0.4)
