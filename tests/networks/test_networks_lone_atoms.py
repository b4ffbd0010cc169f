"""Atoms without neighbours: their energy is free, or E0 exactly; either way it is told."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from ase import Atoms  # noqa: E402
from molecules import batch, ethanol, small_crystal  # noqa: E402
from test_networks_symmetry import network  # noqa: E402

from lacemaker.networks import NetworkPotential, train  # noqa: E402

KINDS = [{"kind": "hip-nn"}, {"kind": "hip-nn-ts", "l_max": 2}, {"group_norm": "on"}, {"group_norm": "off"}]
ELEMENTS = ["H", "C", "N", "O"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("interacting", [False, True])
def test_lone_atoms_have_their_e0_and_forces_do_not_change(kind, interacting):
    free, bound = (network(first_is_interacting=interacting, lone_atoms=x, **kind) for x in ("free", "e0"))
    e0 = np.array([-1.0, -20.0, -30.0, -40.0])
    a, b = (NetworkPotential(n, ELEMENTS, e0) for n in (free, bound))
    assert b.lone_atoms() == pytest.approx(e0, abs=1e-12)
    gaps = a.lone_atoms() - e0
    assert np.abs(gaps).max() > 1e-3
    for structure in (ethanol(), small_crystal()):
        one, other = a.predict(structure), b.predict(structure)
        shift = gaps[[ELEMENTS.index(s) for s in Atoms(structure.numbers).symbols]]
        assert other.energies == pytest.approx(one.energies - shift, abs=1e-10)
        assert other.forces == pytest.approx(one.forces, abs=1e-12)


def test_training_through_them_has_gradients():
    """Derivatives of energies and forces with respect to parameters, against finite differences."""
    net = network(lone_atoms="e0", features=4, sensitivities=3, first_is_interacting=True)
    data = batch(ethanol(), small_crystal())
    parameter = net.blocks[0].interaction.own.bias

    def value():
        result = net.evaluate(data, training=True)
        return result.energy.square().sum() + result.forces().square().sum()

    (gradient,) = torch.autograd.grad(value(), parameter)
    h = 1e-5
    for k in range(4):
        found = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[k] += sign * h
            found.append(float(value().detach()))
            with torch.no_grad():
                parameter[k] -= sign * h
        assert (found[0] - found[1]) / (2 * h) == pytest.approx(float(gradient[k]), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("n", [360, 900])
def test_one_composition_alone_gives_elements_ordinary_energies(n):
    """Molecules of one kind: least squares has one equation for several elements."""
    from lacemaker.networks.config import TrainingConfig
    from lacemaker.networks.preparation import one_body
    from lacemaker.structures import Frame, Frames

    rng = np.random.default_rng(0)
    numbers = np.array([6] * 11 + [1] * 9 + [7] * 3 + [8] * 2)
    e0 = {"H": -13.6, "C": -1029.5, "N": -1485.0, "O": -2042.0}
    total = sum(e0[s] for s in Atoms(numbers).symbols) - 5.0 * len(numbers)
    frames = Frames(
        [
            Frame(numbers, 9 * rng.random((25, 3)), np.zeros((3, 3)), np.zeros(3, bool), energy=total + x)
            for x in 0.1 * rng.normal(size=n)
        ]
    )
    config = TrainingConfig(data={"train": "x"}, e0=e0)
    reference, inner = one_body(frames, frames, config)
    counts = np.array([np.sum(numbers == z) for z in (1, 6, 7, 8)])
    order = [list(reference.values).index(s) for s in ("H", "C", "N", "O")]
    assert inner[order] @ counts == pytest.approx(-5.0 * 25, abs=0.1)
    assert inner[order] == pytest.approx(
        -125.0 * counts / (counts @ counts), abs=0.05
    )  # the smallest solution


@pytest.mark.parametrize("lone_atoms", ["free", "e0"])
def test_training_with_energies_of_atoms(tmp_path, lone_atoms):
    atoms = training_data.alloy(10)
    e0 = {"Cu": -0.2, "Al": 3.1}
    single = [Atoms(s, info={"config_type": "IsolatedAtom", "REF_energy": e}) for s, e in e0.items()]
    training_data.write_atoms(tmp_path / "train.xyz", [*single, *atoms])
    net = {**training_data.SMALL_NETWORK, "lone_atoms": lone_atoms}
    result = train(training_data.config(tmp_path, e0="isolated_atoms", network=net, report=False))
    exact = [e0[s] for s in result.potential.elements]
    warned = [w for w in result.summary["warnings"] if "Atoms on their own do not have their E0" in w]
    if lone_atoms == "e0":
        assert result.potential.lone_atoms() == pytest.approx(exact, abs=1e-6)
        assert result.potential.options.first_is_interacting
        assert not warned
    else:
        assert np.abs(result.potential.lone_atoms() - exact).max() > 0.05
        assert "network.lone_atoms: e0" in warned[0]
