"""Extrapolation grade γ: how far an atomic environment lies outside those of the training data.

For each species an active set A of environments is chosen from the training data by MaxVol, in the space of
the functions B that the potential uses. An environment's grade is the largest coordinate of its functions in
that set ::

    γ = max_k |(B A^-1)_k|

It is at most 1 (plus a small tolerance) for every training environment; a larger one means extrapolation in
the sense of D-optimality: adding the environment would enlarge det A by that factor. Podryabinkin and
Shapeev, Comput. Mater. Sci. 140, 171 (2017); Lysogorskiy, Bochkarev, Mrovec and Drautz, Phys. Rev. Mater. 7,
043801 (2023). The grade of a linear potential needs no posterior: it judges positions, not labels.

Where the training environments do not span all functions (fewer environments than functions, or functions
that depend on each other), virtual environments of 1e-5 of each function's spread complete the set: what
leaves the span of the training data gets a large grade, and the rank says how much of the space was seen.

========================== ==== ============ ===========================================================
extra.grade.first          I32  (Z + 1,)     species s has the functions first[s] … of `column`
extra.grade.column         I32  (F,)         functions in use, rising within a species
extra.grade.inverse        F64  (sum n²,)    A^-1 of each species, (n, n) in C order, one after another
extra.grade.environment    I32  (F, 2)       structure and atom of each active environment; -1: virtual
========================== ==== ============ ===========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import EvaluationError, problem
from lacemaker.uncertainty.functions import PREFIX, attach_functions, functions_in_use, stored_functions
from lacemaker.uncertainty.storage import has_extrapolation_grade

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.potential.evaluator import Structure
    from lacemaker.structures import NeighbourList

__all__ = ["ActiveSet", "ExtrapolationGrade", "site_functions", "stored_active_sets"]

_NAMES = tuple(f"grade.{name}" for name in ("first", "column", "inverse", "environment"))
FIRST, COLUMN, INVERSE, ENVIRONMENT = _NAMES


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """The active environments of one species.

    Attributes
    ----------
    element : str
    columns : ndarray (n,)
        Functions in use, numbered as the coefficients.
    inverse : ndarray (n, n)
        A^-1; the grade of functions B (n,) is max |B A^-1|.
    environments : ndarray (n, 2)
        Structure and atom of each active environment in the training data; -1 for virtual ones.
    """

    element: str
    columns: np.ndarray
    inverse: np.ndarray
    environments: np.ndarray

    @property
    def rank(self) -> int:
        """Directions of the n that training environments span."""
        return int(np.count_nonzero(self.environments[:, 0] >= 0))

    def __str__(self) -> str:
        text = f"{self.element}: {self.rank} active environments for {len(self.columns)} functions"
        missing = len(self.columns) - self.rank
        return text + (f"; {missing} combinations of functions hardly vary in the data" if missing else "")


def columns_by_species(potential: Potential, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The functions in `used` (K,) bool, species after species: ranges (Z + 1,) and columns, int32."""
    centre = potential.columns.centre
    parts = [np.flatnonzero(used & (centre == s)) for s in range(len(potential.elements))]
    first = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return first.astype(np.int32), np.concatenate(parts).astype(np.int32)


