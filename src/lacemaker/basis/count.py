"""How many rotation- and inversion-invariant functions a block holds: exact integers.

A block is one choice of channels (z, n, l) of a product; equal channels make groups. With `q` equal
factors of angular momentum `l` the distinct products are the multisets of `q` values of m in -l..l.
The invariants of the block are the states of total angular momentum zero, so

    rank = N(total m = 0) - N(total m = 1),        0 if sum(l) is odd (inversion).
"""

from functools import cache

Pattern = tuple[tuple[int, int], ...]
"""Groups of equal channels as ``(l, multiplicity)``, sorted."""


@cache
def multisets_by_m(ell: int, q: int) -> tuple[int, ...]:
    """Number of multisets of `q` values of m in -l..l, by their sum -q*l .. q*l."""
    table = [[0] * (2 * q * ell + 1) for _ in range(q + 1)]
    table[0][0] = 1
    for m in range(2 * ell + 1):  # m shifted by l, so sums start at zero
        for size in range(1, q + 1):
            row, shorter = table[size], table[size - 1]
            for total in range(m, len(row)):
                row[total] += shorter[total - m]
    return tuple(table[q])


@cache
def invariant_count(pattern: Pattern) -> int:
    """Number of linearly independent invariants of a block with the given pattern.

    Examples
    --------
    >>> invariant_count(((2, 2), (4, 1)))
    1
    """
    span = sum(ell * q for ell, q in pattern)
    if span % 2:
        return 0
    counts = [1]
    for ell, q in pattern:
        group = multisets_by_m(ell, q)
        product = [0] * (len(counts) + len(group) - 1)
        for i, a in enumerate(counts):
            for j, b in enumerate(group):
                product[i + j] += a * b
        counts = product
    return counts[span] - (counts[span + 1] if span + 1 < len(counts) else 0)
