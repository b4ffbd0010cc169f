"""`check_frames`: everything worth knowing about data before a fit (the back end of `lace check`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lacemaker.structures.elements import SYMBOLS
from lacemaker.structures.findings import Finding
from lacemaker.structures.frame import Frame
from lacemaker.structures.frame_checks import (
    check_duplicates,
    check_energies,
    check_forces,
    check_labels,
    check_references,
)
from lacemaker.structures.frames import Frames
from lacemaker.structures.labels import LabelTable, aligned
from lacemaker.structures.neighbours import neighbour_list
from lacemaker.structures.plausibility import label_findings

__all__ = ["CheckReport", "GroupRanges", "check_frames"]

_GPA = 160.2176634  # GPa in one eV/Å^3
_REACH = 4.0  # Å, up to which the closest pair of each two elements is looked for
_SEVERITY = ("error", "warning", "note")

Range = tuple[float, float]


@dataclass(frozen=True)
class GroupRanges:
    """Extremes of one config_type; None where no frame has the label.

    Attributes
    ----------
    n_atoms : (smallest, largest) number of atoms
    energy_per_atom : eV
    largest_force : eV/Å
    pressure : GPa
    volume_per_atom : Å^3, of fully periodic frames
    """

    n_atoms: Range
    energy_per_atom: Range | None
    largest_force: float | None
    pressure: Range | None
    volume_per_atom: Range | None


@dataclass(frozen=True)
class CheckReport:
    """What a set of frames holds and what looks odd about it. Print it with ``str``.

    Attributes
    ----------
    n_frames, n_atoms : int
    elements : tuple of str
    labels : LabelTable
    groups : dict of GroupRanges by config_type
    distances : dict
        Smallest distance, Å, and the frame it is in, by pair of elements such as ``"O-Ti"``; pairs that
        never come closer than 4 Å are missing.
    findings : tuple of Finding
        The gravest first.
    """

    n_frames: int
    n_atoms: int
    elements: tuple[str, ...]
    labels: LabelTable
    groups: dict[str, GroupRanges]
    distances: dict[str, tuple[float, str]]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(f.severity == "note" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "frames": self.n_frames,
            "atoms": self.n_atoms,
            "elements": list(self.elements),
            "labels": self.labels.to_dict(),
            "groups": {
                name: {
                    "atoms": list(g.n_atoms),
                    "energy_eV_per_atom": _listed(g.energy_per_atom),
                    "largest_force_eV_per_A": g.largest_force,
                    "pressure_GPa": _listed(g.pressure),
                    "volume_A3_per_atom": _listed(g.volume_per_atom),
                }
                for name, g in self.groups.items()
            },
            "distances_A": {pair: {"distance": d, "where": w} for pair, (d, w) in self.distances.items()},
            "findings": [f.to_dict() for f in self.findings],
        }

    def __str__(self) -> str:
        head = f"{self.n_frames} frames, {self.n_atoms} atoms, elements {' '.join(self.elements)}"
        rows = [["config_type", "atoms", "E eV/atom", "max F eV/Å", "p GPa", "V Å^3/atom"]]
        for name, g in self.groups.items():
            force = "-" if g.largest_force is None else f"{g.largest_force:.2f}"
            rows.append([name, _shown(g.n_atoms, ".0f"), _shown(g.energy_per_atom, ".3f"), force,
                         _shown(g.pressure, ".2f"), _shown(g.volume_per_atom, ".2f")])  # fmt: skip
        pairs = [["pair", "closest Å", "where"]]
        pairs += [[pair, f"{d:.3f}", where] for pair, (d, where) in self.distances.items()]
        verdict = [str(f) for f in self.findings] or ["nothing odd was found"]
        tables = [head, str(self.labels), aligned(rows), aligned(pairs, text_columns=3)]
        return "\n\n".join([*tables, "\n".join(verdict)])


def check_frames(frames: Iterable[Frame], test: Iterable[Frame] | None = None) -> CheckReport:
    """Look at labels, ranges, distances, references, units and signs of some frames.

    Parameters
    ----------
    frames : Frames
        As `read` returns them; what `read` refuses never arrives here.
    test : Frames, optional
        Test data, to be compared with the training data for structures that are in both.

    Returns
    -------
    CheckReport
    """
    frames = frames if isinstance(frames, Frames) else Frames(frames)
    distances = _distances(frames)
    findings = [
        *label_findings(frames),
        *check_references(frames),
        *check_energies(frames),
        *check_forces(frames),
        *check_duplicates(frames, None if test is None else Frames(test)),
        *check_labels(frames),
    ]
    return CheckReport(
        n_frames=len(frames),
        n_atoms=frames.n_atoms,
        elements=frames.elements,
        labels=frames.labels,
        groups={name: _ranges(group) for name, group in frames.groups().items()},
        distances=distances,
        findings=tuple(sorted(findings, key=lambda f: _SEVERITY.index(f.severity))),
    )


def _ranges(frames: Frames) -> GroupRanges:
    energies = [f.energy / len(f) for f in frames if f.energy is not None]
    forces = [float(np.linalg.norm(f.forces, axis=1).max()) for f in frames if f.forces is not None]
    periodic = [f for f in frames if f.pbc.all()]
    pressures = [_GPA * f.virial[:3].sum() / (3 * f.volume) for f in periodic if f.virial is not None]
    return GroupRanges(
        n_atoms=(float(min(map(len, frames))), float(max(map(len, frames)))),
        energy_per_atom=_range(energies),
        largest_force=max(forces, default=None),
        pressure=_range(pressures),
        volume_per_atom=_range([f.volume / len(f) for f in periodic]),
    )


def _range(values: list[float]) -> Range | None:
    return (float(min(values)), float(max(values))) if values else None


def _distances(frames: Frames) -> dict[str, tuple[float, str]]:
    closest: dict[tuple[int, int], tuple[float, str]] = {}
    for f in frames:
        pairs = neighbour_list(f.positions, f.cell, f.pbc, _REACH)
        if pairs.n_pairs == 0:
            continue
        distances = pairs.distances(f.positions, f.cell)
        a, b = f.numbers[pairs.centre], f.numbers[pairs.index]
        for code in np.unique(np.minimum(a, b) * 1000 + np.maximum(a, b)):
            low, high = divmod(int(code), 1000)
            d = float(distances[(np.minimum(a, b) == low) & (np.maximum(a, b) == high)].min())
            if d < closest.get((low, high), (np.inf, ""))[0]:
                closest[low, high] = (d, f.source)
    return {f"{SYMBOLS[low]}-{SYMBOLS[high]}": hit for (low, high), hit in sorted(closest.items())}


def _listed(values: Range | None) -> list[float] | None:
    return None if values is None else list(values)


def _shown(values: Range | None, form: str) -> str:
    if values is None:
        return "-"
    low, high = (format(v, form) for v in values)
    return low if low == high else f"{low} … {high}"
