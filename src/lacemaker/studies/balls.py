"""Clamped balls: a defect in a finite piece of crystal whose outer atoms stay on the perfect lattice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lacemaker.studies.crystals import Crystal
from lacemaker.studies.defects import DefectCell, insert

__all__ = ["ball"]


def ball(name: str, crystal: Crystal, radius: float, buffer: float) -> DefectCell:
    """A defect in a ball of `radius` + `buffer` (Å) of perfect crystal, not periodic."""
    whole = radius + buffer
    lengths = crystal.cell.cell.lengths()
    atoms = crystal.cell.repeat([2 * int(np.ceil((whole + length) / length)) + 1 for length in lengths])
    middle = np.full(3, 0.5) @ atoms.cell.array
    host = int(np.argmin(np.linalg.norm(atoms.positions - middle, axis=1)))
    inside = np.linalg.norm(atoms.positions - atoms.positions[host], axis=1) <= whole
    host = int(np.flatnonzero(np.flatnonzero(inside) == host)[0])
    atoms = atoms[inside]
    atoms.positions += whole + 5.0 - atoms.positions[host]
    atoms.set_cell(np.eye(3) * 2 * (whole + 5.0))
    atoms.pbc = False
    perfect = atoms.copy()
    return replace(insert(name, atoms, host, crystal), perfect=perfect)