def site_kernel(
    potential: Potential, first: np.ndarray, column: np.ndarray, inverse: np.ndarray, isa: str = "auto"
) -> Any:
    from lacemaker import _core

    tables = _core.Tables(**potential.program.kernel_tables())
    try:
        return _core.SiteFunctions(
            tables, **stored_functions(potential),
            active_first=first, active_column=column, inverse=inverse, isa=isa,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise problem(
            EvaluationError,
            "the extrapolation data in this potential do not fit it",
            str(error),
            "attach them again; if lacemaker wrote this file, please report it",
        ) from error


def site_functions(potential: Potential, structure: Structure) -> np.ndarray:
    """Basis functions of every atom, (n_atoms, K) in the order of the coefficients.

    Functions of other species, and those without a coefficient, are zero.

    Raises
    ------
    EvaluationError
        As for ``potential.predict``.
    """
    carrier = potential if PREFIX + "row_first" in potential.extras else attach_functions(potential)
    first, column = columns_by_species(carrier, functions_in_use(carrier))
    kernel = site_kernel(carrier, first, column, np.zeros(0))
    evaluator = carrier.evaluator()
    species, positions, cell, pbc = evaluator.prepare(structure)
    near = evaluator.neighbours(positions, cell, pbc)
    values = kernel.evaluate(
        positions, cell, species, near.first, near.index, near.shift, grades=False, n_threads=1
    )
    out = np.zeros((len(species), len(carrier.coefficients)))
    for s in range(len(carrier.elements)):
        atoms, columns = np.flatnonzero(species == s), column[first[s] : first[s + 1]]
        out[np.ix_(atoms, columns)] = values[atoms, : len(columns)]
    return out


class ExtrapolationGrade:
    """The extrapolation grade of a potential, compiled.

    Parameters
    ----------
    potential : Potential
        With active sets, see `attach_extrapolation_grade`.
    isa : str
        As for the evaluator.

    Raises
    ------
    EvaluationError
        When the potential carries no active sets, or some that do not fit it.
    """

    def __init__(self, potential: Potential, *, isa: str = "auto") -> None:
        self._evaluator = potential.evaluator()
        self._kernel = site_kernel(potential, *_stored(potential), isa)

    def grades(
        self,
        species: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray,
        neighbours: NeighbourList,
        *,
        n_threads: int = 1,
    ) -> np.ndarray:
        """(n_atoms,) on a neighbour list; arguments as for ``Evaluator.evaluate``."""
        return self._kernel.evaluate(
            positions, cell, species, neighbours.first, neighbours.index, neighbours.shift,
            n_threads=n_threads,
        )  # fmt: skip

    def predict(self, structure: Structure, *, n_threads: int = 1) -> np.ndarray:
        """Grades (n_atoms,) of one structure."""
        species, positions, cell, pbc = self._evaluator.prepare(structure)
        neighbours = self._evaluator.neighbours(positions, cell, pbc)
        return self.grades(species, positions, cell, neighbours, n_threads=n_threads)


def stored_active_sets(potential: Potential) -> tuple[ActiveSet, ...]:
    """The active sets a potential carries, one per element; EvaluationError when it carries none."""
    first, column, inverse = _stored(potential)
    environments = potential.extras[ENVIRONMENT]
    found, at = [], 0
    for s, element in enumerate(potential.elements):
        mine = slice(int(first[s]), int(first[s + 1]))
        n = mine.stop - mine.start
        block = inverse[at : at + n * n].reshape(n, n)
        found.append(ActiveSet(element, column[mine], block, environments[mine]))
        at += n * n
    return tuple(found)


def _stored(potential: Potential) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not has_extrapolation_grade(potential):
        raise problem(
            EvaluationError,
            "this potential carries no extrapolation grade",
            "a potential without active sets",
            "save it with attach_extrapolation_grade(potential, training_frames)",
        )
    arrays = [potential.extras[name] for name in _NAMES if name in potential.extras]
    if len(arrays) < len(_NAMES) or not _consistent(*arrays, n_elements=len(potential.elements)):
        raise problem(
            EvaluationError,
            "the extrapolation data in this potential do not fit it",
            "arrays of the wrong shape, or values that are not finite",
            "attach them again; if lacemaker wrote this file, please report it",
        )
    first, column, inverse, _ = arrays
    return first, column, inverse


def _consistent(
    first: np.ndarray, column: np.ndarray, inverse: np.ndarray, environments: np.ndarray, *, n_elements: int
) -> bool:
    return bool(
        first.shape == (n_elements + 1,)
        and first[0] == 0
        and first[-1] == len(column)
        and (counts := np.diff(first)).min() >= 0
        and inverse.shape == (int(np.sum(counts.astype(np.int64) ** 2)),)
        and environments.shape == (len(column), 2)
        and np.isfinite(inverse).all()
    )
