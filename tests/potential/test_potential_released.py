"""Potential files of every release mean for ever what they meant when they were written."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lacemaker as lace

FILES = sorted((Path(__file__).parent / "released").glob("*.lace"))


def test_there_are_files():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_energies(path):
    expected = json.loads(path.with_suffix(".json").read_text())  # by lace_reader, see make_released.py
    atoms = SimpleNamespace(
        **{key: np.array(expected[key]) for key in ("numbers", "positions", "cell", "pbc")}
    )
    energies = lace.Potential.load(path).predict(atoms).energies
    scale = np.abs(expected["energies"]).max()
    np.testing.assert_allclose(energies, expected["energies"], rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_saving_again_gives_the_same_bytes(path):
    assert lace.Potential.load(path).to_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_basis_can_be_rebuilt(path):
    potential = lace.Potential.load(path)
    assert potential.basis.n_functions == len(potential.coefficients)
