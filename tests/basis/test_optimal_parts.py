"""Selections of functions and products of functions are bases like any other."""

import numpy as np
import pytest
from basis_helpers import random_environment, random_rotation

from lacemaker.basis import ACEBasis, reference
from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.optimal_subset import from_ranges, to_ranges
from lacemaker.errors import BasisError
from lacemaker.priors import AlgebraicPrior


@pytest.fixture(scope="module")
def silicon() -> ACEBasis:
    return ACEBasis("Si", 3, 11, cutoff=5.0)


@pytest.fixture(scope="module")
def alloy() -> ACEBasis:
    return ACEBasis(["Ti", "Al"], 3, {"Ti": 8, "Al": 6}, cutoff=5.0)


def site(basis: ACEBasis, centre: int, seed: int = 0, turn=None):
    vectors, species = random_environment(np.random.default_rng(seed), 9, basis.n_elements)
    return reference.site(basis, centre, vectors if turn is None else vectors @ turn.T, species)


@pytest.mark.parametrize("name", ["silicon", "alloy"])
def test_a_selection_holds_the_same_functions(name, request):
    full = request.getfixturevalue(name)
    part = full.optimal()
    assert 0 < part.n_many_body < full.n_many_body
    assert [full.columns[k] for k in part.full_columns] == list(part.columns)
    for centre in range(full.n_elements):
        for whole, some in zip(site(full, centre), site(part, centre), strict=True):
            np.testing.assert_allclose(some, whole[part.full_columns], rtol=1e-13, atol=1e-13)


def test_only_the_needed_products_and_densities_remain(silicon):
    part = silicon.subset([f.correlation_order < 3 for f in silicon.columns])
    assert part.many_body[0].product_order.max() == 2
    tiny = silicon.subset([0, 1])
    assert len(tiny.many_body[0].a_spec) == 2 == tiny.many_body[0].n_products
    assert tiny.n_functions == 2 + len(silicon.pair_columns.owners)


def test_the_specification_brings_a_selection_back(alloy):
    part = alloy.optimal("body_order", "float64")
    spec = part.spec()
    assert spec["selection"]["order_by"] == "body_order"
    assert spec["selection"]["arithmetic"] == "float64"
    again = ACEBasis.from_spec(spec)
    assert again == part
    assert again.digest == part.digest
    assert again.full == alloy
    assert alloy.optimal(lambda f: f.correlation_order).spec()["selection"]["order_by"].startswith("user")


def test_a_full_basis_is_written_as_before(silicon):
    assert not {"selection", "readout"} & set(silicon.spec())
    assert silicon.full is silicon
    assert silicon.full_columns.tolist() == list(range(silicon.n_functions))


def test_selections_of_selections_refer_to_the_full_basis(silicon):
    once = silicon.subset(np.arange(0, silicon.n_many_body, 2))
    twice = once.subset(np.arange(0, once.n_many_body, 3))
    assert twice == silicon.subset(np.arange(0, silicon.n_many_body, 6))
    assert silicon.optimal().optimal().n_many_body == silicon.optimal().n_many_body


@pytest.mark.parametrize("numbers", [[], [0], [0, 1, 2], [3, 5, 6, 7, 11]])
def test_ranges(numbers):
    assert from_ranges(to_ranges(np.array(numbers, dtype=int)), 12).tolist() == numbers


@pytest.mark.parametrize("text", ["5-3", "1,1", "2,0", "x", "0-12", "-1", "1-2-3"])
def test_damaged_ranges(text):
    with pytest.raises(BasisError, match="selection"):
        from_ranges(text, 12)


@pytest.mark.parametrize(
    "choice", [np.ones(3, dtype=bool), [10_000], [-1], [0.5], np.zeros(0, dtype=int), [[0, 1]]]
)
def test_impossible_selections(silicon, choice):
    with pytest.raises(BasisError):
        silicon.subset(choice)


