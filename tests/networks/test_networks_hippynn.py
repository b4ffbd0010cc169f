"""The weights of hippynn 0.1.3 give its energies, forces and hierarchicality, to 1e-12 in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import oracle  # noqa: E402
from molecules import batch, ethanol, small_crystal, structure  # noqa: E402

from lacemaker.errors import FileFormatError  # noqa: E402
from lacemaker.networks.hippynn import from_hippynn  # noqa: E402
from lacemaker.networks.network import count_parameters  # noqa: E402
from lacemaker.networks.options import NetworkOptions  # noqa: E402

CASES = [
    ("hip-nn", None, None),
    ("hip-nn-ts", 1, None),
    ("hip-nn-ts", 2, None),
    ("hip-hop-nn", 1, 2),
    ("hip-hop-nn", 2, 2),
    ("hip-hop-nn", 2, 3),
    ("hip-hop-nn", 2, 4),
    ("hip-hop-nn", 3, 2),
    ("hip-hop-nn", 3, 3),
    ("hip-hop-nn", 3, 4),
]


@pytest.fixture(scope="module")
def mixed():
    """Molecules of several sizes and a crystal smaller than the cutoff in one batch."""
    water = structure([8, 1, 1], [[0, 0, 0.1], [0.76, 0, -0.5], [-0.7, 0.1, -0.5]])
    return batch(ethanol(), water, structure([6, 7], [[0, 0, 0], [0.3, 1.1, 0.2]]), small_crystal())


def compare(theirs, network, mixed):
    ours = network.evaluate(mixed)
    kinds = [ours.hierarchicality(kind) for kind in ("atom", "structure", "batch")]
    for a, b in zip(theirs, [ours.energy, ours.forces(), *kinds], strict=True):
        b = np.asarray(b.detach())
        assert np.abs(a - b).max() <= 1e-12 * max(1.0, np.abs(a).max())


@pytest.mark.parametrize(("kind", "l_max", "n_max"), CASES)
def test_energies_forces_and_hierarchicality_are_those_of_hippynn(kind, l_max, n_max, mixed):
    made, heads = oracle.network(kind, l_max=l_max, n_max=n_max)
    network = from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0)
    if kind == "hip-hop-nn":
        assert (network.options.degree, network.options.n_max) == (l_max, n_max)
    compare(oracle.evaluate(made, heads, mixed), network, mixed)


@pytest.mark.parametrize(
    "changes",
    [
        {"resnet": False},
        {"resnet": 7},
        {"n_atom_layers": 0},
        {"first_is_interacting": True},
        {"group_norm": False},
    ],
    ids=str,
)
def test_variants_of_the_architecture_are_those_of_hippynn(changes, mixed):
    made, heads = oracle.network("hip-hop-nn", l_max=3, n_max=4, **changes)
    compare(
        oracle.evaluate(made, heads, mixed),
        from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0),
        mixed,
    )


def test_units_scale_energies_and_lengths(mixed):
    made, heads = oracle.network("hip-hop-nn", l_max=2, n_max=3)
    plain = from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0)
    small = batch(ethanol(), cutoff=3.0)
    half = from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0, length_unit=0.5, energy_unit=3.0)
    twice = ethanol()
    twice.positions *= 2
    big = plain.evaluate(batch(twice))
    ours = half.evaluate(small)
    assert ours.energy.item() == pytest.approx(3 * big.energy.item(), rel=1e-12)
    assert np.allclose(ours.forces().numpy(), 6 * big.forces().numpy(), rtol=1e-10, atol=1e-12)


def test_a_foreign_state_is_refused():
    with pytest.raises(FileFormatError, match="int_weights"):
        from_hippynn({"a": torch.zeros(1)}, {}, cutoff=5.0)


@pytest.mark.parametrize(("kind", "l_max", "n_max"), [*CASES[:3], ("hip-hop-nn", 3, 4)])
def test_parameters_and_regularised_weights_are_as_many(kind, l_max, n_max):
    made, heads = oracle.network(kind, l_max=l_max, n_max=n_max)
    network = from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0)
    trainable = sum(p.numel() for m in (made, heads) for p in m.parameters() if p.requires_grad)
    assert count_parameters(network) == trainable
    theirs = sum(float((p.detach() ** 2).sum()) for p in made.regularization_params())
    assert float(network.regularisation().detach()) == pytest.approx(theirs, rel=1e-12)
    assert isinstance(network.options, NetworkOptions)
