"""The span of the couplings agrees with three constructions that share no code with them.

Rows of a block with several invariants are defined only up to a rotation among them, so row-space projectors
are compared, in the norm of symmetric tensors.

- ladder: null space of the total raising operator on products with m = 0 (no Clebsch-Gordan coefficients);
- chains: Racah's formula for Clebsch-Gordan coefficients, coupled as ((1 2)(3 4)) instead of (((1 2) 3) 4);
- quadrature: average over the rotation group, by Euler angles.
"""

from itertools import product
from math import factorial, prod, sqrt

import numpy as np
import pytest
from scipy.special import sph_harm_y

from lacemaker.basis.coupling import build_coupling

PATTERNS = [
    ((2, 1), (2, 1)),
    ((1, 1), (2, 1), (3, 1)),
    ((2, 3),),
    ((1, 2), (2, 1)),
    ((1, 1), (1, 1), (1, 1), (1, 1)),
    ((2, 4),),
    ((1, 1), (2, 2), (3, 1)),
    ((2, 2), (3, 2)),
    ((3, 4),),
]
LARGER = [((1, 1), (2, 3), (3, 1)), ((2, 5),), ((1, 2), (2, 1), (2, 1), (4, 1))]


def momenta(pattern):
    return [ell for ell, q in pattern for _ in range(q)]


def to_real(ell):
    """Rows: real harmonics m = -l..l in terms of complex ones (Condon-Shortley)."""
    u = np.zeros((2 * ell + 1, 2 * ell + 1), complex)
    u[ell, ell] = 1
    for m in range(1, ell + 1):
        u[ell + m, [ell + m, ell - m]] = (-1) ** m / sqrt(2), 1 / sqrt(2)
        u[ell - m, [ell + m, ell - m]] = -1j * (-1) ** m / sqrt(2), 1j / sqrt(2)
    return u


def full_tensors(pattern):
    """Our invariants as full symmetric tensors (rank, prod(2 l + 1)): entries shared among permutations."""
    coupling = build_coupling(pattern)
    sizes = [2 * ell + 1 for ell in momenta(pattern)]
    tensors = np.zeros((len(coupling.coefficients), *sizes))
    for p, m in enumerate(coupling.m.astype(int)):
        orbit = set(permutations_in_groups(pattern, tuple(m + momenta(pattern))))
        for index in orbit:
            tensors[(slice(None), *index)] = coupling.coefficients[:, p] / len(orbit)
    return tensors.reshape(len(tensors), -1)


def permutations_in_groups(pattern, index):
    from itertools import permutations

    parts, start = [], 0
    for _, q in pattern:
        parts.append(set(permutations(index[start : start + q])))
        start += q
    return [sum(choice, ()) for choice in product(*parts)]


def symmetrised(pattern, tensors):
    """Average over permutations of equal factors; tensors (n, m1, m2, ...)."""
    from itertools import permutations

    axes, start = [[]], 0
    for _, q in pattern:
        axes = [a + list(p) for a in axes for p in permutations(range(start, start + q))]
        start += q
    return sum(tensors.transpose(0, *(np.array(a) + 1)) for a in axes) / len(axes)


def projector(rows):
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    kept = vectors[values > 1e-8 * values[0]]
    return kept.conj().T @ kept, len(kept)


def real_form(pattern, tensors):
    """Complex-harmonics tensors, f = sum T Y.., rewritten for real harmonics."""
    for axis, ell in enumerate(momenta(pattern), start=1):
        tensors = np.moveaxis(np.tensordot(tensors, to_real(ell).conj(), axes=(axis, 1)), -1, axis)
    return tensors


def assert_same_span(pattern, tensors):
    ours, rank = projector(full_tensors(pattern))
    theirs, found = projector(symmetrised(pattern, tensors).reshape(len(tensors), -1))
    assert found == rank
    np.testing.assert_allclose(theirs, ours, atol=1e-10)


def ladder_tensors(pattern):
    """Null space of the total J_plus among tensors of total m = 0, in complex harmonics."""
    ells = momenta(pattern)
    states = [s for s in product(*(range(-ell, ell + 1) for ell in ells)) if sum(s) in (0, 1)]
    zero = [s for s in states if sum(s) == 0]
    one = {s: i for i, s in enumerate(s for s in states if sum(s) == 1)}
    raising = np.zeros((max(len(one), 1), len(zero)))
    for column, s in enumerate(zero):
        for t, ell in enumerate(ells):
            if s[t] < ell:
                up = (*s[:t], s[t] + 1, *s[t + 1 :])
                raising[one[up], column] += sqrt(ell * (ell + 1) - s[t] * (s[t] + 1))
    _, values, vectors = np.linalg.svd(raising)
    rank = int((values > 1e-9).sum())
    tensors = np.zeros((len(zero) - rank, *(2 * ell + 1 for ell in ells)))
    for column, s in enumerate(zero):
        tensors[(slice(None), *(m + ell for m, ell in zip(s, ells, strict=True)))] = vectors[rank:, column]
    return tensors


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ladder_null_space(pattern):
    assert_same_span(pattern, real_form(pattern, ladder_tensors(pattern)))


