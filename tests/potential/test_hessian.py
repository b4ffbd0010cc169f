"""The analytic Hessian of a potential: differences of forces, symmetries, its ASE and phonopy faces."""

import numpy as np
import pytest
from ase.build import bulk
from scipy.sparse.linalg import minres

import lacemaker as lace
from lacemaker.errors import EvaluationError


def differences(potential, atoms, h=1e-4):
    """Dense Hessian from fourth-order differences of forces."""
    n, columns = len(atoms), []
    for k in range(3 * n):
        forces = []
        for step in (-2, -1, 1, 2):
            moved = atoms.copy()
            moved.positions[k // 3, k % 3] += step * h
            forces.append(potential.predict(moved).forces.ravel())
        columns.append(-(8 * (forces[2] - forces[1]) - (forces[3] - forces[0])) / (12 * h))
    return np.array(columns).T


def test_hessian_is_minus_the_derivative_of_forces(silicon, alloy, diamond):
    mixed = bulk("Cu", a=3.9, cubic=True)
    mixed.numbers[1:3] = 79
    mixed.rattle(0.1, seed=2)
    mixed.set_cell(mixed.cell[:] @ (np.eye(3) + 0.05 * np.tri(3)), scale_atoms=True)  # triclinic, many images
    for potential, atoms in ((silicon, diamond), (alloy, mixed)):
        dense = potential.hessian(atoms).toarray()
        numerical = differences(potential, atoms)
        np.testing.assert_allclose(dense, numerical, atol=1e-6 * np.abs(dense).max())
        assert np.array_equal(dense, dense.T)


def test_sum_rule_and_product(silicon, diamond):
    hessian = silicon.hessian(diamond)
    blocks = hessian.toarray().reshape(-1, 3, len(diamond), 3).sum(axis=2)
    assert np.abs(blocks).max() < 1e-9
    v = np.random.default_rng(3).normal(size=(len(diamond), 3))
    product = silicon.hessian_product(diamond, v)
    assert product.shape == v.shape
    np.testing.assert_allclose(product.ravel(), hessian @ v.ravel(), atol=1e-9)


def test_rotation_turns_the_hessian(rough, nasty):
    if len(nasty) == 1:
        pytest.skip("one atom: its Hessian is zero by the sum rule")
    rng = np.random.default_rng(4)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.linalg.det(q)
    turned = nasty.copy()
    turned.positions = nasty.positions @ q
    turned.set_cell(nasty.cell[:] @ q)
    big = np.kron(np.eye(len(nasty)), q)
    here, there = rough.hessian(nasty).toarray(), rough.hessian(turned).toarray()
    np.testing.assert_allclose(there, big.T @ here @ big, atol=1e-9 * np.abs(here).max())


def test_zbl_core_is_included(rough):
    from ase import Atoms

    close = Atoms("OSi", [[0, 0, 0], [0.55, 0.2, 0.1]])
    dense = rough.hessian(close).toarray()
    np.testing.assert_allclose(dense, differences(rough, close, 2e-5), atol=2e-6 * np.abs(dense).max())


def test_rates_of_energy_and_virial(silicon, diamond):
    """dE = -F·v - W·eps, and the strained virial by differences."""
    rng = np.random.default_rng(5)
    v, strain = rng.normal(size=(len(diamond), 3)), rng.normal(size=6)
    rates = silicon.hessian_evaluator().rates(diamond, v, strain)
    here = silicon.predict(diamond)
    assert rates.energy == pytest.approx(-np.sum(here.forces * v) - here.virial @ strain, rel=1e-10)
    xx, yy, zz, yz, xz, xy = strain * [1, 1, 1, 0.5, 0.5, 0.5]
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])

    def virial(h):
        moved = diamond.copy()
        moved.set_cell(diamond.cell[:] @ (np.eye(3) + h * matrix))
        moved.positions = diamond.positions @ (np.eye(3) + h * matrix) + h * v
        return silicon.predict(moved).virial

    h = 1e-5
    np.testing.assert_allclose(rates.virial, (virial(h) - virial(-h)) / (2 * h), rtol=1e-5, atol=1e-4)


def test_operator_solves_a_newton_step(silicon):
    """minres on the operator agrees with the dense solution, translations left out."""
    atoms = bulk("Si", a=5.43, cubic=True)
    atoms.rattle(0.01, seed=1)
    operator = silicon.hessian_evaluator().operator(atoms)
    forces = silicon.predict(atoms).forces.ravel()
    step, info = minres(operator, forces, rtol=1e-10)
    assert info == 0
    expected = np.linalg.lstsq(silicon.hessian(atoms).toarray(), forces, rcond=1e-8)[0]
    np.testing.assert_allclose(step, expected, atol=1e-6)


def test_calculator_offers_it_as_matscipy_does(silicon, diamond):
    calculator = lace.Calculator(silicon)
    diamond.calc = calculator
    hessian = calculator.get_property("hessian", diamond)
    np.testing.assert_allclose(hessian.toarray(), silicon.hessian(diamond).toarray(), atol=1e-12)
    dynamical = calculator.get_property("dynamical_matrix", diamond)
    np.testing.assert_allclose(dynamical.toarray(), hessian.toarray() / 28.085, rtol=1e-12)
    assert isinstance(calculator.get_hessian(diamond, format="dense"), np.ndarray)
    with pytest.raises(EvaluationError, match="Hessian cannot be computed"):
        calculator.get_hessian(diamond, format="blocks")


def test_impossible_directions(silicon, diamond):
    with pytest.raises(EvaluationError, match=r"(?s)displacement does not fit.*shape \(3, 3\) for 8 atoms"):
        silicon.hessian_product(diamond, np.zeros((3, 3)))
    with pytest.raises(EvaluationError, match="strain is not a strain"):
        silicon.hessian_evaluator().rates(diamond, strain=np.zeros(5))
    twins = diamond.copy()
    twins.positions[1] = twins.positions[0]
    with pytest.raises(EvaluationError, match="on top of each other"):
        silicon.hessian(twins)


def test_phonopy_force_constants_are_the_hessian(silicon):
    """Finite displacements through phonopy give the analytic Hessian, and the same frequencies."""
    phonopy = pytest.importorskip("phonopy")
    from phonopy.structure.atoms import PhonopyAtoms

    cell = bulk("Si", a=5.43)
    unit = PhonopyAtoms(symbols=cell.get_chemical_symbols(), cell=cell.cell[:], positions=cell.positions)
    phonon = phonopy.Phonopy(unit, supercell_matrix=np.diag([2, 2, 2]), primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=0.002, is_plusminus=True)
    calculate = lace.Calculator(silicon)

    def ase_atoms(p):
        from ase import Atoms

        return Atoms(p.symbols, positions=p.positions, cell=p.cell, pbc=True)

    phonon.forces = [calculate.get_forces(ase_atoms(s)) for s in phonon.supercells_with_displacements]
    phonon.produce_force_constants()
    analytic = silicon.hessian(ase_atoms(phonon.supercell)).toarray()
    n = len(phonon.supercell)
    folded = analytic.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    found = phonon.force_constants
    if found.shape[0] != n:
        folded = folded[phonon.primitive.p2s_map]
    np.testing.assert_allclose(found, folded, atol=2e-3)
    q = [[0.1, 0.2, 0.3], [0.5, 0.5, 0.0]]
    phonon.run_qpoints(q)
    numerical = phonon.qpoints.frequencies.copy()
    phonon.force_constants = np.ascontiguousarray(folded)
    phonon.run_qpoints(q)
    np.testing.assert_allclose(phonon.qpoints.frequencies, numerical, atol=1e-3)  # THz
