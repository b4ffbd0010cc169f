"""Cells: volumes, which of them make sense, and atoms that lie on top of each other."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import data_error
from lacemaker.structures.elements import symbol

__all__ = ["ISOLATED_NAMES", "cell_volume", "check_cell", "closest_pair", "is_isolated_name"]

ISOLATED_NAMES = frozenset({"isolatedatom", "isolated"})
"""config_type values that mark an isolated atom, lower case and without separators."""

_FLAT = 1e-6  # |sin| of the smallest angle between periodic vectors that still span a cell
_ALL_PAIRS = 200  # atoms up to which every pair is looked at instead of a neighbour list


def is_isolated_name(config_type: str) -> bool:
    """Whether a config_type is `IsolatedAtom`, `isolated_atom` or `isolated` in any spelling."""
    return config_type.lower().replace("_", "").replace("-", "").replace(" ", "") in ISOLATED_NAMES


def cell_volume(cell: NDArray[np.float64]) -> float:
    """Return the volume of a (3, 3) Å cell, in Å^3; zero where a vector is absent."""
    return float(abs(np.linalg.det(cell)))


def check_cell(cell: NDArray[np.float64], pbc: NDArray[np.bool_], source: str) -> None:
    """Refuse a cell whose periodic vectors do not span anything.

    Vectors along non-periodic axes carry no meaning and may be zero.

    Raises
    ------
    DataError
        If a periodic axis has a zero vector, or the periodic vectors are (nearly) parallel or coplanar.
    """
    vectors = cell[pbc]
    if len(vectors) == 0:
        return
    lengths = np.linalg.norm(vectors, axis=1)
    where = f"{source}: " if source else ""
    shown = " ".join(f"{x:.6g}" for x in cell.ravel())
    if lengths.min() < 1e-3:
        axes = ", ".join("abc"[i] for i in range(3) if pbc[i] and np.linalg.norm(cell[i]) < 1e-3)
        raise data_error(
            f"{where}the structure is periodic along {axes}, but that cell vector is zero",
            f'Lattice="{shown}", pbc {"".join("FT"[int(p)] for p in pbc)}',
            "give the cell vector, or set pbc to F along this axis",
        )
    unit = vectors / lengths[:, None]
    if np.sqrt(max(np.linalg.det(unit @ unit.T), 0.0)) < _FLAT:
        raise data_error(
            f"{where}the cell has no volume: its periodic vectors are parallel or in one plane",
            f'Lattice="{shown}"',
            "correct the cell, or set pbc to F where the structure does not repeat",
        )


def closest_pair(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    cutoff: float,
) -> tuple[float, int, int] | None:
    """Return (distance in Å, i, j) of the two closest atoms, or None where none are below `cutoff`.

    Meant for cutoffs far below a bond length. A pair may be an atom and its own periodic image (i = j).
    """
    pair: tuple[float, int, int] | None
    if 1 < len(positions) <= _ALL_PAIRS:
        pair = _closest_of_all(positions, cell, pbc)
    else:
        pair = _closest_in_list(positions, cell, pbc, max(cutoff, 1.0))
    image = _shortest_translation(cell, pbc)
    if image is not None and (pair is None or image < pair[0]):
        pair = (image, 0, 0)
    return pair if pair is not None and pair[0] < cutoff else None


def _closest_of_all(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> tuple[float, int, int]:
    # Rounding fractional differences finds the nearest image of every pair closer than half the
    # smallest cell height: enough for atoms that lie on top of each other.
    i, j = np.triu_indices(len(positions), k=1)
    vectors = positions[j] - positions[i]  # (n_pairs, 3) Å
    if pbc.any():
        fractional = np.linalg.lstsq(cell[pbc].T, vectors.T, rcond=None)[0].T
        vectors = vectors - np.round(fractional) @ cell[pbc]
    squared = np.einsum("pa,pa->p", vectors, vectors)
    p = int(squared.argmin())
    return float(np.sqrt(squared[p])), int(i[p]), int(j[p])


def _closest_in_list(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_], cutoff: float
) -> tuple[float, int, int] | None:
    from lacemaker.structures.neighbours import neighbour_list

    if len(positions) < 2:
        return None
    pairs = neighbour_list(positions, cell, pbc, cutoff)
    if len(pairs.index) == 0:
        return None
    distances = pairs.distances(positions, cell)
    p = int(distances.argmin())
    i = int(np.searchsorted(pairs.first, p, side="right")) - 1
    return float(distances[p]), i, int(pairs.index[p])


def _shortest_translation(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> float | None:
    # over combinations of up to one vector each way: enough to notice a cell thinner than an atom
    vectors = cell[pbc]
    if len(vectors) == 0:
        return None
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=len(vectors))))
    return float(np.linalg.norm(steps[np.any(steps != 0, axis=1)] @ vectors, axis=1).min())


def name_pair(numbers: NDArray[np.integer], pair: tuple[float, int, int]) -> str:
    """Describe a pair for a message, e.g. ``atoms 3 (Si) and 17 (O) are 0.05 Å apart``."""
    distance, i, j = pair
    if i == j:
        return f"atom {i} ({symbol(numbers[i])}) and its own periodic image are {distance:.3g} Å apart"
    return f"atoms {i} ({symbol(numbers[i])}) and {j} ({symbol(numbers[j])}) are {distance:.3g} Å apart"
