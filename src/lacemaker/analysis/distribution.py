"""Radial distribution functions: is a simulated liquid the right one?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["RadialDistribution", "radial_distribution"]


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """g(r) of two elements, averaged over structures.

    Attributes
    ----------
    pair : (str, str)
    r : (n,) array, Å, middles of the bins
    g : (n,) array, 1 for an ideal gas
    """

    pair: tuple[str, str]
    r: np.ndarray
    g: np.ndarray

    def peak(self, low: float, high: float) -> tuple[float, float]:
        """Position (Å) and height of the largest value between two distances (Å)."""
        inside = np.flatnonzero((self.r >= low) & (self.r <= high))
        if not inside.size:
            raise DataError(
                f"No bin of the distribution lies there. Found {low} to {high} Å, bins from {self.r[0]:.2f} "
                f"to {self.r[-1]:.2f} Å. Choose a window among them."
            )
        best = int(inside[np.argmax(self.g[inside])])
        return float(self.r[best]), float(self.g[best])


def radial_distribution(
    structures: Iterable[Atoms], pair: tuple[str, str], *, farthest: float = 6.0, width: float = 0.05
) -> RadialDistribution:
    """g_ab(r) = V <n_ab(r)> / (N_a N_b 4 pi r^2 dr), of periodic structures.

    Parameters
    ----------
    structures : iterable of Atoms
        Equal in composition; volumes may differ.
    pair : (str, str)
    farthest, width : float
        Å: last distance and width of a bin.

    Raises
    ------
    DataError
        If there is no structure, or no atom of one of the elements.
    """
    from lacemaker.structures import neighbour_list

    edges = np.arange(0.0, farthest + 0.5 * width, width)
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    total, count = np.zeros(len(shells)), 0
    for atoms in structures:
        symbols = np.array(atoms.get_chemical_symbols())
        first, second = symbols == pair[0], symbols == pair[1]
        if not first.any() or not second.any():
            raise DataError(
                f"There is no pair {'-'.join(pair)} to count. Found {atoms.get_chemical_formula()}. Name two "
                "elements of the structure."
            )
        positions, cell = atoms.get_positions(), np.array(atoms.cell)
        pairs = neighbour_list(positions, cell, np.asarray(atoms.pbc), float(edges[-1]))
        wanted = first[pairs.centre] & second[pairs.index]
        found = np.histogram(pairs.distances(positions, cell)[wanted], edges)[0]
        total += found * atoms.get_volume() / (first.sum() * second.sum() * shells)
        count += 1
    if not count:
        raise DataError("A distribution needs structures. Found none. Pass at least one.")
    return RadialDistribution(pair, 0.5 * (edges[1:] + edges[:-1]), total / count)
