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


@pytest.mark.parametrize("engine", ["kernel", "reference"])
def test_only_sites_that_feel_the_displaced_atom_are_computed(teacher, engine, monkeypatch):
    """Leaving the others out changes nothing, with an atom that crosses a cutoff as it moves too."""
    from lacemaker.regression import second_order

    unit = structure(0)
    atoms = Frame(
        np.tile(unit.numbers, 4),
        np.concatenate([unit.positions + np.array(shift) @ unit.cell for shift in np.ndindex(2, 2, 1)]),
        unit.cell * np.array([[2.0], [2.0], [1.0]]), unit.pbc,
    )  # fmt: skip
    gaps = np.linalg.norm(atoms.positions - atoms.positions[0], axis=1)
    crossing = int(np.argmin(np.abs(gaps - 4.0)))
    towards = (atoms.positions[crossing] - atoms.positions[0]) / gaps[crossing]
    step = abs(gaps[crossing] - 4.0) + 0.01
    source = BasisRows(BASIS, engine=engine)
    for size in (0.01, step, 0.0):
        label = ForceConstants(
            np.array([0]), towards[None], np.full((1, 2), size), np.zeros((1, len(gaps), 3))
        )
        frame = replace(atoms, force_constants=label)
        some = second_order._within_reach(source, frame, 0, size)
        assert 0 < some.sum() < len(some)
        assert some[crossing] or size != step
        rows, baseline = force_constant_design(source, frame, 0)
        with monkeypatch.context() as patch:
            patch.setattr(second_order, "_within_reach", lambda *a: np.ones(len(gaps), dtype=bool))
            whole, whole_baseline = force_constant_design(source, frame, 0)
        np.testing.assert_allclose(rows, whole, atol=1e-9 * np.abs(whole).max())
        np.testing.assert_allclose(baseline, whole_baseline, atol=1e-9 * np.abs(whole).max())


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


def test_formation_energy_rows_have_no_size_and_no_e0(teacher):
    """One row per defect cell, the difference of two energy rows; one-body columns of equal cells cancel."""
    from lacemaker.regression.second_order import frame_blocks
    from lacemaker.structures import with_formation_energies

    bulk = replace(structure(1), config_type="bulk")
    bulk = replace(bulk, energy=teacher.predict(bulk).energy)
    defect = replace(bulk, positions=bulk.positions + 0.05 * np.eye(len(bulk), 3), config_type="defect")
    defect = replace(defect, energy=teacher.predict(defect).energy)
    frames = with_formation_energies([bulk, defect], {"defect": "bulk"})
    (block,) = [b for b in frame_blocks(BasisRows(BASIS), frames[1]) if b.kind == "formation_energy"]
    assert not block.one_body.any()
    expected = defect.energy - bulk.energy
    core = expected - block.target[0, 0]
    assert block.basis[0] @ teacher.coefficients + core == pytest.approx(expected, abs=1e-10)
    system = assemble(BASIS, frames, n_threads=1)
    assert "formation_energy" in system.kinds
    fit = system.rmse(teacher.coefficients, np.array([9.0, 9.0]))  # whatever E0 is
    assert fit["defect"]["formation_energy"] < 1e-9


def test_errors_of_the_further_labels(teacher):
    from lacemaker.analysis import error_table
    from lacemaker.structures import with_formation_energies

    phonons, sites = labelled(teacher, 3, "force_constants"), labelled(teacher, 4, "energies")
    label = phonons.force_constants
    shifted = ForceConstants(label.atoms, label.directions, label.steps, label.values + 0.02)
    bulk = replace(labelled(teacher, 5, "efv"), config_type="bulk")
    defect = replace(bulk, energy=bulk.energy + 0.007, config_type="defect")
    frames = with_formation_energies(
        [
            replace(phonons, force_constants=shifted),
            replace(sites, energies=sites.energies - 0.003),
            bulk,
            defect,
        ],
        {"defect": "bulk"},
    )
    table = error_table(teacher, frames).total
    assert table.force_constants_mae_eV_per_A2 == pytest.approx(0.02, rel=1e-6)
    assert table.energies_rmse_meV == pytest.approx(3.0, rel=1e-6)
    assert table.formation_energy_mae_meV == pytest.approx(7.0, rel=1e-6)
    assert "Φ" in error_table(teacher, frames).text()
    assert "energies_mae_meV" not in error_table(teacher, frames[:1]).total.to_dict()


def test_strained_cells_are_a_group_of_virials_alone(teacher):
    """Virials of strained cells, without any other label, fix the elastic response."""
    frames = []
    for k in range(60):
        frame, rng = structure(k), np.random.default_rng(k)
        strain = np.eye(3) + 0.01 * rng.normal(size=(3, 3))
        frame = replace(frame, positions=frame.positions @ strain, cell=frame.cell @ strain)
        frames.append(replace(frame, virial=teacher.predict(frame).virial, config_type="strained"))
    system = assemble(BASIS, frames, n_threads=1)
    assert system.kinds == ("virial",)
    fit = solve(system, solver=QR(), e0=E0)
    probe = structure(77)
    expected, found = teacher.predict(probe).virial, fit.potential().predict(probe).virial
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_costs_are_counted(teacher):
    from lacemaker.regression.second_order import n_designs

    assert n_designs(labelled(teacher, 1, "efv")) == 1
    assert n_designs(labelled(teacher, 3, "force_constants")) == 4
    assert n_designs(
        replace(structure(3), force_constants=teacher.hessian(structure(3)).toarray())
    ) == 4 * 3 * len(structure(3))
