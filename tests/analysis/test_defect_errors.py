"""Error measures for crystals and defects: literature values, exact laws, two ways to one number."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

import lacemaker as lace
from lacemaker.analysis import (
    elastic_constants,
    equilibrium_scale,
    force_constant_errors,
    formation_energy,
    geometry_error,
    lattice_errors,
    phonon_errors,
    phonopy_object,
    supercell_frequencies,
    virial_errors,
)
from lacemaker.analysis.errors import EV_PER_CUBIC_ANGSTROM_IN_GPA as GPA
from lacemaker.analysis.second_derivatives import (
    STRAIN_PAIRS,
    displaced_force_constants,
    hessian,
    second_strain_derivatives,
    strain_derivatives,
)

A0 = 5.43095  # Å; Stillinger–Weber silicon: Stillinger and Weber, PRB 31, 5262 (1985), values as in matscipy


class Scaled(Calculator):
    """E(x) = stiffness · E_ref(x / length): every error of it against E_ref is known exactly."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, reference, stiffness=1.0, length=1.0):
        super().__init__()
        self.reference, self.stiffness, self.length = reference, stiffness, length

    def calculate(self, atoms=None, properties=(), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        inner = atoms.copy()
        inner.set_cell(atoms.cell[:] / self.length, scale_atoms=True)
        get, k = self.reference.get_property, self.stiffness
        self.results = {
            "energy": k * get("energy", inner),
            "forces": k / self.length * get("forces", inner),
            "stress": k / self.length**3 * get("stress", inner),
        }


@pytest.fixture(scope="module")
def stillinger_weber():
    pytest.importorskip("matscipy")
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import StillingerWeber
    from matscipy.calculators.manybody.explicit_forms.stillinger_weber import Stillinger_Weber_PRB_31_5262_Si

    return Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))


@pytest.fixture(scope="module")
def fitted(stillinger_weber):
    """A small potential fitted to Stillinger–Weber cells; no shell of neighbours lies near its cutoff."""
    rng, frames = np.random.default_rng(4), []
    for k in range(14):
        atoms = bulk("Si", a=A0, cubic=True)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + 0.01 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.rattle(0.05, seed=k)
        atoms.info["REF_energy"] = stillinger_weber.get_property("energy", atoms)
        atoms.arrays["REF_forces"] = stillinger_weber.get_property("forces", atoms)
        atoms.info["REF_stress"] = stillinger_weber.get_property("stress", atoms)
        frames.append(atoms)
    basis = lace.ACEBasis(["Si"], correlation_order=2, max_degree=[8, 7], cutoff=4.9)
    system = lace.assemble(basis, lace.read(frames))
    return lace.Calculator(lace.solve(system).potential())


def silicon(a=A0):
    return bulk("Si", a=a, cubic=True)


def test_stillinger_weber_silicon(stillinger_weber):
    scale, found = equilibrium_scale(stillinger_weber, silicon(5.5))
    assert found
    assert 5.5 * scale == pytest.approx(A0, abs=1e-4)
    constants = elastic_constants(stillinger_weber, silicon())
    np.testing.assert_allclose(constants.cubic, (151.4, 76.4, 56.45), atol=0.05)
    assert constants.born[3, 3] > constants.relaxed[3, 3] + 40  # internal strain softens C44


def test_no_equilibrium_is_told(stillinger_weber):
    scale, found = equilibrium_scale(stillinger_weber, silicon(), bound=0.02)
    assert found
    assert scale == pytest.approx(1.0, abs=1e-5)
    scale, found = equilibrium_scale(stillinger_weber, silicon(1.1 * A0), bound=0.02)
    assert not found
    assert scale == pytest.approx(0.98)


def test_errors_of_a_stiffer_crystal(stillinger_weber):
    model, cell = Scaled(stillinger_weber, stiffness=1.02), silicon()
    errors = lattice_errors(model, stillinger_weber, cell, repeat=1)
    assert errors.delta_a == pytest.approx(0, abs=1e-8)
    assert errors.force_constants.relative == pytest.approx(0.02, rel=1e-6)
    assert errors.force_constants.weighted == pytest.approx(0.02, rel=1e-6)
    assert errors.virial.order0 < 1e-4
    assert errors.virial.order1 == pytest.approx(0.02 * np.abs(errors.elastic.born).max(), rel=1e-3)
    np.testing.assert_allclose(errors.elastic_model.relaxed, 1.02 * errors.elastic.relaxed, atol=1e-3)
    assert errors.phonons is not None
    assert errors.phonons.relative == pytest.approx(1.02**0.5 - 1, rel=1e-3)
    assert errors.to_dict()["elastic_error_GPa"]["relaxed"] == pytest.approx(0.02 * 151.42, rel=1e-3)


def test_errors_of_a_larger_crystal(stillinger_weber):
    model = Scaled(stillinger_weber, length=1.003)
    errors = lattice_errors(model, stillinger_weber, silicon(), repeat=1, phonons=False)
    assert errors.delta_a == pytest.approx(0.003 * A0, rel=1e-4)
    bulk_modulus = (151.4 + 2 * 76.4) / 3
    assert errors.virial.order0 == pytest.approx(3 * 0.003 * bulk_modulus, rel=0.05)
    assert errors.virial.order2 > 1.0
    np.testing.assert_allclose(errors.elastic_model.born, errors.elastic.born / 1.003**3, atol=0.01)


