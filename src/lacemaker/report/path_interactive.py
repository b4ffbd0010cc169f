"""A page on which one slides along a path: error against cost, and the (n, l) blocks in use (plotly)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import LacemakerError
from lacemaker.report.path_page import active_blocks

if TYPE_CHECKING:
    from lacemaker.regression.path import ModelPath, PathModel

__all__ = ["interactive_page", "require_plotly"]


def interactive_page(path: ModelPath, chosen: PathModel) -> str:
    """A self-contained HTML text (about 5 MB: plotly's script is in it).

    Raises
    ------
    LacemakerError
        If plotly is not installed.
    """
    go, subplots = _plotly()
    blocks = [active_blocks(model) for model in path]
    orders = sorted({order for found in blocks for order in found})
    start = path.models.index(chosen) if chosen in path.models else len(path) - 1
    titles = ["force RMSE against cost", *("pair" if o == 0 else f"{o + 1}-body" for o in orders)]
    figure = subplots.make_subplots(rows=1, cols=1 + len(orders), subplot_titles=titles)
    x, name = _costs(path)
    for label in ("train", "validation", "test"):
        y = [m.fit.rmse.get(label, {}).get("total", {}).get("forces") for m in path]
        if all(value is not None for value in y):
            hover = [f"{m.size} functions" for m in path]
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines+markers", name=label, text=hover), 1, 1)
    fixed = len(figure.data)
    figure.add_trace(_mark(go, path, x, start), 1, 1)
    grids = [_grids(found, blocks, orders) for found in blocks]
    for column, grid in enumerate(grids[start], 2):
        figure.add_trace(go.Heatmap(z=grid, showscale=False, colorscale="Viridis", y0=0, x0=1), 1, column)
    moving = list(range(fixed, len(figure.data)))
    figure.frames = [
        go.Frame(
            name=str(model.size),
            data=[_mark(go, path, x, i), *(go.Heatmap(z=grid, y0=0, x0=1) for grid in grids[i])],
            traces=moving,
        )
        for i, model in enumerate(path)
    ]
    steps = [
        {
            "label": str(model.size),
            "method": "animate",
            "args": [[str(model.size)], {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}],
        }
        for model in path
    ]
    slider = {"active": start, "steps": steps, "currentvalue": {"prefix": "functions: "}}
    figure.update_xaxes(type="log", title=name, row=1, col=1)
    figure.update_yaxes(type="log", title="eV/Å", row=1, col=1)
    for column in range(2, 2 + len(orders)):
        figure.update_xaxes(title="n", row=1, col=column)
        figure.update_yaxes(title="l", row=1, col=column)
    figure.update_layout(sliders=[slider], title=f"{'-'.join(path.elements)}: sparse models", height=480)
    text: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return text


def require_plotly() -> None:
    """Fail now if plotly is missing, not after a long computation.

    Raises
    ------
    LacemakerError
    """
    _plotly()


def _plotly() -> tuple[Any, Any]:
    try:
        from plotly import graph_objects, subplots
    except ImportError as error:
        raise LacemakerError(
            "The interactive page needs plotly. Found none installed. Run: pip install plotly, or leave "
            "--interactive out; path.html needs nothing."
        ) from error
    return graph_objects, subplots


def _costs(path: ModelPath) -> tuple[list[float], str]:
    if all(model.cost is not None for model in path):
        return [float(model.cost or 0.0) for model in path], "µs/atom, one core"
    return [float(size) for size in path.sizes], "functions"


def _mark(go: Any, path: ModelPath, x: list[float], i: int) -> Any:
    total = path[i].fit.rmse
    best = next((total[s]["total"]["forces"] for s in ("test", "validation", "train") if s in total), None)
    marker = {"size": 15, "symbol": "circle-open", "line": {"width": 3}}
    return go.Scatter(x=[x[i]], y=[best], mode="markers", marker=marker, name="shown", showlegend=False)


def _grids(found: Any, blocks: list[Any], orders: list[int]) -> list[np.ndarray]:
    """Counts (l, n) of one model, on the axes of the whole path."""
    grids = []
    for order in orders:
        keys = [key for other in blocks for key in other.get(order, ())]
        grid = np.zeros((max(ell for _, ell in keys) + 1, max(n for n, _ in keys)))
        for (n, ell), count in found.get(order, {}).items():
            grid[ell, n - 1] = count
        grids.append(grid)
    return grids
