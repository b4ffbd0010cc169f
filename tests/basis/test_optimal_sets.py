"""Pruning by functional independence: kept counts, keys, arithmetic, and what the kept set means."""

import numpy as np
import pytest

from lacemaker.basis import ACEBasis
from lacemaker.basis.independence import FloatJacobian, completeness_bound
from lacemaker.errors import BasisError

# (nu, wl, D, species) -> full, kept, kept by order, components of A. Rank of the A-Jacobian of the plain
# (ACE1-level) basis, sorted by degree then order: exact modulo 2^31 - 19 and in complex float64, computed by
# an independent prototype (the D = 20 row and the splits of several species in float64 only).
TABLE = {
    (3, "3/2", 8, 1): (54, 15, [8, 7, 0], 25),
    (3, "3/2", 10, 1): (110, 29, [10, 16, 3], 43),
    (3, "3/2", 12, 1): (211, 52, [12, 29, 11], 75),
    (3, "3/2", 14, 1): (383, 84, [14, 46, 24], 116),
    (3, "3/2", 16, 1): (668, 127, [16, 67, 44], 166),
    (3, "3/2", 18, 1): (1119, 183, [18, 94, 71], 238),
    (3, "3/2", 20, 1): (1809, 254, [20, 126, 108], 323),
    (3, 1, 18, 1): (2267, 367, [18, 158, 191], 490),
    (3, 2, 18, 1): (740, 115, [18, 64, 33], 146),
    (3, 3, 18, 1): (469, 64, [18, 36, 10], 76),
    (4, "3/2", 12, 1): (338, 52, [12, 29, 11, 0], 75),
    (4, "3/2", 14, 1): (710, 85, [14, 46, 23, 2], 116),
    (4, "3/2", 16, 1): (1445, 129, [16, 67, 41, 5], 166),
    (4, 2, 16, 1): (890, 81, [16, 46, 18, 1], 105),
    (3, "3/2", 12, 2): (1204, 126, [24, 80, 22], 150),
    (3, "3/2", 12, 3): (3581, 204, [36, 143, 25], 225),
}
BODY_ORDER_FIRST = {
    (3, "3/2", 12, 1): [12, 29, 11],
    (3, "3/2", 16, 1): [16, 71, 40],
    (3, "3/2", 18, 1): [18, 102, 63],
    (3, "3/2", 20, 1): [20, 140, 94],
    (4, "3/2", 16, 1): [16, 71, 40, 2],
}


def plain(nu, wl, degree, n_species=1, **options) -> ACEBasis:
    return ACEBasis(["Si", "Ge", "C"][:n_species], nu, degree, wl=wl, level_rule="ace1", pair=None, **options)


def by_order(basis: ACEBasis) -> list[int]:
    return np.bincount(basis.many_body[0].order, minlength=basis.correlation_order + 1)[1:].tolist()


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("arithmetic", ["exact", "float64"])
def test_kept_counts_of_the_oracle(case, arithmetic):
    full, kept, split, n_a = TABLE[case]
    basis = plain(*case)
    assert basis.many_body[0].n_functions == full
    assert len(basis.many_body[0].a_spec) == n_a
    found = basis.independent_functions(arithmetic=arithmetic)
    assert found.agreed
    assert found.rank == (kept,) * case[3]
    assert by_order(basis.subset(found.mask)) == split


@pytest.mark.parametrize("case", BODY_ORDER_FIRST)
def test_body_order_first_changes_the_split_and_not_the_rank(case):
    found = plain(*case).optimal("body_order")
    assert by_order(found) == BODY_ORDER_FIRST[case]
    assert found.n_many_body == TABLE[case][1]


def test_published_default_rule_of_several_elements_is_pruned_per_centre():
    basis = ACEBasis(["Ti", "Al"], 3, {"Ti": 8, "Al": 6}, pair=None)
    found = basis.independent_functions()
    for i, element in enumerate(basis.elements):
        degrees = dict.fromkeys(basis.elements, (8, 6)[i])
        alone = ACEBasis(basis.elements, 3, degrees, pair=None).independent_functions()
        assert found.rank[i] == alone.rank[0], element
    assert found.rank[0] > found.rank[1]


def last_first(function):
    return -function.multiplicity


def high_order_last_first(function):
    return -function.correlation_order, -function.multiplicity


