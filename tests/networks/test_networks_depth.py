"""Networks of many blocks: heads of falling size keep their squares in the range of float32."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.networks.config import TrainingConfig  # noqa: E402
from lacemaker.networks.dataset import Dataset  # noqa: E402
from lacemaker.networks.loss import loss  # noqa: E402
from lacemaker.networks.network import Network, Result  # noqa: E402
from lacemaker.networks.training import initial_network  # noqa: E402


def deep(folder, interactions, **changes):
    network = {**training_data.SMALL_NETWORK, "interactions": interactions, "l_max": 1, "n_max": 2}
    return TrainingConfig(**training_data.config(folder, network=network, **changes))


@pytest.mark.parametrize("kind", ["atom", "structure", "batch"])
@pytest.mark.parametrize("interactions", [6, 9])
def test_loss_and_gradient_of_deep_networks_are_finite(tmp_path, interactions, kind):
    config = deep(tmp_path, interactions, loss={"hierarchy": 1.0, "hierarchy_kind": kind})
    frames = lace.read(training_data.alloy(2))
    data = Dataset(frames, frames.elements, np.zeros(2), config).select(range(2), "cpu")
    network = initial_network(config, np.zeros(2), 2)
    value = loss(network, data, config.loss)
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_heads_fall_as_published_down_to_the_floor(tmp_path):
    config = deep(tmp_path, 6, dtype="float64")
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        plain = Network(config.network, 2).double()
    network = initial_network(config, np.zeros(2), 2)
    ratios = [
        float((head.bias / before.bias).detach())
        for head, before in zip(network.heads[1:], plain.heads[1:], strict=True)
    ]
    assert ratios == pytest.approx([1e-2, 1e-4, 1e-8, 1e-8, 1e-8, 1e-8], rel=1e-6)


def test_hierarchicality_is_the_published_ratio_and_zero_where_all_energies_vanish(tmp_path):
    frames = lace.read(training_data.alloy(1))
    data = Dataset(frames, frames.elements, np.zeros(1), deep(tmp_path, 1)).select([0], "cpu")
    generator = torch.Generator().manual_seed(0)
    levels = torch.randn((3, data.batch.n_atoms), generator=generator)
    e2 = levels.double().square()
    expected = float((e2[1:] / (e2[1:] + e2[:-1])).sum())
    found = Result(data.batch, levels.sum().reshape(1), levels.sum(0), levels).hierarchicality("atom")
    assert float(found) == pytest.approx(expected, rel=1e-6)
    nothing = torch.zeros_like(levels, requires_grad=True)
    zero = Result(data.batch, levels.sum().reshape(1), levels.sum(0), nothing).hierarchicality("atom")
    zero.sum().backward()
    assert float(zero.detach()) == 0.0
    assert torch.isfinite(nothing.grad).all()
