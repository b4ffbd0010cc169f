"""The one-pass committee is what k separate potentials would give; its spread is the posterior's."""

import pickle

import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError

import lacemaker as lace
from lacemaker.errors import EvaluationError
from lacemaker.uncertainty import (
    Committee,
    attach_committee,
    attach_deviations,
    attach_posterior,
    exact_spread,
    stored_committee,
    stored_posterior,
)
from lacemaker.uncertainty.storage import Deviations


@pytest.fixture(scope="module")
def potential(fit):
    return attach_committee(fit.potential(), fit.posterior, size=5, seed=3)


def separate(potential, deviations, frame):
    """Site energies, forces and virials of the deviations, each as a potential of its own."""
    found = []
    for c, e in zip(deviations.coefficients, deviations.e0, strict=True):
        one = lace.Potential(potential.basis, c, e).predict(frame)
        found.append((one.energies, one.forces, one.virial))
    return [np.array(part) for part in zip(*found, strict=True)]


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-11), ("float32", 3e-3)])
def test_one_pass_equals_separate_potentials(potential, test_frames, dtype, rtol):
    committee = Committee(potential, dtype=dtype)
    assert len(committee) == 5
    for frame in test_frames[:2]:
        expected = separate(potential, stored_committee(potential), frame)
        evaluator = potential.evaluator()
        species, positions, cell, pbc = evaluator.prepare(frame)
        found = committee.deviations(species, positions, cell, evaluator.neighbours(positions, cell, pbc))
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


@pytest.mark.parametrize("isa", ["baseline", "auto"])
def test_threads_and_instruction_sets_agree(potential, isa):
    from ase.build import bulk

    atoms = bulk("Cu", a=3.85, cubic=True).repeat(3)
    atoms.numbers[::3] = 79
    atoms.rattle(0.1, seed=0)
    one = Committee(potential, dtype="float64").predict(atoms)
    other = Committee(potential, dtype="float64", isa=isa).predict(atoms, n_threads=3)
    np.testing.assert_allclose(other.forces_std, one.forces_std, rtol=1e-9)
    np.testing.assert_allclose(other.stress_std, one.stress_std, rtol=1e-9)
    assert other.energy_std == pytest.approx(one.energy_std, rel=1e-9)


def test_structures_without_a_volume_and_single_atoms(potential):
    from ase import Atoms

    cluster = Atoms("Cu2Au", [[0, 0, 0], [2.4, 0, 0], [0.5, 2.3, 0.4]])
    expected = separate(potential, stored_committee(potential), cluster)
    spread = Committee(potential, dtype="float64").predict(cluster)
    assert spread.stress_std is None
    np.testing.assert_allclose(spread.forces_std, np.sqrt(np.mean(expected[1] ** 2, axis=0)), rtol=1e-9)
    lonely = Committee(potential, dtype="float64").predict(Atoms("Au"))
    column = stored_committee(potential).e0[:, potential.elements.index("Au")]
    assert lonely.energy_std == pytest.approx(np.sqrt(np.mean(column**2)), rel=1e-12)
    np.testing.assert_array_equal(lonely.forces_std, 0.0)


def test_exact_spread_agrees_with_a_thousand_samples(fit, test_frames):
    """Brute force: the spread of 1000 sampled coefficient vectors, within its own sampling error (2.2 %)."""
    from lacemaker.regression import BasisRows

    potential, frame = fit.potential(), test_frames[0]
    rows = np.array(BasisRows(potential.basis).design(frame).rows)
    counts = [np.sum(frame.numbers == z) for z in (29, 79)]
    samples = fit.posterior.samples(1000, seed=11)
    order = [potential.elements.index(symbol) for symbol in ("Cu", "Au")]
    one_body = samples[:, order] @ counts
    predicted = samples[:, 2:] @ rows.T
    predicted[:, 0] += one_body
    brute = predicted.std(axis=0)
    exact = exact_spread(potential, frame, fit.posterior)
    n = len(frame.numbers)
    ratio = brute / np.concatenate(
        [[exact.energy_std], exact.forces_std.ravel(), exact.stress_std * frame_volume(frame)]
    )
    assert np.all(np.abs(ratio - 1.0) < 5 / np.sqrt(2000))
    assert abs(ratio[1 : 1 + 3 * n].mean() - 1.0) < 0.03


def frame_volume(frame):
    return abs(np.linalg.det(frame.cell))


def test_committee_spread_is_the_posterior_spread_within_sampling_error(fit, test_frames):
    k = 200
    many = attach_committee(fit.potential(), fit.posterior, size=k, seed=5)
    committee = Committee(many)
    for frame in test_frames[:2]:
        exact, sampled = exact_spread(many, frame, fit.posterior), committee.predict(frame)
        ratio = (sampled.forces_std / exact.forces_std).ravel()
        assert np.all(np.abs(ratio - 1.0) < 5 / np.sqrt(2 * k))
        assert abs(ratio.mean() - 1.0) < 3 / np.sqrt(2 * k)
        assert sampled.energy_std == pytest.approx(exact.energy_std, rel=5 / np.sqrt(2 * k))
        np.testing.assert_allclose(sampled.stress_std, exact.stress_std, rtol=5 / np.sqrt(2 * k))


def test_uncertainty_grows_away_from_the_data(fit, frames):
    frame = frames[0]
    stretched = frame.to_atoms()
    stretched.set_cell(1.25 * stretched.cell, scale_atoms=True)
    inside = exact_spread(fit.potential(), frame, fit.posterior)
    outside = exact_spread(fit.potential(), stretched, fit.posterior)
    assert outside.energy_std > 3 * inside.energy_std


