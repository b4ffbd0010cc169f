"""A model path: exact figures, choices, refits, files; and how stable a selection is."""

from types import SimpleNamespace

import numpy as np
import pytest
from regression_helpers import SyntheticRows, labelled
from sparse_helpers import correlated, problem_of

from lacemaker.errors import ConfigError, FileFormatError, SolverError
from lacemaker.regression import ASP, BLR, OMP, ModelPath, assemble, solve
from lacemaker.regression.path_cost import FunctionCosts, count_products
from lacemaker.regression.path_problem import restricted
from lacemaker.regression.selection import cross_validate, resampled, stability_selection
from lacemaker.regression.solvers.supports import Supports

SOURCE = SyntheticRows(30)
THETA = np.where(np.arange(30) % 4 == 1, np.linspace(3.0, 1.0, 30), 0.0)
E0 = np.array([-2.0, 3.0])
FRAMES = labelled(SOURCE, 60, coefficients=THETA, e0=E0, noise=(0.3, 0.3, 0.3))
SYSTEM = assemble(SOURCE, FRAMES, folds=6)
SIZES = (2, 4, 8, 15, 25)
EQUAL = {"default": {"energy": 1.0, "forces": 1.0, "virial": 1.0}}
PLAIN = {"prior": None, "weights": EQUAL}


@pytest.fixture(scope="module", params=[OMP, ASP])
def path(request):
    return solve(SYSTEM, solver=request.param(sizes=SIZES), validation=0, **PLAIN)


def test_models_grow_and_each_is_the_evidence_fit_of_its_support(path):
    assert isinstance(path, ModelPath)
    assert path.sizes == SIZES
    train = SYSTEM.without_fold(0)
    for model in path:
        fit = solve(train.restrict(model.support), solver=BLR(), **PLAIN)
        np.testing.assert_allclose(model.fit.coefficients[model.support], fit.coefficients, rtol=1e-7)
        np.testing.assert_allclose(model.fit.e0, fit.e0, rtol=1e-7)
        assert model.log_evidence == pytest.approx(fit.log_evidence, rel=1e-9)
        assert np.count_nonzero(model.fit.coefficients) == model.size


def test_errors_are_exact(path):
    held_out = SYSTEM.only_fold(0)
    for model in path:
        expected = held_out.rmse(model.fit.coefficients, model.fit.e0)["total"]["forces"]
        assert model.fit.rmse["validation"]["total"]["forces"] == pytest.approx(expected, rel=1e-12)
        whole = held_out.weighted(EQUAL)
        solution = np.concatenate([model.fit.e0, model.fit.coefficients])
        mean = whole.residual(solution) / whole.n_rows
        assert model.validation_error == pytest.approx(np.sqrt(mean), rel=1e-9)


def test_the_true_functions_are_found_and_preferred(path):
    chosen = path.by_size(8)
    assert set(chosen.support) == set(np.flatnonzero(THETA))
    assert path.by_evidence() is chosen
    assert min(path, key=lambda model: model.bic) is chosen
    assert path.within(1.05).size <= 15
    assert path.final.size == 25
    assert path.by_size(14) is chosen


def test_the_pareto_front_holds_what_nothing_beats(path):
    front = path.pareto()
    for model in path:
        better = [m for m in path if m.size < model.size and m.validation_error <= model.validation_error]
        assert (model in front) == (not better)


def test_choices_that_cannot_be_made_say_what_to_do(path):
    with pytest.raises(SolverError, match="larger limit"):
        path.by_size(1)
    with pytest.raises(SolverError, match="measured"):
        path.by_cost(1.0)
    bare = solve(SYSTEM, solver=OMP(sizes=SIZES, refit="none"), **PLAIN)
    with pytest.raises(SolverError, match="validation"):
        bare.within(1.1)
    with pytest.raises(SolverError, match="evidence"):
        bare.by_evidence()
    assert bare.select() is bare.final


