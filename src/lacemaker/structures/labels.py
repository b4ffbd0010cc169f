"""What labels a set of frames carries, and under which keys they were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lacemaker.structures.frame import QUANTITIES, Frame

__all__ = ["GroupLabels", "LabelTable", "QuantityLabels"]

_ALWAYS = ("energy", "forces", "virial")


@dataclass(frozen=True)
class QuantityLabels:
    """One quantity: the keys it was read from with their frames, and how many frames have it."""

    keys: dict[str, int]
    n_with: int
    n_without: int


@dataclass(frozen=True)
class GroupLabels:
    """One config_type: its frames and atoms, and how many of its frames have each quantity."""

    n_frames: int
    n_atoms: int
    n_with: dict[str, int]


@dataclass(frozen=True)
class LabelTable:
    """Which labels were found: by quantity and by config_type. Print it with ``str``."""

    quantities: dict[str, QuantityLabels]
    groups: dict[str, GroupLabels]

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> LabelTable:
        """Count the labels of some frames."""
        frames = list(frames)
        names = [q for q in QUANTITIES if q in _ALWAYS or any(f.has(q) for f in frames)]
        quantities = {}
        for q in names:
            labelled = [f for f in frames if f.has(q)]
            keys = Counter(f.label_keys.get(q, "given") for f in labelled)
            quantities[q] = QuantityLabels(dict(keys), len(labelled), len(frames) - len(labelled))
        by_type: dict[str, list[Frame]] = {}
        for f in frames:
            by_type.setdefault(f.config_type, []).append(f)
        groups = {}
        for name, members in by_type.items():
            counts = {q: sum(f.has(q) for f in members) for q in names}
            groups[name] = GroupLabels(len(members), sum(len(f) for f in members), counts)
        return cls(quantities, groups)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain dictionaries, for JSON."""
        return {
            "quantities": {
                q: {"keys": dict(row.keys), "frames_with": row.n_with, "frames_without": row.n_without}
                for q, row in self.quantities.items()
            },
            "groups": {
                name: {"frames": row.n_frames, "atoms": row.n_atoms, "frames_with": dict(row.n_with)}
                for name, row in self.groups.items()
            },
        }

    def __str__(self) -> str:
        rows = [["label", "read from", "frames with", "without"]]
        for q, row in self.quantities.items():
            keys = list(row.keys) if len(row.keys) == 1 else [f"{k} ({n})" for k, n in row.keys.items()]
            rows.append([q, ", ".join(keys) or "-", str(row.n_with), str(row.n_without)])
        groups = [["config_type", "frames", "atoms", *self.quantities]]
        for name, group in self.groups.items():
            groups.append([name, str(group.n_frames), str(group.n_atoms), *map(str, group.n_with.values())])
        return aligned(rows, text_columns=2) + "\n\n" + aligned(groups)


def aligned(rows: list[list[str]], text_columns: int = 1) -> str:
    """Lay rows of text out in columns; all but the first `text_columns` are right-aligned."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [x.ljust(w) if c < text_columns else x.rjust(w)
                 for c, (x, w) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
