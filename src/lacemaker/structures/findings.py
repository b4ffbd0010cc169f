"""One thing worth saying about data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["Finding", "Severity"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """What is odd about some data, where it was found, and what to do about it.

    An ``error`` stops a fit or ruins it, a ``warning`` probably does, a ``note`` is good to know.
    """

    severity: Severity
    what: str
    where: str
    do: str

    def to_dict(self) -> dict[str, str]:
        """Return the finding as a dictionary, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity}: {self.what}\n  found: {self.where}\n  to do: {self.do}"
