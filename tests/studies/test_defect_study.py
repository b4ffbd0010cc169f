"""A small study of silicon: the qualitative outcomes every defect study must show, and that it resumes."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

pytest.importorskip("matscipy", reason="the references are matscipy's")

from lacemaker.cli import main
from lacemaker.errors import ConfigError
from lacemaker.studies.cases import cases_of, code_fingerprint, fit_case, positions_within, run_case
from lacemaker.studies.config import study_config
from lacemaker.studies.equilibria import load_equilibrium
from lacemaker.studies.measures import defect_errors
from lacemaker.studies.results import estimator_accuracy, rows_of, slopes_of
from lacemaker.studies.run import prepare, study_defects
from lacemaker.studies.verdict import judge_study
from lacemaker.workflow.progress import SilentProgress, StageTimer

SETTINGS = {
    "degrees": [8, 10, 12],
    "sizes": [1, 2],
    "samples": 8,
    "observations": ["E", "F", "EF", "EFV", "EF+FC+V"],
    "bulk": {"size": 2},
    "test": {"size": 2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def result(folder):
    return study_defects({**SETTINGS, "output": str(folder)})


@pytest.fixture(scope="module")
def rows(result):
    return rows_of(result)


def row_of(rows, size, observations, knob="size"):
    (found,) = [r for r in rows if (r["size"], r["observations"], r["knob"]) == (size, observations, knob)]
    return found


def test_reference_values(result):
    assert result.crystal.lattice_constant == pytest.approx(5.43095, abs=1e-5)  # Stillinger and Weber
    assert result.crystal.energy == pytest.approx(-4.33660, abs=1e-5)
    facts = result.defects["interstitial-tetrahedral"]
    assert facts["formation_energy_eV"] == pytest.approx(5.1889, abs=1e-3)
    assert not facts["force_free"]


def test_energies_alone_give_no_equilibrium(rows):
    assert {row_of(rows, size, "E")["outcome"] for size in (1, 2)} <= {"not converged", "elsewhere"}


def test_forces_alone_give_the_geometry_but_not_the_formation_energy(rows):
    found, both = row_of(rows, 2, "F"), row_of(rows, 2, "EF")
    assert found["geometry_A"] < 0.1
    assert abs(found["formation_energy_error_eV"]) > 10 * abs(both["formation_energy_error_eV"])


def test_without_virials_the_pressure_is_undetermined(rows):
    without, with_virials = row_of(rows, 2, "EF"), row_of(rows, 2, "EFV")
    assert abs(without["lattice_constant_error_A"]) > 0.01
    assert abs(with_virials["lattice_constant_error_A"]) < 2e-4
    assert with_virials["epsilon_V_eV_per_atom"] < 0.01 * without["epsilon_V_eV_per_atom"]


def test_larger_training_cells_and_better_fits_give_better_geometries(rows):
    assert row_of(rows, 2, "EF")["geometry_A"] < 0.2 * row_of(rows, 1, "EF")["geometry_A"]
    slope = slopes_of(rows)["degree"]["EF+FC+V"]
    assert 0.6 < slope.slope < 1.8  # proportional to the force error


def test_force_constants_improve_the_force_constants_of_the_smallest_cell(rows):
    plain, constants = row_of(rows, 1, "EFV"), row_of(rows, 1, "EF+FC+V")
    assert constants["epsilon_FC_relative"] < 0.5 * plain["epsilon_FC_relative"]


def test_the_estimator_foretells_the_relaxed_error(rows):
    good = [row for row in rows if row["geometry_A"] and row["geometry_A"] < 0.3]
    facts = estimator_accuracy(good)
    assert facts["n_cases"] >= 6
    assert facts["decades"] > 0.8
    assert 0.9 < facts["ratio_median"] < 1.1
    assert facts["ratio_smallest"] > 0.7
    assert facts["ratio_largest"] < 1.4


def test_the_verdict_names_the_failures(result):
    text = "\n".join(item.text for item in judge_study(result))
    assert "without total energies the formation energy is wrong" in text
    assert "Without virials the lattice constant is off" in text
    assert "add forces" in text
    assert "meV/atom at best, hold the defect at no training size" in text
    assert "residual stress dominates" in text


def test_a_second_run_computes_nothing(result, folder, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("computed again")

    monkeypatch.setattr("lacemaker.studies.cases.fit_case", refuse)
    monkeypatch.setattr("lacemaker.studies.training._compute", refuse)
    monkeypatch.setattr("lacemaker.studies.equilibria.newton", refuse)
    again = study_defects({**SETTINGS, "output": str(folder)})
    assert [case["defects"] for case in again.cases] == [case["defects"] for case in result.cases]


def test_cases_of_other_code_are_made_again_but_labels_are_kept(result, folder, monkeypatch):
    config = study_config({**SETTINGS, "output": str(folder)})
    case = cases_of(config)[0]
    mine, _, _ = prepare(config, StageTimer(SilentProgress()))
    assert json.loads(mine.result_file(case).read_text())["code"] == code_fingerprint()

    def refuse(*arguments, **options):
        raise AssertionError("labelled again")

    monkeypatch.setattr("lacemaker.studies.training._compute", refuse)
    monkeypatch.setattr("lacemaker.studies.equilibria.newton", refuse)
    monkeypatch.setattr("lacemaker.studies.run.code_fingerprint", lambda: "of another version")
    other, _, _ = prepare(config, StageTimer(SilentProgress()))
    assert mine.result_file(case) != other.result_file(case)
    assert not other.result_file(case).exists()


def test_an_executor_gives_the_same_numbers_and_a_lost_case_is_made_again(result, folder):
    lost = sorted((folder / "work" / "cases").glob("*.json"))[:2]
    before = [json.loads(path.read_text()) for path in lost]
    for path in lost:
        path.unlink()
    with ThreadPoolExecutor(2) as pool:
        study_defects({**SETTINGS, "output": str(folder)}, executor=pool)
    for path, old in zip(lost, before, strict=True):
        new = json.loads(path.read_text())
        assert new["lattice"] == pytest.approx(old["lattice"], rel=1e-6)
        assert (new["size"], new["observations"]) == (old["size"], old["observations"])


def test_restricting_columns_is_fitting_the_smaller_basis(result, folder):
    """One triangular system serves every degree: its restriction equals an assembly in the small basis."""
    from lacemaker.regression import assemble, solve

    config = study_config({**SETTINGS, "output": str(folder)})
    timer = StageTimer(SilentProgress())
    laboratory, _, _ = prepare(config, timer)
    case = next(case for case in cases_of(config) if case.knob == "degree")
    from lacemaker.regression import TriangularSystem

    big = TriangularSystem.load(folder / "work" / "system.safetensors")
    small = config.basis.model_copy(update={"max_degree": config.degrees[case.degree]}).build(["Si"], None)
    assert positions_within(big.basis, small) == laboratory.columns[case.degree]
    frames = list(laboratory.lattice)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        restricted = assemble(big.basis, frames).restrict(laboratory.columns[case.degree])
        direct = assemble(small, frames)
        options = {"solver": config.solver, "e0": {"Si": 0.0}}
        a, b = solve(restricted, **options), solve(direct, **options)
    assert np.allclose(a.coefficients, b.coefficients, rtol=1e-5, atol=1e-8)
    assert len(fit_case(laboratory, case).coefficients) == small.n_functions


class Larger(Calculator):
    """E(x) = E_ref(x / length): right in everything but the lattice constant."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, reference, length):
        super().__init__()
        self.reference, self.length = reference, length

    def calculate(self, atoms=None, properties=(), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        inner = atoms.copy()
        inner.set_cell(atoms.cell / self.length, scale_atoms=True)
        get = self.reference.get_property
        energy, forces, stress = (get(name, inner) for name in ("energy", "forces", "stress"))
        self.results = {
            "energy": energy, "forces": forces / self.length, "stress": stress / self.length**3,
        }  # fmt: skip


def test_at_the_own_lattice_constant_only_that_is_wrong(result, folder):
    laboratory, reference, _ = prepare(result.config, StageTimer(SilentProgress()))
    ((_, path, exact),) = laboratory.equilibria
    state, crystal, length = load_equilibrium(Path(path)), laboratory.crystal, 1.004
    model = Larger(reference.calculator, length)
    settings = (model, state, crystal, result.config.test, 3.0, exact)
    theirs, own = defect_errors(*settings), defect_errors(*settings, length)
    assert own["geometry_A"] < 1e-3
    assert abs(own["formation_energy_error_eV"]) < 1e-5
    assert abs(theirs["formation_energy_error_eV"]) > 0.02
    assert theirs["geometry_A"] > 20 * own["geometry_A"]
    assert defect_errors(*settings, None)["outcome"] == "not converged"


def test_the_own_lattice_constant_shows_the_residual_stress(result, folder):
    """Without virials both energy and geometry move; with them the lattice chosen makes no difference."""
    config = study_config({**SETTINGS, "output": str(folder), "test": {"size": 2, "lattice": "model"}})
    laboratory, _, _ = prepare(config, StageTimer(SilentProgress()))
    top = {c.observations: c for c in cases_of(config) if c.size == 2 and c.knob == "size"}
    ((name, _, _),) = laboratory.equilibria
    moved = {}
    for data in ("EF", "EFV"):
        here = run_case(laboratory, top[data])["defects"][name]["formation_energy_eV"]
        (there,) = [
            case["defects"][name]["formation_energy_eV"] for case in result.cases
            if (case["size"], case["observations"], case["knob"]) == (2, data, "size")
        ]  # fmt: skip
        moved[data] = abs(here - there)
    assert moved["EFV"] < 0.01
    assert moved["EF"] > 5 * moved["EFV"]


def test_the_command_writes_page_and_tables(result, folder, tmp_path, capsys):
    config = tmp_path / "study.yaml"
    config.write_text(json.dumps({**SETTINGS, "output": str(folder)}))
    assert main(["study", "defects", str(config)]) == 0
    printed = capsys.readouterr().out
    assert "NOTCONV" in printed or "ELSEWHERE" in printed
    page = (folder / "study.html").read_text()
    assert "<svg" in page
    assert "Verdict" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    table = json.loads((folder / "study.json").read_text())
    assert len(table["rows"]) == len(result.cases)
    assert (folder / "cases.csv").read_text().startswith("defect,knob,size")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observations": ["FCV"]}, "at least E or F"),
        ({"samplse": 3}, "did you mean `samples`"),
        ({"sizes": [3, 2]}, "from small to large"),
        ({"reference": "lennard"}, "reference 'lennard' is unknown"),
        ({"reference": "no_module:make"}, "cannot be made"),
        ({"reference": {"kind": "eam", "file": "nowhere.eam.alloy"}}, "nowhere.eam.alloy is not there"),
        ({"defects": ["hole"]}, "defect 'hole' is unknown"),
        ({"crystal": {"structure": "cubic-cheese"}}, "crystal cannot be built"),
        ({"crystal": {"structure": "bcc", "element": "W"}}, "knows Si only"),
        ({"reference": "ase.calculators.emt:EMT"}, "cannot compute the crystal"),
        ({"defects": ["interstitial-octahedral"]}, "site 'octahedral' is unknown for diamond"),
        ({"defects": ["vacancy", "dumbbell-1"]}, "dumbbell's direction"),
        ({"defects": ["quadrupole-BCCNothing"]}, "dislocation 'BCCNothing' is unknown"),
    ],
)
def test_mistakes_are_named(change, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        study_defects({**SETTINGS, **change, "output": str(tmp_path)})


def test_the_force_free_vacancy_of_stillinger_weber_is_called_out(result, tmp_path):
    """The trap: its relaxation error is zero for the wrong reason."""
    from lacemaker.studies.defects import defect_cell
    from lacemaker.studies.equilibria import load_equilibrium, relax_reference
    from lacemaker.studies.references import make_reference
    from lacemaker.studies.run import _describe

    reference = make_reference("stillinger-weber")
    cell = defect_cell("vacancy", result.crystal, 2)
    path = relax_reference(cell, reference, folder=tmp_path, with_hessian=False)
    facts = _describe(load_equilibrium(path), reference, result.crystal)
    assert facts["force_free"]
    assert facts["formation_energy_eV"] == pytest.approx(4.3366, abs=1e-4)  # four broken bonds
    (warning, *_) = judge_study(replace(result, defects={"vacancy": facts}))
    assert "does not relax this defect at all" in warning.text
