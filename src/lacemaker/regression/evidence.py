"""Log evidence of a linear Gaussian model with several precisions, maximised over their logarithms.

    y_q = A_q c + ε_q,  ε_q ~ N(0, 1/w_q)  for each quantity q;   c_g ~ N(0, 1/w_g)  for each group g of coefficients

A prior is the same thing as data: rows picking out c_g with target 0. With H = Σ_i w_i A_iᵀA_i over all components
and ĉ the minimiser of Σ_i w_i ‖y_i - A_i c‖²,

    -2 log p(y) = Σ_i [ w_i ‖y_i - A_i ĉ‖² - N_i log w_i ] + log det H + N log 2π
    ∂/∂log w_i  =  w_i (‖y_i - A_i ĉ‖² + tr H⁻¹A_iᵀA_i) - N_i

(MacKay, Neural Computation 4, 415 (1992), for one w of each sort). Everything is expressed in the coordinates
x = T (c - c₀), where TᵀT = H at a reference w⁰: there the Grams of the components sum to the identity, so that forming
them loses nothing, and an evaluation costs one Cholesky factor and inverse, K³ flops, without touching the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.factor import Factor, merge, triangle

__all__ = ["Component", "EvidenceMaximum", "maximise_evidence"]

Matrix = NDArray[np.float64]

_REBASE = np.log(1e4)  # change of a weight beyond which the reference moves
_MAX_REBASES = 8


@dataclass(frozen=True, eq=False)
class Component:
    """Rows [A | y] sharing one precision."""

    name: str
    factor: Factor
    free: bool = True
    largest_log_weight: float = 60.0


@dataclass(frozen=True, eq=False)
class EvidenceMaximum:
    """Where the search ended."""

    log_weights: Matrix  # (n_components,)
    log_evidence: float
    coefficients: Matrix  # (K,)
    precision_factor: Matrix  # (K, K) upper triangle T, TᵀT = H
    gradient: float  # largest ∂log p/∂log w, in units of its curvature √(N/2)
    n_evaluations: int
    message: str


class _Frame:
    """The components in coordinates where H at the reference weights is the identity."""

    def __init__(self, components: Sequence[Component], log_weights: Matrix) -> None:
        from scipy.linalg import blas

        n = components[0].factor.n_columns
        scales = np.exp(0.5 * log_weights)
        joint = triangle(merge([(c.factor, s) for c, s in zip(components, scales, strict=True)], n))
        self.T = joint[:-1, :-1]
        self._check()
        self.origin = _back_substitute(self.T, joint[:-1, -1])
        self.log_weights = log_weights
        self.counts = np.array([float(c.factor.n_rows) for c in components])
        self.grams: list[Matrix] = []  # upper triangles of T⁻ᵀ w A ᵀA T⁻¹
        self.slopes: list[Matrix] = []
        self.squares = np.empty(len(components))
        for i, (component, scale) in enumerate(zip(components, scales, strict=True)):
            rows = scale * component.factor.array
            residual = rows[:, -1] - rows[:, :-1] @ self.origin
            whitened = np.asfortranarray(blas.dtrsm(1.0, self.T, rows[:, :-1].T, trans_a=1))
            self.grams.append(blas.dsyrk(1.0, whitened))
            self.slopes.append(whitened @ residual)
            self.squares[i] = residual @ residual
        self.log_det = 2.0 * float(np.sum(np.log(np.abs(np.diagonal(self.T)))))

    def _check(self) -> None:
        if not np.all(np.abs(np.diagonal(self.T)) > 0.0):
            raise ArithmeticError("the precision matrix is singular")

    def evaluate(self, change: Matrix) -> tuple[float, Matrix, Matrix]:
        """-2 log p (without N log 2π), its gradient by log w, and ĉ, at log w = reference + change."""
        from scipy.linalg import lapack

        weights = np.exp(change)
        gram = np.zeros_like(self.grams[0])
        for weight, part in zip(weights, self.grams, strict=True):
            gram += weight * part
        right = sum(weight * slope for weight, slope in zip(weights, self.slopes, strict=True))
        factor, info = lapack.dpotrf(gram, overwrite_a=True, clean=True)
        if info != 0:
            raise ArithmeticError("the precision matrix is not positive definite")
        step = lapack.dpotrs(factor, right)[0]
        log_det = self.log_det + 2.0 * float(np.sum(np.log(np.diagonal(factor))))
        inverse = lapack.dpotri(factor, overwrite_c=True)[0]
        misfits = self.squares.copy()
        traces = np.empty(len(misfits))
        for i, (part, slope) in enumerate(zip(self.grams, self.slopes, strict=True)):
            diagonal = np.diagonal(part)
            misfits[i] += 2.0 * step @ (part @ step) - diagonal @ step**2 - 2.0 * step @ slope
            traces[i] = 2.0 * np.vdot(inverse, part) - diagonal @ np.diagonal(inverse)
        log_weights = self.log_weights + change
        value = float(weights @ misfits - self.counts @ log_weights) + log_det
        gradient = weights * (misfits + traces) - self.counts
        return value, gradient, self.origin + _back_substitute(self.T, step)


def maximise_evidence(
    components: Sequence[Component], starts: Sequence[Matrix], *, tolerance: float = 1e-7, max_evaluations: int = 200
) -> EvidenceMaximum:
    """Maximise the log evidence over the log weights of the free components.

    Deterministic: evaluates every start, climbs from the best by L-BFGS in log w scaled by √(N/2) (in which the
    curvature is of order one), and moves the reference when a weight has changed by more than 10⁴.

    Raises
    ------
    ArithmeticError
        When the precision matrix is singular: a coefficient with neither data nor prior.
    """
    frame = _Frame(components, np.asarray(starts[0], dtype=float))
    best = min(starts, key=lambda start: _value(frame, np.asarray(start) - frame.log_weights))
    frame = _Frame(components, np.asarray(best, dtype=float))
    search = _Search(components, tolerance, max_evaluations)
    for _ in range(_MAX_REBASES):
        change = search.climb(frame)
        if np.max(np.abs(change)) < _REBASE or search.spent:
            break
        frame = _Frame(components, frame.log_weights + change)
    value, gradient, _ = frame.evaluate(change)
    final = _Frame(components, frame.log_weights + change)
    n_data = sum(c.factor.n_rows for c in components if not c.name.startswith("prior"))
    return EvidenceMaximum(
        log_weights=final.log_weights,
        log_evidence=-0.5 * (value + n_data * np.log(2.0 * np.pi)),
        coefficients=final.origin,
        precision_factor=final.T,
        gradient=search.slope(frame, change, gradient),
        n_evaluations=search.n_evaluations,
        message=search.message(final.log_weights),
    )


def _value(frame: _Frame, change: Matrix) -> float:
    try:
        return frame.evaluate(change)[0]
    except ArithmeticError:
        return np.inf


class _Search:
    """L-BFGS over the free log weights, with bounds."""

    def __init__(self, components: Sequence[Component], tolerance: float, max_evaluations: int) -> None:
        self._components = components
        self._free = np.array([c.free for c in components])
        self._upper = np.array([c.largest_log_weight for c in components])
        self._scale = np.sqrt(0.5 * np.array([max(c.factor.n_rows, 1) for c in components]))
        self._tolerance, self._max = tolerance, max_evaluations
        self._why = ""
        self.n_evaluations = 0

    @property
    def spent(self) -> bool:
        return self.n_evaluations >= self._max

    def climb(self, frame: _Frame) -> Matrix:
        """Return the change of the log weights that maximises the evidence."""
        from scipy.optimize import minimize

        free, scale = self._free, self._scale

        def objective(x: Matrix) -> tuple[float, Matrix]:
            change = np.zeros(len(free))
            change[free] = x / scale[free]
            value, gradient, _ = frame.evaluate(change)
            self.n_evaluations += 1
            return 0.5 * value, 0.5 * gradient[free] / scale[free]

        bounds = [
            (s * -_REBASE * 2, min(s * _REBASE * 2, s * (u - w)))
            for s, u, w in zip(scale[free], self._upper[free], frame.log_weights[free], strict=True)
        ]
        result = minimize(
            objective,
            np.zeros(int(free.sum())),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 0.0, "gtol": self._tolerance, "maxfun": max(self._max - self.n_evaluations, 1)},
        )
        change = np.zeros(len(free))
        change[free] = result.x / scale[free]
        return change

    def slope(self, frame: _Frame, change: Matrix, gradient: Matrix) -> float:
        """Largest scaled gradient among the weights that are free and not at their bound."""
        inside = self._free & (frame.log_weights + change < self._upper - 1e-9)
        return float(np.max(np.abs(0.5 * gradient[inside] / self._scale[inside]), initial=0.0))

    def message(self, log_weights: Matrix) -> str:
        """Why the search ended, in words."""
        stuck = [
            component.name
            for component, weight in zip(self._components, log_weights, strict=True)
            if component.free and weight >= component.largest_log_weight - 1e-9
        ]
        if self.spent:
            return f"stopped after {self.n_evaluations} evaluations without reaching the tolerance"
        ending = f", with {' and '.join(stuck)} at the floor" if stuck else ""
        return f"converged to a maximum in {self.n_evaluations} evaluations{ending}"


def _back_substitute(triangle: Matrix, right: Matrix) -> Matrix:
    from scipy.linalg import solve_triangular

    result: Matrix = solve_triangular(triangle, right, check_finite=False)
    return result