def test_second_strain_derivatives_of_a_cubic_polynomial_are_exact():
    rng = np.random.default_rng(0)
    a, h, t = rng.standard_normal((4, 6)), rng.standard_normal((4, 6, 6)), rng.standard_normal((4, 6, 6, 6))
    h = h + h.transpose(0, 2, 1)

    def f(e):
        return a @ e + 0.5 * np.einsum("aij,i,j", h, e, e) + np.einsum("aijk,i,j,k", t, e, e, e)

    size, unit = 0.1, np.eye(6)
    single = np.array([[f(size * unit[k]), f(-size * unit[k])] for k in range(6)])
    mixed = np.array([[f(s * size * (unit[k] + unit[m])) for s in (1, -1)] for k, m in STRAIN_PAIRS])
    found = second_strain_derivatives(f(np.zeros(6)), single, mixed, size)
    exact = np.array([h[:, k, k] for k in range(6)] + [h[:, k, m] for k, m in STRAIN_PAIRS])
    np.testing.assert_allclose(found, exact, atol=1e-10)


class Mixing:
    """A reference whose stress gets a term of two strains at once, which no single strain shows."""

    def __init__(self, calculator, cell, size):
        self.calculator, self.cell, self.size = calculator, cell, size

    def get_property(self, name, atoms):
        value = np.array(self.calculator.get_property(name, atoms))
        if name == "stress":
            strain = np.linalg.solve(self.cell, atoms.cell[:]) - np.eye(3)
            value[2] += self.size * strain[0, 0] * strain[1, 1] / GPA / np.linalg.det(np.eye(3) + strain)
        return value


def test_mixed_third_order_constants_are_seen(stillinger_weber):
    cell = silicon()
    model = Mixing(stillinger_weber, cell.cell[:], 50.0)
    errors = virial_errors(model, stillinger_weber, cell)
    assert errors.order0 == pytest.approx(0.0, abs=1e-9)
    assert errors.order1 == pytest.approx(0.0, abs=1e-7)
    assert errors.order2 == pytest.approx(50.0, rel=0.01)  # GPa
    assert errors.largest == pytest.approx(50.0 * 0.005**2, rel=0.02)


def test_the_onsite_scale_of_silicon(stillinger_weber):
    errors = force_constant_errors(stillinger_weber, stillinger_weber, silicon().repeat(2))
    assert errors.relative == 0.0
    assert errors.onsite == pytest.approx(17.7, abs=0.1)  # eV/Å², the figure of the weights of a fit


def test_analytic_and_numerical_second_derivatives_agree(fitted):
    cell = silicon()
    cell.rattle(0.02, seed=3)
    plain = Scaled(fitted)
    for analytic, numerical in zip(
        strain_derivatives(fitted, cell), strain_derivatives(plain, cell), strict=True
    ):
        np.testing.assert_allclose(analytic, numerical, atol=1e-6 * np.abs(analytic).max())
    exact = hessian(fitted, cell).toarray()
    np.testing.assert_allclose(hessian(plain, cell).toarray(), exact, atol=2e-5 * np.abs(exact).max())
    rows = displaced_force_constants(fitted, cell, [2], step=None)
    np.testing.assert_allclose(rows[0].reshape(3, -1), exact[6:9], atol=1e-12)
    numerical = displaced_force_constants(fitted, cell, [2], step=1e-3)
    np.testing.assert_allclose(numerical, rows, atol=2e-5 * np.abs(exact).max())


def test_a_fitted_model_is_near_its_reference(fitted, stillinger_weber):
    errors = lattice_errors(fitted, stillinger_weber, silicon(), repeat=1)
    assert abs(errors.delta_a) < 0.02
    assert errors.lattice_found
    assert errors.force_constants.relative < 0.1
    assert errors.phonons is not None
    assert errors.phonons.rmse_THz < 0.6
    table = str(errors)
    for words in ("lattice constant", "ε^FC", "ε^V", "C44 relaxed", "phonons", "THz"):
        assert words in table
    assert f"{errors.delta_a:.1e}" in table
    assert len({len(line) for line in table.splitlines()[1:]}) <= 2  # columns
    assert virial_errors(fitted, stillinger_weber, silicon()).virial_rms < 0.1


def test_phonopy_sees_the_phonons_of_the_supercell(fitted):
    """All commensurate q-points of a 2x2x2 supercell: phonopy's frequencies are those of the supercell."""
    pytest.importorskip("phonopy")
    primitive = bulk("Si", a=A0)
    phonon = phonopy_object(fitted, primitive, (2, 2, 2))
    q = [[i / 2, j / 2, k / 2] for i in range(2) for j in range(2) for k in range(2)]
    phonon.run_qpoints(q)
    ours = supercell_frequencies(fitted, primitive.repeat(2))
    np.testing.assert_allclose(np.sort(phonon.qpoints.frequencies.ravel()), ours, atol=2e-3)
    assert phonon_errors(fitted, fitted, primitive.repeat(2)).rmse_THz == 0.0


def test_geometry_error_counts_bonds():
    reference = silicon().repeat(2)
    moved = reference.copy()
    moved.positions += [0.3, -0.2, 0.1]  # a translation is no error
    assert geometry_error(moved, reference).maximum == pytest.approx(0, abs=1e-12)
    moved.positions[5] += [0.03, 0, 0.04]
    moved.positions[0] += moved.cell[0]  # nor is a wrapped atom
    error = geometry_error(moved, reference)
    assert error.n_bonds == 2 * len(reference)
    assert error.maximum == pytest.approx(0.05)
    assert error.two_norm == pytest.approx(0.05 * 4**0.5)  # the four bonds of atom 5
    with pytest.raises(ValueError, match="do not belong together"):
        geometry_error(moved[:-1], reference)


def test_formation_energy():
    cell = bulk("Si", cubic=True)
    assert formation_energy(-30.0, cell[:-1], {"Si": -4.5}) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="no bulk energy of Si"):
        formation_energy(-30.0, cell, {"Ge": -4.5})
