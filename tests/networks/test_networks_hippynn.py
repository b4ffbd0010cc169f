"""The weights of hippynn 0.1.3 give its energies, forces and hierarchicality, to 1e-12 in float64."""

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import oracle  # noqa: E402
from molecules import batch, ethanol, small_crystal, structure  # noqa: E402

from lacemaker.errors import FileFormatError  # noqa: E402
from lacemaker.networks.hippynn import CONSTANTS, from_hippynn  # noqa: E402
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


@pytest.mark.parametrize("n_bare", [4, 6, 9])
@pytest.mark.parametrize("kind", ["hip-nn", "hip-hop-nn"])
def test_bottlenecks_are_those_of_hippynn(kind, n_bare, mixed):
    """Also where as many bare sensitivities go in as come out."""
    oracle.load()
    from hippynn.layers.hiplayers import SensitivityBottleneck

    degrees = {"l_max": 2, "n_max": 3} if kind == "hip-hop-nn" else {}
    bare = functools.partial(SensitivityBottleneck, n_dist_bare=n_bare)
    made, heads = oracle.network(kind, **degrees, sensitivity_type=bare)
    found = from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0)
    assert found.options.bottleneck == n_bare
    compare(oracle.evaluate(made, heads, mixed), found, mixed)


def test_a_foreign_state_is_refused():
    with pytest.raises(FileFormatError, match="int_weights"):
        from_hippynn({"a": torch.zeros(1)}, {}, cutoff=5.0)
    made, heads = oracle.network("hip-nn")
    with pytest.raises(FileFormatError, match="a Hipnn as network_state"):
        from_hippynn(made, heads.state_dict(), cutoff=6.0)
    with pytest.raises(FileFormatError, match="features_"):
        from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0, features_=3)


@pytest.mark.parametrize(("kind", "l_max", "n_max"), [CASES[0], CASES[2], CASES[-1]])
def test_truncated_states_are_refused(kind, l_max, n_max):
    """Whatever one entry is missing or is no tensor of the right shape."""
    made, heads = oracle.network(kind, l_max=l_max, n_max=n_max)
    state, energy = made.state_dict(), heads.state_dict()
    names = [name for name in state if not any(part in name for part in CONSTANTS)]
    cases = [({k: v for k, v in state.items() if k != name}, energy) for name in names]
    cases += [({**state, name: value}, energy) for name in names for value in (torch.zeros(2), "no tensor")]
    cases += [(state, {k: v for k, v in energy.items() if k != name}) for name in energy]
    cases += [({k: v for k, v in state.items() if not k.startswith("blocks.1.")}, energy)]
    for network, read_out in cases:
        with pytest.raises(FileFormatError, match=r"found: .*\n  to do: give network"):
            from_hippynn(network, read_out, cutoff=6.0)


def test_an_unknown_number_of_invariants_is_refused():
    made, heads = oracle.network("hip-hop-nn", l_max=2, n_max=3)
    state = made.state_dict()
    wrong = {k: v[:, :4] if k.endswith("mixing_weights") else v for k, v in state.items()}
    with pytest.raises(FileFormatError, match="4 invariants, which no n_max has at l_max 2"):
        from_hippynn(wrong, heads.state_dict(), cutoff=6.0)
    bare = {k: v for k, v in state.items() if not k.startswith("tensor_extractor.")}
    with pytest.raises(FileFormatError, match="5 invariants"):
        from_hippynn(bare, heads.state_dict(), cutoff=6.0)


@pytest.mark.parametrize(("kind", "l_max", "n_max"), [*CASES[:3], ("hip-hop-nn", 3, 4)])
def test_parameters_and_regularised_weights_are_as_many(kind, l_max, n_max):
    made, heads = oracle.network(kind, l_max=l_max, n_max=n_max)
    network = from_hippynn(made.state_dict(), heads.state_dict(), cutoff=6.0)
    trainable = sum(p.numel() for m in (made, heads) for p in m.parameters() if p.requires_grad)
    assert count_parameters(network) == trainable
    theirs = sum(float((p.detach() ** 2).sum()) for p in made.regularization_params())
    assert float(network.regularisation().detach()) == pytest.approx(theirs, rel=1e-12)
    assert isinstance(network.options, NetworkOptions)
