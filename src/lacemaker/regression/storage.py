"""Factors on disk, in sealed files."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.factor import Factor
from lacemaker.regression.sealed import read_sealed, write_sealed
from lacemaker.regression.triangular import Group, GroupKey, TriangularSystem

__all__ = ["load_groups", "load_system", "save_groups", "save_system"]

_KEY = "lacemaker"


def save_groups(path: Path, groups: tuple[Group, ...], header: Mapping[str, Any]) -> None:
    """Write groups and a JSON header; the file appears complete or not at all.

    Raises
    ------
    LacemakerError
        When the file cannot be written, for instance because the disk is full.
    """
    arrays = {f"{i:06d}": _packed(group.factor) for i, group in enumerate(groups)}
    rows = [[*group.key, group.factor.n_rows, group.square_sum] for group in groups]
    write_sealed(path, _KEY, arrays, {**header, "groups": rows})


def load_groups(path: Path) -> tuple[tuple[Group, ...], dict[str, Any]]:
    """Read what :func:`save_groups` wrote.

    Raises
    ------
    FileFormatError
        When the file is truncated, edited, or of another format version.
    """
    arrays, header = read_sealed(path, _KEY, what="triangular system", remedy="delete it and assemble again")
    return _groups(arrays, header.pop("groups")), header


def save_system(system: TriangularSystem, path: Path) -> None:
    """Write a system; its basis goes in as its JSON specification."""
    header = {
        "elements": list(system.elements),
        "columns": system.columns.tolist(),
        "weights": {k: dict(v) for k, v in system.weights.items()} if system.weights else None,
        "basis": system.basis.spec() if system.basis is not None else None,
        "metadata": dict(system.metadata),
    }
    save_groups(path, system.groups, header)


def load_system(path: Path) -> TriangularSystem:
    """Read a system; its basis is rebuilt from the specification in the file."""
    groups, header = load_groups(path)
    columns = np.array(header["columns"], dtype=np.int64)
    basis, functions = None, ()
    if header["basis"] is not None:
        from lacemaker.basis import ACEBasis

        basis = ACEBasis.from_spec(header["basis"])
        functions = tuple(basis.columns[i] for i in columns)
    return TriangularSystem(
        groups=groups,
        elements=tuple(header["elements"]),
        columns=columns,
        functions=functions,
        weights=header["weights"],
        basis=basis,
        metadata=header["metadata"],
    )


def _groups(arrays: Mapping[str, NDArray[Any]], rows: list[list[Any]]) -> tuple[Group, ...]:
    groups = []
    for array, (kind, config_type, fold, n_rows, square_sum) in zip(arrays.values(), rows, strict=True):
        factor = Factor(_unpacked(array), n_rows)
        groups.append(Group(GroupKey(kind, config_type, fold), factor, square_sum))
    return tuple(groups)


def _packed(factor: Factor) -> NDArray[Any]:
    """Rows as they are; of a triangle the n (n + 1)/2 numbers that count, column by column."""
    array = factor.array
    if not factor.is_triangular:
        return np.ascontiguousarray(array)
    return np.concatenate([array[: j + 1, j] for j in range(array.shape[1])])


def _unpacked(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2:
        return np.asfortranarray(array)
    n = (math.isqrt(8 * array.size + 1) - 1) // 2
    triangle = np.zeros((n, n), order="F")
    start = 0
    for j in range(n):
        triangle[: j + 1, j] = array[start : start + j + 1]
        start += j + 1
    return triangle
