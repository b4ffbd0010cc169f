"""What merging neighbours takes off each function: invariants of fewer factors, as a sparse matrix.

A function with factors 1..N sums over N neighbours, equal ones included. The sum over distinct neighbours is

    sum over partitions of {1..N} of  prod over blocks (-1)^(k-1) (k-1)!  *  (function with each block merged)

(the closed form of the recursion A_{k1..kN} = A_{k1..k(N-1)} A_kN - sum_b sum_k P^k_{kb kN} A_{k1..k(b)..}).
A merged block needs neighbours of one element, a product of radial functions (`radial_products`) and one of
harmonics (`purify_angular`); a merged function is an invariant of fewer factors with larger n and l.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.patterns import PatternBlock, canonical_pattern, group_by_pattern
from lacemaker.basis.purify_angular import Partition, expansion, merged, moebius, set_partitions
from lacemaker.basis.radial_products import RadialProducts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Kind = Literal["full", "pair"]
MAX_KEY = 2**62


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of one merged order.

    Attributes
    ----------
    function
        (n,) function of the centre that the term belongs to.
    channels
        (n, q) codes of the channels, ascending; see `ChannelCode`.
    multiplicity
        (n,) number of the invariant among those with these channels.
    value
        (n,) coefficient.
    """

    function: np.ndarray
    channels: np.ndarray
    multiplicity: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class ChannelCode:
    """Channels (z, n, l) as one integer that sorts by (l, z, n)."""

    n_elements: int
    n_max: int

    def encode(self, z: np.ndarray, n: np.ndarray, ell: np.ndarray | int) -> np.ndarray:
        """Integers (any common shape); n from 1."""
        return (np.asarray(ell, dtype=np.int64) * self.n_elements + z) * self.n_max + n - 1

    def decode(self, code: np.ndarray) -> np.ndarray:
        """(..., 3) rows (z, n, l)."""
        rest, n = np.divmod(code, self.n_max)
        ell, z = np.divmod(rest, self.n_elements)
        return np.stack([z, n + 1, ell], axis=-1)


def self_interactions(
    centre: CentreBasis, radial: RadialProducts, code: ChannelCode, kind: Kind
) -> Iterator[Terms]:
    """All terms that purification adds to the functions of a centre (their own coefficient is 1).

    Parameters
    ----------
    kind
        "full": all partitions. "pair": minus the value for a single neighbour, summed over the neighbours.
    """
    for order in range(2, int(centre.order.max()) + 1):
        functions = np.flatnonzero(centre.order == order)
        if len(functions) == 0:
            continue
        channels = centre.function_channels[functions, :order]
        for block in group_by_pattern(channels, centre.channels[:, 2]):
            rows = functions[block.products]
            numbers = centre.channels[block.channels]  # (n, nu, 3)
            for partition in set_partitions(order):
                if len(partition) == order or (kind == "pair" and len(partition) > 1):
                    continue
                weight = moebius(partition) if kind == "full" else -1
                yield from _partition_terms(centre, block, rows, numbers, partition, weight, radial, code)


def _partition_terms(
    centre: CentreBasis, block: PatternBlock, rows: np.ndarray, numbers: np.ndarray, partition: Partition,
    weight: int, radial: RadialProducts, code: ChannelCode,
) -> Iterator[Terms]:  # fmt: skip
    """Terms of all functions of one pattern for one partition."""
    same = np.ones(len(rows), dtype=bool)
    for members in partition:
        same &= (numbers[:, members, 0] == numbers[:, members[:1], 0]).all(axis=1)
    rows, numbers = rows[same], numbers[same]
    if len(rows) == 0:
        return
    owner, n, value = radial_terms(numbers[..., 1], partition, radial)
    species = numbers[owner][:, [members[0] for members in partition], 0]
    for momenta in merged(block.pattern, partition):
        channels = code.encode(species, n, np.array(momenta))
        order = np.argsort(channels, axis=1, kind="stable")
        ordered = np.take_along_axis(channels, order, axis=1)
        equal = ordered[:, 1:] == ordered[:, :-1]
        kinds, inverse = np.unique(np.column_stack([order, equal]), axis=0, return_inverse=True)
        for k, row in enumerate(kinds):
            mine = np.flatnonzero(inverse.reshape(-1) == k)
            permutation, ties = row[: len(momenta)], row[len(momenta) :]
            target, columns = canonical_pattern([momenta[b] for b in permutation], ties.tolist())
            table = expansion(
                block.pattern, partition, momenta, tuple(int(b) for b in permutation[columns]), target
            )
            yield from _angular_terms(
                rows[owner[mine]], centre.multiplicity, ordered[mine], weight * value[mine], table
            )


