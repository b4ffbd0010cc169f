"""Invariants as chains of transvectants: couplings with integer coefficients, hence exact in a prime field.

The components A_lm, m = -l..l, of one channel become the coefficients of a binary form of degree 2 l,

    f(u, w) = sum_i a_i u^(2l-i) w^i,      a_i = A_lm / sqrt((l+m)! (l-m)!),  i = l - m,

on which rotations act by linear substitution of (u, w). The k-th transvectant couples l_1 and l_2 to
L = l_1 + l_2 - k:

    (f, g)_k = sum_j (-1)^j binom(k, j)  d^k f / du^(k-j) dw^j   d^k g / du^j dw^(k-j).

It is proportional to the Clebsch-Gordan coupling and has integer coefficients (classical invariant theory,
e.g. P. J. Olver, Classical Invariant Theory, chapter 5).
"""

from functools import lru_cache
from itertools import product
from math import comb, perm

import numpy as np

from lacemaker.basis.optimal_field import matmul

Chain = tuple[int, ...]
"""Intermediate momenta L_1 = l_1, L_2, ..., L_(nu-1) = l_nu of (((l_1 l_2) L_2 l_3) L_3 ...) l_nu -> 0."""


@lru_cache(maxsize=2048)
def transvectant(l1: int, l2: int, l3: int, prime: int) -> np.ndarray:
    """(2 l1+1, 2 l2+1, 2 l3+1) float64 holding residues: form l3 = sum_xy T[x, y, :] a_x b_y."""
    k = l1 + l2 - l3
    x, y, j = range(2 * l1 + 1), range(2 * l2 + 1), range(k + 1)
    left = [[(-1) ** t * comb(k, t) * perm(2 * l1 - i, k - t) * perm(i, t) % prime for t in j] for i in x]
    right = [[perm(2 * l2 - i, t) * perm(i, k - t) % prime for i in y] for t in j]
    values = matmul(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), prime)
    tensor = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    for a, b in product(x, y):
        if 0 <= a + b - k <= 2 * l3:
            tensor[a, b, a + b - k] = values[a, b]
    tensor.setflags(write=False)
    return tensor


@lru_cache(maxsize=2048)
def _flat(l1: int, l2: int, l3: int, prime: int, axes: tuple[int, int, int]) -> np.ndarray:
    """The transvectant with its first two axes (after transposition) joined."""
    tensor = transvectant(l1, l2, l3, prime).transpose(axes)
    return np.ascontiguousarray(tensor.reshape(-1, tensor.shape[2]))


@lru_cache(maxsize=2048)
def chains(momenta: tuple[int, ...]) -> tuple[Chain, ...]:
    """All chains that couple the given momenta to zero (over-complete for repeated channels)."""
    if len(momenta) == 1:
        return ((0,),) if momenta[0] == 0 else ()
    found: list[Chain] = [(momenta[0],)]
    for ell in momenta[1:-1]:
        found = [(*c, after) for c in found for after in range(abs(c[-1] - ell), c[-1] + ell + 1)]
    return tuple(c for c in found if c[-1] == momenta[-1])


def chain_gradient(
    factors: list[np.ndarray], momenta: tuple[int, ...], chain: Chain, prime: int
) -> list[np.ndarray]:
    """Derivatives of one chain by each of its factors, for many sets of factors at once.

    Parameters
    ----------
    factors
        One (n, 2 l_t + 1) int64 array of residues per factor.

    Returns
    -------
    one (n, 2 l_t + 1) array per factor.
    """
    if len(factors) == 1:
        return [np.ones_like(factors[0])]
    partial = [factors[0]]
    for s in range(1, len(factors) - 1):
        label = (chain[s - 1], momenta[s], chain[s])
        partial.append(_contract(partial[-1], factors[s], label, (0, 1, 2), prime))
    label = (chain[-1], momenta[-1], 0)
    one = np.ones((len(factors[0]), 1), dtype=np.int64)
    gradients = [_contract(partial[-1], one, label, (0, 2, 1), prime)]
    upstream = _contract(factors[-1], one, label, (1, 2, 0), prime)
    for s in range(len(factors) - 2, 0, -1):
        label = (chain[s - 1], momenta[s], chain[s])
        gradients.append(_contract(partial[s - 1], upstream, label, (0, 2, 1), prime))
        upstream = _contract(factors[s], upstream, label, (1, 2, 0), prime)
    return [upstream, *gradients[::-1]]


def _contract(
    a: np.ndarray, b: np.ndarray, label: tuple[int, int, int], axes: tuple[int, int, int], prime: int
) -> np.ndarray:
    """sum_xy T[x, y, :] a_x b_y for rows of a and b, with the axes of T in the given order."""
    outer = (a[:, :, None] * b[:, None, :] % prime).reshape(len(a), -1)
    return matmul(outer, _flat(*label, prime, axes), prime)


def chain_tensor(momenta: tuple[int, ...], chain: Chain, prime: int) -> np.ndarray:
    """(2 l_1+1, ..., 2 l_nu+1) int64: the chain as a multilinear form of at least two factors."""
    tensor = np.eye(2 * momenta[0] + 1, dtype=np.int64)
    steps = [*zip(chain[:-1], momenta[1:-1], chain[1:], strict=True), (chain[-1], momenta[-1], 0)]
    for before, ell, after in steps:
        flat = transvectant(before, ell, after, prime).reshape(2 * before + 1, -1)
        tensor = matmul(tensor, flat, prime).reshape(-1, 2 * after + 1)
    return tensor.reshape([2 * ell + 1 for ell in momenta])
