"""`lace bodies` on a fit, a file and a calculator, and what it says to mistakes."""

import json

import pytest

from lacemaker.cli.app import main

EMT = "ase.calculators.emt:EMT"


def test_a_fit_is_reported_with_refits_and_support(fitted, tmp_path, capsys):
    page, table = tmp_path / "b.html", tmp_path / "b.json"
    assert main(["bodies", str(fitted), "-o", str(page), "--json", str(table)]) == 0
    out = capsys.readouterr().out
    assert "beyond 4 bodies vanish" in out
    assert "refits from the assembled system, standard basis" in out
    found = json.loads(table.read_text(encoding="utf-8"))
    assert [f["bodies"] for f in found["fits"]] == [2, 3, 4]
    assert found["pairs"][0]["support"]["ranges"]
    assert found["fits"][0]["rmse"]["validation"]["energy"] > 0
    assert "</html>" in page.read_text(encoding="utf-8")


def test_purified_refits(fitted, tmp_path, capsys):
    page = tmp_path / "b.html"
    assert main(["bodies", str(fitted), "--purified", "--bodies", "3", "-o", str(page)]) == 0
    assert "full purification basis" in capsys.readouterr().out


def test_a_potential_file_against_another(fitted, tmp_path, capsys):
    target = tmp_path / "p.html"
    potential = str(fitted / "potential.lace")
    assert main(["bodies", potential, "--reference", potential, "-o", str(target)]) == 0
    out = capsys.readouterr().out
    assert "reference potential" in out
    assert "give the output folder of the fit" in out
    assert target.exists()


def test_a_potential_file_alone_has_the_bands_of_its_samples(fitted, tmp_path, capsys):
    page, table = tmp_path / "b.html", tmp_path / "b.json"
    assert main(["bodies", str(fitted / "potential.lace"), "-o", str(page), "--json", str(table)]) == 0
    out = capsys.readouterr().out
    assert "posterior samples in the file" in out
    assert "give the output folder of the fit" in out  # refits and the share of the prior
    found = json.loads(table.read_text(encoding="utf-8"))["pairs"][0]["support"]
    assert max(found["std_eV"]) > 0
    assert found["prior_share"] is None


def test_any_calculator(tmp_path, capsys):
    target = tmp_path / "c.html"
    assert main(["bodies", EMT, "-e", "Cu", "-o", str(target)]) == 0
    assert "Cu–Cu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([EMT], "elements of ase.calculators.emt:EMT are not known"),
        ([EMT, "-e", "Cu,Xx"], "no such elements"),
        ([EMT, "-e", "Xe"], "cannot evaluate an isolated cluster"),
        (["ase.calculators.emt:Nothing", "-e", "Cu"], "calculator cannot be made"),
        (["missing.lace"], "missing.lace"),
        ([EMT, "-e", "Cu", "--purified"], "Refits need the data"),
        ([EMT, "-e", "Cu", "-r", "none.json"], "holds no dimer curve"),
        (["EMPTY"], "does not hold a finished fit"),
        (["FITTED", "--bodies", "9"], "cannot go to 9 bodies"),
    ],
)
def test_mistakes_are_explained(arguments, message, fitted, tmp_path, capsys):
    places = {"EMPTY": str(tmp_path), "FITTED": str(fitted)}
    assert main(["bodies", *(places.get(a, a) for a in arguments)]) == 2
    assert message in capsys.readouterr().err
