"""Devices are chosen or refused early; what a GPU computes is what the CPU computes, and the same each time.

The tests marked `gpu` run where PyTorch sees one.
"""

import copy
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from molecules import batch, ethanol, graph, small_crystal, structure  # noqa: E402
from test_networks_symmetry import KINDS, network  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.errors import ConfigError  # noqa: E402
from lacemaker.networks import NetworkCalculator, NetworkPotential  # noqa: E402
from lacemaker.networks.backend import choose_device, deterministic  # noqa: E402
from lacemaker.networks.config import TrainingConfig  # noqa: E402
from lacemaker.networks.dataset import Dataset  # noqa: E402
from lacemaker.networks.graphs import Batch  # noqa: E402
from lacemaker.networks.workflow import train  # noqa: E402

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")
STRUCTURES = (ethanol(), small_crystal(), structure([6], [[0, 0, 0]]))


@pytest.mark.parametrize("name", ["gpu", "cpu:3", "mps", "meta", "cuda:99", "cuda:x", "", "CPU"])
def test_a_device_that_cannot_be_used_is_refused(name):
    with pytest.raises(ConfigError, match=rf"^The device '{name}' cannot be used\n  found: .*\n  to do: use"):
        choose_device(name)


@pytest.mark.parametrize(("n", "message"), [(0, "sees no GPU"), (1, "sees 1 GPU\n"), (4, "sees 4 GPUs\n")])
def test_gpus_are_counted(n, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
    assert choose_device("auto") == ("cuda" if n else "cpu")
    assert choose_device("cpu") == choose_device("cpu:0") == "cpu"
    for k in range(n):
        assert choose_device(f"cuda:{k}") == f"cuda:{k}"
    with pytest.raises(ConfigError, match=message):
        choose_device(f"cuda:{n}")


def test_training_refuses_a_device_before_it_reads_anything(tmp_path):
    settings = training_data.config(tmp_path, device="gpu")  # there is no train.xyz
    with pytest.raises(ConfigError, match="device 'gpu'"):
        train(settings)


def test_the_device_of_a_potential_is_that_of_its_evaluators():
    model = NetworkPotential(network(), ["H", "C", "N", "O"])
    assert model.device == model.to("auto").to("cpu").device == "cpu"
    assert model.with_metadata(note=1).to("cpu").metadata["note"] == 1
    with pytest.raises(ConfigError, match="cannot be used"):
        model.to("tpu")


def test_deterministic_algorithms_are_for_gpus_and_for_a_while(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic("cpu"):
        assert not torch.are_deterministic_algorithms_enabled()
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    filling = torch.utils.deterministic.fill_uninitialized_memory
    with deterministic("cuda:0"):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory == filling
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_labels_are_known_without_asking_the_device():
    frames = lace.read(training_data.alloy(3))
    f = frames[1]
    bare = lace.structures.Frame(f.numbers, f.positions, f.cell, f.pbc, energy=f.energy)
    mute = lace.structures.Frame(f.numbers, f.positions, f.cell, f.pbc)
    config = TrainingConfig(**training_data.config(__import__("pathlib").Path(".")))
    data = Dataset(lace.structures.Frames([frames[0], bare, mute]), frames.elements, np.zeros(2), config)
    cases = {(0,): {"energy", "forces", "virial"}, (1,): {"energy"}, (2,): set()}
    cases[1, 2], cases[2, 0] = cases[1,], cases[0,]
    for rows, expected in cases.items():
        batch_ = data.select(rows, "cpu")
        assert {q for q in ("energy", "forces", "virial") if batch_.has(q)} == expected
        assert {q for q in expected if torch.isfinite(getattr(batch_, q)).any()} == expected


def test_constants_made_in_inference_mode_can_train_later(monkeypatch):
    from lacemaker.networks import invariants, tensors

    monkeypatch.setenv("LACEMAKER_NETWORK_KERNELS", "plain")
    invariants._expansion.cache_clear()
    tensors._projection.cache_clear()
    net, data = network(), batch(ethanol())
    with torch.inference_mode():
        net(data)
    net.evaluate(data, training=True).forces().square().sum().backward()
    assert all(block.interaction.mixing.grad.abs().sum() > 0 for block in net.blocks)


def everything(net, device, dtype=torch.float64):
    """Energies, forces, virials and the gradient of a training loss."""
    net = copy.deepcopy(net).to(device, dtype)
    data = Batch.of([graph(s) for s in STRUCTURES], dtype, device)
    result = net.evaluate(data, training=True)
    total = result.energy.square().sum() + result.forces().square().sum() + result.virial().square().sum()
    gradients = torch.autograd.grad(total, list(net.parameters()), materialize_grads=True)
    values = [result.energy, result.forces(), result.virial(), *gradients]
    return [x.detach().cpu().double() for x in values]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_every_tensor_is_made_on_the_device_of_the_batch(options):
    """PyTorch's meta device has shapes alone, and refuses tensors of the CPU as a GPU does."""
    net = network(**options).to("meta")
    data = Batch.of([graph(s) for s in STRUCTURES], torch.float64, "meta")
    result = net.evaluate(data, training=True)
    parts = [result.energy, result.forces(), result.virial(), net.regularisation()]
    parts += [result.hierarchicality(kind) for kind in ("atom", "structure", "batch")]
    assert {x.device.type for x in parts} == {"meta"}
    gradients = torch.autograd.grad(sum(x.sum() for x in parts), list(net.parameters()))
    assert [g.shape for g in gradients] == [p.shape for p in net.parameters()]
    with pytest.raises(RuntimeError):  # so it would be noticed
        result.energy + torch.ones(len(result.energy), dtype=torch.float64)


@gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 2e-3)])
@pytest.mark.parametrize("options", KINDS, ids=str)
def test_gpu_gives_what_the_cpu_gives(options, dtype, tolerance):
    net = network(**options)
    for a, b in zip(everything(net, "cuda", dtype), everything(net, "cpu"), strict=True):
        assert float((a - b).abs().max()) <= tolerance * max(1.0, float(b.abs().max()))


