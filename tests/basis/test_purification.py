"""Purified functions are sums over distinct neighbours, in the space of the usual functions."""

from itertools import permutations

import numpy as np
import pytest
from basis_helpers import random_environment, random_rotation

from lacemaker.basis import ACEBasis, CoulombEnvelope, Jacobi, One, PairBasis, REnvelope, XEnvelope, reference
from lacemaker.basis.purify_angular import moebius, real_gaunt, set_partitions
from lacemaker.basis.radial_products import RadialProducts
from lacemaker.errors import BasisError
from lacemaker.priors import AlgebraicPrior

CASES = {
    "silicon": lambda: ACEBasis("Si", 3, 10, cutoff=5.0),
    "order 4 with rank 2": lambda: ACEBasis("Si", 4, [4, 6, 8, 12], cutoff=5.0),
    "order 5": lambda: ACEBasis("Si", 5, [3, 3, 3, 5, 10], cutoff=5.0),
    "order 6": lambda: ACEBasis("Si", 6, [2, 2, 2, 2, 4, 9], cutoff=5.0),
    "alloy": lambda: ACEBasis(
        ["Ti", "Al"],
        3,
        {"Ti": 7, "Al": 6},
        cutoff={"Ti": 5.0, "Ti-Al": 4.5, "Al": 5.5},
        rin=1.2,
        envelope=XEnvelope(1, 3),
    ),
    "alloy of order 4": lambda: ACEBasis(["Ti", "Al"], 4, [4, 4, 4, 8], cutoff=5.0, level_rule="ace1"),
    "other polynomials": lambda: ACEBasis(
        "Si", 3, 9, cutoff=5.0, envelope=XEnvelope(0, 2), polynomials=Jacobi(0.0, 1.0)
    ),
    "no envelope": lambda: ACEBasis("Si", 3, 8, cutoff=5.0, envelope=One()),
}


@pytest.fixture(scope="module")
def bases():
    made: dict[str, tuple[ACEBasis, ACEBasis]] = {}

    def get(name: str) -> tuple[ACEBasis, ACEBasis]:
        if name not in made:
            basis = CASES[name]()
            made[name] = basis, basis.purified()
        return made[name]

    return get


def site(basis: ACEBasis, centre: int, vectors, species) -> np.ndarray:
    """Many-body functions of one environment around an atom of element `centre`."""
    start = sum(c.n_functions for c in basis.many_body[:centre])
    values, _ = reference.site(basis, centre, vectors, species)
    return values[start : start + basis.many_body[centre].n_functions]


def over_distinct_neighbours(basis: ACEBasis, centre: int, vectors, species) -> np.ndarray:
    """Brute force: every product summed over all choices of different neighbours."""
    phi, _ = reference.one_particle(basis, centre, vectors, species)
    part = basis.many_body[centre]
    choices = {
        n: np.array(list(permutations(range(len(vectors)), n)), dtype=int).reshape(-1, n)
        for n in range(1, basis.correlation_order + 1)
    }
    products = np.empty(part.n_products)
    for p, (first, last) in enumerate(zip(part.product_first[:-1], part.product_first[1:], strict=True)):
        factors, chosen = part.product_index[first:last], choices[last - first]
        products[p] = phi[factors[None, :], chosen].prod(axis=1).sum()
    return part.coupling @ products


@pytest.mark.parametrize("name", CASES)
def test_equal_to_sums_over_distinct_neighbours(bases, name):
    standard, pure = bases(name)
    rng = np.random.default_rng(1)
    for centre in range(standard.n_elements):
        vectors, species = random_environment(rng, 6, standard.n_elements, 1.0, 4.4)
        expected = over_distinct_neighbours(standard, centre, vectors, species)
        usual = site(standard, centre, vectors, species)
        found = site(pure, centre, vectors, species)
        scale = max(1.0, np.abs(usual).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)
        for order in set(standard.many_body[centre].order.tolist()) - {1}:  # and the difference is large
            mine = standard.many_body[centre].order == order
            assert np.abs(found - usual)[mine].max() > 1e-3 * np.abs(usual)[mine].max()


