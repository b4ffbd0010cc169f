"""Bayesian linear regression: noise and prior strength by maximising the evidence."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from lacemaker.errors import SolverError
from lacemaker.regression.evidence import Component, EvidenceMaximum, maximise_evidence
from lacemaker.regression.factor import Factor
from lacemaker.regression.lapack import Bidiagonal
from lacemaker.regression.low_rank_evidence import LowRankEvidence
from lacemaker.regression.problem import Matrix, Problem, Solution, ridge_factor
from lacemaker.regression.shared_noise import EvidenceProfile
from lacemaker.regression.solvers.base import Solver

__all__ = ["BLR"]


class BLR(Solver):
    """Bayesian ridge regression, c ~ N(0, σ₀² I) with c = Γθ; σ₀ and the noise by maximum evidence.

    Parameters
    ----------
    noise : {"shared", "per_quantity"}
        One σ for all weighted rows (the weights say how quantities relate), or one σ each for energy,
        forces and virial (the data say so; weights then matter only between config_types).
    noise_floor, prior_floor : float
        Smallest σ, in units of the weighted rows, and smallest σ₀.
    tolerance : float
        Per-quantity noise: how near the maximum to stop, in posterior standard deviations of log σ.

    Notes
    -----
    Shared noise: one bidiagonalisation, then a global search over σ/σ₀
    (:mod:`lacemaker.regression.shared_noise`). Per quantity: L-BFGS from the shared solution and from its
    residuals (:mod:`lacemaker.regression.evidence`). Coefficients come from an orthogonal reduction of [R
    z; σ/σ₀ 0], never from normal equations. Where all quantities but one have few rows, the search works on
    the bidiagonal (:mod:`lacemaker.regression.low_rank_evidence`). Restraint rows keep
    the shared noise. Agrees with scikit-learn's ``BayesianRidge`` without intercept and hyper-priors.
    """

    kind: Literal["blr"] = "blr"
    noise: Literal["shared", "per_quantity"] = "shared"
    noise_floor: float = Field(default=1e-8, gt=0.0, allow_inf_nan=False)
    prior_floor: float = Field(default=1e-8, gt=0.0, allow_inf_nan=False)
    tolerance: float = Field(default=1e-3, gt=0.0, lt=1.0)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`."""
        if problem.n_rows < 1:
            raise SolverError(
                "Noise and prior cannot be estimated: no row is left once the one-body energies are fitted. "
                f"Found {problem.n_columns} functions and {problem.n_rows} rows. Add structures, or give E0."
            )
        bidiagonal = Bidiagonal(problem.R)
        shared = self._shared(problem, bidiagonal)
        if self.noise == "shared" or not np.any(shared.coefficients):
            return shared
        return self._per_quantity(problem, shared, bidiagonal)

    def _shared(self, problem: Problem, bidiagonal: Bidiagonal) -> Solution:
        values, projection = bidiagonal.singular_projection(problem.z)
        profile = EvidenceProfile(values, projection, problem.residual_squared, problem.n_rows)
        hyper = profile.maximise(self.noise_floor, self.prior_floor)
        ridge = hyper.noise / hyper.prior_scale
        reduced = ridge_factor(problem, ridge)
        return Solution(
            coefficients=_back_substitute(reduced.T, reduced.t),
            noise={block.kind: hyper.noise for block in problem.blocks},
            rank=int(np.sum(values > len(values) * np.finfo(float).eps * values.max(initial=0.0))),
            condition=float(np.hypot(values[0], ridge) / np.hypot(values[-1], ridge)),
            message=hyper.message,
            prior_scale=hyper.prior_scale,
            log_evidence=hyper.log_evidence,
            precision_factor=reduced.T / hyper.noise,
            details={
                "effective_parameters": float(np.sum(values**2 / (values**2 + ridge**2))),
                "singular_values": (float(values[0]), float(values[-1])),
            },
        )

    def _per_quantity(self, problem: Problem, shared: Solution, bidiagonal: Bidiagonal) -> Solution:
        components = self._components(problem)
        cheap = None
        if LowRankEvidence.suits(components):
            cheap = LowRankEvidence(components, bidiagonal, problem.z, problem.residual_squared)
        try:
            found = maximise_evidence(
                components, _starts(problem, shared), cheap=cheap, tolerance=self.tolerance
            )
        except ArithmeticError as error:
            raise SolverError(
                f"The noise of each quantity could not be estimated: {error}. Found {problem.n_columns} "
                f"functions, {problem.n_rows} rows. Use noise='shared', a stronger prior or a larger "
                "noise_floor."
            ) from error
        sigmas = np.exp(-0.5 * found.log_weights)
        return Solution(
            coefficients=found.coefficients,
            noise={block.kind: float(s) for block, s in zip(problem.blocks, sigmas, strict=False)},
            rank=shared.rank,
            condition=_condition(found),
            message=f"per-quantity noise {found.message}",
            prior_scale=float(sigmas[-1]),
            log_evidence=found.log_evidence,
            precision_factor=found.precision_factor,
            details={
                "evaluations": found.n_evaluations,
                "slope_left": found.slope,
                "log_evidence_shared": shared.log_evidence,
            },
        )

    def _components(self, problem: Problem) -> list[Component]:
        limit = -2.0 * np.log(self.noise_floor)
        parts = [
            Component(block.kind, block.factor, free=block.kind != "restraint", largest_log_weight=limit)
            for block in problem.blocks
        ]
        n = problem.n_columns
        identity: Matrix = np.zeros((n + 1, n + 1), order="F")
        np.fill_diagonal(identity[:n, :n], 1.0)
        limit = -2.0 * np.log(self.prior_floor)
        return [*parts, Component("prior", Factor(identity, n), is_prior=True, largest_log_weight=limit)]


def _starts(problem: Problem, shared: Solution) -> list[Matrix]:
    """Log weights to begin from: the shared noise, and each quantity's residual under the shared solution."""
    assert shared.prior_scale is not None
    prior = -2.0 * np.log(shared.prior_scale)
    common = -2.0 * np.log(shared.noise[problem.blocks[0].kind])
    moments = []
    for block in problem.blocks:
        square = float(block.factor.residual(shared.coefficients)) / max(block.factor.n_rows, 1)
        usable = block.kind != "restraint" and square > 0.0
        moments.append(max(-np.log(square), common - 12.0) if usable else common)
    return [np.array([common] * len(problem.blocks) + [prior]), np.array([*moments, prior])]


def _condition(found: EvidenceMaximum) -> float:
    from lacemaker.regression.lapack import reciprocal_condition

    inverse = reciprocal_condition(found.precision_factor)
    return 1.0 / inverse if inverse > 0.0 else np.inf


def _back_substitute(triangle: Matrix, right: Matrix) -> Any:
    from scipy.linalg import solve_triangular

    return solve_triangular(triangle, right, check_finite=False)
