"""Automatic relevance determination: a prior strength per coefficient, by evidence."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lacemaker.errors import SolverError
from lacemaker.regression.lapack import absorb_rows
from lacemaker.regression.problem import Matrix, Problem, Solution
from lacemaker.regression.solvers.base import Solver

__all__ = ["ARD"]

Vector = NDArray[np.float64]

_HYPER = 1e-6  # shape and rate of the Gamma priors, scikit-learn's


class ARD(Solver):
    """Sparse Bayesian regression, c_i ~ N(0, 1/λ_i), c = Γθ: most λ grow without bound and are deleted.

    MacKay's re-estimation as in scikit-learn's ``ARDRegression`` (no intercept), started from λ = 1:

        Σ = (α AᵀA + diag λ)⁻¹,  μ = α Σ Aᵀy,  g_i = 1 - λ_i Σ_ii
        λ_i <- (g_i + 2e-6) / (μ_i² + 2e-6),  α <- (N - Σ g + 2e-6) / (‖y - A μ‖² + 2e-6)

    Parameters
    ----------
    threshold : float
        Coefficients with λ_i at or above this are deleted: the smaller, the sparser. In units of 1/c².
    tolerance : float
        Stop when Σ |μ_i - μ_i(before)| falls below this times Σ |μ_i|.
    max_iterations : int

    Notes
    -----
    Σ comes from a Cholesky factor of the kept columns, and from an orthogonal reduction where rounding of
    the normal equations makes that fail. An iteration costs about n³ operations, n what is left.
    """

    kind: Literal["ard"] = "ard"
    threshold: float = Field(default=100.0, gt=0.0)
    tolerance: float = Field(default=1e-3, gt=0.0, lt=1.0)
    max_iterations: int = Field(default=300, ge=1)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`."""
        search = _Search(problem)
        converged = False
        for iteration in range(1, self.max_iterations + 1):  # noqa: B007
            before = search.coefficients.copy()
            search.estimate()
            search.update()
            search.keep(self.threshold)
            change = np.abs(search.coefficients - before).sum()
            converged = change < self.tolerance * np.abs(search.coefficients).sum()
            if converged or len(search.support) == 0:
                break
        if len(search.support) == 0:
            raise SolverError(
                f"ARD deleted every function. Found threshold {self.threshold:g}, scaled coefficients of "
                f"about {np.abs(before).max(initial=0.0):.1e}. Use a larger threshold (above 1/c²)."
            )
        search.estimate()
        kept = len(search.support)
        return Solution(
            coefficients=search.coefficients,
            noise={block.kind: float(search.alpha**-0.5) for block in problem.blocks},
            rank=kept,
            condition=search.condition,
            message=f"kept {kept} of {problem.n_columns} functions, {iteration} iterations"
            + ("" if converged else " (not converged: raise max_iterations or tolerance)"),
            details={"support": tuple(search.support.tolist()), "iterations": iteration},
        )


class _Search:
    """The state of MacKay's iteration."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._gram: Matrix = problem.R.T @ problem.R
        self._right = problem.R.T @ problem.z
        square = problem.z @ problem.z + problem.residual_squared
        self.alpha = problem.n_rows / max(float(square), np.finfo(float).tiny)
        self.precisions = np.ones(problem.n_columns)
        self.support = np.arange(problem.n_columns)
        self.coefficients = np.zeros(problem.n_columns)
        self.condition = 1.0
        self._variances = np.zeros(0)

    def estimate(self) -> None:
        """Posterior mean and variances of the kept coefficients."""
        from scipy.linalg import lapack

        kept, own = self.support, self.precisions[self.support]
        hessian = self.alpha * self._gram[np.ix_(kept, kept)]
        scale = 1.0 / np.sqrt(np.diagonal(hessian) + own)  # unit diagonal: as well conditioned as scaling can
        hessian[np.diag_indices(len(kept))] += own
        hessian *= scale[:, None] * scale
        factor, info = lapack.dpotrf(hessian.T, lower=0, overwrite_a=1, clean=1)
        if info != 0:
            factor = self._orthogonal(scale)
        mean, _ = lapack.dpotrs(factor, scale * self.alpha * self._right[kept])
        inverse, _ = lapack.dtrtri(factor)
        self._variances = scale**2 * np.einsum("ij,ij->i", inverse, inverse)
        self.coefficients = np.zeros(len(self.precisions))
        self.coefficients[kept] = scale * mean
        diagonal = np.abs(np.diagonal(factor))
        self.condition = float(diagonal.max() / diagonal.min())

    def _orthogonal(self, scale: Vector) -> Matrix:
        """Triangle T with TᵀT = the scaled Hessian, without forming it."""
        from scipy.linalg import qr

        kept = self.support
        rows = np.sqrt(self.alpha) * self._problem.R[:, kept] * scale
        upper = np.asfortranarray(qr(rows, mode="r", overwrite_a=True, check_finite=False)[0][: len(kept)])
        penalty = np.asfortranarray(np.diag(np.sqrt(self.precisions[kept]) * scale))
        absorb_rows(upper, penalty, triangular=True)
        return upper

    def update(self) -> None:
        """New precisions and noise from the posterior."""
        kept, own = self.support, self.precisions[self.support]
        mean = self.coefficients[kept]
        shares = 1.0 - own * self._variances
        self.precisions[kept] = (shares + 2.0 * _HYPER) / (mean**2 + 2.0 * _HYPER)
        misfit = self._problem.R[:, kept] @ mean - self._problem.z
        square = float(misfit @ misfit) + self._problem.residual_squared
        spare = self._problem.n_rows - float(shares.sum())
        self.alpha = (spare + 2.0 * _HYPER) / (square + 2.0 * _HYPER)

    def keep(self, threshold: float) -> None:
        """Delete what has become irrelevant."""
        self.support = self.support[self.precisions[self.support] < threshold]
        irrelevant = np.setdiff1d(np.arange(len(self.precisions)), self.support)
        self.coefficients[irrelevant] = 0.0
