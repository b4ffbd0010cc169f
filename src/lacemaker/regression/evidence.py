"""Log evidence of a linear Gaussian model with several precisions, maximised over their logarithms.

    y_q = A_q c + ε_q,  ε_q ~ N(0, 1/w_q)  for each quantity q
    c_g ~ N(0, 1/w_g)                      for each group g of coefficients

A prior is the same thing as data: rows picking out c_g with target 0. With H = Σ_i w_i A_iᵀA_i over all
components and ĉ the minimiser of Σ_i w_i ‖y_i - A_i c‖²,

    -2 log p(y) = Σ_i [ w_i ‖y_i - A_i ĉ‖² - N_i log w_i ] + log det H + N log 2π
    ∂/∂log w_i  =  w_i (‖y_i - A_i ĉ‖² + tr H⁻¹A_iᵀA_i) - N_i

(MacKay, Neural Computation 4, 415 (1992), for one w of each sort). Everything is expressed in coordinates x
= T (c - c₀), where TᵀT = H and ĉ = c₀ at a reference w: there the Grams of the components sum to the
identity, so that forming them loses nothing, and an evaluation costs one Cholesky factor and inverse, K³
flops, without touching the rows. For the same reason the Gram of the component with most rows need not be
formed: it is what the others leave of the identity, to within the round-off of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.factor import Factor, merge, triangle
from lacemaker.regression.low_rank_evidence import LowRankEvidence

__all__ = ["Component", "EvidenceMaximum", "maximise_evidence"]

Matrix = NDArray[np.float64]

_REBASE = np.log(1e4)  # change of a weight beyond which the reference moves
_MAX_REBASES = 8


@dataclass(frozen=True, eq=False)
class Component:
    """Rows [A | y] sharing one precision w; ``is_prior`` rows are beliefs and no data."""

    name: str
    factor: Factor
    free: bool = True
    is_prior: bool = False
    largest_log_weight: float = 60.0


@dataclass(frozen=True, eq=False)
class EvidenceMaximum:
    """Where the search ended.

    Attributes
    ----------
    log_weights : (n_components,) array
    log_evidence : float
    coefficients : (K,) array
        ĉ.
    precision_factor : (K, K) array
        Upper triangle T with TᵀT = H.
    slope : float
        Largest ∂log p/∂log w left, times √(2/N): about the distance to the maximum in standard deviations.
    n_evaluations : int
    message : str
    """

    log_weights: Matrix
    log_evidence: float
    coefficients: Matrix
    precision_factor: Matrix
    slope: float
    n_evaluations: int
    message: str


def maximise_evidence(
    components: Sequence[Component],
    starts: Sequence[Matrix],
    *,
    cheap: LowRankEvidence | None = None,
    tolerance: float = 1e-3,
    max_evaluations: int = 200,
) -> EvidenceMaximum:
    """Maximise the log evidence over the log weights of the free components.

    Deterministic: evaluates every start, climbs from the best by L-BFGS in log w scaled by √(N/2), in which
    the curvature is of order one, and moves the reference when a weight has changed by more than 10⁴. With
    ``cheap`` no reference is needed.

    Raises
    ------
    ArithmeticError
        When the precision matrix is singular: a coefficient with neither data nor prior.
    """
    limits = np.array([component.largest_log_weight for component in components])
    allowed = [np.minimum(start, limits) for start in starts]
    reference = _Reference(components, allowed[0], cheap)
    search = _Search(components, tolerance, max_evaluations)
    begin = min(allowed, key=lambda start: search.value(reference, start))
    for _ in range(_MAX_REBASES):
        if np.max(np.abs(begin - reference.log_weights)) > _REBASE:
            reference = _Reference(components, begin, cheap)
        end = search.climb(reference, begin)
        moved, begin = np.max(np.abs(end - reference.log_weights)), end
        if moved < _REBASE or search.spent:
            break
    value, gradient = reference.evaluate(begin)
    factor, coefficients = _posterior(components, begin)
    n_data = sum(c.factor.n_rows for c in components if not c.is_prior)
    return EvidenceMaximum(
        log_weights=begin,
        log_evidence=-0.5 * (value + n_data * np.log(2.0 * np.pi)),
        coefficients=coefficients,
        precision_factor=factor,
        slope=search.slope(begin, gradient),
        n_evaluations=search.n_evaluations,
        message=search.message(begin, gradient),
    )


def _posterior(components: Sequence[Component], log_weights: Matrix) -> tuple[Matrix, Matrix]:
    """T with TᵀT = H, and ĉ, by orthogonal reduction of the weighted rows."""
    from scipy.linalg import solve_triangular

    scales = np.exp(0.5 * log_weights)
    parts = [(component.factor, scale) for component, scale in zip(components, scales, strict=True)]
    joint = triangle(merge(parts, components[0].factor.n_columns))
    factor = joint[:-1, :-1]
    if not np.all(np.abs(np.diagonal(factor)) > 0.0):
        raise ArithmeticError("the precision matrix is singular")
    return factor, solve_triangular(factor, joint[:-1, -1], check_finite=False)


class _Reference:
    """The components in coordinates where H at the reference weights is the identity."""

    def __init__(
        self, components: Sequence[Component], log_weights: Matrix, cheap: LowRankEvidence | None = None
    ) -> None:
        from scipy.linalg import blas

        self.log_weights = np.array(log_weights, dtype=float)
        self._cheap = cheap
        if cheap is not None:
            return
        factor, origin = _posterior(components, self.log_weights)
        self._counts = np.array([float(component.factor.n_rows) for component in components])
        self._log_det = 2.0 * float(np.sum(np.log(np.abs(np.diagonal(factor)))))
        self._remembered: dict[bytes, tuple[float, Matrix]] = {}
        self._squares = np.empty(len(components))
        self._grams: list[Matrix] = []  # upper triangles of T⁻ᵀ w AᵀA T⁻¹
        self._slopes: list[Matrix] = []
        rest, slope_left = np.asfortranarray(np.eye(len(factor))), np.zeros(len(factor))
        tallest = int(np.argmax([len(component.factor.array) for component in components]))
        for i, (component, weight) in enumerate(zip(components, self.log_weights, strict=True)):
            rows = np.exp(0.5 * weight) * component.factor.array
            residual = rows[:, -1] - rows[:, :-1] @ origin
            self._squares[i] = residual @ residual
            if i == tallest:
                self._grams.append(rest)
                self._slopes.append(slope_left)
                continue
            whitened = blas.dtrsm(1.0, factor, rows[:, :-1].T, trans_a=1)
            self._grams.append(blas.dsyrk(1.0, whitened))
            self._slopes.append(whitened @ residual)
            rest -= self._grams[-1]
            slope_left -= self._slopes[-1]  # the origin is the minimum: slopes sum to nothing

    def evaluate(self, log_weights: Matrix) -> tuple[float, Matrix]:
        """-2 log p (without N log 2π) and its gradient by log w; remembered."""
        if self._cheap is not None:
            return self._cheap.evaluate(log_weights)
        key = log_weights.tobytes()
        if key not in self._remembered:
            self._remembered[key] = self._evaluated(log_weights)
        return self._remembered[key]

    def _evaluated(self, log_weights: Matrix) -> tuple[float, Matrix]:
        from scipy.linalg import lapack

        weights = np.exp(log_weights - self.log_weights)
        gram = weights[0] * self._grams[0]
        for weight, part in zip(weights[1:], self._grams[1:], strict=True):
            gram += weight * part
        right = sum(weight * slope for weight, slope in zip(weights, self._slopes, strict=True))
        factor, info = lapack.dpotrf(gram, overwrite_a=True, clean=True)
        if info != 0:
            raise ArithmeticError("the precision matrix is not positive definite")
        step = lapack.dpotrs(factor, right)[0]
        log_det = self._log_det + 2.0 * float(np.sum(np.log(np.diagonal(factor))))
        inverse = lapack.dpotri(factor, overwrite_c=True)[0]  # upper triangle, as the Grams
        misfits, traces = self._squares.copy(), np.empty(len(weights))
        for i, (part, slope) in enumerate(zip(self._grams, self._slopes, strict=True)):
            diagonal = np.diagonal(part)
            misfits[i] += 2.0 * step @ (part @ step) - diagonal @ step**2 - 2.0 * step @ slope
            traces[i] = 2.0 * np.vdot(inverse.T, part.T) - diagonal @ np.diagonal(inverse)
        value = float(weights @ misfits - self._counts @ log_weights) + log_det
        return value, weights * (misfits + traces) - self._counts


class _Search:
    """L-BFGS over the free log weights, with bounds."""

    def __init__(self, components: Sequence[Component], tolerance: float, max_evaluations: int) -> None:
        self._components = components
        self._free = np.array([component.free for component in components])
        self._upper = np.array([component.largest_log_weight for component in components])
        self._scale = np.sqrt(0.5 * np.array([max(component.factor.n_rows, 1) for component in components]))
        self._tolerance, self._max = tolerance, max_evaluations
        self.n_evaluations = 0

    @property
    def spent(self) -> bool:
        """Whether the allowance of evaluations is used up."""
        return self.n_evaluations >= self._max

    def value(self, reference: _Reference, log_weights: Matrix) -> float:
        """-2 log p, infinite where it cannot be evaluated."""
        self.n_evaluations += 1
        try:
            return reference.evaluate(log_weights)[0]
        except ArithmeticError:
            return np.inf

    def climb(self, reference: _Reference, begin: Matrix) -> Matrix:
        """Return the log weights of most evidence near the reference."""
        from scipy.optimize import minimize

        free, scale = self._free, self._scale[self._free]

        def place(x: Matrix) -> Matrix:
            log_weights = begin.copy()
            log_weights[free] = x / scale
            return log_weights

        def objective(x: Matrix) -> tuple[float, Matrix]:
            self.n_evaluations += 1
            value, gradient = reference.evaluate(place(x))
            return 0.5 * value, 0.5 * gradient[free] / scale

        centre = reference.log_weights[free]
        low, high = centre - 2.0 * _REBASE, np.minimum(centre + 2.0 * _REBASE, self._upper[free])
        result = minimize(
            objective,
            begin[free] * scale,
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([low * scale, high * scale]),
            options={
                "ftol": 1e-14,
                "gtol": self._tolerance,
                "maxfun": max(self._max - self.n_evaluations, 1),
            },
        )
        return place(result.x)

    def slope(self, log_weights: Matrix, gradient: Matrix) -> float:
        """Largest scaled gradient among the weights that are free and not at their bound."""
        inside = self._free & (log_weights < self._upper - 1e-9)
        return float(np.max(np.abs(0.5 * gradient[inside] / self._scale[inside]), initial=0.0))

    def message(self, log_weights: Matrix, gradient: Matrix) -> str:
        """Why the search ended, in words."""
        stuck = [
            component.name
            for component, weight in zip(self._components, log_weights, strict=True)
            if component.free and weight >= component.largest_log_weight - 1e-9
        ]
        slope = self.slope(log_weights, gradient)
        if self.spent or slope > 100.0 * self._tolerance:
            return (
                f"stopped after {self.n_evaluations} evaluations, {slope:.1e} standard deviations short of "
                "the maximum"
            )
        ending = f", with {' and '.join(stuck)} at the floor" if stuck else ""
        return f"converged to a maximum in {self.n_evaluations} evaluations{ending}"
