"""The evaluator equals the formulas: kernel = slow NumPy for every order, radial family, cell and ISA."""

from collections.abc import Callable

import numpy as np
import pytest
from kernel_oracle import Model, Structure, random_model, site_energies, structures

from lacemaker import _core


def assert_equals_formulas(model: Model, structure: Structure, name: str = "") -> None:
    """On every instruction set of this machine."""
    expected = site_energies(model, structure)
    for isa in _core.isas():
        energies, _, _ = model.evaluator(isa=isa).evaluate(*structure.arguments())
        np.testing.assert_allclose(energies, expected, rtol=1e-11, atol=1e-12, err_msg=f"{isa} {name}")


@pytest.mark.parametrize("orders", [(1,), (2,), (3,), (4,), (5,), (1, 2, 3, 4, 5)])
def test_site_energies_equal_the_formulas(orders: tuple[int, ...], nasty: dict[str, Structure]) -> None:
    model = random_model(np.random.default_rng(len(orders) + 10 * orders[0]), orders=orders)
    for name, structure in nasty.items():
        assert_equals_formulas(model, structure, name)


@pytest.mark.parametrize("envelope", range(4))
@pytest.mark.parametrize("transform", range(4))
def test_every_transform_and_envelope(transform: int, envelope: int, make_model: Callable[..., Model],
                                      nasty: dict[str, Structure]) -> None:  # fmt: skip
    model = make_model(
        transform=transform, envelope=envelope, pair_transform=3 - transform, pair_envelope=3 - envelope
    )
    assert_equals_formulas(model, nasty["molecule"])


@pytest.mark.parametrize("nz", [1, 3, 5])
def test_any_number_of_species(nz: int, rng: np.random.Generator) -> None:
    model = random_model(rng, nz=nz, orders=(1, 2, 3, 4), n_terms=30, symmetric=True, zbl=True)
    for name, structure in structures(rng, nz).items():
        assert_equals_formulas(model, structure, name)


def test_repulsion_alone(make_model: Callable[..., Model], nasty: dict[str, Structure]) -> None:
    model = make_model(orders=(), n_pair=0, zbl=True)
    for name, structure in nasty.items():
        assert_equals_formulas(model, structure, name)


def test_float32_is_close(isa: str, make_model: Callable[..., Model], nasty: dict[str, Structure]) -> None:
    model = make_model(orders=(1, 2, 3, 4))
    exact, rough = model.evaluator(isa=isa), model.evaluator(isa=isa, dtype="float32")
    for structure in nasty.values():
        e, f, v = exact.evaluate(*structure.arguments())
        e32, f32, v32 = rough.evaluate(*structure.arguments())
        scale = 1 + np.abs(f).max()
        np.testing.assert_allclose(e32, e, atol=2e-5 * (1 + np.abs(e).max()))
        np.testing.assert_allclose(f32, f, atol=2e-5 * scale)
        np.testing.assert_allclose(v32, v, atol=1e-4 * (1 + np.abs(v).max()))


def test_pairs_beyond_the_cutoff_do_not_matter(
    make_model: Callable[..., Model], nasty: dict[str, Structure]
) -> None:
    evaluator = make_model(orders=(2, 3)).evaluator()
    for structure in nasty.values():
        longer = Structure(structure.positions, structure.cell, structure.pbc, structure.species, 6.5)
        for a, b in zip(
            evaluator.evaluate(*structure.arguments()), evaluator.evaluate(*longer.arguments()), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_pair_terms_may_reach_further_than_the_many_body_part(
    make_model: Callable[..., Model], nasty: dict[str, Structure]
) -> None:
    model = make_model(orders=(1, 2, 3))
    model.tables["mb_transform_params"][..., 2] = np.array([[2.6, 3.0], [2.8, 3.9]])
    for name, structure in nasty.items():
        assert_equals_formulas(model, structure, name)


def test_all_instruction_sets_agree(make_model: Callable[..., Model], nasty: dict[str, Structure]) -> None:
    model = make_model(orders=(1, 2, 3, 4, 5))
    reference = model.evaluator(isa="baseline")
    best = model.evaluator(isa="auto")
    for structure in nasty.values():
        for a, b in zip(
            reference.evaluate(*structure.arguments()), best.evaluate(*structure.arguments()), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


def test_many_sites_of_uneven_surroundings(rng: np.random.Generator) -> None:
    """More sites than a window holds, species in random order, lists from empty to crowded."""
    positions = rng.uniform(0, 1, (110, 3)) ** 2 * [14.0, 14.0, 14.0]
    apart = [0]
    for k in range(1, len(positions)):
        if np.linalg.norm(positions[k] - positions[apart], axis=1).min() > 1.3:
            apart.append(k)
    assert len(apart) > 64
    kinds = rng.integers(0, 2, len(apart)).astype(np.int32)
    structure = Structure(positions[apart], np.zeros((3, 3)), (False,) * 3, kinds, 4.0)
    assert_equals_formulas(random_model(rng, nz=2, orders=(1, 2, 3), n_terms=20), structure)


def test_windows_of_one_species(rng: np.random.Generator) -> None:
    """Several full windows and a rest; sites sorted by their number of neighbours."""
    positions = np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3) * 2.3
    positions = positions + rng.uniform(-0.4, 0.4, positions.shape)
    kinds = np.zeros(len(positions), np.int32)
    structure = Structure(positions, np.zeros((3, 3)), (False,) * 3, kinds, 4.0)
    assert_equals_formulas(random_model(rng, nz=1, orders=(2, 3), n_terms=10, n_max=3, l_max=2), structure)
