"""g(r): flat for a gas, shells of a crystal, pairs of elements apart."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from lacemaker.analysis.distribution import radial_distribution
from lacemaker.errors import DataError


def test_a_gas_is_flat():
    rng = np.random.default_rng(0)
    boxes = [Atoms(f"Ar{n}", rng.random((n, 3)) * 12.0, cell=[12.0] * 3, pbc=True) for n in [300] * 8]
    found = radial_distribution(boxes, ("Ar", "Ar"), farthest=5.0, width=0.25)
    far = found.r > 1.5
    assert found.g[far] == pytest.approx(1.0, abs=0.06)
    assert found.g[far].mean() == pytest.approx(1.0 - 1 / 300, abs=0.005)


def test_shells_of_a_crystal_hold_its_neighbours():
    a = 4.0
    found = radial_distribution([bulk("Cu", a=a)], ("Cu", "Cu"), farthest=5.0, width=0.05)
    density = 4 / a**3
    counts = found.g * density * 4 / 3 * np.pi * np.diff(np.arange(0, 5.025, 0.05) ** 3)
    filled = np.flatnonzero(counts > 0.5)
    np.testing.assert_allclose(counts[filled], [12, 6, 24], rtol=1e-9)
    np.testing.assert_allclose(found.r[filled], a * np.sqrt([0.5, 1.0, 1.5]), atol=0.05)
    assert found.peak(2.0, 3.5)[0] == pytest.approx(a / 2**0.5, abs=0.05)


def test_elements_are_told_apart():
    salt = bulk("NaCl", "rocksalt", a=5.6)
    unlike = radial_distribution([salt], ("Na", "Cl"), farthest=4.5)
    like = radial_distribution([salt], ("Na", "Na"), farthest=4.5)
    assert unlike.peak(0.0, 4.5)[0] == pytest.approx(2.8, abs=0.05)
    assert like.peak(0.0, 4.5)[0] == pytest.approx(5.6 / 2**0.5, abs=0.05)
    np.testing.assert_allclose(unlike.g, radial_distribution([salt], ("Cl", "Na"), farthest=4.5).g)
    with pytest.raises(DataError, match="no pair Na-O"):
        radial_distribution([salt], ("Na", "O"))
    with pytest.raises(DataError, match="needs structures"):
        radial_distribution([], ("Na", "O"))
    with pytest.raises(DataError, match="No bin"):
        like.peak(8.0, 9.0)
