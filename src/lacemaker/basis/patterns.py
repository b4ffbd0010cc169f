"""From products of channels to coupling patterns.

The coupling of a block depends only on its pattern: the angular momenta and which channels are equal. Groups
of equal channels are sorted by (l, multiplicity), then by channel, so that a few hundred patterns serve
any basis.
"""

from dataclasses import dataclass

import numpy as np

from lacemaker.basis.count import Pattern


@dataclass(frozen=True)
class PatternBlock:
    """All products that share one pattern.

    Attributes
    ----------
    pattern
        Groups (l, multiplicity).
    products
        (n_products,) row numbers in the array given to `group_by_pattern`.
    channels
        (n_products, nu) channel numbers in the order of the pattern.
    """

    pattern: Pattern
    products: np.ndarray
    channels: np.ndarray


def group_by_pattern(products: np.ndarray, momenta: np.ndarray) -> list[PatternBlock]:
    """Sort products into blocks of equal pattern.

    Parameters
    ----------
    products
        (n_products, nu) channel numbers; channels numbered so that their l does not decrease.
    momenta
        (n_channels,) l of each channel.
    """
    if len(products) == 0:
        return []
    ordered = np.sort(products, axis=1)
    ell = momenta[ordered]
    equal = ordered[:, 1:] == ordered[:, :-1]
    signature, inverse = np.unique(np.column_stack([ell, equal]), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    blocks: dict[Pattern, list[tuple[np.ndarray, np.ndarray]]] = {}
    nu = products.shape[1]
    by_signature = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    for row, members in zip(signature, by_signature, strict=True):
        pattern, columns = canonical_pattern(row[:nu].tolist(), row[nu:].tolist())
        blocks.setdefault(pattern, []).append((members, ordered[members][:, columns]))
    return [
        PatternBlock(
            pattern, np.concatenate([m for m, _ in parts]), np.concatenate([c for _, c in parts], axis=0)
        )
        for pattern, parts in sorted(blocks.items())
    ]


def canonical_pattern(ell: list[int], equal: list[int]) -> tuple[Pattern, list[int]]:
    """Pattern of sorted channels, and the column order that sorts groups by (l, multiplicity)."""
    groups: list[list[int]] = [[0]]
    for column, same in enumerate(equal, start=1):
        if same:
            groups[-1].append(column)
        else:
            groups.append([column])
    groups.sort(key=lambda g: (ell[g[0]], len(g), g[0]))
    return tuple((ell[g[0]], len(g)) for g in groups), [column for g in groups for column in g]
