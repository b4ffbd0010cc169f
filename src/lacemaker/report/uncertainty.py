"""The section on uncertainties: are the predicted standard deviations honest?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lacemaker.report.page import Figure, FigureRow, Section, Table
from lacemaker.report.scale import Scale
from lacemaker.report.svg import Chart
from lacemaker.uncertainty.calibration import Calibration

__all__ = ["uncertainty_section"]

_UNITS = {"energy": ("meV/atom", 1000.0), "forces": ("eV/Å", 1.0)}


def uncertainty_section(found: Mapping[str, Mapping[str, Calibration]]) -> Section:
    """Table and reliability curves; `found` is by set ("test") and quantity."""
    rows = []
    for name, by_quantity in found.items():
        for quantity, c in by_quantity.items():
            unit, factor = _UNITS[quantity]
            rows.append(
                [
                    f"{name}: {quantity}, {unit}",
                    f"{factor * c.rmse:.4g}",
                    f"{factor * c.sharpness:.4g}",
                    f"{c.scale:.2f}",
                    f"{c.miscalibration:.3f}",
                    f"{c.nll:.2f}",
                    f"{factor * c.crps:.4g}",
                    f"{c.correlation:.2f}",
                ]
            )
    header = ["", "RMSE", "predicted", "best scale", "miscalibration", "NLL", "CRPS", "rank correlation"]
    parts: list[Any] = [Table(header, rows, classes=["left", *[""] * 7])]
    parts.append(FigureRow([Figure(f"Reliability: {name}", _curve(table)) for name, table in found.items()]))
    return Section(
        "uncertainty",
        "Uncertainty",
        "Predicted standard deviations hold the posterior of the coefficients and the noise of the fit. "
        "Where they are honest, p of the errors lie in the central interval of probability p (the "
        "diagonal), the best scale is 1 and the predicted width equals the RMSE.",
        parts,
    )


def _curve(by_quantity: Mapping[str, Calibration]) -> str:
    chart = Chart(
        Scale(0.0, 100.0),
        Scale(0.0, 100.0),
        x_label="probability of the interval (%)",
        y_label="errors within it (%)",
        width=400,
        height=370,
        name="reliability of predicted standard deviations",
    ).diagonal()
    for series, (quantity, c) in enumerate(by_quantity.items()):
        chart.line(100.0 * c.expected, 100.0 * c.observed, series=series, label=quantity)
    return chart.render()
