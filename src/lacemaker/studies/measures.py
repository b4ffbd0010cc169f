"""Errors of a fitted model: lattice (ε^FC, ε^V, Δa₀), residual forces, relaxed defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.elasticity import equilibrium_scale
from lacemaker.analysis.second_derivatives import second_strain_derivatives
from lacemaker.errors import EvaluationError
from lacemaker.studies.crystals import Crystal
from lacemaker.studies.estimator import estimate
from lacemaker.studies.observations import FORCE_CONSTANTS, MIXED_STRAINS, STRAINED
from lacemaker.studies.relaxation import relax

if TYPE_CHECKING:
    from lacemaker.structures import Frame
    from lacemaker.studies.config import TestConfig
    from lacemaker.studies.equilibria import Equilibrium

BOUND = 0.05  # how far the lattice constant is searched, relative
ELSEWHERE = 0.2  # nearest-neighbour distances: a bond that changes more belongs to another structure

__all__ = ["defect_errors", "force_constant_error", "label_virial_errors", "lattice_errors"]


def lattice_errors(
    potential: Any, calculator: Any, frames: Sequence[Frame], crystal: Crystal, strain: float
) -> dict[str, float | bool]:
    """Errors of the perfect lattice; see :func:`force_constant_error`, :func:`label_virial_errors`.

    ``lattice_constant_A`` is the error Δa₀ of zero pressure (searched within 5 %; ``lattice_found`` tells
    whether there is one).
    """
    constants = [frame for frame in frames if frame.config_type == FORCE_CONSTANTS]
    strained, mixed = (
        [frame for frame in frames if frame.config_type == kind] for kind in (STRAINED, MIXED_STRAINS)
    )
    try:
        scale, found = equilibrium_scale(calculator, crystal.cell, bound=BOUND)
    except EvaluationError:
        scale, found = 1.0 + BOUND, False
    return {
        **force_constant_error(potential, constants),
        **label_virial_errors(potential, strained, mixed, strain),
        "lattice_constant_A": crystal.lattice_constant * (scale - 1.0),
        "lattice_found": found,
    }


def force_constant_error(potential: Any, frames: Sequence[Frame]) -> dict[str, float]:
    """Relative error of labelled force constants, plain and weighted by distance squared.

    The second, ‖ |ρ|² ΔH(ρ) ‖ / ‖ |ρ|² H(ρ) ‖, is the error relative to |k|², which elastic fields feel. The
    same as :func:`lacemaker.analysis.force_constant_errors`, from labels instead of a reference calculator.
    """
    plain, weighted = np.zeros(2), np.zeros(2)
    for frame in frames:
        constants = frame.force_constants
        if constants is None:
            continue
        for row in range(len(constants)):
            exact = constants.values[row]
            model = -sum(
                weight * potential.predict(frame_at(frame, positions)).forces
                for weight, positions in constants.geometries(row, frame.positions)
            )
            squares = _distances(frame, int(constants.atoms[row]))[:, None] ** 2
            for k, array in enumerate((model - exact, exact)):
                plain[k] += (array**2).sum()
                weighted[k] += ((squares * array) ** 2).sum()
    return {
        "force_constants_relative": float(np.sqrt(plain[0] / plain[1])),
        "force_constants_long_range": float(np.sqrt(weighted[0] / weighted[1])),
    }


def frame_at(frame: Frame, positions: np.ndarray) -> Frame:
    """The unlabelled structure at other positions."""
    return replace(frame, positions=positions, force_constants=None)


def _distances(frame: Frame, atom: int) -> np.ndarray:
    from ase.geometry import find_mic

    return find_mic(frame.positions - frame.positions[atom], frame.cell, frame.pbc)[1]


def label_virial_errors(
    potential: Any, strained: Sequence[Frame], mixed: Sequence[Frame], strain: float
) -> dict[str, float]:
    """Errors of the virial against the labels of unrelaxed strained cells, eV per atom.

    ``virial_rms``: over all components of `strained`, the cells a fit may have seen; ``virial_max``: largest
    component over these and `mixed`, two strains at once, which no fit sees. ``virial_0``: residual stress of
    the lattice. ``virial_1``: its first derivative by strain (Born elastic constants times volume per atom),
    relative. ``virial_2``: all its second derivatives (third-order constants), relative. Central differences,
    the same for both.
    """
    n = len(strained[0].numbers)

    def per_atom(frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
        of_model = np.array([potential.predict(frame).virial for frame in frames]) / n
        return of_model, np.array([frame.virial for frame in frames]) / n

    def derivatives(values: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        zero, single, both = values[0], values[1:].reshape(6, 2, 6), sums.reshape(-1, 2, 6)
        first = (single[:, 0] - single[:, 1]) / (2 * strain)
        return zero, first, second_strain_derivatives(zero, single, both, strain)

    (model, exact), (model_mixed, exact_mixed) = per_atom(strained), per_atom(mixed)
    order = [
        (a, b) for a, b in zip(derivatives(model, model_mixed), derivatives(exact, exact_mixed), strict=True)
    ]
    largest = max(np.abs(model - exact).max(), np.abs(model_mixed - exact_mixed).max())
    return {
        "virial_rms_eV_per_atom": float(np.sqrt(np.mean((model - exact) ** 2))),
        "virial_max_eV_per_atom": float(largest),
        "virial_0_eV_per_atom": float(np.abs(order[0][0] - order[0][1]).max()),
        "virial_1_relative": float(np.linalg.norm(order[1][0] - order[1][1]) / np.linalg.norm(order[1][1])),
        "virial_2_relative": float(np.linalg.norm(order[2][0] - order[2][1]) / np.linalg.norm(order[2][1])),
    }


def defect_errors(
    calculator: Any,
    equilibrium: Equilibrium,
    crystal: Crystal,
    test: TestConfig,
    radius: float,
    exact: float,
    scale: float | None = 1.0,
) -> dict[str, Any]:
    """The estimate at ū, then what a relaxation with the model finds, starting there.

    `exact` is the reference's formation energy, eV. `scale` is the lattice constant of the test over that of
    the reference: other than 1 the model starts at, and is compared with, ū scaled; None: the model has no
    lattice constant, hence no result.

    ``geometry_A`` and ``geometry_max_A`` are ‖D(ũ-ū)‖ over nearest neighbours (2-norm, largest); energies are
    formation energies at fixed cell, of the relaxed and of the reference geometry. ``outcome`` is converged,
    elsewhere (an equilibrium of another structure: some bond changed by more than 20 %) or not
    converged; the last two have no geometry error.
    """
    if scale is None:
        return {"outcome": "not converged", "converged": False, "message": "no lattice constant within 5 %",
                "estimate": None}  # fmt: skip
    bulk = crystal.cell.copy()
    if scale != 1.0:
        bulk.set_cell(bulk.cell * scale, scale_atoms=True)
        equilibrium = equilibrium.scaled(scale)
    bulk.calc = calculator
    try:
        per_atom = float(bulk.get_potential_energy()) / len(bulk)
        perfect = equilibrium.bulk_energy(calculator, per_atom)
        guess = estimate(calculator, equilibrium, radius)
        found = relax(
            equilibrium.atoms, calculator, equilibrium.solve, free=equilibrium.free,
            tolerance=test.tolerance, max_calls=test.max_calls,
        )  # fmt: skip
        start = equilibrium.atoms.copy()
        start.calc = calculator
        unrelaxed = float(start.get_potential_energy()) - perfect
    except (EvaluationError, ValueError) as error:
        return {"outcome": "not converged", "converged": False, "message": str(error).splitlines()[0][:160],
                "estimate": None}  # fmt: skip
    two, largest = equilibrium.strain_norms(found.positions - equilibrium.atoms.positions)
    elsewhere = largest > ELSEWHERE * crystal.nearest_neighbour
    outcome = "not converged" if not found.converged else "elsewhere" if elsewhere else "converged"
    good, relaxed = outcome == "converged", found.energy - perfect
    return {
        "outcome": outcome,
        "converged": good,
        "message": found.message,
        "n_calls": found.n_calls,
        "largest_force_eV_per_A": found.largest_force,
        "formation_energy_eV": relaxed if good else None,
        "reference_formation_energy_eV": exact,
        "formation_energy_error_eV": relaxed - exact if good else None,
        "energy_error_at_reference_geometry_eV": unrelaxed - exact,
        "geometry_A": two if good else None,
        "geometry_max_A": largest if good else None,
        "estimate": guess.to_dict(),
    }
