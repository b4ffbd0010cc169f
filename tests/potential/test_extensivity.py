"""Perfect crystals: every supercell has the same energy per atom to 1e-10 eV, no forces, the same stress."""

import numpy as np
import pytest
from ase.build import bulk

SIZES = range(1, 11)

SILICON = {
    "diamond": bulk("Si", "diamond", a=5.43, cubic=True),
    "diamond, primitive": bulk("Si", "diamond", a=5.43),
    "bcc": bulk("Si", "bcc", a=3.1),
    "fcc": bulk("Si", "fcc", a=3.9, cubic=True),
    "sc": bulk("Si", "sc", a=2.53),
    "sc with a shell exactly at the cutoff": bulk("Si", "sc", a=2.5),
}
ALLOY = {
    "B2": bulk("CuAu", "cesiumchloride", a=3.1),
    "NaCl": bulk("CuAu", "rocksalt", a=5.3, cubic=True),
    "zincblende": bulk("CuAu", "zincblende", a=6.0, cubic=True),
    "fcc": bulk("Cu", "fcc", a=3.6, cubic=True),
}


@pytest.mark.parametrize("lattice", SILICON.values(), ids=SILICON.keys())
def test_silicon_lattices(silicon, lattice):
    assert_extensive(silicon, lattice)


@pytest.mark.parametrize("lattice", ALLOY.values(), ids=ALLOY.keys())
def test_alloy_lattices(alloy, lattice):
    assert_extensive(alloy, lattice)


def assert_extensive(potential, lattice):
    unit = potential.predict(lattice)
    assert np.isfinite(unit.energy)
    for n in SIZES:
        crystal = potential.predict(lattice.repeat(n))
        n_atoms = len(crystal.energies)
        assert crystal.energy / n_atoms == pytest.approx(unit.energy / len(lattice), rel=0, abs=1e-10)
        by_cell = crystal.energies.reshape(-1, len(lattice))
        np.testing.assert_allclose(by_cell, np.tile(unit.energies, (n**3, 1)), rtol=0, atol=1e-10)
        np.testing.assert_allclose(crystal.forces, 0, atol=1e-10)
        np.testing.assert_allclose(crystal.stress, unit.stress, rtol=0, atol=1e-10)


@pytest.mark.parametrize("direction", range(3))
def test_long_thin_supercells(silicon, direction):
    lattice = SILICON["diamond, primitive"]
    repeat = [1, 1, 1]
    repeat[direction] = 200
    crystal = silicon.predict(lattice.repeat(repeat))
    np.testing.assert_allclose(crystal.energies, silicon.predict(lattice).energies[0], rtol=0, atol=1e-10)


def test_perfect_and_rattled_crystals_are_neighbours_in_energy(silicon):
    # a peer's potential jumped by 10^6 eV at perfect supercells; rattled by 1e-5 Å it was right
    crystal = SILICON["diamond"].repeat(6)
    perfect = silicon.predict(crystal).energy
    crystal.rattle(1e-5, seed=1)
    assert silicon.predict(crystal).energy == pytest.approx(perfect, abs=1e-8 * len(crystal))


def test_supercells_of_a_disordered_cell_repeat_its_forces(alloy):
    cell = ALLOY["fcc"].copy()
    cell.numbers[:2] = 79
    cell.rattle(0.15, seed=3)
    unit, crystal = alloy.predict(cell), alloy.predict(cell.repeat((3, 2, 4)))
    np.testing.assert_allclose(crystal.forces.reshape(-1, 4, 3), np.tile(unit.forces, (24, 1, 1)), atol=1e-10)
