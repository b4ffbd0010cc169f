"""The figures of a report, each from plain arrays to one HTML fragment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lacemaker.analysis.dimers import REPULSIVE_BELOW, DimerCurve
from lacemaker.analysis.scans import VolumeScan
from lacemaker.report.scale import Scale, linear, logarithmic
from lacemaker.report.svg import Chart

__all__ = ["coefficients", "dimers", "error_distribution", "parity", "radial_functions", "volume_scans"]

MOST_DOTS = 1500  # above this, points become a density
SERIES = {"train": 0, "test": 1}

Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]  # "train" | "test" -> (reference, predicted)


def parity(pairs: Pairs, quantity: str, unit: str) -> str:
    """Predicted against reference: the training set as a density, the test set as dots on top."""
    both = [array for pair in pairs.values() for array in pair]
    scale = linear(*both)
    chart = Chart(
        scale,
        scale,
        x_label=f"reference {quantity} ({unit})",
        y_label=f"predicted ({unit})",
        width=400,
        height=370,
        name=f"parity of {quantity}",
    )
    for name, (reference, predicted) in pairs.items():
        if len(reference) > MOST_DOTS and name == "train":
            chart.density(reference, predicted, series=SERIES[name], label=f"{name} ({len(reference)})")
            continue
        chosen = np.arange(len(reference))
        if len(chosen) > MOST_DOTS:
            chosen = np.random.default_rng(0).choice(chosen, MOST_DOTS, replace=False)
        label = f"{name} ({len(reference)})"
        chart.points(reference[chosen], predicted[chosen], series=SERIES[name], label=label, radius=1.7)
    return chart.diagonal().render()


def error_distribution(errors: Mapping[str, np.ndarray], quantity: str, unit: str) -> str:
    """Share of labels with an error below x, on a logarithmic x axis."""
    sizes = {name: np.sort(np.abs(values)) for name, values in errors.items() if values.size}
    chart = Chart(
        logarithmic(*sizes.values(), decades=4.0),
        Scale(0.0, 100.0),
        x_label=f"|error of {quantity}| ({unit})",
        y_label="labels below (%)",
        width=400,
        height=300,
        name=f"distribution of the errors of {quantity}",
    )
    chart.horizontal(50.0).horizontal(95.0)
    for name, ordered in sizes.items():
        share = 100.0 * (np.arange(ordered.size) + 0.5) / ordered.size
        if ordered.size > 300:  # keep the shape, drop the bulk
            chosen = np.unique(
                np.r_[np.linspace(0, ordered.size - 1, 260), ordered.size - np.arange(1, 41)]
            ).astype(int)
            ordered, share = ordered[chosen], share[chosen]
        chart.line(ordered, share, series=SERIES[name], label=name)
    return chart.render()


def dimers(curves: Sequence[DimerCurve], most: int = 8) -> str:
    """Dimer energies near the well, with the repulsive wall cut at a readable height."""
    shown = curves[:most]
    deepest = min(float(np.min(c.energy[c.r > REPULSIVE_BELOW * c.nearest_neighbour])) for c in shown)
    top = max(3.0, 1.5 * abs(deepest))
    bottom = min(min(float(np.min(c.energy)) for c in shown), deepest)
    chart = Chart(
        Scale(0.0, max(float(c.r[-1]) for c in shown)),
        Scale(max(bottom, -4 * top) - 0.15 * top, top),
        x_label="distance (Å)",
        y_label="energy of the dimer (eV)",
        name="dimer curves",
    )
    chart.horizontal(0.0)
    for k, curve in enumerate(shown):
        chart.line(curve.r, curve.energy, series=k, label=curve.name)
    if len(shown) == 1:
        chart.vertical(REPULSIVE_BELOW * shown[0].nearest_neighbour, "0.7 r_nn")
    return chart.render()


def dimer_walls(curves: Sequence[DimerCurve], most: int = 8) -> str:
    """The repulsive walls on a logarithmic axis, down to the shortest distances."""
    shown = curves[:most]
    chart = Chart(
        Scale(0.0, max(1.1 * c.nearest_neighbour for c in shown)),
        Scale(0.05, max(10.0, 1.3 * max(float(np.nanmax(c.energy)) for c in shown)), log=True),
        x_label="distance (Å)",
        y_label="energy of the dimer (eV)",
        name="repulsive walls",
    )
    for k, curve in enumerate(shown):
        chart.line(curve.r, np.where(curve.energy > 0, curve.energy, np.nan), series=k, label=curve.name)
    return chart.render()


def volume_scans(scans: Sequence[VolumeScan], *, compressed: bool) -> str:
    """E(V): around the minima, or into strong compression on a logarithmic energy axis."""
    lowest = min(scan.e0 for scan in scans)
    if compressed:
        ends = max(10.0, max(float(np.max(scan.energy)) - lowest for scan in scans))
        y = Scale(0.01, ends * 1.4, log=True)
        x = linear(*(scan.volume[scan.volume < 1.15 * scan.v0] for scan in scans))
    else:
        y = Scale(lowest - 0.15, lowest + 2.2)
        x = linear(*(scan.volume[scan.volume > 0.45 * scan.v0] for scan in scans))
    chart = Chart(
        x,
        y,
        x_label="volume (Å³/atom)",
        y_label="energy above the lowest (eV/atom)" if compressed else "energy (eV/atom)",
        name="energy against volume",
    )
    for k, scan in enumerate(scans):
        energy = scan.energy - lowest if compressed else scan.energy
        chart.line(
            scan.volume,
            np.where(energy > 0, energy, np.nan) if compressed else energy,
            series=k,
            label=scan.name,
        )
    return chart.render()


def radial_functions(r: np.ndarray, values: np.ndarray, title: str, most: int = 8) -> str:
    """The first radial functions R_n(r); `values` is (n_functions, n_points)."""
    shown = values[:most]
    inside = r > 0.25 * r[-1]
    chart = Chart(
        Scale(0.0, float(r[-1])),
        linear(shown[:, inside], margin=0.12),
        x_label="distance (Å)",
        y_label=title,
        name=title,
    )
    chart.horizontal(0.0)
    for n, function in enumerate(shown):
        chart.line(r, function, series=n, label=f"n = {n + 1}")
    return chart.render()


def coefficients(level: np.ndarray, magnitude: np.ndarray, kind: Sequence[str]) -> str:
    """|c| of every function against its level, coloured by body order (or pair)."""
    names = list(dict.fromkeys(kind))
    labels = np.asarray(kind)
    chart = Chart(
        linear(level),
        logarithmic(magnitude, decades=9.0),
        x_label="level of the function,  Σ (n + w l)",
        y_label="|coefficient| (eV)",
        width=620,
        height=360,
        name="coefficient magnitudes",
    )
    rng = np.random.default_rng(0)
    for k, name in enumerate(names):
        mine = np.flatnonzero((labels == name) & (magnitude > 0))
        if mine.size > 2500:
            mine = rng.choice(mine, 2500, replace=False)
        jitter = rng.uniform(-0.18, 0.18, mine.size)
        chart.points(level[mine] + jitter, magnitude[mine], series=k, label=name, radius=2.0)
    return chart.render()
