"""Errors about ``.yace`` files."""

from __future__ import annotations

from lacemaker.errors import FileFormatError
from lacemaker.potential.messages import problem

__all__ = ["bad"]


def bad(wrong: str, found: object, do: str) -> FileFormatError:
    """A FileFormatError in three parts."""
    return problem(FileFormatError, wrong, str(found), do)