@pytest.mark.parametrize("max_order", [3, 4])
def test_the_readout_holds_exactly_the_products(alloy, max_order):
    kept = alloy.optimal()
    basis = kept.with_products(3, max_order)
    for centre in range(2):
        value, gradient = site(basis, centre)
        start = sum(c.n_functions for c in basis.many_body[:centre])
        old = kept.many_body[centre].n_functions
        n = basis.many_body[centre].n_functions
        single, slope = value[start : start + old], gradient[start : start + old]
        order = kept.many_body[centre].order
        expected, by_atom = [], []
        for i in range(old):
            for j in range(i, old):
                if order[i] + order[j] <= max_order:
                    expected.append(single[i] * single[j])
                    by_atom.append(single[i] * slope[j] + single[j] * slope[i])
        products = value[start + old : start + n]
        pairs = [k for k in range(old, n) if _n_factors(basis, kept, centre, k) == 2]
        assert 0 < len(pairs) <= len(products)
        for k in pairs:  # every product of two is one of the expected ones, with its gradient
            match = np.flatnonzero(np.isclose(expected, value[start + k], rtol=1e-9, atol=1e-15))
            assert len(match)
            assert any(np.allclose(by_atom[e], gradient[start + k], rtol=1e-8, atol=1e-12) for e in match)


def _n_factors(basis: ACEBasis, kept: ACEBasis, centre: int, function: int) -> int:
    from fractions import Fraction

    from lacemaker.basis.optimal_order import channel_levels, function_levels
    from lacemaker.basis.optimal_readout import product_list

    spec, part = kept.specification, kept.many_body[centre]
    levels, scale = channel_levels(part, kept.n_elements, Fraction(spec.wl), spec.level_rule)
    listed = product_list(part, function_levels(part, levels), scale, basis.specification.readout)
    return len(listed[function - part.n_functions])


def test_products_are_invariant_and_linearly_independent(silicon):
    basis = silicon.optimal().with_products(3, 4)
    turn = random_rotation(np.random.default_rng(3))
    np.testing.assert_allclose(site(basis, 0)[0], site(basis, 0, turn=-turn)[0], rtol=1e-9, atol=1e-12)
    coupling = basis.many_body[0].coupling.toarray()
    assert np.linalg.matrix_rank(coupling) == len(coupling)


def test_products_lie_in_the_span_of_the_full_basis(silicon):
    """Pruned functions are not lost to polynomials: up to the same degree and order they come back."""
    basis = silicon.optimal().with_products(3, 3)
    full = silicon.many_body[0]

    def dense(centre: CentreBasis) -> np.ndarray:
        names = {tuple(row): k for k, row in enumerate(full.a_spec.tolist())}
        products = {
            tuple(sorted(names[tuple(centre.a_spec[a])] for a in part)): p
            for p, part in enumerate(np.split(centre.product_index, centre.product_first[1:-1]))
        }
        places = [products.get(key, -1) for key in order]
        return np.pad(centre.coupling.toarray(), ((0, 0), (0, 1)))[:, places]

    order = [tuple(part.tolist()) for part in np.split(full.product_index, full.product_first[1:-1])]
    small, large = dense(basis.many_body[0]), dense(full)
    assert np.linalg.matrix_rank(small) == len(small)
    assert np.linalg.matrix_rank(np.concatenate([large, small])) == len(large)
    assert len(small) > 0.9 * len(large)


def test_columns_of_products_have_their_own_names(silicon):
    basis = silicon.optimal().with_products(3, 4)
    names = {(f.kind, f.centre, f.channels, f.multiplicity) for f in basis.columns}
    assert len(names) == basis.n_functions
    own = {(f.channels, f.multiplicity) for f in silicon.columns[: silicon.n_many_body]}
    products = [f for f, k in zip(basis.columns, basis.full_columns, strict=True) if k < 0]
    assert not own & {(f.channels, f.multiplicity) for f in products}
    assert (AlgebraicPrior(p=4).gamma(basis.columns) > 0).all()
    again = ACEBasis.from_spec(basis.spec())
    assert again.digest == basis.digest
    assert again.correlation_order == 4


def test_what_a_readout_cannot_be(silicon):
    basis = silicon.optimal().with_products()
    for call in (basis.with_products, basis.optimal, lambda: basis.subset([0])):
        with pytest.raises(BasisError):
            call()
    with pytest.raises(BasisError):
        silicon.with_products(1)
    with pytest.raises(BasisError, match="max_order"):
        silicon.with_products(2, 9)


def test_products_add_no_functional_rank(silicon):
    kept = silicon.optimal()
    found = kept.with_products(2, 4).independent_functions(arithmetic="float64")
    assert found.rank == (kept.n_many_body,)
