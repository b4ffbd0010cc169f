"""Truncation by body order: the same as building and fitting the low orders alone."""

import numpy as np
import pytest

import lacemaker as lace
from lacemaker.basis import ZBL, ACEBasis
from lacemaker.datasets import load_silicon
from lacemaker.errors import BasisError, ConfigError
from lacemaker.regression import QR, BasisRows, BodyOrder, TriangularSystem
from lacemaker.structures import Frame


@pytest.fixture(scope="module")
def frames():
    return [f for f in lace.read(load_silicon("train")) if len(f.numbers) <= 8][:60]


@pytest.fixture(scope="module")
def basis():
    return ACEBasis(["Si"], 3, [9, 7, 5], cutoff=4.5)


@pytest.fixture(scope="module")
def system(basis, frames):
    return lace.assemble(basis, frames, weights={"default": {"energy": 30.0}})


CASES = {
    "one element": lambda: ACEBasis(["Si"], 4, [8, 7, 6, 5]),
    "two elements": lambda: ACEBasis(["Si", "O"], 3, {"Si": [6, 5, 4], "O": [5, 5, 4]}),
    "rising degrees": lambda: ACEBasis(["Si"], 3, [4, 6, 7], pair=None),
    "core": lambda: ACEBasis(["C"], 3, [6, 5, 4], repulsion=ZBL()),
    "selection": lambda: ACEBasis(["Si"], 3, [9, 8, 7]).optimal(),
    "products": lambda: ACEBasis(["Si"], 2, [5, 4]).with_products(2, 4),
    "purified": lambda: ACEBasis(["Si"], 3, [7, 6, 5]).purified(),
    "pair purified": lambda: ACEBasis(["Si"], 3, [7, 6, 5]).purified("pair"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_truncated_basis_has_the_same_functions(case):
    basis = CASES[case]()
    rng = np.random.default_rng(5)
    z = {"Si": 14, "O": 8, "C": 6}
    numbers = np.array([z[symbol] for symbol in rng.choice(basis.elements, 5)])
    frame = Frame(
        numbers=numbers, positions=1.7 * rng.normal(size=(5, 3)), cell=np.zeros((3, 3)), pbc=np.zeros(3, bool)
    )
    whole = np.array(BasisRows(basis).design(frame).rows)
    for order in range(1, basis.correlation_order + 1):
        short = basis.truncated(order)
        columns = BodyOrder(order + 1).columns(basis.columns)
        assert short.columns == tuple(basis.columns[k] for k in columns)
        assert short.correlation_order == order
        assert ACEBasis.from_spec(short.spec()) == short
        rows = np.array(BasisRows(short).design(frame).rows)
        np.testing.assert_allclose(rows, whole[:, columns], rtol=1e-10, atol=1e-10 * np.abs(whole).max())


@pytest.mark.parametrize("bodies", [2, 3, 4])
def test_a_restricted_system_is_the_assembly_of_the_truncated_basis(system, basis, frames, bodies):
    restricted = BodyOrder(bodies).restrict(system)
    direct = lace.assemble(basis.truncated(bodies - 1), frames, weights={"default": {"energy": 30.0}})
    assert restricted.n_functions == direct.n_functions
    assert restricted.basis == direct.basis
    for group in direct.groups:
        mine = restricted[group.key].factor.array
        gram, expected = mine.T @ mine, group.factor.array.T @ group.factor.array
        assert np.abs(gram - expected).max() <= 1e-11 * np.abs(expected).max()
    mine, theirs = (lace.solve(s, solver=QR(ridge=1e-2)) for s in (restricted, direct))
    assert abs(mine.rmse["train"]["total"]["energy"] - theirs.rmse["train"]["total"]["energy"]) < 1e-9


def test_a_truncated_potential_is_a_short_file(system, frames, tmp_path):
    small, large = (lace.solve(BodyOrder(k).restrict(system)).potential() for k in (2, 4))
    assert len(small.columns) < len(large.columns)
    small.save(tmp_path / "small.lace")
    large.save(tmp_path / "large.lace")
    assert (tmp_path / "small.lace").stat().st_size < (tmp_path / "large.lace").stat().st_size
    loaded = lace.Potential.load(tmp_path / "small.lace")
    assert loaded.basis.correlation_order == 1
    assert loaded.columns.orders.max() == 1
    assert abs(loaded.predict(frames[-1]).energy - small.predict(frames[-1]).energy) < 1e-9


def test_a_basis_without_low_orders_keeps_its_pair_block(frames):
    """Pair functions alone are no ACE basis; the system is restricted all the same."""
    basis = ACEBasis(["Si"], 2, [6, 5], cutoff=4.5).purified("pair", remove=1)
    system = BodyOrder(2).restrict(lace.assemble(basis, frames))
    assert [basis.columns[k].kind for k in system.columns] == ["pair"] * system.n_functions
    potential = lace.solve(system).potential()
    assert np.count_nonzero(potential.coefficients) <= system.n_functions


@pytest.mark.parametrize("bodies", [1, 0, 2.5, True])
def test_impossible_body_orders_are_refused(bodies):
    with pytest.raises(ConfigError, match="counts the atoms"):
        BodyOrder(bodies)


def test_impossible_truncations_are_refused(basis):
    for order in (0, 4):
        with pytest.raises(BasisError, match="cannot be truncated"):
            basis.truncated(order)
    triples = basis.subset([f.correlation_order > 1 for f in basis.columns])
    with pytest.raises(BasisError, match="no many-body function"):
        triples.truncated(1)


def test_bare_numbers_have_no_body_order(system):
    bare = TriangularSystem(system.groups, system.elements, system.columns)
    with pytest.raises(ConfigError, match="bare numbers"):
        BodyOrder(2).restrict(bare)


def test_refits_to_six_bodies_come_from_one_system():
    """A basis of order 5: each restriction is the least-squares problem of the basis built for K alone."""
    few = [f for f in lace.read(load_silicon("train")) if 2 < len(f.numbers) <= 8][:30]
    degrees = [8, 7, 6, 5, 4]
    weights = {"default": {"energy": 30.0}}
    whole = lace.assemble(ACEBasis(["Si"], 5, degrees, cutoff=4.5), few, weights=weights)
    for bodies in range(2, 7):
        low = BodyOrder(bodies).restrict(whole)
        fit = lace.solve(low, solver=QR(ridge=1e-2), prior="algebraic")
        alone = lace.assemble(
            ACEBasis(["Si"], bodies - 1, degrees[: bodies - 1], cutoff=4.5), few, weights=weights
        )
        direct = lace.solve(alone, solver=QR(ridge=1e-2), prior="algebraic")
        np.testing.assert_allclose(fit.coefficients, direct.coefficients, rtol=1e-6, atol=1e-7)
        assert fit.potential().basis.correlation_order == bodies - 1