def test_a_path_survives_its_file_and_damage_is_noticed(path, tmp_path):
    file = tmp_path / "models.path"
    path.save(file)
    again = ModelPath.load(file)
    assert str(again) == str(path)
    for old, new in zip(path, again, strict=True):
        np.testing.assert_array_equal(old.fit.coefficients, new.fit.coefficients)
        np.testing.assert_array_equal(old.support, new.support)
        assert new.validation_error == old.validation_error
        assert new.fit.rmse == old.fit.rmse
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(FileFormatError, match="lace path"):
        ModelPath.load(file)


def test_refitting_moves_supports_to_other_rows(path):
    moved = path.refitted(SYSTEM, **PLAIN)
    for old, new in zip(path, moved, strict=True):
        np.testing.assert_array_equal(old.support, new.support)
        fit = solve(SYSTEM.restrict(old.support), **PLAIN)
        np.testing.assert_allclose(new.fit.coefficients[old.support], fit.coefficients, rtol=1e-7)
        assert new.validation_error == old.validation_error
    assert moved.settings["solver"]["kind"] == path.settings["solver"]["kind"]


def test_lasso_coefficients_stay_when_no_refit_is_asked_for():
    lasso = solve(SYSTEM, solver=ASP(sizes=SIZES, refit="none"), **PLAIN)
    fitted = solve(SYSTEM, solver=ASP(sizes=SIZES), **PLAIN)
    for shrunk, free in zip(lasso, fitted, strict=True):
        np.testing.assert_array_equal(shrunk.support, free.support)
        assert np.abs(shrunk.fit.coefficients).sum() < np.abs(free.fit.coefficients).sum()
        assert shrunk.log_evidence is None


def test_a_path_inside_a_single_fit_takes_the_selected_model():
    rows, target = correlated(0)
    problem = problem_of(rows, target)
    by_evidence = OMP(sizes=(5, 30, 60)).solve(problem)
    assert np.count_nonzero(by_evidence.coefficients) in (30, 60)
    assert np.count_nonzero(OMP(sizes=(5, 30, 60), select="final").solve(problem).coefficients) == 60
    with pytest.raises(SolverError, match="validation"):
        OMP(select=1.1).solve(problem)


def test_sizes_to_keep_are_as_asked_or_in_geometric_progression():
    assert OMP(max_functions=5, sizes=(30, 10, 200)).wanted_sizes(100) == [10, 30, 100]
    sizes = OMP(max_functions=640, n_models=7).wanted_sizes(1000)
    assert sizes == [10, 20, 40, 80, 160, 320, 640]


def test_a_target_of_zero_has_no_path():
    rows, _ = correlated(0)
    with pytest.raises(SolverError, match="no model"):
        OMP().solve(problem_of(rows, np.zeros(300)))


def test_a_restricted_problem_has_the_factor_of_its_rows():
    rows, target = correlated(1)
    small = restricted(problem_of(rows, target), np.array([7, 3, 90]))
    joint = np.column_stack([rows[:, [7, 3, 90]], target])
    np.testing.assert_allclose(small.triangle.T @ small.triangle, joint.T @ joint, rtol=1e-9)
    assert small.n_rows == 300


def test_supports_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="distinct"):
        solve(SYSTEM, solver=Supports(supports=((1, 1),)))
    with pytest.raises(ConfigError, match="distinct"):
        solve(SYSTEM, solver=Supports(supports=((99,),)))


def test_folds_agree_on_the_size_of_the_truth():
    found = cross_validate(SYSTEM, OMP(sizes=SIZES), **PLAIN)
    assert found.errors.shape == (6, 5)
    assert found.within_noise() == 8
    assert found.best >= 8
    alone = solve(SYSTEM, solver=OMP(sizes=SIZES), validation=3, **PLAIN)
    np.testing.assert_allclose(found.errors[3], [model.validation_error for model in alone])


def test_resampled_folds_are_frames_counted_so_often():
    twice = resampled(SYSTEM, {0: 2, 1: 0})
    owners = SYSTEM.folds
    assert owners == (0, 1, 2, 3, 4, 5)
    whole, once = SYSTEM.weighted(), SYSTEM.without_fold(1).weighted()
    extra = SYSTEM.only_fold(0).weighted()
    expected = once.array.T @ once.array + extra.array.T @ extra.array
    drawn = twice.weighted()
    np.testing.assert_allclose(drawn.array.T @ drawn.array, expected, rtol=1e-9, atol=1e-9)
    assert drawn.n_rows == once.n_rows + extra.n_rows != whole.n_rows


