"""What the evaluator does with pruned models, threads, empty input and bad input."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from kernel_oracle import Model, Structure, random_model, site_energies

from lacemaker import _core
from lacemaker.errors import EvaluationError

# --------------------------------------------------------------------------------------- pruned models


def test_zero_weights_are_as_good_as_absent(
    make_model: Callable[..., Model], nasty: dict[str, Structure]
) -> None:
    model = make_model(orders=(1, 2, 3, 4))
    keep = np.zeros(len(model.terms["term_weight"]), bool)
    keep[::7] = True
    zeros = Model(
        model.tables, {**model.terms, "term_weight": np.where(keep, model.terms["term_weight"], 0.0)}
    )
    lengths = np.diff(model.terms["term_first"])
    pruned = Model(model.tables, {
        **model.terms,
        "term_centre": np.array([keep[:c].sum() for c in model.terms["term_centre"]], np.int32),
        "term_first": np.concatenate([[0], np.cumsum(lengths[keep])]),
        "term_index": model.terms["term_index"][np.repeat(keep, lengths)],
        "term_weight": model.terms["term_weight"][keep],
    })  # fmt: skip
    for structure in nasty.values():
        for a, b in zip(zeros.evaluator().evaluate(*structure.arguments()),
                        pruned.evaluator().evaluate(*structure.arguments()), strict=True):  # fmt: skip
            np.testing.assert_array_equal(a, b)


def test_a_pruned_model_is_a_shorter_program(make_model: Callable[..., Model]) -> None:
    model = make_model(orders=(2, 3), nz=1, n_max=6, l_max=5)
    spec = model.tables["a_spec"]
    low = (spec[:, 1] <= 3) & (spec[:, 2] <= 2)
    uses_high = np.add.reduceat(~low[model.terms["term_index"]], model.terms["term_first"][:-1]) > 0
    model.terms["term_weight"][:] = 1.0
    full = model.evaluator().statistics()
    model.terms["term_weight"][uses_high] = 0.0
    short = model.evaluator().statistics()
    assert short["n_a"][0] <= 3 * 9 < full["n_a"][0]
    assert short["terms"] < full["terms"]
    assert short["predicted_product_cost"] < full["predicted_product_cost"]


def test_equal_products_are_merged(make_model: Callable[..., Model]) -> None:
    model = make_model(orders=(3,), nz=1, n_terms=5)
    terms = model.terms
    doubled = {
        **terms,
        "term_centre": 2 * terms["term_centre"],
        "term_first": np.concatenate(
            [terms["term_first"], terms["term_first"][1:] + terms["term_first"][-1]]
        ),
        "term_index": np.concatenate([terms["term_index"], terms["term_index"][::-1]]),
        "term_weight": np.concatenate([terms["term_weight"], terms["term_weight"][::-1]]),
    }
    assert (
        model.evaluator().statistics()["terms"]
        == Model(model.tables, doubled).evaluator().statistics()["terms"]
    )


def test_an_empty_model_is_its_reference_energies(
    make_model: Callable[..., Model], nasty: dict[str, Structure]
) -> None:
    model = make_model(orders=(), n_pair=0)
    structure = nasty["molecule"]
    energies, forces, virial = model.evaluator().evaluate(*structure.arguments())
    np.testing.assert_array_equal(energies, model.terms["e0"][structure.species])
    assert not forces.any()
    assert not virial.any()


@pytest.mark.parametrize("orders", [(2, 3), (4,), (5,), (6,)])
def test_repeated_factors(
    orders: tuple[int, ...], rng: np.random.Generator, nasty: dict[str, Structure]
) -> None:
    """Few A functions and many terms: squares and cubes everywhere."""
    model = random_model(rng, nz=2, n_max=1, l_max=1, orders=orders, n_terms=40)
    for structure in nasty.values():
        energies, _, _ = model.evaluator().evaluate(*structure.arguments())
        np.testing.assert_allclose(energies, site_energies(model, structure), rtol=1e-11, atol=1e-12)


# --------------------------------------------------------------------------------------------- threads


def big_structure(rng: np.random.Generator, n: int = 6) -> Structure:
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3), -1).reshape(-1, 3) * 2.2
    positions = grid + rng.uniform(-0.2, 0.2, grid.shape)
    return Structure(
        positions, np.zeros((3, 3)), (False,) * 3, rng.integers(0, 2, len(grid)).astype(np.int32), 4.0
    )


def test_threads_change_rounding_only(make_model: Callable[..., Model], rng: np.random.Generator) -> None:
    evaluator = make_model(orders=(1, 2, 3)).evaluator()
    arguments = big_structure(rng).arguments()
    e, f, v = evaluator.evaluate(*arguments)
    for n_threads in (2, 3, 8):
        first = evaluator.evaluate(*arguments, n_threads=n_threads)
        again = evaluator.evaluate(*arguments, n_threads=n_threads)
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)  # the same bit for bit for a given number of threads
        np.testing.assert_array_equal(first[0], e)
        np.testing.assert_allclose(first[1], f, atol=1e-13 * (1 + np.abs(f).max()))
        np.testing.assert_allclose(first[2], v, atol=1e-12 * (1 + np.abs(v).max()))


def test_one_evaluator_may_serve_several_python_threads(
    make_model: Callable[..., Model], rng: np.random.Generator
) -> None:
    evaluator = make_model(orders=(1, 2, 3)).evaluator()
    arguments = [big_structure(rng, n).arguments() for n in (3, 5, 2, 4)]
    alone = [evaluator.evaluate(*a) for a in arguments]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda a: evaluator.evaluate(*a), 3 * arguments))
    for k, result in enumerate(together):
        for a, b in zip(result, alone[k % 4], strict=True):
            np.testing.assert_array_equal(a, b)


def test_energies_only(make_model: Callable[..., Model], nasty: dict[str, Structure]) -> None:
    evaluator = make_model().evaluator()
    for structure in nasty.values():
        energies, forces, virial = evaluator.evaluate(*structure.arguments(), forces=False)
        np.testing.assert_array_equal(energies, evaluator.evaluate(*structure.arguments())[0])
        assert forces is None
        assert virial is None


# --------------------------------------------------------------------------------------- empty and bad


def test_no_atoms(make_model: Callable[..., Model]) -> None:
    empty = Structure(np.zeros((0, 3)), np.zeros((3, 3)), (False,) * 3, np.zeros(0, np.int32), 4.0)
    energies, forces, virial = make_model().evaluator().evaluate(*empty.arguments(), n_threads=2)
    assert energies.shape == (0,)
    assert forces.shape == (0, 3)
    assert not virial.any()


def dimer(r: float) -> Structure:
    return Structure(
        np.array([[0, 0, 0], [r, 0, 0]]), np.zeros((3, 3)), (False,) * 3, np.zeros(2, np.int32), 4.0
    )


def test_atoms_on_top_of_each_other_are_named(make_model: Callable[..., Model], isa: str) -> None:
    evaluator = make_model().evaluator(isa=isa)
    with pytest.raises(EvaluationError, match=r"on top of each other: atoms 0 and 1 .* Å apart; remove one"):
        evaluator.evaluate(*dimer(0.0).arguments())
    evaluator.evaluate(*dimer(1.0).arguments())  # the evaluator is still usable


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_must_be_finite(bad: float, make_model: Callable[..., Model]) -> None:
    structure = dimer(1.0)
    neighbours = structure.neighbours()
    structure.positions[1, 2] = bad
    with pytest.raises(EvaluationError, match="positions must be finite: row 1"):
        make_model().evaluator().evaluate(structure.positions, structure.cell, structure.species, *neighbours)


def test_energies_that_overflow_are_named(make_model: Callable[..., Model]) -> None:
    model = make_model(orders=(3,), nz=1)
    model.terms["term_weight"][:] = 1e300
    model.tables["mb_norm"][:] = 1e30
    with pytest.raises(EvaluationError, match=r"energy of atom \d+ is not a finite number"):
        model.evaluator().evaluate(*dimer(1.5).arguments())


def bad_call(evaluator: Any, **changes: Any) -> None:
    names = ("positions", "cell", "species", "first", "index", "shift")
    evaluator.evaluate(**{**dict(zip(names, dimer(1.0).arguments(), strict=True)), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"species": np.array([0, 2], np.int32)}, "atom 1 has species index 2"),
        ({"species": np.array([0], np.int32)}, "1 entries for 2 atoms"),
        ({"index": np.array([1, 5], np.int32)}, "refers to atom 5"),
        ({"index": np.array([-1, 0], np.int32)}, "refers to atom -1"),
        ({"first": np.array([0, 1], np.int64)}, r"n_atoms \+ 1 = 3"),
        ({"first": np.array([0, 3, 2], np.int64)}, "must not decrease"),
        ({"first": np.array([0, 1, 1], np.int64)}, "end at the number of pairs"),
        ({"shift": np.zeros((1, 3), np.int32)}, "1 rows for 2 pairs"),
        ({"n_threads": 0}, "at least 1"),
    ],
)
def test_inconsistent_lists_are_refused(
    changes: dict[str, Any], message: str, make_model: Callable[..., Model]
) -> None:
    with pytest.raises(ValueError, match=message):
        bad_call(make_model().evaluator(), **changes)


def test_arrays_of_another_type_are_refused(make_model: Callable[..., Model]) -> None:
    evaluator = make_model().evaluator()
    for changes in ({"positions": np.zeros((2, 3), np.float32)}, {"positions": np.zeros((2, 2))},
                    {"index": np.array([1, 0], np.int64)}):  # fmt: skip
        with pytest.raises(TypeError):
            bad_call(evaluator, **changes)


@pytest.mark.parametrize(
    ("where", "key", "value", "message"),
    [
        ("terms", "term_index", 10**6, "refers to A function 1000000"),
        ("terms", "term_weight", np.nan, "must be finite"),
        ("terms", "e0", np.inf, "must be finite"),
        ("tables", "a_spec", 99, "impossible row"),
        ("tables", "mb_transform_params", -1.0, "needs 0 <= rin"),
    ],
)
def test_impossible_models_are_refused(where: str, key: str, value: float, message: str,
                                       make_model: Callable[..., Model]) -> None:  # fmt: skip
    model = make_model()
    getattr(model, where)[key].flat[0] = value
    with pytest.raises(ValueError, match=message):
        model.evaluator()


def test_options_are_checked(make_model: Callable[..., Model]) -> None:
    model = make_model()
    with pytest.raises(ValueError, match="choose one of: auto, baseline"):
        model.evaluator(isa="mmx")
    with pytest.raises(ValueError, match="dtype must be"):
        model.evaluator(dtype="float16")


def test_isas_are_listed_best_last() -> None:
    known = ["baseline", "avx2", "avx512"]
    assert _core.isas() == known[: len(_core.isas())]


def test_statistics_tell_what_was_compiled(make_model: Callable[..., Model]) -> None:
    statistics = make_model(orders=(2, 3, 4), nz=2).evaluator(isa="baseline", dtype="float32").statistics()
    assert statistics["isa"] == "baseline"
    assert statistics["dtype"] == "float32"
    assert statistics["lanes"] == 4
    assert len(statistics["n_a"]) == 2
    assert statistics["stored_products"] > 0
