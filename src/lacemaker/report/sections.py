"""The sections of a report, each from results to page parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.dimers import DimerCurve
from lacemaker.analysis.errors import TOTAL, ErrorTable
from lacemaker.analysis.scans import VolumeScan
from lacemaker.analysis.tables import ERROR_COLUMNS, number
from lacemaker.report import figures
from lacemaker.report.labelled import LabelledSet
from lacemaker.report.page import Figure, FigureRow, Section, Table, Text

if TYPE_CHECKING:
    from lacemaker.potential import Potential

__all__ = ["basis_section", "cost_section", "error_section", "physics_section", "provenance_section"]

MOST_RADIAL = 3  # pairs of elements whose radial functions are drawn


def error_grid(errors: Mapping[str, ErrorTable], measure: str, title: str) -> Table:
    """Rows config_type and total; per quantity the sets side by side."""
    shown = [
        column
        for column in ERROR_COLUMNS
        if any(getattr(table.total, column[2].format(measure)) is not None for table in errors.values())
    ]
    groups = [*dict.fromkeys(g for table in errors.values() for g in table if g != TOTAL), TOTAL]
    rows = []
    for group in groups:
        mine = [table.get(group) for table in errors.values()]
        row = [group, *("–" if m is None else str(m.n_frames) for m in mine)]
        for *_, stem, digits in shown:
            row += [number(None if m is None else getattr(m, stem.format(measure)), digits) for m in mine]
        rows.append(row)
    each = ["edge", *[""] * (len(errors) - 1)]
    return Table(
        ["config_type", *list(errors) * (1 + len(shown))],
        rows,
        title=title,
        groups=[
            ("", 1),
            *((name, len(errors)) for name in ("structures", *(f"{s}, {u}" for s, u, *_ in shown))),
        ],
        classes=["left", *each * (1 + len(shown))],
        total=True,
    )


def _comparisons(
    potential: Potential, sets: Sequence[LabelledSet]
) -> list[tuple[str, str, str, float, dict[str, Any]]]:
    found = [
        ("energies", "eV/atom", "meV/atom", 1000.0, {s.name: s.energies(potential) for s in sets}),
        ("forces", "eV/Å", "eV/Å", 1.0, {s.name: s.forces for s in sets}),
        ("virials", "eV/atom", "meV/atom", 1000.0, {s.name: s.virials for s in sets}),
    ]
    return [
        (what, unit, small, factor, kept)
        for what, unit, small, factor, pairs in found
        if (kept := {name: pair for name, pair in pairs.items() if len(pair[0])})
    ]


def error_section(potential: Potential, sets: Sequence[LabelledSet]) -> Section:
    """Tables, parity plots, error distributions, worst structures."""
    errors = {s.name: s.errors for s in sets}
    comparisons = _comparisons(potential, sets)
    parity = [
        Figure(f"Parity: {what}", figures.parity(pairs, what, unit))
        for what, unit, _, _, pairs in comparisons
    ]
    spread = [
        Figure(
            f"Errors: {what}",
            figures.error_distribution({n: factor * (b - a) for n, (a, b) in pairs.items()}, what, unit),
        )
        for what, _, unit, factor, pairs in comparisons
    ]
    worst = [(s.name, frame) for s in sets for frame in s.worst()]
    worst_rows = [
        [
            frame.source,
            name,
            frame.config_type,
            str(frame.n_atoms),
            number(None if frame.energy_error is None else 1000 * frame.energy_error, 2),
            number(frame.largest_force_error, 3),
        ]
        for name, frame in worst
    ]
    return Section(
        "errors",
        "Errors",
        "Energies and virials per atom, forces and stresses per component. Energies in the parity plot are "
        "relative to the one-body energies. The curves below read: this share of labels has an error "
        "smaller than x.",
        [
            error_grid(errors, "mae", "Mean absolute errors"),
            FigureRow(parity),
            FigureRow(spread),
            error_grid(errors, "rmse", "Root mean square errors"),
            Table(
                ["structure", "set", "config_type", "atoms", "ΔE  meV/atom", "largest |ΔF|  eV/Å"],
                worst_rows,
                title="Structures with the largest errors",
                note="Worth a look: an unconverged reference calculation often stands on top of this list.",
                classes=["left", "left", "left", "", "", ""],
            ),
        ],
    )


def physics_section(dimers: Sequence[DimerCurve], scans: Sequence[VolumeScan]) -> Section:
    """Dimer curves and E(V), with their verdicts."""
    parts: list[Any] = []
    if dimers:
        parts.append(
            FigureRow(
                [
                    Figure("Dimers", figures.dimers(dimers)),
                    Figure("Dimers: the wall", figures.dimer_walls(dimers)),
                ]
            )
        )
    if scans:
        parts.append(
            FigureRow(
                [
                    Figure("Energy against volume", figures.volume_scans(scans, compressed=False)),
                    Figure("Into strong compression", figures.volume_scans(scans, compressed=True)),
                ]
            )
        )
    verdicts = [[text] for text in (*(c.verdict for c in dimers), *(s.verdict for s in scans))]
    parts.append(Table(["verdicts"], verdicts, classes=["left wrap"]))
    return Section(
        "physics",
        "Physical sanity",
        "Structures far from the data, where a potential without guidance goes wrong first: two atoms alone, "
        "and simple crystals squeezed to 17 % and stretched to 220 % of their reference volume.",
        parts,
    )


def basis_section(potential: Potential) -> Section:
    """Functions by element and order, radial functions, coefficients."""
    parts: list[Any] = [_counts_table(potential)]
    radial = _radial_figures(potential)
    parts += [FigureRow(radial[k : k + 2]) for k in range(0, len(radial), 2)]
    level, kind = _levels_and_kinds(potential)
    drawn = np.abs(potential.coefficients)
    if (drawn > 0).any():
        parts.append(
            FigureRow([Figure("Coefficients by body order", figures.coefficients(level, drawn, kind))])
        )
    return Section(
        "basis",
        "Basis and coefficients",
        "A smooth potential shows as coefficients that fall steadily with the level of the function; a cloud "
        "that stays flat to the right says that the fit is short of data or of regularisation.",
        parts,
    )


def _levels_and_kinds(potential: Potential) -> tuple[np.ndarray, list[str]]:
    columns = potential.columns
    wl = float(Fraction(str(potential.basis_spec.get("wl", "3/2"))))
    per_channel = columns.channels[:, 1] + wl * columns.channels[:, 2]
    level = np.add.reduceat(per_channel, columns.first[:-1]) if len(columns) else np.zeros(0)
    kind = [
        "pair" if k else f"{order + 1}-body" for k, order in zip(columns.kind, columns.orders, strict=True)
    ]
    return level, kind


def _counts_table(potential: Potential) -> Table:
    _, kind = _levels_and_kinds(potential)
    labels = sorted(set(kind))
    size = np.abs(potential.coefficients)
    rows = []
    for centre, symbol in enumerate(potential.elements):
        mine = potential.columns.centre == centre
        for label in labels:
            chosen = mine & (np.asarray(kind) == label)
            if chosen.any():
                rms = float(np.sqrt(np.mean(size[chosen] ** 2)))
                used = int((size[chosen] > 0).sum())
                rows.append(
                    [
                        symbol,
                        label,
                        str(int(chosen.sum())),
                        str(used),
                        f"{rms:.3g}",
                        f"{size[chosen].max():.3g}",
                    ]
                )
    return Table(
        ["centre", "functions", "number", "non-zero", "rms |c|  eV", "largest |c|  eV"],
        rows,
        classes=["left", "left", *[""] * 4],
    )


def _radial_figures(potential: Potential) -> list[Figure]:
    from lacemaker.report.radial import radial_values

    elements = potential.elements
    pairs = [(i, j) for i in range(len(elements)) for j in range(i, len(elements))][:MOST_RADIAL]
    found = []
    for i, j in pairs:
        name = f"{elements[i]}–{elements[j]}"
        for family, title in (("mb", "Radial functions"), ("pair", "Pair functions")):
            r, values = radial_values(potential, family, i, j)
            if len(values):
                symbol = "R(r)" if family == "mb" else "P(r)"
                found.append(Figure(f"{title}, {name}", figures.radial_functions(r, values, symbol)))
    return found


def cost_section(timings: Mapping[str, Mapping[str, float]], speed: Mapping[str, Any] | None) -> Section:
    """Where the time went, and what an MD step costs."""
    parts: list[Any] = []
    if timings:
        rows = [[stage, f"{t['wall_s']:.2f}", f"{t['cpu_s']:.2f}"] for stage, t in timings.items()]
        total = [f"{sum(t[key] for t in timings.values()):.2f}" for key in ("wall_s", "cpu_s")]
        parts.append(
            Table(
                ["stage", "wall  s", "CPU  s"],
                [*rows, ["total", *total]],
                title="Time spent on this fit",
                total=True,
            )
        )
    if speed:
        rows = [
            ["energy and forces", f"{speed['microseconds_per_atom']:.2f} µs/atom"],
            ["1000 atoms on one core, 1 fs per step", f"{86.4 / speed['microseconds_per_atom']:.1f} ns/day"],
            ["neighbours per atom", f"{speed['neighbours_per_atom']:.0f}"],
            ["instruction set, precision", f"{speed['isa']}, {speed['dtype']}"],
        ]
        parts.append(
            Table(
                ["evaluation", ""],
                rows,
                title="What an MD step will cost",
                note="Measured on this machine with one thread on a rattled solid, neighbour list excluded.",
                classes=["left", ""],
            )
        )
    return Section("cost", "Time", "", parts)


def provenance_section(facts: Mapping[str, str], config_text: str, labels: Mapping[str, str]) -> Section:
    """Versions, hashes, labels found and the configuration in effect."""
    rows = [[name, value] for name, value in facts.items()]
    texts = [Text(f"Labels found: {name}", text) for name, text in labels.items()]
    if config_text:
        texts.append(Text("Configuration in effect", config_text))
    parts: list[Table | Text] = [Table(["", ""], rows, classes=["left", "left wrap mono"]), *texts]
    return Section("provenance", "Provenance", "What is needed to make this potential again.", parts)
