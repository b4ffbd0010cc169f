"""Through the calculator: forces are minus the gradient of the energy, stress its derivative by strain."""

import numpy as np
import pytest
from matter import rattled

import lacemaker as lace
from lacemaker.structures import neighbour_list

STENCIL = ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0))  # fourth order: sum of weight f(k h) / 12 h
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def derivative(energy_at, step):
    return sum(weight * energy_at(k * step) for k, weight in STENCIL) / (12 * step)


def smooth_step(potential, atoms):
    """A step, in Å and as a strain, that brings no pair across the cutoff, where second derivatives jump."""
    cutoff = potential.cutoff
    pairs = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff + 0.1)
    gap = np.abs(pairs.distances(atoms.positions, atoms.cell.array) - cutoff).min(initial=1.0)
    return min(2e-4, 0.3 * gap / cutoff)


def numerical_forces(atoms, size):
    forces = np.zeros((len(atoms), 3))
    start = atoms.positions.copy()
    for index in np.ndindex(*forces.shape):

        def energy_at(step, index=index):
            atoms.positions[:] = start
            atoms.positions[index] += step
            return atoms.get_potential_energy()

        forces[index] = -derivative(energy_at, size)
    atoms.positions[:] = start
    return forces


def numerical_virial(atoms, size):
    virial = np.zeros(6)
    positions, cell = atoms.positions.copy(), atoms.cell.array.copy()
    for k, (a, b) in enumerate(VOIGT):

        def energy_at(step, a=a, b=b):
            strain = np.eye(3)
            strain[a, b] += step / 2
            strain[b, a] += step / 2
            atoms.set_cell(cell @ strain)
            atoms.positions[:] = positions @ strain
            return atoms.get_potential_energy()

        virial[k] = -derivative(energy_at, size)
    atoms.set_cell(cell)
    atoms.positions[:] = positions
    return virial


def assert_derivatives(potential, atoms):
    atoms.calc = lace.Calculator(potential)
    forces = atoms.get_forces()
    size = smooth_step(potential, atoms)
    scale = max(1.0, np.abs(forces).max(), abs(atoms.get_potential_energy()))
    np.testing.assert_allclose(forces, numerical_forces(atoms, size), rtol=0, atol=2e-8 * scale)
    virial = potential.predict(atoms).virial
    np.testing.assert_allclose(virial, numerical_virial(atoms, size), rtol=0, atol=2e-8 * scale)
    if atoms.pbc.any() and atoms.cell.rank == 3:
        np.testing.assert_allclose(
            atoms.get_stress(), -virial / atoms.get_volume(), rtol=0, atol=1e-13 * scale
        )


def test_nasty_structures(rough, nasty):
    assert_derivatives(rough, nasty)


def test_silicon(silicon, diamond):
    assert_derivatives(silicon, diamond)


@pytest.mark.parametrize("seed", range(3))
def test_alloy(alloy, seed):
    from ase.build import bulk

    rng = np.random.default_rng(seed)
    atoms = rattled(bulk("Cu", a=3.8, cubic=True), rng, 0.1, 0.03)
    atoms.numbers[:] = rng.choice([29, 79], 4)
    assert_derivatives(alloy, atoms)


def test_stress_has_ases_sign(silicon):
    from ase.build import bulk

    for a, sign in ((5.2, -1), (5.7, 1)):  # compressed: negative, as in ASE
        atoms = bulk("Si", a=a)
        atoms.calc = lace.Calculator(silicon)
        assert np.sign(atoms.get_stress()[:3]).tolist() == [sign] * 3
