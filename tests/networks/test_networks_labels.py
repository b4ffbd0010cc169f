"""What labels decide: nothing is trained or called best without them, and each quantity may be absent."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from torch.optim.optimizer import register_optimizer_step_pre_hook  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.errors import ConfigError, DataError, LacemakerWarning, SolverError  # noqa: E402
from lacemaker.networks import training  # noqa: E402
from lacemaker.networks.config import LossWeights, TrainingConfig  # noqa: E402
from lacemaker.networks.dataset import Dataset  # noqa: E402
from lacemaker.networks.labels import check_labels  # noqa: E402
from lacemaker.networks.loss import loss, scores  # noqa: E402
from lacemaker.networks.workflow import train  # noqa: E402
from lacemaker.structures import Frames  # noqa: E402


def short(folder, epochs=2, schedule=None, **changes):
    base = training_data.config(folder, report=False, **changes)
    return {**base, "schedule": {**base["schedule"], "max_epochs": epochs, **(schedule or {})}}


def dataset(frames, **changes):
    config = TrainingConfig(**{"data": {"train": "x"}, "network": training_data.SMALL_NETWORK, **changes})
    return Dataset(Frames(frames), Frames(frames).elements, np.zeros(2), config), config


def begin(network, data, config):
    """Train on the data and validate on the same."""
    return training.train_network(training.initial_state(network, config), data, data, config)


def checked(frames, **changes):
    data, config = dataset(frames, **changes)
    check_labels(data, data, config)


@pytest.fixture(scope="module")
def frames():
    return lace.read(training_data.alloy(6))


def without(frames, *names):
    return [replace(f, **dict.fromkeys(names)) for f in frames]


def test_a_monitor_without_labels_ends_before_the_first_epoch(tmp_path):
    atoms = training_data.alloy(12, stress=False)
    for a in atoms:
        del a.arrays["REF_forces"]
    training_data.write_atoms(tmp_path / "train.xyz", atoms)
    settings = short(tmp_path, schedule={"monitor": "forces_mae"})
    settings["data"]["require"] = ["energy"]
    with pytest.raises(ConfigError, match=r"monitor: forces_mae has no labels(.|\n)*monitor: loss"):
        train(settings)
    assert not (tmp_path / "out" / "network.lace").exists()
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": {"monitor": "forces_mae"}, "loss": {"forces": 0.0}}, "forces_mae has no labels"),
        ({"loss": {"energy": 0.0, "forces": 0.0}}, "without any weight in `loss`"),
        ({"weights": {"default": {"energy": 0.0, "forces": 0.0}}}, "without energy or forces"),
        (
            {"schedule": {"monitor": "energy_mae"}, "weights": {"default": {"energy": 0.0}}},
            r"energy_mae has no labels(.|\n)*loss, forces_mae",
        ),
    ],
)
def test_labels_without_weight_are_none(frames, changes, message):
    checked(frames)
    with pytest.raises(ConfigError, match=message):
        checked(frames, **changes)


def test_a_validation_part_without_labels_of_the_loss_is_refused(frames):
    labelled, config = dataset(frames, loss={"energy": 0.0})
    bare, _ = dataset(without(frames, "forces"), loss={"energy": 0.0})
    check_labels(labelled, labelled, config)
    with pytest.raises(ConfigError, match=r"monitor: loss has no labels(.|\n)*monitor: energy_mae"):
        check_labels(labelled, bare, config)


def test_the_validation_loss_is_nan_without_labels_and_counts_only_what_has_weight(frames):
    data, config = dataset(frames)
    network = training.initial_network(config, np.zeros(2), 2)
    bare, _ = dataset(without(frames, "energy", "forces", "virial"))
    assert np.isnan(scores(network, bare, LossWeights(), "cpu").loss)
    assert np.isnan(scores(network, data, LossWeights(energy=0.0, forces=0.0), "cpu").loss)
    found = scores(network, data, LossWeights(energy=0.0), "cpu")
    assert found.loss == pytest.approx(found.forces_mae + found.forces_rmse)


def test_a_run_whose_validation_is_never_finite_is_an_error(frames, monkeypatch):
    data, config = dataset(frames, schedule={"max_epochs": 1})
    found = scores(training.initial_network(config, np.zeros(2), 2), data, config.loss, "cpu")
    monkeypatch.setattr(training, "scores", lambda *arguments: replace(found, loss=np.nan))
    with pytest.raises(SolverError, match="No epoch gave a finite loss"):
        begin(training.initial_network(config, np.zeros(2), 2), data, config)


def test_forces_alone_suffice(tmp_path):
    """No energy anywhere: the whole run works, and forces improve."""
    atoms = training_data.alloy(16, stress=False)
    for a in atoms:
        del a.info["REF_energy"]
    training_data.write_atoms(tmp_path / "train.xyz", atoms)
    settings = {**short(tmp_path, epochs=4, e0="auto"), "report": True}
    settings["data"]["require"] = ["forces"]
    result = train(settings)
    assert np.all(result.potential.e0 == 0.0)
    rows = result.history
    assert rows[-1]["validation_forces_rmse"] < 0.9 * rows[0]["validation_forces_rmse"]
    assert rows[-1]["validation_energy_mae"] is None
    assert result.errors["test"].total.forces_mae_eV_per_A > 0
    assert "Learning curves" in (result.folder / "report.html").read_text()
    again = train(short(tmp_path, epochs=5, e0="auto") | {"data": settings["data"]})
    assert again.history[:4] == rows  # seconds included: continued
    assert len(again.history) == 5


def test_virials_count_where_they_are(frames, tmp_path):
    """Half of the structures without one: by hand, and a whole run."""
    some = [replace(f, virial=None) if k % 2 else f for k, f in enumerate(frames)]
    weights = LossWeights(energy=0.0, forces=0.0, virial=1.0, hierarchy=0.0, l2=0.0)
    data, config = dataset(some, loss=weights.model_dump(), dtype="float64")
    network = training.initial_network(config, np.zeros(2), 2)
    labelled = data.select(range(len(some)), "cpu")
    predicted = np.asarray(network.evaluate(labelled.batch).virial().detach())
    xx, yy, zz, yz, xz, xy = range(6)
    order = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    residual = np.array([predicted[k] - f.virial[order] for k, f in enumerate(some) if f.virial is not None])
    expected = np.sqrt((residual**2).mean()) + np.abs(residual).mean()
    assert float(loss(network, labelled, weights).detach()) == pytest.approx(expected, rel=1e-10)
    assert scores(network, data, weights, "cpu").loss == pytest.approx(expected, rel=1e-10)

    atoms = training_data.alloy(12)
    for a in atoms[::2]:
        del a.info["REF_stress"]
    training_data.write_atoms(tmp_path / "train.xyz", atoms)
    result = train(short(tmp_path))
    assert result.errors["train"].total.virial_mae_meV_per_atom > 0
    assert all(np.isfinite(row["train_loss"]) for row in result.history)


def test_force_constants_in_the_file_are_said_to_be_unused(tmp_path):
    atoms = training_data.alloy(10)
    atoms[1].new_array("force_constants", np.zeros((len(atoms[1]), 3)))
    atoms[1].info |= {"displaced_atom": 0, "direction": "x", "displacement": 0.01}
    training_data.write_atoms(tmp_path / "train.xyz", atoms)
    settings = short(tmp_path, epochs=1)
    settings["data"]["test_fraction"] = 0.0
    warning = train(settings).summary["warnings"][-1]
    assert "labels are not used" in warning
    assert "1 of 10 training structures" in warning


def test_two_structures_are_too_few_and_the_message_names_the_key(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=3)
    settings = short(tmp_path)
    settings["data"]["test_fraction"] = 0.0
    with pytest.raises(DataError, match=r"validation_fraction leaves one part empty(.|\n)*data\.validation"):
        train(settings)
    settings["validation_fraction"] = 0.4
    assert len(train(settings).history) == 2


def training_sets(settings):
    """The parts a run with these settings trains and validates on."""
    from lacemaker.networks.config import training_config
    from lacemaker.networks.preparation import split
    from lacemaker.workflow.data import load_sets

    config = training_config(settings)
    return split(load_sets(config.data, with_validation=True), config)


@pytest.mark.parametrize(("by", "n"), [("file", 4), ("config_type", 3)])
def test_validation_shares_no_file_or_config_type_with_training(tmp_path, by, n):
    """As `data.split_by` says, by which the test part is drawn as well."""
    names = [f"{k}.xyz" for k in range(n)]
    for k, name in enumerate(names):
        atoms = training_data.alloy(4, seed=k)
        for a in atoms:
            a.info["config_type"] = f"kind {k}"
        training_data.write_atoms(tmp_path / name, atoms)
    settings = short(tmp_path, validation_fraction=0.4)
    settings["data"] = {"train": [str(tmp_path / x) for x in names], "test_fraction": 0.3, "split_by": by}
    parts = training_sets(settings)
    whole = [{f.config_type for f in frames} for _, frames in parts.items()]
    assert sorted(x for kinds in whole for x in kinds) == [f"kind {k}" for k in range(n)]  # each in one part
    settings["data"] |= {"split_by": "frame"}
    mixed = [{f.config_type for f in frames} for _, frames in training_sets(settings).items()]
    assert len([x for kinds in mixed for x in kinds]) > n


def test_given_validation_structures_decide(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=8)
    training_data.write(tmp_path / "valid.xyz", n=5, seed=9)
    settings = short(tmp_path)
    settings["data"] |= {"validation": str(tmp_path / "valid.xyz"), "test_fraction": 0.0}
    result = train(settings)
    assert {name: facts["n_frames"] for name, facts in result.summary["data"].items()} == {
        "train": 8,
        "validation": 5,
    }
    best = result.history[-1]["best_epoch"] - 1
    assert result.errors["validation"].total.forces_mae_eV_per_A == pytest.approx(
        result.history[best]["validation_forces_mae"], rel=1e-4
    )


def test_a_validation_part_with_another_element_is_refused(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=8)
    other = training_data.alloy(3)
    other[0].symbols[0] = "Ni"
    training_data.write_atoms(tmp_path / "valid.xyz", other)
    settings = short(tmp_path)
    settings["data"] |= {"validation": str(tmp_path / "valid.xyz"), "test_fraction": 0.0}
    with pytest.raises(DataError, match=r"validation data hold an element outside the basis: Ni"):
        train(settings)


def test_energies_of_elements_start_at_least_squares(tmp_path):
    """Of what E0 leaves over, in the first head; they stay, or move if so configured."""
    training_data.write(tmp_path / "train.xyz")
    settings = short(tmp_path, e0={"Cu": -0.3, "Al": 0.7})
    fixed = train(settings)
    frames = lace.read(tmp_path / "train.xyz")
    assert fixed.potential.elements == frames.elements
    sets = training_sets(settings)
    counts = np.array([[f.symbols.count(e) for e in frames.elements] for f in sets.train], dtype=float)
    e0 = np.array([{"Cu": -0.3, "Al": 0.7}[e] for e in frames.elements])
    residual = np.array([f.energy for f in sets.train]) - counts @ e0
    expected = np.linalg.pinv(counts) @ residual
    assert np.abs(expected).min() > 1e-3  # there is something to learn
    head = fixed.potential.network.heads[0].weight.detach().numpy().ravel()
    assert head == pytest.approx(expected, rel=1e-6)
    moved = train({**settings, "train_element_energies": True, "output": str(tmp_path / "moved")})
    head = moved.potential.network.heads[0].weight.detach().numpy().ravel()
    assert np.abs(head - expected).min() > 1e-4


def test_gradients_are_clipped(frames):
    norms = {}
    for clip in (None, 0.01):
        data, config = dataset(frames, schedule={"max_epochs": 2, "batch_size": 2, "clip": clip})
        network = training.initial_network(config, np.zeros(2), 2)
        norms[clip] = found = []

        def record(optimiser, *_, found=found):
            gradients = [
                p.grad.flatten() for g in optimiser.param_groups for p in g["params"] if p.grad is not None
            ]
            found.append(float(torch.cat(gradients).norm()))

        hook = register_optimizer_step_pre_hook(record)
        try:
            begin(network, data, config)
        finally:
            hook.remove()
    assert len(norms[None]) == len(norms[0.01]) == 6
    assert min(norms[None]) > 0.1
    assert norms[0.01] == pytest.approx([0.01] * 6, rel=1e-3)


def test_weights_of_a_group_that_no_structure_has_are_refused(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=12)
    with pytest.raises(ConfigError, match="config_type 'liqiud', which no structure has"):
        train(short(tmp_path, weights={"liqiud": {"forces": 0.0}}))
    assert not (tmp_path / "out" / "network.lace").exists()


def test_duplicates_of_validation_structures_are_reported(tmp_path):
    training_data.write(tmp_path / "train.xyz", n=6)
    settings = short(tmp_path)
    settings["data"] |= {"validation": settings["data"]["train"], "test_fraction": 0.0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LacemakerWarning)
        result = train(settings)
    assert not [w for w in caught if issubclass(w.category, LacemakerWarning)]  # they go to the summary
    assert any(
        "Validation structures also stand in the training set" in w for w in result.summary["warnings"]
    )
