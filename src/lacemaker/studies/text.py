"""A study's table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["study_text"]

_COLUMNS = (
    ("L", "size"),
    ("data", "observations"),
    ("functions", "n_functions"),
    ("ε^F eV/Å", "epsilon_F_eV_per_A"),
    ("ε^FC", "epsilon_FC_relative"),
    ("ε^V eV/at", "epsilon_V_eV_per_atom"),
    ("Δa0 Å", "lattice_constant_error_A"),
    ("foretold Å", "predicted_geometry_A"),
    ("geometry Å", "geometry_A"),
    ("ΔE_f eV", "formation_energy_error_eV"),
)


NO_GEOMETRY = {"not converged": "NOTCONV", "elsewhere": "ELSEWHERE"}


def study_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Aligned columns, one block per defect; NOTCONV where a model finds no equilibrium, ELSEWHERE where
    it finds one of another structure."""
    lines: list[str] = []
    for defect in dict.fromkeys(row["defect"] for row in rows):
        lines.append(str(defect))
        lines.append("  ".join(f"{head:>10}" for head, _ in _COLUMNS))
        for row in rows:
            if row["defect"] == defect:
                lines.append("  ".join(f"{_cell(row, key):>10}" for _, key in _COLUMNS))
    return "\n".join(lines)


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if key == "geometry_A" and not row["converged"]:
        return NO_GEOMETRY[row["outcome"]]
    if value is None:
        return "-"
    if key == "predicted_geometry_A" and not row["prediction_stable"]:
        return "unstable"
    if isinstance(value, float):
        bound = ">=" if key == "lattice_constant_error_A" and not row["lattice_found"] else ""
        return f"{bound}{value:.1e}"
    return str(value)


def comparison(
    rows: Sequence[Mapping[str, Any]], figures: Sequence[tuple[str, str, str]]
) -> list[tuple[str, ...]]:
    """EF against EF+FC+V: lines of defect, size, figure, unit, before, after. Figures: (name, unit, key)."""
    lines = []
    for defect in dict.fromkeys(row["defect"] for row in rows):
        for size in dict.fromkeys(row["size"] for row in rows):
            pair = {
                row["observations"]: row for row in rows if row["defect"] == defect and row["size"] == size
            }
            for name, unit, key in figures:
                cells = [_cell(pair[which], key) for which in ("EF", "EF+FC+V")]
                lines.append((str(defect), str(size), name, unit, *cells))
    return lines


def comparison_text(lines: Sequence[tuple[str, ...]]) -> str:
    """The lines of :func:`comparison` in columns."""
    head = ("defect", "L", "error", "unit", "before", "after")
    widths = [max(len(line[k]) for line in [head, *lines]) for k in range(6)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in [head, *lines]
    )