@pytest.mark.parametrize("sample", ["bootstrap", "halves"])
def test_the_true_functions_are_stable_under_resampling(sample):
    found = stability_selection(SYSTEM, "omp", size=10, n_draws=12, sample=sample, **PLAIN)
    assert set(np.flatnonzero(THETA)) <= set(found.support(0.99))
    assert len(found.support(0.99)) < 12
    again = stability_selection(SYSTEM, "omp", size=10, n_draws=12, sample=sample, **PLAIN)
    np.testing.assert_array_equal(found.frequencies, again.frequencies)
    model = found.path(SYSTEM, (8,), **PLAIN).final
    assert set(model.support) == set(np.flatnonzero(THETA))


def test_stability_needs_folds_and_a_selecting_solver():
    with pytest.raises(ConfigError, match="OMP or ASP"):
        stability_selection(SYSTEM, "blr", size=3)
    with pytest.raises(ConfigError, match="folds=10"):
        stability_selection(assemble(SOURCE, FRAMES), "omp", size=3)


def function(*channels, kind="many-body"):
    return SimpleNamespace(kind=kind, centre=0, channels=tuple(channels))


def test_marginal_costs_share_products_and_radial_blocks():
    functions = [
        function((0, 1, 2), (0, 1, 2)),
        function((0, 1, 2), (0, 2, 2)),
        function((0, 1, 2), (0, 2, 2)),
        function((0, 1, 0), kind="pair"),
    ]
    costs = FunctionCosts(functions)
    alone, after = costs.marginal([]), costs.marginal([1])
    assert after[2] < 0.2 * alone[2]  # the same products again
    assert after[0] < alone[0]  # its A functions are there already
    assert alone[3] < alone[0] < alone[1]


def test_products_are_counted_as_the_basis_builds_them():
    from lacemaker import ACEBasis

    basis = ACEBasis("Si", 3, [10, 9, 8])
    centre = basis.many_body[0]
    seen = {}
    for k, f in enumerate(basis.columns[: centre.n_functions]):
        used = centre.row_product[centre.row_first[k] : centre.row_first[k + 1]]
        seen.setdefault(tuple(sorted(f.channels)), set()).update(used.tolist())
    counted = {channels: count_products(channels) for channels in seen}
    assert sum(counted.values()) == sum(map(len, seen.values()))


def test_the_certificate_holds_on_a_basis_of_silicon():
    """Columns over seven decades of norm: every point optimal to 1e-8, or to round-off where that is more."""
    from lacemaker import ACEBasis, AlgebraicPrior, read
    from lacemaker.datasets import load_silicon
    from lacemaker.regression.homotopy import lasso_path, polished, violation

    frames = read(load_silicon("train"))[:12]
    basis = ACEBasis("Si", 3, [14, 10, 8], cutoff=5.5)
    factor = assemble(basis, frames).weighted()
    gamma = AlgebraicPrior(p=4).gamma(basis.columns)
    matrix, target = factor.array[1:, 1:-1] / gamma, factor.array[1:, -1]  # row 0: the fitted E0
    raw = list(lasso_path(matrix, target, max_active=basis.n_functions))
    path = [polished(matrix, target, point) for point in raw]
    assert len(path) > 1.2 * basis.n_functions  # functions leave as well
    assert max(violation(matrix, target, point) for point in path[:-1]) < 1e-8
    assert max(violation(matrix, target, point) for point in raw[:-1]) < 1e-3
    early = [point for point in path[1:] if point.penalty > 1e-6 * path[0].penalty]
    for point in early:  # there, relative to λ without allowances
        residual = target - matrix[:, point.support] @ point.coefficients
        correlations = np.abs(matrix.T @ residual)
        assert correlations.max() < point.penalty * (1.0 + 1e-6)
        np.testing.assert_allclose(correlations[point.support], point.penalty, rtol=1e-6)
