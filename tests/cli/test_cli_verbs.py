"""The other verbs: evaluate, info, report, init, bench, and the demo on a reduced set."""

import json

import numpy as np
import pytest

from lacemaker import Potential, __version__
from lacemaker.cli import main


def test_evaluate_writes_the_block_of_the_summary(fitted, data_folder, tmp_path, capsys):
    target = tmp_path / "errors.json"
    assert (
        main(
            ["evaluate", str(fitted / "potential.lace"), str(data_folder / "test.xyz"), "--json", str(target)]
        )
        == 0
    )
    written = json.loads(target.read_text(encoding="utf-8"))
    summary = json.loads((fitted / "summary.json").read_text(encoding="utf-8"))
    assert written["errors"]["test"] == summary["errors"]["test"]
    assert f"{written['errors']['test']['total']['energy_mae_meV_per_atom']:.2f}" in capsys.readouterr().out


def test_evaluate_writes_structures_with_predictions(fitted, data_folder, tmp_path):
    from ase.io import read

    target = tmp_path / "predicted.xyz"
    assert (
        main(
            ["evaluate", str(fitted / "potential.lace"), str(data_folder / "test.xyz"), "--xyz", str(target)]
        )
        == 0
    )
    images = read(target, ":")
    potential = Potential.load(fitted / "potential.lace")
    assert len(images) == 12
    for atoms in images:
        prediction = potential.predict(atoms)
        assert atoms.info["lace_energy"] == pytest.approx(prediction.energy, abs=1e-9)
        assert np.allclose(atoms.arrays["lace_forces"], prediction.forces, atol=1e-9)
        assert "REF_energy" in atoms.info


def test_evaluate_filters_and_prints_markdown(fitted, data_folder, capsys):
    arguments = [
        "evaluate",
        str(fitted / "potential.lace"),
        str(data_folder / "test.xyz"),
        "--markdown",
        "--f-max",
        "1",
    ]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "| --- |" in text
    assert "atoms with |F_ref| > 1 eV/Å left out" in text


def test_evaluate_without_labels_still_predicts(fitted, tmp_path, capsys):
    from ase.build import bulk
    from ase.io import read, write

    write(tmp_path / "bare.xyz", bulk("Si"))
    arguments = [
        str(fitted / "potential.lace"),
        str(tmp_path / "bare.xyz"),
        "--xyz",
        str(tmp_path / "out.xyz"),
    ]
    assert main(["evaluate", *arguments]) == 0
    assert "TOTAL" in capsys.readouterr().out
    assert "lace_energy" in read(tmp_path / "out.xyz").info


def test_info_describes(fitted, capsys):
    assert main(["info", str(fitted / "potential.lace"), "--no-speed"]) == 0
    text = capsys.readouterr().out
    assert "Si" in text
    assert "29" in text  # functions
    assert main(["info", str(fitted / "potential.lace"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"metadata", "basis"}


def test_report_can_be_made_anew(fitted, data_folder, tmp_path, capsys):
    assert main(["report", str(fitted), "-o", str(tmp_path / "a.html")]) == 0
    arguments = ["--test", str(data_folder / "test.xyz"), "-o", str(tmp_path / "b.html")]
    assert main(["report", str(fitted / "potential.lace"), *arguments]) == 0
    assert "written: " in capsys.readouterr().out
    assert "Configuration in effect" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "test energy MAE" in (tmp_path / "b.html").read_text(encoding="utf-8")


def test_init_asks_nothing_off_a_terminal_and_its_file_is_valid(tmp_path, capsys):
    from lacemaker.config import load_config

    assert main(["init", str(tmp_path / "c.yaml")]) == 0
    assert load_config(tmp_path / "c.yaml").basis.preset == "default"
    assert "next: lace fit" in capsys.readouterr().out


def test_init_asks_three_questions_on_a_terminal(tmp_path, monkeypatch):
    import lacemaker.cli.init as verb
    from lacemaker.config import load_config

    answers = iter(["data/my.xyz", "none", "fast"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(verb.typer, "prompt", lambda question, default: next(answers))
    assert main(["init", str(tmp_path / "c.yaml")]) == 0
    assert next(answers, "all asked") == "all asked"
    config = load_config(tmp_path / "c.yaml")
    assert config.data.train == (str(tmp_path / "data" / "my.xyz"),)
    assert config.basis.preset == "fast"


def test_init_prints_a_schema(capsys):
    assert main(["init", "--schema"]) == 0
    assert "basis" in json.loads(capsys.readouterr().out)["properties"]


def test_bench_prints_speed_and_sizes(fitted, tmp_path, capsys):
    target = tmp_path / "speed.json"
    arguments = ["--sizes", "8,64", "--repeats", "1", "--isa", "all", "--json", str(target)]
    assert main(["bench", str(fitted / "potential.lace"), *arguments]) == 0
    text = capsys.readouterr().out
    assert "29 functions" in text
    assert "CPU µs/atom" in text
    assert "CPU s per 1000 atoms" in text
    from lacemaker import _core

    (model,) = json.loads(target.read_text(encoding="utf-8"))["models"]
    assert [e["n_atoms"] for e in model["evaluation"]] == [8, 64] * len(_core.isas())
    assert {e["isa"] for e in model["evaluation"]} == set(_core.isas())
    assert all(e["cpu_us_per_atom"] > 0 for e in model["evaluation"])
    assert len(model["rows"]) == len(_core.isas())


def test_standard_models_of_the_benchmark_have_the_stated_sizes():
    from lacemaker.analysis.speed import STANDARD_MODELS, rattled_silicon, standard_model
    from lacemaker.structures import neighbour_list

    assert len(standard_model("order 3, 44 neighbours, small").columns) == 347 + 12
    for order, _, _, cutoff in STANDARD_MODELS.values():
        assert order in (3, 4)
        solid = rattled_silicon(64)
        per_atom = neighbour_list(solid.positions, solid.cell, solid.pbc, cutoff).n_pairs / len(solid.numbers)
        assert min(abs(per_atom - 44), abs(per_atom - 140)) < 4


def test_demo_on_a_reduced_set(tmp_path, monkeypatch, capsys):
    from tests_cli_data import silicon_set

    from lacemaker.workflow import demo

    monkeypatch.setattr("lacemaker.datasets.load_silicon", lambda split: silicon_set(split == "test", 4))
    monkeypatch.setattr(demo, "SMALL", [6, 4, 3])
    monkeypatch.setattr(demo, "LARGE", [8, 6, 4])
    monkeypatch.setattr(demo, "TEMPERATURE", 50.0)
    monkeypatch.setattr(demo, "LATTICE", 5.2)
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder), "--md-steps", "20"]) == 0
    out = capsys.readouterr().out
    assert out.count("MAE") == 2
    assert "MD: 20 steps of 1 fs, 216 atoms" in out
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["md"]["n_steps"] == 20
    assert set(summary["small"]["errors"]) == {"train", "test"}
    assert len(Potential.load(folder / "small" / "potential.lace").columns) < len(
        Potential.load(folder / "potential.lace").columns
    )
    assert "Two models and a short MD run" in (folder / "report.html").read_text(encoding="utf-8")
    assert main(["fit", str(folder / "config.yaml"), "--dry-run"]) == 0  # as the demo suggests


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lacemaker {__version__}\n"
