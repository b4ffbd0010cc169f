"""Many-body functions of one centre element: one-particle set, products and couplings as flat arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.basis.count import invariant_count
from lacemaker.basis.coupling import Coupling
from lacemaker.basis.coupling_cache import couplings
from lacemaker.basis.levels import one_particle_channels, select_products
from lacemaker.basis.messages import basis_error
from lacemaker.basis.patterns import PatternBlock, group_by_pattern

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_FUNCTIONS = 200_000


@dataclass(frozen=True, eq=False)
class CentreBasis:
    """Many-body functions around one kind of centre atom.

    B_k = sum_p coupling[k, p] prod_t A[product p, factor t].

    Attributes
    ----------
    channels
        (n_channels, 3) int32 rows (z, n, l), sorted by (l, z, n).
    a_spec
        (n_A, 4) int32 rows (z, n, l, m), sorted by (z, l, m, n).
    product_first, product_index
        Products as a ragged list: product p multiplies the A numbered
        ``product_index[product_first[p]:product_first[p + 1]]`` (non-decreasing).
    row_first, row_product, row_coefficient
        The coupling in CSR form, rows = functions, columns = products.
    order
        (n_functions,) correlation order of each function.
    function_channels
        (n_functions, nu_max) channel numbers, -1 where the order is lower; non-decreasing.
    multiplicity
        (n_functions,) number of the function among those with the same channels.
    """

    channels: np.ndarray
    a_spec: np.ndarray
    product_first: np.ndarray
    product_index: np.ndarray
    row_first: np.ndarray
    row_product: np.ndarray
    row_coefficient: np.ndarray
    order: np.ndarray
    function_channels: np.ndarray
    multiplicity: np.ndarray

    @property
    def n_functions(self) -> int:
        """Number of many-body functions."""
        return len(self.order)

    @property
    def n_products(self) -> int:
        """Number of distinct products of A."""
        return len(self.product_first) - 1

    @property
    def product_order(self) -> np.ndarray:
        """(n_products,) number of factors of each product."""
        return np.diff(self.product_first)

    @cached_property
    def coupling(self) -> "csr_array":
        """Sparse (n_functions, n_products) coupling matrix."""
        from scipy.sparse import csr_array

        return csr_array(
            (self.row_coefficient, self.row_product, self.row_first),
            shape=(self.n_functions, self.n_products),
        )


def build_centre(n_elements: int, degrees: Sequence[Fraction], wl: Fraction, rule: str) -> CentreBasis:
    """Many-body basis of one centre element.

    Parameters
    ----------
    degrees
        D[nu] for nu = 1..correlation order.

    Raises
    ------
    BasisError
        when nothing or far too much is selected.
    """
    channels, level, blocks = _select(n_elements, degrees, wl, rule)
    n_functions = _count(blocks)
    if not 0 < n_functions <= MAX_FUNCTIONS:
        raise basis_error(
            f"the basis would have {n_functions} many-body functions per centre",
            f"degrees {[float(d) for d in degrees]}, wl {float(wl):g}, {n_elements} element(s), rule {rule}",
            f"choose max_degree >= 1, small enough for at most {MAX_FUNCTIONS} functions (usual: thousands)",
        )
    coupled = couplings(b.pattern for b in blocks)
    used = np.unique(np.concatenate([b.channels.ravel() for b in blocks]))
    compact = np.full(len(channels), -1)
    compact[used] = np.arange(len(used))
    blocks = [PatternBlock(b.pattern, b.products, compact[b.channels]) for b in blocks]
    return assemble_centre(
        channels[used], level[used], blocks, [coupled[b.pattern] for b in blocks], len(degrees)
    )


def count_functions(n_elements: int, degrees: Sequence[Fraction], wl: Fraction, rule: str) -> int:
    """Number of many-body functions of one centre element, without building them."""
    return _count(_select(n_elements, degrees, wl, rule)[2])


def _select(
    n_elements: int, degrees: Sequence[Fraction], wl: Fraction, rule: str
) -> tuple[np.ndarray, np.ndarray, list[PatternBlock]]:
    """Channels (z, n, l) sorted by (l, z, n), their integer levels, and the blocks that carry invariants."""
    one_particle = one_particle_channels(n_elements, wl, max(degrees), rule)
    order = np.lexsort((one_particle.n, one_particle.z, one_particle.ell))
    number = np.argsort(order)
    channels = np.column_stack([one_particle.z, one_particle.n, one_particle.ell])[order].astype(np.int32)
    blocks = []
    for products in select_products(one_particle, degrees):
        blocks += [
            b for b in group_by_pattern(number[products], channels[:, 2]) if invariant_count(b.pattern)
        ]
    return channels, one_particle.level[order], blocks


def _count(blocks: list[PatternBlock]) -> int:
    return sum(len(b.channels) * invariant_count(b.pattern) for b in blocks)


def one_particle_basis(channels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A spec (n_A, 4) sorted by (z, l, m, n), and the lookup table [channel, m + l] -> row."""
    ell = channels[:, 2]
    owner = np.repeat(np.arange(len(channels)), 2 * ell + 1)
    m = np.concatenate([np.arange(-j, j + 1) for j in ell])
    spec = np.column_stack([channels[owner], m])
    order = np.lexsort((spec[:, 1], spec[:, 3], spec[:, 2], spec[:, 0]))
    lookup = np.full((len(channels), 2 * int(ell.max()) + 1), -1)
    lookup[owner[order], (m + ell[owner])[order]] = np.arange(len(order))
    return spec[order].astype(np.int32), lookup


