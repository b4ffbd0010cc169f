"""A problem with some of its columns, for refits on the supports of a path."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.factor import Factor
from lacemaker.regression.problem import Block, Matrix, Problem, Solution

__all__ = ["restricted", "scattered"]

Support = NDArray[np.int64]

MOST_WITH_POSTERIOR = 4000  # functions: 128 MB for one model, about twice that for a whole path


def restricted(problem: Problem, support: Support) -> Problem:
    """The problem with the columns of a support, in its order.

    Its triangle is factored from that of ``problem`` (2 K n² operations, whatever the number of rows); the
    blocks of single quantities keep the rows they have and are compressed only by a solver that asks.
    """
    from scipy.linalg import qr

    kept = np.append(support, problem.n_columns)
    blocks = tuple(
        Block(block.kind, Factor(block.factor.array[:, kept], block.factor.n_rows))
        for block in problem.blocks
    )
    functions = tuple(problem.functions[i] for i in support) if problem.functions else ()
    validation = None
    if problem.validation is not None:
        whole, n_all = problem.validation, problem.n_columns

        def validation(coefficients: Matrix) -> Matrix:
            full = np.zeros((*np.shape(coefficients)[:-1], n_all))
            full[..., support] = coefficients
            return whole(full)

    smaller = replace(problem, blocks=blocks, functions=functions, validation=validation)
    upper = qr(problem.triangle[:, kept], mode="r", overwrite_a=True, check_finite=False)[0]
    n = len(kept)
    triangle = np.zeros((n, n), order="F")
    rows = min(n, len(upper))
    triangle[:rows] = np.triu(upper[:rows])
    triangle[np.diagonal(triangle) < 0.0] *= -1.0
    smaller.__dict__["triangle"] = triangle  # what the cached property would compute, at less cost
    return smaller


def scattered(solution: Solution, support: Support, n_columns: int, **details: object) -> Solution:
    """A solution on a support as one of all K columns, zero elsewhere.

    Its posterior is that of the support; above ``MOST_WITH_POSTERIOR`` functions it is given up for memory.
    """
    full = np.zeros(n_columns)
    full[support] = solution.coefficients
    merged: Mapping[str, object] = {**solution.details, **details}
    factor = solution.precision_factor if len(support) <= MOST_WITH_POSTERIOR else None
    return replace(solution, coefficients=full, precision_factor=factor, support=support, details=merged)
