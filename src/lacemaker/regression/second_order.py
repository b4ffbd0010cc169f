"""Rows of one frame from all its labels: those of one design, force constants, site and formation energies.

Force constants are linear in the coefficients like all else::

    Φ_k = -Σ_s w_s F_k(x_s),    e.g. -[F_k(x + h e) - F_k(x - h e)] / 2h

with F_k the force rows of basis function k at the displaced positions: the very difference that a reference
of finite displacements takes, so that nothing is lost to truncation. A row block takes two designs; for
labels that are derivatives (h = 0) a fourth-order difference of four designs agrees with the analytic
Hessian of the evaluator to about 1e-7 of its largest element. Only site energies that feel the displaced atom
change, and only they are computed: in a supercell of 216 silicon atoms two such designs cost a third of one
whole design.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import DataError
from lacemaker.regression.rows import BasisRows, RowBlock, RowSource, row_blocks
from lacemaker.structures import Frame, neighbour_list, row_multipliers
from lacemaker.structures.force_constants import DERIVATIVE_STEP

__all__ = ["force_constant_design", "frame_blocks", "n_designs"]

Matrix = NDArray[np.float64]


def frame_blocks(source: RowSource, frame: Frame) -> Iterator[RowBlock]:
    """Scaled rows of every label of a frame.

    Raises
    ------
    DataError
        If a row is not finite, or the source has no rows of site energies.
    """
    if any(frame.has(quantity) for quantity in ("energy", "forces", "virial")):
        yield from row_blocks(frame, source.design(frame), source.elements)
    multipliers = row_multipliers(frame)
    if frame.force_constants is not None:
        scale = float(np.asarray(multipliers["force_constants"]))
        for row in range(len(frame.force_constants)):
            matrix, baseline = force_constant_design(source, frame, row)
            target = frame.force_constants.values[row].ravel() - baseline
            one_body = np.zeros((len(target), len(source.elements)))
            yield _scaled("force_constants", frame, one_body, matrix, target, scale)
    if frame.energies is not None:
        scale = float(np.asarray(multipliers["energies"]))
        matrix, baseline = _site_design(source, frame)
        symbols = np.array(frame.symbols)[:, None] == np.array(source.elements)
        yield _scaled("energies", frame, symbols.astype(float), matrix, frame.energies - baseline, scale)
    if frame.reference is not None and frame.formation_energy is not None:
        scale = float(np.asarray(multipliers["formation_energy"]))
        yield _formation_block(source, frame, frame.reference, scale)


def _formation_block(source: RowSource, frame: Frame, bulk: Frame, scale: float) -> RowBlock:
    """The row of E(defect) - (N/N_bulk) E(bulk), not divided by the size."""
    ratio = len(frame.numbers) / len(bulk.numbers)
    one_body = np.zeros(len(source.elements))
    matrix, baseline = np.zeros(source.n_functions), 0.0
    for factor, part in ((1.0, frame), (-ratio, bulk)):
        design = source.design(part)
        matrix += factor * design.rows[0]
        baseline += factor * float(design.baseline[0])
        symbols = part.symbols
        one_body += factor * np.array([symbols.count(element) for element in source.elements], dtype=float)
    one_body[np.abs(one_body) < 1e-9] = 0.0
    target = np.array([frame.formation_energy - baseline])  # type: ignore[operator]
    return _scaled("formation_energy", frame, one_body[None], matrix[None], target, scale)


def n_designs(frame: Frame) -> int:
    """How many designs the rows of a frame need: what they cost."""
    label = frame.force_constants
    differences = 0 if label is None else int(sum(2 if step.any() else 4 for step in label.steps))
    plain = any(frame.has(quantity) for quantity in ("energy", "forces", "virial"))
    return int(plain) + differences + (2 if frame.reference is not None else 0)


def force_constant_design(source: RowSource, frame: Frame, row: int) -> tuple[Matrix, Matrix]:
    """Rows (3 n_atoms, K) of one force-constant label, 1/Å², and the baseline (3 n_atoms,) eV/Å²."""
    constants = frame.force_constants
    if constants is None:
        raise DataError(
            f"{frame.source or 'A structure'}: no force constants. Found no such label. Give the frame one."
        )
    forces = slice(1, 1 + 3 * len(frame.numbers))
    matrix = baseline = np.zeros(0)
    bare = replace(frame, energy=None, forces=None, virial=None, force_constants=None, energies=None)
    options: dict[str, NDArray[np.bool_]] = {}
    if isinstance(source, BasisRows):
        options["sites"] = _within_reach(source, bare, int(constants.atoms[row]), constants.steps[row].max())
    for k, (weight, positions) in enumerate(constants.geometries(row, frame.positions)):
        design = source.design(replace(bare, positions=positions), **options)
        if k == 0:
            matrix, baseline = -weight * design.rows[forces], -weight * design.baseline[forces]
        else:
            matrix -= weight * design.rows[forces]
            baseline -= weight * design.baseline[forces]
    return matrix, baseline


def _within_reach(source: BasisRows, frame: Frame, atom: int, step: float) -> NDArray[np.bool_]:
    """Atoms (n_atoms,) whose site energies can feel an atom that moves by `step` Å (0: a derivative)."""
    reach = source.basis.cutoff + max(step, 2 * DERIVATIVE_STEP) + 1e-6
    near = neighbour_list(frame.positions, frame.cell, frame.pbc, reach)
    felt = np.zeros(len(frame.numbers), dtype=bool)
    felt[near.index[near.first[atom] : near.first[atom + 1]]] = True
    felt[atom] = True
    return felt


def _site_design(source: RowSource, frame: Frame) -> tuple[Matrix, Matrix]:
    if not hasattr(source, "site_design"):
        raise DataError(
            f"{frame.source or 'A structure'}: site energies cannot be fitted with these rows. Found a row "
            f"source {type(source).__name__} without site_design. Leave the label out."
        )
    matrix, baseline = source.site_design(frame)
    return matrix, baseline


def _scaled(
    kind: str, frame: Frame, one_body: Matrix, matrix: Matrix, target: Matrix, scale: float
) -> RowBlock:
    if not np.isfinite(matrix.sum() + target.sum()):
        raise DataError(
            f"{frame.source or 'A structure'}: its {kind} rows hold NaN or infinite numbers. This happens "
            "when two atoms lie on top of each other. Remove the structure; `lace check` finds such atoms."
        )
    if scale == 0.0:
        one_body, matrix, target = one_body[:0], matrix[:0], target[:0]
    square_sum = scale * scale * len(target)
    return RowBlock(kind, scale * one_body, scale * matrix, scale * target[:, None], square_sum)
