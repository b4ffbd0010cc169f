"""Every message of this room in the house's three parts: what is wrong, what was found, what to do."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from lacemaker.errors import DataError, LacemakerWarning, problem, three_parts

__all__ = ["Notices", "close_names", "data_error", "some", "three_parts", "warn"]


def data_error(wrong: str, found: str, do: str) -> DataError:
    """A `DataError` whose text has the three parts."""
    return problem(DataError, wrong, found, do)


def warn(wrong: str, found: str, do: str, *, stacklevel: int = 3) -> None:
    """Issue a `LacemakerWarning` whose text has the three parts."""
    warnings.warn(three_parts(wrong, found, do), LacemakerWarning, stacklevel=stacklevel)


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of `known` that look like `name`, whatever their case."""
    by_lower = {k.lower(): k for k in known}
    hits = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.7)
    return [by_lower[hit] for hit in hits]


def some(names: Iterable[str], at_most: int = 3) -> str:
    """Join the first few names and count the rest: ``a, b, c and 4 more``."""
    listed = list(names)
    more = f" and {len(listed) - at_most} more" if len(listed) > at_most else ""
    return ", ".join(listed[:at_most]) + more


@dataclass
class Notices:
    """Collects what is odd about single frames, to warn once of each kind instead of once a frame."""

    _kinds: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, wrong: str, found: str, do: str) -> None:
        """Note one more case of a kind."""
        self._kinds.setdefault((wrong, do), []).append(found)

    def issue(self) -> None:
        """Warn of every kind, with the first few cases."""
        for (wrong, do), found in self._kinds.items():
            warn(wrong, some(found), do, stacklevel=4)
