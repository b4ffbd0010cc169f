"""Level rules: exact arithmetic, complete enumeration."""

from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacemaker.basis.count import invariant_count, multisets_by_m
from lacemaker.basis.levels import bounded_multisets, exact, one_particle_channels
from lacemaker.errors import BasisError


@pytest.mark.parametrize("value", [1.5, "1.5", "3/2", Fraction(3, 2)])
def test_numbers_are_what_the_user_means(value):
    assert exact(value) == Fraction(3, 2)
    assert exact(0.1) == Fraction(1, 10)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=9).map(sorted),
    st.integers(1, 4),
    st.integers(0, 30),
)
def test_enumeration_is_complete_and_without_repeats(levels, order, limit):
    found = [tuple(row) for row in bounded_multisets(np.array(levels), order, limit).tolist()]
    expected = [
        items
        for items in combinations_with_replacement(range(len(levels)), order)
        if sum(levels[i] for i in items) <= limit
    ]
    assert found == expected


@pytest.mark.parametrize("rule", ["ace1", "acepotentials-0.8"])
def test_levels_follow_their_formula(rule):
    wl, limit, n_elements = Fraction(3, 2), Fraction(7), 3
    channels = one_particle_channels(n_elements, wl, limit, rule)
    listed = set(zip(channels.z.tolist(), channels.n.tolist(), channels.ell.tolist(), strict=True))
    for z in range(n_elements):
        for n in range(1, 10):
            for ell in range(8):
                folded = Fraction((n - 1) * n_elements + z + 1, n_elements)
                level = (Fraction(n) if rule == "ace1" else folded) + wl * ell
                assert ((z, n, ell) in listed) == (level <= limit)


def test_gaussian_binomials_count_multisets():
    for ell, q in [(0, 4), (1, 3), (2, 5), (4, 2)]:
        sums = [sum(c) for c in combinations_with_replacement(range(-ell, ell + 1), q)]
        assert multisets_by_m(ell, q) == tuple(sums.count(m) for m in range(-q * ell, q * ell + 1))


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        (((0, 1),), 1),
        (((3, 2),), 1),
        (((1, 1), (2, 1)), 0),
        (((1, 1), (1, 1), (1, 1)), 0),  # odd under inversion
        (((1, 1), (1, 1), (2, 1)), 1),
        (((1, 1),) * 4, 3),  # three scalar products of two dot products
        (((1, 4),), 1),  # equal vectors: only (v.v)^2
        (((2, 3),), 1),  # the cubic invariant of a second-rank tensor
    ],
)
def test_invariant_counts_known_from_tensor_algebra(pattern, count):
    assert invariant_count(pattern) == count


def test_absurd_sizes_are_refused_before_memory_is_gone():
    with pytest.raises(BasisError, match=r"absurdly large(?s:.)*found(?s:.)*to do"):
        bounded_multisets(np.arange(1, 2000), 4, 4000)
    with pytest.raises(BasisError, match="million one-particle"):
        one_particle_channels(2, Fraction(1, 100), Fraction(100), "ace1")
