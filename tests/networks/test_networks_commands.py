"""A network goes where a linear potential goes: calculator, info, bench, report, validate."""

import json
import pickle

import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker.cli.app import main  # noqa: E402
from lacemaker.networks import NetworkCalculator  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished training of two epochs."""
    from lacemaker.networks import train

    work = tmp_path_factory.mktemp("network")
    training_data.write(work / "train.xyz", n=12)
    settings = training_data.config(work, output=str(work / "results"))
    settings["schedule"] = {**settings["schedule"], "max_epochs": 2}
    train(settings)
    return work / "results"


def test_the_calculator_of_a_network_file_is_a_network_calculator(folder):
    path = folder / "network.lace"
    given = lace.Calculator(path, dtype="float64")
    assert isinstance(given, NetworkCalculator)
    network = lace.load(path)
    atoms = lace.read(folder.parent / "train.xyz")[0].to_atoms()
    atoms.calc = pickle.loads(pickle.dumps(given))
    expected = network.evaluator(dtype="float64").predict(atoms)
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, abs=1e-12)
    assert atoms.get_forces() == pytest.approx(expected.forces, abs=1e-12)


def test_info_and_bench(folder, capsys, tmp_path):
    path = str(folder / "network.lace")
    assert main(["info", path]) == 0
    shown = capsys.readouterr().out
    assert "parameters" in shown
    assert "µs/atom" in shown
    assert main(["info", "--json", path]) == 0
    assert json.loads(capsys.readouterr().out)["basis"]["kind"] == "hip-hop-nn"
    command = ["bench", path, "--sizes", "8", "--repeats", "1", "--dtype", "float32"]
    assert main([*command, "--json", str(tmp_path / "b.json")]) == 0
    assert "parameters" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "b.json").read_text())["models"]
    assert found["n_parameters"] == lace.load(path).n_parameters
    assert found["evaluation"][0]["cpu_us_per_atom"] > 0


def test_the_report_is_made_again_from_the_folder_and_from_the_file(folder, tmp_path):
    again = tmp_path / "again.html"
    assert main(["report", str(folder), "-o", str(again)]) == 0
    text = again.read_text()
    assert "Learning curves" in text
    assert "Physical sanity" in text
    test = str(folder.parent / "train.xyz")
    assert main(["report", str(folder / "network.lace"), "--test", test, "-o", str(again)]) == 0
    assert "Physical sanity" in again.read_text()


def test_validate_runs_dynamics_with_a_network(folder, tmp_path, capsys):
    start = lace.read(folder.parent / "train.xyz")[0].to_atoms()
    start.write(tmp_path / "start.xyz")
    command = ["validate", str(folder / "network.lace"), "-s", str(tmp_path / "start.xyz")]
    assert main([*command, "-T", "10", "--ps", "0.01", "--seeds", "1"]) in (0, 4)
    assert "10" in capsys.readouterr().out
