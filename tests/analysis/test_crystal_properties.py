"""Elastic constants, vacancies and surfaces of Stillinger-Weber silicon: published and exact values."""

import numpy as np
import pytest
from ase.build import bulk

from lacemaker.analysis.elasticity import elastic_constants, equilibrium
from lacemaker.analysis.vacancies_and_surfaces import slab, surface_energy, vacancy_energy
from lacemaker.errors import DataError

EPSILON, A0 = 2.1683, 5.43095  # eV, Å: of Stillinger and Weber (1985)


@pytest.fixture(scope="module")
def silicon():
    """Calculator and conventional cell at equilibrium."""
    pytest.importorskip(
        "matscipy", reason="matscipy (extra validate) provides the Stillinger-Weber potential"
    )
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms.stillinger_weber import (
        Stillinger_Weber_PRB_31_5262_Si,
        StillingerWeber,
    )

    calculator = Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))
    return calculator, equilibrium(calculator, bulk("Si", "diamond", a=5.6, cubic=True))


def test_lattice_constant_and_cohesion(silicon):
    _, crystal = silicon
    assert crystal.cell.lengths() == pytest.approx([A0] * 3, abs=2e-4)
    assert crystal.get_potential_energy() / 8 == pytest.approx(-2 * EPSILON, rel=1e-4)


def test_elastic_constants_are_the_published_ones(silicon):
    """C44 with clamped atoms was published (117.2 GPa) for an epsilon of 2.315 eV."""
    calculator, _ = silicon
    found = elastic_constants(calculator, equilibrium(calculator, bulk("Si", "diamond", a=A0)))
    assert found.cubic == pytest.approx((151.4, 76.4, 56.45), rel=2e-3)
    assert found.cubic_born[:2] == pytest.approx(found.cubic[:2], rel=1e-3)
    assert found.cubic_born[2] == pytest.approx(117.2 * EPSILON / 2.315, rel=2e-3)
    assert found.bulk_modulus == pytest.approx(101.4, rel=2e-3)
    np.testing.assert_allclose(found.relaxed[:3, 3:], 0.0, atol=0.05)


def test_elastic_constants_agree_with_matscipy(silicon):
    from ase import units
    from ase.optimize import BFGS
    from matscipy.elasticity import fit_elastic_constants

    calculator, _ = silicon
    crystal = equilibrium(calculator, bulk("Si", "diamond", a=A0))
    theirs, _ = fit_elastic_constants(
        crystal, symmetry="cubic", N_steps=3, delta=2e-3, optimizer=BFGS, fmax=1e-4, verbose=False
    )
    ours = elastic_constants(calculator, crystal).relaxed
    np.testing.assert_allclose(ours, theirs / units.GPa, atol=0.5)


def test_an_unrelaxed_vacancy_costs_two_bonds_net(silicon):
    """Four bonds of -epsilon broken, two regained in the bulk; perfect angles cost nothing."""
    calculator, crystal = silicon
    found = vacancy_energy(calculator, crystal, n_atoms=216)
    assert found.unrelaxed == pytest.approx(2 * EPSILON, rel=1e-3)
    assert found.relaxed == pytest.approx(2.69, abs=0.01)  # published
    assert found.converged


@pytest.mark.parametrize(
    ("miller", "bonds_per_a2"), [((1, 0, 0), 4.0), ((1, 1, 0), 2 * 2**0.5), ((1, 1, 1), 4 / 3**0.5)]
)
@pytest.mark.parametrize("thickness", [8.0, 12.0])
def test_unrelaxed_surfaces_cost_half_a_bond_per_bond_cut(silicon, miller, bonds_per_a2, thickness):
    """Bonds cut per cube face area: 4 of (100), 2 sqrt(2) of (110), 4/sqrt(3) of (111)."""
    calculator, crystal = silicon
    a = crystal.cell.lengths()[0]
    found = surface_energy(calculator, crystal, miller, thickness=thickness)
    assert found.unrelaxed == pytest.approx(0.5 * EPSILON * bonds_per_a2 / a**2, rel=1e-3)
    assert found.relaxed <= found.unrelaxed + 1e-9


def test_slabs_have_vacuum_along_the_normal(silicon):
    _, crystal = silicon
    atoms = slab(crystal, (2, 1, 0), thickness=9.0, vacuum=7.0)
    normal = np.cross(atoms.cell[0], atoms.cell[1])
    normal /= np.linalg.norm(normal)
    height = atoms.positions @ normal
    assert np.ptp(height) > 6.0
    assert abs(atoms.cell[2] @ normal) - np.ptp(height) > 7.0
    whole = atoms.get_volume() - 7.0 * np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1]))
    assert whole / len(atoms) == pytest.approx(crystal.get_volume() / 8, rel=1e-9)


def test_questions_without_an_answer_are_explained(silicon):
    from ase.calculators.lj import LennardJones

    calculator, _ = silicon
    with pytest.raises(DataError, match="chemical potentials"):
        vacancy_energy(calculator, bulk("NaCl", "rocksalt", a=5.6))
    with pytest.raises(DataError, match="No equilibrium volume"):
        equilibrium(LennardJones(sigma=5.0, epsilon=0.01, rc=12.0), bulk("Si"))
