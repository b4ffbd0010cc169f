"""Functional independence of basis functions: Jacobians by the density coefficients A, and greedy ranks.

Functions B_1 .. B_K of one centre element are polynomials of x = (A_znlm). They are functionally independent
if the rows dB_k/dx are linearly independent at a generic point; for polynomials that equals algebraic
independence (Jacobian criterion). A random point is generic with probability one, and can only lose rank. The
rank is at most the number of components minus the dimension of the rotations' orbits.

Reference: Allen, Shinkle, Bujack, Lubbers, Optimal Invariant Bases for Atomistic Machine Learning,
arXiv:2503.23515 (2025); the algorithm here is our own.
"""

from typing import Protocol

import numpy as np

from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.optimal_couplings import chain_rows
from lacemaker.basis.optimal_field import Echelon
from lacemaker.basis.optimal_transvectants import chain_gradient, chains
from lacemaker.basis.patterns import PatternBlock, group_by_pattern

THRESHOLD = 1e-9
"""A unit row whose residual is shorter than this is dependent (float64)."""

BATCH = 4096  # rows of the Jacobian made at once


class RowSpace(Protocol):
    """A space that tells which of some rows are new."""

    @property
    def rank(self) -> int: ...
    def add(self, block: np.ndarray) -> np.ndarray: ...


class Jacobian(Protocol):
    """Rows dB_k/dx at one point."""

    def rows(self, functions: np.ndarray) -> np.ndarray: ...


class Orthonormal:
    """Row space in float64: projections are done twice; rows are scaled to unit length first.

    Attributes
    ----------
    smallest_kept, largest_dropped
        Residual lengths either side of the threshold: the wider apart, the safer.
    """

    def __init__(self, n_columns: int, threshold: float = THRESHOLD) -> None:
        self.basis = np.zeros((0, n_columns))
        self.threshold = threshold
        self.smallest_kept, self.largest_dropped = np.inf, 0.0

    @property
    def rank(self) -> int:
        """Dimension of the space so far."""
        return len(self.basis)

    def add(self, block: np.ndarray) -> np.ndarray:
        """Add rows in order; which of the (n, n_columns) are independent of all before them, (n,) bool."""
        length = np.linalg.norm(block, axis=1)
        left = block / np.where(length > 0, length, 1.0)[:, None]
        for _ in range(2):
            left -= (left @ self.basis.T) @ self.basis
        new = np.zeros(len(left), dtype=bool)
        for r in np.flatnonzero(np.linalg.norm(left, axis=1) > self.threshold):
            row = left[r]
            for _ in range(2):
                row = row - (self.basis @ row) @ self.basis
            residual = float(np.linalg.norm(row))
            if residual > self.threshold:
                new[r] = True
                self.smallest_kept = min(self.smallest_kept, residual)
                self.basis = np.concatenate([self.basis, row[None] / residual])
            left[r] = row
        dropped = np.linalg.norm(left[~new], axis=1)
        self.largest_dropped = max(self.largest_dropped, float(dropped.max(initial=0.0)))
        return new


class FloatJacobian:
    """dB/dA of any coupling rows at a point, through the products of real A (float64).

    Parameters
    ----------
    centre
        Any many-body basis: full, a selection, with products of functions, imported.
    point
        (n_A,) values of A in the order of ``centre.a_spec``.
    """

    def __init__(self, centre: CentreBasis, point: np.ndarray) -> None:
        self.centre, self.point = centre, point
        lengths = centre.product_order
        width = int(lengths.max(initial=1))
        self.index = np.full((centre.n_products, width), len(point))
        self.index[np.arange(width) < lengths[:, None]] = centre.product_index
        factors = np.append(point, 1.0)[self.index]
        self.others = np.stack([np.delete(factors, t, axis=1).prod(axis=1) for t in range(width)], axis=1)

    def rows(self, functions: np.ndarray) -> np.ndarray:
        """(n, n_A) gradients of the given functions."""
        first, n_a = self.centre.row_first, len(self.point)
        lengths = first[functions + 1] - first[functions]
        row = np.repeat(np.arange(len(functions)), lengths)
        entry = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[functions][row]
        product, coefficient = self.centre.row_product[entry], self.centre.row_coefficient[entry]
        total = np.zeros(len(functions) * (n_a + 1))
        for t in range(self.index.shape[1]):
            place = row * (n_a + 1) + self.index[product, t]
            total += np.bincount(place, coefficient * self.others[product, t], minlength=len(total))
        return total.reshape(len(functions), n_a + 1)[:, :n_a]


