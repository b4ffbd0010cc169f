"""The page of one potential's generalisation report: verdict, defects, residual forces, lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import lacemaker
from lacemaker.report.page import Advice, AdviceList, Figure, FigureRow, Page, Section, Table, render
from lacemaker.report.scale import linear, logarithmic
from lacemaker.report.svg import Chart

if TYPE_CHECKING:
    from lacemaker.studies.generalisation import GeneralisationReport

__all__ = ["generalisation_page"]

_PROFILE = (
    "Root mean square force of the model at the reference equilibrium. High near the core: more degree or "
    "core data; high far away: force constants and virials."
)
_DEFECTS = "Predicted: ‖D H̃⁻¹F̃‖ without relaxation. ∞: formation energies extrapolated in 1/volume."


def generalisation_page(report: GeneralisationReport) -> str:
    """One self-contained HTML text."""
    advice = AdviceList([Advice(item.level, item.text) for item in report.verdict])
    sections = [
        Section("verdict", "Verdict", "", [advice]),
        Section("defects", "Defects", _DEFECTS, [_defects(report)]),
        Section("profile", "Where the residual forces sit", _PROFILE, [FigureRow(_profiles(report))]),
        Section("lattice", "Perfect lattice", "", [_lattice(report)]),
    ]
    return render(
        Page(
            title="How far this potential carries: " + ", ".join(report.defects),
            lead=f"Reference {report.reference}, lattice constant {report.crystal.lattice_constant:.5f} Å.",
            version=lacemaker.__version__,
            sections=sections,
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete; it loads nothing.",
        )
    )


def _text(value: Any, digits: str = ".1e") -> str:
    return "–" if value is None else format(value, digits).replace("-", "−")


def _defects(report: GeneralisationReport) -> Table:
    header = ["defect", "cell", "predicted (Å)", "relaxed (Å)", "largest (Å)", "E_f (eV)", "reference (eV)"]
    rows = []
    for name, sizes in report.defects.items():
        for size, found in sizes.items():
            guess = found.get("estimate") or {}
            geometry = found.get("geometry_A")
            rows.append(
                [
                    name, f"{size}³", _text(guess.get("geometry_A")) if guess.get("stable") else "unstable",
                    found["outcome"] if geometry is None else _text(geometry),
                    _text(found.get("geometry_max_A")), _text(found.get("formation_energy_eV"), ".4f"),
                    _text(found.get("reference_formation_energy_eV"), ".4f"),
                ]
            )  # fmt: skip
        limit = report.extrapolated[name]
        rows.append(
            [name, "∞", "", "", "", _text(limit["model_eV"], ".4f"), _text(limit["reference_eV"], ".4f")]
        )
    return Table(header, rows)


def _profiles(report: GeneralisationReport) -> list[Figure]:
    figures = []
    for name, sizes in report.defects.items():
        curves = {}
        for size, found in sizes.items():
            guess = found.get("estimate")
            if guess:
                edges = np.array(guess["profile"]["edges_A"])
                force = np.array(guess["profile"]["rms_force_eV_per_A"])
                curves[size] = (0.5 * (edges[1:] + edges[:-1]), np.where(force > 0, force, np.nan))
        if not curves:
            continue
        chart = Chart(
            linear(*(r for r, _ in curves.values()), low=0.0),
            logarithmic(*(force for _, force in curves.values())),
            x_label="distance from the core (Å)",
            y_label="rms force of the model (eV/Å)",
        )
        for k, (size, (r, force)) in enumerate(curves.items()):
            chart.line(r, force, series=k, label=f"{size}³ cells")
        figures.append(Figure(name, chart.render()))
    return figures


def _lattice(report: GeneralisationReport) -> Table:
    lattice = report.lattice
    born = [constants.born[3, 3] for constants in (lattice.elastic_model, lattice.elastic)]
    rows = [
        ["lattice constant (Å)", f"{lattice.lattice_constant_model:.5f}", f"{lattice.lattice_constant:.5f}"],
        *(
            [f"{name} (GPa), relaxed", f"{model:.1f}", f"{exact:.1f}"]
            for name, model, exact in zip(
                ("C11", "C12", "C44"), lattice.elastic_model.cubic, lattice.elastic.cubic, strict=True
            )
        ),
        ["C44 (GPa), clamped ions", *(f"{value:.1f}" for value in born)],
        ["force constants, relative error", _text(lattice.force_constants.relative), ""],
        ["the same, weighted by distance squared", _text(lattice.force_constants.weighted), ""],
        ["virials, rms error (eV/atom)", _text(lattice.virial.virial_rms), ""],
        ["residual stress (GPa)", _text(lattice.virial.order0), ""],
        ["elastic constants, clamped ions: largest error (GPa)", _text(lattice.virial.order1), ""],
        ["third-order constants: largest error (GPa)", _text(lattice.virial.order2), ""],
    ]
    if lattice.phonons is not None:
        rows.append(["phonons, rms error (THz)", _text(lattice.phonons.rmse_THz), ""])
    return Table(["", "model", "reference"], rows)
