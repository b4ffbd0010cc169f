"""Choosing the prior by evidence: families, their shapes, and strengths of groups of functions.

Γ only rescales columns, so that a trial needs no rows: one bidiagonalisation of R/Γ gives the log evidence
with noise and σ₀ at their best (:mod:`lacemaker.regression.shared_noise`). The shape of a family is one
number, whose evidence has in practice one maximum: a ladder of values is climbed from its middle, then a
parabola through the best three is tried once. Deterministic; about six trials per family.

The evidence takes rows for independent. Those of one structure are not: what the basis cannot describe is
common to them, which makes the evidence too sure of itself. So the likelihood is raised to a power τ < 1,

    -2 log p_τ(y) = τ (S(λ)/σ² + N log 2πσ²) + Σ log(1 + d²/λ)

which is the evidence of √τ times the rows, counted as τ N (:func:`tempered`): whoever solves the tempered
problem by evidence gets the strength and the width of the posterior that go with it. Among priors whose
evidence is within a margin in proportion to the rows, the gentlest is taken: that under which log γ varies
least.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import ConfigError, SolverError
from lacemaker.priors import (
    AlgebraicPrior,
    EvidencePrior,
    ExponentialPrior,
    GaussianPrior,
    NoPrior,
    Prior,
    SOAPPrior,
)
from lacemaker.regression.evidence import Component, maximise_evidence
from lacemaker.regression.factor import Factor
from lacemaker.regression.lapack import singular_projection
from lacemaker.regression.path_problem import restricted
from lacemaker.regression.problem import Block, Problem
from lacemaker.regression.shared_noise import EvidenceProfile

__all__ = ["PriorChoice", "Trial", "choose_prior", "tempered"]

Vector = NDArray[np.float64]

FLOOR = 1e-8  # of noise and σ₀, as in BLR
STRONGEST, WEAKEST = 1e4, 1e-4  # of a group against the geometric mean of all


class Trial(NamedTuple):
    """A prior that was tried, the log evidence under it, and the standard deviation of log γ."""

    prior: Prior
    log_evidence: float
    spread: float


@dataclass(frozen=True, eq=False)
class PriorChoice:
    """The prior chosen by the data.

    Attributes
    ----------
    prior : Prior
    gamma : (K,) array
        Its damping factors, strengths of groups included.
    trials : tuple of Trial
        In the order they were made.
    strengths : mapping
        γ multiplier by group of functions; empty for one strength.
    """

    prior: Prior
    gamma: Vector
    trials: tuple[Trial, ...]
    strengths: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "prior": self.prior.model_dump(),
            "strengths": self.strengths,
            "trials": [
                {
                    **trial.prior.model_dump(),
                    "log_evidence": trial.log_evidence,
                    "spread": trial.spread,
                }
                for trial in self.trials
            ],
        }


def _ladder(family: str) -> tuple[Callable[[float], Prior], Vector]:
    """How to make a prior of a family from its shape, and the shapes to climb, gentle first."""
    if family == "none":
        return (lambda shape: NoPrior()), np.ones(1)
    if family == "algebraic":
        return (lambda p: AlgebraicPrior(p=p)), np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0])
    if family == "exponential":
        rates = np.array([0.03, 0.06, 0.12, 0.2, 0.3, 0.4, 0.55, 0.8])
        return (lambda rate: ExponentialPrior(wn=1.0 / rate, wl=1.0 / (1.5 * rate))), rates
    if family == "gaussian":  # σ/rcut of the closed form of SOAPPrior, cross term aside
        shares = np.array([0.02, 0.035, 0.055, 0.08, 0.11, 0.15, 0.2, 0.28])
        scale = np.sqrt(0.5) * np.pi
        return (lambda share: GaussianPrior(wn=1.0 / (scale * share), wl=2.0 / (scale * share))), shares
    return (lambda sigma: SOAPPrior(sigma=sigma)), np.array([0.12, 0.2, 0.32, 0.5, 0.7, 1.0, 1.4, 2.0])


def tempered(blocks: Sequence[Block], power: float) -> list[Block]:
    """The blocks with the likelihood of their data raised to a power; restraints are beliefs and stay."""
    if power == 1.0:
        return list(blocks)
    return [
        block if block.kind == "restraint" else Block(block.kind, _tempered(block.factor, power))
        for block in blocks
    ]


def _tempered(factor: Factor, power: float) -> Factor:
    return Factor(np.sqrt(power) * factor.array, max(round(power * factor.n_rows), min(factor.n_rows, 1)))


def choose_prior(
    prior: EvidencePrior, problem: Problem, functions: Sequence[Any], basis: Any = None
) -> PriorChoice:
    """Choose among priors by the evidence of a problem whose columns are not scaled.

    Parameters
    ----------
    prior : EvidencePrior
        What to compare.
    problem : Problem
        Columns as they are, Γ = 1; tempered already.
    functions : sequence
        Quantum numbers of the columns.
    basis : ACEBasis, optional
        Needed by the exact broadening.

    Raises
    ------
    ConfigError
        When the functions have no quantum numbers.
    SolverError
        When no row is left to judge by.
    """
    if len(functions) != problem.n_columns:
        raise ConfigError(
            "The evidence prior needs the quantum numbers of the functions. Found a system of bare numbers. "
            "Use prior=None, or a row source with functions."
        )
    if problem.n_rows < 1:
        raise SolverError(
            "The prior cannot be chosen: no row is left once the one-body energies are fitted. Found "
            f"{problem.n_columns} functions. Add structures, or give E0 and a prior such as 'algebraic'."
        )
    best, trials = _compared(prior, problem, functions, basis)
    log_gamma = best.log_gamma(functions, basis=basis)
    if prior.strengths == "shared":
        return PriorChoice(best, np.exp(log_gamma), trials)
    labels = _groups(functions, prior.strengths, getattr(basis, "elements", None))
    factors, strengths = _strengths(problem, log_gamma, labels)
    return PriorChoice(best, np.exp(log_gamma) * factors, trials, strengths)


def _compared(
    prior: EvidencePrior, problem: Problem, functions: Sequence[Any], basis: Any
) -> tuple[Prior, tuple[Trial, ...]]:
    """The best prior and what it was compared with, judged on the functions of lowest degree."""
    if len(prior.candidates) == 1:
        return prior.candidates[0], ()
    margin = prior.caution * problem.n_rows
    if len(functions) > prior.max_functions:
        degrees = [sum(n + 1.5 * ell for _, n, ell in function.channels) for function in functions]
        kept = np.sort(np.argsort(degrees, kind="stable")[: prior.max_functions])
        problem, functions = restricted(problem, kept), [functions[i] for i in kept]
    search = _Search(problem, functions, basis, prior.tolerance, margin)
    if prior.candidates:
        for candidate in prior.candidates:
            search.try_one(candidate)
    else:
        search.explore([_ladder(family) for family in prior.families])
    return search.choose().prior, tuple(search.trials)


class _Search:
    """Evidence of priors on one problem, remembered."""

    def __init__(
        self, problem: Problem, functions: Sequence[Any], basis: Any, tolerance: float, margin: float
    ) -> None:
        self.trials: list[Trial] = []
        self._problem, self._functions, self._basis = problem, functions, basis
        self._tolerance, self._margin = tolerance, margin

    def try_one(self, prior: Prior) -> float:
        """Log evidence under a prior; a trial that repeats an earlier one costs nothing."""
        for trial in self.trials:
            if trial.prior == prior:
                return trial.log_evidence
        problem = self._problem
        log_gamma = prior.log_gamma(self._functions, basis=self._basis)
        scaled = problem.R * np.exp(-log_gamma)
        values, projection = singular_projection(scaled, problem.z)
        profile = EvidenceProfile(values, projection, problem.residual_squared, problem.n_rows)
        value = profile.maximise(FLOOR, FLOOR).log_evidence
        self.trials.append(Trial(prior, value, float(np.std(log_gamma))))
        return value

    def best(self) -> float:
        """Largest log evidence so far."""
        return max(trial.log_evidence for trial in self.trials)

    def choose(self) -> Trial:
        """Of the priors whose evidence is within the margin, the one that tells functions apart least."""
        good = [trial for trial in self.trials if trial.log_evidence >= self.best() - self._margin]
        return min(good, key=lambda trial: trial.spread)

    def explore(self, ladders: Sequence[tuple[Callable[[float], Prior], Vector]]) -> None:
        """Climb every ladder to its top, then down its gentle side as far as the margin allows."""
        tops = [self._climb(make, shapes) for make, shapes in ladders]
        for (make, shapes), top in zip(ladders, tops, strict=True):
            for k in range(top, -1, -1):
                if self.try_one(make(float(shapes[k]))) < self.best() - self._margin:
                    break

    def _climb(self, make: Callable[[float], Prior], shapes: Vector) -> int:
        """Climb from the middle of a ladder, then try the vertex of a parabola in log shape."""

        def value(k: int) -> float:
            return self.try_one(make(float(shapes[k])))

        at = len(shapes) // 2
        while (best := max((k for k in (at - 1, at, at + 1) if 0 <= k < len(shapes)), key=value)) != at:
            at = best
        if 0 < at < len(shapes) - 1:
            x = np.log(shapes[at - 1 : at + 2])
            vertex, gain = _vertex(x, np.array([value(at - 1), value(at), value(at + 1)]))
            if gain > self._tolerance:
                self.try_one(make(float(np.exp(vertex))))
        return at


def _vertex(x: Vector, y: Vector) -> tuple[float, float]:
    """Where the parabola through three points is highest, and how far above the middle one."""
    a, b, c = np.polyfit(x - x[1], y, 2)
    if a >= 0.0:
        return float(x[1]), 0.0
    return float(np.clip(x[1] - 0.5 * b / a, x[0], x[2])), float(-0.25 * b * b / a + c - y[1])


def _groups(functions: Sequence[Any], by: str, elements: Sequence[str] | None) -> list[str]:
    """Name of each function's group."""

    def name(function: Any) -> str:
        pair = getattr(function, "kind", "") == "pair"
        body = "pair" if pair else f"order {len(function.channels)}"
        centre = getattr(function, "centre", 0)
        species = elements[centre] if elements is not None else f"species {centre}"
        return {"body_order": body, "species": species, "both": f"{species} {body}"}[by]

    return [name(function) for function in functions]


