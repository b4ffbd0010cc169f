"""Couplings are invariant, complete, orthonormal, unique, and independent of the machine's round-off."""

import numpy as np
import pytest
from basis_helpers import random_rotation

from lacemaker.basis.clebsch_gordan import real_clebsch_gordan
from lacemaker.basis.count import invariant_count
from lacemaker.basis.coupling import build_coupling, canonical_rows
from lacemaker.basis.patterns import group_by_pattern
from lacemaker.basis.reference import real_harmonics

PATTERNS = [
    ((0, 1),),
    ((3, 2),),
    ((2, 1), (2, 1)),
    ((2, 3),),
    ((2, 1), (3, 1), (5, 1)),
    ((1, 1), (2, 2), (3, 1)),
    ((4, 4),),
    ((3, 1), (3, 1), (5, 1), (5, 1)),
    ((0, 2), (2, 2)),
    ((1, 1), (1, 1), (2, 1), (3, 1), (3, 1)),
    ((2, 5),),
    ((1, 2), (2, 2), (4, 1)),
    ((3, 2), (4, 3)),
    ((1, 6),),
]


def rotation_matrices(rotation, l_max, rng):
    """D_l with Y_l(R u) = D_l Y_l(u), by least squares over random directions."""
    unit = rng.normal(size=(200, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    before, after = real_harmonics(l_max, unit)[0], real_harmonics(l_max, unit @ rotation.T)[0]
    blocks = [slice(ell * ell, (ell + 1) ** 2) for ell in range(l_max + 1)]
    return [np.linalg.lstsq(before[:, b], after[:, b], rcond=None)[0].T for b in blocks]


def invariants(coupling, densities):
    """Values for one density vector (2 l + 1,) per group."""
    factors, column = [], 0
    for (ell, q), density in zip(coupling.pattern, densities, strict=True):
        for _ in range(q):
            factors.append(density[coupling.m[:, column].astype(int) + ell])
            column += 1
    return coupling.coefficients @ np.prod(factors, axis=0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_invariant_under_rotations(pattern):
    rng = np.random.default_rng(1)
    coupling = build_coupling(pattern)
    matrices = rotation_matrices(random_rotation(rng), max(ell for ell, _ in pattern), rng)
    densities = [rng.normal(size=2 * ell + 1) for ell, _ in pattern]
    turned = [matrices[ell] @ d for (ell, _), d in zip(pattern, densities, strict=True)]
    before, after = invariants(coupling, densities), invariants(coupling, turned)
    assert np.abs(before).min() > 1e-6
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-11 * max(1.0, np.abs(before).max()))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_as_many_as_the_exact_count_and_linearly_independent(pattern):
    rng = np.random.default_rng(2)
    coupling = build_coupling(pattern)
    rank = invariant_count(pattern)
    assert len(coupling.coefficients) == rank > 0
    samples = np.stack(
        [invariants(coupling, [rng.normal(size=2 * ell + 1) for ell, _ in pattern]) for _ in range(4 * rank)]
    )
    values = np.linalg.svd(samples / np.abs(samples).max(axis=0), compute_uv=False)
    assert values[-1] > 1e-5 * values[0]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_rows_are_orthonormal_as_symmetric_tensors(pattern):
    coupling = build_coupling(pattern)
    orbits = np.ones(len(coupling.m))
    column = 0
    for _, q in pattern:
        for i, row in enumerate(coupling.m[:, column : column + q]):
            counts = np.unique(row, return_counts=True)[1]
            orbits[i] *= np.prod(np.arange(1, q + 1)) / np.prod(
                [np.prod(np.arange(1, c + 1)) for c in counts]
            )
        column += q
    gram = (coupling.coefficients / orbits) @ coupling.coefficients.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)


def test_nothing_couples_where_the_count_says_so():
    assert build_coupling(((1, 1), (1, 1), (1, 1))).coefficients.shape == (0, 0)


def test_rows_do_not_depend_on_the_starting_vectors():
    rng = np.random.default_rng(3)
    q = np.linalg.qr(rng.normal(size=(40, 7)))[0]
    q[rng.choice(40, 12, replace=False)] = 0.0  # ties at zero
    q = np.linalg.qr(q)[0]
    turn = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    noise = 1e-14 * rng.normal(size=q.shape)
    rows = canonical_rows(q)
    np.testing.assert_allclose(canonical_rows(q @ turn + noise), rows, atol=1e-11)
    np.testing.assert_allclose(rows @ rows.T, np.eye(7), atol=1e-12)
    np.testing.assert_allclose(rows.T @ rows, q @ q.T, atol=1e-12)


@pytest.mark.parametrize(
    "pattern", [((2, 1), (2, 1), (2, 1), (2, 1)), ((4, 4),), ((1, 1), (3, 2), (3, 1), (4, 1))]
)
def test_each_row_has_a_positive_pivot_where_later_rows_vanish(pattern):
    rows = build_coupling(pattern).coefficients
    for k, row in enumerate(rows[:-1]):
        pivots = [p for p in np.flatnonzero(row > 0) if np.all(rows[k + 1 :, p] == 0)]
        assert pivots


@pytest.mark.parametrize("momenta", [(1, 1, 2), (1, 1, 1), (2, 3, 4), (3, 3, 0), (4, 4, 7)])
def test_real_clebsch_gordan_columns_are_orthonormal(momenta):
    tensor = real_clebsch_gordan(*momenta)
    gram = np.einsum("abc,abd->cd", tensor, tensor)
    np.testing.assert_allclose(gram, np.eye(2 * momenta[2] + 1), atol=1e-13)


def test_vectors_couple_to_their_dot_and_triple_products():
    # l = 1 runs over m = -1, 0, 1 = y, z, x
    np.testing.assert_allclose(
        np.abs(real_clebsch_gordan(1, 1, 0)[..., 0]), np.eye(3) / np.sqrt(3), atol=1e-14
    )
    cross = real_clebsch_gordan(1, 1, 1)
    np.testing.assert_allclose(cross, -cross.transpose(1, 0, 2), atol=1e-14)
    assert np.count_nonzero(cross) == 6


def test_products_are_grouped_by_pattern():
    momenta = np.array([0, 0, 1, 1, 2])  # channels 0..4
    products = np.array([[2, 3, 4], [4, 2, 2], [3, 3, 4], [0, 2, 2], [1, 3, 2]])
    blocks = {b.pattern: b for b in group_by_pattern(products, momenta)}
    assert set(blocks) == {
        ((1, 1), (1, 1), (2, 1)),
        ((1, 2), (2, 1)),
        ((0, 1), (1, 2)),
        ((0, 1), (1, 1), (1, 1)),
    }
    np.testing.assert_array_equal(blocks[(1, 2), (2, 1)].channels, [[2, 2, 4], [3, 3, 4]])
    np.testing.assert_array_equal(blocks[(1, 2), (2, 1)].products, [1, 2])
