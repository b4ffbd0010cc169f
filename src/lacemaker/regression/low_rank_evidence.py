"""The evidence with a noise per quantity where all quantities but one have few rows: no K³ per evaluation.

With weights w, y₀ and A₀ the quantity of most rows (forces), E all other rows and R = Q B Pᵀ the triangle of
all rows at weight 1, the posterior precision in the coordinates Pᵀc is

    H = M + Eᵀ D E,    M = w₀ BᵀB + w_p I,    D = diag(w_j - w₀) over the rows of E,

since A₀ᵀA₀ = RᵀR - EᵀE. M = CᵀC is tridiagonal and C bidiagonal, by plane rotations (Eldén, BIT 17, 134
(1977)). With W = C⁻ᵀEᵀ, S = WᵀW, u = M⁻¹ w₀ Bᵀz and the matrix determinant and inversion lemmas,

    log det H = log det M + log det (I + S D),       r = y - E ĉ = (I + S D)⁻¹ (y - E u),
    ĉ = u + M⁻¹Eᵀ D r,      E H⁻¹Eᵀ = (I + S D)⁻¹ S,      tr H⁻¹ = tr M⁻¹ - tr D (I + S D)⁻¹ E M⁻² Eᵀ,

and the trace of the forces is what is left of K. An evaluation costs 4 K r² flops for r rows in E. I + S D is
no worse conditioned than the ratio of the weights, as S <= 1/w₀.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.lapack import Bidiagonal

if TYPE_CHECKING:
    from lacemaker.regression.evidence import Component

__all__ = ["LowRankEvidence"]

Matrix = NDArray[np.float64]

LARGEST_SHARE = 1 / 3  # rows of E per coefficient beyond which a Cholesky factor of H is cheaper


class LowRankEvidence:
    """-2 log p and its gradient at any log weights.

    Parameters
    ----------
    components : sequence of Component
        Quantities, then the prior.
    bidiagonal : Bidiagonal
        Of the triangle R of all quantities at weight 1.
    target : (K,) array
        z with ‖A c - y‖² = ‖R c - z‖² + ρ².
    residual_squared : float
        ρ².
    """

    def __init__(
        self,
        components: Sequence["Component"],
        bidiagonal: Bidiagonal,
        target: Matrix,
        residual_squared: float,
    ) -> None:
        data = components[:-1]
        self._counts = np.array([float(component.factor.n_rows) for component in components])
        self._tallest = _tallest(data)
        others = [i for i in range(len(data)) if i != self._tallest]
        arrays = [data[i].factor.array for i in others]
        self._owner = np.repeat(np.array(others, dtype=int), [len(array) for array in arrays])
        stacked = np.vstack([*arrays, np.zeros((0, len(target) + 1))])
        self._rows = bidiagonal.right(stacked[:, :-1])
        self._targets = stacked[:, -1]
        self._diagonal, self._off = bidiagonal.diagonal, bidiagonal.off
        self._z, self._rest = bidiagonal.left(target), residual_squared
        self._remembered: dict[bytes, tuple[float, Matrix]] = {}

    @staticmethod
    def suits(components: Sequence["Component"]) -> bool:
        """Whether all quantities but one have few rows."""
        data = components[:-1]
        heights = [len(component.factor.array) for component in data]
        n = data[0].factor.n_columns - 1
        return sum(heights) - heights[_tallest(data)] <= LARGEST_SHARE * n

    def evaluate(self, log_weights: Matrix) -> tuple[float, Matrix]:
        """-2 log p (without N log 2π) and its gradient by log w; remembered."""
        key = log_weights.tobytes()
        if key not in self._remembered:
            self._remembered[key] = self._evaluated(log_weights)
        return self._remembered[key]

    def _evaluated(self, log_weights: Matrix) -> tuple[float, Matrix]:
        from scipy.linalg import lapack, lu_factor, lu_solve

        weights = np.exp(log_weights)
        common, prior = weights[self._tallest], weights[-1]
        c, f = _ridged(self._diagonal, self._off, common, prior)
        banded = np.zeros((2, len(c)))
        banded[0, 1:], banded[1] = f, c
        right = common * _times_transposed(self._diagonal, self._off, self._z)
        whitened = lapack.dtbtrs(banded, np.column_stack([self._rows.T, right]), trans="T")[0]
        solved = lapack.dtbtrs(banded, whitened)[0]
        whitened, unconditional = whitened[:, :-1], solved[:, -1]
        gram, shift = whitened.T @ whitened, weights[self._owner] - common
        lu = lu_factor(np.eye(len(shift)) + gram * shift)
        residual = lu_solve(lu, self._targets - self._rows @ unconditional)
        best = unconditional + solved[:, :-1] @ (shift * residual)
        misfits, traces = np.zeros(len(weights)), np.zeros(len(weights))
        np.add.at(misfits, self._owner, residual**2)
        np.add.at(traces, self._owner, np.diagonal(lu_solve(lu, gram)))
        whole = _times(self._diagonal, self._off, best) - self._z
        misfits[self._tallest] = max(whole @ whole + self._rest - misfits.sum(), 0.0)
        misfits[-1] = best @ best
        inverse = lu_solve(lu, solved[:, :-1].T @ solved[:, :-1])
        traces[-1] = _trace_inverse(c, f) - shift @ np.diagonal(inverse)
        traces[self._tallest] = (len(c) - weights @ traces) / common
        log_det = 2.0 * float(np.sum(np.log(c))) + float(np.sum(np.log(np.abs(np.diagonal(lu[0])))))
        value = float(weights @ misfits - self._counts @ log_weights) + log_det
        if not np.isfinite(value):
            raise ArithmeticError("the precision matrix is singular")
        return value, weights * (misfits + traces) - self._counts


def _tallest(data: Sequence["Component"]) -> int:
    return int(np.argmax([len(component.factor.array) if component.free else 0 for component in data]))


def _ridged(diagonal: Matrix, off: Matrix, data: float, prior: float) -> tuple[Matrix, Matrix]:
    """Diagonal and superdiagonal of C with CᵀC = data BᵀB + prior I."""
    scale, ridge = data**0.5, prior**0.5
    c, f = np.empty(len(diagonal)), np.empty(len(off))
    fill = ridge
    for i, value in enumerate(diagonal.tolist()):
        c[i] = pivot = np.hypot(scale * value, fill)
        if i < len(f):
            beside = scale * off[i]
            f[i] = scale * value / pivot * beside
            fill = np.hypot(ridge, fill / pivot * beside)
    return c, f


def _times(diagonal: Matrix, off: Matrix, vector: Matrix) -> Matrix:
    result: Matrix = diagonal * vector
    result[:-1] += off * vector[1:]
    return result


def _times_transposed(diagonal: Matrix, off: Matrix, vector: Matrix) -> Matrix:
    result: Matrix = diagonal * vector
    result[1:] += off * vector[:-1]
    return result


def _trace_inverse(c: Matrix, f: Matrix) -> float:
    """Trace of (CᵀC)⁻¹: squared rows of C⁻¹, last first."""
    total = row = 1.0 / c[-1] ** 2
    for i in range(len(f) - 1, -1, -1):
        row = (1.0 + f[i] ** 2 * row) / c[i] ** 2
        total += row
    return float(total)
