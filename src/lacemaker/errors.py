"""The errors and warnings lacemaker raises.

Every message has three parts: what is wrong, what was found, what to do.
"""

from typing import TypeVar

__all__ = [
    "BasisError",
    "ConfigError",
    "DataError",
    "EvaluationError",
    "FileFormatError",
    "LacemakerError",
    "LacemakerWarning",
    "SolverError",
    "problem",
    "three_parts",
]


class LacemakerError(Exception):
    """Base class of every error raised on purpose by lacemaker."""


class DataError(LacemakerError, ValueError):
    """Structures or labels cannot be used as they are."""


class ConfigError(LacemakerError, ValueError):
    """A configuration file or command line asks for something impossible."""


class BasisError(LacemakerError, ValueError):
    """A basis cannot be built from the given specification."""


class FileFormatError(LacemakerError):
    """A potential file is truncated, edited, from the future or not ours."""


class SolverError(LacemakerError):
    """A least-squares problem cannot be solved as posed."""


class EvaluationError(LacemakerError):
    """A potential cannot be evaluated on the given atoms."""


class LacemakerWarning(UserWarning):
    """Something works but deserves attention."""


Kind = TypeVar("Kind", bound=LacemakerError)


def three_parts(wrong: str, found: object, do: str) -> str:
    """The three parts of a message, one per line."""
    return f"{wrong}\n  found: {found}\n  to do: {do}"


def problem(kind: type[Kind], wrong: str, found: object, do: str) -> Kind:
    """An error of the given kind whose text has the three parts."""
    return kind(three_parts(wrong, found, do))
