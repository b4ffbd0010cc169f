"""What a basis function adds to the compiled program, given those that are in it already.

A function Σ_m C_m A_{n₁l₁m₁} … A_{n_νl_νm_ν} costs its distinct products and, where they are new, its
one-particle functions A. Products are shared by all functions of the same channels (n, l), which differ in
their coupling C only: the second of them is free. Counting needs the quantum numbers alone.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FunctionCosts", "count_products"]

Vector = NDArray[np.float64]

# µs per atom of one product and of one A function, float64, AVX-512: slopes of measured µs/atom over the
# numbers in sparse programs (benchmarks/solvers.py --costs). Only their ratio enters a selection.
PRODUCT_MICROSECONDS = 0.0002
A_MICROSECONDS = 0.0044
FREE_MICROSECONDS = 0.0010  # a function that adds nothing still is one more coefficient


@cache
def count_products(channels: tuple[tuple[int, int, int], ...]) -> int:
    """Distinct products of real A functions that channels (z, n, l) can couple to an invariant.

    With real harmonics a product survives when some choice of signs makes Σ ± m zero and the number of
    sine-like factors (m < 0) is even.
    """
    found = set()
    for orders in product(*(range(-ell, ell + 1) for _, _, ell in channels)):
        if sum(m < 0 for m in orders) % 2 == 0 and _cancels(orders):
            found.add(tuple(sorted((*channel, m) for channel, m in zip(channels, orders, strict=True))))
    return len(found)


def _cancels(orders: Sequence[int]) -> bool:
    sums = {0}
    for m in orders:
        sums = {s + m for s in sums} | {s - m for s in sums}
    return 0 in sums


class FunctionCosts:
    """Marginal µs per atom of every function.

    Parameters
    ----------
    functions : sequence
        Basis functions with ``kind``, ``centre`` and ``channels``.
    """

    def __init__(self, functions: Sequence[Any]) -> None:
        groups: dict[Any, int] = {}
        blocks: dict[Any, int] = {}
        self._group = np.empty(len(functions), dtype=np.int64)
        self._blocks: list[list[int]] = []
        products: list[float] = []
        sizes: list[float] = []
        for i, function in enumerate(functions):
            channels = tuple(sorted(function.channels))
            centre, pair = getattr(function, "centre", 0), getattr(function, "kind", "") == "pair"
            key = (centre, pair, channels)
            if key not in groups:
                groups[key] = len(groups)
                products.append(0.0 if pair else PRODUCT_MICROSECONDS * _products(channels))
            self._group[i] = groups[key]
            own = []
            for channel in () if pair else dict.fromkeys(channels):
                if (centre, channel) not in blocks:
                    blocks[centre, channel] = len(blocks)
                    sizes.append(A_MICROSECONDS * (2 * channel[2] + 1))
                own.append(blocks[centre, channel])
            self._blocks.append(own)
        self._products, self._sizes = np.array(products), np.array(sizes)
        width = max(map(len, self._blocks), default=0)
        self._padded = np.full((len(functions), width), len(sizes))
        for i, own in enumerate(self._blocks):
            self._padded[i, : len(own)] = own

    def marginal(self, active: Sequence[int]) -> Vector:
        """µs per atom (K,) that each function would add to the active ones."""
        products, sizes = self._products.copy(), np.append(self._sizes, 0.0)
        chosen = np.asarray(active, dtype=np.int64)
        products[self._group[chosen]] = 0.0
        sizes[self._padded[chosen].ravel()] = 0.0
        return FREE_MICROSECONDS + products[self._group] + sizes[self._padded].sum(axis=1)

    def penalties(self, active: Sequence[int], exponent: float) -> Vector:
        """(marginal / median)^exponent: what divides a score, or multiplies an ℓ₁ penalty."""
        costs = self.marginal(active)
        return (costs / np.median(costs)) ** exponent


def _products(channels: tuple[tuple[int, int, int], ...]) -> int:
    relabelled: dict[tuple[int, int, int], int] = {}
    plain = tuple((0, relabelled.setdefault(channel, len(relabelled)), channel[2]) for channel in channels)
    return count_products(tuple(sorted(plain, key=lambda c: (c[2], c[1]))))
