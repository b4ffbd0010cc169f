"""Exact linear algebra over a prime field, in NumPy.

Residues are int64 in [0, p) with p just under 2^31, so that the product of two fits in 62 bits. Matrix
products go through float64: one operand is split into 16-bit halves and at most 64 products are added up, all
of it below 2^53 and therefore exact.
"""

import numpy as np

PRIMES = (2147483629, 2147483549)
"""2^31 - 19 and 2^31 - 99."""

CHUNK = 64  # products per exact float64 sum: 2^16 * 2^31 * 2^6 = 2^53


def matmul(left: np.ndarray, right: np.ndarray, prime: int) -> np.ndarray:
    """(n, k) times (k, m) modulo `prime`; `right` may be float64 holding residues (saves a copy)."""
    factor = right if right.dtype == np.float64 else right.astype(np.float64)
    total = np.zeros((left.shape[0], right.shape[1]), dtype=np.int64)
    for start in range(0, left.shape[1], CHUNK):
        part, other = left[:, start : start + CHUNK], factor[start : start + CHUNK]
        high = ((part >> 16).astype(np.float64) @ other).astype(np.int64) % prime
        low = ((part & 0xFFFF).astype(np.float64) @ other).astype(np.int64)
        total += ((high << 16) + low) % prime
    return total % prime


def inverse(value: int, prime: int) -> int:
    """1 / value modulo `prime`."""
    return pow(int(value), -1, prime)


class Echelon:
    """Row space that grows: a reduced row echelon form modulo a prime.

    Parameters
    ----------
    n_columns
        Length of the rows.
    prime
        Below 2^31.
    """

    def __init__(self, n_columns: int, prime: int) -> None:
        self.prime = prime
        self.rows = np.zeros((0, n_columns), dtype=np.int64)
        self.pivots = np.zeros(0, dtype=np.int64)

    @property
    def rank(self) -> int:
        """Dimension of the space so far."""
        return len(self.rows)

    def add(self, block: np.ndarray) -> np.ndarray:
        """Add rows in order; which of the (n, n_columns) are independent of all before them, (n,) bool."""
        left = (block - matmul(block[:, self.pivots], self.rows, self.prime)) % self.prime
        new, pivots = np.zeros(len(left), dtype=bool), []
        for r in range(len(left)):
            nonzero = np.flatnonzero(left[r])
            if len(nonzero) == 0:
                continue
            pivot = int(nonzero[0])
            left[r] = left[r] * inverse(left[r, pivot], self.prime) % self.prime
            others = np.flatnonzero(left[:, pivot])
            others = others[(others > r) | new[others]]
            left[others] = (left[others] - left[others, pivot, None] * left[r]) % self.prime
            new[r] = True
            pivots.append(pivot)
        if pivots:
            found = np.array(pivots)
            older = (self.rows - matmul(self.rows[:, found], left[new], self.prime)) % self.prime
            self.rows = np.concatenate([older, left[new]])
            self.pivots = np.concatenate([self.pivots, found])
        return new


def solve(matrix: np.ndarray, right: np.ndarray, prime: int) -> np.ndarray:
    """Solution of a small square system modulo `prime`: (n, n), (n, m) -> (n, m).

    Raises
    ------
    ZeroDivisionError
        when the matrix is singular modulo `prime`.
    """
    n = len(matrix)
    form = Echelon(n + right.shape[1], prime)
    form.add(np.concatenate([matrix, right], axis=1) % prime)
    if sorted(form.pivots.tolist()) != list(range(n)):
        raise ZeroDivisionError("singular matrix")
    return form.rows[np.argsort(form.pivots)][:, n:]
