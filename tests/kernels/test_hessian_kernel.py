"""Rates along a direction are the derivatives of the results; the sparse Hessian holds every product."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kernel_oracle import Model, Structure, random_model, site_energies, structures

from lacemaker import _core

STEP = 2e-4
SMOOTH = [  # transform, envelope, pair_transform, pair_envelope
    (0, 1, 0, 2),
    (1, 1, 1, 1),
    (2, 2, 3, 2),
    (3, 1, 2, 1),
]


def smooth_model(seed: int, orders: tuple[int, ...], kinds: tuple[int, ...], **options: Any) -> Model:
    """A random model whose pairs never cross a switch in these tests: third powers at the cutoffs."""
    transform, envelope, pair_transform, pair_envelope = kinds
    model = random_model(
        np.random.default_rng(seed), orders=orders, n_terms=30, transform=transform, envelope=envelope,
        pair_transform=pair_transform, pair_envelope=pair_envelope, zbl=True, **options,
    )  # fmt: skip
    for name in ("mb", "pair"):
        if model.tables[f"{name}_envelope"] == 1:
            model.tables[f"{name}_envelope_params"] = np.array([2.0, 4.0])
        model.tables[f"{name}_transform_params"][..., 0] = 0.0  # rin: a kink of x(r)
    return model


def kernels(model: Model, isa: str) -> tuple[Any, Any]:
    tables = _core.Tables(**model.tables)
    return _core.Evaluator(tables, **model.terms, isa=isa), _core.Hessian(tables, **model.terms, isa=isa)


def clear_of_cutoffs(model: Model, s: Structure) -> bool:
    """No pair within 2e-3 Å of a cutoff: envelope "r" has a kink of the slope's slope there."""
    first, index, shift = replace(s, cutoff=s.cutoff + 0.1).neighbours()
    centre = np.repeat(np.arange(len(s.species)), np.diff(first))
    d = s.positions[index] + shift @ s.cell - s.positions[centre]
    r, pair = np.linalg.norm(d, axis=1), (s.species[centre], s.species[index])
    cutoffs = [model.tables[f"{name}_transform_params"][(*pair, 2)] for name in ("mb", "pair")]
    return bool(all((np.abs(r - c) > 2e-3).all() for c in cutoffs))


@pytest.mark.parametrize(("orders", "kinds"), list(zip([(1, 2), (3,), (4,), (5,)], SMOOTH, strict=True)))
def test_rates_are_derivatives_along_positions_and_strain(
    orders: tuple[int, ...], kinds: tuple[int, ...], isa: str
) -> None:
    rng = np.random.default_rng(5)
    model = smooth_model(sum(orders), orders, kinds)
    evaluator, hessian = kernels(model, isa)
    tested = 0
    for name, s in structures(rng, 2).items():
        if not clear_of_cutoffs(model, s):
            continue
        tested += 1
        neighbours = replace(s, cutoff=s.cutoff + 0.1).neighbours()
        v, strain = rng.normal(size=s.positions.shape), 0.3 * rng.normal(size=(3, 3))

        def at(
            h: float, s: Structure = s, v: Any = v, strain: Any = strain, neighbours: Any = neighbours
        ) -> Any:
            deformation = np.eye(3) + h * strain
            x = s.positions @ deformation + h * v
            return evaluator.evaluate(x, s.cell @ deformation, s.species, *neighbours)

        rates = hessian.product(s.positions, s.cell, s.species, *neighbours, v, strain)
        four = [at(h * STEP) for h in (-2, -1, 1, 2)]
        for rate, a, b, c, d in zip(rates, *four, strict=True):
            numerical = (8 * (c - b) - (d - a)) / (12 * STEP)
            np.testing.assert_allclose(
                rate, numerical, rtol=1e-6, atol=1e-6 * (1 + np.abs(rate).max()), err_msg=name
            )
    assert tested >= 5


def test_rates_agree_with_the_slow_oracle() -> None:
    """Mixed second differences of energies that share no code with the kernel."""
    model = smooth_model(3, (1, 2, 3), SMOOTH[0])
    _, hessian = kernels(model, "auto")
    s = structures(np.random.default_rng(5), 2)["molecule"]
    rng = np.random.default_rng(1)
    v, w = rng.normal(size=(2, *s.positions.shape)) / 3
    h = 2e-3

    def energy(a: float, b: float) -> float:
        return float(site_energies(model, s.moved(s.positions + h * (a * v + b * w))).sum())

    mixed = (energy(1, 1) - energy(1, -1) - energy(-1, 1) + energy(-1, -1)) / (4 * h * h)
    rates = hessian.product(*s.arguments(), v)
    assert -np.sum(rates[1] * w) == pytest.approx(mixed, rel=1e-4)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_sparse_hessian_holds_every_product(
    isa: str, nasty: dict[str, Structure], n_threads: int
) -> None:
    model = smooth_model(11, (1, 2, 3, 4), SMOOTH[0])
    _, hessian = kernels(model, isa)
    for name, s in nasty.items():
        n = len(s.species)
        first, column, blocks = hessian.sparse(*s.arguments(), n_threads=n_threads)
        dense = np.zeros((n, 3, n, 3))
        for j in range(n):
            for k in range(first[j], first[j + 1]):
                dense[j, :, column[k]] += blocks[k]
        dense = dense.reshape(3 * n, 3 * n)
        scale = 1e-11 * (1 + np.abs(dense).max())
        np.testing.assert_allclose(dense, dense.T, atol=scale, err_msg=name)
        for v in np.eye(3 * n):
            forces = hessian.product(*s.arguments(), v.reshape(n, 3))[1]
            np.testing.assert_allclose(dense @ v, -forces.ravel(), atol=scale, err_msg=name)


def test_directions_are_checked() -> None:
    model = smooth_model(3, (2,), SMOOTH[0])
    _, hessian = kernels(model, "auto")
    s = structures(np.random.default_rng(5), 2)["molecule"]
    with pytest.raises(ValueError, match="velocity has 2 rows for 11 atoms"):
        hessian.product(*s.arguments(), np.zeros((2, 3)))
    with pytest.raises(Exception, match="velocity must be finite"):
        hessian.product(*s.arguments(), np.full((11, 3), np.nan))
