"""Every message of this room in the house's three parts: what is wrong, what was found, what to do."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable

from lacemaker.errors import DataError, LacemakerWarning

__all__ = ["close_names", "data_error", "three_parts", "warn"]


def three_parts(wrong: str, found: str, do: str) -> str:
    """Join the three parts of a message, one per line."""
    return f"{wrong}\n  found: {found}\n  to do: {do}"


def data_error(wrong: str, found: str, do: str) -> DataError:
    """A `DataError` whose text has the three parts."""
    return DataError(three_parts(wrong, found, do))


def warn(wrong: str, found: str, do: str, *, stacklevel: int = 3) -> None:
    """Issue a `LacemakerWarning` whose text has the three parts."""
    warnings.warn(three_parts(wrong, found, do), LacemakerWarning, stacklevel=stacklevel)


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of `known` that look like `name`, whatever their case."""
    by_lower = {k.lower(): k for k in known}
    hits = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.7)
    return [by_lower[hit] for hit in hits]
