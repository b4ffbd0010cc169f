"""Purified functions: sums over *distinct* neighbours only, as a basis for the usual kernels.

The products A_k1 .. A_kN of an ACE contain terms in which several factors sit at the same neighbour, so that
functions of every order are non-zero for a dimer. Purification takes these self-interactions off:

- "full": a function of correlation order N is a sum over N distinct neighbours and vanishes with fewer.
- "pair": only the value of a single neighbour, summed over neighbours, is taken off: functions of order 2 and
  more vanish for a dimer, but not for a trimer.

Both are exact linear combinations of the usual functions, with larger n (and, from order 4 on, l) in the
lower orders. Evaluation needs nothing new: a longer list of A and products, and coupling rows with products
of several orders. Construction: `lacemaker.basis.purify_terms`. Reference: Ho, Gutleb, Ortner,
arXiv:2401.01550 (2024).
"""

from typing import TYPE_CHECKING

import numpy as np

from lacemaker.basis.centre import CentreBasis, assemble_centre
from lacemaker.basis.coupling_cache import couplings
from lacemaker.basis.messages import basis_error
from lacemaker.basis.patterns import PatternBlock, group_by_pattern
from lacemaker.basis.purify_terms import Kind, PureExpansion, pure_expansion
from lacemaker.basis.radial import RadialBasis
from lacemaker.basis.radial_products import RadialProducts, check_closed

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lacemaker.basis.ace import ACEBasis
    from lacemaker.basis.spec import BasisSpec

KINDS: tuple[Kind, ...] = ("full", "pair")
NEGLIGIBLE = 1e-15
"""Coefficients below this, relative to the largest of their function, are round-off."""


def purification_spec(basis: "ACEBasis", kind: Kind) -> "BasisSpec":
    """The specification of a basis with its functions purified.

    Raises
    ------
    BasisError
        for an unknown kind, a basis that is purified already or holds products of functions, and radial
        functions that are not closed under products.
    """
    from lacemaker.basis.spec import PurificationSpec, build_spec

    spec = basis.specification
    if kind not in KINDS:
        raise basis_error("unknown purification", repr(kind), f"choose one of {list(KINDS)}")
    if spec.purification is not None:
        raise basis_error("the basis is purified already", repr(basis), "start from basis.standard")
    if spec.readout is not None:
        raise basis_error(
            "products of functions cannot be purified",
            "a basis with a polynomial readout",
            "purify the basis without the readout (higher orders hold the products' functions)",
        )
    check_closed(basis.radial, basis.lengths(0, 0))
    return build_spec(**(dict(spec) | {"purification": PurificationSpec(kind=kind)}))


