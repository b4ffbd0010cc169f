"""The triangular system: a data set compressed once, ready for any solver, weight, prior or fold.

Rows are grouped by (kind, config_type, fold). Each group's rows [one-body | basis | target] are held as their
triangular factor (see :mod:`lacemaker.regression.factor`), so that re-weighting scales and merges small
triangles, leaving a fold out merges the others, and the residual of any coefficient vector is exact, all
without touching the data again. Memory is O(groups · K²) whatever the number of structures.

Row scaling (as in ACEpotentials): energy /√N, forces 1, virial /√N, times the frame's own
multipliers. Next to these the kinds "energy_per_atom" and "virial_per_atom" hold the unweighted rows
divided by N. No solver sees them; they make the RMSE per atom exact for every coefficient vector.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import DataError
from lacemaker.regression.factor import Factor, merge
from lacemaker.regression.weights import ENERGY_KINDS, KINDS, Weights, check_weights, weight_of

__all__ = ["EVERY_FOLD", "REPORT_KINDS", "Group", "GroupKey", "TriangularSystem"]

Vector = NDArray[np.float64]

EVERY_FOLD = -1  # the fold of rows that take part in every training set and no validation set

REPORT_KINDS = {
    "energy": "energy_per_atom",
    "forces": "forces",
    "virial": "virial_per_atom",
    "force_constants": "force_constants",
    "energies": "energies",
    "formation_energy": "formation_energy",
}


class GroupKey(NamedTuple):
    """What a group's rows have in common."""

    kind: str
    config_type: str
    fold: int


@dataclass(frozen=True, eq=False)
class Group:
    """The rows of one kind, config_type and fold.

    ``square_sum`` is the sum of the squared per-frame multipliers over the rows: dividing a squared
    residual by it gives the (multiplier-weighted) mean square error.
    """

    key: GroupKey
    factor: Factor
    square_sum: float


