"""± pairs of displaced supercells, as any calculation of forces leaves them, turned into force constants.

Nothing but positions is needed: the undisplaced supercell is the median of a group's structures, and each of
them must differ from it by one atom.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import close_names, data_error
from lacemaker.structures.force_constants import ForceConstants
from lacemaker.structures.frame import Frame
from lacemaker.structures.frames import Frames

__all__ = ["force_constants_from_pairs"]

MOVED = 1e-4  # Å: what counts as a displacement
SAME = 2e-5  # Å: rounding of positions in files


def force_constants_from_pairs(frames: Iterable[Frame], config_types: Collection[str]) -> Frames:
    """Replace ± pairs of displaced supercells by the supercell with the label ``force_constants``.

    Parameters
    ----------
    frames : frames
    config_types : collection of str
        Those that hold pairs, with forces; all other frames come back as they are. Pairs of one supercell
        become rows of one frame; an undisplaced supercell among them stays what it is.

    Raises
    ------
    DataError
        If a config_type does not exist, a structure has no forces or no partner, or more than one atom of it
        moved.
    """
    frames = list(frames)
    known = {frame.config_type for frame in frames}
    for name in config_types:
        if name not in known:
            hints = close_names(name, sorted(known))
            raise data_error(
                f"displaced_pairs names a config_type that no frame has: {name!r}",
                f"config_types {', '.join(sorted(known))}",
                f"did you mean {hints[0]!r}?" if hints else "correct or remove the entry",
            )
    groups: dict[object, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(_group(frame) if frame.config_type in config_types else id(frame), []).append(frame)
    found: list[Frame] = []
    for members in groups.values():
        found += _paired(members) if members[0].config_type in config_types else members
    return Frames(found)


def _group(frame: Frame) -> object:
    """Same atoms in the same cell."""
    return frame.config_type, frame.numbers.tobytes(), np.round(frame.cell, 5).tobytes(), frame.pbc.tobytes()


def _paired(frames: list[Frame]) -> list[Frame]:
    """The frames of one supercell: one frame with all force constants, and what is not displaced."""
    perfect, moves = _displacements(frames)
    label: ForceConstants | None = None
    plain: list[Frame] = []
    waiting: list[tuple[int, np.ndarray, Frame]] = []
    for frame, move in zip(frames, moves, strict=True):
        moved = np.flatnonzero(np.linalg.norm(move, axis=1) > MOVED)
        if len(moved) == 0:
            plain.append(frame)
            continue
        if len(moved) > 1 or frame.forces is None:
            raise data_error(
                f"{_name(frame)} is not one of a ± pair of displacements",
                f"{len(moved)} atoms moved" if len(moved) > 1 else "no forces",
                "move one atom, by +h and by -h, and give forces; or take the config_type out of "
                "displaced_pairs",
            )
        atom, vector = int(moved[0]), move[moved[0]]
        partner = next((w for w in waiting if w[0] == atom and np.abs(w[1] + vector).max() < SAME), None)
        if partner is None:
            waiting.append((atom, vector, frame))
            continue
        waiting = [w for w in waiting if w is not partner]
        step = 0.5 * float(np.linalg.norm(partner[1] - vector))
        row = ForceConstants.from_forces(atom, partner[1], step, partner[2].forces, frame.forces)
        label = row if label is None else label.joined(row)
    if waiting:
        atom, vector, frame = waiting[0]
        raise data_error(
            f"{_name(frame)} has no partner of the opposite displacement",
            f"atom {atom} moved by {np.round(vector, 5).tolist()} Å",
            "add the opposite displacement, or take the config_type out of displaced_pairs",
        )
    if label is None:
        return plain
    whole = replace(
        frames[0], positions=perfect, energy=None, forces=None, virial=None, force_constants=label
    )
    return [whole, *plain]


def _displacements(frames: list[Frame]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Positions (n_atoms, 3) of the undisplaced supercell, and how every frame differs from it, Å."""
    first = frames[0]
    relative = np.array([_nearest(frame.positions - first.positions, first) for frame in frames])
    middle = np.median(relative, axis=0)
    return first.positions + middle, [_nearest(move - middle, first) for move in relative]


def _nearest(vectors: NDArray[np.float64], frame: Frame) -> NDArray[np.float64]:
    """Without whole cell vectors: programs wrap atoms back into the cell."""
    if not frame.pbc.any():
        return vectors
    cell = np.where(frame.pbc[:, None], frame.cell, np.eye(3))
    fractions = np.linalg.solve(cell.T, vectors.T).T
    return vectors - np.where(frame.pbc, np.round(fractions), 0.0) @ cell


def _name(frame: Frame) -> str:
    return frame.source or f"A structure {frame.formula}"
