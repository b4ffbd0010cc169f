"""The template of `lace init --network`, and the dry run of `lace train`; the template needs no PyTorch."""

import json
import re

import pytest
import training_data

from lacemaker.cli.app import main
from lacemaker.config.yamlfile import dump_yaml
from lacemaker.networks.config import training_config
from lacemaker.networks.presets import PRESETS
from lacemaker.networks.template import template


def loaded(folder, text):
    (folder / "t.yaml").write_text(text, encoding="utf-8")
    return training_config(folder / "t.yaml")


@pytest.mark.parametrize("test", [None, "held out.xyz"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_template_is_a_valid_configuration(tmp_path, preset, test):
    config = loaded(tmp_path, template("train.yaml", "my train.xyz", test, preset))
    assert config.data.train == (str(tmp_path / "my train.xyz"),)
    assert config.data.test == (() if test is None else (str(tmp_path / test),))
    assert config.preset == preset
    assert config.network.features == PRESETS[preset]["network"]["features"]


def test_every_commented_line_of_the_template_is_valid_when_uncommented(tmp_path):
    lines = template("t.yaml", "t.xyz", "s.xyz", "materials").splitlines()
    optional = [k for k, line in enumerate(lines) if re.match(r"\s*# [a-z0-9_]+: ", line)]
    assert len(optional) >= 17
    for k in optional:
        changed = [*lines[:k], lines[k].replace("# ", "", 1), *lines[k + 1 :]]
        loaded(tmp_path, "\n".join(changed))


def test_init_writes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--network", "--train", "a.xyz"]) == 0
    assert "next: lace train train.yaml --dry-run" in capsys.readouterr().out
    assert training_config("train.yaml").preset == "materials"
    assert main(["init", "--network", "--preset", "fast", "b.yaml"]) == 2
    assert "materials, qm7, ani1x, methane" in capsys.readouterr().err
    assert main(["init", "--network", "--schema"]) == 0
    assert "schedule" in json.loads(capsys.readouterr().out)["properties"]


def test_a_dry_run_says_sizes_and_trains_nothing(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    training_data.write(tmp_path / "train.xyz", n=12)
    (tmp_path / "c.yaml").write_text(dump_yaml(training_data.config(tmp_path)))
    threads = torch.get_num_threads()
    assert main(["train", str(tmp_path / "c.yaml"), "--dry-run", "--threads", "1"]) == 0
    text = capsys.readouterr().out
    assert "nothing was trained" in text
    assert not (tmp_path / "out").exists()
    assert torch.get_num_threads() == threads

    from lacemaker.networks import Network, train
    from lacemaker.networks.dry_run import dry_run
    from lacemaker.networks.network import count_parameters

    settings = training_config(tmp_path / "c.yaml")
    found = dry_run(settings)
    assert found.structures == {"train": 9, "validation": 1, "test": 2}
    assert found.steps == 3  # of at most 4 structures
    assert (
        found.n_parameters == count_parameters(Network(settings.network, 2)) == 475
    )  # 88 + 42 + 12 + 84 + 240 + 9
    assert found.n_pairs == pairs(settings) > 0
    assert 0 < found.step_s < found.epoch_s
    assert train(settings).potential.n_parameters == found.n_parameters
    json.dumps(found.to_dict())


def pairs(settings):
    """Directed pairs of the training structures, by ASE's list."""
    from ase.neighborlist import neighbor_list

    from lacemaker.networks.preparation import split
    from lacemaker.workflow.data import load_sets

    train = split(load_sets(settings.data, with_validation=True), settings).train
    return sum(len(neighbor_list("i", frame.to_atoms(), settings.network.cutoff)) for frame in train)


def test_a_dry_run_refuses_what_training_would(tmp_path, capsys):
    pytest.importorskip("torch")
    training_data.write(tmp_path / "train.xyz", n=12)
    settings = training_data.config(tmp_path)
    settings["loss"] = {"energy": 0.0, "forces": 0.0}
    (tmp_path / "c.yaml").write_text(dump_yaml(settings))
    assert main(["train", str(tmp_path / "c.yaml"), "--dry-run"]) == 2
    assert "no labels that the loss counts" in capsys.readouterr().err
