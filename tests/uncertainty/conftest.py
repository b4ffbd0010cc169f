"""A small fit with its posterior: two elements, labels from effective-medium copper-gold."""

import pytest
from copper_gold import made

import lacemaker as lace
from lacemaker.structures import Frames


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
