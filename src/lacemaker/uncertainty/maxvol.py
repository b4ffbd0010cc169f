"""MaxVol: the rows of a tall matrix that span the largest volume, from a stream of its rows.

For an active set A of n rows, a row b has the coordinates g = b A^-1. Replacing row k of A by b multiplies
|det A| by |g_k|, so |g_k| ≤ 1 for all rows is a maximum of the volume (Goreinov, Oseledets, Savostyanov,
Tyrtyshnikov and Zamarashkin, in: Matrix Methods: Theory, Algorithms and Applications, 2010, p. 247). The
starting point is a tournament of partially pivoted LU factorisations, one per block of rows, as in Grigori,
Demmel and Xiang, SIAM J. Matrix Anal. Appl. 32, 1317 (2011). Memory is O(n²), whatever the number of rows.
"""

from __future__ import annotations

import numpy as np

__all__ = ["MaxVol"]

FLOOR = 1e-5  # of a column's root mean square: smaller variations do not count as seen
_MOST_SWAPS = 20  # per row of the active set and sweep


class MaxVol:
    """Active set of `n` rows: feed all rows to `spread`, to `choose`, then to `improve` until settled.

    The set starts from n virtual rows, each `FLOOR` of the root mean square of one column, so that it is full
    whatever the data: a direction in which the rows vary less than that keeps its virtual row, and rows that
    later leave the span of all others get a large grade instead of none.

    Attributes
    ----------
    rows : ndarray (n, n)
        The active set, in units of the columns' root mean squares.
    labels : ndarray (n, 2)
        What was said about each active row; -1 for virtual rows.
    largest : float
        Largest grade met in the last sweep, after its replacements.
    """

    def __init__(self, n: int, tolerance: float = 0.01) -> None:
        self.n, self.tolerance = n, tolerance
        self.rows = FLOOR * np.eye(n)
        self.labels = np.full((n, 2), -1)
        self.n_rows, self.n_swaps, self.largest = 0, 0, 0.0
        self.scale = np.ones(n)
        self._squares = np.zeros(n)
        self._inverse = np.asfortranarray(np.eye(n) / FLOOR)
        self._buffer: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    @property
    def rank(self) -> int:
        """Active rows that are not virtual."""
        return int(np.count_nonzero(self.labels[:, 0] >= 0))

    def inverse(self) -> np.ndarray:
        """(n, n) A^-1 for rows as they were fed: grade of b = max |b A^-1|."""
        return np.linalg.inv(self.rows) / self.scale[:, None]

    def spread(self, rows: np.ndarray) -> None:
        """First sweep: the root mean square of each column."""
        self.n_rows += len(rows)
        self._squares += np.einsum("ij,ij->j", rows, rows)
        mean = np.sqrt(self._squares / max(self.n_rows, 1))
        self.scale = np.where(mean > 0.0, mean, 1.0)

    def choose(self, labels: np.ndarray, rows: np.ndarray) -> None:
        """Second sweep: the best rows of each block against those chosen before."""
        for number, block in self._blocks(labels, rows):
            self._play(number, block)

    def improve(self, labels: np.ndarray, rows: np.ndarray) -> None:
        """Further sweeps: replace active rows while a row's grade exceeds 1 + tolerance."""
        for number, block in self._blocks(labels, rows):
            self._swap(number, block)

    def finish_choosing(self) -> None:
        """End of the second sweep."""
        for number, block in self._rest():
            self._play(number, block)
        self._refresh()

    def finish_improving(self) -> bool:
        """End of a further sweep; True if it replaced nothing, and all grades are within the tolerance."""
        for number, block in self._rest():
            self._swap(number, block)
        settled = self.n_swaps == 0
        self._refresh()
        self.n_swaps = 0
        return settled

    def _refresh(self) -> None:
        self._inverse = np.asfortranarray(np.linalg.inv(self.rows))
        self.largest = 0.0

    def _blocks(self, labels: np.ndarray, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows wait until there are n of them: matrix products pay, and memory stays O(n²)."""
        if self.n == 0 or len(rows) == 0:
            return []
        size, out = max(self.n, 64), []
        for at in range(0, len(rows), size):
            self._buffer.append((labels[at : at + size], rows[at : at + size] / self.scale))
            self._waiting += len(self._buffer[-1][0])
            if self._waiting >= size:
                out += self._rest()
        return out

    def _rest(self) -> list[tuple[np.ndarray, np.ndarray]]:
        if not self._buffer:
            return []
        labels, rows = (np.concatenate(parts) for parts in zip(*self._buffer, strict=True))
        self._buffer, self._waiting = [], 0
        return [(labels, rows)]

    def _play(self, labels: np.ndarray, block: np.ndarray) -> None:
        """Pivots of an LU factorisation choose n of the rows."""
        from scipy.linalg import lu_factor

        both, names = np.vstack([self.rows, block]), np.vstack([self.labels, labels])
        _, pivots = lu_factor(both, check_finite=False)
        order = np.arange(len(both))
        for k, p in enumerate(pivots):
            order[[k, p]] = order[[p, k]]
        self.rows, self.labels = both[order[: self.n]], names[order[: self.n]]

    def _swap(self, labels: np.ndarray, block: np.ndarray) -> None:
        """Replace rows of largest grade first; the inverse and the coordinates follow by rank-one updates."""
        from scipy.linalg.blas import dger

        coordinates = np.asfortranarray(block @ self._inverse)
        for _ in range(_MOST_SWAPS * self.n):
            at = int(np.argmax(np.abs(coordinates).max(axis=1)))
            k = int(np.argmax(np.abs(coordinates[at])))
            pivot = float(coordinates[at, k])
            if abs(pivot) <= 1.0 + self.tolerance:
                break
            self.rows[k], self.labels[k] = block[at], labels[at]
            step = coordinates[at].copy()
            step[k] -= 1.0
            step /= -pivot
            coordinates = dger(1.0, coordinates[:, k].copy(), step, a=coordinates, overwrite_a=1)
            self._inverse = dger(1.0, self._inverse[:, k].copy(), step, a=self._inverse, overwrite_a=1)
            self.n_swaps += 1
        self.largest = max(self.largest, float(np.abs(coordinates).max(initial=0.0)))
