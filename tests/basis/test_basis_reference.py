"""The NumPy oracle: symmetries, derivatives, linear independence, and a model written out by hand."""

import numpy as np
import pytest
from basis_helpers import brute_force_neighbours, random_environment, random_rotation
from scipy.special import eval_jacobi, roots_jacobi, sph_harm_y

from lacemaker.basis import ZBL, ACEBasis, Morse, PairBasis, REnvelope, XEnvelope, reference

BASES = {
    "order 1": ACEBasis(["Si", "H"], 1, 6),
    "order 2": ACEBasis("Si", 2, 14),
    "order 3, two elements": ACEBasis(["Si", "Ge"], 3, 7, transform=Morse(2.0)),
    "order 4": ACEBasis("Si", 4, 12),
    "order 4, l up to 6": ACEBasis("Si", 4, [4, 9, 9, 8.5], wl=0.75),
    "order 5": ACEBasis("Si", 5, 11, cutoff=5.0),
    "order 5, two elements": ACEBasis(["O", "Si"], 5, 7.5, level_rule="ace1", wl=1),
    "hydrogen": ACEBasis("H", 3, 9),
}


def site_values(basis, vectors, species, centre=0):
    return reference.site(basis, centre, vectors, species)[0]


@pytest.mark.parametrize("name", BASES)
def test_every_function_is_invariant(name):
    basis = BASES[name]
    rng = np.random.default_rng(4)
    vectors, species = random_environment(rng, 9, basis.n_elements, 0.4 * basis.cutoff, 0.9 * basis.cutoff)
    for centre in range(basis.n_elements):
        value = site_values(basis, vectors, species, centre)
        active = np.array([f.centre == centre for f in basis.columns])
        assert np.all(value[~active] == 0)
        assert np.all(value[active] != 0)
        order = rng.permutation(9)
        for name, turned, kinds in [
            ("rotation", vectors @ random_rotation(rng).T, species),
            ("reflection", vectors * [1, 1, -1], species),
            ("inversion", -vectors, species),
            ("permutation", vectors[order], species[order]),
        ]:
            again = site_values(basis, turned, kinds, centre)
            scale = np.maximum(np.abs(value), 1e-3 * np.abs(value).max())
            assert np.all(np.abs(again - value) < 1e-10 * scale), name


@pytest.mark.parametrize(
    "basis",
    [
        ACEBasis("Si", 3, 8, pair=None),
        ACEBasis("Si", 4, 8, pair=None),
        ACEBasis("Si", 5, 8, pair=None),
        ACEBasis(["Si", "C"], 3, 5, pair=None),
    ],
    ids=repr,
)
def test_functions_are_linearly_independent_on_random_environments(basis):
    rng = np.random.default_rng(5)
    values = []
    for _ in range(2 * basis.n_functions):
        vectors, species = random_environment(rng, int(rng.integers(3, 10)), basis.n_elements, 1.2, 5.5)
        values.append(site_values(basis, vectors, species, int(rng.integers(basis.n_elements))))
    values = np.array(values) / np.linalg.norm(values, axis=0)
    singular = np.linalg.svd(values, compute_uv=False)
    assert len(singular) == basis.n_functions
    assert singular[-1] > 1e-7 * singular[0]


NASTY = {
    "skewed, smaller than the cutoff": (
        [[0.1, 0.2, 0.0], [1.5, 1.4, 1.6]],
        [[3.1, 0.0, 0.2], [1.2, 2.9, 0.0], [-0.5, 0.7, 3.3]],
        (1, 1, 1),
    ),
    "one atom": ([[0.3, -7.0, 22.0]], [[2.6, 0.0, 0.0], [0.0, 2.7, 0.0], [0.4, 0.3, 2.5]], (1, 1, 1)),
    "slab": (
        [[0, 0, 0], [1.4, 1.3, 1.8], [0.2, 2.4, 3.1]],
        [[3.2, 0, 0], [0.3, 3.4, 0], [0, 0, 30.0]],
        (1, 1, 0),
    ),
    "wire": ([[0, 0, 0], [1.8, 1.1, 0.9]], [[3.3, 0, 0], [0, 9.0, 0], [0, 0, 9.0]], (1, 0, 0)),
    "molecule": ([[0, 0, 0], [2.2, 0.1, 0], [1.1, 1.9, 0.4], [0.8, 0.7, 2.0]], np.zeros((3, 3)), (0, 0, 0)),
}


