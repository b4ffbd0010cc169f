"""Orthogonal matching pursuit."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from lacemaker.regression.path_cost import FunctionCosts
from lacemaker.regression.problem import Matrix, Problem
from lacemaker.regression.pursuit import matching_pursuit
from lacemaker.regression.solvers.path_base import PathPoint, PathSolver

__all__ = ["OMP"]


class OMP(PathSolver):
    """Greedy selection: add the function that correlates most with the residual, fit anew, repeat.

    As good as :class:`ASP` in most cases and several times cheaper; supports are nested. Chooses as
    scikit-learn's ``orthogonal_mp_gram`` does. See :class:`PathSolver` for the parameters.

    Notes
    -----
    Cost 2 n K² + 4 n² K operations for n of K functions. With ``cost_weight`` the marginal cost of every
    function is counted anew after each choice.
    """

    kind: Literal["omp"] = "omp"

    def trace(self, problem: Problem) -> Iterator[PathPoint]:
        """See :class:`PathSolver`."""
        sizes = self.wanted_sizes(problem.n_columns)
        weigh = None
        if self.cost_weight > 0.0 and problem.functions:
            costs = FunctionCosts(problem.functions)

            def weigh(active: list[int]) -> Matrix:
                return 1.0 / costs.penalties(active, self.cost_weight)

        factor = matching_pursuit(problem.R, problem.z, max_active=sizes[-1], weigh=weigh)
        found, target = len(factor.active), factor.projection
        inactive = np.setdiff1d(np.arange(problem.n_columns), factor.active)
        left = float(np.abs(factor.correlations[inactive]).max(initial=0.0))
        for size in sorted({min(size, found) for size in sizes} - {0}):
            yield PathPoint(
                support=np.array(factor.active[:size], dtype=np.int64),
                coefficients=factor.backward(target[:size]),
                penalty=left if size == found else float(np.nan),
            )
