"""The single checks behind `check_frames`: each looks at frames and returns findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lacemaker.errors import DataError
from lacemaker.structures._messages import some
from lacemaker.structures.findings import Finding, Severity
from lacemaker.structures.frame import Frame
from lacemaker.structures.frames import Frames
from lacemaker.structures.references import composition, reference_energies

__all__ = ["check_duplicates", "check_energies", "check_forces", "check_labels", "check_references"]

_NET_FORCE = 0.02  # eV/Å per atom; converged plane-wave forces sum to less
_LARGE_FORCE = 50.0  # eV/Å
_OUTLIER = 1.0  # eV/atom at least, and 10 times the usual spread


def check_labels(frames: Frames) -> list[Finding]:
    """Labels that are missing altogether or from some frames, and a missing config_type."""
    found = []
    frames = frames.without_isolated_atoms()
    for q, row in frames.labels.quantities.items() if len(frames) else ():
        if row.n_with == 0:
            severity: Severity = "note" if q == "virial" else "warning"
            found.append(
                Finding(
                    severity,
                    f"no frame has {'a virial or stress' if q == 'virial' else q}",
                    f"{len(frames)} frames",
                    "without virials, elastic constants and pressures are less certain"
                    if q == "virial"
                    else "name its key if the file has it",
                )
            )
        elif row.n_without:
            where = [f"{g.n_frames - g.n_with[q]} of {name}" for name, g in frames.labels.groups.items()
                     if g.n_with[q] < g.n_frames]  # fmt: skip
            found.append(
                Finding("note", f"{row.n_without} frames have no {q}", some(where, 5), "nothing, if intended")
            )
    if len(frames) > 1 and set(frames.labels.groups) == {"default"}:
        found.append(
            Finding(
                "note",
                "no frame has a config_type",
                f"{len(frames)} frames",
                "add config_type=… to weigh and to judge groups of structures apart",
            )
        )
    return found


def check_references(frames: Frames) -> list[Finding]:
    """Whether every element has an isolated atom, and whether labels lie near their sum."""
    have = {f.symbols[0] for f in frames if f.is_isolated_atom and f.energy is not None}
    missing = [e for e in frames.elements if e not in have]
    if missing:
        return [
            Finding(
                "note",
                f"no isolated-atom frame of {', '.join(missing)}",
                f"config_types {some(frames.labels.groups, 6)}",
                "add frames of one atom with config_type=IsolatedAtom, or give E0; they are fitted otherwise",
            )
        ]
    try:
        reference_energies(frames, frames.elements, "isolated_atoms")
    except DataError as error:
        what, where, do = _three(str(error))
        return [Finding("error", what, where, do)]
    return []


def check_energies(frames: Frames) -> list[Finding]:
    """Energies per atom far from what their composition suggests."""
    labelled = [f for f in frames if f.energy is not None and not f.is_isolated_atom]
    if len(labelled) < 5:
        return []
    counts = composition(labelled, frames.elements)
    n_atoms = np.array([len(f) for f in labelled], dtype=np.float64)
    per_atom = np.array([f.energy for f in labelled], dtype=np.float64) / n_atoms
    fractions = counts / n_atoms[:, None]
    fit = np.linalg.lstsq(fractions, per_atom - np.median(per_atom), rcond=None)[0]
    residual = per_atom - np.median(per_atom) - fractions @ fit
    residual -= np.median(residual)
    spread = 1.4826 * float(np.median(np.abs(residual)))  # the standard deviation, were it normal
    odd = np.flatnonzero(np.abs(residual) > max(_OUTLIER, 10 * spread))
    if len(odd) == 0:
        return []
    odd = odd[np.argsort(-np.abs(residual[odd]))]
    return [
        Finding(
            "warning",
            f"{len(odd)} frames have energies far from the others'",
            some(f"{labelled[i].source} ({residual[i]:+.2f} eV/atom)" for i in odd),
            "look at them: unconverged calculations, another reference, or structures that need less weight",
        )
    ]


def check_forces(frames: Frames) -> list[Finding]:
    """Forces that do not sum to zero, vanish on some atoms only, or are huge."""
    net: list[Frame] = []
    frozen: list[Frame] = []
    huge: list[Frame] = []
    for f in frames:
        if f.forces is None:
            continue
        if len(f) > 1 and np.linalg.norm(f.forces.sum(axis=0)) / len(f) > _NET_FORCE:
            zero = ~f.forces.any(axis=1)
            (frozen if zero.any() and not zero.all() else net).append(f)
        if np.abs(f.forces).max() > _LARGE_FORCE:
            huge.append(f)
    found = []
    if frozen:
        found.append(
            Finding(
                "warning",
                f"{len(frozen)} frames have exactly zero forces on some atoms, and a net force",
                some(_name_net(f) for f in frozen),
                "constraints probably erased the forces when the file was written (get_forces does so): "
                "write calc.results['forces'], or a column force_weights with 0 for these atoms",
            )
        )
    if net:
        found.append(
            Finding(
                "note",
                f"the forces of {len(net)} frames do not sum to zero",
                some(_name_net(f) for f in net),
                "a net force cannot be fitted; look at convergence, or at charged or dipole-corrected cells",
            )
        )
    if huge:
        found.append(
            Finding(
                "note",
                f"{len(huge)} frames have forces above {_LARGE_FORCE:g} eV/Å",
                some(_name_largest(f) for f in huge),
                "they dominate the fit: leave them out or give them less weight unless they matter to you",
            )
        )
    return found


def check_duplicates(frames: Frames, test: Frames | None = None) -> list[Finding]:
    """Structures that occur twice in the training data, or in training and test data."""
    found = []
    seen: dict[str, Frame] = {}
    twice: list[tuple[Frame, Frame]] = []
    for f in frames:
        digest = f.structure_hash()
        if digest in seen:
            twice.append((seen[digest], f))
        else:
            seen[digest] = f
    differ = [p for p in twice if p[0].energy is not None and p[1].energy is not None
              and abs(p[0].energy - p[1].energy) > 1e-3 * len(p[0])]  # fmt: skip
    different = {id(p) for p in differ}
    same = [p for p in twice if id(p) not in different]
    if differ:
        found.append(
            Finding(
                "warning",
                f"{len(differ)} structures occur twice with different energies",
                some(_name_twice(p) for p in differ),
                "keep the better calculation of each",
            )
        )
    if same:
        found.append(
            Finding(
                "note",
                f"{len(same)} structures occur twice",
                some(_name_twice(p) for p in same),
                "nothing, if they are meant to count twice",
            )
        )
    if test is not None:
        shared = [(seen[h], f) for f in test if (h := f.structure_hash()) in seen and not f.is_isolated_atom]
        if shared:
            found.append(
                Finding(
                    "warning",
                    f"{len(shared)} test structures are in the training data too",
                    some(_name_twice(p) for p in shared),
                    "remove them from one side: their errors say nothing about new structures",
                )
            )
    return found


def _name_net(f: Frame) -> str:
    assert f.forces is not None
    return f"{f.source} ({np.linalg.norm(f.forces.sum(axis=0)):.2f} eV/Å for {len(f)} atoms)"


def _name_largest(f: Frame) -> str:
    assert f.forces is not None
    return f"{f.source} ({np.abs(f.forces).max():.0f} eV/Å)"


def _name_twice(pair: Sequence[Frame]) -> str:
    return f"{pair[1].source} = {pair[0].source}"


def _three(message: str) -> tuple[str, str, str]:
    what, _, rest = message.partition("\n  found: ")
    where, _, do = rest.partition("\n  to do: ")
    return what, where, do