def total(basis, positions, cell, pbc, species):
    neighbours = brute_force_neighbours(positions, cell, pbc, basis.cutoff + 0.01)
    return reference.evaluate(basis, positions, cell, pbc, species, neighbours).sum(axis=0)


@pytest.mark.parametrize("case", NASTY)
def test_force_and_virial_rows_are_derivatives(case):
    positions, cell, pbc = (np.array(a, dtype=float) for a in NASTY[case])
    basis = ACEBasis(
        ["Si", "C"],
        3,
        [4, 4, 4],
        cutoff=3.4,
        rin=0.2,
        pair=PairBasis(max_degree=3, envelope=REnvelope(2), cutoff=3.0),
    )
    species = np.arange(len(positions)) % 2
    neighbours = brute_force_neighbours(positions, cell, pbc, basis.cutoff)
    rows = reference.design(basis, positions, cell, pbc, species, neighbours)
    np.testing.assert_allclose(
        rows.energy, total(basis, positions, cell, pbc, species), rtol=1e-12, atol=1e-14
    )
    h = 2e-4

    def slope(change):
        f = [total(basis, *change(s * h), pbc, species) for s in (1, -1, 2, -2)]
        return (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h)

    scale = np.abs(rows.forces).max() + np.abs(rows.virial).max()
    for row, (atom, axis) in enumerate(np.ndindex(len(positions), 3)):

        def moved(step, atom=atom, axis=axis):
            shifted = positions.copy()
            shifted[atom, axis] += step
            return shifted, cell

        np.testing.assert_allclose(rows.forces[row], -slope(moved), atol=1e-9 * scale)
    for row, (a, b) in enumerate(reference.VOIGT):

        def strained(step, a=a, b=b):
            f = np.eye(3)
            f[a, b] += step / 2
            f[b, a] += step / 2
            return positions @ f.T, cell @ f.T

        np.testing.assert_allclose(rows.virial[row], -slope(strained), atol=1e-9 * scale)


def test_forces_add_up_to_zero():
    positions, cell, pbc = (np.array(a, dtype=float) for a in NASTY["slab"])
    basis = ACEBasis("Si", 4, 8, cutoff=4.0)
    neighbours = brute_force_neighbours(positions, cell, pbc, 4.0)
    rows = reference.design(basis, positions, cell, pbc, np.zeros(3, int), neighbours)
    scale = np.abs(rows.forces).max()
    np.testing.assert_allclose(rows.forces.reshape(3, 3, -1).sum(axis=0), 0, atol=1e-13 * scale)


def test_gradient_of_harmonics():
    rng = np.random.default_rng(6)
    vectors, h = rng.normal(size=(30, 3)), 1e-4

    def values(v):
        return reference.real_harmonics(7, v / np.linalg.norm(v, axis=1)[:, None])[0]

    r = np.linalg.norm(vectors, axis=1)
    gradients = reference.real_harmonics(7, vectors / r[:, None])[1] / r[:, None, None]
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = h
        f = [values(vectors + s * step) for s in (1, -1, 2, -2)]
        slope = (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h)
        np.testing.assert_allclose(gradients[..., axis], slope, atol=1e-9)


