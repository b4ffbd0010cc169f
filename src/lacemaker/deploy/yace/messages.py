"""Errors about ``.yace`` files."""

from __future__ import annotations

from lacemaker.errors import FileFormatError, problem

__all__ = ["bad"]


def bad(wrong: str, found: object, do: str) -> FileFormatError:
    """A FileFormatError in three parts."""
    return problem(FileFormatError, wrong, found, do)
