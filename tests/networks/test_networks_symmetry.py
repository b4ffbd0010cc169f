"""Energies are invariant under rotation, reflection, translation, relabelling; forces are gradients."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from molecules import batch, ethanol, graph, small_crystal, structure  # noqa: E402

from lacemaker.networks.graphs import Batch  # noqa: E402
from lacemaker.networks.invariants import plain_invariants  # noqa: E402
from lacemaker.networks.network import Network  # noqa: E402
from lacemaker.networks.options import NetworkOptions  # noqa: E402
from lacemaker.networks.tensors import expansion, pair_tensors, projection  # noqa: E402

SMALL = {"features": 10, "sensitivities": 6, "atom_layers": 1, "r_soft_max": 5.0, "cutoff": 6.0}
KINDS = [
    {"kind": "hip-nn"},
    {"kind": "hip-nn-ts", "l_max": 1},
    {"kind": "hip-nn-ts", "l_max": 2},
    {"l_max": 2, "n_max": 3},
    {"l_max": 3, "n_max": 4},
    {"l_max": 3, "n_max": 4, "extra_invariant": True, "group_norm": "off"},
    {"l_max": 3, "n_max": 4, "group_norm": "gated", "cutoff_function": "smooth", "bottleneck": 9},
]


def network(seed=0, **options):
    torch.manual_seed(seed)
    return Network(NetworkOptions(**{**SMALL, **options}), 4).double()


def energies_and_forces(net, s):
    result = net.evaluate(batch(s))
    return (
        result.energy.detach().numpy(),
        result.forces().detach().numpy(),
        result.virial().detach().numpy()[0],
    )


def orthogonal(seed, determinant):
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return q * np.sign(np.linalg.det(q)) * determinant


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("make", [ethanol, small_crystal])
def test_rotated_reflected_shifted_and_relabelled_atoms_have_the_same_energy(options, make):
    net, s = network(**options), make()
    energy, forces, virial = energies_and_forces(net, s)
    order = np.random.default_rng(3).permutation(len(s.numbers))
    for determinant in (1, -1):
        q = orthogonal(5, determinant)
        moved = structure(
            s.numbers[order], (s.positions @ q.T + [0.3, -7, 11])[order], s.cell @ q.T, s.pbc[0]
        )
        e, f, w = energies_and_forces(net, moved)
        assert e == pytest.approx(energy, rel=1e-11)
        assert np.allclose(f, (forces @ q.T)[order], atol=1e-11)
        assert np.allclose(w, q @ virial @ q.T, atol=1e-11)


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_forces_and_virial_are_derivatives_of_the_energy(options):
    net, s, h = network(**options), small_crystal(), 1e-5
    _, forces, virial = energies_and_forces(net, s)

    def energy(positions, cell):
        with torch.no_grad():
            return float(net(batch(structure(s.numbers, positions, cell, True))).energy)

    for atom, axis in [(0, 0), (1, 2), (2, 1)]:
        step = np.zeros((3, 3))
        step[atom, axis] = h
        slope = (energy(s.positions + step, s.cell) - energy(s.positions - step, s.cell)) / (2 * h)
        assert -slope == pytest.approx(forces[atom, axis], abs=2e-7)
    for a, b in [(0, 0), (1, 2)]:
        strain = np.zeros((3, 3))
        strain[a, b] = strain[b, a] = h if a == b else h / 2
        up, down = np.eye(3) + strain, np.eye(3) - strain
        slope = (energy(s.positions @ up, s.cell @ up) - energy(s.positions @ down, s.cell @ down)) / (2 * h)
        assert -slope == pytest.approx(virial[a, b], abs=2e-7)


@pytest.mark.parametrize("options", KINDS[2:5], ids=str)
def test_autograd_agrees_with_finite_differences_to_second_order(options):
    net = network(features=3, sensitivities=2, atom_layers=0, interactions=1, **options)
    water = graph(structure([8, 1, 1], [[0, 0, 0.1], [0.76, 0, -0.5], [-0.7, 0.1, -0.5]]))
    base = Batch.of([water])

    def energy(vectors):
        return net(Batch(**{**base.__dict__, "vectors": vectors})).energy

    vectors = base.vectors.clone().requires_grad_()
    assert torch.autograd.gradcheck(energy, (vectors,), atol=1e-7)
    assert torch.autograd.gradgradcheck(energy, (vectors,), atol=1e-6)


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_a_batch_gives_what_its_structures_give_alone(options):
    net, parts = network(**options), [ethanol(), small_crystal(), structure([8], [[5, 5, 5]])]
    together = net.evaluate(batch(*parts))
    alone = [net.evaluate(batch(s)) for s in parts]
    assert torch.allclose(together.energy, torch.cat([r.energy for r in alone]), atol=1e-12)
    assert torch.allclose(together.forces(), torch.cat([r.forces() for r in alone]), atol=1e-12)
    assert torch.allclose(together.virial(), torch.cat([r.virial() for r in alone]), atol=1e-11)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, True, False), (False, True, False)])
@pytest.mark.parametrize("options", KINDS[2:5], ids=str)
def test_a_doubled_crystal_slab_or_wire_has_twice_the_energy_and_the_same_forces(options, pbc):
    net, one = network(**options), small_crystal()
    along = 1  # doubled along a periodic direction
    cell = one.cell * np.where(np.arange(3) == along, 2, 1)[:, None]
    both = np.vstack([one.positions, one.positions + one.cell[along]])
    energy, forces, virial = energies_and_forces(net, structure(one.numbers, one.positions, one.cell, pbc))
    e, f, w = energies_and_forces(net, structure(np.tile(one.numbers, 2), both, cell, pbc))
    assert e == pytest.approx(2 * energy, rel=1e-11)
    assert np.allclose(f, np.tile(forces, (2, 1)), atol=1e-11)
    assert np.allclose(w, 2 * virial, atol=1e-10)


def test_single_precision_is_good_to_six_digits():
    net = network()
    double = net.evaluate(batch(ethanol()))
    single = net.float().evaluate(batch(ethanol(), dtype=torch.float32))
    assert single.energy.item() == pytest.approx(double.energy.item(), rel=2e-6)
    assert torch.allclose(single.forces().double(), double.forces(), atol=2e-5)


def test_tensors_are_symmetric_traceless_and_project_onto_themselves():
    for degree in (2, 3):
        full = expansion(degree).reshape((3,) * degree + (-1,))
        assert np.allclose(full, np.swapaxes(full, 0, 1))
        assert np.allclose(np.einsum("...iic->...c", full) if degree == 3 else np.einsum("iic->c", full), 0)
        assert np.allclose(projection(degree).T @ expansion(degree), np.eye(2 * degree + 1), atol=1e-14)


def test_invariants_of_one_unit_neighbour_are_those_of_the_table():
    u = torch.nn.functional.normalize(torch.tensor([[0.3, -0.8, 0.4]], dtype=torch.float64), dim=1)
    m = pair_tensors(u, 3).unsqueeze(2)
    # values of HIP-HOP-NN's invariants for one neighbour at unit distance: 1, 1, 2/3, 2/9, 2/5, …
    table = [1, 1, 2 / 3, 2 / 9, 2 / 5, 0.0704, 2 / 3, 4 / 9, 2 / 5, 0.24, 0.8 / 7.5, 0.124444, 0.16]
    assert plain_invariants(m, 3, 4)[0, :, 0].numpy() == pytest.approx(table, abs=1e-5)


def test_the_linear_side_works_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import lacemaker, lacemaker.calculators, lacemaker.workflow, lacemaker.cli.app\n"
        "import lacemaker.networks as n; n.NetworkOptions; n.TrainingConfig"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