@gpu
def test_gpu_repeats_itself_with_deterministic_algorithms():
    net = network(features=32)
    with deterministic("cuda"):
        first, second = everything(net, "cuda", torch.float32), everything(net, "cuda", torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@gpu
def test_predictions_of_a_gpu_are_those_of_the_cpu():
    model = NetworkPotential(network(), ["H", "C", "N", "O"], [1.0, 2.0, 3.0, 4.0])
    here, there = model.predict_many(STRUCTURES), model.to("cuda").predict_many(STRUCTURES)
    for a, b in zip(there, here, strict=True):
        assert a.energy == pytest.approx(b.energy, rel=1e-11)
        assert np.allclose(a.forces, b.forces, atol=1e-10)
        assert np.allclose(a.virial, b.virial, atol=1e-10)
    s = STRUCTURES[1]
    assert np.allclose(model.to("cuda").hessian(s).toarray(), model.hessian(s).toarray(), atol=1e-9)
    assert NetworkCalculator(model, device="cuda")._evaluator.device == "cuda"


@gpu
def test_training_on_a_gpu_learns_what_it_learns_on_the_cpu_and_repeats_itself(tmp_path):
    training_data.write(tmp_path / "train.xyz")
    runs = {}
    for name, device in (("cpu", "cpu"), ("one", "cuda"), ("two", "cuda")):
        settings = training_data.config(tmp_path, device=device, output=str(tmp_path / name))
        runs[name] = train({**settings, "dtype": "float64", "report": False})
    losses = {k: [row["validation_loss"] for row in r.history] for k, r in runs.items()}
    assert losses["one"] == pytest.approx(losses["cpu"], rel=1e-5)
    states = [runs[k].potential.network.state_dict() for k in ("one", "two")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    table = [runs[k].errors["test"].total.forces_mae_eV_per_A for k in ("cpu", "one")]
    assert table[1] == pytest.approx(table[0], rel=1e-4)
