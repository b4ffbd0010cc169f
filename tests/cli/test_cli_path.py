"""`lace path`: sparse models of a configuration, and any of them as a potential."""

import json
import sys

import numpy as np
import pytest
from tests_cli_data import config_with

from lacemaker import Potential
from lacemaker.cli import main
from lacemaker.regression import ModelPath
from lacemaker.structures import read
from lacemaker.uncertainty import stored_active_sets


@pytest.fixture(scope="module")
def traced(data_folder, tmp_path_factory):
    """The folder of a finished path; not to be written to."""
    folder = tmp_path_factory.mktemp("path") / "out"
    arguments = ["--models", "6", "--size", "20", "--interactive", "-o", str(folder)]
    assert main(["path", str(data_folder / "config.yaml"), *arguments]) == 0
    return folder


def test_a_path_writes_its_models_pages_and_the_chosen_potential(traced):
    names = {"models.path", "path.html", "path-interactive.html", "path.json", "potential.lace"}
    assert {path.name for path in traced.iterdir()} == names
    path = ModelPath.load(traced / "models.path")
    figures = json.loads((traced / "path.json").read_text(encoding="utf-8"))
    assert [model["size"] for model in figures["models"]] == list(path.sizes)
    assert figures["chosen"] == path.by_size(20).size
    assert all(model.cost > 0.0 and model.mae["test"]["forces"] > 0.0 for model in path)
    errors = [model.fit.rmse["train"]["total"]["forces"] for model in path]
    assert np.all(np.diff(errors) < 0.02 * errors[0])  # regularised, so nearly
    assert errors[-1] < 0.2 * errors[0]
    page = (traced / "path.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 4
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_exported_model_is_the_model_of_the_path(traced, data_folder, tmp_path):
    target = tmp_path / "small.lace"
    assert main(["path", str(traced / "models.path"), "--size", "12", "-o", str(target)]) == 0
    model = ModelPath.load(traced / "models.path").by_size(12)
    potential = Potential.load(target)
    np.testing.assert_array_equal(potential.coefficients, model.fit.coefficients)
    assert np.count_nonzero(potential.coefficients) == model.size
    frames = read(data_folder / "test.xyz", require=())
    misfits = [np.abs(potential.predict(frame).forces - frame.forces) for frame in frames]
    mean = np.mean(np.concatenate([misfit.ravel() for misfit in misfits]))
    assert mean == pytest.approx(model.mae["test"]["forces"], rel=1e-9)


def test_the_chosen_model_knows_its_training_environments(traced, data_folder):
    """Active sets as after a fit, over the functions the sparse model has: γ <= 1 on all it was fitted to."""
    from lacemaker import Calculator

    potential = Potential.load(traced / "potential.lace")
    (active,) = stored_active_sets(potential)
    assert 0 < active.rank <= len(active.columns) <= np.count_nonzero(potential.coefficients) <= 20
    calculator = Calculator(potential)
    frames = read(data_folder / "train.xyz", require=())
    grades = [calculator.get_property("extrapolation_grade", frame.to_atoms()) for frame in frames]
    assert max(map(np.max, grades)) < 1.011
    assert np.concatenate(grades).std() > 0.0


def test_a_fit_with_a_path_solver_takes_one_model(job):
    config_with(job, "output: out", "output: out\nsolver: {kind: omp, sizes: [5, 15], select: final}")
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    assert np.count_nonzero(Potential.load(job / "out" / "potential.lace").coefficients) == 15


def test_a_missing_plotly_is_told_before_the_work(job, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "plotly", None)
    (job / "train.xyz").unlink()
    assert main(["path", str(job / "config.yaml"), "--interactive"]) != 0
    assert "pip install plotly" in capsys.readouterr().err
    assert main(["path", str(job / "config.yaml")]) != 0
    assert "train.xyz" in capsys.readouterr().err


def test_impossible_choices_are_explained(traced, capsys):
    assert main(["path", str(traced / "models.path"), "--size", "1"]) == 2
    assert "larger limit" in capsys.readouterr().err
    assert main(["path", str(traced / "potential.lace")]) == 2
    assert "lace path" in capsys.readouterr().err