def _strengths(problem: Problem, log_gamma: Vector, labels: list[str]) -> tuple[Vector, dict[str, float]]:
    """γ multipliers (K,) and by group, from the joint maximum of the evidence over noise and all σ₀."""
    names = sorted(set(labels))
    if len(names) == 1:
        return np.ones(len(labels)), {}
    scaled = np.array(problem.triangle, order="F")
    scaled[:, :-1] *= np.exp(-log_gamma)
    values, projection = singular_projection(scaled[:-1, :-1], scaled[:-1, -1])
    hyper = EvidenceProfile(values, projection, problem.residual_squared, problem.n_rows).maximise(
        FLOOR, FLOOR
    )
    limit = -2.0 * np.log(FLOOR)
    n, member = problem.n_columns, np.array([names.index(label) for label in labels])
    parts = [Component("data", Factor(scaled, problem.n_rows), largest_log_weight=limit)]
    for k in range(len(names)):
        rows = np.eye(n, n + 1)[member == k]
        parts.append(
            Component(
                names[k], Factor(np.asfortranarray(rows), len(rows)), is_prior=True, largest_log_weight=limit
            )
        )
    start = np.array([-2.0 * np.log(hyper.noise)] + [-2.0 * np.log(hyper.prior_scale)] * len(names))
    try:
        found = maximise_evidence(parts, [start])
    except ArithmeticError:
        return np.ones(n), {}
    weights = 0.5 * found.log_weights[1:]
    relative = np.clip(np.exp(weights - weights @ np.bincount(member) / n), WEAKEST, STRONGEST)
    return relative[member], {name: float(value) for name, value in zip(names, relative, strict=True)}
