"""Rows that hold close atoms repulsive where no data reach: a restraint, not an observation.

Each structure of :meth:`lacemaker.basis.RepulsionRestraint.structures` gives one energy row: its interaction energy
(without the one-body energies), divided by the tolerance of its target. The rows form the kind "restraint", belong
to no fold and count in no error table. The solve multiplies them by the noise of the data.
"""

from typing import Any

import numpy as np

from lacemaker.regression.factor import Accumulator
from lacemaker.regression.rows import RowSource
from lacemaker.regression.triangular import EVERY_FOLD, Group, GroupKey

__all__ = ["restraint_group"]


def restraint_group(source: RowSource, restraint: Any) -> tuple[Group, ...]:
    """Rows of a :class:`lacemaker.basis.RepulsionRestraint`, as one group; none where it has no structures."""
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