@pytest.mark.parametrize(
    ("arguments", "order_by", "n_parted"),
    [
        ((4, "3/2", 12), last_first, 1),
        ((4, 1, 12), last_first, 15),
        ((4, 1, 12), high_order_last_first, 15),
        ((5, 1, 8), high_order_last_first, 0),
    ],
)
def test_exact_and_float_keep_the_same_functions_of_blocks_with_several_invariants(
    arguments, order_by, n_parted
):
    """Rows of one block are told apart: the modular rows are those of the basis, not only of its span."""
    basis = plain(*arguments)
    exact = basis.independent_functions(order_by, "exact")
    floating = basis.independent_functions(order_by, "float64")
    assert exact.agreed
    assert floating.agreed
    np.testing.assert_array_equal(exact.mask, floating.mask)
    answers: dict[tuple, set[bool]] = {}
    for function, kept in zip(basis.columns, exact.mask, strict=True):
        answers.setdefault(function.channels, set()).add(bool(kept))
    assert sum(len(found) == 2 for found in answers.values()) == n_parted  # blocks kept in part


@pytest.mark.parametrize("order_by", ["degree", "body_order", "cost"])
def test_kept_functions_have_full_rank_and_every_dropped_one_adds_none(order_by):
    basis = plain(3, "3/2", 12)
    found = basis.independent_functions(order_by)
    point = np.random.default_rng(7).normal(size=len(basis.many_body[0].a_spec))
    rows = FloatJacobian(basis.many_body[0], point).rows(np.arange(basis.n_many_body))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    values = np.linalg.svd(rows[found.mask], compute_uv=False)
    assert values[-1] > 1e-4
    in_order = found.mask[found.order]
    for position in np.flatnonzero(~in_order)[::7]:  # only what stands before counts
        before = rows[found.order[:position]][in_order[:position]]
        row = rows[found.order[position]]
        residual = row - before.T @ np.linalg.lstsq(before.T, row, rcond=None)[0]
        assert np.linalg.norm(residual) < 1e-8


def test_cost_order_gives_the_cheapest_independent_set():
    """Greedy selection on a matroid minimises any additive cost."""
    from lacemaker.basis.optimal_order import evaluation_cost

    basis = plain(3, "3/2", 14)
    cost = evaluation_cost(basis.many_body[0])
    total = {
        key: cost[basis.independent_functions(key).mask].sum() for key in ("degree", "body_order", "cost")
    }
    rng = np.random.default_rng(0)
    shuffled = [
        cost[basis.independent_functions(rng.permutation(basis.n_many_body)).mask].sum() for _ in range(3)
    ]
    assert total["cost"] == min(total.values()) < min(shuffled)


def test_rank_does_not_depend_on_the_order():
    basis = plain(4, "3/2", 12)
    rng = np.random.default_rng(1)
    ranks = {basis.independent_functions(rng.permutation(basis.n_many_body)).rank for _ in range(4)}
    assert ranks == {(52,)}


def test_completeness_bound():
    """Scalars keep all components, one vector all but its direction; otherwise rotations take three."""
    assert completeness_bound(ACEBasis("Si", 1, 6, pair=None).many_body[0]) == 6
    vector = ACEBasis("Si", 2, 5, wl=1.5, pair=None)
    only_vector = vector.subset([i for i, f in enumerate(vector.columns) if set(f.channels) == {(0, 1, 1)}])
    assert completeness_bound(only_vector.many_body[0]) == 1 == only_vector.optimal().n_many_body
    assert completeness_bound(plain(3, "3/2", 8).many_body[0]) == 25 - 3


def test_powers_of_one_scalar_are_one_function():
    basis = plain(5, 10, 5)  # l = 0 only: n up to 5
    assert not basis.many_body[0].channels[:, 2].any()
    found = basis.independent_functions()
    assert found.rank == (5,)
    assert by_order(basis.subset(found.mask)) == [5, 0, 0, 0, 0]


def test_the_key_must_give_one_sortable_number_per_function():
    basis = plain(2, "3/2", 6)
    for key in (
        "cheapness",
        [1.0, 2.0],
        lambda f: "one" if f.correlation_order == 1 else 2,
        lambda f: float("nan"),
    ):
        with pytest.raises(BasisError):
            basis.independent_functions(key)
    with pytest.raises(BasisError, match="arithmetic"):
        basis.optimal(arithmetic="decimal")


def test_ordering_puts_independent_functions_first():
    basis = plain(3, "3/2", 10)
    found = basis.independent_functions()
    assert sorted(found.ordering) == list(range(basis.n_many_body))
    assert set(found.ordering[:29]) == set(found.columns)
