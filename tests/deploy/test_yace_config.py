"""`export: yace` and `lace export`: refusals come before the fit, files after it."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from lacemaker.basis import ACEBasis
from lacemaker.cli import main
from lacemaker.config import config_from
from lacemaker.deploy.yace import YaceCalculator, check_exportable, export_yace, read_yace
from lacemaker.errors import ConfigError
from lacemaker.potential import Potential
from lacemaker.workflow.fitting import make_basis

MISMATCHED = {"cutoff": 5.0, "correlation_order": 2, "max_degree": [6, 5], "pair": {"cutoff": 4.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve rattled argon crystals labelled by a Lennard-Jones potential, and a configuration."""
    from ase.io import write

    folder, rng, frames = tmp_path_factory.mktemp("argon"), np.random.default_rng(0), []
    for _ in range(12):
        atoms = bulk("Ar", a=5.3, cubic=True)
        atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
        atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0, smooth=True)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    write(folder / "train.xyz", frames)
    text = "data: {train: train.xyz}\nbasis: {correlation_order: 2, max_degree: [6, 4], cutoff: 6.0}\n"
    (folder / "config.yaml").write_text(text + "export: yace\nreport: false\nthreads: 1\noutput: out\n")
    return folder


def test_an_impossible_export_is_refused_when_the_configuration_is_made():
    basis = {**MISMATCHED, "elements": ["Si"]}
    config_from({"data": {"train": "a.xyz"}, "basis": basis})
    with pytest.raises(ConfigError, match="export: yace is not possible"):
        config_from({"data": {"train": "a.xyz"}, "basis": basis, "export": "yace"})
    with pytest.raises(ConfigError, match="export"):
        config_from({"data": {"train": "a.xyz"}, "export": "pickle"})


def test_export_may_be_a_list():
    basis = {"elements": ["Si"], "cutoff": 5.0, "correlation_order": 2, "max_degree": [6, 5]}
    assert config_from({"data": {"train": "a.xyz"}, "basis": basis, "export": ["yace"]}).export == ["yace"]
    with pytest.raises(ConfigError, match="export"):
        config_from({"data": {"train": "a.xyz"}, "basis": basis, "export": ["yace", "pickle"]})


def test_a_file_that_would_be_too_large_is_refused_when_the_configuration_is_made(monkeypatch):
    """Unless the solver is sparse: how many functions are left, only the fit can tell."""
    from lacemaker.deploy import yace

    basis = {"elements": ["Cu", "Fe", "Mn", "Ni", "Cr"], "cutoff": 5.0, "correlation_order": 3}
    given = {"data": {"train": "a.xyz"}, "basis": {**basis, "max_degree": [10, 7, 5]}, "export": "yace"}
    config_from(given)
    monkeypatch.setattr(yace, "MAX_MEGABYTES", 0.5)
    with pytest.raises(ConfigError) as error:
        config_from(given)
    for part in ("too large for LAMMPS", "with 25 bonds", "the limit is 0.5 MB", "pair style lace", "sparse"):
        assert part in str(error.value)
    config_from({**given, "solver": "asp"})


@pytest.mark.parametrize(
    ("elements", "degrees"), [(["Si"], [17]), (["Cr", "Cu", "Fe", "Mn", "Ni"], [10, 7, 5])]
)
def test_the_predicted_size_of_the_file_is_about_right(elements, degrees, tmp_path):
    basis = ACEBasis(elements, 3, degrees if len(degrees) > 1 else degrees[0], cutoff=5.5)
    coefficients = 1e-2 * np.random.default_rng(0).normal(size=basis.n_functions)
    written = export_yace(Potential(basis, coefficients, np.zeros(len(elements))), tmp_path / "a.yace")
    assert check_exportable(basis) == pytest.approx(written.n_bytes, rel=0.25)


def test_an_impossible_export_is_refused_once_the_elements_are_known():
    config = config_from({"data": {"train": "a.xyz"}, "basis": MISMATCHED, "export": "yace"})
    with pytest.raises(ConfigError, match="export: yace is not possible"):
        make_basis(config, ("Si",))


def test_a_fit_writes_the_file_and_its_deviation(folder):
    assert main(["fit", str(folder / "config.yaml"), "-o", str(folder / "out")]) == 0
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert summary["yace"]["path"] == "potential.yace"
    assert summary["yace"]["energy_error"] < 1e-9
    potential = Potential.load(folder / "out" / "potential.lace")
    atoms = bulk("Ar", a=5.2, cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.calc = YaceCalculator(folder / "out" / "potential.yace")
    assert atoms.get_potential_energy() == pytest.approx(potential.predict(atoms).energy, abs=1e-10)


def test_a_file_a_little_larger_than_predicted_is_written(folder, tmp_path, monkeypatch):
    """What passed before the fit is not refused after it."""
    from lacemaker.deploy import yace

    size = (folder / "out" / "potential.yace").stat().st_size
    monkeypatch.setattr(yace, "MAX_MEGABYTES", 0.85e-6 * size)
    monkeypatch.setattr(yace, "check_exportable", lambda *_, **__: 0)
    assert main(["fit", str(folder / "config.yaml"), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "potential.yace").stat().st_size == size


def test_lace_export_writes_the_file_and_shows_the_deviation(folder, tmp_path, capsys):
    source = folder / "out" / "potential.lace"
    target = tmp_path / "argon.yace"
    assert main(["export", str(source), str(target), "--r-min", "3.2"]) == 0
    shown = capsys.readouterr().out
    assert "Ar-Ar 3.2;" in shown
    assert f"pair_coeff * * {target} Ar" in shown
    assert read_yace(target).bonds[0, 0].inner_cutoff == 3.2
    assert main(["export", str(source), str(tmp_path / "argon.json")]) == 2
    assert "ends in .yace" in capsys.readouterr().err
    assert main(["export", str(source), str(tmp_path / "small.yace"), "--max-megabytes", "0.001"]) == 2
    assert not (tmp_path / "small.yace").exists()


def test_a_path_writes_the_file_of_its_chosen_model(folder):
    arguments = ["path", str(folder / "config.yaml"), "-o", str(folder / "path"), "--size", "20"]
    assert main(arguments) == 0
    potential = Potential.load(folder / "path" / "potential.lace")
    atoms = bulk("Ar", a=5.2, cubic=True)
    atoms.rattle(0.1, seed=4)
    atoms.calc = YaceCalculator(folder / "path" / "potential.yace")
    assert atoms.get_potential_energy() == pytest.approx(potential.predict(atoms).energy, abs=1e-10)