@pytest.mark.parametrize("name", CASES)
def test_vanish_with_too_few_neighbours(bases, name):
    """Order N needs N neighbours: zero on clusters of N and fewer atoms."""
    standard, pure = bases(name)
    rng = np.random.default_rng(2)
    for n_neighbours in range(1, standard.correlation_order):
        for centre in range(standard.n_elements):
            vectors, species = random_environment(rng, n_neighbours, standard.n_elements, 1.5, 3.5)
            species[:] = species[0]  # the case with most self-interactions
            few = standard.many_body[centre].order > n_neighbours
            usual = site(standard, centre, vectors, species)[few]
            found = site(pure, centre, vectors, species)[few]
            scale = max(1.0, np.abs(usual).max())
            assert np.abs(found).max() <= 1e-12 * scale < 1e-6 < np.abs(usual).max()


@pytest.mark.parametrize("name", ["silicon", "alloy", "order 4 with rank 2"])
def test_pair_kind_takes_off_the_value_of_single_neighbours(bases, name):
    standard, _ = bases(name)
    pure = standard.purified("pair")
    rng = np.random.default_rng(3)
    for centre in range(standard.n_elements):
        vectors, species = random_environment(rng, 5, standard.n_elements, 1.0, 4.4)
        alone = sum(site(standard, centre, vectors[k : k + 1], species[k : k + 1]) for k in range(5))
        alone[standard.many_body[centre].order == 1] = 0.0
        expected = site(standard, centre, vectors, species) - alone
        np.testing.assert_allclose(site(pure, centre, vectors, species), expected, rtol=0, atol=1e-12)
        dimer = site(pure, centre, vectors[:1], species[:1])[standard.many_body[centre].order > 1]
        assert np.abs(dimer).max() < 1e-14


def test_at_order_two_both_kinds_agree():
    basis = ACEBasis("Si", 2, 10, cutoff=5.0)
    vectors, species = random_environment(np.random.default_rng(4), 7, 1)
    np.testing.assert_allclose(
        site(basis.purified("pair"), 0, vectors, species),
        site(basis.purified(), 0, vectors, species),
        rtol=0, atol=1e-13,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["alloy", "order 4 with rank 2"])
def test_invariance(bases, name):
    _, pure = bases(name)
    rng = np.random.default_rng(5)
    vectors, species = random_environment(rng, 7, pure.n_elements)
    turn, shuffle = random_rotation(rng), rng.permutation(7)
    for centre in range(pure.n_elements):
        value = site(pure, centre, vectors, species)
        for moved in (vectors @ turn.T, -vectors):
            found = site(pure, centre, moved[shuffle], species[shuffle])
            np.testing.assert_allclose(found, value, rtol=0, atol=1e-12 * np.abs(value).max())


@pytest.mark.parametrize("name", ["silicon", "alloy of order 4"])
def test_gradients(bases, name):
    _, pure = bases(name)
    vectors, species = random_environment(np.random.default_rng(6), 4, pure.n_elements)
    _, gradient = reference.site(pure, 0, vectors, species)
    step = 1e-4
    for j, axis in ((0, 0), (2, 1), (3, 2)):
        moved = np.zeros_like(vectors)
        moved[j, axis] = step
        plus, minus = (reference.site(pure, 0, vectors + s * moved, species)[0] for s in (1, -1))
        np.testing.assert_allclose(gradient[:, j, axis], (plus - minus) / (2 * step), rtol=1e-5, atol=1e-6)


def rows(basis: ACEBasis, n: int) -> np.ndarray:
    """(n, n_many_body) functions of `n` random environments of 1 to 8 neighbours."""
    rng = np.random.default_rng(7)
    environments = [random_environment(rng, 1 + k % 8, 1) for k in range(n)]
    return np.stack([site(basis, 0, *e) for e in environments])


