"""The ZBL core under a network: that of the linear side, with exact derivatives, and carried by files."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from ase import Atoms  # noqa: E402

from lacemaker.basis.elements import bond_length, shortest_bond  # noqa: E402
from lacemaker.basis.repulsion import zbl_energy  # noqa: E402
from lacemaker.networks import NetworkPotential, train  # noqa: E402
from lacemaker.networks.network import Network  # noqa: E402
from lacemaker.networks.options import NetworkOptions  # noqa: E402

NUMBERS = {"Al": 13, "Cu": 29}


def potential(repulsion, lone_atoms="free"):
    torch.manual_seed(0)
    options = {**training_data.SMALL_NETWORK, "repulsion": repulsion, "lone_atoms": lone_atoms}
    network = Network(NetworkOptions(**options), 2).double()
    if network.core is not None:
        network.core.set_elements(["Al", "Cu"])
    return NetworkPotential(network, ["Al", "Cu"])


def expected(a, b, r):
    bond = shortest_bond(a, b, 0.5 * (bond_length(a) + bond_length(b)))
    return zbl_energy(r, NUMBERS[a], NUMBERS[b], 0.4 * bond, 0.8 * bond)


@pytest.mark.parametrize("pair", [("Al", "Al"), ("Al", "Cu"), ("Cu", "Cu")])
@pytest.mark.parametrize("lone_atoms", ["free", "e0"])
def test_the_core_is_that_of_linear_fits(pair, lone_atoms):
    bare, cored = (potential(x, lone_atoms) for x in ("none", "zbl"))
    for r in (0.3, 0.9, 1.5, 1.9, 2.6):
        atoms = Atoms(pair, positions=[[0, 0, 0], [0, 0, r]])
        one, other = bare.predict(atoms), cored.predict(atoms)
        energy, slope = expected(*pair, r)
        assert other.energy - one.energy == pytest.approx(float(energy), rel=1e-6, abs=1e-9)
        assert other.forces[0, 2] - one.forces[0, 2] == pytest.approx(float(slope), rel=1e-6, abs=1e-9)
        assert other.energies - one.energies == pytest.approx([float(energy) / 2] * 2, rel=1e-6, abs=1e-9)


def dense():
    """A compressed alloy: many pairs inside the core."""
    atoms = training_data.alloy(2)[1] * (2, 1, 1)
    atoms.set_cell(0.62 * atoms.cell, scale_atoms=True)
    return atoms


def test_its_derivatives_are_exact():
    cored, atoms, h = potential("zbl"), dense(), 1e-5
    here = cored.predict(atoms)
    assert abs(here.energy - potential("none").predict(atoms).energy) > 1
    for atom, axis in ((0, 0), (3, 2)):
        moved = [atoms.copy() for _ in range(2)]
        for a, sign in zip(moved, (1, -1), strict=True):
            a.positions[atom, axis] += sign * h
        plus, minus = map(cored.predict, moved)
        assert here.forces[atom, axis] == pytest.approx((minus.energy - plus.energy) / (2 * h), rel=1e-6)
        row = cored.hessian(atoms)[[3 * atom + axis]].toarray().reshape(-1, 3)
        assert row == pytest.approx((minus.forces - plus.forces) / (2 * h), rel=1e-5, abs=1e-4)


def test_files_and_training_carry_it(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=12)
    net = {**training_data.SMALL_NETWORK, "repulsion": "zbl"}
    result = train(training_data.config(tmp_path, network=net, report=False))
    again = NetworkPotential.load(result.folder / "network.lace")
    core = again.network.core
    assert core.charges.tolist() == pytest.approx(np.outer(*[[13.0, 29.0]] * 2) * 14.399645, rel=1e-6)
    close = Atoms("CuAl", positions=[[0, 0, 0], [0, 0, 0.5]])
    assert again.predict(close).energy == result.potential.predict(close).energy
    assert again.predict(close).forces[0, 2] < -100  # pushed apart
