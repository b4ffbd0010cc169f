"""The evidence by a bidiagonal and a few rows is the evidence by Cholesky factors."""

import numpy as np
import pytest

from lacemaker.regression.evidence import Component, _Reference
from lacemaker.regression.factor import Factor, compress, merge, triangle
from lacemaker.regression.lapack import Bidiagonal
from lacemaker.regression.low_rank_evidence import LowRankEvidence, _ridged, _trace_inverse
from lacemaker.regression.problem import Block, Problem
from lacemaker.regression.solvers import BLR

K = 40
RNG = np.random.default_rng(5)
SCALES = 10.0 ** np.linspace(1, -4, K)  # columns of a real system fall off


def rows(count: int, noise: float) -> np.ndarray:
    design = RNG.standard_normal((count, K)) * SCALES
    return np.column_stack([design, design @ np.ones(K) + noise * RNG.standard_normal(count)])


BLOCKS = (
    Block("energy", compress(rows(9, 0.01), 9)),
    Block("forces", compress(rows(300, 0.3), 300)),
    Block("restraint", compress(rows(3, 0.1), 3)),
)


def components(blocks: tuple[Block, ...]) -> list[Component]:
    return BLR()._components(Problem(blocks))


def cheap_of(blocks: tuple[Block, ...]) -> LowRankEvidence:
    problem = Problem(blocks)
    return LowRankEvidence(components(blocks), Bidiagonal(problem.R), problem.z, problem.residual_squared)


@pytest.mark.parametrize("blocks", [BLOCKS, BLOCKS[:2], BLOCKS[1:2]], ids=["three", "two", "one"])
@pytest.mark.parametrize("seed", range(4))
def test_value_and_gradient_are_those_of_cholesky_factors(blocks, seed):
    assert LowRankEvidence.suits(components(blocks))
    log_weights = np.random.default_rng(seed).uniform(-2, 8, len(blocks) + 1)
    value, gradient = cheap_of(blocks).evaluate(log_weights)
    expected, slope = _Reference(components(blocks), log_weights).evaluate(log_weights)
    assert value == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-7)


def test_gradient_is_that_of_finite_differences():
    cheap, at = cheap_of(BLOCKS), np.array([4.0, 1.0, 2.0, -1.0])
    for i, step in enumerate(1e-4 * np.eye(4)):
        change = cheap.evaluate(at + step)[0] - cheap.evaluate(at - step)[0]
        assert cheap.evaluate(at)[1][i] == pytest.approx(change / 2e-4, rel=1e-6, abs=1e-6)


def test_both_ways_find_the_same_maximum(monkeypatch):
    problem, solver = Problem(BLOCKS), BLR(noise="per_quantity", tolerance=1e-6)
    quick = solver.solve(problem)
    monkeypatch.setattr(LowRankEvidence, "suits", staticmethod(lambda components: False))
    slow = solver.solve(problem)
    assert quick.log_evidence == pytest.approx(slow.log_evidence, rel=1e-9)
    np.testing.assert_allclose(quick.coefficients, slow.coefficients, rtol=1e-5, atol=1e-6)
    for kind, noise in slow.noise.items():
        assert quick.noise[kind] == pytest.approx(noise, rel=1e-5)


def test_many_rows_of_every_quantity_do_not_suit_it():
    tall = (Block("energy", compress(rows(200, 0.1), 200)), BLOCKS[1])
    assert not LowRankEvidence.suits(components(tall))


def test_a_bidiagonal_with_a_ridge_and_the_trace_of_its_inverse():
    triangular = triangle(merge([(BLOCKS[1].factor, 1.0)], K + 1))[:-1, :-1]
    made = Bidiagonal(triangular)
    b = np.diag(made.diagonal) + np.diag(made.off, 1)
    c, f = _ridged(made.diagonal, made.off, 2.0, 0.3)
    upper = np.diag(c) + np.diag(f, 1)
    np.testing.assert_allclose(upper.T @ upper, 2.0 * b.T @ b + 0.3 * np.eye(K), atol=1e-9 * c.max() ** 2)
    assert _trace_inverse(c, f) == pytest.approx(np.trace(np.linalg.inv(upper.T @ upper)), rel=1e-9)
    some = rows(5, 0.0)[:, :-1]
    np.testing.assert_allclose(made.right(some) @ made.right(some).T, some @ some.T, rtol=1e-9)
    gram = triangular.T @ triangular
    np.testing.assert_allclose(
        made.right(some) @ (b.T @ b) @ made.right(some).T, some @ gram @ some.T, rtol=1e-9
    )
    assert isinstance(BLOCKS[0].factor, Factor)
