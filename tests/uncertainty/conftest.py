"""A small fit with its posterior: two elements, labels from effective-medium copper-gold."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

import lacemaker as lace
from lacemaker.structures import Frames


def made(count, seed, amplitude=0.12):
    """Rattled, strained copper-gold crystals with EMT labels."""
    rng = np.random.default_rng(seed)
    atoms_list = []
    for _ in range(count):
        atoms = bulk("Cu", a=3.85, cubic=True)
        atoms.numbers = np.where(rng.random(len(atoms)) < 0.5, 29, 79)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
        atoms.calc = EMT()
        atoms.get_potential_energy(), atoms.get_forces()
        atoms_list.append(atoms)
    return lace.read(atoms_list)


@pytest.fixture(scope="session")
def frames() -> Frames:
    return made(14, 0)


@pytest.fixture(scope="session")
def test_frames() -> Frames:
    return made(6, 1)


@pytest.fixture(scope="session")
def basis():
    return lace.ACEBasis(["Cu", "Au"], 3, [7, 6, 5], cutoff=4.6)


@pytest.fixture(scope="session")
def fit(basis, frames):
    system = lace.assemble(basis, frames)
    return lace.solve(system, solver=lace.BLR(), e0="fit")
