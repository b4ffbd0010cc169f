"""Least squares and ridge regression by orthogonal factors."""

from typing import Literal

import numpy as np
from pydantic import Field

from lacemaker.regression.lapack import reciprocal_condition
from lacemaker.regression.problem import Matrix, Problem, Ridge, Solution, ridge_factor
from lacemaker.regression.solvers.base import Solver

__all__ = ["QR"]


class QR(Solver):
    """Minimise ‖A c - y‖² + ridge² ‖c‖², c = Γθ.

    The penalty is the *square* of ``ridge`` (the convention of ACEfit's QR, which stacks λΓ under the rows);
    scikit-learn's ``Ridge(alpha)`` has alpha = ridge².

    Parameters
    ----------
    ridge : float
        λ >= 0, in units of the weighted rows per unit of scaled coefficient.

    Notes
    -----
    Without a ridge and with dependent columns, the solution of least norm ‖c‖ is returned, and its message
    says how many directions the data leave open. One-body energies are never penalised.
    """

    kind: Literal["qr"] = "qr"
    ridge: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`."""
        reduced = ridge_factor(problem, self.ridge)
        n = problem.n_columns
        inverse_condition = reciprocal_condition(reduced.T)
        if inverse_condition > 10 * n * np.finfo(float).eps:
            return _regular(problem, reduced, inverse_condition, self.ridge)
        return _deficient(problem, reduced)


def _regular(problem: Problem, reduced: Ridge, inverse_condition: float, ridge: float) -> Solution:
    from scipy.linalg import solve_triangular

    coefficients = solve_triangular(reduced.T, reduced.t)
    misfit = problem.R @ coefficients - problem.z
    sigma = _noise(problem, float(misfit @ misfit), problem.n_columns)
    return Solution(
        coefficients=coefficients,
        noise={block.kind: sigma for block in problem.blocks},
        prior_scale=sigma / ridge if ridge > 0.0 else None,
        precision_factor=reduced.T / sigma if sigma > 0.0 else None,
        rank=problem.n_columns,
        condition=1.0 / inverse_condition,
        message="solved exactly by back substitution",
    )


def _deficient(problem: Problem, reduced: Ridge) -> Solution:
    from scipy.linalg import lstsq

    n = problem.n_columns
    coefficients, _, rank, _ = lstsq(
        reduced.T, reduced.t, cond=n * np.finfo(float).eps, lapack_driver="gelsy", check_finite=False
    )
    misfit: Matrix = problem.R @ coefficients - problem.z
    sigma = _noise(problem, float(misfit @ misfit), int(rank))
    return Solution(
        coefficients=coefficients,
        noise={block.kind: sigma for block in problem.blocks},
        rank=int(rank),
        condition=np.inf,
        message=(
            f"the data determine {rank} of {n} combinations of basis functions to working precision; of the "
            "rest, found the solution of least norm. Use BLR or a ridge, a smaller basis, or more data"
        ),
    )


def _noise(problem: Problem, misfit: float, rank: int) -> float:
    """Unbiased estimate of the noise of the weighted rows (0 without spare rows)."""
    spare = problem.n_rows - rank
    return float(np.sqrt((misfit + problem.residual_squared) / spare)) if spare > 0 else 0.0
