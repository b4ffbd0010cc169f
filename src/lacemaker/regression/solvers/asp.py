"""Active-set pursuit: the Lasso path."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from lacemaker.regression.homotopy import Breakpoint, lasso_path, polished
from lacemaker.regression.path_cost import FunctionCosts
from lacemaker.regression.problem import Problem
from lacemaker.regression.solvers.path_base import PathPoint, PathSolver

__all__ = ["ASP"]


class ASP(PathSolver):
    """Every solution of min ½‖A c - y‖² + λ‖c‖₁, c = Γθ, from large λ down, by a dual active set.

    Of each size the model of smallest λ is kept and, by default, refitted by evidence on its support. See
    :class:`PathSolver` for the other parameters.

    Parameters
    ----------
    min_penalty : float
        Smallest λ, relative to the largest (where the first function enters).

    Notes
    -----
    Agrees with scikit-learn's ``lars_path(method="lasso")`` and ``lasso_path``; kept points are polished, so
    that their optimality conditions hold to 1e-8 of λ, or to round-off where that is more
    (:func:`lacemaker.regression.homotopy.violation`). With ``cost_weight`` the
    penalty of a function grows with what it costs on its own.
    """

    kind: Literal["asp"] = "asp"
    min_penalty: float = Field(default=0.0, ge=0.0, lt=1.0)

    def trace(self, problem: Problem) -> Iterator[PathPoint]:
        """See :class:`PathSolver`."""
        sizes = set(self.wanted_sizes(problem.n_columns))
        penalties = None
        if self.cost_weight > 0.0 and problem.functions:
            penalties = FunctionCosts(problem.functions).penalties([], self.cost_weight)
        kept: dict[int, Breakpoint] = {}
        first = 0.0
        last: Breakpoint | None = None
        for point in lasso_path(problem.R, problem.z, max_active=max(sizes), penalties=penalties):
            first = max(first, point.penalty)
            size = len(point.support)
            if size in sizes:
                kept[size] = point
            last = point
            if point.penalty < self.min_penalty * first:
                break
        if last is not None and len(last.support) > 0:
            kept.setdefault(len(last.support), last)
        for size in sorted(kept):
            point = polished(problem.R, problem.z, kept[size], penalties)
            yield PathPoint(point.support, point.coefficients, point.penalty)
