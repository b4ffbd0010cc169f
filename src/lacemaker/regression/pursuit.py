"""Orthogonal matching pursuit: take the column most correlated with what is left, fit anew, repeat.

(Pati, Rezaiifar and Krishnaprasad, Asilomar 1993.) The residual stays orthogonal to the active columns, so
that its correlations change by one column of W per step (:mod:`lacemaker.regression.updating`). Columns are
taken as they are: the prior's scaling is part of the choice, unit norms would undo it. Ties go to the
smallest index; columns that depend on the active ones are passed over.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.updating import ActiveFactor

__all__ = ["matching_pursuit"]

Vector = NDArray[np.float64]

_TIE = 1e-12
_NOTHING_LEFT = 1e-13  # correlation, relative to norms of column and target, that is only round-off

Weigh = Callable[[list[int]], Vector]


def matching_pursuit(
    matrix: NDArray[np.float64], target: Vector, *, max_active: int, weigh: Weigh | None = None
) -> ActiveFactor:
    """Return the factor of the columns chosen, in the order in which they were.

    Parameters
    ----------
    matrix : (m, K) array
    target : (m,) array
    max_active : int
        Columns to choose; fewer when the target is fitted or all the rest is dependent.
    weigh : callable, optional
        Of the active columns gives (K,) factors by which correlations are multiplied before comparing.

    Returns
    -------
    ActiveFactor
        The model of n functions is R[:n, :n]⁻¹ (Qᵀy)[:n]: the path is nested.
    """
    factor = ActiveFactor(matrix, target, max_active)
    allowed = np.ones(factor.shape[1], dtype=bool)
    norms = np.linalg.norm(matrix, axis=0)
    smallest = _NOTHING_LEFT * norms * np.linalg.norm(target)
    while len(factor.active) < factor.capacity:
        correlations = np.abs(factor.correlations)
        allowed &= correlations > smallest
        scores = correlations if weigh is None else correlations * weigh(factor.active)
        scores = np.where(allowed, scores, 0.0)
        best = float(scores.max(initial=0.0))
        if best <= 0.0:
            break
        column = int(np.argmax(scores >= best * (1.0 - _TIE)))
        allowed[column] = False
        factor.add(column)
    return factor
