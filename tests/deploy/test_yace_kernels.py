"""``.yace`` models on the compiled kernels: the same as the NumPy evaluation, for every kind of model."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from yace_cases import linear, random_model, structure

from lacemaker import _core
from lacemaker.deploy.yace import Embedding, Terms, YaceCalculator, YaceEvaluator
from lacemaker.deploy.yace.products import complex_terms, real_products
from lacemaker.deploy.yace.radial import core_energy, radial_functions
from lacemaker.deploy.yace.splines import interpolate, segments_of
from lacemaker.errors import EvaluationError

FAMILIES = ("ChebExpCos", "ChebPow", "ChebLinear", "SBessel")
EMBEDDINGS = {
    "linear": linear(),
    "linear, two densities": Embedding("FinnisSinclair", np.array([1.0, -0.4]), np.ones(2)),
    "square root": Embedding("FinnisSinclair", np.array([1.0, 0.3]), np.array([1.0, 0.5])),
    "three densities": Embedding(
        "FinnisSinclairShiftedScaled", np.array([0.5, 0.7, -0.2]), np.array([1.7, 0.8, 2])
    ),
    "fading": Embedding("FinnisSinclair", np.ones(1), np.ones(1), core_limit=1.0, core_width=0.95),
}


def differences(model, atoms, **options):
    """Largest deviations of site energies, forces and virial from NumPy's, and the forces' size."""
    ours = YaceEvaluator(model, backend="kernels", **options).predict(atoms)
    plain = YaceEvaluator(model, backend="numpy").predict(atoms)
    parts = [np.abs(getattr(ours, k) - getattr(plain, k)).max() for k in ("energies", "forces", "virial")]
    return *parts, np.abs(plain.forces).max()


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("inner", ["density", "distance", "zbl"])
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_kernels_give_what_numpy_gives(name, inner, isa):
    rng = np.random.default_rng(20)
    core = (1.0 if inner == "zbl" else 40.0, 1.5)
    model = random_model(rng, families=FAMILIES, embedding=EMBEDDINGS[name], inner=inner, core=core)
    energies, forces, virial, scale = differences(model, structure(rng, n=3), isa=isa)
    assert scale > 1.0
    assert energies < 1e-10
    assert forces < 1e-9 * scale
    assert virial < 1e-8 * scale


def test_radial_functions_shared_by_all_l_need_one_table():
    rng = np.random.default_rng(21)
    model = random_model(rng)
    shared = {
        pair: replace(bond, coefficients=np.repeat(bond.coefficients[:, :1], 3, axis=1))
        for pair, bond in model.bonds.items()
    }
    alike = replace(model, bonds=shared)
    energies, forces, _, scale = differences(alike, structure(rng, n=2))
    assert energies < 1e-10
    assert forces < 1e-9 * scale
    tables = [YaceEvaluator(m).statistics()["table_bytes"] for m in (alike, model)]
    assert tables[0] < tables[1]


def test_half_powers_of_the_distance_to_the_cutoff_are_resolved():
    """ChebPow with lambda 1.3: the slope has no derivative at the cutoff."""
    bond = replace(random_model(np.random.default_rng(0)).bonds[0, 0], parameter=1.3, inner_kind="density")
    spline = interpolate(lambda r: radial_functions(bond, r)[0], segments_of(bond), _core.table_order)
    assert len(spline.bins) <= _core.max_table_segments
    model = random_model(np.random.default_rng(22))
    model = replace(
        model,
        bonds={k: replace(b, parameter=1.3) for k, b in model.bonds.items()},
        terms=tuple(t[:1] for t in model.terms),
    )
    for below, tolerance in ((0.5, 1e-10), (1e-2, 1e-10), (1e-4, 1e-8), (1e-6, 1e-6), (1e-9, 1e-2)):
        atoms = Atoms("O2", [[0, 0, 0], [0, 0, model.bonds[0, 0].cutoff - below]])
        energies, forces, _, scale = differences(model, atoms)
        assert energies < 1e-10
        assert forces < tolerance * max(scale, 1.0)


@pytest.mark.parametrize("inner", ["density", "distance", "zbl"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tables_follow_the_functions_everywhere(family, inner):
    """Values to 1e-12 and slopes to 1e-8 of the largest, also at the edges of inner cutoff, taper and core.

    But for slopes of (1 - u)^lambda within 1e-5 Å of the cutoff, where they have no derivative.
    """
    bond = random_model(np.random.default_rng(1), families=(family,), inner=inner).bonds[0, 1]
    order, edges = _core.table_order, segments_of(bond)

    def functions(r):
        return np.vstack([radial_functions(bond, r)[0], r * core_energy(bond, (8, 14), r)[0]])

    spline = interpolate(functions, edges, order)
    near = np.concatenate([edge + np.array([-1e-5, -1e-9, 1e-9, 1e-5]) for edge in edges])
    r = np.concatenate([np.random.default_rng(0).uniform(0.01, bond.cutoff, 500), near])
    r = r[(r > 1e-6) & (r < bond.cutoff - 1e-12)]
    value, slope = _evaluated(spline, r)
    g, dg = radial_functions(bond, r)
    core, d_core = core_energy(bond, (8, 14), r)
    truth, d_truth = np.vstack([g, r * core]), np.vstack([dg, core + r * d_core])
    assert np.abs(value - truth).max() < 1e-12 * np.abs(truth).max()
    smooth = r < bond.cutoff - 1e-5 if family == "ChebPow" else np.full(len(r), True)
    assert np.abs(slope - d_truth)[:, smooth].max() < 1e-8 * np.abs(d_truth).max()
    assert np.abs(slope - d_truth).max() < 1e-6 * np.abs(d_truth).max()


def _evaluated(spline, r):
    """The piecewise polynomials and their slopes, (n_functions, n)."""
    segment = np.searchsorted(spline.ranges[:, 0], r, side="right") - 1
    start, end = spline.ranges[segment].T
    per_length = spline.bins[segment] / (end - start)
    x = (r - start) * per_length
    bin_ = np.minimum(x.astype(int), spline.bins[segment] - 1)
    t, row = 2 * (x - bin_) - 1, np.append(0, np.cumsum(spline.bins))[segment] + bin_
    c = spline.coefficients[row]  # (n, order, n_functions)
    powers = t[:, None] ** np.arange(c.shape[1])
    slopes = np.arange(1, c.shape[1]) * powers[:, :-1]
    return (
        np.einsum("nqf,nq->fn", c, powers),
        np.einsum("nqf,nq->fn", c[:, 1:], slopes) * 2 * per_length,
    )


@pytest.mark.parametrize("kind", ["FinnisSinclair", "FinnisSinclairShiftedScaled"])
def test_embeddings_agree_at_small_densities(kind):
    """A dimer about to part: the density goes to zero through the linear part of F."""
    model = random_model(np.random.default_rng(23), core=(0.0, 1.0), inner="density")
    embedding = Embedding(kind, np.array([1.0]), np.array([0.5]))
    model = replace(model, embeddings=(embedding,) * 2, terms=tuple(t[:1] for t in model.terms))
    for below in (1.0, 1e-2, 1e-4, 1e-6, 1e-8, 1e-11):
        atoms = Atoms("Si2", [[0, 0, 0], [0, 0, model.bonds[1, 1].cutoff - below]])
        energies, forces, _, scale = differences(model, atoms)
        assert energies < 1e-9
        assert forces < 1e-5 * max(scale, 1.0)


def test_real_products_undo_complex_products():
    rng = np.random.default_rng(24)
    model = random_model(rng)
    for terms in model.terms[0][1:]:
        real, weights = real_products(terms.factors, terms.weights)
        again = complex_terms(real, weights[:, 0])
        back, second = real_products(again.factors, again.weights)
        assert np.array_equal(back, real)
        assert second == pytest.approx(weights, rel=1e-12)


def test_the_number_of_threads_and_order_of_atoms_do_not_matter():
    rng = np.random.default_rng(25)
    model = random_model(rng, families=FAMILIES, embedding=EMBEDDINGS["square root"])
    atoms = structure(rng, n=5)
    one, two = (YaceEvaluator(model, n_threads=n).predict(atoms) for n in (1, 2))
    np.testing.assert_array_equal(one.energies, two.energies)
    assert np.abs(one.forces - two.forces).max() < 1e-12 * np.abs(one.forces).max()
    order = rng.permutation(len(atoms))
    shuffled = YaceEvaluator(model).predict(atoms[order])
    assert np.abs(shuffled.forces - one.forces[order]).max() < 1e-11 * np.abs(one.forces).max()


def test_energies_alone_are_the_same_energies():
    rng = np.random.default_rng(26)
    evaluator, atoms = YaceEvaluator(random_model(rng)), structure(rng)
    assert evaluator.predict(atoms, forces=False).energy == evaluator.predict(atoms).energy


def test_what_the_kernels_cannot_do_is_left_to_numpy():
    rng = np.random.default_rng(27)
    model = random_model(rng)
    long = Terms(np.tile([[[0, 1, 0, 0]]], (1, 7, 1)), np.array([[1e-4]]))
    model = replace(model, terms=((*model.terms[0], long), model.terms[1]))
    assert YaceEvaluator(model).statistics()["isa"] == "numpy"
    with pytest.raises(EvaluationError, match="products of rank 7, while the kernels go to 6"):
        YaceEvaluator(model, backend="kernels")
    with pytest.raises(EvaluationError, match="the backend is unknown"):
        YaceEvaluator(model, backend="torch")


def test_elements_and_bonds_without_functions():
    """No functions of one element, and none of the other with that neighbour."""
    rng = np.random.default_rng(28)
    model = random_model(rng, core=(0.0, 1.0))
    own = tuple(
        Terms(t.factors[keep], t.weights[keep])
        for t in model.terms[0]
        if (keep := (t.factors[:, :, 0] == 0).all(axis=1)).any()
    )
    model = replace(model, terms=(own, ()))
    energies, forces, _, scale = differences(model, structure(rng, n=3))
    assert energies < 1e-10
    assert forces < 1e-9 * scale


def test_atoms_on_top_of_each_other_are_a_clear_error():
    evaluator = YaceEvaluator(random_model(np.random.default_rng(29)))
    with pytest.raises(EvaluationError, match="on top of each other"):
        evaluator.predict(Atoms("O2", [[0, 0, 0], [0, 0, 1e-9]]))


def test_calculators_can_be_copied_and_pickled():
    rng = np.random.default_rng(30)
    atoms, calculator = structure(rng), YaceCalculator(random_model(rng))
    energy = calculator.get_potential_energy(atoms)
    for other in (copy.deepcopy(calculator), pickle.loads(pickle.dumps(calculator))):
        other.reset()
        assert other.get_potential_energy(atoms) == energy
