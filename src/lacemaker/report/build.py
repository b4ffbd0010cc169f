"""From a potential and its labelled sets to the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import lacemaker
from lacemaker.report.advice import judge
from lacemaker.report.page import AdviceList, Card, Page, Section, render
from lacemaker.report.sections import (
    basis_section,
    cost_section,
    error_section,
    number,
    physics_section,
    provenance_section,
)

if TYPE_CHECKING:
    from lacemaker.analysis.dimers import DimerCurve
    from lacemaker.analysis.scans import VolumeScan
    from lacemaker.potential import Potential
    from lacemaker.report.labelled import LabelledSet

__all__ = ["build_report"]

_ADJECTIVE = {"train": "training"}


def build_report(
    potential: Potential,
    sets: Sequence[LabelledSet],
    *,
    dimers: Sequence[DimerCurve] = (),
    scans: Sequence[VolumeScan] = (),
    speed: Mapping[str, Any] | None = None,
    timings: Mapping[str, Mapping[str, float]] | None = None,
    config_text: str = "",
    warnings: Sequence[str] = (),
    fit: Mapping[str, Any] | None = None,
    extra: Sequence[Section] = (),
    title: str = "",
) -> str:
    """The report as one HTML text.

    Parameters
    ----------
    potential : Potential
    sets : sequence of LabelledSet
        ``train`` and ``test``, as far as there are any.
    dimers, scans : sequences of DimerCurve and VolumeScan
        Of :func:`lacemaker.analysis.dimer_curves` and :func:`lacemaker.analysis.volume_scans`.
    speed : mapping, optional
        Of :func:`lacemaker.potential.speed.measure_speed`.
    timings : mapping, optional
        ``{stage: {"wall_s": …, "cpu_s": …}}``.
    config_text : str
        The configuration in effect.
    warnings : sequence of str
        What was said during the fit.
    fit : mapping, optional
        Solver, prior and what they found; default: from the potential's metadata.
    extra : sequence of Section
        Shown after the verdict.
    title : str
    """
    errors = {s.name: s.errors for s in sets}
    advice = judge(errors, dimers, scans, warnings)
    sections = [
        Section("verdict", "Verdict", "", [AdviceList(advice)]),
        *extra,
        *([error_section(potential, sets)] if sets else []),
        *([physics_section(dimers, scans)] if dimers or scans else []),
        basis_section(potential),
        *([cost_section(timings or {}, speed)] if timings or speed else []),
        provenance_section(
            _facts(potential, fit),
            config_text,
            {s.name: str(s.frames.labels) for s in sets if hasattr(s.frames, "labels")},
        ),
    ]
    n = int((potential.coefficients != 0).sum())
    return render(
        Page(
            title=title or f"{'-'.join(potential.elements)}: linear ACE potential, {n} functions",
            lead=_lead(potential, sets),
            version=lacemaker.__version__,
            cards=_cards(potential, sets, speed),
            sections=sections,
            footer=f"Made by lacemaker {lacemaker.__version__}. This page is complete; it loads nothing.",
        )
    )


def _lead(potential: Potential, sets: Sequence[LabelledSet]) -> str:
    order = int(potential.columns.orders.max()) if len(potential.columns) else 0
    data = ", ".join(
        f"{len(s.frames)} {_ADJECTIVE.get(s.name, s.name)} structures ({s.errors.total.n_atoms} atoms)"
        for s in sets
    )
    return f"Correlation order {order} ({order + 1}-body), cutoff {potential.cutoff:.2f} Å" + (
        f"; {data}." if data else "."
    )


def _cards(potential: Potential, sets: Sequence[LabelledSet], speed: Mapping[str, Any] | None) -> list[Card]:
    cards = []
    best = next((s for s in sets if s.name == "test"), sets[0] if sets else None)
    if best is not None:
        whole = best.errors.total
        rows = [
            (whole.energy_mae_meV_per_atom, 2, "meV/atom", "energy"),
            (whole.forces_mae_eV_per_A, 3, "eV/Å", "force"),
            (whole.virial_mae_meV_per_atom, 1, "meV/atom", "virial"),
        ]
        cards += [
            Card(number(value, digits), f"{best.name} {what} MAE", unit)
            for value, digits, unit, what in rows
            if value is not None
        ]
    used, total = int((potential.coefficients != 0).sum()), len(potential.columns)
    cards.append(Card(str(used), "basis functions" if used == total else f"of {total} functions in use"))
    if speed:
        cards.append(Card(f"{speed['microseconds_per_atom']:.2f}", "per MD step, one core", "µs/atom"))
    return cards


def _facts(potential: Potential, fit: Mapping[str, Any] | None) -> dict[str, str]:
    """Provenance as name and value."""
    metadata = potential.metadata
    facts = {f"version of {name}": str(value) for name, value in metadata.get("versions", {}).items()}
    for name, data in metadata.get("data", {}).items():
        facts[f"{name} data"] = ", ".join(data.get("files", []))
        facts[f"{name} data, SHA-256"] = str(data.get("sha256", ""))
    for name, value in _flat(fit or metadata.get("fit", {})):
        facts[name] = value
    for symbol, value in zip(potential.elements, potential.e0.tolist(), strict=True):
        facts[f"E0 of {symbol}"] = f"{value:.6f} eV"
    for name in ("licence", "citation"):
        if metadata.get(name):
            facts[name] = str(metadata[name])
    return facts


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Leaves of a nested mapping as dotted names; long lists are counted, not shown."""
    found = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found += _flat(value, f"{name}.")
        elif isinstance(value, (list, tuple)):
            shown = str(list(value)) if len(value) <= 8 else f"{len(value)} values"
            found.append((name, shown))
        else:
            found.append((name, f"{value:.6g}" if isinstance(value, float) else str(value)))
    return found
