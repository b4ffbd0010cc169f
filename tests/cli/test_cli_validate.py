"""`lace validate` on any ASE calculator."""

import json

import pytest
from ase.build import bulk
from ase.io import write

from lacemaker.cli.app import main

EMT = "ase.calculators.emt:EMT"


@pytest.fixture
def copper(tmp_path):
    write(tmp_path / "cu.xyz", bulk("Cu", cubic=True))
    return tmp_path / "cu.xyz"


def test_a_calculator_by_name_is_run_and_reported(copper, tmp_path, capsys):
    out = tmp_path / "stability.json"
    code = main(
        ["validate", EMT, "-s", str(copper), "-T", "300,600", "--ps", "0.02", "--seeds", "1", "--atoms", "16",
         "--json", str(out)]
    )  # fmt: skip
    assert code == 0
    assert "2 of 2 runs" in capsys.readouterr().out
    found = json.loads(out.read_text())["stability"]
    assert found["n_survived"] == 2
    assert found["n_atoms"] == 16


def test_failure_has_an_exit_code(copper, capsys):
    code = main(
        ["validate", EMT, "-s", str(copper), "-T", "300", "--ps", "0.02", "--seeds", "1",
         "--bond-length", "9"]
    )  # fmt: skip
    assert code == 4
    assert "Å apart" in capsys.readouterr().out


def test_spurious_minima_of_any_calculator(copper, tmp_path, capsys):
    out = tmp_path / "minima.json"
    code = main(
        ["validate", EMT, "-s", str(copper), "--minima", "--no-dynamics", "--random-cells", "2",
         "--json", str(out)]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert "dimer Cu–Cu" in printed
    assert "random cells, relaxed" in printed
    found = json.loads(out.read_text())
    assert "stability" not in found
    assert code == (0 if found["minima"]["sane"] else 4)
    assert len(found["minima"]["relaxations"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate", EMT], "no structure to start from"),
        (["validate", "ase.calculators.emt:Nothing"], "calculator cannot be made"),
        (["validate", "missing.lace"], "missing.lace"),
        (["validate", EMT, "--no-dynamics"], "nothing to check"),
        (
            ["validate", EMT, "-s", "STRUCTURE", "-T", "hot"],
            "temperatures are no numbers",
        ),
    ],
)
def test_mistakes_are_explained(arguments, message, copper, capsys):
    code = main([str(copper) if argument == "STRUCTURE" else argument for argument in arguments])
    assert code == 2
    assert message in capsys.readouterr().err
