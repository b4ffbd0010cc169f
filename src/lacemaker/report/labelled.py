"""A labelled set with its predictions, in the arrays that figures and judgements need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lacemaker.analysis import ErrorTable, Predictions
    from lacemaker.potential import Potential
    from lacemaker.structures import Frame

__all__ = ["LabelledSet", "WorstFrame"]

Pair = tuple[np.ndarray, np.ndarray]
_EMPTY = np.zeros(0)


@dataclass(frozen=True)
class WorstFrame:
    """One structure the potential gets most wrong."""

    source: str
    config_type: str
    n_atoms: int
    energy_error: float | None  # eV/atom
    largest_force_error: float | None  # eV/Å, norm of one atom's error


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Frames, what a potential predicts for them, and the errors between.

    Attributes
    ----------
    name : str
        ``"train"`` or ``"test"``.
    frames : Frames
    predictions : Predictions
    errors : ErrorTable
    """

    name: str
    frames: Sequence[Frame]
    predictions: Predictions
    errors: ErrorTable

    @classmethod
    def of(
        cls, name: str, potential: Potential, frames: Sequence[Frame], predictions: Predictions | None = None
    ) -> LabelledSet:
        """Predict (unless given) and compare."""
        from lacemaker.analysis import error_table, predict

        predictions = predict(potential, frames) if predictions is None else predictions
        return cls(name, frames, predictions, error_table(potential, frames, predictions))

    def energies(self, potential: Potential) -> Pair:
        """Reference and predicted energies per atom relative to the one-body energies, eV/atom."""
        e0 = dict(zip(potential.numbers.tolist(), potential.e0.tolist(), strict=True))
        rows = [
            ((f.energy - base) / len(f), (predicted - base) / len(f))
            for f, predicted in zip(self.frames, self.predictions.energy, strict=True)
            if f.energy is not None
            for base in [sum(e0[int(z)] for z in f.numbers)]
        ]
        array = np.array(rows).reshape(-1, 2)
        return array[:, 0], array[:, 1]

    @cached_property
    def forces(self) -> Pair:
        """Reference and predicted force components, eV/Å."""
        pairs = [
            (f.forces.ravel(), p.ravel())
            for f, p in zip(self.frames, self.predictions.forces, strict=True)
            if f.forces is not None
        ]
        return _joined(pairs)

    @cached_property
    def virials(self) -> Pair:
        """Reference and predicted virial components, eV/atom."""
        pairs = [
            (f.virial / len(f), p / len(f))
            for f, p in zip(self.frames, self.predictions.virial, strict=True)
            if f.virial is not None and np.isfinite(p).all()
        ]
        return _joined(pairs)

    def worst(self, by_force: int = 5, by_energy: int = 3) -> list[WorstFrame]:
        """The frames with the largest force error of one atom, and those with the largest energy error."""
        rows = [self._frame_errors(k) for k in range(len(self.frames))]
        forces = sorted(rows, key=lambda row: -(row.largest_force_error or 0.0))[:by_force]
        energies = sorted(rows, key=lambda row: -abs(row.energy_error or 0.0))[:by_energy]
        return [*forces, *(row for row in energies if row not in forces)]

    def _frame_errors(self, k: int) -> WorstFrame:
        frame = self.frames[k]
        energy = None if frame.energy is None else (self.predictions.energy[k] - frame.energy) / len(frame)
        forces = None
        if frame.forces is not None:
            forces = float(np.linalg.norm(self.predictions.forces[k] - frame.forces, axis=1).max())
        source = frame.source.replace("\\", "/").rsplit("/", 1)[-1] or f"{self.name} frame {k}"
        return WorstFrame(source, frame.config_type, len(frame), energy, forces)


def _joined(pairs: list[Pair]) -> Pair:
    reference = np.concatenate([_EMPTY, *(a for a, _ in pairs)])
    return reference, np.concatenate([_EMPTY, *(b for _, b in pairs)])