@dataclass(frozen=True, eq=False)
class TriangularSystem:
    """Grouped triangular factors of a data set in one basis.

    Attributes
    ----------
    groups : tuple of Group
    elements : tuple of str
        One one-body column per element, first in every factor.
    columns : (K,) int array
        Indices of the basis functions the factors hold, in order (all of them unless restricted).
    functions : tuple
        The K functions' quantum numbers, as priors read them; empty for synthetic rows.
    weights : mapping
        Default weights by config_type and kind.
    basis : object or None
        The ACE basis, carried for :meth:`Fit.potential`.
    metadata : mapping
        Provenance: data hashes, versions, counts, timings.
    """

    groups: tuple[Group, ...]
    elements: tuple[str, ...]
    columns: NDArray[np.int64]
    functions: tuple[Any, ...] = ()
    weights: Weights | None = None
    basis: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    # --- what it holds ---

    @property
    def n_functions(self) -> int:
        """Basis columns K."""
        return len(self.columns)

    @property
    def n_columns(self) -> int:
        """Columns of a factor: one-body, basis and target."""
        return len(self.elements) + self.n_functions + 1

    @property
    def n_rows(self) -> int:
        """Rows a solver sees, as a Python integer of any size."""
        return sum(group.factor.n_rows for group in self.groups if group.key.kind in KINDS)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Observation kinds present, in canonical order."""
        present = {group.key.kind for group in self.groups}
        return tuple(kind for kind in KINDS if kind in present)

    @property
    def config_types(self) -> tuple[str, ...]:
        """Config types present, sorted."""
        labelled = {group.key.config_type for group in self.groups if group.key.kind != "restraint"}
        return tuple(sorted(labelled))

    @property
    def known_config_types(self) -> tuple[str, ...]:
        """Config types of the data set it was made from, whatever was selected since."""
        return tuple(self.metadata.get("config_types", self.config_types))

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds present, sorted."""
        return tuple(sorted({group.key.fold for group in self.groups} - {EVERY_FOLD}))

    @property
    def nbytes(self) -> int:
        """Bytes of all factors."""
        return sum(group.factor.array.nbytes for group in self.groups)

    @cached_property
    def _by_key(self) -> dict[GroupKey, Group]:
        return {group.key: group for group in self.groups}

    def __getitem__(self, key: tuple[str, str, int]) -> Group:
        return self._by_key[GroupKey(*key)]

    # --- other systems made from it ---

    def select(self, keep: Callable[[GroupKey], bool]) -> "TriangularSystem":
        """Keep the groups for which ``keep(key)`` is true."""
        return replace(self, groups=tuple(group for group in self.groups if keep(group.key)))

    def without_fold(self, fold: int) -> "TriangularSystem":
        """All rows but those of one fold (the training part of a cross-validation)."""
        self._require_fold(fold)
        return self.select(lambda key: key.fold != fold)

    def only_fold(self, fold: int) -> "TriangularSystem":
        """The rows of one fold (its validation part)."""
        self._require_fold(fold)
        return self.select(lambda key: key.fold == fold)

    def restrict(self, columns: Sequence[int] | NDArray[np.integer]) -> "TriangularSystem":
        """Keep some basis functions, given by position among the present ones; one-body columns stay."""
        chosen = np.asarray(columns, dtype=np.int64)
        if len(np.unique(chosen)) != len(chosen) or np.any((chosen < 0) | (chosen >= self.n_functions)):
            raise DataError(
                "Functions cannot be selected: the indices must be distinct and lie in "
                f"0..{self.n_functions - 1}. Found {len(chosen)} indices between {chosen.min(initial=0)} and "
                f"{chosen.max(initial=0)}. Pass positions of columns of this system."
            )
        n_one = len(self.elements)
        kept = np.concatenate([np.arange(n_one), n_one + chosen, [self.n_columns - 1]])
        groups = tuple(replace(group, factor=group.factor.take(kept)) for group in self.groups)
        functions = tuple(self.functions[i] for i in chosen) if self.functions else ()
        return replace(self, groups=groups, columns=self.columns[chosen], functions=functions)

    def with_weights(self, weights: Weights | None) -> "TriangularSystem":
        """Same rows, other default weights."""
        check_weights(weights, self.known_config_types)
        return replace(self, weights=weights)

    def joined(self, other: "TriangularSystem") -> "TriangularSystem":
        """The rows of both systems together (new data for a finished assembly)."""
        if self.elements != other.elements or not np.array_equal(self.columns, other.columns):
            raise DataError(
                "Two triangular systems cannot be joined: their columns differ. Found "
                f"{self.n_functions} functions of {'-'.join(self.elements)} and {other.n_functions} of "
                f"{'-'.join(other.elements)}. Assemble both with the same basis."
            )
        groups = merge_groups([*self.groups, *other.groups], self.n_columns)
        known = sorted({*self.known_config_types, *other.known_config_types})
        return replace(self, groups=groups, metadata={**self.metadata, "config_types": known})

    # --- what solvers and reports read ---

    def merged(self, kind: str, weights: Weights | None = None) -> Factor:
        """Factor of all rows of one kind, each group times its weight; all kinds of energies are one."""
        return self._merge(ENERGY_KINDS if kind == "energy" else [kind], weights)

    def weighted(self, weights: Weights | None = None) -> Factor:
        """Factor of all rows, each group multiplied by its weight (``weights`` overrides the defaults)."""
        return self._merge(KINDS, weights)

    def _merge(self, kinds: Iterable[str], weights: Weights | None) -> Factor:
        table = self.weights if weights is None else weights
        check_weights(table, self.known_config_types)
        parts = [
            (group.factor, weight_of(table, group.key.config_type, group.key.kind))
            for group in self.groups
            if group.key.kind in kinds
        ]
        return merge(parts, self.n_columns)

    def residuals(self, coefficients: Vector, e0: Vector) -> dict[GroupKey, Vector]:
        """Squared residual norm of every group, exact, for coefficients (..., K) and e0 (..., NZ)."""
        solution = np.concatenate([np.asarray(e0, dtype=float), np.asarray(coefficients, dtype=float)], -1)
        return {group.key: group.factor.residual(solution) for group in self.groups}

    def rmse(self, coefficients: Vector, e0: Vector) -> dict[str, dict[str, Vector]]:
        """Root mean square errors by config_type (and "total"), exact, without touching the data.

        Parameters
        ----------
        coefficients : (..., K) array, eV
        e0 : (..., NZ) array, eV

        Returns
        -------
        dict
            ``[config_type][quantity]`` of shape (...): energy and virial in eV per atom, forces in eV/Å,
            force constants in eV/Å², site and formation energies in eV (weighted by the frames' own
            multipliers where these differ).
        """
        squares = self.residuals(coefficients, e0)
        table: dict[str, dict[str, Vector]] = {}
        for config_type in (*self.config_types, "total"):
            row = {}
            for kind, report in REPORT_KINDS.items():
                chosen = [
                    group
                    for group in self.groups
                    if group.key.kind == report and config_type in (group.key.config_type, "total")
                ]
                count = sum(group.square_sum for group in chosen)
                if count > 0:
                    row[kind] = np.sqrt(sum(squares[group.key] for group in chosen) / count)
            table[config_type] = row
        return table

    def save(self, path: str | Path) -> None:
        """Write one safetensors file (no pickle); see :func:`lacemaker.regression.storage.save_system`."""
        from lacemaker.regression.storage import save_system

        save_system(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "TriangularSystem":
        """Read what :meth:`save` wrote."""
        from lacemaker.regression.storage import load_system

        return load_system(Path(path))

    def _require_fold(self, fold: int) -> None:
        if fold not in self.folds:
            raise DataError(
                f"Fold {fold} does not exist. Found folds {list(self.folds)}. "
                "Assemble with folds=k to split the structures into k folds."
            )


def merge_groups(groups: Iterable[Group], n_columns: int) -> tuple[Group, ...]:
    """Merge groups of equal key, in the order of first appearance."""
    by_key: dict[GroupKey, list[Group]] = {}
    for group in groups:
        by_key.setdefault(group.key, []).append(group)
    return tuple(
        members[0]
        if len(members) == 1
        else Group(
            key,
            merge([(member.factor, 1.0) for member in members], n_columns),
            sum(member.square_sum for member in members),
        )
        for key, members in by_key.items()
    )
