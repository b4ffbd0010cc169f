"""Neighbour lists of any cell, through vesin (https://github.com/Luthaf/vesin)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lacemaker.structures._messages import data_error
from lacemaker.structures.geometry import check_cell

__all__ = ["NeighbourList", "neighbour_list"]

_FARTHEST = 1e7  # Å; beyond it, positions no longer resolve 1e-9 Å
_BYTES_PER_PAIR = 64  # vesin's own list and our copy of it


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """All directed pairs of atoms closer than a cutoff, sorted by the first atom.

    The neighbours of atom i are ``index[first[i]:first[i + 1]]`` at the vectors
    ``positions[index] + shift @ cell - positions[i]``. Every pair appears as i-j and as j-i.

    Attributes
    ----------
    first : (n_atoms + 1,) int64
    index : (n_pairs,) int32
    shift : (n_pairs, 3) int32
        In whole cell vectors; zero along non-periodic axes.
    cutoff : float
        Å
    """

    first: NDArray[np.int64]
    index: NDArray[np.int32]
    shift: NDArray[np.int32]
    cutoff: float

    @property
    def n_pairs(self) -> int:
        """Number of directed pairs."""
        return len(self.index)

    @property
    def centre(self) -> NDArray[np.int32]:
        """The first atom of every pair, (n_pairs,)."""
        n_atoms = len(self.first) - 1
        return np.repeat(np.arange(n_atoms, dtype=np.int32), np.diff(self.first))

    def vectors(self, positions: ArrayLike, cell: ArrayLike) -> NDArray[np.float64]:
        """Return the vectors from first to second atom, (n_pairs, 3) Å."""
        x = np.asarray(positions, dtype=np.float64)
        return x[self.index] - x[self.centre] + self.shift @ np.asarray(cell, dtype=np.float64)

    def distances(self, positions: ArrayLike, cell: ArrayLike) -> NDArray[np.float64]:
        """Return the lengths of `vectors`, (n_pairs,) Å."""
        return np.linalg.norm(self.vectors(positions, cell), axis=1)

    def around(self, atoms: NDArray[np.bool_]) -> NeighbourList:
        """The same list with neighbours of these atoms (n_atoms,) only; the others have none."""
        kept = atoms[self.centre]
        counts = np.where(atoms, np.diff(self.first), 0)
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return NeighbourList(first, self.index[kept], self.shift[kept], self.cutoff)


def neighbour_list(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float, *, max_pairs: float = 1e8
) -> NeighbourList:
    """Find every pair of atoms closer than `cutoff`, in any cell.

    Cells may be skewed, left-handed, smaller than the cutoff, or absent; atoms may lie outside. Along
    non-periodic axes the cell vectors are ignored: there are no images, whatever they are.

    Parameters
    ----------
    positions : (n_atoms, 3) Å
    cell : (3, 3) Å
        Lattice vectors in rows.
    pbc : (3,) bool or bool
    cutoff : float
        Å
    max_pairs : float
        Refuse lists longer than this estimate, instead of running out of memory (64 bytes per pair).

    Returns
    -------
    NeighbourList

    Raises
    ------
    DataError
        On a cutoff that is not positive, numbers that are not finite, a periodic cell without volume,
        or a list longer than `max_pairs`.
    """
    x = np.ascontiguousarray(positions, dtype=np.float64)
    box = np.array(cell, dtype=np.float64, order="C")
    periodic = np.ascontiguousarray(np.broadcast_to(np.asarray(pbc, dtype=np.bool_), (3,)))
    _check(x, box, periodic, cutoff)
    box, origin = _open_axes(x, box, periodic, cutoff)
    _check_memory(x, box, periodic, cutoff, max_pairs)
    if len(x) == 0:
        empty = np.zeros(0, dtype=np.int32)
        return NeighbourList(np.zeros(1, dtype=np.int64), empty, np.zeros((0, 3), dtype=np.int32), cutoff)

    import vesin  # runs torch's import where that is installed: never at module level

    finder = vesin.NeighborList(cutoff=float(cutoff), full_list=True, sorted=True, n_threads=1)
    pairs, shift = finder.compute(x - origin, box, periodic, "PS", copy=False)
    counts = np.bincount(pairs[:, 0].astype(np.int64), minlength=len(x))
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return NeighbourList(first, pairs[:, 1].astype(np.int32), np.array(shift, dtype=np.int32), float(cutoff))


def _check(
    x: NDArray[np.float64], box: NDArray[np.float64], periodic: NDArray[np.bool_], cutoff: float
) -> None:
    if x.ndim != 2 or x.shape[1] != 3 or box.shape != (3, 3):
        raise data_error(
            "positions or cell have the wrong shape",
            f"positions {x.shape}, cell {box.shape}",
            "give positions as (n_atoms, 3) and the cell as (3, 3), in Å",
        )
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise data_error("a cutoff must be positive", f"{cutoff}", "give a distance in Å, such as 5.5")
    if not (np.isfinite(x).all() and np.isfinite(box).all()):
        raise data_error(
            "positions or cell hold numbers that are not finite",
            f"{(~np.isfinite(x)).sum()} bad coordinates, {(~np.isfinite(box)).sum()} in the cell",
            "find where they come from: a simulation that blew up, or a broken file",
        )
    if x.size and np.abs(x).max() > _FARTHEST:
        raise data_error(
            "an atom is too far from the origin to resolve its position",
            f"{np.abs(x).max():.3g} Å",
            "wrap the structure into its cell",
        )
    check_cell(box, periodic, "")


def _open_axes(
    x: NDArray[np.float64], box: NDArray[np.float64], periodic: NDArray[np.bool_], cutoff: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Replace non-periodic vectors by normals to the periodic ones that just hold the structure.

    Returns the box and the point it begins at along those normals.
    """
    origin = np.zeros(3)
    if periodic.all():
        return box, origin
    _, _, basis = np.linalg.svd(np.where(periodic[:, None], box, 0.0))
    normals = basis[int(periodic.sum()) :]  # orthonormal complement of the periodic vectors
    for axis, normal in zip(np.flatnonzero(~periodic), normals, strict=True):
        height = x @ normal if len(x) else np.zeros(1)
        box[axis] = normal * (cutoff + np.ptp(height))
        origin += normal * height.min()
    return box, origin


def _check_memory(
    x: NDArray[np.float64],
    box: NDArray[np.float64],
    periodic: NDArray[np.bool_],
    cutoff: float,
    max_pairs: float,
) -> None:
    """Refuse absurd combinations of cell and cutoff from an estimate of the number of pairs."""
    n = float(len(x))
    density = n / abs(np.linalg.det(box))
    sphere = density * 4 / 3 * np.pi * cutoff**3
    heights = 1 / np.linalg.norm(np.linalg.inv(box), axis=0)
    images = np.prod([2 * np.ceil(cutoff / h) + 1 for h in heights[periodic]])
    pairs = min(n * sphere, n * n * images)
    if pairs > max_pairs:
        raise data_error(
            "the neighbour list would not fit into memory",
            f"about {pairs:.1e} pairs ({pairs * _BYTES_PER_PAIR / 2**30:.0f} GiB) of {len(x)} atoms "
            f"within {cutoff:g} Å, {sphere:.0f} neighbours per atom",
            "lower the cutoff, check that cell and cutoff are in Å, or raise max_pairs",
        )
