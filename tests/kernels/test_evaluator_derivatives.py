"""Forces are minus the gradient, the virial minus the strain derivative; symmetries of the results."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from kernel_oracle import VOIGT, Model, Structure, random_model, structures

STEP = 2e-4


def fourth_order(f: Callable[[float], float]) -> float:
    """df/dh at 0 with error h^4."""
    return (8 * (f(STEP) - f(-STEP)) - (f(2 * STEP) - f(-2 * STEP))) / (12 * STEP)


@dataclass(frozen=True)
class Energy:
    """Total energy of a structure as its atoms or its cell move; the list has room for the steps."""

    evaluator: Any
    structure: Structure
    neighbours: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, evaluator: Any, structure: Structure) -> "Energy":
        longer = replace(structure, cutoff=structure.cutoff + 0.1)
        return cls(evaluator, structure, longer.neighbours())

    def results(self) -> tuple[np.ndarray, ...]:
        s = self.structure
        return self.evaluator.evaluate(s.positions, s.cell, s.species, *self.neighbours)

    def at(self, structure: Structure) -> float:
        s = structure
        energies, _, _ = self.evaluator.evaluate(
            s.positions, s.cell, s.species, *self.neighbours, forces=False
        )
        return float(energies.sum())

    def moved(self, atom: int, axis: int, step: float) -> float:
        positions = self.structure.positions.copy()
        positions[atom, axis] += step
        return self.at(self.structure.moved(positions))

    def strained(self, a: int, b: int, step: float) -> float:
        """Symmetric strain: eps_ab = eps_ba = step / 2 off the diagonal."""
        strain = np.eye(3)
        strain[a, b] += step / 2
        strain[b, a] += step / 2
        return self.at(self.structure.moved(self.structure.positions @ strain, self.structure.cell @ strain))


@pytest.mark.parametrize("orders", [(1, 2), (3,), (4,), (5,)])
def test_forces_are_minus_the_gradient(
    orders: tuple[int, ...], isa: str, nasty: dict[str, Structure]
) -> None:
    model = random_model(np.random.default_rng(sum(orders)), orders=orders, n_terms=40, zbl=True)
    evaluator = model.evaluator(isa=isa)
    for name, structure in nasty.items():
        energy = Energy.of(evaluator, structure)
        forces = energy.results()[1]
        for atom, axis in np.ndindex(min(3, len(forces)), 3):
            slope = fourth_order(partial(energy.moved, atom, axis))
            assert forces[atom, axis] == pytest.approx(-slope, rel=1e-7, abs=2e-8), name


@pytest.mark.parametrize("orders", [(1, 2, 3), (4,)])
def test_virial_is_minus_the_strain_derivative(
    orders: tuple[int, ...], isa: str, nasty: dict[str, Structure]
) -> None:
    model = random_model(np.random.default_rng(7), orders=orders, n_terms=40)
    evaluator = model.evaluator(isa=isa)
    for name, structure in nasty.items():
        energy = Energy.of(evaluator, structure)
        virial = energy.results()[2]
        for k, (a, b) in enumerate(VOIGT):
            slope = fourth_order(partial(energy.strained, a, b))
            assert virial[k] == pytest.approx(-slope, rel=1e-7, abs=2e-8), name


def test_repulsive_core_pushes_atoms_apart(make_model: Callable[..., Model]) -> None:
    evaluator = make_model(orders=(), n_pair=0, zbl=True).evaluator()
    for r in (0.05, 0.8, 1.5, 1.9):
        dimer = Structure(
            np.array([[0, 0, 0], [0, 0, r]]), np.zeros((3, 3)), (False,) * 3, np.array([0, 1], np.int32), 4.0
        )
        _, forces, virial = evaluator.evaluate(*dimer.arguments())
        assert forces[1, 2] > 0
        assert forces[0, 2] == -forces[1, 2]
        assert virial[2] == pytest.approx(forces[1, 2] * r)


def test_forces_sum_to_zero(make_model: Callable[..., Model], nasty: dict[str, Structure]) -> None:
    evaluator = make_model(orders=(1, 2, 3, 4)).evaluator()
    for structure in nasty.values():
        _, forces, _ = evaluator.evaluate(*structure.arguments())
        np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-12 * (1 + np.abs(forces).max()))


def invariant_model(rng: np.random.Generator, nz: int = 2) -> Model:
    """Power spectrum sum_m A_znlm A_z'n'lm: invariant under rotation and inversion without couplings."""
    model = random_model(rng, nz=nz, orders=(), n_max=3, l_max=4)
    channels = [(z, n) for z in range(nz) for n in (1, 2, 3)]
    every = [(z, n, ell, m) for z, n in channels for ell in range(5) for m in range(-ell, ell + 1)]
    model.tables["a_spec"] = np.array(every * nz, np.int32)
    model.tables["a_first"] = np.arange(nz + 1, dtype=np.int32) * len(every)
    at = {a: k for k, a in enumerate(every)}
    index, weight = [], []
    for _ in range(nz):
        for (z, n), (y, k) in [(a, b) for a in channels for b in channels if a <= b]:
            for ell in range(5):
                w = rng.normal()
                for m in range(-ell, ell + 1):
                    index += [at[z, n, ell, m], at[y, k, ell, m]]
                    weight.append(w)
    per_centre = len(weight) // nz
    model.terms.update(
        term_centre=np.arange(nz + 1, dtype=np.int32) * per_centre,
        term_first=np.arange(0, len(index) + 1, 2, dtype=np.int64),
        term_index=np.array(index, np.int32),
        term_weight=np.array(weight),
    )
    return model


@pytest.mark.parametrize("improper", [False, True])
def test_rotation_and_reflection(improper: bool, isa: str, rng: np.random.Generator) -> None:
    evaluator = invariant_model(rng).evaluator(isa=isa)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.linalg.det(rotation) * (-1 if improper else 1)
    for structure in structures(rng, 2).values():
        turned = structure.moved(
            np.ascontiguousarray(structure.positions @ rotation), structure.cell @ rotation
        )
        e, f, v = evaluator.evaluate(*structure.arguments())
        e2, f2, v2 = evaluator.evaluate(*turned.arguments())
        np.testing.assert_allclose(e2, e, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(f2, f @ rotation, atol=1e-11 * (1 + np.abs(f).max()))
        np.testing.assert_allclose(
            full(v2), rotation.T @ full(v) @ rotation, atol=1e-11 * (1 + np.abs(v).max())
        )


def full(virial: np.ndarray) -> np.ndarray:
    out = np.empty((3, 3))
    for k, (a, b) in enumerate(VOIGT):
        out[a, b] = out[b, a] = virial[k]
    return out


def test_order_of_atoms_does_not_matter(make_model: Callable[..., Model], nasty: dict[str, Structure],
                                        rng: np.random.Generator) -> None:  # fmt: skip
    evaluator = make_model(orders=(1, 2, 3, 4)).evaluator()
    for structure in nasty.values():
        order = rng.permutation(len(structure.positions))
        other = Structure(
            structure.positions[order],
            structure.cell,
            structure.pbc,
            structure.species[order],
            structure.cutoff,
        )
        e, f, v = evaluator.evaluate(*structure.arguments())
        e2, f2, v2 = evaluator.evaluate(*other.arguments())
        np.testing.assert_allclose(e2, e[order], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(f2, f[order], atol=1e-11 * (1 + np.abs(f).max()))
        np.testing.assert_allclose(v2, v, atol=1e-11 * (1 + np.abs(v).max()))


def test_energy_is_smooth_at_the_cutoff(make_model: Callable[..., Model]) -> None:
    """A neighbour that leaves takes neither energy nor force with it."""
    model = make_model(orders=(1, 2, 3), nz=1)
    rcut = model.tables["mb_transform_params"][0, 0, 2]
    model.tables["pair_transform_params"][0, 0, 2] = rcut
    evaluator = model.evaluator()
    forces = []
    for r in (rcut - 1e-6, rcut + 1e-6):
        dimer = Structure(
            np.array([[0, 0, 0], [0, 0, r]]), np.zeros((3, 3)), (False,) * 3, np.zeros(2, np.int32), 5.0
        )
        e, f, _ = evaluator.evaluate(*dimer.arguments())
        assert np.abs(e - model.terms["e0"][0]).max() < 1e-10
        forces.append(f)
    assert np.abs(forces).max() < 1e-4
