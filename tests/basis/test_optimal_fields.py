"""Exact arithmetic: fields, transvectants, and the basis's own rows modulo a prime."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from lacemaker.basis.coupling import build_coupling
from lacemaker.basis.optimal_couplings import chain_rows, symmetric_tensors
from lacemaker.basis.optimal_field import PRIMES, Echelon, matmul, solve
from lacemaker.basis.optimal_transvectants import chain_gradient, chain_tensor, chains


@pytest.mark.parametrize("prime", PRIMES)
def test_primes(prime):
    assert prime < 2**31
    divisors = np.arange(2, int(prime**0.5) + 1)
    assert (prime % divisors != 0).all()


def test_products_are_exact_at_the_largest_residues():
    p = PRIMES[0]
    left, right = np.full((2, 200), p - 1), np.full((200, 3), p - 1)
    assert (matmul(left, right, p) == 200).all()  # (-1)(-1) added 200 times
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, p, (5, 130)), rng.integers(0, p, (130, 4))
    exact = [[sum(int(x) * int(y) for x, y in zip(row, col, strict=True)) % p for col in b.T] for row in a]
    assert matmul(a, b, p).tolist() == exact


def test_echelon_finds_the_rank_in_whatever_portions():
    p, rng = PRIMES[1], np.random.default_rng(3)
    rows = matmul(rng.integers(0, p, (40, 7)), rng.integers(0, p, (7, 12)), p)
    whole, parts = Echelon(12, p), Echelon(12, p)
    new = whole.add(rows)
    assert new.sum() == 7 == whole.rank
    assert new[:7].all()
    np.testing.assert_array_equal(np.concatenate([parts.add(rows[i : i + 3]) for i in range(0, 40, 3)]), new)
    assert not whole.add(rows[::-1]).any()


def test_solve():
    p, rng = PRIMES[0], np.random.default_rng(5)
    a, x = rng.integers(0, p, (6, 6)), rng.integers(0, p, (6, 2))
    np.testing.assert_array_equal(solve(a, matmul(a, x, p), p), x)
    with pytest.raises(ZeroDivisionError):
        solve(np.ones((2, 2), dtype=np.int64), np.ones((2, 1), dtype=np.int64), p)


@pytest.mark.parametrize("momenta", [(2, 2), (1, 2, 3), (1, 1, 2, 2), (2, 2, 2, 2), (1, 1, 1, 1, 2)])
def test_chains_are_invariant_under_the_lie_algebra(momenta):
    """Both ladder operators, u d/dw and w d/du acting on every factor, annihilate the coupling."""
    p = PRIMES[0]
    for chain in chains(momenta):
        tensor = chain_tensor(momenta, chain, p)
        assert tensor.any()
        for lower in (True, False):
            total = np.zeros_like(tensor)
            for axis, ell in enumerate(momenta):
                n = 2 * ell + 1
                step = np.zeros((n, n), dtype=np.int64)  # coefficients a_i of u^(2l-i) w^i
                for i in range(n - 1):
                    step[(i, i + 1) if lower else (i + 1, i)] = i + 1 if lower else 2 * ell - i
                moved = np.moveaxis(tensor, axis, -1).reshape(-1, n)
                moved = matmul(moved, step, p).reshape(*np.delete(tensor.shape, axis), n)
                total = (total + np.moveaxis(moved, -1, axis)) % p
            assert not total.any()


def test_gradients_are_those_of_the_tensor():
    p, rng = PRIMES[0], np.random.default_rng(2)
    momenta = (1, 1, 2, 2)
    factors = [rng.integers(0, p, (3, 2 * ell + 1)) for ell in momenta]
    for chain in chains(momenta):
        tensor = chain_tensor(momenta, chain, p)
        for t, gradient in enumerate(chain_gradient(factors, momenta, chain, p)):
            for row in range(3):
                left = np.moveaxis(tensor, t, 0)
                for s in reversed([s for s in range(4) if s != t]):
                    left = matmul(left.reshape(-1, left.shape[-1]), factors[s][row][:, None], p).reshape(
                        left.shape[:-1]
                    )
                np.testing.assert_array_equal(left, gradient[row])


@pytest.mark.parametrize(
    "pattern",
    [
        ((1, 2), (2, 2)),
        ((2, 4),),
        ((1, 1), (1, 1), (2, 2)),
        ((1, 1), (2, 1), (2, 1), (3, 1)),
        ((1, 2), (1, 3), (3, 1)),
    ],
)
def test_modular_rows_are_the_rows_of_the_basis(pattern):
    """The square of every ratio of float coefficients is rational; it must be that of the modular row.

    In the rescaled real variables the rows are rational. With the coefficients c_p of the float row and the
    modular ones r_p of the same products, c_p^2 / c_q^2 = r_p^2 w_p / (r_q^2 w_q), w known squared scales.
    """
    p = PRIMES[0]
    coupling = build_coupling(pattern)
    momenta = tuple(ell for ell, q in pattern for _ in range(q))
    tensors = symmetric_tensors(pattern, momenta, p)
    rows = matmul(chain_rows(pattern, p), tensors.reshape(len(tensors), -1), p).reshape(
        -1, *tensors.shape[1:]
    )
    for float_row, row in zip(coupling.coefficients, rows, strict=True):
        used = np.flatnonzero(np.abs(float_row) > 1e-9)
        reference = used[np.argmax(np.abs(float_row[used]))]
        base = _square(row, coupling.m[reference], pattern, momenta, p)
        for k in used:
            ratio = Fraction(float(float_row[k] / float_row[reference]) ** 2).limit_denominator(200_000)
            left = _square(row, coupling.m[k], pattern, momenta, p) * ratio.denominator % p
            assert left == base * ratio.numerator % p
        for k in np.flatnonzero(np.abs(float_row) <= 1e-9):
            assert _square(row, coupling.m[k], pattern, momenta, p) == 0


def _square(row, m, pattern, momenta, p) -> int:
    """Squared coefficient of a real product of normalised A, up to a factor common to the block."""
    from math import factorial

    value, scale, start = 0, 1, 0
    choices = []
    for ell, mu in zip(momenta, m.tolist(), strict=True):
        weight = pow(factorial(ell + mu) * factorial(ell - mu), -1, p)
        if mu == 0:
            choices.append([(ell, 1)])
        else:  # (Y_m +- (-1)^m Y_-m) / sqrt 2: the half goes into the square; a factor i is dropped
            sign = (-1) ** mu if mu > 0 else -((-1) ** mu)
            choices.append([(ell - abs(mu), sign), (ell + abs(mu), 1)])
            weight = weight * pow(2, -1, p) % p
        scale = scale * weight % p
    for choice in product(*choices):
        value += int(np.prod([s for _, s in choice])) * int(row[tuple(i for i, _ in choice)])
    for _, q in pattern:
        group = m[start : start + q].tolist()
        orbit = factorial(q)
        for mu in set(group):
            orbit //= factorial(group.count(mu))
        scale = scale * orbit * orbit % p
        start += q
    negative = sum(mu < 0 for mu in m.tolist())
    assert negative % 2 == 0 or value % p == 0  # an odd number of sines changes sign under reflection
    return value * value % p * scale % p