def purified_centre(centre: CentreBasis, n_elements: int, radial: RadialBasis, kind: Kind) -> CentreBasis:
    """The same functions (order, channels, multiplicity), purified.

    Parameters
    ----------
    radial
        Envelope and polynomials of the many-body block, checked by `check_closed`.
    """
    from scipy.sparse import csr_array

    expansion = centre_expansion(centre, n_elements, radial, kind)
    extended, rows = extended_centre(expansion, int(centre.order.max()))
    selector = csr_array(
        (np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=(len(rows), extended.n_functions)
    )
    coupling = without_round_off(expansion.matrix @ (selector @ extended.coupling))
    products, row_product = np.unique(coupling.indices, return_inverse=True)
    orders = extended.product_order[products]
    starts = np.repeat(extended.product_first[products] - np.cumsum(orders) + orders, orders)
    number = _positions(centre.channels, extended.channels)
    return CentreBasis(
        channels=extended.channels,
        a_spec=extended.a_spec,
        product_first=np.concatenate([[0], np.cumsum(orders)]).astype(np.int64),
        product_index=extended.product_index[starts + np.arange(orders.sum())],
        row_first=coupling.indptr.astype(np.int64),
        row_product=row_product.reshape(-1).astype(np.int32),
        row_coefficient=coupling.data,
        order=centre.order,
        function_channels=np.append(number, -1)[centre.function_channels],
        multiplicity=centre.multiplicity,
    )


def centre_expansion(centre: CentreBasis, n_elements: int, radial: RadialBasis, kind: Kind) -> PureExpansion:
    """Purified functions in terms of usual invariants."""
    n_max, order = int(centre.channels[:, 1].max()), int(centre.order.max())
    products = RadialProducts(radial.envelope, radial.polynomials, n_max, order)
    return pure_expansion(centre, n_elements, products, kind)


FunctionKey = tuple[str, int, tuple[tuple[int, int, int], ...], int]
"""Kind, centre element, channels (z, n, l) sorted by (l, z, n), multiplicity."""


def function_keys(basis: "ACEBasis") -> list[FunctionKey]:
    """One hashable identity per column."""
    return [
        (f.kind, f.centre, tuple(sorted(f.channels, key=lambda c: (c[2], c[0], c[1]))), f.multiplicity)
        for f in basis.columns
    ]


def in_standard_functions(basis: "ACEBasis") -> tuple["csr_array", list[FunctionKey]]:
    """Columns of a basis, purified or not, as combinations of standard functions.

    Returns
    -------
    matrix
        Sparse (n_functions, n_standard).
    functions
        What the standard functions are; for a purified basis they reach beyond ``basis.standard`` where lower
        orders do not go far enough.
    """
    from scipy.sparse import block_diag, csr_array, eye_array

    keys = function_keys(basis)
    purification = basis.specification.purification
    if purification is None:
        return csr_array(eye_array(len(keys))), keys
    parts, functions = [], []
    for i, centre in enumerate(basis.standard.many_body):
        expansion = centre_expansion(centre, basis.n_elements, basis.radial, purification.kind)
        parts.append(expansion.matrix)
        functions += [("many-body", i, channels, copy) for channels, copy in expansion.invariants]
    pairs = keys[basis.n_many_body :]
    if pairs:
        parts.append(eye_array(len(pairs)))
    return csr_array(block_diag(parts, format="csr")), [*functions, *pairs]


def extended_centre(expansion: PureExpansion, nu_max: int) -> tuple[CentreBasis, np.ndarray]:
    """The usual basis that holds all invariants of an expansion, and the function number of each."""
    channels = sorted({c for f, _ in expansion.invariants for c in f}, key=lambda c: (c[2], c[0], c[1]))
    number = {c: i for i, c in enumerate(channels)}
    table = np.array(channels, dtype=np.int32)
    keys = [(*(number[c] for c in f), copy) for f, copy in expansion.invariants]
    blocks: list[PatternBlock] = []
    for order in range(1, nu_max + 1):
        distinct = sorted({key[:-1] for key in keys if len(key) == order + 1})
        if distinct:
            blocks += group_by_pattern(np.array(distinct), table[:, 2])
    coupled = couplings(b.pattern for b in blocks)
    centre = assemble_centre(
        table, np.zeros(len(table), dtype=np.int64), blocks, [coupled[b.pattern] for b in blocks], nu_max
    )
    place = {
        (*(c for c in row if c >= 0), copy): i
        for i, (row, copy) in enumerate(
            zip(centre.function_channels.tolist(), centre.multiplicity.tolist(), strict=True)
        )
    }
    return centre, np.array([place[tuple(key)] for key in keys])


def without_round_off(matrix: "csr_array") -> "csr_array":
    """Rows sorted by column, entries that are round-off left out."""
    matrix.sum_duplicates()
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    largest = np.zeros(matrix.shape[0])
    np.maximum.at(largest, row, np.abs(matrix.data))
    matrix.data[np.abs(matrix.data) <= NEGLIGIBLE * largest[row]] = 0.0
    matrix.eliminate_zeros()
    return matrix


def _positions(some: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Row numbers in `table` of the rows of `some`."""
    place = {tuple(row): i for i, row in enumerate(table.tolist())}
    return np.array([place[tuple(row)] for row in some.tolist()])