def _angular_terms(
    functions: np.ndarray,
    multiplicity: np.ndarray,
    channels: np.ndarray,
    value: np.ndarray,
    table: np.ndarray,
) -> Iterator[Terms]:
    """One set of terms per invariant of the merged channels."""
    for copy in range(table.shape[1]):
        angular = table[multiplicity[functions], copy]
        kept = np.flatnonzero(angular)
        if len(kept):
            number = np.full(len(kept), copy)
            yield Terms(functions[kept], channels[kept], number, angular[kept] * value[kept])


def radial_terms(
    n: np.ndarray, partition: Partition, radial: RadialProducts
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All choices of one radial index per block.

    Parameters
    ----------
    n
        (n_functions, nu) radial indices from 1.

    Returns
    -------
    owner (n_terms,), n (n_terms, n_blocks) and value (n_terms,): the product of the expansions' coefficients.
    """
    distinct, inverse = np.unique(n, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    owners, indices, values = [], [], []
    for k, row in enumerate(distinct.tolist()):
        index, value = np.zeros((1, 0), dtype=np.int64), np.ones(1)
        for members in partition:
            q = radial.expansion(tuple(sorted(row[t] for t in members)))
            kept = np.flatnonzero(q)
            index = np.column_stack([np.repeat(index, len(kept), axis=0), np.tile(kept + 1, len(index))])
            value = np.multiply.outer(value, q[kept]).ravel()
        users = np.flatnonzero(inverse == k)
        owners.append(np.repeat(users, len(value)))
        indices.append(np.tile(index, (len(users), 1)))
        values.append(np.tile(value, len(users)))
    return np.concatenate(owners), np.concatenate(indices), np.concatenate(values)


@dataclass(frozen=True, eq=False)
class PureExpansion:
    """Purified functions as combinations of the usual, self-interacting invariants of an extended basis.

    Attributes
    ----------
    matrix
        Sparse (n_functions, n_invariants).
    invariants
        Per invariant (channels as (z, n, l) in the order (l, z, n), multiplicity).
    """

    matrix: "csr_array"
    invariants: tuple[tuple[tuple[tuple[int, int, int], ...], int], ...]


def pure_expansion(centre: CentreBasis, n_elements: int, radial: RadialProducts, kind: Kind) -> PureExpansion:
    """Expand the purified functions of a centre; equal invariants are added up."""
    from scipy.sparse import coo_array

    nu = int(centre.order.max())
    n_max = nu * (int(centre.channels[:, 1].max()) - 1) + (nu - 1) * radial.degree + 1
    code = ChannelCode(n_elements, n_max)
    parts = [*self_interactions(centre, radial, code, kind), *_leading_terms(centre, code)]
    columns: list[np.ndarray] = []
    invariants: list[tuple[tuple[tuple[int, int, int], ...], int]] = []
    parts.sort(key=lambda t: t.channels.shape[1])
    for q in sorted({t.channels.shape[1] for t in parts}):
        keys, column = _distinct([t for t in parts if t.channels.shape[1] == q], q)
        columns.append(column + len(invariants))
        channels = code.decode(keys[:, :q]).tolist()
        copies = keys[:, q].tolist()
        invariants += [(tuple(map(tuple, c)), k) for c, k in zip(channels, copies, strict=True)]
    rows = np.concatenate([t.function for t in parts])
    values = np.concatenate([t.value for t in parts])
    found = coo_array((values, (rows, np.concatenate(columns))), shape=(centre.n_functions, len(invariants)))
    return PureExpansion(found.tocsr(), tuple(invariants))


def _leading_terms(centre: CentreBasis, code: ChannelCode) -> Iterator[Terms]:
    """The functions themselves, with coefficient 1."""
    own = code.encode(*centre.channels.T.astype(np.int64))
    for order in np.unique(centre.order).tolist():
        rows = np.flatnonzero(centre.order == order)
        channels = np.sort(own[centre.function_channels[rows, :order]], axis=1)
        yield Terms(rows, channels, centre.multiplicity[rows], np.ones(len(rows)))


def _distinct(parts: list[Terms], q: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct (channels..., multiplicity) rows (n, q + 1) and which of them each term has."""
    channels = np.concatenate([t.channels for t in parts])
    copies = np.concatenate([t.multiplicity for t in parts])
    codes, number = np.unique(channels, return_inverse=True)
    number = number.reshape(channels.shape)
    key = copies.astype(np.int64)
    for t in range(q):
        if int(key.max()) + 1 > MAX_KEY // len(codes):
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
        key = key * len(codes) + number[:, t]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return np.column_stack([channels[first], copies[first]]), inverse.reshape(-1)
