"""Training: reproducible, resumed exactly after a kill, and it learns."""

import json
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from training_data import SMALL_NETWORK  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.errors import ConfigError, FileFormatError, SolverError  # noqa: E402
from lacemaker.networks import training, workflow  # noqa: E402
from lacemaker.networks.config import LossWeights, Schedule, TrainingConfig, training_config  # noqa: E402
from lacemaker.networks.controller import Controller  # noqa: E402
from lacemaker.networks.dataset import Dataset  # noqa: E402
from lacemaker.networks.loss import loss, scores  # noqa: E402
from lacemaker.networks.network import Network  # noqa: E402
from lacemaker.networks.options import NetworkOptions  # noqa: E402
from lacemaker.networks.workflow import train  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks")
    training_data.write(path / "train.xyz")
    return path


@pytest.fixture(scope="module")
def trained(folder):
    return train(training_data.config(folder, output=str(folder / "full")))


def weights_of(result):
    return {name: value.numpy() for name, value in result.potential.network.state_dict().items()}


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_the_folder_holds_all_results(trained):
    summary = json.loads((trained.folder / "summary.json").read_text())
    assert set(summary["errors"]) == {"train", "validation", "test"}
    assert summary["errors"]["test"]["total"]["virial_mae_meV_per_atom"] > 0
    assert len(summary["training"]["history"]) == 6
    page = (trained.folder / "report.html").read_text()
    assert "Learning curves" in page
    assert "<svg" in page
    again = training_config(trained.folder / "config.effective.yaml")
    assert again.network == training_config(training_data.config(trained.folder)).network


def test_training_improves_on_the_energies_of_elements(trained):
    assert trained.history[-1]["validation_forces_rmse"] < 0.8 * trained.history[0]["validation_forces_rmse"]


def test_the_best_epoch_is_restored(trained):
    best = trained.history[-1]["best_epoch"]
    row = trained.history[best - 1]
    assert row["validation_loss"] == min(r["validation_loss"] for r in trained.history)
    assert trained.errors["validation"].total.forces_mae_eV_per_A == pytest.approx(
        row["validation_forces_mae"], rel=1e-4
    )


def test_the_same_seed_gives_the_same_network_and_another_another(folder, trained):
    twin = train(training_data.config(folder, output=str(folder / "twin"), report=False))
    assert same(weights_of(trained), weights_of(twin))
    other = train(training_data.config(folder, output=str(folder / "other"), seed=1, report=False))
    assert not same(weights_of(trained), weights_of(other))


def test_a_killed_run_continues_to_the_same_result(folder, trained, monkeypatch):
    """Killed within an epoch, after checkpoints of earlier ones."""
    settings = training_data.config(folder, output=str(folder / "killed"), report=False)
    calls = 0

    def dying(*arguments):
        nonlocal calls
        calls += 1
        if calls == 15:
            raise KeyboardInterrupt
        return loss(*arguments)

    monkeypatch.setattr(training, "loss", dying)
    with pytest.raises(KeyboardInterrupt):
        train(settings)
    monkeypatch.setattr(training, "loss", loss)
    seen = []
    monkeypatch.setattr(workflow, "_line", lambda row, unit: seen.append(row["epoch"]) or "")
    resumed = train(settings)
    assert min(seen) > 1  # it did not begin anew
    assert same(weights_of(trained), weights_of(resumed))
    curves = [[{**row, "seconds": 0} for row in r.history] for r in (trained, resumed)]
    assert curves[0] == curves[1]


def test_a_damaged_checkpoint_is_an_error(folder):
    settings = training_data.config(folder, output=str(folder / "damaged"), report=False)
    train(settings)
    path = folder / "damaged" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FileFormatError, match="no usable checkpoint"):
        train(settings)


def test_controllers_double_the_batch_then_halve_the_rate_then_stop():
    schedule = Schedule(batch_size=4, max_batch_size=8, patience=1, stopping_patience=7, learning_rate=1.0)
    state, seen = Controller.start(schedule), []
    for value in [5, 4, 6, 6, 6, 6, 6, 6, 6]:
        state = state.after(value, schedule)
        seen.append((state.batch_size, state.learning_rate))
        if state.finished(schedule):
            break
    assert seen == [(4, 1), (4, 1), (4, 1), (8, 1), (8, 1), (8, 0.5), (8, 0.5), (8, 0.25), (8, 0.25)]
    assert state.finished(schedule)
    assert state.best_epoch == 2
    assert Controller.from_dict(state.to_dict()) == state


@pytest.mark.parametrize(
    ("interacting", "energies", "scales"),
    [
        (False, np.array([-0.1, 0.2]), (None, 1e-2, 1e-4)),  # the elements' head, then falling sizes
        (False, None, (1e-2, 1e-4)),  # E0 took the place of that head
        (True, None, (1.0, 1e-2)),  # published: the first block carries the energies of the elements
    ],
)
def test_heads_fall_in_size(interacting, energies, scales):
    net = {**SMALL_NETWORK, "interactions": 2, "first_is_interacting": interacting}
    config = TrainingConfig(data={"train": "x"}, network=net, seed=3)
    made = training.initial_network(config, energies, 2)
    torch.manual_seed(3)
    raw = Network(made.options, 2)
    assert len(made.heads) == len(scales)
    for head, plain, scale in zip(made.heads, raw.heads, scales, strict=True):
        if scale is None:
            assert head.weight.tolist()[0] == pytest.approx(energies)
        else:
            torch.testing.assert_close(head.weight, scale * plain.weight)
            torch.testing.assert_close(head.bias, scale * plain.bias)


