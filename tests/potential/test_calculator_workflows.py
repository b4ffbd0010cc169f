"""The calculator at work: molecular dynamics, relaxation, phonons, elasticity; each checked by physics."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

import lacemaker as lace


def hot(potential, symbol, a, n, temperature, **options):
    """An n × n × n crystal with random velocities and a calculator."""
    atoms = bulk(symbol, a=a, cubic=True).repeat(n)
    momenta = np.random.default_rng(0).normal(size=(len(atoms), 3))
    momenta *= np.sqrt(atoms.get_masses() * units.kB * temperature)[:, None]
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    atoms.calc = lace.Calculator(potential, **options)
    return atoms


@pytest.fixture(scope="module")
def silicon_a(silicon):
    """Lattice constant of the fitted silicon, from its energies alone."""
    grid = np.linspace(5.3, 5.6, 13)
    energies = [silicon.predict(bulk("Si", a=a)).energy for a in grid]
    fit = np.polynomial.Polynomial.fit(grid, energies, 5)
    return min((r.real for r in fit.deriv().roots() if abs(r.imag) < 1e-9 and 5.3 < r.real < 5.6), key=fit)


def test_the_fit_is_silicon(silicon_a):
    assert silicon_a == pytest.approx(5.432, abs=0.02)  # Tersoff 1989


def test_constant_energy_dynamics_conserves_the_energy(silicon, silicon_a):
    def spread(femtoseconds):
        atoms = hot(silicon, "Si", silicon_a, 2, 300)
        energies = []
        dynamics = VelocityVerlet(atoms, femtoseconds * units.fs)
        dynamics.attach(lambda: energies.append(atoms.get_total_energy()))
        dynamics.run(int(200 / femtoseconds))
        assert atoms.calc.n_neighbour_builds < 20
        return np.ptp(energies) / len(atoms)

    coarse, fine = spread(2.0), spread(1.0)
    assert fine < 1e-4  # eV/atom, of about 0.04 exchanged between kinetic and potential energy
    assert fine == pytest.approx(coarse / 4, rel=0.1)  # Verlet's error goes with the square of the step


def test_reusing_neighbour_lists_does_not_change_the_trajectory(silicon, silicon_a):
    ends, builds = [], []
    for skin in (0.0, 0.5):
        atoms = hot(silicon, "Si", silicon_a, 2, 600, skin=skin)
        VelocityVerlet(atoms, 1.0 * units.fs).run(60)
        ends.append(atoms.get_positions())
        builds.append(atoms.calc.n_neighbour_builds)
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=1e-10)
    assert builds[0] == 61
    assert builds[1] <= 6


def test_wrapping_during_dynamics_does_not_change_it(alloy):
    ends = []
    for wrap in (False, True):
        atoms = hot(alloy, "Cu", 3.65, 2, 300)
        dynamics = VelocityVerlet(atoms, 2.0 * units.fs)
        if wrap:
            dynamics.attach(atoms.wrap)
        dynamics.run(40)
        ends.append(atoms.get_potential_energy())
    assert ends[0] == pytest.approx(ends[1], abs=1e-9)


def test_langevin_dynamics_reaches_its_temperature(alloy):
    atoms = hot(alloy, "Cu", 3.65, 3, 600)
    dynamics = Langevin(
        atoms,
        4 * units.fs,
        temperature_K=300,
        friction=0.05 / units.fs,
        fixcm=False,
        rng=np.random.default_rng(1),
    )
    dynamics.run(50)
    temperatures = []
    dynamics.attach(lambda: temperatures.append(atoms.get_temperature()))
    dynamics.run(100)
    assert np.mean(temperatures) == pytest.approx(300, rel=0.15)


def test_constant_pressure_dynamics_keeps_its_list_while_the_cell_moves(alloy):
    from ase.md.nptberendsen import NPTBerendsen

    atoms = hot(alloy, "Cu", 3.75, 3, 300)
    before = atoms.get_stress()[:3].mean()
    dynamics = NPTBerendsen(
        atoms, 2 * units.fs, temperature_K=300, pressure_au=0.0, compressibility_au=1 / (140 * units.GPa),
        taup=40 * units.fs, taut=50 * units.fs,
    )  # fmt: skip
    dynamics.run(60)
    assert abs(atoms.get_stress()[:3].mean()) < 0.5 * abs(before)
    assert atoms.calc.n_neighbour_builds <= 12
    np.testing.assert_allclose(atoms.get_forces(), alloy.predict(atoms).forces, rtol=0, atol=1e-11)


def test_relaxation_of_atoms_and_cell(silicon, silicon_a):
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = bulk("Si", a=5.6, cubic=True)
    atoms.rattle(0.05, seed=4)
    atoms.set_cell(atoms.cell[:] @ [[1.02, 0.01, 0], [0, 0.99, 0.01], [0, 0, 1]], scale_atoms=True)
    atoms.calc = lace.Calculator(silicon)
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-4, steps=200)
    perfect = silicon.predict(bulk("Si", a=silicon_a)).energy / 2
    assert atoms.get_potential_energy() / 8 == pytest.approx(perfect, abs=1e-6)
    assert atoms.get_volume() == pytest.approx(silicon_a**3, rel=1e-4)
    np.testing.assert_allclose(atoms.get_stress(), 0, atol=1e-5)


def test_fixed_atoms_stay(silicon):
    from ase.constraints import FixAtoms
    from ase.optimize import FIRE

    atoms = bulk("Si", a=5.43, cubic=True)
    atoms.rattle(0.1, seed=5)
    atoms.set_constraint(FixAtoms([0]))
    atoms.calc = lace.Calculator(silicon)
    held = atoms.positions[0].copy()
    assert FIRE(atoms, logfile=None).run(fmax=0.02, steps=300)
    np.testing.assert_array_equal(atoms.positions[0], held)


def test_phonons_of_phonopy_match_the_curvature_of_the_energy(silicon, silicon_a):
    phonopy = pytest.importorskip("phonopy")
    from phonopy.structure.atoms import PhonopyAtoms

    cell = bulk("Si", a=silicon_a)
    phonon = phonopy.Phonopy(
        PhonopyAtoms(symbols=cell.symbols, cell=cell.cell[:], scaled_positions=cell.get_scaled_positions()),
        supercell_matrix=2 * np.eye(3, dtype=int),
    )
    phonon.generate_displacements(distance=0.003)
    calculator, forces = lace.Calculator(silicon), []
    for displaced in phonon.supercells_with_displacements:
        atoms = bulk("Si").repeat(2)
        atoms.set_cell(displaced.cell)
        atoms.set_positions(displaced.positions)
        atoms.calc = calculator
        forces.append(atoms.get_forces())
    phonon.forces = forces
    phonon.produce_force_constants()
    frequencies = np.sort(phonon.run_qpoints([[0, 0, 0]]).frequencies[0])
    np.testing.assert_allclose(frequencies[:3], 0, atol=0.05)
    np.testing.assert_allclose(frequencies[3:], optical_frequency(silicon, cell), rtol=2e-3)


def optical_frequency(potential, cell):
    """THz, from the second derivative of the energy along the relative displacement of the two atoms."""

    def energy(u):
        atoms = cell.copy()
        atoms.positions[0, 0] += u / 2
        atoms.positions[1, 0] -= u / 2
        return potential.predict(atoms).energy

    step = 0.01
    stiffness = (energy(step) - 2 * energy(0) + energy(-step)) / step**2  # eV/Å² for the reduced mass m / 2
    omega = np.sqrt(stiffness / (cell.get_masses()[0] / 2))  # per ASE time unit
    return omega / (2 * np.pi) * units.fs * 1e3


def test_elastic_constants_of_matscipy_match_the_curvature_of_the_energy(silicon, silicon_a):
    elasticity = pytest.importorskip("matscipy.elasticity")
    atoms = bulk("Si", a=silicon_a, cubic=True)
    atoms.calc = lace.Calculator(silicon)
    stiffness = elasticity.measure_triclinic_elastic_constants(atoms, delta=1e-3)
    found = elasticity.full_3x3x3x3_to_Voigt_6x6(stiffness)
    for name, strain, i, j in (("C11", np.diag([1.0, 0, 0]), 0, 0), ("bulk", np.eye(3), None, None)):
        curvature = energy_curvature(silicon, atoms, strain)
        expected = found[i, j] if name == "C11" else found[:3, :3].sum()
        assert expected == pytest.approx(curvature, rel=5e-3), name
    assert 0.5 < found[0, 0] / (142.5 * units.GPa) < 1.5  # Tersoff 1989: C11 = 142.5 GPa; a coarse fit of it


def energy_curvature(potential, atoms, strain):
    """Second derivative of the energy by a strain that keeps fractional positions, per volume; eV/Å³."""

    def energy(step):
        copy = atoms.copy()
        copy.set_cell(atoms.cell[:] @ (np.eye(3) + step * strain), scale_atoms=True)
        return potential.predict(copy).energy

    step = 2e-3
    return (energy(step) - 2 * energy(0) + energy(-step)) / step**2 / atoms.get_volume()