def assemble_centre(
    channels: np.ndarray, level: np.ndarray, blocks: list[PatternBlock], coupled: list[Coupling], nu_max: int
) -> CentreBasis:
    """Flat arrays from the blocks; products and functions are brought into their final order."""
    a_spec, lookup = one_particle_basis(channels)
    products, functions, triplets = [], [], []
    n_products = n_functions = 0
    for block, coupling in zip(blocks, coupled, strict=True):
        momenta = channels[block.channels[0], 2]
        index = lookup[
            block.channels[:, None, :], (coupling.m + momenta)[None, :, :]
        ]  # (blocks, products, nu)
        n_blocks, n_local, nu = index.shape
        products.append(_padded(np.sort(index.reshape(-1, nu), axis=1), nu_max))
        rank = len(coupling.coefficients)
        key = np.column_stack(
            [
                np.full(n_blocks * rank, nu),
                np.repeat(level[block.channels].sum(axis=1), rank),
                np.repeat(_padded(np.sort(block.channels, axis=1), nu_max), rank, axis=0),
                np.tile(np.arange(rank), n_blocks),
            ]
        )
        functions.append(key)
        row, column = np.nonzero(coupling.coefficients)
        start = np.arange(n_blocks)[:, None]
        triplets.append(
            (
                (n_functions + start * rank + row).ravel(),
                (n_products + start * n_local + column).ravel(),
                np.tile(coupling.coefficients[row, column], n_blocks),
            )
        )
        n_products += n_blocks * n_local
        n_functions += n_blocks * rank
    return _ordered(
        channels, a_spec, np.concatenate(products), np.concatenate(functions),
        *(np.concatenate([t[i] for t in triplets]) for i in range(3)),
    )  # fmt: skip


def _ordered(
    channels: np.ndarray, a_spec: np.ndarray, products: np.ndarray, functions: np.ndarray,
    row: np.ndarray, column: np.ndarray, value: np.ndarray,
) -> CentreBasis:  # fmt: skip
    """Sort functions by (order, level, channels, multiplicity) and products by (order, factors)."""
    f_order = np.lexsort(functions.T[::-1])
    lengths = (products >= 0).sum(axis=1)
    p_order = np.lexsort((*products.T[::-1], lengths))
    row, column = np.argsort(f_order)[row], np.argsort(p_order)[column]
    t_order = np.lexsort((column, row))
    functions, products, lengths = functions[f_order], products[p_order], lengths[p_order]
    return CentreBasis(
        channels=channels,
        a_spec=a_spec,
        product_first=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        product_index=products[products >= 0].astype(np.int32),
        row_first=np.searchsorted(row[t_order], np.arange(len(functions) + 1)).astype(np.int64),
        row_product=column[t_order].astype(np.int32),
        row_coefficient=value[t_order],
        order=functions[:, 0],
        function_channels=functions[:, 2:-1],
        multiplicity=functions[:, -1],
    )


def _padded(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows with -1 appended up to the given width."""
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=-1)
