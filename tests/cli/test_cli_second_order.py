"""A fit with force constants, site energies and formation energies from one configuration file."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lacemaker.cli import main
from lacemaker.cli.codes import USER_ERROR

CONFIG = """\
data:
  train: train.xyz
  test_fraction: 0.0
  keys: {energies: REF_energies}
  formation_energies: {vacancy: BULK}
basis: {elements: [Cu], correlation_order: 2, max_degree: [6, 5], cutoff: 5.0}
repulsion: none
e0: zero
uncertainty: 0
report: false
weights:
  default: {energy: 30, forces: 1, virial: 1, force_constants: 0.15, energies: 5}
  vacancy: {energy: 10, energy_scaling: SCALING, formation_energy: 30}
"""


def write_data(folder):
    cell, frames = bulk("Cu", a=3.6, cubic=True).repeat((2, 2, 1)), []
    for k, kind in enumerate(["bulk", "rattled", "rattled", "vacancy", "phonons"]):
        atoms = cell.copy()
        atoms.info["config_type"] = kind
        if kind == "vacancy":
            del atoms[3]
        if kind in ("rattled", "vacancy"):
            atoms.rattle(0.05, seed=k)
        calculator = EMT()
        if kind == "phonons":
            forces = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[0, 1] += sign * 0.01
                forces.append(calculator.get_property("forces", moved).copy())
            atoms.arrays["REF_force_constants"] = -(forces[0] - forces[1]) / 0.02
            atoms.info |= {"displaced_atom": 0, "direction": "y", "displacement": 0.01}
        else:
            atoms.info["REF_energy"] = calculator.get_property("energy", atoms)
            atoms.arrays["REF_forces"] = calculator.get_property("forces", atoms)
            atoms.arrays["REF_energies"] = calculator.get_property("energies", atoms)
        frames.append(atoms)
    ase.io.write(folder / "train.xyz", frames)


def run(*arguments):
    return main([str(a) for a in arguments])


def write_config(folder, bulk="bulk", scaling="total"):
    (folder / "fit.yaml").write_text(CONFIG.replace("BULK", bulk).replace("SCALING", scaling))
    return folder / "fit.yaml"


def test_one_file_fits_them_all(tmp_path, capsys):
    write_data(tmp_path)
    assert run("fit", write_config(tmp_path)) == 0
    errors = json.loads((tmp_path / "lace-fit" / "summary.json").read_text())["errors"]["train"]
    assert errors["phonons"]["force_constants_rmse_eV_per_A2"] < 0.2
    assert errors["vacancy"]["formation_energy_mae_meV"] < 20
    assert errors["rattled"]["energies_rmse_meV"] < 100
    assert "force_constants_rmse_eV_per_A2" not in errors["rattled"]
    assert "Φ" in capsys.readouterr().out
    assert np.isfinite(errors["total"]["forces_mae_eV_per_A"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bulk": "blk"}, "did you mean 'bulk'"),
        ({"scaling": "totl"}, "energy_scaling"),
    ],
)
def test_mistakes_are_explained(tmp_path, capsys, options, message):
    write_data(tmp_path)
    assert run("fit", write_config(tmp_path, **options)) == USER_ERROR
    output = capsys.readouterr()
    assert message in output.out + output.err
    assert "Traceback" not in output.out + output.err
