"""Function records of a ``.yace`` file, all at once: many elements have 100 000 of them.

The checks are those of `reading`, where a record is looked at alone. Whatever does not pass here is left to
them: they say which record it is and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from lacemaker.deploy.yace.model import Bond, Terms

__all__ = ["quick_terms"]

_Bonds = Mapping[tuple[int, int], Bond]


def quick_terms(
    species: int, entries: Sequence[Any], n_elements: int, bonds: _Bonds, n_density: int
) -> tuple[Terms, ...] | None:
    """The products around one kind of centre, by increasing rank; None if any record is not in order."""
    try:
        keys = ("rank", "num_ms_combs", "ndensity")
        ranks, counts, densities = (_flat([entry[key] for entry in entries], int) for key in keys)
        if (ranks < 1).any() or (counts < 1).any() or (densities != n_density).any():
            return None
        found = []
        for rank in sorted(set(ranks.tolist())):
            rows = np.flatnonzero(ranks == rank).tolist()
            terms = _of_rank(rank, [entries[row] for row in rows], counts[rows], n_density)
            if not _possible(species, terms.factors, n_elements, bonds):
                return None
            found.append(terms)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return tuple(found)


def _of_rank(rank: int, entries: Sequence[Any], counts: np.ndarray, n_density: int) -> Terms:
    each = np.full(len(entries), rank)
    columns = [_joined(entries, key, each, int).reshape(-1, rank) for key in ("mus", "ns", "ls")]
    ms = _joined(entries, "ms_combs", counts * rank, int).reshape(-1, rank, 1)
    weights = _joined(entries, "ctildes", counts * n_density, float).reshape(-1, n_density)
    shared = np.repeat(np.stack(columns, axis=2), counts, axis=0)
    return Terms(np.concatenate([shared, ms], axis=2), weights)


def _joined(entries: Sequence[Any], key: str, lengths: np.ndarray, kind: type) -> np.ndarray:
    """One field of all records, end to end; ValueError unless each has its length."""
    lists = [entry[key] for entry in entries]
    if set(map(type, lists)) != {list} or list(map(len, lists)) != lengths.tolist():
        raise ValueError(key)
    return _flat(list(chain.from_iterable(lists)), kind)


def _flat(values: list[Any], kind: type) -> np.ndarray:
    """An array of Python's own integers (or also floats, all finite); ValueError of anything else."""
    if not set(map(type, values)) <= ({int} if kind is int else {int, float}):
        raise ValueError("another type")
    array = np.array(values, dtype=np.int64 if kind is int else np.float64)
    if not np.isfinite(array).all():
        raise ValueError("not finite")
    return array


def _possible(species: int, factors: np.ndarray, n_elements: int, bonds: _Bonds) -> bool:
    """Whether every factor names an element, a harmonic and a radial function that exist."""
    mu, n, ell, m = factors.reshape(-1, 4).T
    alone = factors.shape[1] == 1
    if (mu < 0).any() or (mu >= n_elements).any() or (np.abs(m) > ell).any() or (alone and ell.any()):
        return False
    shapes = np.array([bonds[species, other].coefficients.shape for other in range(n_elements)])
    n_radial, n_l = shapes[mu, 2 if alone else 0], np.maximum(shapes[mu, 1], 1)
    return not ((n < 1) | (n > n_radial) | (ell >= n_l)).any()
