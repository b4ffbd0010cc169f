"""The page of a model path: errors against size and cost, the models in a table, active blocks of one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

import lacemaker
from lacemaker.report.page import Card, Figure, FigureRow, Page, Section, Table, render
from lacemaker.report.scale import linear, logarithmic
from lacemaker.report.svg import Chart

if TYPE_CHECKING:
    from lacemaker.regression.path import ModelPath, PathModel

__all__ = ["active_blocks", "path_page"]

_QUANTITIES = (("energy", "meV/atom", 1e3), ("forces", "eV/Å", 1.0), ("virial", "meV/atom", 1e3))


def path_page(path: ModelPath, chosen: PathModel) -> str:
    """One self-contained HTML text."""
    names = "-".join(path.elements)
    sections = [
        Section("errors", "Errors along the path", "", [FigureRow(_error_figures(path, chosen))]),
        Section("models", "Models", "", [_table(path, chosen)]),
        Section(
            "blocks",
            f"Radial and angular channels of the chosen model ({chosen.size} functions)",
            "Area: how many functions of that order use a channel (n, l).",
            [FigureRow(_block_figures(chosen))],
        ),
    ]
    kind = str(path.settings.get("solver", {}).get("kind", "")).upper()
    return render(
        Page(
            title=f"{names}: {len(path)} models along the {kind} path",
            lead=f"{path.sizes[0]} to {path.sizes[-1]} of {len(chosen.fit.coefficients)} functions.",
            version=lacemaker.__version__,
            cards=_cards(chosen),
            sections=sections,
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete; it loads nothing.",
        )
    )


def active_blocks(model: PathModel) -> dict[int, Counter[tuple[int, int]]]:
    """By correlation order: how many active functions use a channel (n, l)."""
    found: dict[int, Counter[tuple[int, int]]] = {}
    columns = model.fit.columns
    basis = model.fit.basis
    if basis is None:
        return found
    for position in model.support:
        function = basis.columns[position if columns is None else columns[position]]
        order = 0 if function.kind == "pair" else len(function.channels)
        found.setdefault(order, Counter()).update({(n, ell) for _, n, ell in function.channels})
    return dict(sorted(found.items()))


def _cards(chosen: PathModel) -> list[Card]:
    cards = [Card(str(chosen.size), "functions, chosen model")]
    test = chosen.mae.get("test", {})
    if "energy" in test:
        cards.append(Card(f"{test['energy']:.2f}", "test energy MAE", "meV/atom"))
    if "forces" in test:
        cards.append(Card(f"{test['forces']:.4f}", "test force MAE", "eV/Å"))
    if chosen.cost is not None:
        cards.append(Card(f"{chosen.cost:.2f}", "per MD step, one core", "µs/atom"))
    return cards


def _curves(path: ModelPath, quantity: str, factor: float) -> dict[str, np.ndarray]:
    """RMSE by set, one number per model."""
    curves = {}
    for name in ("train", "validation", "test"):
        values = [m.fit.rmse.get(name, {}).get("total", {}).get(quantity) for m in path]
        if all(value is not None for value in values):
            curves[name] = factor * np.array(values, dtype=float)
    return curves


def _error_figures(path: ModelPath, chosen: PathModel) -> list[Figure]:
    axes = {"functions": np.array(path.sizes, dtype=float)}
    if all(model.cost is not None for model in path):
        axes["µs/atom"] = np.array([model.cost for model in path], dtype=float)
    marks = {"functions": float(chosen.size), "µs/atom": chosen.cost}
    figures = []
    for label, x in axes.items():
        for quantity, unit, factor in _QUANTITIES[:2]:
            curves = _curves(path, quantity, factor)
            if not curves:
                continue
            chart = Chart(
                logarithmic(x),
                logarithmic(*curves.values()),
                x_label=label,
                y_label=f"RMSE of {quantity} ({unit})",
                width=400,
                height=300,
            )
            for series, (name, values) in enumerate(curves.items()):
                front = _front(x, values) if label == "µs/atom" else np.arange(len(x))
                chart.line(x[front], values[front], series=series, label=name)
                titles = [f"{m.size} functions: {v:.4g} {unit}" for m, v in zip(path, values, strict=True)]
                chart.points(x, values, series=series, titles=titles, radius=2.5)
            at = marks[label]
            if at is not None:
                chart.vertical(at, "chosen")
            figures.append(Figure(f"{quantity} against {label}", chart.render()))
    return figures


def _front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Positions of the points that none beats in both, by increasing x."""
    order = np.lexsort((y, x))
    return order[y[order] <= np.minimum.accumulate(y[order])]


def _block_figures(model: PathModel) -> list[Figure]:
    blocks = active_blocks(model)
    if not blocks:
        return []
    all_n = np.array([n for counts in blocks.values() for n, _ in counts], dtype=float)
    all_l = np.array([ell for counts in blocks.values() for _, ell in counts], dtype=float)
    figures = []
    for order, counts in blocks.items():
        chart = Chart(
            linear(np.append(all_n, 1.0), margin=0.08),
            linear(np.append(all_l, [0.0, 1.0]), margin=0.12),
            x_label="radial index n",
            y_label="degree l",
            width=360,
            height=300,
        )
        top = max(counts.values())
        for (n, ell), count in sorted(counts.items()):
            text = f"n = {n}, l = {ell}: {count} functions"
            radius = 2.0 + 9.0 * float(np.sqrt(count / top))
            chart.points(np.array([n]), np.array([ell]), series=order, titles=[text], radius=radius)
        title = "pair functions" if order == 0 else f"{order + 1}-body functions"
        figures.append(Figure(title, chart.render()))
    return figures


def _table(path: ModelPath, chosen: PathModel) -> Table:
    header = ["functions"]
    columns = []
    for name in ("train", "validation", "test"):
        for quantity, unit, factor in _QUANTITIES:
            curves = _curves(path, quantity, factor)
            if name in curves:
                header.append(f"{name} {quantity[0].upper()} {unit}")
                columns.append([f"{value:.4g}" for value in curves[name]])
    for quantity, unit, _ in _QUANTITIES[:2]:
        if all(quantity in m.mae.get("test", {}) for m in path):
            header.append(f"test {quantity[0].upper()} MAE {unit}")
            columns.append([f"{m.mae['test'][quantity]:.4g}" for m in path])
    header += ["log evidence", "condition", "µs/atom"]
    columns.append(["" if m.log_evidence is None else f"{m.log_evidence:.0f}" for m in path])
    columns.append([f"{m.condition:.1e}" for m in path])
    columns.append(["" if m.cost is None else f"{m.cost:.2f}" for m in path])
    sizes = [f"{m.size}{' (chosen)' if m is chosen else ''}" for m in path]
    rows = [list(row) for row in zip(sizes, *columns, strict=True)]
    return Table(header, rows, note="RMSE unless MAE is said. Evidence compares models on equal rows.")
