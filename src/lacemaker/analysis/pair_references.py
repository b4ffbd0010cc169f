"""Where a reference for pair interactions comes from: a calculator, bundled DFT curves, or the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.datasets.dimers import PairReference

if TYPE_CHECKING:
    from lacemaker.structures import Frame

__all__ = ["calculator_references", "dimers_in", "interacting_pairs"]

REACH = 12.0  # Å: periodic images of a dimer nearer than this make it a crystal


def calculator_references(
    model: Any, grids: Mapping[tuple[str, str], np.ndarray], source: str
) -> dict[tuple[str, str], PairReference]:
    """V_2 of a calculator at some distances (Å) of each pair; pairs it does not know are left out.

    Raises
    ------
    EvaluationError
        When it knows none of them.
    """
    from lacemaker.analysis.clusters import interaction
    from lacemaker.errors import EvaluationError

    found: dict[tuple[str, str], PairReference] = {}
    refused: EvaluationError | None = None
    for pair, r in grids.items():
        try:
            energy = np.array([interaction(model, pair, _dimer(x))[0] for x in r])
        except EvaluationError as error:
            refused = error
            continue
        found[pair] = PairReference(pair, np.asarray(r), energy, source)
    if not found and refused is not None:
        raise refused
    return found


def dimers_in(
    frames: Iterable[Frame], e0: Mapping[str, float] | None = None
) -> dict[tuple[str, str], PairReference]:
    """Two-atom molecules among labelled structures, as reference points.

    Parameters
    ----------
    frames : iterable of Frame
    e0 : mapping of symbol to eV, optional
        Energies of free atoms for elements without an isolated atom among the frames; pairs of elements
        without either are left out.

    Returns
    -------
    dict
        By pair of symbols in alphabetical order.
    """
    listed = list(frames)
    alone = {f.symbols[0]: f.energy for f in listed if f.is_isolated_atom and f.energy is not None}
    free = {**(e0 or {}), **alone}
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for frame in listed:
        distance = _dimer_length(frame)
        if distance is None or frame.energy is None or not set(frame.symbols) <= set(free):
            continue
        first, second = sorted(frame.symbols)
        energy = frame.energy - free[first] - free[second]
        points.setdefault((first, second), []).append((distance, energy))
    found = {}
    for pair, rows in points.items():
        r, energies = np.array(sorted(rows)).T
        found[pair] = PairReference(pair, r, energies, "dimers in the data")
    return found


def interacting_pairs(elements: Sequence[str]) -> list[tuple[str, str]]:
    """Every unordered pair of elements, in the order of the elements."""
    return [(a, b) for i, a in enumerate(elements) for b in elements[i:]]


def _dimer(r: float) -> np.ndarray:
    return np.array([[0.0, 0.0, 0.0], [0.0, 0.0, r]])


def _dimer_length(frame: Frame) -> float | None:
    """Distance (Å) of a labelled frame's two atoms when they are alone, else None."""
    if len(frame.numbers) != 2 or frame.energy is None:
        return None
    if not np.any(frame.pbc):
        return float(np.linalg.norm(frame.positions[1] - frame.positions[0]))
    from lacemaker.structures import neighbour_list

    reach = min(
        REACH, 0.95 * float(np.linalg.norm(np.asarray(frame.cell)[np.asarray(frame.pbc)], axis=1).min())
    )
    pairs = neighbour_list(frame.positions, frame.cell, frame.pbc, reach)
    if len(pairs.index) != 2 or reach < 7.0:
        return None
    shift = np.asarray(pairs.shift[0]) @ np.asarray(frame.cell)
    first = 0 if pairs.first[1] > 0 else 1
    other = int(pairs.index[0])
    return float(np.linalg.norm(frame.positions[other] + shift - frame.positions[first]))