class ExactJacobian:
    """dB/dx modulo a prime at a random point, for the functions an `ACEBasis` builds itself.

    x are the coefficients of the binary forms (see `optimal_transvectants`): a rescaling of the complex
    A_lm, which leaves every rank as it is.
    """

    def __init__(self, centre: CentreBasis, seed: int, prime: int) -> None:
        self.centre, self.prime = centre, prime
        size = 2 * centre.channels[:, 2] + 1
        self.offset = np.concatenate([[0], np.cumsum(size)])
        self.point = np.random.default_rng(seed).integers(1, prime, size=int(self.offset[-1]))

    def rows(self, functions: np.ndarray) -> np.ndarray:
        """(n, n_A) residues."""
        result = np.zeros((len(functions), len(self.point)), dtype=np.int64)
        order = self.centre.order[functions]
        for nu in np.unique(order):
            mine = np.flatnonzero(order == nu)
            channels = self.centre.function_channels[functions[mine], :nu]
            for block in group_by_pattern(channels, self.centre.channels[:, 2]):
                places = mine[block.products]
                self._fill(result, block, places, self.centre.multiplicity[functions[places]])
        return result

    def _fill(
        self, result: np.ndarray, block: PatternBlock, places: np.ndarray, multiplicity: np.ndarray
    ) -> None:
        momenta = tuple(ell for ell, q in block.pattern for _ in range(q))
        distinct, inverse = np.unique(block.channels, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        columns = [
            self.offset[distinct[:, t]][:, None] + np.arange(2 * ell + 1) for t, ell in enumerate(momenta)
        ]
        factors = [self.point[c] for c in columns]
        mixing = chain_rows(block.pattern, self.prime)
        total = [np.zeros((len(places), f.shape[1]), dtype=np.int64) for f in factors]
        for number, chain in enumerate(chains(momenta)):
            weight = mixing[multiplicity, number][:, None]
            if not weight.any():
                continue
            gradients = chain_gradient(factors, momenta, chain, self.prime)
            for sum_, gradient in zip(total, gradients, strict=True):
                sum_ += weight * gradient[inverse] % self.prime
        for sum_, column in zip(total, columns, strict=True):
            here = (places[:, None], column[inverse])
            result[here] = (result[here] + sum_) % self.prime


def greedy(jacobian: Jacobian, space: RowSpace, order: np.ndarray, bound: int) -> np.ndarray:
    """Which functions raise the rank when taken in the given order.

    Parameters
    ----------
    order
        (n,) function numbers.
    bound
        No rank beyond this is possible: stop there.

    Returns
    -------
    (n,) bool in the order of `order`.
    """
    new = np.zeros(len(order), dtype=bool)
    for start in range(0, len(order), BATCH):
        rows = jacobian.rows(order[start : start + BATCH])
        for first in range(0, len(rows), 128):
            if space.rank >= bound:
                return new
            new[start + first : start + first + 128] = space.add(rows[first : first + 128])
    return new


def completeness_bound(centre: CentreBasis) -> int:
    """Largest possible rank: components of A in use minus the dimension of the orbits of rotations."""
    return len(centre.a_spec) - orbit_dimension(centre)


def orbit_dimension(centre: CentreBasis) -> int:
    """3, or 2 for a single vector, or 0 for scalars alone."""
    momenta = centre.channels[:, 2]
    if not momenta.any():
        return 0
    return 2 if momenta.sum() == 1 else 3


def exact_order(centre: CentreBasis, order: np.ndarray, seeds: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """`greedy` modulo one prime per seed, and whether all runs agree.

    A rank modulo a prime is never too large, so that of several runs the largest rank of every prefix counts.
    """
    from lacemaker.basis.optimal_field import PRIMES

    bound = completeness_bound(centre)
    runs = []
    for prime, seed in zip(PRIMES, seeds, strict=False):
        jacobian = ExactJacobian(centre, seed, prime)
        runs.append(greedy(jacobian, Echelon(len(jacobian.point), prime), order, bound))
    rank = np.max([np.cumsum(run) for run in runs], axis=0)
    return np.diff(rank, prepend=0) > 0, all(np.array_equal(runs[0], run) for run in runs[1:])
