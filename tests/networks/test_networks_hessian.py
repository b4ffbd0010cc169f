"""The Hessian of a network is the derivative of its forces, whatever kernels run."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from ase import Atoms  # noqa: E402
from molecules import ethanol, small_crystal  # noqa: E402
from test_networks_symmetry import KINDS, network  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.analysis import hessian as hessian_of  # noqa: E402
from lacemaker.errors import EvaluationError  # noqa: E402
from lacemaker.networks import NetworkCalculator, NetworkPotential, hessian  # noqa: E402


def potential(**options):
    return NetworkPotential(network(**options), ["H", "C", "N", "O"], [0.1, 0.2, 0.3, 0.4])


STEPS = ((1, 8), (-1, -8), (2, -1), (-2, 1))


def differences(model, s, h=1e-4):
    """Fourth-order central differences of the forces."""
    n, moved = 3 * len(s.numbers), []
    for k in range(n):
        for step, _ in STEPS:
            positions = s.positions.copy()
            positions.flat[k] += step * h
            moved.append(type(s)(**{**s.__dict__, "positions": positions}))
    forces = np.array([p.forces.ravel() for p in model.evaluator().predict_batch(moved)]).reshape(n, 4, n)
    return -np.einsum("kin,i->kn", forces, [weight / (12 * h) for _, weight in STEPS])


@pytest.mark.parametrize("kernels", ["fused", "plain"])
@pytest.mark.parametrize("make", [ethanol, small_crystal])
@pytest.mark.parametrize("options", KINDS, ids=str)
def test_the_hessian_is_the_derivative_of_the_forces(options, make, kernels, monkeypatch):
    monkeypatch.setenv("LACEMAKER_NETWORK_KERNELS", kernels)
    model, s = potential(**options), make()
    found = model.hessian(s).toarray()
    assert np.array_equal(found, found.T)
    expected = differences(model, s)
    assert np.abs(found - expected).max() < 1e-7 * max(1.0, np.abs(expected).max())
    v = np.random.default_rng(0).normal(size=(len(s.numbers), 3))
    assert np.allclose(model.hessian_product(s, v).ravel(), found @ v.ravel(), atol=1e-11)
    assert np.allclose(model.hessian_product(s, v.ravel()), found @ v.ravel(), atol=1e-11)


def test_chunks_of_rows_change_nothing(monkeypatch):
    model, s = potential(), ethanol()
    whole = model.hessian(s).toarray()
    for atoms in (1, 40):
        monkeypatch.setattr(hessian, "ATOMS_AT_ONCE", atoms)
        assert np.allclose(model.hessian(s).toarray(), whole, atol=1e-12)


def test_float32_networks_have_a_hessian_in_float64():
    model, s = potential(), ethanol()
    single = NetworkPotential(model.network.float(), model.elements, model.e0)
    exact = NetworkPotential(single.network.double(), model.elements, model.e0)
    assert np.array_equal(single.hessian(s).toarray(), exact.hessian(s).toarray())


def test_calculators_offer_the_hessian_and_the_dynamical_matrix():
    model = potential()
    s = ethanol()
    atoms = Atoms(s.numbers, s.positions)
    calc = lace.Calculator(model)
    found = calc.get_property("hessian", atoms)
    assert found.shape == (27, 27)
    assert np.allclose(found.toarray(), differences(model, s), atol=1e-6)
    masses = np.repeat(atoms.get_masses(), 3)
    dynamical = calc.get_property("dynamical_matrix", atoms).toarray()
    assert np.allclose(dynamical * np.sqrt(np.outer(masses, masses)), found.toarray(), atol=1e-12)
    assert np.allclose(hessian_of(calc, atoms).toarray(), found.toarray(), atol=1e-12)
    with pytest.raises(EvaluationError, match="format"):
        calc.get_hessian(atoms, format="banded")


def test_no_neighbours_no_atoms_and_wrong_shapes():
    model = potential()
    far = Atoms("CO", positions=[[0, 0, 0], [0, 0, 50]])
    assert not model.hessian(far).toarray().any()
    assert not model.hessian_product(far, np.ones((2, 3))).any()
    assert model.hessian(Atoms()).shape == (0, 0)
    with pytest.raises(EvaluationError, match=r"shape \(3, 3\) for 2 atoms"):
        model.hessian_product(far, np.ones((3, 3)))
    with pytest.raises(EvaluationError, match="on top of each other"):
        model.hessian(Atoms("CO", positions=np.zeros((2, 3))))


def test_phonons_of_a_crystal_have_three_zero_modes():
    atoms = training_data.alloy(2)[1]
    model = NetworkPotential(network(**training_data.SMALL_NETWORK), ["Al", "Cu", "Ni", "Ag"], np.zeros(4))
    matrix = NetworkCalculator(model).get_hessian(atoms, format="dense")
    shift = np.tile(np.eye(3), (len(atoms), 1))
    assert np.abs(matrix @ shift).max() < 1e-12 * max(1.0, np.abs(matrix).max()) * len(atoms)