def racah(j1, m1, j2, m2, j, m):
    """Clebsch-Gordan coefficient by Racah's closed formula, exact up to the last square root."""
    if m1 + m2 != m or not abs(j1 - j2) <= j <= j1 + j2:
        return 0.0
    f = factorial
    triangle = f(j1 + j2 - j) * f(j1 - j2 + j) * f(-j1 + j2 + j) / f(j1 + j2 + j + 1)
    norm = prod(f(a + b) * f(a - b) for a, b in ((j1, m1), (j2, m2), (j, m)))
    total = 0.0
    for k in range(j1 + j2 - j + 1):
        arguments = (k, j1 + j2 - j - k, j1 - m1 - k, j2 + m2 - k, j - j2 + m1 + k, j - j1 - m2 + k)
        if min(arguments) >= 0:
            total += (-1) ** k / prod(f(a) for a in arguments)
    return sqrt((2 * j + 1) * triangle * norm) * total


def racah_tensor(j1, j2, j):
    return np.array(
        [
            [[racah(j1, a, j2, b, j, c) for c in range(-j, j + 1)] for b in range(-j2, j2 + 1)]
            for a in range(-j1, j1 + 1)
        ]
    )


def pairwise_chains(ells):
    """((1 2) L, (3 4) L) -> 0 at order 4; ((1 2) l3) -> 0 at order 3: complex harmonics."""
    found = []
    if len(ells) == 3:
        last = ells[2]
        found.append(np.einsum("abm,mc->abc", racah_tensor(*ells), racah_tensor(last, last, 0)[:, :, 0]))
    else:
        for ell in range(
            max(abs(ells[0] - ells[1]), abs(ells[2] - ells[3])), min(ells[0] + ells[1], ells[2] + ells[3]) + 1
        ):
            left, right = racah_tensor(ells[0], ells[1], ell), racah_tensor(ells[2], ells[3], ell)
            found.append(np.einsum("abm,mn,cdn->abcd", left, racah_tensor(ell, ell, 0)[:, :, 0], right))
    return np.array(found)


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if 3 <= len(momenta(p)) <= 4])
def test_generalised_clebsch_gordan_chains(pattern):
    assert_same_span(pattern, real_form(pattern, pairwise_chains(momenta(pattern))))


def rotations(degree):
    """Euler-angle quadrature of the rotation group, exact for products of total l up to `degree`."""
    z, wz = np.polynomial.legendre.leggauss(degree // 2 + 1)
    angles = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    for beta, w in zip(np.arccos(z), wz / 2, strict=True):
        for alpha in angles:
            for gamma in angles:
                a, b, c = (
                    np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
                    if kind == "z"
                    else np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])
                    for kind, t in (("z", alpha), ("y", beta), ("z", gamma))
                )
                yield a @ b @ c, w / len(angles) ** 2


def real_harmonics(ell, unit):
    theta, phi = np.arccos(np.clip(unit[:, 2], -1, 1)), np.arctan2(unit[:, 1], unit[:, 0])
    rows = []
    for m in range(-ell, ell + 1):
        y = (-1) ** m * sqrt(2) * sph_harm_y(ell, abs(m), theta, phi)
        rows.append(y.real / sqrt(2) if m == 0 else y.real if m > 0 else y.imag)
    return np.array(rows)


@pytest.mark.parametrize("pattern", [((1, 2), (2, 1)), ((2, 3),), ((1, 1),) * 4, ((1, 2), (2, 2)), ((2, 4),)])
def test_average_over_all_rotations(pattern):
    rng = np.random.default_rng(1)
    unit = rng.normal(size=(60, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    ells = momenta(pattern)
    before = {ell: np.linalg.pinv(real_harmonics(ell, unit)) for ell in set(ells)}
    average = 0.0
    for rotation, weight in rotations(sum(ells)):
        kron = np.ones((1, 1))
        matrices = {ell: real_harmonics(ell, unit @ rotation.T) @ inverse for ell, inverse in before.items()}
        for ell in ells:
            kron = np.kron(kron, matrices[ell])
        average = average + weight * kron
    size = [2 * ell + 1 for ell in ells]
    assert_same_span(pattern, average.reshape(-1, *size))


@pytest.mark.parametrize("pattern", LARGER)
def test_order_five_against_the_ladder(pattern):
    assert_same_span(pattern, real_form(pattern, ladder_tensors(pattern)))
