"""Extrapolation grades: those of the NumPy oracle, at most one in the training data, large outside of it."""

import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from copper_gold import made

import lacemaker as lace
from lacemaker.basis import ZBL, reference
from lacemaker.errors import EvaluationError
from lacemaker.uncertainty import (
    ExtrapolationGrade,
    attach_extrapolation_grade,
    site_functions,
    stored_active_sets,
)


@pytest.fixture(scope="module")
def many():
    """More environments than functions."""
    return made(120, 2, 0.15)


@pytest.fixture(scope="module")
def potential(many):
    basis = lace.ACEBasis(["Cu", "Au"], 3, [5, 4, 4], cutoff=4.6)
    rng = np.random.default_rng(0)
    plain = lace.Potential(basis, rng.normal(size=basis.n_functions), [-1.0, -2.0])
    return attach_extrapolation_grade(plain, many)


def oracle(potential, structure):
    """Site functions of `basis.reference` and the grades made from them."""
    evaluator = potential.evaluator()
    species, positions, cell, pbc = evaluator.prepare(structure)
    near = evaluator.neighbours(positions, cell, pbc)
    values = reference.evaluate(potential.basis, positions, cell, pbc, species, near)
    sets = stored_active_sets(potential)
    grades = [np.abs(values[i, sets[s].columns] @ sets[s].inverse).max() for i, s in enumerate(species)]
    return values, np.array(grades)


def structures():
    rng = np.random.default_rng(8)
    alloy = bulk("Cu", a=3.8, cubic=True).repeat((3, 2, 2))
    alloy.numbers = rng.choice([29, 79], len(alloy))
    alloy.rattle(0.2, seed=3)
    skewed = bulk("Au", a=3.9)
    skewed.set_cell(skewed.cell[:] @ (np.eye(3) + rng.normal(0, 0.1, (3, 3))), scale_atoms=True)
    return {
        "alloy": alloy,
        "primitive, skewed": skewed,
        "cluster": Atoms("Cu2Au", [[0, 0, 0], [2.4, 0, 0], [0.5, 2.3, 0.4]]),
        "one atom": Atoms("Au"),
        "slab": Atoms("CuAu", [[0, 0, 0], [1.4, 1.4, 1.8]], cell=[2.8, 2.8, 12], pbc=[True, True, False]),
    }


