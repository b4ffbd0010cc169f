"""The page of a body-order report: pair curves with their support, triples, quadruples, refits, advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import lacemaker
from lacemaker.analysis.body_advice import fit_rows, pair_rows
from lacemaker.report.page import Advice, AdviceList, Card, Figure, FigureRow, Page, Section, Table, render
from lacemaker.report.scale import Scale, linear
from lacemaker.report.svg import Chart

if TYPE_CHECKING:
    from lacemaker.analysis.body_findings import BodyOrderReport, PairFinding, TripleFinding
    from lacemaker.datasets.dimers import PairReference

__all__ = ["bodies_page", "bodies_sections"]

MOST_PAIRS = 6  # drawn; all are in the table
MOST_POINTS = 60  # of a reference; more are drawn as a line
BAND = 2.0  # standard deviations on either side
_SPANS = {"extrapolated": (4, "extrapolated: a direct calculation would tell more"), "prior": (7, "prior")}


def bodies_page(report: BodyOrderReport, *, source: str = "") -> str:
    """One self-contained HTML text.

    Parameters
    ----------
    report : BodyOrderReport
    source : str
        Name of the potential or folder, for the heading.
    """
    basis = f", {report.basis} basis" if report.basis else ""
    return render(
        Page(
            title=f"Body orders: {source or report.model}",
            lead=f"The {report.model}{basis}. Vₙ is what n atoms do that no fewer of them explain.",
            version=lacemaker.__version__,
            cards=_cards(report),
            sections=bodies_sections(report),
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete; it loads nothing.",
        )
    )


def bodies_sections(report: BodyOrderReport) -> list[Section]:
    """The sections, in the order of reading."""
    advice = AdviceList([Advice(level, text) for level, text in report.advice])
    sections = [Section("advice", "In words", " ".join(report.notes), [advice]), _pair_section(report)]
    if report.fits:
        sections.append(_fit_section(report))
    sections.append(_triple_section(report))
    sections.append(_quadruple_section(report))
    if report.observables:
        sections.append(_observable_section(report))
    return sections


def _cards(report: BodyOrderReport) -> list[Card]:
    cards = []
    if report.check is not None:
        cards.append(Card(str(report.check.bodies), "bodies"))
        worst = max(relative for _, _, relative in report.check.largest)
        cards.append(Card(f"{worst:.0e}", "interactions beyond, relative"))
    first = report.pairs[0]
    if first.sanity.depth is not None:
        cards.append(Card(f"{first.sanity.depth:.2f}", f"depth of {first.curve.name}", "eV"))
        cards.append(Card(f"{first.sanity.r_e:.2f}", f"bond length of {first.curve.name}", "Å"))
    if first.references and first.reference_rmse[0] is not None:
        cards.append(Card(f"{first.reference_rmse[0]:.2f}", f"RMSE to {first.references[0].source}", "eV"))
    if report.fits and report.fits[-1].fit.rmse["train"]["total"].get("energy") is not None:
        error = 1e3 * report.fits[-1].fit.rmse["train"]["total"]["energy"]
        cards.append(Card(f"{error:.1f}", f"training energy RMSE, K = {report.fits[-1].bodies}", "meV/atom"))
    return cards


def _pair_section(report: BodyOrderReport) -> Section:
    figures = []
    for pair in report.pairs[:MOST_PAIRS]:
        figures.append(Figure(f"Effective pair interaction V₂, {pair.curve.name}", _pair_chart(pair)))
        if pair.support is not None:
            figures.append(Figure(f"What supports it, {pair.curve.name}", _support_chart(pair)))
    side_by_side = [FigureRow(figures[k : k + 2]) for k in range(0, len(figures), 2)]
    header, rows = pair_rows(report)
    return Section(
        "pairs",
        "Pairs",
        "V₂(r) = E(dimer) − 2 E(atom) of the whole model: in a basis with self-interactions every order adds "
        "to it. The band is two posterior standard deviations of the coefficients, within the model; shaded "
        "ranges are not settled by the data.",
        [
            *side_by_side,
            Table(
                header,
                rows,
                title="Judgement",
                note="A physical pair has a repulsive core, one minimum, one change of the force's sign, one "
                "inflection and Spearman correlations of −1 inside and +1 outside the minimum.",
                classes=["left", *[""] * (len(header) - 3), "left", ""],
            ),
        ],
    )


def _window(pair: PairFinding) -> tuple[float, float]:
    """Energies (eV) worth drawing: the well, and as much of the wall."""
    beyond = pair.curve.r > 0.7 * pair.curve.nearest_neighbour
    known = [float(p.energy.min()) for p in pair.references]
    lowest = min(float(np.min(pair.curve.energy[beyond])), *known, -0.2)
    depth = abs(lowest)
    return lowest - 0.25 * depth, max(1.2 * depth, 1.0)


def _pair_chart(pair: PairFinding) -> str:
    curve = pair.curve
    low, high = _window(pair)
    chart = Chart(
        Scale(float(curve.r[0]), float(curve.r[-1])),
        Scale(low, high),
        x_label="distance (Å)",
        y_label="V₂ (eV)",
        name=f"pair interaction {curve.name}",
    )
    for status, a, b in pair.ranges:
        if status in _SPANS:
            series, label = _SPANS[status]
            chart.span(a, b, series=series, label=label)
    chart.horizontal(0.0)
    if pair.support is not None:
        half = BAND * pair.support.std
        chart.band(curve.r, curve.energy - half, curve.energy + half, series=0, label="± 2 σ")
    for k, reference in enumerate(pair.references, 1):
        _draw_reference(chart, reference, k)
    chart.line(curve.r, curve.energy, series=0, label="this model")
    return chart.render()


def _draw_reference(chart: Chart, reference: PairReference, series: int) -> None:
    """Points with hover texts, or a dashed line where there are many."""
    if len(reference.r) > MOST_POINTS:
        chart.line(reference.r, reference.energy, series=series, label=reference.source, dashed=True)
        return
    titles = [f"{e:.3f} eV at {r:.2f} Å" for r, e in zip(reference.r, reference.energy, strict=True)]
    if reference.state:
        titles = [f"{t}, {s}" for t, s in zip(titles, reference.state, strict=True)]
    chart.points(
        reference.r, reference.energy, series=series, label=reference.source, radius=3.0, titles=titles
    )


def _support_chart(pair: PairFinding) -> str:
    support = pair.support
    assert support is not None
    r = pair.curve.r
    inside = support.std > 0.0
    drawn = {"leverage": (2, support.leverage), "σ (eV)": (0, support.std)}
    if support.prior_share is not None:
        drawn["prior share"] = (7, support.prior_share)
    chart = Chart(
        Scale(float(r[0]), float(r[-1])),
        Scale(1e-4, max(10.0, 2.0 * float(support.leverage.max())), log=True),
        x_label="distance (Å)",
        y_label=", ".join(drawn),
        name=f"support of {pair.curve.name}",
    )
    chart.horizontal(1.0)
    for label, (series, values) in drawn.items():
        chart.line(r[inside], np.maximum(values[inside], 1e-6), series=series, label=label)
    return chart.render()


def _fit_section(report: BodyOrderReport) -> Section:
    figures = []
    for pair in report.pairs[:MOST_PAIRS]:
        low, high = _window(pair)
        name = pair.curve.name
        curves = [(f"K = {b.bodies}", b.curves[name]) for b in report.fits]
        low = min(low, *(1.1 * float(c.energy[c.r > 0.7 * c.nearest_neighbour].min()) for _, c in curves))
        chart = Chart(
            Scale(float(pair.curve.r[0]), float(pair.curve.r[-1])),
            Scale(low, high),
            x_label="distance (Å)",
            y_label="V₂ (eV)",
            name=f"refits of {name}",
        )
        chart.horizontal(0.0)
        for k, (label, curve) in enumerate(curves):
            chart.line(curve.r, curve.energy, series=k, label=label)
        for k, reference in enumerate(pair.references[:2], len(curves) + 1):
            _draw_reference(chart, reference, k)
        figures.append(Figure(f"V₂ by body order of the model, {name}", chart.render()))
    header, rows = fit_rows(report)
    pure = all(body.body_shares is not None for body in report.fits)
    shares = (
        "share of two, three, … bodies in the fitted energies: sums over distinct neighbours, exact."
        if pure
        else "contribution of each correlation order to the fitted energies; in a basis with "
        "self-interactions orders are not bodies."
    )
    return Section(
        "orders",
        "Body order by body order",
        "One refit per largest body order K from the same assembled rows. Drift: root mean square of "
        "V₂ of K minus that of K + 1, from 0.75 bond lengths on. Shares: " + shares,
        [
            FigureRow(figures),
            Table(
                header,
                rows,
                title="Convergence",
                note="Errors are RMSE on the training rows, and on the held-out rows (val.) where there are.",
                classes=["left", *[""] * 6, "left", "left", *[""] * 4],
            ),
        ],
    )


def _triple_section(report: BodyOrderReport) -> Section:
    figures = []
    for triple in report.triples:
        figures.append(Figure(f"V₃ against the angle, {triple.map.name}", _angle_chart(triple)))
        figures.append(Figure(f"V₃(r₁, r₂), {triple.map.name}", _map_chart(triple)))
    return Section(
        "triples",
        "Triples",
        "V₃ = E(trimer) − all V₂ − 3 E(atom), by inclusion–exclusion. Left: both legs of equal length. "
        "Right: two legs at the angle named at the axis.",
        [FigureRow(figures[k : k + 2]) for k in range(0, len(figures), 2)],
    )


def _angle_chart(triple: TripleFinding) -> str:
    values = [triple.value] if triple.reference is None else [triple.value, triple.reference]
    chart = Chart(
        linear(triple.angle),
        linear(*values, np.zeros(1), margin=0.1),
        x_label="angle at the centre (°)",
        y_label="V₃ (eV)",
        name=f"three-body {triple.map.name}",
    )
    chart.horizontal(0.0)
    for k, leg in enumerate(triple.legs):
        if triple.support:
            half = BAND * triple.support[k].std
            chart.band(triple.angle, triple.value[k] - half, triple.value[k] + half, series=k)
        chart.line(triple.angle, triple.value[k], series=k, label=f"legs of {leg:.2f} Å")
        if triple.reference is not None:
            chart.line(
                triple.angle, triple.reference[k], series=k, label=f"reference, {leg:.2f} Å", dashed=True
            )
    return chart.render()


def _map_chart(triple: TripleFinding) -> str:
    found = triple.map
    k = int(np.argmin(np.abs(found.angle - 105.0)))
    x, y = _edges(found.r1), _edges(found.r2)
    first, second = found.symbols[1], found.symbols[2]
    chart = Chart(
        Scale(float(x[0]), float(x[-1])),
        Scale(float(y[0]), float(y[-1])),
        x_label=f"r₁ to {first} (Å), angle {found.angle[k]:.0f}°",
        y_label=f"r₂ to {second} (Å)",
        name=f"map of {found.name}",
    )
    largest = float(np.quantile(np.abs(found.value[..., k]), 0.9))
    chart.heat(x, y, found.value[..., k], unit="eV", names=("attractive", "repulsive"), largest=largest)
    return chart.render()


def _edges(centres: np.ndarray) -> np.ndarray:
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _quadruple_section(report: BodyOrderReport) -> Section:
    figures = []
    for name in dict.fromkeys("-".join(s.symbols) for s in report.quadruples):
        mine = [s for s in report.quadruples if "-".join(s.symbols) == name]
        chart = Chart(
            linear(np.array([s.length for s in mine]), margin=0.08),
            linear(np.array([s.value for s in mine]), np.zeros(1), margin=0.1),
            x_label="nearest-neighbour distance (Å)",
            y_label="V₄ (eV)",
            name=f"four-body {name}",
        )
        chart.horizontal(0.0)
        for k, shape in enumerate(dict.fromkeys(s.shape for s in mine)):
            chosen = [s for s in mine if s.shape == shape]
            x, y = np.array([s.length for s in chosen]), np.array([s.value for s in chosen])
            if shape != "random":
                chart.line(x, y, series=k)
            titles = [f"{shape}: {v:.3g} eV" for v in y]
            chart.points(x, y, series=k, label=shape, radius=3.0, titles=titles)
        figures.append(Figure(f"V₄ of {name}", chart.render()))
    return Section("quadruples", "Quadruples", "", [FigureRow(figures)])


def _observable_section(report: BodyOrderReport) -> Section:
    rows = [
        [
            *(o.structure, o.quantity, o.unit, f"{o.value:.4g}", f"{o.std:.2g}"),
            *("–" if o.prior_share is None else f"{o.prior_share:.2f}", o.status),
        ]
        for o in report.observables
    ]
    return Section(
        "crystals",
        "Crystals",
        "The same question for condensed matter: how far do the data settle energies, pressures, shear and "
        "force constants of simple crystals? A fixed core repulsion is not included in the values.",
        [
            Table(
                ["structure", "quantity", "unit", "value", "σ", "prior share", "verdict"],
                rows,
                note="Prior: more than half of the variance is the prior's. Extrapolated: σ above 10 "
                "meV/atom, 1 GPa, 2 meV/atom of shear energy or 1 eV/Å².",
                classes=["left", "left", "left", "", "", "", "left"],
            )
        ],
    )
