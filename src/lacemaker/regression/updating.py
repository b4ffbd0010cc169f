"""QR of a growing and shrinking set of columns: what pursuit of a sparse model costs per step.

Of a matrix A (m, K) and a target y (m,), the active columns S are kept as S = Q R with Q explicit. Beside
each column q of Q stands Aᵀq, so that the correlation of every column of A with anything in the span of S is
one product away:

    W = [ Q ; AᵀQ ; yᵀQ ]      (m + K + 1, k)

- Adding column a: Gram–Schmidt with reorthogonalisation ("twice is enough": Giraud, Langou, Rozložník and
  van den Eshof, Numer. Math. 101, 87 (2005)), whose first coefficients Qᵀa are a row of W already; then one
  product Aᵀq.
- Deleting column p leaves R a triangle under one row: LAPACK's ``tpqrt`` restores it and ``tpmqrt`` applies
  the same reflections to the columns of W (Golub and Van Loan, *Matrix Computations*, 6.5.2).

Cost of either: O((m + K) k) operations, hardly more than one sweep through W. Normal equations are never
formed. Memory: K² for A, (m + K) k_max for W.
"""

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.lapack import move_columns, solve_triangle, take_out_row

__all__ = ["ActiveFactor"]

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

INDEPENDENT = 1e-10  # a column whose part outside the span is relatively shorter than this is dependent
_REFRESH = 64  # additions after which the correlations are computed anew from the residual


class ActiveFactor:
    """Thin QR of some columns of A, with the least-squares residual of y and its correlations.

    Parameters
    ----------
    matrix : (m, K) array
        A.
    target : (m,) array
        y.
    capacity : int
        Most columns that will be active at a time.

    Attributes
    ----------
    active : list of int
        Active columns in the order of R's columns.
    residual : (m,) array
        y - S S⁺ y.
    correlations : (K,) array
        Aᵀ residual; zero for active columns up to round-off.
    """

    def __init__(self, matrix: Matrix, target: Vector, capacity: int) -> None:
        self._a = np.array(matrix, dtype=np.float64, order="F")
        m, n = self._a.shape
        self._triangular = m == n and all(not np.any(self._a[j + 1 :, j]) for j in range(n))
        self.capacity = min(int(capacity), m, n)
        self._w = np.empty((m + n + 1, self.capacity), order="F")
        self._r = np.zeros((self.capacity, self.capacity), order="F")
        self.active: list[int] = []
        self.residual = np.array(target, dtype=np.float64)
        self.correlations = self.correlate(self.residual)
        self._since_refresh = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(m, K)."""
        return self._a.shape[0], self._a.shape[1]

    @property
    def triangle(self) -> Matrix:
        """R, (k, k) upper triangle; a view."""
        k = len(self.active)
        return self._r[:k, :k]

    @property
    def projection(self) -> Vector:
        """Qᵀy, (k,)."""
        return self._w[-1, : len(self.active)].copy()

    def correlate(self, vector: Vector) -> Vector:
        """Aᵀ v, (K,)."""
        if self._triangular:
            from scipy.linalg import blas

            return blas.dtrmv(self._a, vector, trans=1)
        product: Vector = self._a.T @ vector
        return product

    def spanned(self, coefficients: Vector) -> Vector:
        """AᵀQ g, (K,): how a step Q g in the span changes the correlations."""
        m, n = self.shape
        product: Vector = self._w[m : m + n, : len(self.active)] @ coefficients
        return product

    def forward(self, right: Vector) -> Vector:
        """R⁻ᵀ v, (k,)."""
        return solve_triangle(self._r, right, transposed=True)

    def backward(self, right: Matrix) -> Matrix:
        """R⁻¹ V, (k,) or (k, j)."""
        return solve_triangle(self._r, right)

    def add(self, column: int) -> bool:
        """Make a column active; False, and nothing changed, when it depends on those that are."""
        m, n = self.shape
        k = len(self.active)
        if k == self.capacity:
            return False
        vector, coefficients = self._orthogonalised(column)
        length = float(np.linalg.norm(vector))
        whole = float(np.linalg.norm(self._a[:, column]))
        if not length > INDEPENDENT * whole:
            return False
        vector /= length
        self._r[:k, k], self._r[k, k] = coefficients, length
        self._r[k, :k] = 0.0
        share = float(vector @ self.residual)
        self._w[:m, k], self._w[-1, k] = vector, share
        self._w[m : m + n, k] = self.correlate(vector)
        self.active.append(column)
        self._move(k, -share)
        return True

    def drop(self, position: int) -> int:
        """Delete the active column at a position of ``active``; returns its index in A."""
        k = len(self.active)
        take_out_row(self._r, self._w, position, k)
        self._move(position, float(self._w[-1, position]))
        move_columns(self._w, position, k)
        p = position
        self._r[:p, p : k - 1] = self._r[:p, p + 1 : k].copy()
        self._r[p : k - 1, p : k - 1] = np.triu(self._r[p + 1 : k, p + 1 : k])
        return self.active.pop(position)

    def _orthogonalised(self, column: int) -> tuple[Vector, Vector]:
        """The part of a column outside the span, and Qᵀa."""
        m = self.shape[0]
        basis = self._w[:m, : len(self.active)]
        coefficients = self._w[m + column, : len(self.active)].copy()
        vector = self._a[:, column] - basis @ coefficients
        for _ in range(3):
            before = np.linalg.norm(vector)
            correction = vector @ basis
            vector -= basis @ correction
            coefficients += correction
            if np.linalg.norm(vector) > 0.5 * before:
                break
        return vector, coefficients

    def _move(self, position: int, share: float) -> None:
        """Add ``share`` times column ``position`` of Q to the residual."""
        m, n = self.shape
        self.residual += share * self._w[:m, position]
        self._since_refresh += 1
        if self._since_refresh >= _REFRESH:
            self.correlations = self.correlate(self.residual)
            self._since_refresh = 0
        else:
            self.correlations += share * self._w[m : m + n, position]
