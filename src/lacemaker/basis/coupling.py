"""Invariant combinations of products of real spherical harmonics, per pattern.

For a block of channels with angular momenta l_1..l_nu every chain of intermediate momenta

    (((l_1 l_2) L_2  l_3) L_3 ... ) l_nu  ->  0

gives one rotation-invariant tensor T[m_1..m_nu]. Factors with equal channels commute, so entries that differ
only by a permutation inside a group are added up (projection on the symmetric tensors). The chains then
span the invariants of the block, over-completely; an orthonormal set is extracted and its size is checked
against the exact count of `lacemaker.basis.count`.

Rows are orthonormal in the norm of the symmetric tensor (entries of the full nu-index array), which no
unitary change of harmonics alters. They are made unique by pivoted elimination of the projector on the
invariants: row k has a positive pivot, later rows are zero there. Hence every machine finds the same rows
up to round-off.
"""

from dataclasses import dataclass

import numpy as np

from lacemaker.basis.clebsch_gordan import real_clebsch_gordan
from lacemaker.basis.count import Pattern, invariant_count
from lacemaker.basis.messages import basis_error

ZERO = 1e-11
"""Coefficients below this are round-off: rows are orthonormal, true entries are far larger."""


@dataclass(frozen=True, eq=False)
class Coupling:
    """Invariants of one pattern.

    Attributes
    ----------
    pattern
        Groups (l, multiplicity), sorted.
    m
        (n_products, nu) int8, the m of each factor; sorted inside each group.
    coefficients
        (rank, n_products): invariant r = sum_p coefficients[r, p] prod_t A[l_t, m[p, t]].
    """

    pattern: Pattern
    m: np.ndarray
    coefficients: np.ndarray


def build_coupling(pattern: Pattern) -> Coupling:
    """Invariants of a block with the given pattern of (l, multiplicity) groups.

    Raises
    ------
    BasisError
        if the number of independent invariants differs from the exact count (a defect of this program or of
        its numerical libraries, never of the input).
    """
    momenta = [ell for ell, q in pattern for _ in range(q)]
    rank = invariant_count(pattern)
    if rank == 0:
        return Coupling(pattern, np.zeros((0, len(momenta)), np.int8), np.zeros((0, 0)))
    m, orbit, labels = multisets(pattern)
    tensors = np.concatenate(
        [_collapse(chunk, labels, len(m)) for chunk in _invariant_tensors(momenta)], axis=0
    ) / np.sqrt(orbit)
    seen = np.abs(tensors).max(axis=0) > ZERO
    rows = canonical_rows(_orthonormal(tensors[:, seen], rank, pattern))
    coefficients = np.where(np.abs(rows) > ZERO, rows, 0.0) * np.sqrt(orbit[seen])
    return Coupling(pattern, m[seen].astype(np.int8), np.ascontiguousarray(coefficients))


def _invariant_tensors(momenta: list[int]) -> list[np.ndarray]:
    """All coupling chains, each list entry (n_chains, prod(2 l + 1)) from one last intermediate momentum."""
    *inner, last = momenta
    if not inner:
        return [np.ones((1, 1))]
    chains = {inner[0]: [np.eye(2 * inner[0] + 1)[None]]}  # L -> [(n_chains, n_m, 2 L + 1)]
    for step, ell in enumerate(inner[1:], start=1):
        rest = sum(momenta[step + 1 :])
        final = step == len(inner) - 1
        longer: dict[int, list[np.ndarray]] = {}
        for before, parts in chains.items():
            for after in range(abs(before - ell), before + ell + 1):
                if after > rest or (final and after != last):
                    continue
                tensor = real_clebsch_gordan(before, ell, after)
                for part in parts:
                    coupled = np.tensordot(part, tensor, axes=(2, 0))  # chain, m..., m_l, M
                    longer.setdefault(after, []).append(coupled.reshape(len(part), -1, 2 * after + 1))
        chains = {after: parts if final else [np.concatenate(parts)] for after, parts in longer.items()}
    return [part.reshape(len(part), -1) for part in chains.get(last, [])]


def multisets(pattern: Pattern) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct products of a block.

    Returns
    -------
    m
        (nmultisets, nu) the m of each factor, sorted inside groups.
    orbit
        (nmultisets,) how many index tuples of the full tensor make the product.
    labels
        (prod(2 l + 1),) the product of each entry of the flattened full tensor.
    """
    momenta = [ell for ell, q in pattern for _ in range(q)]
    sizes = [2 * ell + 1 for ell in momenta]
    index = np.indices(sizes, dtype=np.int16).reshape(len(sizes), -1)
    start = 0
    for _, q in pattern:
        index[start : start + q].sort(axis=0)
        start += q
    code = np.ravel_multi_index(tuple(index), sizes)
    kept, labels, orbit = np.unique(code, return_inverse=True, return_counts=True)
    m = np.stack(np.unravel_index(kept, sizes), axis=1) - np.array(momenta)
    return m, orbit.astype(float), labels


def _collapse(tensors: np.ndarray, labels: np.ndarray, nmultisets: int) -> np.ndarray:
    """Add up entries of equal products: (n_chains, prod(2 l + 1)) -> (n_chains, nmultisets)."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(nmultisets))
    return np.add.reduceat(tensors[:, order], starts, axis=1)


def _orthonormal(tensors: np.ndarray, rank: int, pattern: Pattern) -> np.ndarray:
    """(n_products, rank) orthonormal columns that span the rows of `tensors`; the rank is checked."""
    _, values, rows = np.linalg.svd(tensors, full_matrices=False)
    found = int((values > 1e-8 * values[0]).sum())
    if found != rank:
        raise basis_error(
            f"the coupling of pattern {pattern} has the wrong number of invariants",
            f"{found} instead of {rank} (singular values {values[: rank + 1]})",
            "report this as a defect, with the versions of numpy and wigners",
        )
    return np.ascontiguousarray(rows[:rank].T)


def canonical_rows(basis: np.ndarray) -> np.ndarray:
    """Unique orthonormal rows (rank, n) of the space spanned by the orthonormal columns of `basis` (n, rank).

    Pivoted Cholesky factor of the projector ``basis @ basis.T``, transposed. The pivot is the first column
    within 1e-6 of the largest remaining diagonal entry, so that ties are not decided by round-off.
    """
    left = basis.copy()
    rows = np.empty(basis.shape[::-1])
    for k in range(basis.shape[1]):
        diagonal = np.einsum("nr,nr->n", left, left)
        pivot = int(np.argmax(diagonal > diagonal.max() - 1e-6))
        direction = left[pivot] / np.sqrt(diagonal[pivot])
        rows[k] = left @ direction
        left -= np.outer(rows[k], direction)
    return rows
