"""Rows that hold close atoms repulsive where no data reach: a restraint, not an observation.

Each structure of :meth:`lacemaker.basis.RepulsionRestraint.structures` gives one energy row: its interaction
energy (without the one-body energies), divided by the tolerance of its target. The rows form the kind
"restraint", belong to no fold and count in no error table. The solve multiplies them by the noise of the
data, so that the tolerance means the same whatever the weights and however accurate the fit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lacemaker.regression.factor import Accumulator, Factor
from lacemaker.regression.problem import Block
from lacemaker.regression.rows import RowSource
from lacemaker.regression.triangular import EVERY_FOLD, Group, GroupKey

__all__ = ["calibrated", "restraint_group"]

LEAST_NOISE = 0.01  # of the scatter of the targets, where too few rows are left to judge the noise by


def restraint_group(source: RowSource, restraint: Any) -> tuple[Group, ...]:
    """Rows of a :class:`lacemaker.basis.RepulsionRestraint` as one group; none where it has no structures."""
    from lacemaker.structures import Frame
    from lacemaker.structures.elements import atomic_number

    structures = restraint.structures(source.basis)
    if not structures:
        return ()
    n_one = len(source.elements)
    accumulator = Accumulator(n_one + source.n_functions + 1)
    square_sum = 0.0
    for structure in structures:
        frame = Frame(
            numbers=np.array([atomic_number(symbol) for symbol in structure.elements]),
            positions=structure.positions,
            cell=structure.cell,
            pbc=structure.pbc,
            source=f"repulsion restraint, {structure.name}",
        )
        design = source.design(frame)
        factor = 1.0 / structure.tolerance
        target = np.array([[factor * (structure.energy - design.baseline[0])]])
        accumulator.add(np.zeros((1, n_one)), factor * design.rows[:1], target)
        square_sum += factor**2
    return (Group(GroupKey("restraint", "restraint", EVERY_FOLD), accumulator.finish(), square_sum),)


def calibrated(blocks: Sequence[Block]) -> list[Block]:
    """The blocks of a problem, with the restraint rows multiplied by the noise of the data rows."""
    data = [block.factor for block in blocks if block.kind != "restraint"]
    noise = _noise(max(data, key=lambda factor: factor.n_rows))
    return [
        Block(block.kind, Factor(noise * block.factor.array, block.factor.n_rows))
        if block.kind == "restraint"
        else block
        for block in blocks
    ]


def _noise(factor: Factor) -> float:
    """Standard deviation of the rows that a least-squares fit to these rows alone would leave."""
    spare = factor.n_rows - (factor.n_columns - 1)
    left = abs(float(factor.array[-1, -1])) / spare**0.5 if factor.is_triangular and spare > 0 else 0.0
    if 4 * spare > factor.n_rows:
        return left
    scatter = float(np.linalg.norm(factor.array[:, -1])) / max(factor.n_rows, 1) ** 0.5
    return max(left, LEAST_NOISE * scatter)
