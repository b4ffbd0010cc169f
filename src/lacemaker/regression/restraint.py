"""Rows that hold dimers repulsive where no data reach: a restraint, not an observation.

Each dimer of :meth:`lacemaker.basis.RepulsionRestraint.dimers` gives one energy row: its interaction energy
(without the one-body energies), times the dimer's own weight. The rows form the kind "restraint", belong to no
fold and count in no error table.
"""

from typing import Any

import numpy as np

from lacemaker.regression.factor import Accumulator
from lacemaker.regression.rows import RowSource
from lacemaker.regression.triangular import EVERY_FOLD, Group, GroupKey

__all__ = ["restraint_group"]


def restraint_group(source: RowSource, restraint: Any) -> tuple[Group, ...]:
    """Rows of a :class:`lacemaker.basis.RepulsionRestraint`, as one group; none where it has no dimers."""
    from lacemaker.structures import Frame
    from lacemaker.structures.elements import atomic_number

    dimers = restraint.dimers(source.basis)
    if not dimers:
        return ()
    n_one = len(source.elements)
    accumulator = Accumulator(n_one + source.n_functions + 1)
    square_sum = 0.0
    for dimer in dimers:
        frame = Frame(
            numbers=np.array([atomic_number(symbol) for symbol in dimer.elements]),
            positions=np.array([[0.0, 0.0, 0.0], [dimer.distance, 0.0, 0.0]]),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            source=f"repulsion restraint {'-'.join(dimer.elements)} at {dimer.distance:.3f} Å",
        )
        design = source.design(frame)
        target = np.array([[dimer.weight * (dimer.energy - design.baseline[0])]])
        accumulator.add(np.zeros((1, n_one)), dimer.weight * design.rows[:1], target)
        square_sum += dimer.weight**2
    return (Group(GroupKey("restraint", "restraint", EVERY_FOLD), accumulator.finish(), square_sum),)
