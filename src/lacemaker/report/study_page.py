"""The page of a study of defects: verdict, table, log-log plots, the estimator against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import lacemaker
from lacemaker.report.page import (
    Advice,
    AdviceList,
    Card,
    Figure,
    FigureRow,
    Page,
    Section,
    Table,
    Text,
    render,
)
from lacemaker.report.scale import logarithmic
from lacemaker.report.svg import Chart
from lacemaker.studies.results import estimator_accuracy, rows_of, slopes_of
from lacemaker.studies.text import NO_GEOMETRY

if TYPE_CHECKING:
    from lacemaker.studies.run import StudyResult
    from lacemaker.studies.verdict import Judgement

__all__ = ["comparison_section", "study_page"]

Row = Mapping[str, Any]
_SIZE = "training cell L (cells)"
WIDEST = 2.0  # half-width of a slope from which neither it nor its band is worth showing


def study_page(result: StudyResult, verdict: Sequence[Judgement], extra: Sequence[Section] = ()) -> str:
    """One self-contained HTML text."""
    rows = rows_of(result)
    sections = [
        Section("verdict", "Verdict", "", [AdviceList([Advice(v.level, v.text) for v in verdict])]),
        *extra,
        Section("knobs", "Geometry against size and accuracy", _KNOBS, _knob_rows(rows)),
        Section("estimator", "The error foretold", _ESTIMATOR, [FigureRow(_estimator_figures(rows, result))]),
        Section("lattice", "Lattice errors", _LATTICE, [FigureRow(_lattice_figures(_of_first(rows)))]),
        Section("table", "All fits", _TABLE, [_table(rows)]),
        Section("reference", "Reference and set-up", "", [_reference(result), _setup(result)]),
    ]
    names = ", ".join(result.defects)
    return render(
        Page(
            title=f"Study of defects: {names}",
            lead=f"Reference {result.reference}, {result.crystal.structure}, lattice constant "
            f"{result.crystal.lattice_constant:.5f} Å; {len(result.cases)} fits from one triangular system"
            + (", tried at the model's lattice." if result.config.test.lattice == "model" else "."),
            version=lacemaker.__version__,
            cards=_cards(rows),
            sections=sections,
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete; it loads nothing.",
        )
    )


_KNOBS = (
    "‖D(ũ-ū)‖ over nearest neighbours after relaxing the test cell with each model, from the reference's "
    "equilibrium. Dashed: fitted power laws, between thin lines of 95 % confidence; hover a point for its "
    "case. Fits that do not converge are missing."
)
_ESTIMATOR = (
    "Predicted without relaxation from the model's forces F̃ at the reference equilibrium: ‖D H̃⁻¹F̃‖. On the "
    "line the prediction is exact; models unstable at ū are left out. Right: where the residual forces sit."
)
_LATTICE = "Force constants and virials of the perfect lattice, and the error of its lattice constant."
_TABLE = (
    "ε^F: training cells, RMSE. ε^FC: relative. ε^V: strained cells, RMSE. Geometry and energy "
    "errors: relaxed test cell; NOTCONV: no equilibrium found; ELSEWHERE: one of another structure. "
    "≥ : no zero pressure within 5 %."
)


def _cards(rows: Sequence[Row]) -> list[Card]:
    converged = [row for row in rows if row["converged"]]
    cards = [Card(f"{len(converged)} of {len(rows)}", "models converged")]
    if converged:
        best = min(converged, key=lambda row: row["geometry_A"])
        cards.append(Card(f"{best['geometry_A']:.1e}", "smallest geometry error", "Å"))
        energy = min(abs(row["formation_energy_error_eV"]) for row in converged)
        cards.append(Card(f"{1000 * energy:.2g}", "smallest formation-energy error", "meV"))
    facts = estimator_accuracy(rows)
    if facts["n_cases"]:
        cards.append(Card(f"{facts['ratio_median']:.2f}", "estimate over truth, median"))
    return cards


def _series(rows: Sequence[Row]) -> dict[str, int]:
    return {name: k for k, name in enumerate(dict.fromkeys(row["observations"] for row in rows))}


def _tip(row: Row) -> str:
    geometry = NO_GEOMETRY[row["outcome"]] if row["geometry_A"] is None else f"{row['geometry_A']:.2e} Å"
    return f"{row['observations']}, L = {row['size']}, {row['n_functions']} functions: {geometry}"


def _scatter(
    rows: Sequence[Row], x_key: str, y_key: str, x_label: str, y_label: str, slopes: Mapping[str, Any] | None
) -> str:
    kept = [row for row in rows if row[x_key] and row[y_key] and row[y_key] is not True]
    if not kept:
        return "<p>No converged fit.</p>"
    x = np.array([abs(row[x_key]) for row in kept], dtype=float)
    y = np.array([abs(row[y_key]) for row in kept], dtype=float)
    chart = Chart(
        logarithmic(x), logarithmic(y), x_label=x_label, y_label=y_label, width=440, height=330, name=y_label
    )
    for name, k in _series(rows).items():
        mine = np.array([row["observations"] == name for row in kept])
        if not mine.any():
            continue
        label = name
        slope = (slopes or {}).get(name)
        if slope is not None:
            ends = np.geomspace(slope.x.min(), slope.x.max(), 20)
            chart.line(ends, slope.line(ends), series=k, dashed=True)
            if slope.half_width < WIDEST:
                for edge in slope.band(ends):
                    chart.line(ends, edge, series=k)
                label = f"{name}: slope {slope}"
        titles = [_tip(row) for row, chosen in zip(kept, mine, strict=True) if chosen]
        chart.points(x[mine], y[mine], series=k, label=label, radius=3.5, titles=titles)
    return chart.render()


def _knob_rows(rows: Sequence[Row]) -> list[FigureRow]:
    """One row of figures per defect."""
    defects = list(dict.fromkeys(row["defect"] for row in rows))
    return [
        FigureRow(
            _knob_figures(
                [row for row in rows if row["defect"] == defect], f", {defect}" if len(defects) > 1 else ""
            )
        )
        for defect in defects
    ]


def _knob_figures(rows: Sequence[Row], where: str) -> list[Figure]:
    slopes = slopes_of(rows)
    by_size = [row for row in rows if row["knob"] == "size"]
    top = max(row["size"] for row in rows)
    by_degree = [row for row in rows if row["size"] == top]
    return [
        Figure(
            f"Size knob{where}",
            _scatter(by_size, "size", "geometry_A", _SIZE, "‖D(ũ-ū)‖ (Å)", slopes["size"]),
        ),
        Figure(
            f"Accuracy knob, L = {top}{where}",
            _scatter(
                by_degree, "epsilon_F_eV_per_A", "geometry_A", "ε^F (eV/Å)", "‖D(ũ-ū)‖ (Å)", slopes["degree"]
            ),
        ),
        Figure(
            f"Formation energy{where}",
            _scatter(by_size, "size", "formation_energy_error_eV", _SIZE, "|ΔE_f| (eV)", None),
        ),
    ]


def _estimator_figures(rows: Sequence[Row], result: StudyResult) -> list[Figure]:
    kept = [row for row in rows if row["geometry_A"] and row["prediction_stable"]]
    figures = []
    if kept:
        x = np.array([row["predicted_geometry_A"] for row in kept])
        y = np.array([row["geometry_A"] for row in kept])
        both = logarithmic(x, y, decades=5.0)
        chart = Chart(
            both, both, x_label="predicted ‖D H̃⁻¹F̃‖ (Å)", y_label="true ‖D(ũ-ū)‖ (Å)", width=440, height=330
        ).diagonal()
        for name, k in _series(rows).items():
            mine = np.array([row["observations"] == name for row in kept])
            if mine.any():
                titles = [_tip(row) for row, chosen in zip(kept, mine, strict=True) if chosen]
                chart.points(x[mine], y[mine], series=k, label=name, radius=3.5, titles=titles)
        figures.append(Figure("Prediction and truth", chart.render()))
    figures.append(Figure("Residual forces at the largest size", _profiles(result, _series(rows))))
    return figures


def _profiles(result: StudyResult, series: Mapping[str, int]) -> str:
    defect, top = next(iter(result.defects)), result.config.sizes[-1]
    curves = {}
    for case in result.cases:
        guess = case["defects"][defect].get("estimate")
        if case["size"] == top and case["knob"] == "size" and guess:
            profile = guess["profile"]
            edges = np.array(profile["edges_A"])
            curves[case["observations"]] = (
                0.5 * (edges[1:] + edges[:-1]),
                np.array(profile["rms_force_eV_per_A"]),
            )
    if not curves:
        return "<p>No model to show.</p>"
    chart = Chart(
        _distances(curves),
        logarithmic(*(force for _, force in curves.values())),
        x_label="distance from the core (Å)",
        y_label="rms force of the model at ū (eV/Å)",
        width=440,
        height=330,
    )
    for name, (r, force) in curves.items():
        chart.line(r, np.where(force > 0, force, np.nan), series=series[name], label=name)
    return chart.render()


def _distances(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    from lacemaker.report.scale import linear

    return linear(*(r for r, _ in curves.values()), low=0.0)


def _of_first(rows: Sequence[Row]) -> list[Row]:
    """Rows of the first defect: lattice errors are the same for all."""
    return [row for row in rows if row["defect"] == rows[0]["defect"]]


def _lattice_figures(rows: Sequence[Row]) -> list[Figure]:
    by_size = [row for row in rows if row["knob"] == "size"]
    wanted = (
        ("epsilon_FC_relative", "ε^FC (relative)", "Force constants"),
        ("epsilon_V_eV_per_atom", "ε^V (eV/atom)", "Virials"),
        ("lattice_constant_error_A", "|Δa₀| (Å)", "Lattice constant"),
    )
    return [Figure(title, _scatter(by_size, "size", key, _SIZE, label, None)) for key, label, title in wanted]


def _number(value: Any, digits: str = ".1e") -> str:
    return "–" if value is None else format(value, digits).replace("-", "−").replace("e−0", "e−")


def _table(rows: Sequence[Row]) -> Table:
    header = [
        "defect", "L", "observations", "functions", "ε^F (eV/Å)", "ε^FC", "ε^V (eV/atom)", "Δa₀ (Å)",
        "‖F̃(ū)‖ (eV/Å)", "predicted (Å)", "‖D(ũ-ū)‖ (Å)", "largest (Å)", "ΔE_f (eV)",
    ]  # fmt: skip
    lines = []
    for row in rows:
        bound = "" if row["lattice_found"] else "≥ "
        lines.append(
            [
                row["defect"], str(row["size"]), row["observations"], str(row["n_functions"]),
                _number(row["epsilon_F_eV_per_A"]), _number(row["epsilon_FC_relative"]),
                _number(row["epsilon_V_eV_per_atom"]), bound + _number(row["lattice_constant_error_A"]),
                _number(row["residual_force_eV_per_A"]),
                _number(row["predicted_geometry_A"]) if row["prediction_stable"] else "unstable",
                _number(row["geometry_A"]) if row["converged"] else NO_GEOMETRY[row["outcome"]],
                _number(row["geometry_max_A"]), _number(row["formation_energy_error_eV"]),
            ]
        )  # fmt: skip
    return Table(header, lines)


def _reference(result: StudyResult) -> Table:
    lines = [
        [
            name, str(facts["n_atoms"]), f"{facts['formation_energy_eV']:.4f}",
            f"{facts['relaxation_energy_eV']:.4f}", "force-free!" if facts["force_free"] else "",
        ]
        for name, facts in result.defects.items()
    ]  # fmt: skip
    return Table(
        ["defect", "atoms in the test cell", "formation energy (eV)", "relaxation energy (eV)", ""], lines
    )


def _setup(result: StudyResult) -> Text:
    from lacemaker.config.yamlfile import dump_yaml

    data = result.config.model_dump(mode="json")
    data["output"] = result.folder.name
    for section, key in (("reference", "file"), ("crystal", "structure")):
        value = data[section].get(key)
        if isinstance(value, str):
            data[section][key] = value.rsplit("/", 1)[-1]
    return Text("configuration", dump_yaml(data))


def comparison_section(lines: Sequence[tuple[str, ...]]) -> Section:
    """Before and after: defect cells alone against all suggestions."""
    header = ["defect", "L", "error", "unit", "defect cells alone (EF)", "with suggestions (EF+FC+V)"]
    return Section("suggestions", "What the suggestions bring", "", [Table(header, lines)])
