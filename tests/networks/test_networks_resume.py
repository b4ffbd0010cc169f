"""Runs that are killed, continued, begun anew or changed on the way."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.cli.app import main  # noqa: E402
from lacemaker.config.yamlfile import dump_yaml  # noqa: E402
from lacemaker.errors import ConfigError, FileFormatError  # noqa: E402
from lacemaker.networks import checkpoint, training  # noqa: E402
from lacemaker.networks.checkpoint import Checkpoint  # noqa: E402
from lacemaker.networks.config import Schedule, training_config  # noqa: E402
from lacemaker.networks.controller import Controller  # noqa: E402
from lacemaker.networks.workflow import train  # noqa: E402
from lacemaker.workflow.progress import SilentProgress  # noqa: E402


class Notes(SilentProgress):
    """Keeps what was said."""

    def __init__(self):
        self.notes, self.warnings = [], []

    def note(self, text):
        self.notes.append(text)

    def warn(self, text):
        self.warnings.append(text)


def settings(folder, epochs=2, output="out", schedule=None, **changes):
    base = training_data.config(folder, report=False, output=str(folder / output), **changes)
    return {**base, "schedule": {**base["schedule"], "max_epochs": epochs, **(schedule or {})}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume")
    training_data.write(path / "train.xyz", n=12)
    return path


def same(a, b):
    states = [r.potential.network.state_dict() for r in (a, b)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def continued(config):
    """Whether a run with these settings continues what its folder holds; and what was said."""
    said = Notes()
    result = train(config, progress=said)
    notes = [text for text in said.notes if text.startswith("continues from epoch")]
    return result, notes, said.warnings


def header_of(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["lacemaker checkpoint"])


def test_a_run_killed_by_the_system_continues_to_the_same_result(folder):
    """SIGKILL at an arbitrary moment, as a queueing system out of patience or memory sends it."""
    config = settings(folder, epochs=100_000, output="killed")
    config["schedule"]["stopping_patience"] = 100_000
    (folder / "killed.yaml").write_text(dump_yaml(config))
    code = "import sys; from lacemaker.cli import main; sys.exit(main(sys.argv[1:]))"
    run = subprocess.Popen(
        [sys.executable, "-c", code, "train", str(folder / "killed.yaml")], stderr=subprocess.DEVNULL
    )
    path, limit = folder / "killed" / "checkpoint.safetensors", time.monotonic() + 120
    try:
        while not (path.exists() and header_of(path)["controller"]["epoch"] >= 3):
            assert run.poll() is None, "ended by itself"
            assert time.monotonic() < limit
            time.sleep(0.02)
    finally:
        run.kill()
    assert run.wait() == -signal.SIGKILL
    done = header_of(path)["controller"]["epoch"]
    assert not (folder / "killed" / "network.lace").exists()
    config["schedule"]["max_epochs"] = done + 2
    resumed, notes, _ = continued(config)
    assert notes == [f"continues from epoch {done}"]
    whole = train({**config, "output": str(folder / "whole")})
    assert same(resumed, whole)
    curves = [[{**row, "seconds": 0} for row in r.history] for r in (resumed, whole)]
    assert curves[0] == curves[1]
    assert len(curves[0]) == done + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": {"max_epochs": 3}},
        {"schedule": {"max_epochs": 3, "stopping_patience": 77}},
        {"schedule": {"max_epochs": 3}, "threads": 2},
        {"schedule": {"max_epochs": 3}, "device": "auto"},
    ],
)
def test_what_does_not_change_the_steps_does_not_end_a_run(folder, tmp_path, changes, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads = torch.get_num_threads()
    train(settings(folder, output=str(tmp_path / "run")))
    result, notes, warned = continued(settings(folder, output=str(tmp_path / "run"), **changes))
    assert torch.get_num_threads() == threads  # a run leaves the process as it was
    more = "threads" in changes
    expected = "continues from epoch 2"
    expected += "; equal to an uninterrupted run up to rounding (threads 1, now 2)" if more else ""
    assert (notes, warned) == ([expected], [])
    assert len(result.history) == 3


def test_a_run_of_other_settings_is_kept_whole_and_can_be_continued(folder, tmp_path):
    out = tmp_path / "run"
    train(settings(folder, output=str(out)))
    names = ("checkpoint.safetensors", "network.lace", "summary.json")
    first = {name: (out / name).read_bytes() for name in names}
    result, notes, (warning,) = continued(settings(folder, output=str(out), seed=1))
    assert notes == []
    assert "training begins anew" in warning
    assert result.summary["warnings"] == [warning]
    assert {name: (out / "old" / name).read_bytes() for name in names} == first
    second = (out / "checkpoint.safetensors").read_bytes()
    _, notes, warned = continued(settings(folder, output=str(out), seed=1, resume=False))
    assert (notes, warned) == ([], [])
    assert (out / "old2" / "checkpoint.safetensors").read_bytes() == second
    old = training_config(out / "old" / "config.effective.yaml")  # as the warning says
    assert f"lace train {out / 'old' / 'config.effective.yaml'}" in warning
    assert (old.seed, old.output) == (0, str(out / "old"))
    longer = old.model_copy(update={"schedule": old.schedule.model_copy(update={"max_epochs": 3})})
    assert continued(longer)[1] == ["continues from epoch 2"]


def test_a_damaged_checkpoint_is_set_aside_on_restart(folder, tmp_path):
    out = tmp_path / "run"
    train(settings(folder, output=str(out)))
    (out / "checkpoint.safetensors").write_bytes(b"nothing")
    with pytest.raises(FileFormatError, match="--restart"):
        train(settings(folder, output=str(out)))
    assert len(train(settings(folder, output=str(out), resume=False)).history) == 2
    assert (out / "old" / "checkpoint.safetensors").read_bytes() == b"nothing"


@pytest.mark.parametrize("e0", ["auto", "isolated_atoms"])
def test_other_energies_of_isolated_atoms_begin_a_new_run(tmp_path, e0):
    from ase import Atoms

    def write(energy):
        atoms = training_data.alloy(10)
        single = [Atoms(s, info={"config_type": "IsolatedAtom", "REF_energy": e})
                  for s, e in (("Cu", energy), ("Al", 0.1))]  # fmt: skip
        training_data.write_atoms(tmp_path / "train.xyz", [*single, *atoms])

    write(-0.2)
    config = settings(tmp_path, e0=e0)
    first = train(config)
    assert continued(config)[1] == ["continues from epoch 2"]
    write(-0.3)
    result, notes, warned = continued(config)
    assert notes == []
    assert "begins anew" in warned[0]
    assert result.history[0] != first.history[0]
    assert dict(zip(result.potential.elements, result.potential.e0, strict=True))["Cu"] == -0.3


def test_the_fingerprint_names_energies_elements_and_data_but_not_rounding(folder):
    config = training_config(settings(folder))
    e0, inner = np.array([0.5, -1.0]), np.array([1.0, 2.0])
    first = training.fingerprint(config, ["Al", "Cu"], e0, inner, "data")
    assert training.fingerprint(config, ["Al", "Cu"], e0 + 1e-13, inner - 1e-13, "data") == first
    others = [
        training.fingerprint(config, ["Al", "Cu"], e0 + 1e-6, inner, "data"),
        training.fingerprint(config, ["Al", "Ag"], e0, inner, "data"),
        training.fingerprint(config, ["Al", "Cu"], e0, inner + 1e-6, "data"),
        training.fingerprint(config, ["Al", "Cu"], e0, None, "data"),
        training.fingerprint(config, ["Al", "Cu"], e0, inner, "other data"),
    ]
    rate = config.model_copy(update={"schedule": replace_rate(config.schedule)})
    others.append(training.fingerprint(rate, ["Al", "Cu"], e0, inner, "data"))
    assert len({first, *others}) == 7


def replace_rate(schedule):
    return Schedule(**{**schedule.model_dump(), "learning_rate": 0.5})


HISTORY = (
    {"epoch": 1, "train_loss": 0.1 + 0.2, "validation_loss": None, "batch_size": 4, "best_epoch": -1},
    {"epoch": 2, "train_loss": 1e-300, "validation_loss": 1 / 3, "batch_size": 4, "best_epoch": 2},
)


def state_of(config, identity="a"):
    network = training.initial_network(config, np.zeros(2), 2)
    adam = torch.optim.Adam(network.parameters(), lr=0.1)
    sum(p.square().sum() for p in network.parameters()).backward()
    adam.step()
    best = {name: value.clone() for name, value in network.state_dict().items()}
    average = training.moving_average(network, config.schedule.ema_decay)
    average.update_parameters(network)
    start = Controller.start(config.schedule)
    return Checkpoint(network, adam, average, start, best, list(HISTORY), identity)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda tensors, header: tensors.pop("best.heads.1.weight"), r"best\.heads\.1\.weight"),
        (lambda tensors, header: tensors.update({"net.heads.1.weight": torch.zeros(2, 2)}), r"net\.heads\.1"),
        (lambda tensors, header: tensors.pop("average.n_averaged"), r"average\.n_averaged"),
        (lambda tensors, header: tensors.pop("adam.0.exp_avg"), r"adam\.0\.exp_avg"),
        (lambda tensors, header: tensors.update({"adam.0.exp_avg_sq": torch.zeros(7)}), r"adam\.0\.exp"),
        (lambda tensors, header: tensors.update({"adam.999.step": torch.zeros(())}), "index"),
        (lambda tensors, header: tensors.pop("history"), "history"),
        (lambda tensors, header: header["columns"].append("more"), "zip"),
        (lambda tensors, header: header["controller"].pop("batch_size"), "batch_size"),
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_leaves_the_state_as_it_was(folder, tmp_path, broken, message):
    from safetensors.torch import load_file, save_file

    config = training_config(settings(folder))
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, state_of(config))
    header, tensors = header_of(path), load_file(path)
    broken(tensors, header)
    save_file(tensors, path, {"lacemaker checkpoint": json.dumps(header)})
    state = state_of(config.model_copy(update={"seed": 5}))
    weights = {name: value.clone() for name, value in state.network.state_dict().items()}
    before = (state.controller, state.history, state.best)
    with pytest.raises(FileFormatError, match=message):
        checkpoint.read(path, state)
    assert all(torch.equal(weights[name], value) for name, value in state.network.state_dict().items())
    assert (state.controller, state.history) == before[:2]
    assert state.best is before[2]
    assert state.optimiser.state_dict()["state"][0]["step"] == 1


def test_a_checkpoint_fills_the_state(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    config = training_config(settings(folder))
    path = tmp_path / "checkpoint.safetensors"
    first = replace(state_of(config), made_with={"torch": "0"})
    checkpoint.write(path, first)
    state = state_of(config.model_copy(update={"seed": 5}))
    assert checkpoint.read(path, replace(state, fingerprint="b")) is None
    assert checkpoint.read(tmp_path / "none.safetensors", state) is None
    assert checkpoint.read(path, state) == {"torch": "0"}
    header, tensors = header_of(path), load_file(path)
    del header["made_with"]  # as older versions wrote them
    save_file(tensors, path, {"lacemaker checkpoint": json.dumps(header)})
    assert checkpoint.read(path, state) == {}
    assert state.history == list(HISTORY)
    assert [type(v) for v in state.history[1].values()] == [int, float, float, int, int]
    for a, b in ((first.network.state_dict(), state.network.state_dict()), (first.best, state.best)):
        assert all(torch.equal(a[name], b[name]) for name in a)
    moments = [s.optimiser.state_dict()["state"] for s in (first, state)]
    assert all(torch.equal(moments[0][k][m], moments[1][k][m]) for k in moments[0] for m in moments[0][k])


def test_the_moving_average_of_the_parameters_is_what_is_kept(folder, tmp_path):
    """θ̄ ← d θ̄ + (1 - d) θ after step n, d = min(decay, (1 + n)/(10 + n)), also across continued runs."""
    from safetensors.torch import load_file

    out, schedule = tmp_path / "run", {"batch_size": 64, "max_batch_size": 64, "ema_decay": 0.25}
    expected = None
    for epochs in range(1, 5):  # of one step each
        run = train(settings(folder, epochs=epochs, output=str(out), schedule=schedule))
        tensors = load_file(out / "checkpoint.safetensors")
        now = {name.removeprefix("net."): v for name, v in tensors.items() if name.startswith("net.")}
        d = [0.0, 2 / 11, 0.25, 0.25][epochs - 1]
        expected = now if expected is None else {n: d * expected[n] + (1 - d) * now[n] for n in now}
        for name, value in expected.items():
            torch.testing.assert_close(tensors[f"average.module.{name}"], value, rtol=1e-5, atol=1e-7)
        if run.history[-1]["best_epoch"] == epochs:
            kept = run.potential.network.state_dict()
            assert all(torch.equal(kept[n], tensors[f"average.module.{n}"]) for n in kept)
            assert not all(torch.equal(kept[n], now[n]) for n in kept) or epochs == 1
    assert run.history[-1]["best_epoch"] == 4


def test_without_averaging_the_parameters_themselves_are_kept(folder, tmp_path):
    from safetensors.torch import load_file

    run = train(settings(folder, epochs=1, output=str(tmp_path / "run"), schedule={"ema_decay": 0.0}))
    tensors = load_file(tmp_path / "run" / "checkpoint.safetensors")
    assert not [name for name in tensors if name.startswith("average.")]
    kept = run.potential.network.state_dict()
    assert all(torch.equal(kept[name], tensors[f"net.{name}"]) for name in kept)


def test_restart_begins_anew_from_the_command_line(folder, capsys):
    (folder / "c.yaml").write_text(dump_yaml(settings(folder, output="cli")))
    command = ["train", str(folder / "c.yaml"), "--no-report"]
    assert main(command) == 0
    assert "epoch 1:" in capsys.readouterr().err
    path = folder / "cli" / "network.lace"
    first = lace.load(path).network.state_dict()
    assert main(command) == 0
    shown = capsys.readouterr().err
    assert "continues from epoch 2" in shown
    assert "epoch 1:" not in shown
    assert main([*command, "--restart"]) == 0
    shown = capsys.readouterr().err
    assert "continues" not in shown
    assert "epoch 1:" in shown
    again = lace.load(path).network.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_device_that_is_not_there_is_said_before_the_data_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    missing = {"data": {"train": str(tmp_path / "none.xyz")}, "device": "cuda", "output": str(tmp_path / "o")}
    with pytest.raises(ConfigError, match="cannot be used"):
        train(missing)
