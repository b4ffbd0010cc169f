"""What design rows do not depend on, what they leave alone, what they refuse."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from design_oracle import RandomDesign, random_design
from kernel_oracle import Structure

from lacemaker import _core
from lacemaker.basis import ACEBasis
from lacemaker.structures import neighbour_list


@pytest.fixture
def design(rng: np.random.Generator) -> RandomDesign:
    return random_design(rng, orders=(1, 2, 3, 4))


def crystal(repeat: int) -> Structure:
    """Two species, four atoms per 4 Å cell; rows of a supercell are those of the cell, repeated."""
    positions = np.array([[0.0, 0.1, 0], [0, 2.0, 2.1], [2.05, 0, 2], [1.9, 2, 0.1]])
    cell = np.array([[4.0, 0.3, 0], [-0.2, 4.1, 0], [0.1, 0.4, 3.9]])
    steps = np.stack(np.meshgrid(*[range(repeat)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    every = (steps @ cell)[:, None] + positions
    species = np.tile(np.array([0, 1, 1, 0], np.int32), len(steps))
    return Structure(every.reshape(-1, 3), repeat * cell, (True,) * 3, species, 4.0)


def test_pairs_beyond_the_cutoff_change_nothing(
    design: RandomDesign, isa: str, nasty: dict[str, Structure]
) -> None:
    kernel = design.kernel(isa)
    for s in nasty.values():
        with_skin = Structure(s.positions, s.cell, s.pbc, s.species, s.cutoff + 1.0)
        np.testing.assert_array_equal(design.rows(with_skin, kernel), design.rows(s, kernel))


def test_order_of_neighbours_does_not_matter(
    design: RandomDesign, isa: str, nasty: dict[str, Structure], rng: np.random.Generator
) -> None:
    kernel = design.kernel(isa)
    for s in nasty.values():
        first, index, shift = s.neighbours()
        atom = np.repeat(np.arange(len(s.species)), np.diff(first))
        order = np.lexsort((rng.random(len(atom)), atom))
        expected = design.rows(s, kernel)
        out = np.empty_like(expected)
        kernel.rows(
            s.positions, s.cell, s.species, first, index[order], np.ascontiguousarray(shift[order]), out
        )
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))


def test_supercell_repeats_the_rows_of_the_cell(design: RandomDesign, isa: str) -> None:
    """Images of one atom share columns in the small cell and are atoms of their own in the large one."""
    kernel = design.kernel(isa)
    small, large = (design.rows(crystal(n), kernel) for n in (1, 3))
    scale = np.abs(large).max()
    ends = [0, *range(-6, 0)]
    np.testing.assert_allclose(large[ends], 27 * small[ends], rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(large[1:-6], np.tile(small[1:-6], (27, 1)), rtol=0, atol=1e-12 * scale)


def test_images_of_a_single_atom_exert_no_force(
    design: RandomDesign, nasty: dict[str, Structure], isa: str
) -> None:
    rows = design.rows(nasty["one atom seeing its images"], design.kernel(isa))
    assert np.abs(rows[-6:]).max() > 1e-3
    np.testing.assert_array_equal(rows[1:4], 0.0)


def test_forces_sum_to_zero(design: RandomDesign, nasty: dict[str, Structure], isa: str) -> None:
    kernel = design.kernel(isa)
    for s in nasty.values():
        forces = design.rows(s, kernel)[1:-6].reshape(-1, 3, design.n_columns)
        assert np.abs(forces.sum(axis=0)).max() < 1e-12 * max(1.0, np.abs(forces).max())


def test_columns_of_absent_species_and_lonely_atoms_are_zero(design: RandomDesign, isa: str) -> None:
    kernel = design.kernel(isa)
    far = Structure(
        np.diag([0.0, 50.0, 90.0]), np.zeros((3, 3)), (False,) * 3, np.array([0, 1, 0], np.int32), 4.0
    )
    np.testing.assert_array_equal(design.rows(far, kernel), 0.0)
    one_kind = crystal(2)
    one_kind = Structure(one_kind.positions, one_kind.cell, one_kind.pbc, np.zeros(32, np.int32), 4.0)
    begin, end = design.design["row_centre"][1:3]
    rows = design.rows(one_kind, kernel)
    np.testing.assert_array_equal(rows[:, begin:end], 0.0)
    assert np.abs(rows[0, :begin]).max() > 0


@pytest.mark.parametrize("n_rows", [1, 3, 8, 9])
@pytest.mark.parametrize("spare", [0, 1, 6])
def test_columns_behind_the_last_are_left_alone(n_rows: int, spare: int, isa: str) -> None:
    design = random_design(np.random.default_rng(n_rows), orders=(2,), n_rows=n_rows, nz=1, n_pair=0)
    s, kernel = crystal(1), design.kernel(isa)
    s = Structure(s.positions, s.cell, s.pbc, np.zeros(4, np.int32), s.cutoff)
    out = np.full((7 + 12, design.n_columns + spare), np.nan)
    kernel.rows(*s.arguments(), out)
    assert np.isnan(out[:, design.n_columns :]).all()
    np.testing.assert_array_equal(out[:, : design.n_columns], design.rows(s, kernel))


def test_energy_only_rows_equal_the_energy_row(
    design: RandomDesign, isa: str, nasty: dict[str, Structure]
) -> None:
    kernel = design.kernel(isa)
    for s in nasty.values():
        np.testing.assert_array_equal(design.rows(s, kernel, forces=False)[0], design.rows(s, kernel)[0])


def test_threads_and_earlier_calls_change_no_bit(
    design: RandomDesign, isa: str, nasty: dict[str, Structure]
) -> None:
    kernel = design.kernel(isa)
    many = [crystal(2), *nasty.values(), crystal(1)]
    expected = [design.rows(s, design.kernel(isa)) for s in many]
    for s, rows in zip(many, expected, strict=True):
        for n_threads in (1, 2, 7, 100):
            np.testing.assert_array_equal(design.rows(s, kernel, n_threads=n_threads), rows)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda s: design.rows(s, kernel), many * 3))
    for rows, again in zip(expected * 3, found, strict=True):
        np.testing.assert_array_equal(again, rows)


def test_instruction_sets_agree(nasty: dict[str, Structure]) -> None:
    basis = ACEBasis(["Si", "O"], 3, [7, 6, 5], cutoff=4.0)
    tables = _core.Tables(**basis.kernel_tables())
    for s in nasty.values():
        nl = neighbour_list(s.positions, s.cell, np.array(s.pbc), 4.0)
        results = []
        for isa in _core.isas():
            out = np.empty((7 + 3 * len(s.species), basis.n_functions))
            kernel = _core.DesignRows(tables, **basis.design_tables(), isa=isa)
            kernel.rows(s.positions, s.cell, s.species, nl.first, nl.index, nl.shift, out)
            results.append(out)
        for out in results[1:]:
            np.testing.assert_allclose(out, results[0], rtol=0, atol=1e-12 * max(1.0, np.abs(out).max()))


def changed(design: RandomDesign, **arguments: Any) -> RandomDesign:
    return RandomDesign(design.tables, {**design.design, **arguments})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"product_index": d["product_index"] + 1000}, "product_index holds an A function"),
        (lambda d: {"row_product": d["row_product"] + 1000}, "row_product holds a product"),
        (lambda d: {"n_columns": 3}, "n_columns is smaller than"),
        (lambda d: {"pair_column": d["pair_column"] + 10**6}, "pair_column holds a column outside"),
        (lambda d: {"pair_column": d["pair_column"][..., :2].copy()}, r"shape \(NZ, NZ, n_pair\)"),
        (lambda d: {"row_first": d["row_first"][::-1].copy()}, "row_first must rise from 0"),
        (lambda d: {"row_coefficient": d["row_coefficient"][:-1].copy()}, "as long as row_product"),
    ],
)
def test_impossible_tables_are_refused(
    design: RandomDesign, change: Callable[[dict[str, Any]], dict[str, Any]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        changed(design, **change(design.design)).kernel()


def test_wrong_arguments_are_refused(design: RandomDesign) -> None:
    kernel, s = design.kernel(), crystal(1)
    positions, cell, species, first, index, shift = s.arguments()
    out = np.empty((19, design.n_columns))
    with pytest.raises(ValueError, match="out has 18 rows; it needs 19"):
        kernel.rows(*s.arguments(), out[:18].copy())
    with pytest.raises(ValueError, match="out has 19 rows; it needs 1 without forces"):
        kernel.rows(*s.arguments(), out, forces=False)
    with pytest.raises(ValueError, match="at least n_columns"):
        kernel.rows(*s.arguments(), out[:, :-1].copy())
    with pytest.raises(ValueError, match="n_threads must be at least 1"):
        kernel.rows(*s.arguments(), out, n_threads=0)
    with pytest.raises(ValueError, match="refers to atom"):
        kernel.rows(positions, cell, species, first, index + 4, shift, out)
    with pytest.raises(ValueError, match="species index"):
        kernel.rows(positions, cell, species + 2, first, index, shift, out)
    with pytest.raises(TypeError):
        kernel.rows(positions.astype(np.float32), cell, species, first, index, shift, out)
    with pytest.raises(TypeError):
        kernel.rows(*s.arguments(), np.asfortranarray(out))


def test_atoms_on_top_of_each_other_give_rows_that_are_not_finite(design: RandomDesign, isa: str) -> None:
    s = crystal(1)
    s.positions[1] = s.positions[0]
    assert not np.isfinite(design.rows(s, design.kernel(isa))[1:-6]).all()


def test_statistics_count_what_the_plan_holds(design: RandomDesign) -> None:
    found = design.kernel("baseline").statistics()
    assert found["isa"] == "baseline"
    assert found["lanes"] == 2
    assert all(len(found[key]) == 2 for key in ("n_a", "slots", "distinct_slopes", "stored_products"))
    assert all(0 < s <= n for s, n in zip(found["distinct_slopes"], found["slots"], strict=True))
