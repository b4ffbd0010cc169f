"""Energies and forces end smoothly at the cutoff; group norm's effect on weak environments."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from molecules import batch, structure  # noqa: E402
from test_networks_symmetry import network  # noqa: E402


def dimer(net, distances):
    """Energies and forces along the bond of a C-O dimer."""
    result = net.evaluate(batch(*(structure([6, 8], [[0, 0, 0], [0, 0, r]]) for r in distances)))
    return result.energy.detach().numpy(), result.forces()[1::2, 2].detach().numpy()


NORMS = ["on", "off", "gated"]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("function", ["cos2", "smooth"])
def test_energy_and_force_are_continuous_at_the_cutoff(norm, function):
    net = network(group_norm=norm, cutoff_function=function)
    apart = dimer(net, [6.5])[0][0]
    gaps = np.array([1e-2, 1e-3, 1e-4, 1e-5])
    energy, force = dimer(net, 6.0 - gaps)
    assert abs(energy[-1] - apart) < 1e-8
    assert abs(force[-1]) < 1e-3 * max(1.0, np.abs(force).max())
    assert abs(force[-1]) < 0.2 * abs(force[-2]) + 1e-12  # still falling towards zero
    assert dimer(net, [6.0, 6.1])[1] == pytest.approx([0, 0], abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_group_norm_amplifies_the_last_angstrom_and_the_gate_undoes_it(seed):
    r = np.linspace(5.0, 5.9995, 120)
    force = {}
    for norm in NORMS:
        forces = dimer(network(seed, group_norm=norm, features=32, interactions=1), r)[1]
        force[norm] = np.abs(forces).max()
    # seeds 0, 1, 2: on 14, 17, 52; off 0.13, 0.07, 0.6; gated 1.2, 0.8, 4.7 meV/Å
    assert force["on"] > 50 * force["off"]
    assert force["gated"] < force["on"] / 8


def test_the_gate_is_open_for_dense_environments():
    gated, open_, closed = (network(group_norm="gated", gate=g) for g in (1.0, 1e-9, 1e9))
    cube = structure([6] * 27, 1.6 * np.array(list(np.ndindex(3, 3, 3))))
    e = [float(net(batch(cube)).energy.detach()) for net in (network(), open_, gated, closed)]
    assert e[1] == pytest.approx(e[0], abs=1e-6)
    assert abs(e[2] - e[0]) < 0.2 * abs(e[3] - e[0])
