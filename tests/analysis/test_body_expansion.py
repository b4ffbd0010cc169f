"""Interactions by inclusion-exclusion: what they are, and that a linear ACE has none beyond its orders."""

from itertools import combinations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from lacemaker.analysis.body_expansion import check_orders, pair_curves, quadruple_samples, triple_map
from lacemaker.analysis.clusters import SHAPES, CalculatorEnergy, closest_distance, cluster, interaction
from lacemaker.basis import ZBL, ACEBasis
from lacemaker.errors import EvaluationError
from lacemaker.potential import Potential


class ManyBody(Calculator):
    """E = Σ e1 + Σ pairs 1/r + Σ triples perimeter^-2: all its interactions are known."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        p = atoms.positions
        energy = -3.0 * len(p)
        energy += sum(1.0 / np.linalg.norm(p[i] - p[j]) for i, j in combinations(range(len(p)), 2))
        energy += sum(perimeter(p[list(t)]) ** -2 for t in combinations(range(len(p)), 3))
        self.results = {"energy": energy, "forces": np.zeros_like(p)}


def perimeter(p):
    return sum(np.linalg.norm(p[i] - p[j]) for i, j in combinations(range(3), 2))


def random_potential(elements, order, degree, seed=0, **options):
    basis = ACEBasis(elements, order, degree, **options)
    rng = np.random.default_rng(seed)
    e0 = {symbol: -50.0 * (i + 1) for i, symbol in enumerate(elements)}
    return Potential(basis, rng.normal(size=basis.n_functions), e0)


def test_known_interactions_come_back():
    model = ManyBody()
    points = cluster("random", 5, 1.5, seed=3)
    for n, expected in (
        (1, -3.0),
        (2, 1.0 / np.linalg.norm(points[0] - points[1])),
        (3, perimeter(points[:3]) ** -2),
        (4, 0.0),
        (5, 0.0),
    ):
        value, scale = interaction(model, ["Ar"] * n, points[:n])
        assert abs(value - expected) < 1e-12 * max(scale, 1.0), n


@pytest.mark.parametrize(
    ("elements", "order", "degree", "options"),
    [
        (["Si"], 2, [8, 6], {}),
        (["Si"], 3, [8, 6, 5], {"repulsion": ZBL()}),
        (["C"], 4, [6, 5, 5, 4], {"pair": None}),
        (["Si", "O"], 2, [5, 4], {"repulsion": ZBL()}),
    ],
)
def test_nothing_beyond_the_correlation_order(elements, order, degree, options):
    potential = random_potential(elements, order, degree, **options)
    check = check_orders(potential, n_clusters=2)
    assert check.bodies == order + 1
    assert [n for n, _, _ in check.largest] == [order + 2, order + 3]
    assert check.passed
    assert max(relative for _, _, relative in check.largest) < 1e-12
    # while the highest order it has is far from zero: the check can fail
    value, scale = interaction(potential, elements[:1] * (order + 1), cluster("random", order + 1, 2.0))
    assert abs(value) > 1e-6 * scale


def test_the_check_counts_only_functions_with_coefficients():
    basis = ACEBasis(["Si"], 3, [8, 6, 5])
    low = np.array([f.correlation_order == 1 for f in basis.columns])
    assert check_orders(Potential(basis, low.astype(float), [0.0]), n_clusters=1).bodies == 2


def test_a_wrong_order_is_noticed(monkeypatch):
    potential = random_potential(["Si"], 3, [8, 6, 5])
    true_orders = potential.columns.orders
    monkeypatch.setattr(type(potential.columns), "orders", property(lambda self: np.minimum(true_orders, 2)))
    assert not check_orders(potential, n_clusters=1).passed


def test_zbl_is_a_pair_term():
    plain = random_potential(["Si"], 2, [6, 5])
    cored = random_potential(["Si"], 2, [6, 5], repulsion=ZBL(), pair=None)
    bare = Potential(cored.basis, np.zeros(cored.basis.n_functions), [-1.0])
    close = cluster("tetrahedron", 4, 1.2)
    pair, _ = interaction(bare, ["Si"] * 2, close[:2])
    triple, scale = interaction(bare, ["Si"] * 3, close[:3])
    assert pair > 1.0
    assert abs(triple) < 1e-12 * scale
    assert interaction(plain, ["Si"] * 3, close[:3])[0] != 0.0


def test_pair_curves_of_a_calculator_have_its_energies_and_forces():
    r = np.linspace(2.0, 4.0, 9)
    curve = pair_curves(EMT(), [("Cu", "Cu")], grid=lambda a, b: r, bond=lambda a, b: 2.3)[0]
    slope = np.gradient(curve.energy, r, edge_order=2)
    assert np.abs(curve.force + slope)[1:-1].max() < 0.6  # a coarse grid
    alone = CalculatorEnergy(EMT()).isolated("Cu")
    both, _ = CalculatorEnergy(EMT())(["Cu", "Cu"], np.array([[0, 0, 0], [0, 0, r[3]]]))
    assert abs(curve.energy[3] - (both - 2 * alone)) < 1e-12


def test_triple_maps_are_symmetric_in_equal_legs():
    potential = random_potential(["Si"], 2, [6, 5])
    legs = np.array([2.0, 2.5, 3.1])
    found = triple_map(potential, ("Si", "Si", "Si"), legs, legs, np.array([60.0, 100.0]))
    assert found.value.shape == (3, 3, 2)
    assert np.allclose(found.value, found.value.transpose(1, 0, 2), atol=1e-10)
    # an equilateral triangle is the same from every corner
    value, _ = interaction(potential, ["Si"] * 3, 2.0 * cluster("tetrahedron", 4, 1.0)[:3])
    assert abs(found.value[0, 0, 0] - value) < 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_clusters_have_the_asked_nearest_distance(shape):
    for seed in range(3):
        assert abs(closest_distance(cluster(shape, 4, 2.2, seed)) - 2.2) < 1e-12


def test_quadruples_come_in_every_shape():
    found = quadruple_samples(
        random_potential(["Si"], 3, [8, 6, 5]), ["Si"] * 4, 2.3, scales=(1.0,), n_random=2
    )
    assert [s.shape for s in found] == ["random", "random", "tetrahedron", "chain", "square"]
    assert all(np.isfinite(s.value) and s.value != 0.0 for s in found)


def test_a_calculator_that_refuses_is_explained():
    with pytest.raises(EvaluationError, match="isolated cluster"):
        interaction(EMT(), ["Xe", "Xe"], np.array([[0.0, 0, 0], [0, 0, 3]]))
    with pytest.raises(EvaluationError, match="nothing to evaluate"):
        interaction(42, ["Cu", "Cu"], np.zeros((2, 3)))
