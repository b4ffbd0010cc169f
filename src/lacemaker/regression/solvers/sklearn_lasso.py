"""scikit-learn's Lasso and elastic net behind our face (extra ``sparse``)."""

import warnings
from typing import Any, Literal

import numpy as np
from pydantic import Field

from lacemaker.errors import LacemakerWarning, SolverError
from lacemaker.regression.problem import Problem, Solution
from lacemaker.regression.solvers.base import Solver

__all__ = ["ElasticNet", "Lasso"]


class _CoordinateDescent(Solver):
    """Minimise ½‖A c - y‖² + λ (ρ ‖c‖₁ + ½ (1 - ρ) ‖c‖²), c = Γθ, by coordinate descent.

    Parameters
    ----------
    penalty : float
        λ relative to the largest, where all coefficients vanish.
    tolerance : float
        On the duality gap, relative to ‖y‖².
    max_iterations : int
    """

    penalty: float = Field(default=1e-5, gt=0.0, le=1.0)
    tolerance: float = Field(default=1e-4, gt=0.0)
    max_iterations: int = Field(default=5000, ge=1)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`."""
        share = float(getattr(self, "l1_share", 1.0))
        model = _import("ElasticNet")
        matrix, target = np.array(problem.R, order="F"), np.array(problem.z)
        largest = float(np.abs(matrix.T @ target).max(initial=0.0)) / share
        machine = model(
            alpha=self.penalty * largest / max(len(target), 1),
            l1_ratio=share,
            fit_intercept=False,
            precompute=True,
            tol=self.tolerance,
            max_iter=self.max_iterations,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            coefficients = np.asarray(machine.fit(matrix, target).coef_, dtype=np.float64)
        if caught:
            warnings.warn(
                LacemakerWarning(
                    f"Coordinate descent stopped early. Found: {machine.n_iter_} iterations, duality gap "
                    f"{machine.dual_gap_:.1e}. Raise max_iterations or penalty, or use ASP, which is exact."
                ),
                stacklevel=3,
            )
        misfit = matrix @ coefficients - target
        kept = int(np.count_nonzero(coefficients))
        square = float(misfit @ misfit) + problem.residual_squared
        sigma = float(np.sqrt(square / (problem.n_rows - kept))) if problem.n_rows > kept else 0.0
        return Solution(
            coefficients=coefficients,
            noise={block.kind: sigma for block in problem.blocks},
            rank=kept,
            condition=float("nan"),
            message=f"kept {kept} of {problem.n_columns} functions, {machine.n_iter_} iterations",
            details={"penalty": self.penalty * largest},
        )


class Lasso(_CoordinateDescent):
    """scikit-learn's Lasso at one λ; :class:`ASP` gives all of them, exactly."""

    kind: Literal["lasso"] = "lasso"


class ElasticNet(_CoordinateDescent):
    """scikit-learn's elastic net.

    Parameters
    ----------
    l1_share : float
        ρ: 1 is the Lasso, smaller values share weight among correlated functions.
    """

    kind: Literal["elastic_net"] = "elastic_net"
    l1_share: float = Field(default=0.9, gt=0.0, le=1.0)


def _import(name: str) -> Any:
    try:
        from sklearn import linear_model
    except ImportError as error:
        raise SolverError(
            "The solvers lasso and elastic_net need scikit-learn. Found none installed. "
            "Run: pip install 'lacemaker[sparse]', or use solver: asp."
        ) from error
    return getattr(linear_model, name)
