"""Per-pair parameters (r0, rin, cutoffs): what a user may write, and the symmetric matrix that is stored."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lacemaker.basis.elements import symbol_of
from lacemaker.basis.messages import basis_error

Matrix = tuple[tuple[float, ...], ...]
"""(n_elements, n_elements), symmetric, Å."""
PairValue = float | Mapping[Any, float] | Sequence[Sequence[float]] | None


def pair_matrix(
    value: PairValue, elements: Sequence[str], default: Callable[[str, str], float], name: str
) -> Matrix:
    """Symmetric matrix of a per-pair parameter.

    Parameters
    ----------
    value
        None (all defaults), one number for all pairs, a full symmetric matrix, or a mapping with keys
        "Si-Ge" or ("Si", "Ge") for pairs and "Si" for an element (like pairs; unlike pairs get the mean
        where both are given). Pairs not named take the default.
    default
        Called with two symbols.
    name
        The parameter's name, for messages.
    """
    n = len(elements)
    if value is None:
        return _symmetric(elements, default)
    if isinstance(value, Mapping):
        given = _by_pair(value, elements, name)
        return _symmetric(elements, lambda a, b: given[a, b] if (a, b) in given else default(a, b))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return tuple((float(value),) * n for _ in range(n))
    try:
        rows = tuple(tuple(float(x) for x in row) for row in value)  # type: ignore[union-attr]
    except (TypeError, ValueError):
        rows = ()
    if len(rows) != n or any(len(row) != n for row in rows):
        raise basis_error(
            f"{name} has the wrong form", repr(value), f"give a number, a mapping or {n} x {n} numbers"
        )
    if any(rows[i][j] != rows[j][i] for i in range(n) for j in range(i)):
        raise basis_error(f"{name} must be symmetric", rows, "give each pair one value")
    return rows


def _symmetric(elements: Sequence[str], value: Callable[[str, str], float]) -> Matrix:
    upper = {
        (i, j): float(value(a, elements[j])) for i, a in enumerate(elements) for j in range(i, len(elements))
    }
    return tuple(
        tuple(upper[min(i, j), max(i, j)] for j in range(len(elements))) for i in range(len(elements))
    )


def _by_pair(value: Mapping[Any, float], elements: Sequence[str], name: str) -> dict[tuple[str, str], float]:
    """Explicit pairs win over means of elements."""
    single: dict[str, float] = {}
    pairs: dict[tuple[str, str], float] = {}
    for key, number in value.items():
        parts = key.split("-") if isinstance(key, str) else key
        symbols = [symbol_of(p) for p in (parts if isinstance(parts, list | tuple) else [parts])]
        unknown = [s for s in symbols if s not in elements]
        if unknown or not 1 <= len(symbols) <= 2:
            raise basis_error(
                f"{name} names a pair outside the basis",
                repr(key),
                f"use elements of {list(elements)}, as 'Si' or 'Si-Ge'",
            )
        if len(symbols) == 1:
            single[symbols[0]] = float(number)
        else:
            a, b = symbols
            pairs[a, b] = pairs[b, a] = float(number)
    means = {(a, b): 0.5 * (x + y) for a, x in single.items() for b, y in single.items()}
    return means | pairs
