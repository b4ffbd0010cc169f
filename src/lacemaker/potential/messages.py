"""Errors of this room in the house's three parts: what is wrong, what was found, what to do."""

from __future__ import annotations

from typing import TypeVar

from lacemaker.errors import LacemakerError

__all__ = ["problem"]

Kind = TypeVar("Kind", bound=LacemakerError)


def problem(kind: type[Kind], wrong: str, found: str, do: str) -> Kind:
    """An error of the given kind whose text has the three parts, one per line."""
    return kind(f"{wrong}\n  found: {found}\n  to do: {do}")
