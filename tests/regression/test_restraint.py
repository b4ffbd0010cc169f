"""The repulsion restraint keeps compressed crystals from falling into holes, at no price where data are."""

import dataclasses

import numpy as np
import pytest

import lacemaker as lace
from lacemaker.analysis import error_table
from lacemaker.basis import RepulsionRestraint, preset
from lacemaker.regression.restraint import restraint_group
from lacemaker.regression.rows import BasisRows
from lacemaker.regression.triangular import EVERY_FOLD

pytestmark = pytest.mark.filterwarnings("ignore::lacemaker.errors.LacemakerWarning")


@pytest.fixture(scope="module")
def crystals():
    """Rattled fcc copper near equilibrium, labelled by a Morse potential."""
    from ase.build import bulk
    from ase.calculators.morse import MorsePotential
    from ase.calculators.singlepoint import SinglePointCalculator

    rng = np.random.default_rng(0)
    frames = []
    for _ in range(12):
        atoms = bulk("Cu", cubic=True).repeat((1, 1, 2))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.rattle(0.12, rng=rng)
        atoms.calc = MorsePotential(epsilon=0.35, r0=2.85, rho0=4.0)
        labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        frames.append(atoms)
    return lace.read(frames)


@pytest.fixture(scope="module")
def systems(crystals):
    basis = preset("fast", "Cu")
    plain = lace.assemble(basis, crystals)
    held = dataclasses.replace(
        plain, groups=plain.groups + restraint_group(BasisRows(basis), RepulsionRestraint())
    )
    return plain, held


def lowest_compressed_energy(fit):
    """eV per atom, over fcc and simple cubic from 0.35 to 0.75 bond lengths, relative to fcc at rest."""
    from ase import Atoms

    calculator = lace.Calculator(fit.potential())
    fcc = np.sqrt(0.5) * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])

    def energy(cell):
        return Atoms("Cu", cell=cell, pbc=True, calculator=calculator).get_potential_energy()

    compressed = [energy(s * cell) for s in np.linspace(0.35, 0.75, 25) * 2.6 for cell in (np.eye(3), fcc)]
    return min(compressed) - energy(2.7 * fcc)


def test_rows_are_one_group_outside_all_folds(systems):
    plain, held = systems
    (group,) = held.groups[len(plain.groups) :]
    assert group.key == ("restraint", "restraint", EVERY_FOLD)
    assert group.factor.n_rows == len(RepulsionRestraint().structures(held.basis))
    assert held.config_types == plain.config_types


def test_compressed_crystals_are_repulsive_and_the_fit_as_good(systems, crystals):
    plain, held = (lace.solve(s, prior="algebraic") for s in systems)
    assert lowest_compressed_energy(plain) < 0.0  # a hole, deeper than the crystal
    assert lowest_compressed_energy(held) > 1.0
    errors = [error_table(fit.potential(), crystals).to_dict()["total"] for fit in (plain, held)]
    assert errors[1]["forces_rmse_eV_per_A"] < 2 * errors[0]["forces_rmse_eV_per_A"]


def test_a_basis_of_one_element_gives_restraints_of_one_element(systems):
    _, held = systems
    assert all(e == "Cu" for s in RepulsionRestraint().structures(held.basis) for e in s.elements)
