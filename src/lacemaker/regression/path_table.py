"""A path as a table for the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lacemaker.regression.path import ModelPath, PathModel

__all__ = ["table_text"]

_RMSE = (("energy", "E", 1e3, 2), ("forces", "F", 1.0, 4), ("virial", "V", 1e3, 1))


def table_text(path: "ModelPath") -> str:
    """One line per model: size, RMSE by set (meV/atom, eV/Å, meV/atom), evidence, cost."""
    sets = [name for name in ("train", "validation", "test") if any(name in m.fit.rmse for m in path)]
    header = ["functions"]
    for name in sets:
        header += [f"{name} {short}" for kind, short, _, _ in _RMSE if _has(path, name, kind)]
    header += ["log evidence", "condition", "µs/atom"]
    rows = [header, *(_row(path, model, sets) for model in path)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(lines) + "\n(RMSE: energy and virial meV/atom, forces eV/Å)"


def _has(path: "ModelPath", name: str, kind: str) -> bool:
    return any(kind in m.fit.rmse.get(name, {}).get("total", {}) for m in path)


def _row(path: "ModelPath", model: "PathModel", sets: list[str]) -> list[str]:
    row = [str(model.size)]
    for name in sets:
        total = model.fit.rmse.get(name, {}).get("total", {})
        for kind, _, factor, digits in _RMSE:
            if _has(path, name, kind):
                value = total.get(kind)
                row.append("" if value is None else f"{factor * float(value):.{digits}f}")
    evidence = "" if model.log_evidence is None else f"{model.log_evidence:.0f}"
    cost = "" if model.cost is None else f"{model.cost:.2f}"
    return [*row, evidence, f"{model.condition:.1e}", cost]
