"""Basis functions identified by their quantum numbers, never by their position."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis

__all__ = ["ColumnTable"]

_KINDS = ("many-body", "pair")
Key = tuple[int, int, tuple[tuple[int, int, int], ...], int]


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Quantum numbers of the K basis functions, in the order of the coefficients.

    Attributes
    ----------
    kind : ndarray (K,) int32
        0 many-body, 1 pair.
    centre : ndarray (K,) int32
        Species index of the central atom.
    first : ndarray (K + 1,) int64
        Function k has the channels ``channels[first[k]:first[k + 1]]``, as many as its correlation order.
    channels : ndarray (C, 3) int32
        (species of the neighbour, n from 1, l) of each factor.
    multiplicity : ndarray (K,) int32
        Counts functions that share all the numbers above: 0, 1, …
    """

    kind: np.ndarray
    centre: np.ndarray
    first: np.ndarray
    channels: np.ndarray
    multiplicity: np.ndarray

    @classmethod
    def from_basis(cls, basis: ACEBasis) -> ColumnTable:
        """Read the quantum numbers off ``basis.columns``."""
        columns = basis.columns
        lengths = [0, *(len(column.channels) for column in columns)]
        channels = [channel for column in columns for channel in column.channels]
        return cls(
            kind=np.array([_KINDS.index(column.kind) for column in columns], dtype=np.int32),
            centre=np.array([column.centre for column in columns], dtype=np.int32),
            first=np.cumsum(lengths, dtype=np.int64),
            channels=np.array(channels, dtype=np.int32).reshape(-1, 3),
            multiplicity=np.array([column.multiplicity for column in columns], dtype=np.int32),
        )

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def orders(self) -> np.ndarray:
        """Correlation order of each function, (K,)."""
        return np.diff(self.first)

    def arrays(self) -> dict[str, np.ndarray]:
        """The table under the names of the file format."""
        names = ("kind", "centre", "first", "channels", "multiplicity")
        return {f"column_{name}": getattr(self, name) for name in names}

    def keys(self) -> list[Key]:
        """One hashable identity per function; channels are sorted, because a product has no order."""
        keys = []
        for k in range(len(self)):
            channels = sorted(
                tuple(map(int, row)) for row in self.channels[self.first[k] : self.first[k + 1]]
            )
            keys.append((int(self.kind[k]), int(self.centre[k]), tuple(channels), int(self.multiplicity[k])))
        return keys  # type: ignore[return-value]

    def order_in(self, other: ColumnTable) -> np.ndarray | None:
        """Positions (K,) such that ``values[positions]`` puts values of this table in the order of `other`.

        None if the two tables do not hold the same functions.
        """
        mine = {key: position for position, key in enumerate(self.keys())}
        theirs = other.keys()
        if len(theirs) != len(mine) or any(key not in mine for key in theirs):
            return None
        return np.array([mine[key] for key in theirs], dtype=np.int64)

    def counts(self) -> dict[tuple[int, str], int]:
        """Number of functions by (centre species, "pair" or the correlation order as text)."""
        labels = ("pair" if kind else str(order) for kind, order in zip(self.kind, self.orders, strict=True))
        return dict(Counter(zip(self.centre.tolist(), labels, strict=True)))