def frames_and_config(**changes):
    frames = lace.read(training_data.alloy(6))
    return frames, TrainingConfig(
        **training_data.config(__import__("pathlib").Path("."), dtype="float64", **changes)
    )


def test_the_loss_is_the_sum_of_its_terms():
    frames, config = frames_and_config()
    data = Dataset(frames, frames.elements, np.zeros(2), config)
    network = training.initial_network(config, np.array([-0.1, 0.2]), 2)
    labelled = data.select(range(6), "cpu")
    result = network.evaluate(labelled.batch)
    e = np.array([(p - f.energy) / len(f) for p, f in zip(result.energy.tolist(), frames, strict=True)])
    f = np.asarray(result.forces().detach()) - np.concatenate([f.forces for f in frames])
    expected = sum(np.sqrt((x**2).mean()) + np.abs(x).mean() for x in (e, f))
    plain = LossWeights(energy_per_atom=True, hierarchy=0.0, l2=0.0)
    assert float(loss(network, labelled, plain).detach()) == pytest.approx(expected, rel=1e-10)
    assert scores(network, data, plain, "cpu").loss == pytest.approx(expected, rel=1e-10)
    more = LossWeights(energy_per_atom=True, hierarchy=0.3, hierarchy_kind="batch", l2=0.01)
    extra = 0.3 * result.hierarchicality("batch") + 0.01 * network.regularisation()
    assert float(loss(network, labelled, more).detach()) == pytest.approx(
        expected + float(extra.detach()), rel=1e-10
    )


def test_weights_scale_residuals_and_missing_labels_do_not_count():
    frames, config = frames_and_config(weights={"default": {"energy": 3.0, "forces": 0.0}})
    f = frames[1]
    bare = lace.structures.Frame(f.numbers, f.positions, f.cell, f.pbc, energy=f.energy)
    some = lace.structures.Frames([frames[0], bare])
    network = training.initial_network(config, np.zeros(2), 2)
    plain = config.model_copy(update={"weights": {}})
    sets = [Dataset(some, frames.elements, np.zeros(2), c) for c in (config, plain)]
    only_energy = LossWeights(forces=0.0)
    tripled, single = (scores(network, s, only_energy, "cpu") for s in sets)
    assert tripled.loss == pytest.approx(3 * single.loss)
    assert tripled.energy_mae == single.energy_mae > 0  # errors are shown as they are
    both = scores(network, sets[0], LossWeights(), "cpu")
    assert np.isnan(both.forces_mae)  # no label of forces has weight
    assert both.loss == pytest.approx(tripled.loss)


def test_a_diverging_run_says_what_to_do(folder):
    bad = training_data.config(folder, output=str(folder / "bad"))
    bad["schedule"] = {**bad["schedule"], "learning_rate": 1e30}
    with pytest.raises(SolverError, match="lower schedule"):
        train(bad)


def test_a_run_that_diverges_later_ends_with_its_best_network(folder, monkeypatch):
    config = training_data.config(folder, output=str(folder / "later"), report=False)
    config["schedule"] |= {"max_epochs": 5}
    steps = training._steps

    def diverging(state, *arguments):
        return np.nan if state.controller.epoch == 3 else steps(state, *arguments)

    monkeypatch.setattr(training, "_steps", diverging)
    result = train(config)
    assert len(result.history) == 3
    (said,) = result.summary["warnings"]
    assert "diverged in epoch 4 and ended there" in said
    assert f"that of epoch {result.history[-1]['best_epoch']}" in said
    assert (folder / "later" / "network.lace").exists()
    monkeypatch.undo()
    assert len(train(config).history) == 5  # continues from the last finite epoch


@pytest.mark.parametrize("preset", ["qm7", "ani1x", "methane", "materials"])
def test_presets_are_valid_and_given_values_win(preset):
    config = training_config({"preset": preset, "data": {"train": "a.xyz"}, "network": {"features": 7}})
    assert config.network.features == 7
    assert (config.network.cutoff == NetworkOptions().cutoff) == (preset == "ani1x")


def test_configuration_errors_name_the_key():
    with pytest.raises(ConfigError, match="did you mean `features`"):
        training_config({"data": {"train": "a.xyz"}, "network": {"feature": 7}})


def test_raw_energies_use_least_squares_outside_the_network(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
        result = train(
            training_data.config(folder, output=str(folder / "raw"), e0="least_squares", report=False,
                                 network={**SMALL_NETWORK, "kind": "hip-nn", "l_max": 0, "n_max": 4})
        )  # fmt: skip
    assert result.potential.options.first_is_interacting
    assert np.abs(result.potential.e0).max() > 1e-6
