"""Choosing the active sets of a potential from its training structures; see `extrapolation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.errors import EvaluationError, problem
from lacemaker.uncertainty.extrapolation import (
    COLUMN,
    ENVIRONMENT,
    FIRST,
    INVERSE,
    columns_by_species,
    site_kernel,
)
from lacemaker.uncertainty.functions import attach_functions
from lacemaker.uncertainty.maxvol import MaxVol

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.structures import Frames

__all__ = ["Cost", "attach_extrapolation_grade", "cost"]

_MOST_SWEEPS = 30
_TOLERANCE = 0.01


def attach_extrapolation_grade(
    potential: Potential,
    frames: Frames,
    *,
    tolerance: float = _TOLERANCE,
    n_threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Potential:
    """The potential with the active sets from which its calculator and LAMMPS make extrapolation grades.

    The functions of all environments are made anew in each sweep (a few µs per atom) and never kept: memory
    is O(n²) for n functions per species, time about n² per environment and sweep. Equal frames in equal order
    give equal sets.

    Parameters
    ----------
    potential : Potential
        Functions without a coefficient are left out: a sparse potential has small active sets.
    frames : Frames
        The structures it was fitted to.
    tolerance : float
        Training environments have grades of at most 1 + tolerance.
    n_threads : int
        For the functions; the linear algebra uses BLAS' own.
    progress : callable, optional
        Called with the sweeps done and their largest possible number.

    Raises
    ------
    EvaluationError
        If there are no frames, or one cannot be evaluated.
    """
    if len(frames) == 0:
        raise problem(
            EvaluationError,
            "an extrapolation grade needs training structures",
            "no structures",
            "give the structures the potential was fitted to",
        )
    carrier = attach_functions(potential)
    first, column = columns_by_species(carrier, carrier.coefficients != 0.0)
    source = _Source(carrier, frames, first, column, n_threads)
    chosen = [MaxVol(int(n), tolerance) for n in np.diff(first)]
    _select(chosen, source, progress or (lambda done, total: None))
    inverse = [c.inverse().ravel() for c in chosen]
    return carrier.with_extras(
        **{
            FIRST: first,
            COLUMN: column,
            INVERSE: np.concatenate([np.zeros(0), *inverse]),
            ENVIRONMENT: np.concatenate([c.labels for c in chosen]).astype(np.int32).reshape(-1, 2),
        }
    )


@dataclass(frozen=True)
class Cost:
    """What active sets will cost."""

    megabytes: float
    seconds: float  # rough, one core

    @property
    def cheap(self) -> bool:
        """Whether a fit makes them unasked."""
        return self.megabytes <= 8.0 and self.seconds <= 10.0

    def __str__(self) -> str:
        return f"about {self.seconds:.0f} s and {self.megabytes:.1f} MB"


def cost(potential: Potential, frames: Frames) -> Cost:
    """File size and time of `attach_extrapolation_grade`, from sizes: some ten sweeps of n² per atom."""
    first, _ = columns_by_species(potential, potential.coefficients != 0.0)
    n = np.diff(first).astype(float)
    species = potential.evaluator().species(np.concatenate([frame.numbers for frame in frames]))
    environments = np.bincount(species, minlength=len(n))
    flops = 10 * 2 * float(environments @ n**2)
    return Cost(8e-6 * float(n @ n), flops / 2e10)


def _select(chosen: list[MaxVol], source: _Source, progress: Callable[[int, int], None]) -> None:
    total = 2 + _MOST_SWEEPS
    for s, _, rows in source:
        chosen[s].spread(rows)
    progress(1, total)
    for s, labels, rows in source:
        chosen[s].choose(labels, rows)
    for c in chosen:
        c.finish_choosing()
    progress(2, total)
    for sweep in range(_MOST_SWEEPS):
        for s, labels, rows in source:
            chosen[s].improve(labels, rows)
        settled = [c.finish_improving() for c in chosen]
        progress(3 + sweep, total)
        if all(settled):
            break
    progress(total, total)


class _Source:
    """Rows of functions of all training environments, made afresh for every sweep."""

    def __init__(
        self, potential: Potential, frames: Frames, first: np.ndarray, column: np.ndarray, n_threads: int
    ) -> None:
        self.evaluator = potential.evaluator()
        self.kernel = site_kernel(potential, first, column, np.zeros(0))
        self.frames, self.counts, self.n_threads = frames, np.diff(first), n_threads

    def __iter__(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Species, labels (m, 2) and rows (m, n) of each frame and species."""
        for number, frame in enumerate(self.frames):
            species, positions, cell, pbc = self.evaluator.prepare(frame)
            near = self.evaluator.neighbours(positions, cell, pbc)
            values = self.kernel.evaluate(
                positions, cell, species, near.first, near.index, near.shift,
                grades=False, n_threads=self.n_threads,
            )  # fmt: skip
            for s in np.unique(species).tolist():
                atoms = np.flatnonzero(species == s)
                labels = np.column_stack([np.full(len(atoms), number), atoms])
                yield s, labels, np.ascontiguousarray(values[atoms, : self.counts[s]])