def test_harmonics_at_the_poles():
    values, gradients = reference.real_harmonics(4, np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    assert np.isfinite(gradients).all()
    np.testing.assert_allclose(values[0, [0, 2, 6]], np.sqrt(np.array([1, 3, 5]) / (4 * np.pi)))
    np.testing.assert_allclose(values[:, [1, 3, 4, 5, 7, 8]], 0, atol=1e-16)


def real_sph_harm(ell, m, unit):
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    y = (-1) ** m * np.sqrt(2) * sph_harm_y(ell, abs(m), theta, phi)
    return y.real / np.sqrt(2) if m == 0 else (y.real if m > 0 else y.imag)


def gaunt(ells):
    """Normalised real Gaunt tensor by quadrature on the sphere."""
    z, wz = np.polynomial.legendre.leggauss(24)
    phi = 2 * np.pi * np.arange(49) / 49
    s = np.sqrt(1 - z**2)
    unit = np.stack([np.outer(s, np.cos(phi)), np.outer(s, np.sin(phi)), np.outer(z, np.ones(49))], axis=-1)
    weight = np.outer(wz, np.full(49, 2 * np.pi / 49)).ravel()
    y = [np.stack([real_sph_harm(ell, m, unit.reshape(-1, 3)) for m in range(-ell, ell + 1)]) for ell in ells]
    tensor = np.einsum("q,aq,bq,cq->abc", weight, *y)
    return tensor / np.linalg.norm(tensor)


def test_values_of_a_model_written_out_by_hand():
    """Si, order 3, degree 12: Agnesi(2,4), orthonormal Jacobi(4,4) times (1-x^2)^2, real Gaunt couplings.

    Built from scipy only, with the conventions of ACE1-type models: every function agrees up to a sign
    (rows have unit norm in both).
    """
    basis = ACEBasis("Si", 3, 12)
    vectors, _ = random_environment(np.random.default_rng(7), 8, 1, 1.9, 5.8)
    r = np.linalg.norm(vectors, axis=1)
    s = r / 2.4
    y = 1 / (1 + 10 / 13 * s**4 / (1 + s**2))
    y_cut = 1 / (1 + 10 / 13 * 2.5**4 / (1 + 2.5**2))
    x = 1 - 2 * (y - y_cut) / (1 - y_cut)
    node, weight = roots_jacobi(40, 4, 4)
    norm = [1 / np.sqrt(weight @ eval_jacobi(k, 4, 4, node) ** 2) for k in range(12)]
    radial = [norm[k] * eval_jacobi(k, 4, 4, x) * (1 - x * x) ** 2 for k in range(12)]

    def density(n, ell):
        unit = vectors / r[:, None]
        return np.array([radial[n - 1] @ real_sph_harm(ell, m, unit) for m in range(-ell, ell + 1)])

    value = site_values(basis, vectors, np.zeros(8, int))
    cache = {}
    for function, found in zip(basis.columns, value, strict=True):
        if function.kind == "pair":
            continue
        ells = tuple(ell for _, _, ell in function.channels)
        a = [density(n, ell) for _, n, ell in function.channels]
        if len(a) == 1:
            expected = a[0][0]
        elif len(a) == 2:
            expected = a[0] @ a[1] / np.sqrt(len(a[0]))
        else:
            if ells not in cache:
                cache[ells] = gaunt(ells)
            expected = np.einsum("abc,a,b,c->", cache[ells], *a)
        assert abs(abs(found) - abs(expected)) < 1e-11 * max(1, abs(expected)), function


def test_pair_functions_are_sums_over_neighbours():
    basis = ACEBasis(["Si", "Ge"], 1, 3, pair=PairBasis(max_degree=4, envelope=XEnvelope(0, 2)))
    rng = np.random.default_rng(8)
    vectors, species = random_environment(rng, 12, 2)
    value, _ = reference.site(basis, 1, vectors, species)
    r = np.linalg.norm(vectors, axis=1)
    for k, f in enumerate(basis.columns):
        if f.kind == "pair" and f.centre == 1:
            ((z, n, _),) = f.channels
            radial = basis.pair_radial.evaluate(r[species == z], *basis.pair_lengths(1, z))[0]
            assert value[k] == pytest.approx(radial[n - 1].sum(), rel=1e-13)


def test_zbl_baseline_is_consistent():
    basis = ACEBasis(["Si", "O"], 1, 3, repulsion=ZBL(inner=0.5, outer=2.4))
    positions, cell, pbc = (np.array(a, dtype=float) for a in NASTY["skewed, smaller than the cutoff"])
    positions[1] = [1.0, 0.9, 0.8]
    species, h = np.array([0, 1]), 1e-5

    def energy(x, c):
        neighbours = brute_force_neighbours(x, c, pbc, 3.0)
        return reference.core_repulsion(basis, x, c, species, neighbours)[0].sum()

    neighbours = brute_force_neighbours(positions, cell, pbc, 3.0)
    _, forces, virial = reference.core_repulsion(basis, positions, cell, species, neighbours)
    for atom, axis in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[atom, axis] = h
        slope = (energy(positions + step, cell) - energy(positions - step, cell)) / (2 * h)
        assert forces[atom, axis] == pytest.approx(-slope, rel=1e-6, abs=1e-5)
    for row, (a, b) in enumerate(reference.VOIGT):
        strain = np.zeros((3, 3))
        strain[a, b] += h / 2
        strain[b, a] += h / 2
        up, down = np.eye(3) + strain, np.eye(3) - strain
        slope = (energy(positions @ up, cell @ up) - energy(positions @ down, cell @ down)) / (2 * h)
        assert virial[row] == pytest.approx(-slope, rel=1e-6, abs=1e-5)
