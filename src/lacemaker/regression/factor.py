"""Streaming QR: rows go in, an upper-triangular factor comes out, the rows are never kept.

A :class:`Factor` stands for a block of rows B = [A | y] of any height through a matrix R with RᵀR = BᵀB. That
is all least squares ever asks of the rows: ‖A c - y‖ = ‖R [c; -1]‖ for every c. Blocks with fewer rows than
columns are kept as they are (R = B), so that a small group costs its rows and no more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.lapack import absorb_rows

__all__ = ["Accumulator", "Factor", "compress", "merge", "triangle"]

Matrix = NDArray[np.float64]

BLOCK_ROWS = 512  # rows absorbed at a time: 500 to 1000 are equally fast, more falls out of the cache


@dataclass(frozen=True, eq=False)
class Factor:
    """R with RᵀR = BᵀB for the rows B = [A | y] it stands for.

    Attributes
    ----------
    array : (r, n) array, r <= n
        Upper triangle with non-negative diagonal when r = n, else the rows themselves.
    n_rows : int
        How many rows went in.
    """

    array: Matrix
    n_rows: int

    @property
    def n_columns(self) -> int:
        """Columns, the target included."""
        return int(self.array.shape[1])

    @property
    def is_triangular(self) -> bool:
        """True when the rows were compressed to a triangle."""
        return self.array.shape[0] == self.array.shape[1]

    def residual(self, coefficients: Matrix) -> Matrix:
        """Squared residual norms ‖A c - y‖², exact, of coefficient vectors (..., n - 1)."""
        residuals = np.asarray(coefficients, dtype=np.float64) @ self.array[:, :-1].T - self.array[:, -1]
        squares: Matrix = np.einsum("...i,...i->...", residuals, residuals)
        return squares

    def take(self, columns: Sequence[int] | NDArray[np.integer]) -> "Factor":
        """Keep some columns, in the given order; the target must be among them to stay last."""
        return compress(self.array[:, np.asarray(columns, dtype=np.int64)], self.n_rows)


class Accumulator:
    """Streams rows into a :class:`Factor`; memory is one block plus one triangle."""

    def __init__(self, n_columns: int, *, block_rows: int = BLOCK_ROWS) -> None:
        self._n = int(n_columns)
        self._block_rows = int(block_rows)
        self._full: list[Matrix] = []  # blocks waiting until there are more rows than columns
        self._block: Matrix | None = None
        self._fill = 0
        self._triangle: Matrix | None = None
        self._n_rows = 0

    def add(self, *pieces: Matrix) -> None:
        """Append m rows, given as column blocks (m, k) from left to right; they are copied."""
        n_new = len(pieces[0])
        start = 0
        while start < n_new:
            if self._block is None:
                self._block = np.empty((self._block_rows, self._n), order="F")
                self._fill = 0
            stop = min(n_new, start + self._block_rows - self._fill)
            target = self._block[self._fill : self._fill + stop - start]
            column = 0
            for piece in pieces:
                target[:, column : column + piece.shape[1]] = piece[start:stop]
                column += piece.shape[1]
            self._fill += stop - start
            start = stop
            if self._fill == self._block_rows:
                self._flush()
        self._n_rows += n_new

    def add_triangle(self, triangle: Matrix) -> None:
        """Absorb an (n, n) upper triangle; it is copied."""
        copied = np.array(triangle, order="F")
        if self._triangle is None:
            self._triangle = copied
        else:
            absorb_rows(self._triangle, copied, triangular=True)

    def add_factor(self, factor: Factor, weight: float = 1.0) -> None:
        """Absorb another factor, multiplied by a weight."""
        scaled = factor.array if weight == 1.0 else weight * factor.array
        n_rows = self._n_rows + factor.n_rows
        if factor.is_triangular:
            self.add_triangle(scaled)
        else:
            self.add(scaled)
        self._n_rows = n_rows

    def finish(self) -> Factor:
        """Return the factor of everything added; call it once, last."""
        tail = [] if self._block is None else [self._block[: self._fill]]
        waiting = self._full + tail
        if self._triangle is None and sum(map(len, waiting)) < self._n:
            rows = np.concatenate(waiting) if waiting else np.empty((0, self._n))
            rows = np.asfortranarray(rows)
            rows.flags.writeable = False
            return Factor(rows, self._n_rows)
        self._absorb(waiting)
        assert self._triangle is not None
        return Factor(_with_positive_diagonal(self._triangle), self._n_rows)

    def _flush(self) -> None:
        assert self._block is not None
        if self._triangle is None and (len(self._full) + 1) * self._block_rows < self._n:
            self._full.append(self._block)
            self._block = None
            return
        self._absorb([*self._full, self._block])
        self._full, self._fill = [], 0

    def _absorb(self, blocks: Iterable[Matrix]) -> None:
        if self._triangle is None:
            self._triangle = np.zeros((self._n, self._n), order="F")
        for block in blocks:
            absorb_rows(self._triangle, np.asfortranarray(block))


def compress(rows: Matrix, n_rows: int | None = None) -> Factor:
    """Factor of some rows (m, n), which may themselves stand for ``n_rows`` rows."""
    accumulator = Accumulator(rows.shape[1])
    accumulator.add(rows)
    factor = accumulator.finish()
    return factor if n_rows is None else Factor(factor.array, n_rows)


def merge(parts: Iterable[tuple[Factor, float]], n_columns: int) -> Factor:
    """Factor of the stacked rows of several factors, each multiplied by its weight; weight 0 leaves one out.

    Associative up to round-off: (a + b) + c and a + (b + c) have the same Gram matrix and, when it is
    regular, the same triangle. Merging two triangles costs a third of absorbing as many rows.
    """
    accumulator = Accumulator(n_columns)
    for factor, weight in parts:
        if weight != 0.0:
            accumulator.add_factor(factor, weight)
    return accumulator.finish()


def triangle(factor: Factor) -> Matrix:
    """Return the factor as an (n, n) upper triangle, padded with zero rows where rows are missing."""
    if factor.is_triangular:
        return factor.array
    result = np.zeros((factor.n_columns, factor.n_columns), order="F")
    absorb_rows(result, np.array(factor.array, order="F"))
    return _with_positive_diagonal(result)


def _with_positive_diagonal(array: Matrix) -> Matrix:
    """Fix the signs of a triangle's rows: with a positive diagonal the factor of a regular Gram is unique."""
    signs = np.where(np.diagonal(array) < 0.0, -1.0, 1.0)
    array *= signs[:, None]
    array.flags.writeable = False
    return array
