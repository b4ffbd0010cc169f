"""A factor stands for its rows: same Gram matrix, whatever the blocks or the order of merging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacemaker.regression.factor import Accumulator, Factor, merge, triangle
from lacemaker.regression.lapack import absorb_rows, singular_projection


def compress(rows: np.ndarray, block_rows: int = 64) -> Factor:
    accumulator = Accumulator(rows.shape[1], block_rows=block_rows)
    accumulator.add(rows)
    return accumulator.finish()


def numpy_triangle(rows: np.ndarray) -> np.ndarray:
    r = np.linalg.qr(rows, mode="r")
    return r * np.where(np.diagonal(r) < 0, -1.0, 1.0)[:, None]


def test_streaming_gives_the_triangle_of_a_plain_qr():
    scales = np.logspace(0, -9, 57)
    rows = np.random.default_rng(0).standard_normal((1300, 57)) * scales
    factor = compress(rows)
    np.testing.assert_allclose(factor.array / scales, numpy_triangle(rows) / scales, atol=1e-11)
    assert factor.n_rows == 1300
    assert factor.is_triangular
    assert np.all(np.diagonal(factor.array) >= 0)
    assert np.all(np.tril(factor.array, -1) == 0)


@settings(max_examples=40, deadline=None)
@given(
    n_rows=st.integers(0, 90),
    n_columns=st.integers(1, 20),
    block=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 90), max_size=4),
    seed=st.integers(0, 10),
)
def test_gram_matrix_is_that_of_the_rows_for_any_cutting(n_rows, n_columns, block, cuts, seed):
    rows = np.random.default_rng(seed).standard_normal((n_rows, n_columns))
    parts = np.split(rows, sorted(min(cut, n_rows) for cut in cuts))
    accumulator = Accumulator(n_columns, block_rows=block)
    for part in parts:
        accumulator.add(part)
    merged = merge([(compress(part, block), 1.0) for part in parts], n_columns)
    for factor in (accumulator.finish(), merged):
        np.testing.assert_allclose(factor.array.T @ factor.array, rows.T @ rows, atol=1e-11)
        assert factor.n_rows == n_rows
        assert factor.array.shape[0] <= n_columns
        full = triangle(factor)
        np.testing.assert_allclose(full.T @ full, rows.T @ rows, atol=1e-11)


def test_merging_is_associative():
    rng = np.random.default_rng(1)
    a, b, c = (compress(rng.standard_normal((m, 9))) for m in (4, 30, 17))
    left = merge([(merge([(a, 1.0), (b, 1.0)], 9), 1.0), (c, 1.0)], 9)
    right = merge([(a, 1.0), (merge([(b, 1.0), (c, 1.0)], 9), 1.0)], 9)
    np.testing.assert_allclose(left.array, right.array, atol=1e-13)
    assert left.n_rows == right.n_rows == 51


def test_weights_of_a_merge_scale_rows_and_zero_leaves_them_out():
    rng = np.random.default_rng(2)
    rows = [rng.standard_normal((m, 6)) for m in (3, 20, 8)]
    merged = merge(list(zip(map(compress, rows), (2.0, 0.5, 0.0), strict=True)), 6)
    expected = np.concatenate([2.0 * rows[0], 0.5 * rows[1]])
    np.testing.assert_allclose(merged.array.T @ merged.array, expected.T @ expected, atol=1e-12)
    assert merged.n_rows == 23


def test_fewer_rows_than_columns_are_kept_as_they_are():
    rows = np.random.default_rng(3).standard_normal((5, 40))
    factor = compress(rows)
    np.testing.assert_array_equal(factor.array, rows)
    assert not factor.is_triangular


def test_residuals_are_exact_for_any_coefficients():
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((300, 11))
    coefficients = rng.standard_normal((2, 3, 10))
    expected = ((coefficients @ rows[:, :-1].T - rows[:, -1]) ** 2).sum(-1)
    np.testing.assert_allclose(compress(rows).residual(coefficients), expected, rtol=1e-12)
    assert compress(rows).residual(coefficients[0, 0]).shape == ()


@pytest.mark.parametrize("n_rows", [4, 200])
def test_taking_columns_equals_compressing_those_columns(n_rows):
    rows = np.random.default_rng(5).standard_normal((n_rows, 12))
    columns = [7, 0, 3, 11]
    taken = compress(rows).take(columns)
    np.testing.assert_allclose(taken.array, compress(rows[:, columns]).array, atol=1e-12)
    assert taken.n_rows == n_rows


def test_columns_of_zeros_and_duplicates_survive():
    rows = np.random.default_rng(6).standard_normal((80, 8))
    rows[:, 0] = 0.0
    rows[:, 5] = rows[:, 2]
    factor = compress(rows)
    np.testing.assert_allclose(factor.array.T @ factor.array, rows.T @ rows, atol=1e-12)
    assert np.all(np.isfinite(factor.array))


def test_singular_projection_agrees_with_a_full_svd():
    rng = np.random.default_rng(7)
    for n in (1, 2, 30):
        matrix, target = np.triu(rng.standard_normal((n, n))), rng.standard_normal(n)
        values, projection = singular_projection(matrix, target)
        left, expected, _ = np.linalg.svd(matrix)
        np.testing.assert_allclose(values, expected, rtol=1e-10)
        np.testing.assert_allclose(np.abs(projection), np.abs(left.T @ target), rtol=1e-8, atol=1e-12)


def test_lapack_refuses_what_it_would_corrupt():
    with pytest.raises(TypeError, match="Fortran"):
        absorb_rows(np.zeros((3, 3)), np.zeros((2, 3)))
    with pytest.raises(TypeError, match="float64"):
        absorb_rows(np.zeros((3, 3), order="F"), np.zeros((2, 3), order="F", dtype=np.float32))
