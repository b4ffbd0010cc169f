"""Which functions belong to a basis: level rules in exact arithmetic.

A channel (z, n, l) has a level; a product of `nu` channels belongs to the basis when the levels add up to
at most D[nu]. Two rules are in use and differ for more than one element:

- ``"ace1"``:  level = n + wl * l
- ``"acepotentials-0.8"``:  level = n - 1 + (k + 1)/NZ + wl * l  for the k-th of NZ elements (k from 0).
  The set is larger and depends on the order of the elements.

All levels are brought to a common denominator and compared as integers, so that 20 and [20, 20, 20, 20],
or 3/2 and 1.5, cannot give different bases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Literal

import numpy as np

from lacemaker.basis.messages import basis_error

LevelRule = Literal["acepotentials-0.8", "ace1"]
LEVEL_RULES: tuple[str, ...] = ("acepotentials-0.8", "ace1")
MAX_PRODUCTS = 3_000_000
"""More candidate products than this per centre is a slip of the pen, not a basis."""


def exact(value: float | str | Fraction) -> Fraction:
    """The rational number a user means: 1.5, "1.5" and "3/2" are the same, and 0.1 is one tenth."""
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


@dataclass(frozen=True)
class Channels:
    """One-particle channels sorted by level, then (l, z, n).

    Attributes
    ----------
    z, n, l
        (n_channels,) neighbour species index (from 0), radial index (from 1), angular momentum.
    level
        (n_channels,) level times `scale`, integer.
    scale
        Common denominator of all levels.
    """

    z: np.ndarray
    n: np.ndarray
    ell: np.ndarray
    level: np.ndarray
    scale: int


def one_particle_channels(n_elements: int, wl: Fraction, limit: Fraction, rule: str) -> Channels:
    """All channels with level <= `limit`."""
    step = Fraction(1, n_elements) if rule == "acepotentials-0.8" else Fraction(0)
    scale = lcm(wl.denominator, step.denominator, limit.denominator)
    n_max, l_max = int(limit) + 1, int(limit / wl)
    if n_elements * n_max * (l_max + 1) > 1_000_000:
        raise basis_error(
            "the degree asks for more than a million one-particle channels",
            f"max_degree {float(limit):g}, wl {float(wl):g}",
            "lower max_degree or raise wl (1.5 is usual)",
        )
    ell, z, n = np.meshgrid(
        np.arange(l_max + 1), np.arange(n_elements), np.arange(1, n_max + 1), indexing="ij"
    )
    offset = (z + 1 - n_elements) * int(step * scale)
    level = n * scale + offset + ell * int(wl * scale)
    keep = level <= int(limit * scale)
    ell, z, n, level = ell[keep], z[keep], n[keep], level[keep]
    order = np.lexsort((n, z, ell, level))
    return Channels(z[order], n[order], ell[order], level[order], scale)


def bounded_multisets(levels: np.ndarray, order: int, limit: int) -> np.ndarray:
    """All multisets of `order` items whose levels add up to at most `limit`.

    Parameters
    ----------
    levels
        (n_items,) non-decreasing positive integers.

    Returns
    -------
    (n_multisets, order) int64, each row non-decreasing, rows in lexicographic order.
    """
    chosen = np.zeros((1, 0), dtype=np.int64)
    first, budget = np.zeros(1, dtype=np.int64), np.full(1, limit, dtype=np.int64)
    for left in range(order, 0, -1):
        last = np.searchsorted(levels, budget // left, side="right")  # later items are not smaller
        number = np.maximum(last - first, 0)
        if number.sum() > MAX_PRODUCTS:
            raise basis_error(
                "the basis is absurdly large",
                f"more than {MAX_PRODUCTS} products at correlation order {order}",
                "lower max_degree (per order, as [20, 16, 12]) or the correlation order, or raise wl",
            )
        parent = np.repeat(np.arange(len(chosen)), number)
        item = np.arange(len(parent)) - np.repeat(np.cumsum(number) - number, number) + first[parent]
        chosen = np.column_stack([chosen[parent], item])
        first, budget = item, budget[parent] - levels[item]
    return chosen


def select_products(channels: Channels, degrees: Sequence[Fraction]) -> list[np.ndarray]:
    """Products per correlation order that pass the level rule and the inversion filter.

    Parameters
    ----------
    degrees
        D[nu] for nu = 1, 2, ...

    Returns
    -------
    one (n_products, nu) array of channel numbers per order. Whether a product carries an invariant, and how
    many, is for `lacemaker.basis.count.invariant_count` to say.
    """
    selected = []
    for order, degree in enumerate(degrees, start=1):
        chosen = bounded_multisets(channels.level, order, int(degree * channels.scale))
        momenta = channels.ell[chosen]
        keep = momenta[:, 0] == 0 if order == 1 else momenta.sum(axis=1) % 2 == 0
        selected.append(chosen[keep])
    return selected