def test_the_calculator_offers_spreads_only_where_there_are_any(fit, potential, test_frames):
    atoms = test_frames[0].to_atoms()
    calculator = lace.Calculator(potential)
    atoms.calc = calculator
    forces = atoms.get_forces()
    assert "forces_std" not in calculator.results  # nobody asked
    spread = Committee(potential).predict(atoms)
    np.testing.assert_allclose(calculator.get_property("forces_std", atoms), spread.forces_std, rtol=1e-3)
    np.testing.assert_allclose(calculator.get_property("stress_std", atoms), spread.stress_std, rtol=1e-3)
    assert calculator.get_property("energy_std", atoms) == pytest.approx(spread.energy_std, rel=2e-3)
    np.testing.assert_array_equal(calculator.results["forces"], forces)
    again = pickle.loads(pickle.dumps(calculator))
    assert again.get_property("energy_std", atoms) == pytest.approx(spread.energy_std, rel=2e-3)
    plain = lace.Calculator(fit.potential())
    with pytest.raises(PropertyNotImplementedError):
        plain.get_property("forces_std", atoms)


def test_samples_and_posterior_travel_in_the_file(fit, potential, test_frames, tmp_path):
    path = tmp_path / "with.lace"
    attach_posterior(potential, fit.posterior).save(path)
    loaded = lace.Potential.load(path)
    np.testing.assert_array_equal(
        stored_committee(loaded).coefficients, stored_committee(potential).coefficients
    )
    posterior = stored_posterior(loaded)
    np.testing.assert_array_equal(posterior.mean, fit.posterior.mean)
    np.testing.assert_array_equal(posterior.precision_factor, np.triu(fit.posterior.precision_factor))
    exact = exact_spread(loaded, test_frames[0])
    assert exact.energy_std == pytest.approx(
        exact_spread(potential, test_frames[0], fit.posterior).energy_std, rel=1e-10
    )
    plain = tmp_path / "plain.lace"
    fit.potential().save(plain)
    assert plain.stat().st_size < path.stat().st_size


def test_members_may_have_zeros_of_their_own(potential, test_frames):
    stored = stored_committee(potential)
    holes = stored.coefficients.copy()
    holes[1, :40] = 0.0
    holes[:, 50] = 0.0  # a function outside a sparse model's support
    deviations = Deviations(holes, stored.e0)
    expected = separate(potential, deviations, test_frames[0])
    spread = Committee(potential, deviations, dtype="float64").predict(test_frames[0])
    np.testing.assert_allclose(spread.forces_std, np.sqrt(np.mean(expected[1] ** 2, axis=0)), rtol=1e-8)


def test_what_is_missing_is_said(fit, potential):
    with pytest.raises(EvaluationError, match=r"(?s)carries no uncertainties.*attach_committee"):
        Committee(fit.potential())
    with pytest.raises(EvaluationError, match=r"(?s)carries no posterior.*samples at most"):
        stored_posterior(potential)
    wrong = fit.potential().with_extras(
        **{"committee.coefficients": np.zeros((2, 3)), "committee.e0": np.zeros((2, 2))}
    )
    with pytest.raises(EvaluationError, match="do not fit it"):
        stored_committee(wrong)


@pytest.fixture(scope="module")
def path(basis, frames):
    """Sparse models of the same data."""
    return lace.solve(lace.assemble(basis, frames), solver=lace.OMP(sizes=(12, 40)), e0="fit")


@pytest.mark.parametrize("number", [0, 1])
def test_a_sparse_model_of_a_path_has_its_own_posterior(path, basis, frames, test_frames, number):
    """Variances are those of a fit with the functions of the support alone."""
    model = path[number]
    assert model.fit.posterior.precision_factor.shape == (model.size + 2,) * 2  # two E0
    prior = lace.priors.EvidencePrior(candidates=(path.settings["prior"],))
    alone = lace.solve(lace.assemble(basis, frames).restrict(model.support), prior=prior, e0="fit")
    for frame in test_frames[:2]:
        found = exact_spread(model.potential(), frame, model.fit.posterior)
        expected = exact_spread(alone.potential(), frame, alone.posterior)
        np.testing.assert_allclose(found.forces_std, expected.forces_std, rtol=1e-5)
        assert found.energy_std == pytest.approx(expected.energy_std, rel=1e-5)


def test_samples_of_a_sparse_model_stay_on_its_support(path, test_frames, tmp_path):
    model = path[0]
    samples = model.committee(size=400)
    assert set(np.flatnonzero(np.any(samples.coefficients != 0.0, axis=0))) == set(model.support)
    potential = attach_deviations(attach_posterior(model.potential(), model.fit.posterior), samples)
    potential.save(tmp_path / "sparse.lace")
    loaded = lace.Potential.load(tmp_path / "sparse.lace")
    exact = exact_spread(loaded, test_frames[0])  # from the posterior in the file
    again = exact_spread(loaded, test_frames[0], model.fit.posterior)
    assert exact.energy_std == pytest.approx(again.energy_std, rel=1e-10)
    sampled = Committee(loaded).predict(test_frames[0])
    assert sampled.energy_std == pytest.approx(exact.energy_std, rel=0.15)  # 1/√800 = 3.5 %
    ratio = np.linalg.norm(sampled.forces_std) / np.linalg.norm(exact.forces_std)
    assert ratio == pytest.approx(1.0, abs=0.05)


def test_a_path_keeps_samples_in_its_file(path, tmp_path):
    path.save(tmp_path / "models.path")
    loaded = type(path).load(tmp_path / "models.path")
    for old, new in zip(path, loaded, strict=True):
        assert new.fit.posterior is None
        np.testing.assert_allclose(new.committee().coefficients, old.committee().coefficients, rtol=1e-12)
        np.testing.assert_array_equal(new.committee().e0, old.committee().e0)
