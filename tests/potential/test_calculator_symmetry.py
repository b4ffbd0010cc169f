"""The energy does not depend on how the same atoms are written down; forces and stress turn with them."""

import numpy as np
import pytest
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group, special_ortho_group


def assert_same(one, other, forces=None):
    """Two predictions, `forces` being those expected of the second."""
    expected = one.forces if forces is None else forces
    scale = max(1.0, np.abs(one.energies).max(initial=0), np.abs(one.forces).max(initial=0))
    assert other.energy == pytest.approx(one.energy, rel=0, abs=1e-11 * scale * max(1, len(one.energies)))
    np.testing.assert_allclose(other.forces, expected, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize(
    "group", [special_ortho_group, ortho_group], ids=["rotation", "rotation or reflection"]
)
@pytest.mark.parametrize("seed", range(3))
def test_rotations_and_reflections(rough, nasty, group, seed):
    turn = group.rvs(3, random_state=seed)
    turned = Atoms(nasty.numbers, nasty.positions @ turn.T, cell=nasty.cell[:] @ turn.T, pbc=nasty.pbc)
    before, after = rough.predict(nasty), rough.predict(turned)
    assert_same(before, after, before.forces @ turn.T)
    virials = [voigt_6_to_full_3x3_stress(p.virial) for p in (before, after)]
    np.testing.assert_allclose(
        virials[1], turn @ virials[0] @ turn.T, atol=1e-10 * max(1, np.abs(virials[0]).max())
    )


def test_inversion(rough, nasty):
    inverted = Atoms(nasty.numbers, -nasty.positions, cell=nasty.cell, pbc=nasty.pbc)
    before = rough.predict(nasty)
    assert_same(before, rough.predict(inverted), -before.forces)


def test_permutation(rough, nasty):
    order = np.random.default_rng(0).permutation(len(nasty))
    before, after = rough.predict(nasty), rough.predict(nasty[order])
    assert_same(before, after, before.forces[order])
    np.testing.assert_allclose(after.energies, before.energies[order], rtol=1e-11)


def test_translation(rough, nasty):
    moved = nasty.copy()
    moved.positions += [0.37, -5.1, 2.2]
    assert_same(rough.predict(nasty), rough.predict(moved))


def test_wrapping_and_lattice_shifts(rough, nasty):
    wrapped, shifted = nasty.copy(), nasty.copy()
    wrapped.wrap()
    shifts = np.random.default_rng(1).integers(-3, 4, (len(nasty), 3)) * nasty.pbc
    shifted.positions += shifts @ nasty.cell[:]
    before = rough.predict(nasty)
    assert_same(before, rough.predict(wrapped))
    assert_same(before, rough.predict(shifted))


def test_another_cell_of_the_same_lattice(silicon, diamond):
    other = diamond.copy()
    other.set_cell(np.array([[1, 1, 0], [0, 1, 0], [-2, 3, 1]]) @ diamond.cell[:])
    assert_same(silicon.predict(diamond), silicon.predict(other))


def test_cell_means_nothing_without_periodicity(rough, nasty):
    nasty.pbc = False
    before = rough.predict(nasty)
    for cell in (np.zeros((3, 3)), np.diag([0.5, 0.5, 0.5]), np.full((3, 3), 7.0)):
        nasty.set_cell(cell)
        assert_same(before, rough.predict(nasty))


def test_open_axis_of_a_slab_means_nothing(rough):
    from matter import nasty_structures

    slab = nasty_structures()["slab"]
    before = rough.predict(slab)
    for height in (0.0, 1.0, 500.0):
        slab.cell[2] = [0, 0, height]
        assert_same(before, rough.predict(slab))
    slab.cell[2] = [1.0, 2.0, 3.0]
    assert_same(before, rough.predict(slab))


@pytest.mark.parametrize("tiny", [5e-324, 1e-200, 1e-52, 1e-16])
def test_vanishing_displacements_change_nothing(silicon, tiny):
    from ase.build import bulk

    crystal = bulk("Si", a=5.43, cubic=True)
    before = silicon.predict(crystal)
    crystal.positions += tiny
    crystal.positions[0, 2] -= 2 * tiny
    assert_same(before, silicon.predict(crystal))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_atoms=st.integers(1, 6), pbc=st.tuples(*[st.booleans()] * 3))
def test_random_structures(rough, seed, n_atoms, pbc):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) + 4 * np.eye(3)
    positions = spread(rng, n_atoms) @ cell
    atoms = Atoms(rng.choice([8, 14], n_atoms), positions, cell=cell, pbc=pbc)
    turn = ortho_group.rvs(3, random_state=seed)
    order = rng.permutation(n_atoms)
    shifts = rng.integers(-2, 3, (n_atoms, 3)) * atoms.pbc
    moved = (positions + shifts @ cell + rng.normal(size=3)) @ turn.T
    other = Atoms(atoms.numbers[order], moved[order], cell=cell @ turn.T, pbc=pbc)
    before = rough.predict(atoms)
    assert_same(before, rough.predict(other), (before.forces @ turn.T)[order])


def spread(rng, n_atoms):
    """Fractional positions on different points of a 2 × 2 × 2 grid, jittered: no two atoms very near."""
    grid = np.stack(np.meshgrid(*[[0.0, 0.5]] * 3), axis=-1).reshape(-1, 3)
    return rng.permutation(grid)[:n_atoms] + rng.uniform(-0.1, 0.1, (n_atoms, 3))
