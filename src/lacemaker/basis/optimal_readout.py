"""Polynomial readout: products of basis functions, still linear in the coefficients.

A product of invariants is a polynomial in A, so it expands into the same kind of products as any other
function and compiles into the same program. Monomials of functionally independent functions are linearly
independent, so no rank test is needed.
"""

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.count import invariant_count
from lacemaker.basis.levels import bounded_multisets
from lacemaker.basis.messages import basis_error
from lacemaker.basis.optimal_order import channel_levels, function_levels

if TYPE_CHECKING:
    from lacemaker.basis.spec import ReadoutSpec

MAX_TERMS = 20_000_000
Expansion = tuple[np.ndarray, np.ndarray]
"""Products (n, nu) of A numbers, non-decreasing along each, and their coefficients (n,)."""


def with_products(
    centre: CentreBasis, n_elements: int, wl: Fraction, rule: str, readout: "ReadoutSpec"
) -> CentreBasis:
    """The centre with products of its functions appended.

    Parameters
    ----------
    readout
        Largest number of functions in a product, largest correlation order and degree of a product.
    """
    levels, scale = channel_levels(centre, n_elements, wl, rule)
    chosen = product_list(centre, function_levels(centre, levels), scale, readout)
    if not chosen:
        return centre
    rows = [_expansion(centre, k) for k in range(centre.n_functions)]
    done: dict[tuple[int, ...], Expansion] = {(k,): row for k, row in enumerate(rows)}
    total = 0
    for members in chosen:
        shorter = done.get(members[:-1])
        if shorter is None:  # too large by itself for the list
            shorter = done[members[:1]]
            for k in members[1:-1]:
                shorter = multiply(shorter, rows[k])
        done[members] = multiply(shorter, rows[members[-1]])
        total += len(done[members][1])
        if total > MAX_TERMS:
            raise basis_error(
                "the polynomial readout is too large",
                f"more than {MAX_TERMS} terms of {len(chosen)} products",
                "lower max_degree, max_order or the number of factors",
            )
    return _appended(centre, chosen, [*rows, *(done[members] for members in chosen)])


def product_list(
    centre: CentreBasis, levels: np.ndarray, scale: int, readout: "ReadoutSpec"
) -> list[tuple[int, ...]]:
    """The products as tuples of function numbers, sorted by (correlation order, degree, members)."""
    by_level = np.argsort(levels, kind="stable")
    limit = int(Fraction(readout.max_degree) * scale)
    found: list[tuple[int, int, tuple[int, ...]]] = []
    for count in range(2, readout.max_factors + 1):
        members = by_level[bounded_multisets(levels[by_level], count, limit)]
        order = centre.order[members].sum(axis=1)
        for row in np.flatnonzero(order <= readout.max_order):
            numbers = tuple(sorted(members[row].tolist()))
            found.append((int(order[row]), int(levels[members[row]].sum()), numbers))
    return [numbers for _, _, numbers in sorted(found)]


def _expansion(centre: CentreBasis, function: int) -> Expansion:
    entry = slice(centre.row_first[function], centre.row_first[function + 1])
    first = centre.product_first[centre.row_product[entry]]
    index = first[:, None] + np.arange(centre.order[function])
    return centre.product_index[index].astype(np.int64), centre.row_coefficient[entry]


def multiply(a: Expansion, b: Expansion) -> Expansion:
    """The product of two polynomials, equal products added up."""
    index = np.concatenate([np.repeat(a[0], len(b[0]), axis=0), np.tile(b[0], (len(a[0]), 1))], axis=1)
    index.sort(axis=1)
    distinct, where = np.unique(index, axis=0, return_inverse=True)
    value = np.multiply.outer(a[1], b[1]).ravel()
    return distinct, np.bincount(where.reshape(-1), value, minlength=len(distinct))


def _appended(centre: CentreBasis, chosen: list[tuple[int, ...]], expansions: list[Expansion]) -> CentreBasis:
    """Flat arrays of the functions followed by the products."""
    width = max(e[0].shape[1] for e in expansions)
    padded = np.concatenate(
        [np.pad(e[0], ((0, 0), (0, width - e[0].shape[1])), constant_values=-1) for e in expansions]
    )
    lengths = (padded >= 0).sum(axis=1)
    distinct, row_product = np.unique(np.column_stack([lengths, padded]), axis=0, return_inverse=True)
    orders, index = distinct[:, 0], distinct[:, 1:]
    row_lengths = [len(e[1]) for e in expansions]
    channels, multiplicity = _quantum_numbers(centre, chosen, width)
    return CentreBasis(
        channels=centre.channels,
        a_spec=centre.a_spec,
        product_first=np.concatenate([[0], np.cumsum(orders)]).astype(np.int64),
        product_index=index[index >= 0].astype(np.int32),
        row_first=np.concatenate([[0], np.cumsum(row_lengths)]).astype(np.int64),
        row_product=row_product.reshape(-1).astype(np.int32),
        row_coefficient=np.concatenate([e[1] for e in expansions]),
        order=np.concatenate([centre.order, (channels[centre.n_functions :] >= 0).sum(axis=1)]),
        function_channels=channels,
        multiplicity=multiplicity,
    )


def _quantum_numbers(
    centre: CentreBasis, chosen: list[tuple[int, ...]], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Channels of all functions, and numbers that tell products from coupled functions of equal channels."""
    old = centre.function_channels
    channels = [np.pad(old, ((0, 0), (0, max(width - old.shape[1], 0))), constant_values=-1)]
    seen: dict[tuple[int, ...], int] = defaultdict(int)
    multiplicity = [centre.multiplicity]
    for members in chosen:
        numbers = sorted(c for k in members for c in old[k].tolist() if c >= 0)
        key = tuple(numbers)
        multiplicity.append(np.array([_n_coupled(centre, key) + seen[key]]))
        seen[key] += 1
        channels.append(np.array([numbers + [-1] * (channels[0].shape[1] - len(numbers))]))
    return np.concatenate(channels), np.concatenate(multiplicity)


def _n_coupled(centre: CentreBasis, channels: tuple[int, ...]) -> int:
    """Number of invariants the basis itself can have with these channels."""
    groups = sorted((int(centre.channels[c, 2]), channels.count(c)) for c in set(channels))
    return invariant_count(tuple(groups))
