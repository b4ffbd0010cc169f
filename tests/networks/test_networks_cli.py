"""`lace train` from the command line."""

import json

import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.cli.app import main  # noqa: E402
from lacemaker.config.yamlfile import dump_yaml  # noqa: E402


def test_train_writes_results_and_prints_errors(tmp_path, capsys):
    training_data.write(tmp_path / "train.xyz", n=12)
    settings = training_data.config(tmp_path, output="results")
    settings["schedule"] = {**settings["schedule"], "max_epochs": 2}
    (tmp_path / "config.yaml").write_text(dump_yaml(settings))
    assert main(["train", str(tmp_path / "config.yaml"), "--threads", "1"]) == 0
    out = capsys.readouterr()
    assert "meV/atom" in out.out
    assert "epoch 1:" in out.err
    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    assert summary["network"]["kind"] == "hip-hop-nn"
    assert main(["evaluate", str(tmp_path / "results" / "network.lace"), str(tmp_path / "train.xyz")]) == 0
    assert "meV/atom" in capsys.readouterr().out
    network = lace.load(tmp_path / "results" / "network.lace")
    errors = lace.evaluate(network, tmp_path / "train.xyz").total
    assert errors.n_frames == 12


def test_a_wrong_key_is_the_users_to_correct(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("data: {train: a.xyz}\nschedul: {batch_size: 3}\n")
    assert main(["train", str(tmp_path / "config.yaml")]) == 2
    assert "did you mean `schedule`" in capsys.readouterr().err
