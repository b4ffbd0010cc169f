"""Labelled structures: reading, checking, weighing, splitting, writing; neighbour lists.

Everything here is in eV and Å; the virial is -volume * stress with ASE's sign of stress.
"""

from lacemaker.structures.checks import CheckReport, check_frames
from lacemaker.structures.displaced_pairs import force_constants_from_pairs
from lacemaker.structures.findings import Finding
from lacemaker.structures.force_constants import ForceConstants
from lacemaker.structures.formation import with_formation_energies, with_total_energies
from lacemaker.structures.frame import QUANTITIES, Frame
from lacemaker.structures.frames import Frames
from lacemaker.structures.labels import LabelTable
from lacemaker.structures.neighbours import NeighbourList, neighbour_list
from lacemaker.structures.phonopy import read_phonopy
from lacemaker.structures.reading import read
from lacemaker.structures.references import ReferenceEnergies, reference_energies
from lacemaker.structures.splits import (
    fold_numbers,
    k_folds,
    leave_one_group_out,
    predefined_split,
    split,
)
from lacemaker.structures.weights import DEFAULT_WEIGHTS, WeightTable, row_multipliers
from lacemaker.structures.writing import write

__all__ = [
    "DEFAULT_WEIGHTS",
    "QUANTITIES",
    "CheckReport",
    "Finding",
    "ForceConstants",
    "Frame",
    "Frames",
    "LabelTable",
    "NeighbourList",
    "ReferenceEnergies",
    "WeightTable",
    "check_frames",
    "fold_numbers",
    "force_constants_from_pairs",
    "k_folds",
    "leave_one_group_out",
    "neighbour_list",
    "predefined_split",
    "read",
    "read_phonopy",
    "reference_energies",
    "row_multipliers",
    "split",
    "with_formation_energies",
    "with_total_energies",
    "write",
]
