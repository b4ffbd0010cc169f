"""Iterative least squares."""

from typing import Literal

import numpy as np
from pydantic import Field

from lacemaker.errors import SolverError
from lacemaker.regression.problem import Problem, Solution
from lacemaker.regression.solvers.base import Solver

__all__ = ["LSQR"]

_REASONS = {
    0: "the target is orthogonal to all functions",
    1: "the target is fitted to the tolerance",
    2: "the least-squares solution is reached to the tolerance",
    3: "the condition number reached its limit",
    4: "the target is fitted to machine precision",
    5: "the least-squares solution is reached to machine precision",
    6: "the condition number reached what machine precision allows",
    7: "the iterations ran out",
}


class LSQR(Solver):
    """Golub–Kahan iteration on A, c = Γθ (Paige and Saunders, ACM TOMS 8, 43 (1982)).

    Minimises ‖A c - y‖² + damp² ‖c‖². Stopping early regularises: singular directions of small weight are
    found last.

    Parameters
    ----------
    damp : float
        As :class:`QR`'s ``ridge``.
    atol, btol : float
        Tolerances on Aᵀr and on r.
    condition_limit : float
        Largest condition estimate to go on with.
    max_iterations : int
    """

    kind: Literal["lsqr"] = "lsqr"
    damp: float = Field(default=5e-3, ge=0.0, allow_inf_nan=False)
    atol: float = Field(default=1e-6, ge=0.0, lt=1.0)
    btol: float = Field(default=1e-6, ge=0.0, lt=1.0)
    condition_limit: float = Field(default=1e8, gt=1.0)
    max_iterations: int = Field(default=100_000, ge=1)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`."""
        from scipy.sparse.linalg import lsqr

        coefficients, reason, iterations, *_, condition, _, _, _ = lsqr(
            problem.R, problem.z, damp=self.damp, atol=self.atol, btol=self.btol,
            conlim=self.condition_limit, iter_lim=self.max_iterations,
        )  # fmt: skip
        if reason == 7:
            raise SolverError(
                f"LSQR did not converge. Found {iterations} iterations, condition estimate {condition:.1e}. "
                "Use a larger damp or atol, a stronger prior, or QR, which needs no iterations."
            )
        misfit = problem.R @ coefficients - problem.z
        spare = problem.n_rows - problem.n_columns
        square = float(misfit @ misfit) + problem.residual_squared
        sigma = float(np.sqrt(square / spare)) if spare > 0 else 0.0
        return Solution(
            coefficients=coefficients,
            noise={block.kind: sigma for block in problem.blocks},
            rank=problem.n_columns,
            condition=float(condition),
            message=f"{_REASONS[int(reason)]}, after {iterations} iterations",
            details={"iterations": int(iterations)},
        )
