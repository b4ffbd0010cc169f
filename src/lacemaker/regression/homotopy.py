"""The whole Lasso path by a dual active set: min ½‖A c - y‖² + λ Σ w_j |c_j| for every λ at once.

Where the active set S with signs s does not change, everything is linear in λ. With S = Q R, g = R⁻ᵀ s,

    x(λ) = R⁻¹ (Qᵀy - λ g)              coefficients of the active columns
    a_jᵀ r(λ) = a_jᵀ r₀ + λ u_j         correlations; r₀ the least-squares residual, u = AᵀQ g

Starting from λ = max_j |a_jᵀ y| the next event below is the largest λ' at which

    an inactive column reaches the bound    λ' = |a_jᵀ r₀| / (1 - sign(a_jᵀ r₀) u_j)        -> add it
    an active coefficient reaches zero      λ' = (R⁻¹Qᵀy)_i / (R⁻¹ g)_i, where signs differ -> drop it

(Osborne, Presnell and Turlach, IMA J. Numer. Anal. 20, 389 (2000); it is LARS with the Lasso modification,
and the dual active-set method of Friedlander and Saunders). Coefficients are not accumulated along the path:
each point comes from the factors of its own active set. :func:`polished` takes out what round-off their
updates have gathered.

Ties go to the smallest index. A column that depends on the active ones stays out until one of those is
dropped: duplicated columns, and fewer rows than columns, are no obstacle.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.lapack import solve_triangle
from lacemaker.regression.updating import ActiveFactor

__all__ = ["Breakpoint", "lasso_path", "polished", "violation"]

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_TIE = 1e-12  # events as near as this, relative to λ, happen at once
_BROKEN = 1.01  # an event missed by this factor of λ: what follows would be round-off
_PROGRESS = 1e-10  # relative decrease of λ after which a column dropped at its own entry may try again


@dataclass(frozen=True, eq=False)
class Breakpoint:
    """A point of the path where the active set changes.

    Attributes
    ----------
    penalty : float
        λ.
    support : (n,) int array
        Columns with coefficients, in the order they entered.
    coefficients : (n,) array
    event : str
        "add", "drop" or "end": what happens below this λ.
    """

    penalty: float
    support: NDArray[np.int64]
    coefficients: Vector
    event: str

    def dense(self, n_columns: int) -> Vector:
        """All K coefficients."""
        full = np.zeros(n_columns)
        full[self.support] = self.coefficients
        return full


def lasso_path(
    matrix: Matrix,
    target: Vector,
    *,
    max_active: int,
    min_penalty: float = 0.0,
    penalties: Vector | None = None,
    max_steps: int | None = None,
) -> Iterator[Breakpoint]:
    """Yield the breakpoints of the Lasso path from large λ to small.

    Parameters
    ----------
    matrix : (m, K) array
        A; an upper triangle is recognised and costs half.
    target : (m,) array
        y.
    max_active : int
        The path ends before more columns than this are active. It also ends, after its last valid point,
        where the active columns have become so nearly dependent that round-off decides the next event.
    min_penalty : float
        Smallest λ.
    penalties : (K,) array, optional
        w_j > 0, all 1 by default.
    max_steps : int, optional
        10 max(m, K) by default.
    """
    scale = None if penalties is None else np.asarray(penalties, dtype=np.float64)
    scaled = matrix if scale is None else matrix / scale
    state = _Homotopy(ActiveFactor(scaled, target, max_active), min_penalty)
    for _ in range(max_steps or 10 * max(matrix.shape)):
        point = state.advance()
        if point is None:
            return
        if scale is not None:
            coefficients = point.coefficients / scale[point.support]
            point = Breakpoint(point.penalty, point.support, coefficients, point.event)
        yield point
        if point.event == "end":
            return


def polished(
    matrix: Matrix, target: Vector, point: Breakpoint, penalties: Vector | None = None
) -> Breakpoint:
    """The point with the round-off of hundreds of updates removed: a fresh QR and one step of refinement."""
    from scipy.linalg import qr

    if len(point.support) == 0:
        return point
    weights = np.ones(len(point.support)) if penalties is None else np.asarray(penalties)[point.support]
    chosen = matrix[:, point.support]
    basis, triangle = qr(chosen, mode="economic", check_finite=False)
    triangle = np.asfortranarray(triangle)
    pull = point.penalty * solve_triangle(triangle, weights * np.sign(point.coefficients), transposed=True)
    coefficients = solve_triangle(triangle, basis.T @ target - pull)
    residual = target - chosen @ coefficients
    coefficients = coefficients + solve_triangle(triangle, basis.T @ residual - pull)
    return Breakpoint(point.penalty, point.support, coefficients, point.event)


def violation(matrix: Matrix, target: Vector, point: Breakpoint, penalties: Vector | None = None) -> float:
    """How far a point is from optimal, relative to λ: the largest violation of its KKT conditions.

    a_jᵀ(y - A c) = λ w_j sign c_j where c_j ≠ 0, and at most λ w_j in magnitude elsewhere.

    The correlations themselves are known to about ε ‖a_j‖ (‖y‖ + Σ ‖a_i c_i‖), ε = 2⁻⁵², only: where that is
    more than 1e-8 λ, the violation is measured by it, as if it were 1e-8 λ. (ACE columns have norms over
    seven decades and λ falls through ten; 1e-8 λ is then less than what rounding c to double precision
    does.)
    """
    weights = np.ones(matrix.shape[1]) if penalties is None else np.asarray(penalties)
    chosen = matrix[:, point.support]
    residual = target - chosen @ point.coefficients
    norms = np.linalg.norm(matrix, axis=0)
    terms = np.linalg.norm(target) + np.abs(point.coefficients) @ norms[point.support]
    round_off = np.finfo(float).eps * norms * terms
    correlations = matrix.T @ residual
    excess = np.maximum(np.abs(correlations) - point.penalty * weights, 0.0)
    bounds = point.penalty * weights[point.support] * np.sign(point.coefficients)
    excess[point.support] = np.abs(correlations[point.support] - bounds)
    return float(np.max(excess / np.maximum(point.penalty * weights, 1e8 * round_off), initial=0.0))


class _Homotopy:
    """State between events: factors of the active columns, their signs, λ."""

    def __init__(self, factor: ActiveFactor, min_penalty: float) -> None:
        n = factor.shape[1]
        self._factor = factor
        self._signs = np.zeros(n)  # of active columns, in A's order
        self._allowed = np.ones(n, dtype=bool)  # inactive and believed independent
        self._dependent: list[int] = []
        self._blocked: list[int] = []  # dropped where they entered, until λ has moved
        self._left = (-1, 0.0)  # last dropped column and the bound it came from
        self._entered = -1
        self.penalty = float(np.abs(factor.correlations).max(initial=0.0))
        self._start, self._min = self.penalty, max(min_penalty, 0.0)
        self._begun = False

    def advance(self) -> Breakpoint | None:
        """Go to the next change of the active set and make it; return the point where it happens."""
        if not self._begun:
            self._begun = True
            return self._first()
        while True:
            particular, slope, growth = self._line()
            add, penalty_add = self._next_addition(growth)
            drop, penalty_drop = self._next_drop(particular, slope)
            if penalty_drop > _BROKEN * self.penalty or self._overshot(growth):
                return None
            penalty = min(max(penalty_add, penalty_drop, self._min), self.penalty)
            self._release(penalty)
            coefficients = particular - penalty * slope
            support = np.array(self._factor.active, dtype=np.int64)
            self.penalty = penalty
            if penalty <= self._min:
                return Breakpoint(penalty, support, coefficients, "end")
            if penalty_drop >= penalty_add:
                self._drop(drop, penalty)
                kept = np.arange(len(support)) != drop
                return Breakpoint(penalty, support[kept], coefficients[kept], "drop")
            if len(support) == self._factor.capacity:
                return Breakpoint(penalty, support, coefficients, "end")
            if self._add(add, growth):
                return Breakpoint(penalty, support, coefficients, "add")

    def _first(self) -> Breakpoint:
        empty = np.zeros(0)
        nothing = Breakpoint(self.penalty, np.zeros(0, dtype=np.int64), empty, "end")
        if self.penalty <= self._min or self._factor.capacity == 0:
            return nothing
        correlations = np.abs(self._factor.correlations)
        column = _first_near(correlations, self.penalty)
        if not self._add(column, np.zeros(len(correlations))):
            return nothing
        return Breakpoint(self.penalty, nothing.support, empty, "add")

    def _line(self) -> tuple[Vector, Vector, Vector]:
        """x = particular - λ slope, correlations = r₀'s + λ growth."""
        factor = self._factor
        step = factor.forward(self._signs[factor.active])
        pair = factor.backward(np.column_stack([factor.projection, step]))
        return pair[:, 0], pair[:, 1], factor.spanned(step)

    def _overshot(self, growth: Vector) -> bool:
        """Whether a column outside is beyond its bound at this λ already."""
        now = np.abs(self._factor.correlations + self.penalty * growth)
        return float(now[self._allowed].max(initial=0.0)) > _BROKEN * self.penalty

    def _next_addition(self, growth: Vector) -> tuple[int, float]:
        """Which inactive column reaches its bound next, and at what λ (0: none)."""
        correlations = self._factor.correlations
        signs = np.sign(correlations)
        closing = 1.0 - signs * growth
        usable = self._allowed & (closing > 0.0)
        if self._left[0] >= 0 and signs[self._left[0]] == self._left[1]:
            usable[self._left[0]] = False  # it has just left this bound; round-off must not bring it back
        penalties = np.zeros(len(correlations))
        np.divide(np.abs(correlations), closing, out=penalties, where=usable)
        np.minimum(penalties, self.penalty, out=penalties)
        best = float(penalties.max(initial=0.0))
        return (_first_near(penalties, best), best) if best > 0.0 else (-1, 0.0)

    def _next_drop(self, particular: Vector, slope: Vector) -> tuple[int, float]:
        """Position of the active coefficient that reaches zero next, and at what λ (0: none)."""
        signs = self._signs[self._factor.active]
        falling = (particular * signs < 0.0) & (slope * signs < 0.0)
        penalties = np.zeros(len(signs))
        np.divide(particular, slope, out=penalties, where=falling)
        best = float(penalties.max(initial=0.0))
        if best <= 0.0:
            return -1, 0.0
        near = np.flatnonzero(penalties >= best * (1.0 - _TIE))
        return int(near[np.argmin(np.array(self._factor.active)[near])]), best

    def _add(self, column: int, growth: Vector) -> bool:
        value = self._factor.correlations[column] + self.penalty * growth[column]
        self._allowed[column] = False
        if not self._factor.add(column):
            self._dependent.append(column)
            return False
        self._signs[column] = 1.0 if value > 0.0 else -1.0
        self._entered, self._left = column, (-1, 0.0)
        return True

    def _drop(self, position: int, penalty: float) -> None:
        column = self._factor.drop(position)
        self._left = (column, self._signs[column])
        self._signs[column] = 0.0
        if column == self._entered:  # no progress since it came in: a tie, leave it out for now
            self._blocked.append(column)
        else:
            self._allowed[column] = True
        self._entered = -1
        self._allowed[self._dependent] = True
        self._dependent.clear()

    def _release(self, penalty: float) -> None:
        """Let blocked columns back in once λ has decreased."""
        if penalty < self.penalty * (1.0 - _PROGRESS):
            self._entered = -1
            self._allowed[self._blocked] = True
            self._blocked.clear()


def _first_near(values: Vector, best: float) -> int:
    """The smallest index whose value is the best but for round-off."""
    return int(np.argmax(values >= best * (1.0 - _TIE)))
