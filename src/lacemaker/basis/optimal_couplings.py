"""The basis's own coupling rows, exactly, as combinations of transvectant chains.

`lacemaker.basis.coupling` makes the rows of a pattern unique by pivots: row k is the part of the invariants'
projector on pivot k that is orthogonal to all rows before. In the variables of
`lacemaker.basis.optimal_transvectants` this is rational up to the row's norm: with phi_k the coefficient of
the pivot's (real) product and G the inner product of symmetric tensors,

    row_k  ~  G^-1 phi_k  minus its components along row_0 .. row_(k-1).

Only blocks with several invariants (correlation order 4 and up) need it.
"""

from functools import lru_cache
from itertools import permutations, product
from math import factorial
from typing import Any

import numpy as np

from lacemaker.basis.count import Pattern, invariant_count
from lacemaker.basis.coupling import Coupling
from lacemaker.basis.coupling_cache import couplings
from lacemaker.basis.optimal_field import Echelon, inverse, matmul, solve
from lacemaker.basis.optimal_transvectants import chain_tensor, chains


@lru_cache(maxsize=8192)
def chain_rows(pattern: Pattern, prime: int) -> np.ndarray:
    """(rank, n_chains) residues: each coupling row of the pattern, up to scale, as a sum of chains.

    The chains are those of `optimal_transvectants.chains` for the pattern's momenta, in that order.
    """
    momenta = tuple(ell for ell, q in pattern for _ in range(q))
    number, rank = len(chains(momenta)), invariant_count(pattern)
    if number == 1:
        return np.ones((1, 1), dtype=np.int64)
    if rank == 1 and all(q == 1 for _, q in pattern):
        return np.eye(1, number, dtype=np.int64)
    tensors = symmetric_tensors(pattern, momenta, prime)
    independent = np.flatnonzero(Echelon(tensors[0].size, prime).add(tensors.reshape(number, -1)))
    if len(independent) != rank:
        raise ArithmeticError(f"{len(independent)} instead of {rank} invariants of {pattern} modulo {prime}")
    rows = np.zeros((rank, number), dtype=np.int64)
    rows[:, independent] = _canonical(tensors[independent], pattern, momenta, prime)
    return rows


def symmetric_tensors(pattern: Pattern, momenta: tuple[int, ...], prime: int) -> np.ndarray:
    """(n_chains, 2 l_1+1, ...) chains summed over permutations of equal channels."""
    tensors = np.stack([chain_tensor(momenta, chain, prime) for chain in chains(momenta)])
    start = 1
    for _, q in pattern:
        if q > 1:
            axes = range(tensors.ndim)
            orders = [
                [*axes[:start], *(start + i for i in order), *axes[start + q :]]
                for order in permutations(range(q))
            ]
            tensors = sum(tensors.transpose(order) for order in orders) % prime  # type: ignore[assignment]
        start += q
    return tensors


def _canonical(tensors: np.ndarray, pattern: Pattern, momenta: tuple[int, ...], prime: int) -> np.ndarray:
    """(rank, rank) the rows by pivots, as combinations of the given independent symmetric tensors."""
    rank = len(tensors)
    weight = np.ones(tensors.shape[1:], dtype=np.int64)
    for axis, ell in enumerate(momenta):
        norms = [inverse(factorial(i) * factorial(2 * ell - i), prime) for i in range(2 * ell + 1)]
        shape = [-1 if a == axis else 1 for a in range(len(momenta))]
        weight = weight * np.array(norms, dtype=np.int64).reshape(shape) % prime
    flat = tensors.reshape(rank, -1)
    gram = matmul(flat * weight.ravel() % prime, flat.T, prime)
    found = couplings([pattern])[pattern]
    phi = np.stack([_coefficient(tensors, found.m[k], momenta, prime) for k in pivots(found)])
    dual = solve(gram, phi.T, prime).T  # row k represents phi_k
    rows: list[np.ndarray] = []
    for k in range(rank):
        row = dual[k]
        for before in rows:
            along = _dot(before, phi[k], prime)
            norm = _dot(before, matmul(gram, before[:, None], prime)[:, 0], prime)
            row = (row - along * inverse(norm, prime) % prime * before) % prime
        rows.append(row)
    return np.stack(rows)


def _dot(a: np.ndarray, b: np.ndarray, prime: int) -> int:
    return int((a * b % prime).sum() % prime)


def _coefficient(tensors: np.ndarray, m: np.ndarray, momenta: tuple[int, ...], prime: int) -> np.ndarray:
    """(n,) coefficient, up to a common scale, of the product of real components `m` in symmetric tensors."""
    choices = [_real_component(ell, int(k)) for ell, k in zip(momenta, m, strict=True)]
    total = np.zeros(len(tensors), dtype=np.int64)
    for choice in product(*choices):
        sign = int(np.prod([s for _, s in choice]))
        component: Any = (slice(None), *(i for i, _ in choice))
        total += sign * tensors[component]
    return total % prime


def _real_component(ell: int, m: int) -> list[tuple[int, int]]:
    """Real harmonic m as complex ones: (i = l - m', sign) up to a common factor; see `clebsch_gordan`."""
    if m == 0:
        return [(ell, 1)]
    sign = (-1) ** m if m > 0 else -((-1) ** m)
    return [(ell - abs(m), sign), (ell + abs(m), 1)]


def pivots(coupling: Coupling) -> list[int]:
    """Column of each row's pivot: the rule of `lacemaker.basis.coupling.canonical_rows`."""
    counts = []
    for m in coupling.m.tolist():
        number, start = 1, 0
        for _, q in coupling.pattern:
            group = m[start : start + q]
            number *= factorial(q)
            for value in set(group):
                number //= factorial(group.count(value))
            start += q
        counts.append(number)
    rows = coupling.coefficients / np.sqrt(counts)
    left, found = (rows**2).sum(axis=0), []
    for row in rows:
        found.append(int(np.argmax(left > left.max() - 1e-6)))
        left = left - row**2
    return found