def outside(target: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Relative length of what least squares leaves of each target column; columns scaled to one first."""
    scaled = [a / np.linalg.norm(a, axis=0) for a in (target, space)]
    q, _ = np.linalg.qr(scaled[1])
    return np.linalg.norm(scaled[0] - q @ (q.T @ scaled[0]), axis=0)


def test_spans_the_same_space_when_lower_orders_go_far_enough():
    """Merging two factors raises n by at most p1 + p2: steps of p1 + p2 - 1 = 3 in the degrees suffice."""
    basis = ACEBasis("Si", 3, [14, 11, 8], cutoff=5.0)
    usual, pure = (rows(b, 150) for b in (basis, basis.purified()))
    assert outside(pure, usual).max() < 1e-9
    assert outside(usual, pure).max() < 1e-9
    known = {(f.channels, f.multiplicity) for f in basis.columns}
    centre = basis.purified().many_body[0]
    assert centre.n_products == basis.many_body[0].n_products
    assert len(centre.a_spec) == len(basis.many_body[0].a_spec)
    assert {(f.channels, f.multiplicity) for f in basis.purified().columns} == known


def test_equal_degrees_lose_the_space_and_an_extension_holds_both():
    basis = ACEBasis("Si", 3, 8, cutoff=5.0)
    usual, pure = (rows(b, 150) for b in (basis, basis.purified()))
    assert outside(pure, usual).max() > 1e-4
    extended = ACEBasis("Si", 3, [14, 11, 8], cutoff=5.0)
    for longer in (extended, extended.purified()):
        values = rows(longer, 150)
        assert outside(pure, values).max() < 1e-9
        assert outside(usual, values).max() < 1e-9


def test_columns_priors_and_pairs_stay(bases):
    standard, pure = bases("alloy")
    assert pure.columns == standard.columns
    prior = AlgebraicPrior(p=4)
    np.testing.assert_array_equal(
        prior.gamma(pure.columns, basis=pure), prior.gamma(standard.columns, basis=standard)
    )
    np.testing.assert_array_equal(pure.pair_columns.column, standard.pair_columns.column)
    assert pure.standard == standard != pure
    assert pure.counts().centres[0].n_products > standard.counts().centres[0].n_products


def test_the_specification_brings_it_back(bases):
    standard, pure = bases("alloy")
    for basis in (pure, standard.purified("pair", remove=1), pure.subset([0, 7, 30, 60, 300])):
        again = ACEBasis.from_spec(basis.spec())
        assert again == basis
        assert again.digest == basis.digest
        for one, other in zip(again.many_body, basis.many_body, strict=True):
            np.testing.assert_array_equal(one.row_coefficient, other.row_coefficient)
            np.testing.assert_array_equal(one.product_index, other.product_index)
    assert "purification" not in standard.spec()
    assert standard.digest != pure.digest


def test_remove_leaves_out_low_orders(bases):
    standard, pure = bases("silicon")
    for remove in (1, 2):
        part = standard.purified(remove=remove)
        kept = [k for k, f in enumerate(pure.columns) if f.kind == "pair" or f.correlation_order > remove]
        assert part.full_columns.tolist() == kept
        assert part.full == pure
        vectors, species = random_environment(np.random.default_rng(8), 5, 1)
        kept = [k for k in kept if k < pure.n_many_body]
        np.testing.assert_allclose(
            site(part, 0, vectors, species), site(pure, 0, vectors, species)[kept], rtol=0, atol=1e-13
        )
    with pytest.raises(BasisError, match="keep at least one"):
        standard.purified(remove=3)


def test_selections_and_purification_commute(bases):
    standard, pure = bases("silicon")
    chosen = np.arange(0, standard.n_many_body, 3)
    assert standard.subset(chosen).purified() == pure.subset(chosen)
    vectors, species = random_environment(np.random.default_rng(9), 6, 1)
    part = pure.subset(chosen)
    np.testing.assert_allclose(
        site(part, 0, vectors, species), site(pure, 0, vectors, species)[chosen], rtol=0, atol=1e-13
    )
    assert part.standard == standard.subset(chosen)
    assert standard.optimal().purified().standard == standard.optimal()


@pytest.mark.parametrize("envelope", [REnvelope(2), CoulombEnvelope()])
@pytest.mark.parametrize("kind", ["full", "pair"])
def test_envelopes_in_r_are_refused(envelope, kind):
    basis = ACEBasis("Si", 3, 8, cutoff=5.0, envelope=envelope)
    with pytest.raises(BasisError, match=r"polynomial of the transformed distance.*\n.*residual of \d"):
        basis.purified(kind)
    spec = ACEBasis("Si", 3, 8, cutoff=5.0).purified(kind).spec() | {"envelope": basis.spec()["envelope"]}
    with pytest.raises(BasisError, match="cannot be purified"):
        ACEBasis.from_spec(spec)
    assert ACEBasis("Si", 3, 8, pair=PairBasis(envelope=envelope)).purified(kind).n_functions > 0


def test_what_does_not_go_together_is_refused(bases):
    standard, pure = bases("silicon")
    with pytest.raises(BasisError, match="purified already"):
        pure.purified()
    with pytest.raises(BasisError, match="choose one of"):
        standard.purified("all")  # type: ignore[arg-type]
    with pytest.raises(BasisError, match="prune first"):
        pure.optimal()
    with pytest.raises(BasisError, match="not purified"):
        pure.with_products()
    with pytest.raises(BasisError, match="without the readout"):
        standard.optimal().with_products().purified()


@pytest.mark.parametrize(
    ("envelope", "polynomials"),
    [(XEnvelope(2, 2), Jacobi(4, 4)), (XEnvelope(1, 3), Jacobi(0, 2.5)), (One(), Jacobi(0, 0))],
)
def test_radial_products(envelope, polynomials):
    from lacemaker.basis import Agnesi
    from lacemaker.basis.radial import RadialBasis

    products = RadialProducts(envelope, polynomials, 12, 4)
    radial, _ = RadialBasis(Agnesi(2, 4), envelope, polynomials, 60).evaluate(
        np.linspace(0.5, 4.9, 200), 0.0, 2.4, 5.0
    )
    for members in ((3,), (1, 1), (2, 12), (4, 4, 9), (1, 5, 12, 12)):
        q = products.expansion(members)
        expected = radial[np.array(members) - 1].prod(axis=0)
        np.testing.assert_allclose(
            q @ radial[: len(q)], expected, rtol=0, atol=1e-12 * np.abs(expected).max()
        )


def test_products_of_harmonics():
    unit = np.random.default_rng(10).normal(size=(20, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    values, _ = reference.real_harmonics(7, unit)
    y = [values[:, ell * ell : (ell + 1) ** 2] for ell in range(8)]
    for l1, l2 in ((0, 2), (1, 1), (2, 3), (4, 3)):
        expanded = sum(
            np.einsum("abc,nc->nab", real_gaunt(l1, l2, ell), y[ell])
            for ell in range(abs(l1 - l2), l1 + l2 + 1, 2)
        )
        np.testing.assert_allclose(expanded, np.einsum("na,nb->nab", y[l1], y[l2]), rtol=0, atol=1e-14)


def test_partitions_and_their_weights():
    """Bell numbers; the weights add up to x (x - 1) .. (x - n + 1), the distinct choices out of x."""
    for n, bell in zip(range(1, 7), (1, 2, 5, 15, 52, 203), strict=True):
        partitions = set_partitions(n)
        assert len(partitions) == len(set(partitions)) == bell
        for x in range(8):
            falling = np.prod([x - k for k in range(n)])
            assert sum(moebius(p) * x ** len(p) for p in partitions) == falling


def test_the_compiled_program_is_the_same_where_the_space_is():
    """Degrees that fall fast enough: evaluation costs nothing more, whatever the form of the basis."""
    from lacemaker.potential import Potential

    standard = ACEBasis("Si", 3, [14, 10, 6], cutoff=5.0)
    programs = []
    for basis in (standard, standard.purified("pair"), standard.purified()):
        coefficients = np.random.default_rng(0).normal(size=basis.n_functions)
        found = Potential(basis, coefficients, [0.0]).evaluator().statistics()
        programs.append({key: found[key] for key in ("n_a", "terms", "blocks", "stored_products")})
    assert programs[0] == programs[1] == programs[2]
    assert programs[0]["terms"] > 100
