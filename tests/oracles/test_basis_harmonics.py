"""The harmonics of the NumPy oracle agree with independent codes."""

import numpy as np
import pytest
from scipy.special import sph_harm_y

from lacemaker.basis.reference import real_harmonics

L_MAX = 9


@pytest.fixture(scope="module")
def unit():
    vectors = np.random.default_rng(0).normal(size=(200, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def test_scipy(unit):
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    values, _ = real_harmonics(L_MAX, unit)
    for ell in range(L_MAX + 1):
        for m in range(ell + 1):
            y = sph_harm_y(ell, m, theta, phi) * (-1) ** m * (np.sqrt(2) if m else 1)
            np.testing.assert_allclose(values[:, ell * ell + ell + m], y.real, atol=1e-12)
            if m:
                np.testing.assert_allclose(values[:, ell * ell + ell - m], y.imag, atol=1e-12)


def test_sphericart(unit):
    sphericart = pytest.importorskip("sphericart")
    expected, gradients = sphericart.SphericalHarmonics(L_MAX).compute_with_gradients(
        np.ascontiguousarray(unit)
    )
    expected, gradients = np.asarray(expected), np.asarray(gradients).transpose(0, 2, 1)
    radial = np.einsum("nkc,nc->nk", gradients, unit)
    values, tangential = real_harmonics(L_MAX, unit)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    np.testing.assert_allclose(tangential, gradients - radial[..., None] * unit[:, None, :], atol=1e-10)
