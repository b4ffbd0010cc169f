"""The model a body-order report is about, and the references it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.body_refits import distance_grid
from lacemaker.analysis.pair_references import (
    calculator_references,
    dimers_in,
    interacting_pairs,
)
from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.datasets.dimers import PairReference
    from lacemaker.potential import Potential

__all__ = ["References", "Subject"]

DEFAULT_CUTOFF = 6.0  # Å, for calculators that do not tell theirs
CALCULATOR_START = 0.5  # of the bond length: how near atoms of a foreign calculator come


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, and how far and near its curves reach."""

    energy: Any
    potential: Potential | None
    elements: tuple[str, ...]
    cutoff: float

    @classmethod
    def of(cls, model: Any, elements: Sequence[str] | None, cutoff: float | None) -> Subject:
        from lacemaker.analysis.clusters import cluster_energy
        from lacemaker.potential import Potential

        energy = cluster_energy(model)
        if isinstance(model, Potential):
            return cls(energy, model, tuple(elements or model.elements), cutoff or model.cutoff)
        if not elements:
            raise EvaluationError(
                "The elements of a calculator are not known. Found a calculator without `elements`. Name "
                'them, such as elements=["Si"].'
            )
        return cls(energy, None, tuple(elements), cutoff or DEFAULT_CUTOFF)

    @property
    def name(self) -> str:
        if self.potential is not None:
            return f"{'-'.join(self.elements)} potential of {len(self.potential.columns)} functions"
        inner = getattr(self.energy, "calculator", self.energy)
        return f"{type(inner).__name__} for {'-'.join(self.elements)}"

    @property
    def basis_kind(self) -> str:
        if self.potential is None:
            return ""
        purification = self.potential.basis_spec.get("purification")
        return "standard" if purification is None else f"{purification['kind']} purification"

    def bond(self, a: str, b: str) -> float:
        """Nearest-neighbour distance, Å."""
        if self.potential is not None:
            from lacemaker.analysis.predictions import nearest_neighbour_distance

            return nearest_neighbour_distance(self.potential, a, b)
        from lacemaker.basis.elements import bond_length

        return 0.5 * (bond_length(a) + bond_length(b))

    def grid(self, a: str, b: str) -> np.ndarray:
        """Distances of the pair curve, Å."""
        grid = distance_grid(self.bond(a, b), self.cutoff)
        return grid if self.potential is not None else grid[grid >= CALCULATOR_START * self.bond(a, b)]


class References:
    """References of every pair, the given one first, then dimers of the data, then bundled curves."""

    def __init__(self, subject: Subject, given: Any, frames: Sequence[Any]) -> None:
        from lacemaker.datasets.dimers import PairReference, bundled_curves

        self.calculator: Any = None
        self.by_pair: dict[frozenset[str], list[PairReference]] = {}
        pairs = interacting_pairs(subject.elements)
        listed = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
        for item in listed:
            if isinstance(item, PairReference):
                self._add({item.pair: item})
                continue
            self.calculator = self.calculator or item
            grids = {
                (a, b): grid[grid >= CALCULATOR_START * subject.bond(a, b)]
                for a, b in pairs
                for grid in [subject.grid(a, b)]
            }
            self._add(calculator_references(item, grids, _words(item)))
        e0 = {}
        if subject.potential is not None:
            e0 = dict(zip(subject.potential.elements, subject.potential.e0.tolist(), strict=True))
        self._add(dimers_in(frames, e0))
        for pair in pairs:
            for curve in bundled_curves(*pair):
                self._add({pair: curve})

    def _add(self, found: Mapping[tuple[str, str], PairReference]) -> None:
        for pair, curve in found.items():
            known = self.by_pair.setdefault(frozenset(pair), [])
            if not any(_same_curve(curve, other) for other in known):
                known.append(curve)

    def of(self, a: str, b: str) -> tuple[PairReference, ...]:
        """All references of a pair."""
        return tuple(self.by_pair.get(frozenset((a, b)), ()))

    def first(self, a: str, b: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The reference that counts most, as the refits take it."""
        known = self.of(a, b)
        return (known[0].r, known[0].energy) if known else None


def _same_curve(one: PairReference, other: PairReference) -> bool:
    """Whether two references are one and the same, as bundled dimers and those of the bundled data set."""
    return len(one.r) == len(other.r) and bool(
        np.allclose(one.r, other.r, atol=1e-4) and np.allclose(one.energy, other.energy, atol=1e-3)
    )


def _words(item: Any) -> str:
    from lacemaker.potential import Potential

    return "reference potential" if isinstance(item, Potential) else type(item).__name__
