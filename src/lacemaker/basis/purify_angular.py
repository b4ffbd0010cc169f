"""Angular part of the self-interactions: which invariants of fewer factors a merged invariant holds.

Two factors at the same neighbour merge into harmonics of that neighbour,

    Y_l1,m1 Y_l2,m2 = sum_LM G^{LM}_{l1 m1, l2 m2} Y_LM,
    G = sqrt[(2 l1 + 1)(2 l2 + 1) / (4 pi (2 L + 1))] C^{L0}_{l1 0, l2 0} C^{LM}_{l1 m1, l2 m2},

here with real harmonics. Merging the factors of an invariant tensor gives an invariant tensor again, which is
expanded in the orthonormal couplings of `lacemaker.basis.coupling`.
"""

from functools import lru_cache
from math import factorial, pi, prod, sqrt

import numpy as np

from lacemaker.basis.clebsch_gordan import real_clebsch_gordan
from lacemaker.basis.count import Pattern
from lacemaker.basis.coupling import multisets
from lacemaker.basis.coupling_cache import couplings

Partition = tuple[tuple[int, ...], ...]
"""Factor numbers (from 0) in blocks; factors of one block sit at the same neighbour."""

ZERO = 1e-13
"""Angular coefficients are at least about 1e-4; below this they are round-off."""


def set_partitions(n: int) -> list[Partition]:
    """All partitions of factors 0..n-1 into blocks (1, 2, 5, 15, 52, 203 for n = 1..6)."""
    found: list[list[list[int]]] = [[[0]]]
    for k in range(1, n):
        found = [
            [*p[:i], [*p[i], k], *p[i + 1 :]] if i < len(p) else [*p, [k]]
            for p in found
            for i in range(len(p) + 1)
        ]
    return [tuple(tuple(b) for b in p) for p in found]


def moebius(partition: Partition) -> int:
    """Weight of a partition in the sum over distinct neighbours: prod (-1)^(k-1) (k-1)! over block sizes k.

    Moebius function of the lattice of partitions: sum over distinct j_1..j_N of prod_t f_t(j_t) = sum over
    partitions of moebius * prod over blocks of sum_j prod_{t in block} f_t(j).
    """
    return prod((-1) ** (len(b) - 1) * factorial(len(b) - 1) for b in partition)


@lru_cache(maxsize=4096)
def real_gaunt(l1: int, l2: int, l3: int) -> np.ndarray:
    """G (2 l1+1, 2 l2+1, 2 l3+1): Y_l1,a Y_l2,b = sum over l3, c of G[a, b, c] Y_l3,c (real harmonics)."""
    from wigners import clebsch_gordan

    factor = sqrt((2 * l1 + 1) * (2 * l2 + 1) / (4 * pi * (2 * l3 + 1)))
    return factor * clebsch_gordan(l1, 0, l2, 0, l3, 0) * real_clebsch_gordan(l1, l2, l3)


@lru_cache(maxsize=4096)
def full_tensors(pattern: Pattern) -> np.ndarray:
    """(rank, 2 l_1 + 1, ..., 2 l_nu + 1): the couplings of a pattern as symmetric tensors, orthonormal."""
    coupling = couplings([pattern])[pattern]
    m, orbit, labels = multisets(pattern)
    sizes = [2 * ell + 1 for ell, q in pattern for _ in range(q)]
    place = {tuple(row): i for i, row in enumerate(m.tolist())}
    columns = [place[tuple(row)] for row in coupling.m.tolist()]
    values = np.zeros((len(coupling.coefficients), len(m)))
    values[:, columns] = coupling.coefficients
    return (values / orbit)[:, labels].reshape(-1, *sizes)


@lru_cache(maxsize=16384)
def merged(pattern: Pattern, partition: Partition) -> dict[tuple[int, ...], np.ndarray]:
    """Invariants of a pattern with factors merged.

    Returns
    -------
    for each choice (L_1 .. L_q) of one momentum per block a tensor (rank, 2 L_1 + 1, ..., 2 L_q + 1); choices
    that vanish are left out.
    """
    momenta = [ell for ell, q in pattern for _ in range(q)]
    order = [t for block in partition for t in block]
    states: dict[tuple[int, ...], np.ndarray] = {
        (): np.transpose(full_tensors(pattern), [0, *(t + 1 for t in order)])
    }
    for number, block in enumerate(partition, start=1):
        states = {(*done, momenta[block[0]]): tensor for done, tensor in states.items()}
        for t in block[1:]:
            states = _merge_next(states, number, momenta[t])
    return {done: tensor for done, tensor in states.items() if np.abs(tensor).max(initial=0.0) > ZERO}


def _merge_next(
    states: dict[tuple[int, ...], np.ndarray], axis: int, ell: int
) -> dict[tuple[int, ...], np.ndarray]:
    """Contract axes `axis` and `axis` + 1 (momentum `ell`) to every possible momentum."""
    found: dict[tuple[int, ...], np.ndarray] = {}
    for (*done, before), tensor in states.items():
        for after in range(abs(before - ell), before + ell + 1, 2):
            merged = np.tensordot(tensor, real_gaunt(before, ell, after), axes=((axis, axis + 1), (0, 1)))
            key = (*done, after)
            merged = np.moveaxis(merged, -1, axis)
            found[key] = found[key] + merged if key in found else merged
    return found


@lru_cache(maxsize=65536)
def expansion(
    pattern: Pattern, partition: Partition, momenta: tuple[int, ...], order: tuple[int, ...], target: Pattern
) -> np.ndarray:
    """(rank, target rank) coefficients of merged invariants in the couplings of the pattern `target`.

    Parameters
    ----------
    momenta
        One L per block.
    order
        Block numbers in the order of the target's factors.
    """
    tensor = merged(pattern, partition)[momenta]
    tensor = np.transpose(tensor, [0, *(b + 1 for b in order)]).reshape(len(tensor), -1)
    onto = full_tensors(target)
    found = tensor @ onto.reshape(len(onto), -1).T
    return np.where(np.abs(found) > ZERO, found, 0.0)
