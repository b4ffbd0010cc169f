"""The report of a trained network: verdict, learning curves, errors, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import lacemaker
from lacemaker.networks.potential import NetworkPotential
from lacemaker.report.advice import judge
from lacemaker.report.labelled import LabelledSet
from lacemaker.report.page import Advice, AdviceList, Card, Figure, FigureRow, Page, Section, render
from lacemaker.report.scale import linear, logarithmic
from lacemaker.report.sections import (
    cost_section,
    error_section,
    number,
    physics_section,
    provenance_section,
)
from lacemaker.report.svg import Chart

__all__ = ["learning_curves", "network_report", "remade_report"]

DIMER_POINTS = 120
_CORE = (
    "Sensitivities vanish at short distances, so that atoms pushed together feel nothing: train with "
    "network.repulsion: zbl if hot or compressed matter is to be simulated."
)


def learning_curves(history: Sequence[Mapping[str, Any]], names: Mapping[str, str], label: str) -> str:
    """Some columns of the history against the epoch, on a logarithmic axis; `names` maps column to legend."""
    epochs = np.array([row["epoch"] for row in history], dtype=float)
    columns = {
        shown: np.array([np.nan if row[name] is None else row[name] for row in history], dtype=float)
        for name, shown in names.items()
    }
    known = {shown: values for shown, values in columns.items() if np.isfinite(values).any()}
    chart = Chart(
        linear(epochs, margin=0.02),
        logarithmic(*known.values(), decades=6.0),
        x_label="epoch",
        y_label=label,
        width=400,
        height=300,
        name=label,
    )
    for k, (shown, values) in enumerate(known.items()):
        chart.line(epochs, values, series=k, label=shown)
    return chart.render()


def _curves_section(history: Sequence[Mapping[str, Any]], energy_unit: str) -> Section:
    panels = [
        ("Loss", {"train_loss": "training", "validation_loss": "validation, errors alone"}, "loss"),
        (
            "Energy",
            {"validation_energy_mae": "MAE", "validation_energy_rmse": "RMSE"},
            f"validation energy ({energy_unit})",
        ),
        (
            "Forces",
            {"validation_forces_mae": "MAE", "validation_forces_rmse": "RMSE"},
            "validation forces (eV/Å)",
        ),
        ("Schedule", {"learning_rate": "learning rate", "batch_size": "batch size"}, "rate and batch size"),
    ]
    figures = [
        Figure(title, learning_curves(history, names, label))
        for title, names, label in panels
        if any(row[name] is not None for row in history for name in names)
    ]
    best = history[-1]["best_epoch"]
    lead = (
        f"{len(history)} epochs; the network is that of epoch {best}, the best on the validation structures."
    )
    return Section("learning", "Learning curves", lead, [FigureRow(figures)])


def network_report(
    potential: NetworkPotential,
    sets: Sequence[LabelledSet],
    history: Sequence[Mapping[str, Any]],
    config_text: str = "",
    timings: Mapping[str, Mapping[str, float]] | None = None,
    warnings: Sequence[str] = (),
    energy_unit: str = "eV",
) -> str:
    """The report as one HTML text; `energy_unit` is that of the errors in the history."""
    from lacemaker.analysis import dimer_curves, volume_scans

    shown = [s for s in sets if s.name in ("train", "test")]
    anyone: Any = potential
    dimers = dimer_curves(anyone, n_points=DIMER_POINTS)
    periodic = any(frame.pbc.any() for s in shown for frame in s.frames)
    scans = volume_scans(anyone) if periodic else []
    holes = [d for d in dimers if not d.repulsive] if potential.options.repulsion == "none" else []
    core = [Advice("warn", _CORE)] if holes else []
    errors = {s.name: s.errors for s in shown}
    best = shown[-1].errors.total
    cards = [
        Card(number(value, digits), f"{shown[-1].name} {what} MAE", unit)
        for value, digits, unit, what in (
            (best.energy_mae_meV_per_atom, 2, "meV/atom", "energy"),
            (best.forces_mae_eV_per_A, 4, "eV/Å", "force"),
        )
        if value is not None
    ]
    facts = {f"network.{k}": str(v) for k, v in potential.options.model_dump().items() if v is not None}
    facts |= {f"version of {k}": str(v) for k, v in potential.metadata["versions"].items()}
    facts |= {f"E0 of {s}": f"{e:.6f} eV" for s, e in zip(potential.elements, potential.e0, strict=True)}
    sections = [
        Section("verdict", "Verdict", "", [AdviceList([*judge(errors, dimers, scans, warnings), *core])]),
        *([_curves_section(history, energy_unit)] if history else []),
        error_section(anyone, shown),
        physics_section(dimers, scans),
        cost_section(timings or {}, None),
        provenance_section(facts, config_text, {s.name: str(s.frames.labels) for s in shown}),  # type: ignore[attr-defined]
    ]
    data = ", ".join(f"{len(s.frames)} {s.name} structures" for s in sets)
    return render(
        Page(
            title=f"{'-'.join(potential.elements)}: {potential.options.label}",
            lead=f"Cutoff {potential.cutoff:.2f} Å, {potential.options.interactions} interactions; {data}.",
            version=lacemaker.__version__,
            cards=[*cards, Card(str(potential.n_parameters), "parameters")],
            sections=sections,
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete in itself.",
        )
    )


def remade_report(
    potential: NetworkPotential,
    sets: Mapping[str, Any],
    summary: Mapping[str, Any] | None = None,
    config_text: str = "",
) -> str:
    """The report of a network on the given ``train`` and ``test`` structures.

    Parameters
    ----------
    sets : mapping of name to Frames
    summary : mapping, optional
        The contents of summary.json: learning curves and timings.
    """
    from lacemaker.analysis import predict
    from lacemaker.workflow.data import check_elements

    for name, frames in sets.items():
        check_elements(frames, potential.elements, name)
    anyone: Any = potential
    labelled = [LabelledSet.of(name, anyone, f, predict(anyone, f)) for name, f in sets.items()]
    known = summary or {}
    training = known.get("training", {})
    return network_report(
        potential,
        labelled,
        training.get("history", []),
        config_text,
        known.get("timings"),
        known.get("warnings", ()),
        training.get("energy_unit", "eV"),
    )
