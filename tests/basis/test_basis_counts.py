"""The basis has exactly as many functions as the published and independently checked tables say.

Counts: reference tables of ACEpotentials-style bases (wL = 1.5 unless stated), each reproduced by the exact
multiset count and by independent codes.
"""

import numpy as np
import pytest

from lacemaker.basis import ACEBasis, PairBasis

SINGLE = [
    (3, 10, 1.5, [10, 41, 59]),
    (3, 12, 1.5, [12, 67, 132]),
    (3, 13, 1.5, [13, 83, 190]),
    (3, 16, 1.5, [16, 147, 505]),
    (3, 17, 1.5, [17, 174, 677]),
    (3, 18, 1.5, [18, 204, 897]),
    (4, 12, 1.5, [12, 67, 132, 127]),
    (4, 16, 1.5, [16, 147, 505, 777]),
    (4, 20, 1.5, [20, 274, 1515, 3647]),
    (3, [16, 12, 8], 1.5, [16, 67, 23]),
    (3, [20, 16, 12], 1.5, [20, 147, 132]),
    (3, [25, 21, 17], 1.5, [25, 314, 677]),
    (3, [28, 24, 20], 1.5, [28, 458, 1515]),
    (3, 12, 1, [12, 91, 244]),
    (3, 15, 1, [15, 168, 759]),
]


@pytest.mark.parametrize("rule", ["ace1", "acepotentials-0.8"])
@pytest.mark.parametrize(("order", "degree", "wl", "by_order"), SINGLE)
def test_one_element(rule, order, degree, wl, by_order):
    basis = ACEBasis("Si", order, degree, wl=wl, level_rule=rule, pair=None)
    assert list(basis.counts().centres[0].by_order) == by_order
    assert basis.n_functions == sum(by_order)


@pytest.mark.parametrize(
    ("degree", "total"),
    [(10, 120), (13, 299), (17, 885), ([20, 16, 12], 319), ([25, 21, 17], 1041), ([28, 24, 20], 2029)],
)
def test_with_pair_block(degree, total):
    assert ACEBasis("Si", 3, degree).n_functions == total


@pytest.mark.parametrize(
    ("n_elements", "degree", "rule", "per_centre"),
    [
        (2, 8, "acepotentials-0.8", 308),
        (2, 8, "ace1", 249),
        (2, 10, "acepotentials-0.8", 694),
        (2, 10, "ace1", 574),
        (3, 6, "acepotentials-0.8", 343),
        (3, 6, "ace1", 242),
        (2, 12, "ace1", 1204),
        (3, 12, "ace1", 3581),
    ],
)
def test_several_elements(n_elements, degree, rule, per_centre):
    basis = ACEBasis(["Si", "Ge", "C"][:n_elements], 3, degree, level_rule=rule, pair=None)
    assert [c.n_functions for c in basis.many_body] == [per_centre] * n_elements


@pytest.mark.parametrize(
    ("order", "degree", "wl", "n_a", "n_products"),
    [
        (3, 13, 1.5, 91, 949),
        (3, 18, 1.5, 238, 7798),
        (3, 12, 1, 147, 2023),
        (3, 15, 1, 281, 10024),
        # 5263 and 8638 are also quoted: they count products whose coefficient vanishes by accident, such as
        # l = (2, 3, 3), or survives as round-off. Here such products are left out.
        (3, 17, 1.5, 202, 5249),
        (4, 16, 1.5, 166, 8627),
    ],
)
def test_size_of_the_product_basis(order, degree, wl, n_a, n_products):
    centre = ACEBasis("Si", order, degree, wl=wl, pair=None).many_body[0]
    assert (len(centre.a_spec), centre.n_products) == (n_a, n_products)


def test_equivalent_spellings_give_the_identical_basis():
    bases = [
        ACEBasis("Si", 4, 20),
        ACEBasis(["Si"], 4, [20, 20, 20, 20]),
        ACEBasis([14], 4, [20.0, "20", 20, "40/2"], wl="3/2"),
        ACEBasis("Si", 4, {"Si": 20}, wl="1.5"),
    ]
    assert all(b == bases[0] and hash(b) == hash(bases[0]) for b in bases)
    assert all(b.columns == bases[0].columns for b in bases[1:])
    assert all(
        np.array_equal(b.many_body[0].row_coefficient, bases[0].many_body[0].row_coefficient) for b in bases
    )


def test_round_off_cannot_move_the_limit():
    # 0.1 * 3 > 0.3 in floating point: n + 0.1 l <= 1.3 must still admit l = 3
    basis = ACEBasis("Si", 2, 2.6, wl=0.1, pair=None)
    assert max(f.channels[0][2] for f in basis.columns) == 3


def test_degrees_per_centre_element():
    basis = ACEBasis(
        ["Si", "Ge"], 3, {"Si": 10, "Ge": [8, 8, 6]}, level_rule="ace1", pair=PairBasis(max_degree=5)
    )
    si, ge = basis.counts().centres
    assert si.by_order == tuple(ACEBasis(["Si", "Ge"], 3, 10, level_rule="ace1").counts().centres[0].by_order)
    assert ge.by_order == tuple(
        ACEBasis(["Si", "Ge"], 3, [8, 8, 6], level_rule="ace1").counts().centres[0].by_order
    )
    assert si.n_pair == ge.n_pair == 10


def test_order_of_elements_matters_under_the_newer_rule_only():
    def channel_sets(elements, rule):
        basis = ACEBasis(elements, 2, 5, level_rule=rule, pair=None)
        return {
            tuple(sorted((basis.elements[z], n, ell) for z, n, ell in f.channels))
            for f in basis.columns
            if f.centre == 0
        }

    assert channel_sets(["Si", "Ge"], "ace1") == channel_sets(["Ge", "Si"], "ace1")
    assert channel_sets(["Si", "Ge"], "acepotentials-0.8") != channel_sets(["Ge", "Si"], "acepotentials-0.8")
    assert ACEBasis(["Si", "Ge"], 2, 5) != ACEBasis(["Ge", "Si"], 2, 5)


def test_the_table_reads_well():
    text = str(ACEBasis(["Si", "Ge"], 3, 6).counts())
    lines = text.splitlines()
    assert lines[0].split()[:5] == ["centre", "2-body", "3-body", "4-body", "pair"]
    assert lines[1].startswith("Si")
    assert lines[3].split()[0] == "all"
    assert len({len(line) for line in lines}) == 1


def test_an_order_whose_degree_is_too_small_is_empty():
    """Three factors have at least degree 3."""
    assert ACEBasis("Si", 3, [8, 6, 2]).n_functions == ACEBasis("Si", 2, [8, 6]).n_functions
    assert ACEBasis("Si", 4, [8, 1, 2, 4]).counts().centres[0].by_order == (8, 0, 0, 1)
