"""ace-jax (PyPI, MIT) reads what we write, and says of other files what we say.

It needs JAX, so it may live in an environment of its own: LACEMAKER_ACEJAX names its Python.
"""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from yace_cases import random_model, structure

import lacemaker as lace
from lacemaker.basis import ZBL
from lacemaker.deploy.yace import Embedding, YaceEvaluator, export_yace, read_yace, write_yace

SCRIPT = """
import json, sys
import jax
jax.config.update("jax_enable_x64", True)
from ase import Atoms
from ace_jax import ACECalculator
found = []
for job in json.load(open(sys.argv[1])):
    atoms = Atoms(job["symbols"], job["positions"], cell=job["cell"], pbc=True)
    atoms.calc = ACECalculator(job["file"], dtype="float64")
    found.append({"energy": float(atoms.get_potential_energy()), "forces": atoms.get_forces().tolist()})
json.dump(found, open(sys.argv[2], "w"))
"""
DENSITIES = {
    "FinnisSinclair": Embedding("FinnisSinclair", np.array([1.0, 0.3]), np.array([1.0, 0.5])),
    "FinnisSinclairShiftedScaled": Embedding(
        "FinnisSinclairShiftedScaled", np.array([1.0, 0.7]), np.array([1.3, 0.5])
    ),
}

KINDS = [("ChebExpCos", "density"), ("ChebPow", "distance"), ("SBessel", "distance"), ("ChebLinear", "zbl")]
"""All twelve agree; each costs 20 s of compiling in JAX."""


@pytest.fixture(scope="module")
def interpreter():
    named = os.environ.get("LACEMAKER_ACEJAX")
    if named is None and importlib.util.find_spec("ace_jax") is None:
        pytest.skip(
            "ace-jax is not installed; pip install ace-jax, or name a Python that has it in LACEMAKER_ACEJAX"
        )
    return named or sys.executable


@pytest.fixture(scope="module")
def verdicts(interpreter, tmp_path_factory):
    """By name: our prediction and ace-jax's for the same file and atoms, from one process."""
    folder, ours, jobs = tmp_path_factory.mktemp("acejax"), {}, []
    for name, (path, predict, atoms) in _cases(folder).items():
        ours[name] = predict(atoms)
        jobs.append({
            "file": str(path), "symbols": atoms.get_chemical_symbols(), "positions": atoms.positions.tolist(),
            "cell": atoms.cell[:].tolist(),
        })  # fmt: skip
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [interpreter, "-c", SCRIPT, str(folder / "jobs.json"), str(folder / "out.json")]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(
        command, check=True, env={**clean, "JAX_PLATFORMS": "cpu"}, capture_output=True, timeout=540
    )
    theirs = json.loads((folder / "out.json").read_text())
    return {name: (ours[name], other) for name, other in zip(ours, theirs, strict=True)}


def _cases(folder):
    rng = np.random.default_rng(3)
    cases = {}
    basis = lace.ACEBasis(
        ["O", "Si"], 4, [8, 6, 5, 4], cutoff={"O-O": 3.4, "O-Si": 3.8, "Si-Si": 4.2}, repulsion=ZBL()
    )
    potential = lace.Potential(basis, 0.2 * rng.normal(size=basis.n_functions), [-1.0, -2.0])
    export_yace(potential, folder / "export.yace")
    cases["our export"] = (folder / "export.yace", potential.predict, structure(rng, edge=2.5))
    for k, (family, inner) in enumerate(KINDS):
        embedding = list(DENSITIES.values())[k % 2]
        model = random_model(rng, families=(family,), inner=inner, core=(1.0, 1.5), embedding=embedding)
        path = folder / f"{family}-{inner}.yace"
        write_yace(model, path)
        cases[f"{family}, {inner}"] = (path, YaceEvaluator(read_yace(path)).predict, structure(rng, edge=1.9))
    return cases


NAMES = ["our export", *(f"{family}, {inner}" for family, inner in KINDS)]


@pytest.mark.parametrize("name", NAMES)
def test_energies_and_forces_agree(verdicts, name):
    ours, theirs = verdicts[name]
    assert np.abs(ours.forces).max() > 0.1
    zbl = name.endswith("zbl")  # there e²/4πε0 has more digits: 2.4e-8 of the core
    assert theirs["energy"] == pytest.approx(ours.energy, abs=1e-10, rel=1e-7 if zbl else 1e-12)
    assert np.abs(np.array(theirs["forces"]) - ours.forces).max() < (
        1e-6 * np.abs(ours.forces).max() if zbl else 1e-9
    )
