"""A small chart: inline SVG that follows the page's light or dark colours and needs no library.

Colours come from CSS classes (``s0`` … ``s7`` for series), so one chart is right in both themes.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from lacemaker.report.scale import Scale

__all__ = ["Chart"]

LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 46  # margins in pixels


class Chart:
    """One set of axes to which lines, points, cells and bars are added in drawing order.

    Parameters
    ----------
    x, y : Scale
    x_label, y_label : str
    width, height : int
        Pixels of the drawing; the page scales it to the space it has.
    name : str
        Read by screen readers.
    """

    def __init__(
        self,
        x: Scale,
        y: Scale,
        *,
        x_label: str,
        y_label: str,
        width: int = 520,
        height: int = 340,
        name: str = "",
    ) -> None:
        self.x, self.y = x, y
        self.x_label, self.y_label = x_label, y_label
        self.width, self.height, self.name = width, height, name
        self._shapes: list[str] = []
        self._legend: list[tuple[str, str, str]] = []

    def _px(self, values: np.ndarray | float) -> np.ndarray:
        return LEFT + self.x.fraction(values) * (self.width - LEFT - RIGHT)

    def _py(self, values: np.ndarray | float) -> np.ndarray:
        return self.height - BOTTOM - self.y.fraction(values) * (self.height - TOP - BOTTOM)

    def line(
        self, x: np.ndarray, y: np.ndarray, *, series: int = 0, label: str = "", dashed: bool = False
    ) -> Chart:
        """A line through the points; hovering over it shows the nearest one."""
        px, py = self._px(x), self._py(y)
        keep = np.isfinite(px) & np.isfinite(py)
        py = np.clip(py, -20.0 * self.height, 21.0 * self.height)  # far outside: cut by the clip path
        style = " dashed" if dashed else ""
        attributes = f'class="line s{series % 8}{style}" data-label="{escape(label)}"'
        for run in np.split(np.arange(len(keep)), np.flatnonzero(np.diff(keep)) + 1):
            if len(run) and keep[run[0]]:
                points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px[run], py[run], strict=True))
                self._shapes.append(f'<polyline {attributes} points="{points}"/>')
        self._note("line" + style, series, label)
        return self

    def points(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        series: int = 0,
        label: str = "",
        radius: float = 2.0,
        titles: Sequence[str] | None = None,
    ) -> Chart:
        """Dots, with an optional hover text each."""
        px, py = self._px(x), self._py(y)
        inside = np.isfinite(px) & np.isfinite(py)
        for k in np.flatnonzero(inside).tolist():
            end = "/>" if titles is None else f"><title>{escape(titles[k])}</title></circle>"
            place = f'cx="{px[k]:.1f}" cy="{py[k]:.1f}" r="{radius:g}"'
            self._shapes.append(f'<circle class="dot s{series % 8}" {place}{end}')
        self._note("dot", series, label)
        return self

    def density(
        self, x: np.ndarray, y: np.ndarray, *, series: int = 0, label: str = "", n_cells: int = 90
    ) -> Chart:
        """Many points as a grid of cells, darker where there are more (logarithmic)."""
        fx, fy = self.x.fraction(x), self.y.fraction(y)
        counts, _, _ = np.histogram2d(fx, fy, bins=n_cells, range=[[0, 1], [0, 1]])
        across, up = (self.width - LEFT - RIGHT) / n_cells, (self.height - TOP - BOTTOM) / n_cells
        top, floor = np.log1p(counts.max()) if counts.size else 1.0, self.height - BOTTOM
        levels = np.ceil(8 * np.log1p(counts) / max(top, 1e-12)).astype(int)
        for level in range(1, 9):  # one path per shade keeps the file small
            cells = [
                f"M{LEFT + i * across:.1f} {floor - (j + 1) * up:.1f}h{across:.1f}v{up:.1f}h-{across:.1f}z"
                for i, j in np.argwhere(levels == level)
            ]
            if cells:
                self._shapes.append(
                    f'<path class="cell s{series % 8}" fill-opacity="{0.24 + 0.095 * level:.2f}" '
                    f'd="{"".join(cells)}"/>'
                )
        self._note("cell", series, label)
        return self

    def band(
        self, x: np.ndarray, low: np.ndarray, high: np.ndarray, *, series: int = 0, label: str = ""
    ) -> Chart:
        """The area between two curves."""
        px, below, above = self._px(x), self._py(low), self._py(high)
        far = 20.0 * self.height
        outline = [*zip(px, np.clip(above, -far, far), strict=True)]
        outline += [*zip(px[::-1], np.clip(below, -far, far)[::-1], strict=True)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in outline)
        self._shapes.append(f'<polygon class="band s{series % 8}" points="{points}"/>')
        self._note("band", series, label)
        return self

    def span(self, start: float, stop: float, *, series: int = 7, label: str = "") -> Chart:
        """A shaded range of x over the whole height."""
        left, right = sorted((float(self._px(start)), float(self._px(stop))))
        self._shapes.append(
            f'<rect class="band s{series % 8}" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
            f'height="{self.height - TOP - BOTTOM}"/>'
        )
        self._note("band", series, label)
        return self

    def heat(
        self,
        x_edges: np.ndarray,
        y_edges: np.ndarray,
        values: np.ndarray,
        *,
        unit: str = "",
        names: tuple[str, str] = ("negative", "positive"),
        largest: float | None = None,
    ) -> Chart:
        """Cells (n, m) whose colour is the sign and whose strength the magnitude of a value.

        Magnitudes of `largest` (default: the largest) and above are drawn at full strength.
        """
        px, py = self._px(x_edges), self._py(y_edges)
        top = float(np.max(np.abs(values))) if largest is None else largest
        for (i, j), value in np.ndenumerate(values):
            strength = min(1.0, abs(float(value)) / max(top, 1e-12)) ** 0.6
            tip = escape(f"{value:.3g} {unit}".strip())
            self._shapes.append(
                f'<rect class="cell s{0 if value < 0 else 1}" fill-opacity="{strength:.2f}" x="{px[i]:.1f}" '
                f'y="{py[j + 1]:.1f}" width="{px[i + 1] - px[i]:.1f}" height="{py[j] - py[j + 1]:.1f}">'
                f"<title>{tip}</title></rect>"
            )
        for series, name in enumerate(names):
            self._note("cell", series, name)
        return self

    def bars(self, edges: np.ndarray, heights: np.ndarray, *, series: int = 0, label: str = "") -> Chart:
        """Vertical bars between consecutive edges, standing on the bottom of the axes."""
        px, py = self._px(edges), self._py(heights)
        floor = self.height - BOTTOM
        for k, top in enumerate(py):
            wide = max(px[k + 1] - px[k] - 1.0, 0.5)
            tip = escape(f"{edges[k]:.3g} to {edges[k + 1]:.3g}: {heights[k]:g}")
            self._shapes.append(
                f'<rect class="bar s{series % 8}" x="{px[k] + 0.5:.1f}" y="{top:.1f}" width="{wide:.1f}" '
                f'height="{max(floor - top, 0):.1f}"><title>{tip}</title></rect>'
            )
        self._note("cell", series, label)
        return self

    def diagonal(self) -> Chart:
        """The line y = x."""
        ends = np.array([max(self.x.low, self.y.low), min(self.x.high, self.y.high)])
        (a, b), (c, d) = self._px(ends), self._py(ends)
        self._shapes.append(f'<line class="rule" x1="{a:.1f}" y1="{c:.1f}" x2="{b:.1f}" y2="{d:.1f}"/>')
        return self

    def horizontal(self, y: float) -> Chart:
        """A thin rule at height `y`."""
        at = float(self._py(y))
        self._shapes.append(
            f'<line class="rule" x1="{LEFT}" y1="{at:.1f}" x2="{self.width - RIGHT}" y2="{at:.1f}"/>'
        )
        return self

    def vertical(self, x: float, label: str = "") -> Chart:
        """A thin rule at `x`, with an optional small caption."""
        at = float(self._px(x))
        self._shapes.append(
            f'<line class="rule" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{self.height - BOTTOM}"/>'
        )
        if label:
            self._shapes.append(f'<text class="note" x="{at + 4:.1f}" y="{TOP + 11}">{escape(label)}</text>')
        return self

    def _note(self, mark: str, series: int, label: str) -> None:
        if label and (label, mark) not in {(known, m) for known, m, _ in self._legend}:
            self._legend.append((label, mark, f"s{series % 8}"))

    def legend(self) -> str:
        """The legend as HTML, shown above the drawing."""
        if not self._legend:
            return ""
        items = "".join(
            f'<span class="key"><i class="{mark} {series}"></i>{escape(label)}</span>'
            for label, mark, series in self._legend
        )
        return f'<div class="legend">{items}</div>'

    def _axes(self) -> str:
        right, floor = self.width - RIGHT, self.height - BOTTOM
        parts = []
        for value, label in self.x.ticks(6):
            at = float(self._px(value))
            parts.append(f'<line class="grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{floor}"/>')
            parts.append(
                f'<text class="tick" x="{at:.1f}" y="{floor + 16}" text-anchor="middle">{label}</text>'
            )
        for value, label in self.y.ticks(5):
            at = float(self._py(value))
            parts.append(f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{LEFT - 7}" y="{at + 3.5:.1f}" text-anchor="end">{label}</text>'
            )
        middle = (TOP + floor) / 2
        parts.append(
            f'<text class="label" x="{(LEFT + right) / 2:.0f}" y="{self.height - 8}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
            f'<text class="label" transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_label)}</text>"
        )
        return "".join(parts)

    def render(self) -> str:
        """The legend and the drawing as one HTML fragment."""
        right, floor = self.width - RIGHT, self.height - BOTTOM
        box = f'x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{floor - TOP}"'
        name = escape(self.name or self.y_label)
        scales = " ".join(
            f'data-{axis}="{scale.low:.12g} {scale.high:.12g} {int(scale.log)}"'
            for axis, scale in (("x", self.x), ("y", self.y))
        )
        return (
            f'<div class="chart">{self.legend()}'
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{name}" '
            f'data-frame="{LEFT} {TOP} {right} {floor}" {scales}>'
            f'{self._axes()}<svg class="inside" {box} '
            f'viewBox="{LEFT} {TOP} {right - LEFT} {floor - TOP}">{"".join(self._shapes)}</svg>'
            f'<rect class="frame" {box}/></svg></div>'
        )
