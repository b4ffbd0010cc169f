"""Reference energies: what an atom of each element weighs in energy before it meets any other (E0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import data_error, three_parts, warn
from lacemaker.structures.cohesion import COHESIVE_ENERGIES
from lacemaker.structures.elements import atomic_number
from lacemaker.structures.frame import Frame

__all__ = ["METHODS", "ReferenceEnergies", "composition", "reference_energies"]

METHODS = ("auto", "isolated_atoms", "cohesive", "least_squares", "average", "zero")

_IMPLAUSIBLE = 20.0  # eV/atom between labels and E0: more than any cohesive energy
_SAME = 1e-3  # eV; isolated atoms of one element must agree within it


@dataclass(frozen=True)
class ReferenceEnergies:
    """Energy of the isolated atom of each element, and how far labels are from it.

    Attributes
    ----------
    values : dict of str to float
        eV by chemical symbol.
    method : str
        How they were found: ``isolated_atoms``, ``given``, ``cohesive``, ``least_squares``, ``average``
        or ``zero``.
    residual_per_atom : float
        Mean over frames of (energy - sum of E0) / n_atoms, eV: minus the mean cohesive energy where E0
        are isolated atoms. NaN where no frame has an energy.
    messages : tuple of str
        What a user should know about them.
    """

    values: dict[str, float]
    method: str
    residual_per_atom: float
    messages: tuple[str, ...] = field(default=())

    def array(self, elements: Sequence[str]) -> NDArray[np.float64]:
        """Return E0 in the order of some elements, (n_elements,) eV."""
        return np.array([self.values[e] for e in elements])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        residual = self.residual_per_atom if np.isfinite(self.residual_per_atom) else None
        return {
            "values": dict(self.values),
            "method": self.method,
            "residual_per_atom": residual,
            "messages": list(self.messages),
        }

    def __str__(self) -> str:
        listed = ", ".join(f"{e} {v:.6g} eV" for e, v in self.values.items())
        mean = f"{self.residual_per_atom:.4g} eV/atom on average"
        return f"E0 ({self.method}): {listed}; labels minus E0: {mean}"


def composition(frames: Iterable[Frame], elements: Sequence[str]) -> NDArray[np.float64]:
    """Count the atoms of each element in each frame, (n_frames, n_elements)."""
    numbers = [atomic_number(e) for e in elements]
    return np.array([[np.count_nonzero(f.numbers == z) for z in numbers] for f in frames], dtype=np.float64)


def reference_energies(
    frames: Iterable[Frame], elements: Sequence[str], method: str | Mapping[str, float] = "auto"
) -> ReferenceEnergies:
    """Find E0 of each element.

    Parameters
    ----------
    frames : Frames
    elements : sequence of str
        Chemical symbols; every element of the potential.
    method : str or mapping
        ``isolated_atoms``: from frames of one atom with a config_type such as ``IsolatedAtom``.
        A mapping ``{"Si": -0.81}``: as given, in eV.
        ``least_squares``: the composition-dependent part of all energies; ``average``: the mean energy per
        atom, for every element the same; both warn, as they are no energies of atoms. ``cohesive``: least
        squares plus the tabulated cohesive energies of the elements, so that atoms apart lie about where
        they should above the data (to an eV: magnetism of the atoms and much else is not known). ``zero``:
        none.
        ``auto``: isolated atoms where every element has one, else least squares.

    Raises
    ------
    DataError
        If an element has no E0, isolated atoms disagree, or labels are more than 20 eV per atom away
        from E0 of isolated atoms or as given: an all-electron energy against one of valence electrons.
    """
    frames = list(frames)
    if isinstance(method, Mapping):
        return _finish(_given(method, elements), "given", frames, elements)
    if method not in METHODS:
        raise data_error(
            "unknown method of reference energies",
            repr(method),
            f"use one of {', '.join(METHODS)}, or give them by element, {{{elements[0]}: -1.23}}",
        )
    if method == "auto":
        found = _isolated(frames)
        missing = [e for e in elements if e not in found]
        method = "least_squares" if missing else "isolated_atoms"
        if missing and not any(f.energy is not None for f in frames):
            method = "zero"
    if method == "isolated_atoms":
        found = _isolated(frames)
        _require_all(elements, found)
        return _finish({e: found[e] for e in elements}, method, frames, elements)
    if method == "zero":
        return _finish(dict.fromkeys(elements, 0.0), method, frames, elements)
    return _estimate(frames, elements, method)


def _given(values: Mapping[str, float], elements: Sequence[str]) -> dict[str, float]:
    _require_all(elements, values)
    checked = {}
    for e in elements:
        try:
            checked[e] = float(values[e])
        except (TypeError, ValueError):
            checked[e] = np.nan
        if not np.isfinite(checked[e]):
            raise data_error(f"E0 of {e} is not a number", repr(values[e]), "give an energy in eV")
    return checked


def _isolated(frames: Sequence[Frame]) -> dict[str, float]:
    found: dict[str, tuple[float, str]] = {}
    for f in frames:
        if not f.is_isolated_atom or f.energy is None:
            continue
        element = f.symbols[0]
        if element in found and abs(found[element][0] - f.energy) > _SAME:
            raise data_error(
                f"isolated atoms of {element} disagree",
                f"{found[element][0]:.6f} eV in {found[element][1]}, {f.energy:.6f} eV in {f.source}",
                f"keep one frame, or give E0 yourself: {{{element}: …}}",
            )
        found.setdefault(element, (f.energy, f.source))
    return {e: energy for e, (energy, _) in found.items()}


def _require_all(elements: Sequence[str], found: Iterable[str]) -> None:
    known = list(found)
    missing = [e for e in elements if e not in known]
    if not missing:
        return
    e = missing[0]
    raise data_error(
        f"no reference energy of {', '.join(missing)}",
        f"E0 of {', '.join(known)}" if known else "no frame of one atom with config_type=IsolatedAtom",
        "add such a frame to the training file, these three lines with the atom's energy in eV:\n"
        f'1\nProperties=species:S:1:pos:R:3 REF_energy=… config_type=IsolatedAtom pbc="F F F"\n{e} 0 0 0\n'
        f"or give it, e0: {{{', '.join(f'{x}: …' for x in elements)}}}, or use e0: least_squares",
    )


def _estimate(frames: Sequence[Frame], elements: Sequence[str], method: str) -> ReferenceEnergies:
    """Least squares, with or without cohesive energies, or average, with the warning they deserve."""
    labelled = [f for f in frames if f.energy is not None]
    if not labelled:
        raise data_error(
            f"reference energies by {method} need energies",
            f"{len(frames)} frames without any",
            "give E0 by element, or use e0: zero",
        )
    counts = composition(labelled, elements)
    n_atoms = np.array([len(f) for f in labelled], dtype=np.float64)
    per_atom = np.array([f.energy for f in labelled], dtype=np.float64) / n_atoms
    fractions = counts / n_atoms[:, None]
    rank = int(np.linalg.matrix_rank(fractions))
    if method == "average":
        values = dict.fromkeys(elements, float(per_atom.mean()))
    else:
        centre = float(per_atom.mean())  # the least change from one common energy where rank is short
        solution = np.linalg.lstsq(fractions, per_atom - centre * fractions.sum(axis=1), rcond=None)[0]
        values = {e: float(centre + v) for e, v in zip(elements, solution, strict=True)}
    if method == "cohesive":
        _require_tabulated(elements)
        values = {e: v + COHESIVE_ENERGIES[e] for e, v in values.items()}
    listed = ", ".join(f"{e} {v:.4f}" for e, v in values.items())
    wrong = f"E0 was estimated by {method}: these are no energies of isolated atoms"
    found = f"{listed} eV from {len(labelled)} frames"
    if method != "average" and rank < len(elements):
        found += f", whose compositions determine only {rank} of {len(elements)} values"
    single = "good to an eV" if method == "cohesive" else "meaningless"
    do = (
        f"energies of dissociation and of single atoms will be {single}, and formation energies may tilt; "
        "add isolated-atom frames (config_type=IsolatedAtom) or give E0 by element"
    )
    warn(wrong, found, do, stacklevel=4)
    return _finish(values, method, frames, elements, (three_parts(wrong, found, do),))


def _require_tabulated(elements: Sequence[str]) -> None:
    missing = [e for e in elements if e not in COHESIVE_ENERGIES]
    if missing:
        raise data_error(
            "E0 by cohesive energies needs a tabulated value of every element",
            f"none of {', '.join(missing)}",
            "give E0 by element, or use e0: fit",
        )


def _finish(
    values: dict[str, float],
    method: str,
    frames: Sequence[Frame],
    elements: Sequence[str],
    messages: tuple[str, ...] = (),
) -> ReferenceEnergies:
    labelled = [f for f in frames if f.energy is not None and not f.is_isolated_atom]
    if not labelled:
        return ReferenceEnergies(values, method, float("nan"), messages)
    e0 = np.array([values[e] for e in elements])
    n_atoms = np.array([len(f) for f in labelled])
    energies = np.array([f.energy for f in labelled], dtype=np.float64)
    residual = (energies - composition(labelled, elements) @ e0) / n_atoms
    mean = float(residual.mean())
    if method in ("isolated_atoms", "given") and abs(np.median(residual)) > _IMPLAUSIBLE:
        worst = labelled[int(np.abs(residual).argmax())]
        raise data_error(
            "labels and reference energies do not belong together",
            f"energies differ from the sum of E0 by {mean:.1f} eV/atom on average, {worst.source} by "
            f"{residual[np.abs(residual).argmax()]:.1f}; E0 "
            + ", ".join(f"{e} {v:.4g} eV" for e, v in values.items()),
            "no bond is that strong: probably one side is all-electron and the other valence only, or E0 "
            "comes from another code or pseudopotential; compute isolated atoms as the labels were",
        )
    return ReferenceEnergies(values, method, mean, messages)
