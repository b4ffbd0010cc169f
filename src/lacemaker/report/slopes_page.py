"""The page of clamped balls: a reference's own convergence with the domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import lacemaker
from lacemaker.report.page import Figure, FigureRow, Page, Section, render
from lacemaker.report.scale import logarithmic
from lacemaker.report.svg import Chart

if TYPE_CHECKING:
    from lacemaker.studies.clusters import BallConvergence

__all__ = ["slopes_page"]


def slopes_page(found: Sequence[BallConvergence], reference: str) -> str:
    """The page of `lace study slopes`."""
    sections = []
    for one in found:
        figures = []
        labels = {"two_norm": "‖D(u_R-u_∞)‖₂ (Å)", "maximum": "largest (Å)", "energy": "energy (eV)"}
        for name, slope in one.slopes().items():
            values = np.abs(getattr(one, name))
            chart = Chart(
                logarithmic(one.radii), logarithmic(values), x_label="R (nearest-neighbour distances)",
                y_label=labels[name], width=400, height=310,
            )  # fmt: skip
            if slope is not None:
                ends = np.geomspace(one.radii[0], one.radii[-1], 20)
                chart.line(ends, slope.line(ends), dashed=True)
                for edge in slope.band(ends):
                    chart.line(ends, edge)
            titles = [f"R = {r:g}: {v:.2e}" for r, v in zip(one.radii, values, strict=True)]
            chart.points(one.radii, values, label=f"slope {slope}", radius=3.5, titles=titles)
            figures.append(Figure(labels[name], chart.render()))
        lead = f"{one.n_atoms} atoms; largest force left {one.largest_force:.1e} eV/Å. Thin lines: 95 % band."
        sections.append(Section(one.defect, one.defect, lead, [FigureRow(figures)]))
    return render(
        Page(
            title="Convergence of clamped balls",
            lead=f"Reference {reference}. Expected for a point defect: slopes -3/2, -3 and -3.",
            version=lacemaker.__version__,
            sections=sections,
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete; it loads nothing.",
        )
    )
