"""Suggestions, reference slopes and the report on one potential, with copper under ASE's EMT."""

import json

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.io import read as read_atoms
from ase.io import write as write_atoms

from lacemaker.calculators import Calculator
from lacemaker.cli import main
from lacemaker.cli.codes import USER_ERROR
from lacemaker.config.yamlfile import read_yaml
from lacemaker.potential import Potential
from lacemaker.regression.weights import check_weights
from lacemaker.structures import Frame
from lacemaker.studies.clusters import ball_convergence
from lacemaker.studies.generalisation import generalisation_report
from lacemaker.studies.observations import FORCE_CONSTANTS, STRAINED
from lacemaker.studies.results import rows_of
from lacemaker.studies.run import study_defects
from lacemaker.studies.suggestion import suggest, write_suggestions

COPPER = {
    "reference": "ase.calculators.emt:EMT",
    "crystal": {"structure": "fcc", "element": "Cu"},
    "defects": ["vacancy", "interstitial-octahedral"],
    "basis": {"correlation_order": 2, "cutoff": 5.0},
    "degrees": [10],
    "sizes": [2],
    "samples": 6,
    "bulk": {"size": 2},
    "test": {"size": 2},
    "observations": ["EF", "EF+FC+V"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("copper")


@pytest.fixture(scope="module")
def result(folder):
    return study_defects({**COPPER, "output": str(folder)})


@pytest.fixture(scope="module")
def config(folder):
    path = folder / "study.yaml"
    path.write_text(json.dumps({**COPPER, "output": str(folder)}))
    return path


def test_a_reference_without_hessian_and_two_defects_at_once(result):
    rows = rows_of(result)
    assert {row["defect"] for row in rows} == set(COPPER["defects"])
    assert not result.defects["vacancy"]["exact_hessian"]
    full = [row for row in rows if row["observations"] == "EF+FC+V"]
    assert all(row["converged"] for row in full)
    assert all(abs(row["lattice_constant_error_A"]) < 5e-3 for row in full)
    for row in full:
        assert row["predicted_geometry_A"] == pytest.approx(row["geometry_A"], rel=0.3)


def test_suggestions_cover_every_term_and_read_back(result, folder, tmp_path):
    (folder / "study.json").unlink(missing_ok=True)
    found = suggest({**COPPER, "output": str(folder)}, size=2)
    kinds = [proposal.config_type for proposal in found.proposals]
    assert sorted(kinds) == sorted([STRAINED, FORCE_CONSTANTS, "core-2"])
    assert kinds[0] == STRAINED  # without a study the cheapest comes first
    path, weights = write_suggestions(found, tmp_path)
    atoms = read_atoms(path, ":")
    assert len(atoms) == found.n_structures == 13 + 2 * 6 + 2
    assert {a.info["config_type"] for a in atoms} == set(kinds)
    pair = [a for a in atoms if a.info["config_type"] == FORCE_CONSTANTS]
    moved = np.abs(pair[0].positions - pair[1].positions).max()
    assert moved == pytest.approx(0.02, abs=1e-6)
    check_weights(read_yaml(weights).data["weights"], kinds)


def test_labelled_suggestions_are_fitted_with_their_weights(result, folder, tmp_path, capsys):
    """What a user does: label suggested.xyz, then one `lace fit` with the pairs as force constants."""
    found = suggest({**COPPER, "output": str(folder)}, size=2)
    path, weights = write_suggestions(found, tmp_path)
    structures = read_atoms(path, ":")
    for atoms in structures:
        atoms.calc = EMT()
        atoms.get_potential_energy()
        if atoms.info["config_type"] == STRAINED:
            atoms.get_stress()
    write_atoms(tmp_path / "labelled.xyz", structures)
    lines = [
        "data: {train: labelled.xyz, test_fraction: 0, displaced_pairs: force_constants}",
        "basis: {elements: [Cu], correlation_order: 2, max_degree: 10, cutoff: 5.0}",
        "repulsion: none", "e0: zero", "uncertainty: 0", "report: false", weights.read_text(),
    ]  # fmt: skip
    (tmp_path / "fit.yaml").write_text("\n".join(lines))
    assert main(["fit", str(tmp_path / "fit.yaml")]) == 0
    errors = json.loads((tmp_path / "lace-fit" / "summary.json").read_text())["errors"]["train"]
    assert errors["force_constants"]["force_constants_rmse_eV_per_A2"] < 0.05
    assert errors["strained"]["virial_rmse_meV_per_atom"] < 20
    (tmp_path / "fit.yaml").write_text("\n".join(lines).replace("pairs: force_constants", "pairs: constants"))
    capsys.readouterr()
    assert main(["fit", str(tmp_path / "fit.yaml")]) == USER_ERROR
    printed = capsys.readouterr()
    assert "did you mean 'force_constants'" in printed.out + printed.err


def test_a_posterior_orders_the_suggestions(result, folder, tmp_path, config, capsys):
    """Standard deviations are those of exact samples, and what the fit has not seen comes first."""
    from lacemaker.studies.cases import cases_of, fit_case
    from lacemaker.studies.run import prepare
    from lacemaker.studies.scoring import WANTED
    from lacemaker.uncertainty import attach_committee, stored_committee
    from lacemaker.workflow.progress import SilentProgress, StageTimer

    laboratory, _, _ = prepare(result.config, StageTimer(SilentProgress()))
    scores = {}
    for case in cases_of(result.config)[:2]:  # EF, EF+FC+V
        fit = fit_case(laboratory, case)
        potential = attach_committee(fit.potential(), fit.posterior, size=16)
        potential.save(tmp_path / f"{case.observations}.lace")
        found = suggest({**COPPER, "output": str(folder)}, size=2, start=Calculator(potential))
        scores[case.observations] = {p.config_type: p.uncertainty.score for p in found.proposals}
        assert list(scores[case.observations].values()) == sorted(
            scores[case.observations].values(), reverse=True
        )
        for proposal in found.proposals:
            assert np.all(np.diff(proposal.uncertainty.each) <= 0)
    assert scores["EF+FC+V"][STRAINED] < 0.1 * scores["EF"][STRAINED]
    assert scores["EF+FC+V"][FORCE_CONSTANTS] < scores["EF"][FORCE_CONSTANTS]
    (core,) = [p for p in found.proposals if p.quantity == "forces"]
    members = [
        Potential(potential.basis, potential.coefficients + d, potential.e0)
        for d in stored_committee(potential).coefficients
    ]
    atoms = core.structures[0]
    frame = Frame(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    off = [m.predict(frame).forces - potential.predict(frame).forces for m in members]
    assert core.uncertainty.each[0] == pytest.approx(float(np.sqrt(np.mean(np.square(off)))), rel=1e-6)
    assert WANTED["forces"][0] * core.uncertainty.score == pytest.approx(core.uncertainty.std)
    command = ["suggest", str(config), "--potential", str(tmp_path / "EF.lace"), "-o", str(tmp_path / "next")]
    assert main(command) == 0
    assert "of the accuracy wanted" in capsys.readouterr().out
    assert "posterior_std" in read_atoms(tmp_path / "next" / "suggested.xyz", 0).info


def test_a_finished_study_decides_what_comes_first(result, folder, config, capsys):
    assert main(["study", "defects", str(config)]) == 0
    data = json.loads((folder / "study.json").read_text())
    for row in data["rows"]:
        row.update(predicted_core_A=1e-6, predicted_far_A=0.5, lattice_constant_error_A=0.0)
    (folder / "study.json").write_text(json.dumps(data))
    found = suggest({**COPPER, "output": str(folder)}, size=2)
    assert found.proposals[0].config_type == FORCE_CONSTANTS
    assert "far field" in found.reason
    assert len(found.proposals[0].structures[0]) == 4 * 3**3  # a larger supercell than asked for
    (folder / "study.json").unlink()


def test_the_suggestions_improve_the_model_in_silico(config, capsys):
    assert main(["suggest", str(config), "--check"]) == 0
    printed = capsys.readouterr().out.split("In silico,")[-1]
    assert "before" in printed
    lines = [line.split() for line in printed.splitlines()]
    gains = {
        (words[2], k): abs(float(words[-2])) / abs(float(words[-1]))
        for k, words in enumerate(lines)
        if len(words) > 4 and words[2] in ("lattice", "virials")
    }
    assert len(gains) == 4  # two figures, two defects
    assert min(gains.values()) > 2.0


def test_report_on_one_potential(result, folder, config, capsys):
    from lacemaker.studies.cases import cases_of, fit_case
    from lacemaker.studies.run import prepare
    from lacemaker.workflow.progress import SilentProgress, StageTimer

    laboratory, _, _ = prepare(result.config, StageTimer(SilentProgress()))
    potential = fit_case(laboratory, cases_of(result.config)[-1]).potential()
    report = generalisation_report(
        potential, EMT(), result.crystal, ["vacancy"], sizes=(2, 3), frames=[*laboratory.lattice]
    )
    table = report.to_dict()
    assert set(table["defects"]["vacancy"]) == {"2", "3"}
    both = table["extrapolated"]["vacancy"]
    assert both["model_eV"] == pytest.approx(both["reference_eV"], abs=0.1)
    assert table["lattice"]["elastic_error_GPa"]["relaxed"] < 40
    assert "dominates" in str(report)
    assert table["data"] is not None
    potential.save(folder / "cu.lace")
    assert main(["study", "model", str(folder / "cu.lace"), str(config), "-o", str(folder / "m")]) == 0
    assert "foretold" in capsys.readouterr().out
    assert json.loads((folder / "m" / "generalisation.json").read_text())["reference"]
    page = (folder / "m" / "generalisation.html").read_text()
    assert "<svg" in page
    assert "C44 (GPa), clamped ions" in page


def test_clamped_balls_converge_and_are_kept(tmp_path, monkeypatch, capsys):
    settings = {
        "reference": "ase.calculators.emt:EMT",
        "crystal": {"structure": "fcc", "element": "Cu"},
        "defects": ["vacancy"],
        "radii": [1.2, 1.6, 2.1],
        "largest": 2.7,
        "buffer": 5.0,
        "tolerance": 1e-4,
        "output": str(tmp_path / "balls"),
    }
    (found,) = ball_convergence(settings)
    assert np.all(np.diff(found.two_norm) < 0)
    assert np.all(found.energy > -1e-9)  # a larger domain can only lower the energy
    assert np.all(np.diff(found.energy) < 1e-9)
    assert found.slopes()["two_norm"].slope < -0.5
    monkeypatch.setattr("lacemaker.studies.clusters.newton", None)  # nothing is computed again
    path = tmp_path / "slopes.yaml"
    path.write_text(json.dumps(settings))
    assert main(["study", "slopes", str(path)]) == 0
    assert "slope" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "balls" / "slopes.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "defects", "missing.yaml"], "missing.yaml"),
        (["suggest", "missing.yaml"], "missing.yaml"),
        (["study", "model", "missing.lace", "CONFIG"], "missing.lace"),
        (["study", "slopes", "CONFIG"], "degrees"),
    ],
)
def test_mistakes_at_the_command_line(arguments, words, config, capsys):
    arguments = [str(config) if a == "CONFIG" else a for a in arguments]
    assert main(arguments) == USER_ERROR
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_clamped_ball_serves_as_test_structure(tmp_path):
    """In the large-domain limit ball and periodic cell agree on the formation energy."""
    settings = {**COPPER, "defects": ["vacancy"], "observations": ["EF+FC+V"]}
    found = study_defects(
        {**settings, "test": {"radius": 2.1, "buffer": 6.0, "tolerance": 1e-4}, "output": str(tmp_path)}
    )
    (row,) = rows_of(found)
    assert row["converged"]
    assert row["predicted_geometry_A"] == pytest.approx(row["geometry_A"], rel=0.3)
    energy = found.defects["vacancy"]["formation_energy_eV"]
    assert energy == pytest.approx(1.15, abs=0.15)  # ASE's EMT, vacancy of copper
    assert abs(row["formation_energy_error_eV"]) < 0.1
