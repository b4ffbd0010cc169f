"""Rows of force constants and site energies: what they say is true, and fits find their teacher."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from lacemaker.basis import ZBL, ACEBasis
from lacemaker.errors import DataError
from lacemaker.potential import Potential
from lacemaker.regression import QR, BasisRows, assemble, solve
from lacemaker.regression.second_order import force_constant_design
from lacemaker.structures import ForceConstants, Frame

BASIS = ACEBasis(["C", "H"], 2, [5, 4], cutoff=4.0, repulsion=ZBL(inner=0.8, outer=1.9))
E0 = {"C": -4.0, "H": -1.5}


@pytest.fixture(scope="module")
def teacher():
    from lacemaker.priors import AlgebraicPrior

    rng = np.random.default_rng(1)
    coefficients = rng.standard_normal(BASIS.n_functions) / AlgebraicPrior(p=2).gamma(BASIS.columns)
    return Potential(BASIS, coefficients, E0)


def structure(seed):
    rng = np.random.default_rng(seed)
    cell = np.diag([3.2, 3.6, 4.1]) + 0.3 * rng.standard_normal((3, 3))
    grid = np.array([[i, j, k] for i in (0, 0.5) for j in (0, 0.5) for k in (0, 0.5)])
    n = int(rng.integers(3, 7))
    positions = (grid[rng.permutation(8)[:n]] + 0.05 * rng.standard_normal((n, 3))) @ cell
    return Frame(rng.choice([1, 6], size=n), positions, cell, np.array([True, True, False]))


def displaced(teacher, frame, atom, direction, step, one_sided=False):
    """The label a finite-displacement calculation would give."""
    direction = np.asarray(direction, float) / np.linalg.norm(direction)

    def forces(size):
        positions = frame.positions.copy()
        positions[atom] += size * direction
        return teacher.predict(replace(frame, positions=positions)).forces

    plus = forces(step)
    if one_sided:
        return ForceConstants.from_forces(atom, direction, step, plus - forces(0.0))
    return ForceConstants.from_forces(atom, direction, step, plus, forces(-step))


@pytest.mark.parametrize("one_sided", [False, True])
def test_rows_match_a_finite_displacement_exactly(teacher, one_sided):
    source = BasisRows(BASIS)
    for seed in range(3):
        frame = structure(seed)
        label = displaced(teacher, frame, 1, [1, 2, 0], 0.03, one_sided)
        frame = replace(frame, force_constants=label)
        rows, baseline = force_constant_design(source, frame, 0)
        model = rows @ teacher.coefficients + baseline
        np.testing.assert_allclose(model, label.values.ravel(), atol=1e-9 * np.abs(model).max())


def test_derivative_rows_are_the_analytic_hessian(teacher):
    source = BasisRows(BASIS)
    frame = structure(2)
    hessian = teacher.hessian(frame).toarray()
    frame = replace(frame, force_constants=hessian)
    assert len(frame.force_constants) == len(hessian)
    for row in (0, 4, len(hessian) - 1):
        rows, baseline = force_constant_design(source, frame, row)
        model = rows @ teacher.coefficients + baseline
        np.testing.assert_allclose(model, hessian[row], atol=2e-6 * np.abs(hessian).max())


def test_site_rows_sum_to_the_energy_row_and_agree_with_the_oracle(teacher):
    kernel, reference = BasisRows(BASIS), BasisRows(BASIS, engine="reference")
    for seed in range(3):
        frame = structure(seed)
        rows, baseline = kernel.site_design(frame)
        rows = rows.copy()
        plain, core = reference.site_design(frame)
        np.testing.assert_allclose(rows, plain, atol=1e-10 * np.abs(plain).max())
        np.testing.assert_allclose(baseline, core, rtol=1e-10)
        design = kernel.design(frame)
        np.testing.assert_allclose(rows.sum(axis=0), design.rows[0], atol=1e-10 * np.abs(plain).max())
        assert baseline.sum() == pytest.approx(design.baseline[0], rel=1e-12)


def labelled(teacher, seed, what):
    frame = structure(seed)
    found = teacher.predict(frame)
    if what == "energies":
        return replace(frame, energies=found.energies, config_type="sites")
    if what == "force_constants":
        first = displaced(teacher, frame, 0, [1, 0, 0], 0.01)
        label = first.joined(displaced(teacher, frame, 2, [0, 1, 1], 0.01))
        return replace(frame, force_constants=label, config_type="phonons")
    return replace(frame, energy=found.energy, forces=found.forces, virial=found.virial)


@pytest.mark.parametrize("what", ["energies", "force_constants"])
def test_a_fit_finds_its_teacher(teacher, what):
    """Force constants alone determine all but one-body energies and are matched to round-off."""
    frames = [labelled(teacher, seed, what) for seed in range(40)]
    system = assemble(BASIS, frames, n_threads=1)
    assert system.kinds == (what,)
    fit = solve(system, solver=QR(), e0=E0)
    errors = fit.potential()
    probe = structure(99)
    expected, found = teacher.predict(probe), errors.predict(probe)
    np.testing.assert_allclose(found.forces, expected.forces, atol=2e-4 * np.abs(expected.forces).max())
    rmse = system.rmse(fit.coefficients, fit.e0)["total"][what]
    assert rmse < 1e-6


def test_groups_have_their_own_weights_and_exact_errors(teacher):
    frames = [labelled(teacher, s, "efv") for s in range(6)]
    frames += [labelled(teacher, s, "force_constants") for s in range(6, 9)]
    frames += [labelled(teacher, s, "energies") for s in range(9, 12)]
    system = assemble(BASIS, frames, n_threads=1)
    assert system.kinds == ("energy", "forces", "virial", "force_constants", "energies")
    rng = np.random.default_rng(0)
    wrong = teacher.coefficients * (1 + 0.01 * rng.standard_normal(BASIS.n_functions))
    model = Potential(BASIS, wrong, E0)
    table = system.rmse(wrong, np.array(list(E0.values())))
    differences, sites = [], []
    for frame in frames[6:9]:
        for k in range(len(frame.force_constants)):
            parts = frame.force_constants.geometries(k, frame.positions)
            phi = -sum(w * model.predict(replace(frame, positions=x)).forces for w, x in parts)
            differences.append((phi - frame.force_constants.values[k]).ravel())
    for frame in frames[9:]:
        sites.append(model.predict(frame).energies - frame.energies)
    assert table["phonons"]["force_constants"] == pytest.approx(
        np.sqrt(np.mean(np.concatenate(differences) ** 2)), rel=1e-9
    )
    assert table["sites"]["energies"] == pytest.approx(np.sqrt(np.mean(np.concatenate(sites) ** 2)), rel=1e-9)
    one = system.weighted({"default": {"force_constants": 1.0}}).residual(np.append([-4, -1.5], wrong))
    two = system.weighted({"default": {"force_constants": 2.0}}).residual(np.append([-4, -1.5], wrong))
    n_rows = sum(d.size for d in differences)
    assert two - one == pytest.approx(3 * n_rows * table["phonons"]["force_constants"] ** 2, rel=1e-6)


def test_labels_travel_and_are_checked(teacher):
    frame = labelled(teacher, 3, "force_constants")
    again = pickle.loads(pickle.dumps(frame))
    assert again.content_hash() == frame.content_hash()
    assert not again.force_constants.values.flags.writeable
    other = ForceConstants(
        frame.force_constants.atoms, frame.force_constants.directions,
        2 * frame.force_constants.steps, frame.force_constants.values,
    )  # fmt: skip
    assert replace(frame, force_constants=other).content_hash() != frame.content_hash()
    with pytest.raises(DataError, match="does not exist"):
        ForceConstants([7], [[1, 0, 0]], [[0.01, 0.01]], np.zeros((1, 3, 3)))
    with pytest.raises(DataError, match="wrong shape"):
        ForceConstants([0], [[1, 0, 0]], [[0.01, 0.01]], np.zeros((3, 3)))
    with pytest.raises(DataError, match="impossible"):
        ForceConstants([0], [[1, 0, 0]], [[-0.01, 0.01]], np.zeros((1, 3, 3)))
    with pytest.raises(DataError, match="structure of"):
        replace(frame, force_constants=ForceConstants([0], [[1, 0, 0]], [[0, 0]], np.zeros((1, 99, 3))))


def test_one_body_energies_are_fitted_from_site_energies(teacher):
    """E0 is eliminated from total and site energies together."""
    frames = [labelled(teacher, s, "efv") for s in range(8)]
    frames += [labelled(teacher, s, "energies") for s in range(8, 40)]
    system = assemble(BASIS, frames, n_threads=1)
    fit = solve(system, solver=QR(), e0="fit")
    np.testing.assert_allclose(fit.e0, list(E0.values()), atol=1e-5)
    assert system.rmse(fit.coefficients, fit.e0)["total"]["energies"] < 1e-8
