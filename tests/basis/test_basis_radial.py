"""Radial functions: transforms, envelopes, polynomials, and their derivatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import eval_jacobi

from lacemaker.basis import (
    Agnesi,
    CoulombEnvelope,
    Identity,
    Jacobi,
    Morse,
    One,
    Polynomial,
    REnvelope,
    XEnvelope,
)
from lacemaker.basis.radial import RadialBasis
from lacemaker.errors import BasisError

TRANSFORMS = [Agnesi(2, 4), Agnesi(1, 3), Agnesi(2, 2), Agnesi(1, 4), Polynomial(2), Identity(), Morse(2.5)]
ENVELOPES = [One(), XEnvelope(2, 2), XEnvelope(0, 2), XEnvelope(1, 3), REnvelope(2), CoulombEnvelope(1)]
RIN, R0, RCUT = 0.4, 2.35, 5.5


@pytest.mark.parametrize(("p", "q", "a"), [(2, 4, 10 / 13), (1, 3, 2 / 7), (2, 2, 2 / 3), (1, 4, 3 / 11)])
def test_agnesi_constant(p, q, a):
    assert Agnesi(p, q).a == pytest.approx(a, rel=1e-15)


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if isinstance(t, Agnesi)])
def test_agnesi_is_steepest_at_the_bond_length(transform):
    r = np.linspace(0.5, 5.4, 20001)
    _, slope = transform(r, 0.0, R0, RCUT)
    assert r[np.argmax(np.abs(slope))] == pytest.approx(R0, abs=1e-3)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("rin", [0.0, RIN])
def test_x_runs_monotonically_from_minus_one_to_one(transform, rin):
    r = np.linspace(rin, RCUT, 500)
    x, slope = transform(r, rin, R0, RCUT)
    assert x[0] == pytest.approx(-1, abs=1e-14)
    assert x[-1] == pytest.approx(1, abs=1e-14)
    assert np.all(np.diff(x) > 0)
    assert np.all(slope[1:-1] > 0)
    outside, flat = transform(np.array([0.5 * rin, RCUT + 1]), rin, R0, RCUT)
    np.testing.assert_allclose(outside, [-1, 1], atol=1e-14)
    np.testing.assert_array_equal(flat, 0)


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_derivatives_match_finite_differences(transform, envelope):
    radial = RadialBasis(transform, envelope, Jacobi().resolved(envelope), 8)
    r, h = np.linspace(0.7, 5.4, 40), 1e-4

    def value(x):
        return radial.evaluate(x, RIN, R0, RCUT)[0]

    slope = (8 * (value(r + h) - value(r - h)) - (value(r + 2 * h) - value(r - 2 * h))) / (12 * h)
    exact = radial.evaluate(r, RIN, R0, RCUT)[1]
    np.testing.assert_allclose(exact, slope, rtol=0, atol=1e-8 * np.abs(exact).max())


@pytest.mark.parametrize("envelope", [e for e in ENVELOPES if not isinstance(e, One)])
def test_value_and_slope_vanish_at_the_cutoff(envelope):
    radial = RadialBasis(Agnesi(2, 4), envelope, Jacobi().resolved(envelope), 10)
    value, slope = radial.evaluate(np.array([RCUT - 1e-7, RCUT, RCUT + 0.1]), 0.0, R0, RCUT)
    assert np.abs(value[:, 0]).max() < 1e-10
    assert np.abs(slope[:, 0]).max() < 1e-3
    assert not value[:, 1:].any()
    assert not slope[:, 1:].any()


@pytest.mark.parametrize(("p1", "p2"), [(2, 2), (0, 2), (1, 3), (3, 2)])
def test_default_functions_are_orthonormal_in_x(p1, p2):
    envelope = XEnvelope(p1, p2)
    radial = RadialBasis(Identity(), envelope, Jacobi().resolved(envelope), 30)
    x, w = np.polynomial.legendre.leggauss(60)
    value, _ = radial.evaluate(x, -1.0, 1.0, 1.0)  # identity transform on [-1, 1]: x(r) = r
    np.testing.assert_allclose((value * w) @ value.T, np.eye(30), atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.9, 8), st.floats(-0.9, 8))
def test_recurrence_gives_jacobi_polynomials(alpha, beta):
    radial = RadialBasis(Identity(), One(), Jacobi(alpha, beta), 12)
    x = np.linspace(-0.99, 0.99, 31)
    value, _ = radial.evaluate(x, -1.0, 1.0, 1.0)
    for n in range(12):
        expected = eval_jacobi(n, alpha, beta, x)
        scale = value[n] @ expected / (expected @ expected)
        np.testing.assert_allclose(value[n], scale * expected, atol=1e-9 * np.abs(value[n]).max())


@pytest.mark.parametrize(("alpha", "beta"), [(0, 0), (4, 4), (0.5, 2.5), (-0.5, -0.5)])
def test_norms_are_those_of_the_weight(alpha, beta):
    from scipy.special import roots_jacobi

    radial = RadialBasis(Identity(), One(), Jacobi(alpha, beta), 20)
    x, w = roots_jacobi(40, alpha, beta)
    value, _ = radial.evaluate(x, -1.0, 1.0, 1.0)
    np.testing.assert_allclose((value * w) @ value.T, np.eye(20), atol=1e-11)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Agnesi(4, 2),
        lambda: Agnesi(0, 2),
        lambda: Agnesi(1, 1),
        lambda: Agnesi(1.5, 2),
        lambda: XEnvelope(2, 1),
        lambda: REnvelope(0),
        lambda: Morse(-1.0),
        lambda: Jacobi(-1.0, 0.0),
    ],
)
def test_impossible_parameters_are_refused(build):
    with pytest.raises(BasisError, match=r"(?s)found:.*to do:"):
        build()