@pytest.mark.parametrize("name", list(structures()))
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_kernel_equals_the_oracle(potential, name, isa):
    from lacemaker import _core

    if isa not in _core.isas():
        pytest.skip(f"this processor has no {isa}")
    atoms = structures()[name]
    values, grades = oracle(potential, atoms)
    found = ExtrapolationGrade(potential, isa=isa).predict(atoms)
    np.testing.assert_allclose(found, grades, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(site_functions(potential, atoms), values, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "basis",
    [
        lace.ACEBasis(["Cu", "Au"], 1, [6], cutoff=4.0),
        lace.ACEBasis(["Cu", "Au"], 5, [4, 4, 4, 4, 4], cutoff=3.6),
        lace.ACEBasis(
            ["Au", "Cu"], 4, [5, 4, 4, 4], cutoff={"Cu-Cu": 3.2, "Au-Cu": 4.0, "Au-Au": 4.4}, pair=None
        ),
        lace.ACEBasis(["Cu", "Au"], 2, [8, 6], cutoff=4.5, repulsion=ZBL()),
    ],
    ids=["order 1", "order 5", "cutoffs by pair, no pair basis", "with a core"],
)
def test_site_functions_of_many_bases(basis):
    rng = np.random.default_rng(1)
    coefficients = np.where(rng.random(basis.n_functions) < 0.7, rng.normal(size=basis.n_functions), 0.0)
    model = lace.Potential(basis, coefficients, [-1.0, -2.0])
    for atoms in structures().values():
        evaluator = model.evaluator()
        species, positions, cell, pbc = evaluator.prepare(atoms)
        near = evaluator.neighbours(positions, cell, pbc)
        expected = reference.evaluate(basis, positions, cell, pbc, species, near) * (coefficients != 0)
        np.testing.assert_allclose(site_functions(model, atoms), expected, rtol=1e-11, atol=1e-11)


def test_site_functions_sum_to_the_energy(potential):
    for atoms in structures().values():
        values = site_functions(potential, atoms)
        e0 = potential.e0[potential.evaluator().species(atoms.numbers)]
        np.testing.assert_allclose(
            values @ potential.coefficients + e0, potential.predict(atoms).energies, rtol=1e-10
        )


def test_training_environments_have_grades_of_at_most_one(potential, many):
    grade = ExtrapolationGrade(potential)
    grades = [grade.predict(frame) for frame in many]
    assert max(g.max() for g in grades) <= 1.01 + 1e-6
    for active in stored_active_sets(potential):
        assert active.rank > 0.9 * len(active.columns)
        of_active = [grades[frame][atom] for frame, atom in active.environments if frame >= 0]
        np.testing.assert_allclose(of_active, 1.0, atol=1e-6)


def test_grade_grows_as_atoms_leave_the_data(potential):
    """Under compression below the sampled strains, and with displacements beyond the sampled ones."""
    grade = ExtrapolationGrade(potential)
    crystal = bulk("Cu", a=3.85, cubic=True)
    crystal.numbers[::2] = 79
    found = []
    for factor in (1.0, 0.92, 0.85, 0.78, 0.7):
        squeezed = crystal.copy()
        squeezed.set_cell(crystal.cell[:] * factor, scale_atoms=True)
        found.append(grade.predict(squeezed).max())
    assert found[0] < 1.1
    assert np.all(np.diff(found) > 0)
    assert found[-1] > 100
    shaken = []
    for amplitude in (0.1, 0.3, 0.5):
        large = crystal.repeat(3)
        large.rattle(amplitude, seed=4)
        shaken.append(np.median(grade.predict(large)))
    assert shaken[0] < shaken[1] < shaken[2]


def test_grade_is_local_and_invariant(potential):
    """One misplaced atom concerns its neighbours only; rotating, shifting and permuting change nothing."""
    grade = ExtrapolationGrade(potential)
    atoms = bulk("Cu", a=3.85, cubic=True).repeat(4)
    atoms.rattle(0.05, seed=1)
    before = grade.predict(atoms)
    moved = atoms.copy()
    moved.positions[0] += [0.9, 0.2, 0.1]
    after = grade.predict(moved)
    far = atoms.get_distances(0, range(len(atoms)), mic=True) > 4.6 + 1.0
    np.testing.assert_allclose(after[far], before[far], rtol=1e-9)
    assert after.argmax() in np.flatnonzero(~far)
    assert after[0] > 5 * before[0]
    cluster = structures()["cluster"]
    turned = cluster.copy()
    turned.rotate(37, (1, 2, 3))
    turned.translate([1, 2, 3])
    turned = turned[[2, 0, 1]]
    np.testing.assert_allclose(grade.predict(turned), grade.predict(cluster)[[2, 0, 1]], rtol=1e-8)


def test_threads_do_not_change_a_bit(potential):
    atoms = structures()["alloy"].repeat(3)
    grade = ExtrapolationGrade(potential)
    np.testing.assert_array_equal(grade.predict(atoms, n_threads=3), grade.predict(atoms))


def test_sparse_potentials_use_their_functions_only(potential, many):
    keep = np.arange(len(potential.coefficients)) % 5 == 0
    sparse = lace.Potential(potential.basis, np.where(keep, potential.coefficients, 0.0), potential.e0)
    found = attach_extrapolation_grade(sparse, many[:40])
    columns = np.concatenate([active.columns for active in stored_active_sets(found)])
    np.testing.assert_array_equal(np.sort(columns), np.flatnonzero(keep))
    _, grades = oracle(found, structures()["alloy"])
    np.testing.assert_allclose(ExtrapolationGrade(found).predict(structures()["alloy"]), grades, rtol=1e-9)


def test_fewer_environments_than_functions(potential, many):
    """The rank is told; what was seen stays within one, what was not is far outside."""
    few = attach_extrapolation_grade(potential, many[:5])
    sets = stored_active_sets(few)
    atoms = sum(len(frame.numbers) for frame in many[:5])
    assert sum(active.rank for active in sets) <= atoms
    assert "hardly vary in the data" in str(sets[0])
    grade = ExtrapolationGrade(few)
    assert max(grade.predict(frame).max() for frame in many[:5]) <= 1.01 + 1e-5
    assert grade.predict(many[50]).min() > 100


def test_a_species_without_environments_is_all_extrapolation(potential):
    copper = lace.read([labelled(bulk("Cu", a=3.6))])
    found = attach_extrapolation_grade(potential, copper)
    assert stored_active_sets(found)[potential.elements.index("Au")].rank == 0
    assert ExtrapolationGrade(found).predict(bulk("Au", a=4.0)).min() > 1e3


def labelled(atoms):
    from ase.calculators.emt import EMT

    atoms.calc = EMT()
    atoms.get_forces()
    return atoms


def test_same_data_same_file(potential, many, tmp_path):
    again = attach_extrapolation_grade(potential, many)
    assert again.to_bytes() == potential.to_bytes()
    potential.save(tmp_path / "p.lace")
    loaded = lace.Potential.load(tmp_path / "p.lace")
    atoms = structures()["alloy"]
    np.testing.assert_array_equal(
        ExtrapolationGrade(loaded).predict(atoms), ExtrapolationGrade(potential).predict(atoms)
    )


def test_calculator_offers_the_grade_when_asked(potential, fit):
    atoms = structures()["alloy"]
    atoms.calc = lace.Calculator(potential)
    assert "extrapolation_grade" in atoms.calc.implemented_properties
    atoms.get_forces()
    assert "extrapolation_grade" not in atoms.calc.results
    grades = atoms.calc.get_property("extrapolation_grade", atoms)
    np.testing.assert_allclose(grades, ExtrapolationGrade(potential).predict(atoms), rtol=1e-8)
    copied = pickle.loads(pickle.dumps(atoms.calc))
    np.testing.assert_array_equal(copied.get_property("extrapolation_grade", atoms), grades)
    atoms.positions[0] += 0.3
    assert atoms.calc.get_property("extrapolation_grade", atoms)[0] != grades[0]
    without = lace.Calculator(fit.potential())
    with pytest.raises(PropertyNotImplementedError):
        without.get_property("extrapolation_grade", atoms)


def test_what_is_missing_or_damaged_is_said(potential, many):
    plain = lace.Potential(potential.basis, potential.coefficients, potential.e0)
    with pytest.raises(EvaluationError, match=r"(?s)no extrapolation grade.*attach_extrapolation_grade"):
        ExtrapolationGrade(plain)
    with pytest.raises(EvaluationError, match="needs training structures"):
        attach_extrapolation_grade(plain, many[:0])
    extras = potential.extras
    for name, array in {
        "grade.inverse": extras["grade.inverse"][:-1],
        "grade.first": extras["grade.first"][:-1],
        "grade.column": extras["grade.column"] + 10**6,
        "functions.row_product": extras["functions.row_product"] + 10**6,
        "functions.pair_column": extras["functions.pair_column"].ravel(),
    }.items():
        with pytest.raises(EvaluationError, match="do not fit it"):
            ExtrapolationGrade(potential.with_extras(**{name: array}))


def test_committee_per_atom(fit, test_frames):
    """energies_std and forces_std_norm against separate potentials, one per member."""
    from lacemaker.uncertainty import attach_committee, stored_committee

    potential = attach_committee(fit.potential(), fit.posterior, size=4, seed=1)
    atoms = Atoms(test_frames[0].numbers, test_frames[0].positions, cell=test_frames[0].cell, pbc=True)
    members = stored_committee(potential)
    each = [
        lace.Potential(potential.basis, c, e).predict(atoms)
        for c, e in zip(members.coefficients, members.e0, strict=True)
    ]
    calc = lace.Calculator(potential)
    energies = np.sqrt(np.mean([p.energies**2 for p in each], axis=0))
    norms = np.sqrt(np.mean([(p.forces**2).sum(axis=1) for p in each], axis=0))
    np.testing.assert_allclose(calc.get_property("energies_std", atoms), energies, rtol=1e-3)
    np.testing.assert_allclose(calc.get_property("forces_std_norm", atoms), norms, rtol=1e-3)
