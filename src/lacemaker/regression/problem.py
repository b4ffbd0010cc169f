"""What a solver sees: a small least-squares problem with an identity prior, and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.factor import Factor, merge, triangle
from lacemaker.regression.lapack import absorb_rows

__all__ = ["Block", "Problem", "Ridge", "Solution", "ridge_factor"]

Matrix = NDArray[np.float64]


class Block(NamedTuple):
    """Rows of one kind: [A | y] of K + 1 columns, weighted, E0 dealt with, columns divided by Γ."""

    kind: str
    factor: Factor


@dataclass(frozen=True, eq=False)
class Problem:
    """Minimise ‖A c - y‖² over c = Γθ, the prior on c being the identity.

    Attributes
    ----------
    blocks : tuple of Block
        One per observation kind. Their row counts are reduced by the one-body energies they determine, so
        that N counts the degrees of freedom left for noise and coefficients.
    functions : tuple
        Quantum numbers of the K columns (for solvers that weigh cost), or empty.
    validation : callable or None
        Mean squared weighted residual on held-out rows of coefficients (..., K), one-body energies re-solved.
    """

    blocks: tuple[Block, ...]
    functions: tuple[Any, ...] = ()
    validation: Callable[[Matrix], Matrix] | None = None

    @property
    def n_columns(self) -> int:
        """Number of coefficients K."""
        return self.blocks[0].factor.n_columns - 1

    @property
    def n_rows(self) -> int:
        """Degrees of freedom N of the data."""
        return sum(block.factor.n_rows for block in self.blocks)

    @cached_property
    def triangle(self) -> Matrix:
        """(K + 1, K + 1) upper triangle [[R, z], [0, ρ]] with ‖A c - y‖² = ‖R c - z‖² + ρ²."""
        return triangle(merge([(block.factor, 1.0) for block in self.blocks], self.n_columns + 1))

    @property
    def R(self) -> Matrix:
        """(K, K) upper triangle."""
        return self.triangle[:-1, :-1]

    @property
    def z(self) -> Matrix:
        """(K,) target of the triangle."""
        return self.triangle[:-1, -1]

    @property
    def residual_squared(self) -> float:
        """ρ²: what no coefficients can fit."""
        return float(self.triangle[-1, -1] ** 2)


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver found, in the scaled coefficients c = Γθ.

    Attributes
    ----------
    coefficients : (K,) array
    noise : mapping
        Standard deviation σ of a row of weight 1, by kind; a row of weight w has σ/w.
    prior_scale : float or None
        σ₀ of c ~ N(0, σ₀² I).
    log_evidence : float or None
        Log marginal likelihood of the weighted rows.
    precision_factor : (K, K) array or None
        Upper triangle T with TᵀT the posterior precision of c; (n, n) of the n columns in ``support``.
    support : (n,) int array or None
        The columns that were not left out; None for all.
    rank : int
        Numerical rank.
    condition : float
        Condition number of what was inverted (2-norm where singular values were at hand, else 1-norm
        estimate).
    message : str
        Why the solver stopped, in words.
    details : mapping
        Anything else worth a line in a report.
    """

    coefficients: Matrix
    noise: Mapping[str, float]
    rank: int
    condition: float
    message: str
    prior_scale: float | None = None
    log_evidence: float | None = None
    precision_factor: Matrix | None = None
    support: NDArray[np.int64] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Ridge(NamedTuple):
    """Triangle T with TᵀT = RᵀR + λ²I, and the right-hand side and residual that go with it."""

    T: Matrix
    t: Matrix
    residual_squared: float


def ridge_factor(problem: Problem, ridge: float) -> Ridge:
    """Orthogonal reduction of [R z; λI 0]: the backward stable way to ridge regression."""
    augmented = np.array(problem.triangle, order="F")
    if ridge > 0.0:
        penalty = np.zeros_like(augmented)
        np.fill_diagonal(penalty[:-1, :-1], ridge)
        absorb_rows(augmented, penalty, triangular=True)
    return Ridge(augmented[:-1, :-1], augmented[:-1, -1], float(augmented[-1, -1] ** 2))
