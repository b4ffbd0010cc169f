"""Design rows are the values and minus the derivatives of every function of the basis."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from design_oracle import RandomDesign, energy_row, random_design
from kernel_oracle import VOIGT, Structure, structures

from lacemaker import _core
from lacemaker.basis import ACEBasis, reference
from lacemaker.structures import neighbour_list

STEP = 2e-5
SEED = 58  # keeps all pairs of all cases 0.007 Å from their cutoffs, where the second derivative jumps
KINDS = {
    "order 1": {"orders": (1,)},
    "order 2, one species": {"orders": (2,), "nz": 1},
    "orders 1 to 3": {"orders": (1, 2, 3)},
    "order 4": {"orders": (4,), "n_pair": 0},
    "order 5": {"orders": (5,), "n_pair": 1},
    "rows of mixed order": {"orders": (1, 3, 5), "mixed_orders": True, "shared_pair_columns": True},
    "pair functions only": {"orders": ()},
    "Morse and inverse-power transforms": {"transform": 3, "pair_transform": 1, "envelope": 3},
}


def fourth_order(f: Callable[[float], np.ndarray]) -> np.ndarray:
    """df/dh at 0 with error h^4."""
    return (8 * (f(STEP) - f(-STEP)) - (f(2 * STEP) - f(-2 * STEP))) / (12 * STEP)


def same(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Equal within `tolerance` of each column's largest element (or of one)."""
    scale = np.maximum(np.abs(expected).max(axis=0), 1.0)
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=tolerance)


def of_kind(kind: str) -> RandomDesign:
    return random_design(np.random.default_rng(SEED), **KINDS[kind])


def cases(design: RandomDesign) -> dict[str, Structure]:
    return structures(np.random.default_rng(5), design.tables["n_species"])


@pytest.mark.parametrize("kind", KINDS)
def test_energy_row_is_the_sum_of_the_site_functions(kind: str, isa: str) -> None:
    design = of_kind(kind)
    kernel = design.kernel(isa)
    for structure in cases(design).values():
        expected = energy_row(design, structure, structure.neighbours())
        same(design.rows(structure, kernel)[:1], expected[None], 1e-12)
        same(design.rows(structure, kernel, forces=False), expected[None], 1e-12)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("order 1", "order 2, one species")])
def test_force_and_virial_rows_are_minus_the_derivatives(kind: str, rng: np.random.Generator) -> None:
    """Along random displacements of all atoms and random symmetric strains."""
    design = of_kind(kind)
    kernels = [design.kernel(isa) for isa in _core.isas()]
    for s in cases(design).values():
        neighbours = replace(s, cutoff=s.cutoff + 0.1).neighbours()  # pairs may step across the cutoff
        for _ in range(2):
            step = rng.normal(size=s.positions.shape)
            strain = rng.normal(size=(3, 3))
            strain += strain.T

            def moved(h: float, s: Structure = s, step: np.ndarray = step) -> Structure:
                return s.moved(s.positions + h * step)

            def strained(h: float, s: Structure = s, strain: np.ndarray = strain) -> Structure:
                deformation = np.eye(3) + h * strain
                return s.moved(s.positions @ deformation, s.cell @ deformation)

            by_step, by_strain = (
                fourth_order(lambda h, f=f, n=neighbours: energy_row(design, f(h), n))
                for f in (moved, strained)
            )
            twice = np.array([strain[a, b] * (1 if a == b else 2) for a, b in VOIGT])
            for kernel in kernels:
                rows = design.rows(s, kernel)
                same((step.ravel() @ rows[1:-6])[None], -by_step[None], 1e-8)
                same((twice @ rows[-6:])[None], -by_strain[None], 1e-8)


BASES = {
    "one element": (["Si"], 3, [9, 8, 7], 5.0),
    "two elements, order 4": (["Si", "O"], 4, [7, 6, 5, 4], 4.0),
    "three elements": (["C", "H", "O"], 3, [5, 5, 5], 3.5),
    "order 5": (["Si"], 5, [6, 6, 6, 6, 6], 4.0),
}


@pytest.mark.parametrize("name", BASES)
def test_rows_of_an_ace_basis_equal_the_reference(name: str, isa: str) -> None:
    elements, order, degree, cutoff = BASES[name]
    basis = ACEBasis(elements, order, degree, cutoff=cutoff)
    kernel = _core.DesignRows(_core.Tables(**basis.kernel_tables()), **basis.design_tables(), isa=isa)
    for structure in structures(np.random.default_rng(1), len(elements), cutoff).values():
        frame = (structure.positions, structure.cell, np.array(structure.pbc))
        nl = neighbour_list(*frame, cutoff)
        expected = reference.design(basis, *frame, structure.species, nl)
        out = np.empty((7 + 3 * len(structure.species), basis.n_functions))
        kernel.rows(structure.positions, structure.cell, structure.species, nl.first, nl.index, nl.shift, out)
        same(out, np.vstack([expected.energy, expected.forces, expected.virial]), 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_times_coefficients_are_what_the_evaluator_returns(kind: str, isa: str) -> None:
    design = of_kind(kind)
    kernel = design.kernel(isa)
    coefficients = np.random.default_rng(3).normal(size=design.n_columns)
    evaluator = _core.Evaluator(_core.Tables(**design.tables), **design.terms(coefficients), isa=isa)
    for structure in cases(design).values():
        rows = design.rows(structure, kernel)
        energies, forces, virial = evaluator.evaluate(*structure.arguments())
        expected = np.concatenate([[energies.sum()], forces.ravel(), virial])
        scale = max(1.0, np.abs(rows).max() * np.abs(coefficients).max())
        np.testing.assert_allclose(rows @ coefficients / scale, expected / scale, rtol=0, atol=2e-13)
