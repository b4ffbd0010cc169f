"""Are stresses in the right unit and of the right sign? Energies of strained structures know.

Between two close structures of the same atoms, dE = -W:strain - f·u (W virial, f forces, u displacements
in the strained frame): the slope of dE + f·u against -W:strain is 1. A slope of -1 is a wrong sign, 1/160
a stress in GPa. Where data hold no such pairs, the magnitude of the stresses is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures.findings import Finding
from lacemaker.structures.frame import Frame
from lacemaker.structures.values import STRESS_UNITS

__all__ = ["WorkSlope", "label_findings", "work_slope"]

_MOST_STRAIN = 0.05
_MOST_DISPLACEMENT = 0.2  # Å, beyond which a mean force times a displacement is no work
_LARGE = 2.0  # eV/Å^3 = 320 GPa; one in ten frames above it is suspicious
_MOST_FRAMES = 150  # of one composition
_MOST_PAIRS = 2000  # looked at in all
_SYMMETRIC = ((0, 5, 4), (5, 1, 3), (4, 3, 2))


@dataclass(frozen=True)
class WorkSlope:
    """Slope of energy differences on the work of the labelled virials; 1 where they are consistent.

    Attributes
    ----------
    slope, correlation : float
        Through the origin.
    n_pairs : int
    """

    slope: float
    correlation: float
    n_pairs: int

    @property
    def decided(self) -> bool:
        """Whether there are enough pairs, well enough on a line, to believe the slope."""
        return self.n_pairs >= 6 and abs(self.correlation) > 0.9


def label_findings(frames: Iterable[Frame]) -> list[Finding]:
    """Return warnings about the sign or unit of stresses, at most one of each."""
    labelled = [f for f in frames if f.virial is not None and f.volume > 0 and f.pbc.any()]
    if not labelled:
        return []
    work = work_slope(labelled)
    if work is None or not work.decided:
        return _by_magnitude(labelled)
    evidence = (
        f"energy changes are {work.slope:.3g} times the work of the virials over {work.n_pairs} pairs of "
        f"strained structures (correlation {work.correlation:.2f})"
    )
    found = []
    if work.slope < 0:
        found.append(
            Finding(
                "warning",
                "the virials or stresses seem to have the wrong sign",
                evidence,
                "ASE's stress is positive in tension and virial = -volume * stress is positive when "
                "compressed: pass stress_sign=-1 to read, or change the sign in the data",
            )
        )
    if not 0.5 < abs(work.slope) < 2.0:
        found.append(
            Finding(
                "warning",
                "the virials or stresses seem to be in the wrong unit",
                evidence + _unit_hint(1 / abs(work.slope) if work.slope else np.inf),
                "stresses are in eV/Å^3 and virials in eV: pass stress_unit='GPa' (or kbar, bar) to read, "
                "or convert the data",
            )
        )
    return found


def _unit_hint(ratio: float) -> str:
    for unit, value in STRESS_UNITS.items():
        if unit != "eV/A^3" and 0.7 < ratio * value < 1.4:
            return f", as if stresses were in {unit}"
    return f", so that labels are {ratio:.3g} times too large"


def _by_magnitude(frames: Sequence[Frame]) -> list[Finding]:
    stress = [float(np.abs(f.virial).max()) / f.volume for f in frames if f.virial is not None]
    typical = float(np.quantile(stress, 0.9))
    if typical < _LARGE:
        return []
    # the largest unit that brings the tenth-largest stress below 50 GPa
    fitting = [u for u, value in STRESS_UNITS.items() if typical * value * 160.2 < 50]
    return [
        Finding(
            "warning",
            "the virials or stresses are too large to be in the right unit",
            f"every tenth frame exceeds {typical:.3g} eV/Å^3 = {typical * 160.2:.3g} GPa"
            + (f"; in {fitting[0]} the same number would be usual" if fitting else ""),
            "stresses are in eV/Å^3 and virials in eV: pass stress_unit='GPa' (or kbar, bar) to read if "
            "that is their unit; ignore this for data at extreme pressure",
        )
    ]


def work_slope(frames: Iterable[Frame]) -> WorkSlope | None:
    """Compare energies with virials over pairs of slightly strained structures; None without any pair."""
    by_atoms: dict[bytes, list[Frame]] = {}
    for f in frames:
        if f.energy is not None and f.virial is not None and f.pbc.all():
            by_atoms.setdefault(f.numbers.tobytes(), []).append(f)
    tried: list[tuple[float, float] | None] = []
    share = max(_MOST_PAIRS // 8, _MOST_PAIRS // max(len(by_atoms), 1))
    for members in sorted(by_atoms.values(), key=len, reverse=True):
        tried += islice(_work_of_pairs(members[:: 1 + len(members) // _MOST_FRAMES]), share)
        if len(tried) >= _MOST_PAIRS:
            break
    pairs = [work for work in tried if work is not None]
    if not pairs:
        return None
    x, y = np.array(pairs).T
    xx, xy, yy = x @ x, x @ y, y @ y
    if xx == 0.0 or yy == 0.0:
        return None
    return WorkSlope(float(xy / xx), float(xy / np.sqrt(xx * yy)), len(pairs))


def _work_of_pairs(frames: Sequence[Frame]) -> Iterator[tuple[float, float] | None]:
    """Yield (-W:strain, dE + f·u) in eV of pairs by similarity of cells; None where they are not close."""
    cells = np.array([f.cell.ravel() for f in frames])
    i, j = np.triu_indices(len(frames), k=1)
    change = np.linalg.norm(cells[i] - cells[j], axis=1) / np.linalg.norm(cells[i], axis=1)
    close = np.flatnonzero((change > 1e-4) & (change < 2 * _MOST_STRAIN))
    for p in close[np.argsort(change[close], kind="stable")]:
        yield _work(frames[i[p]], frames[j[p]])


def _work(a: Frame, b: Frame) -> tuple[float, float] | None:
    assert a.energy is not None
    assert b.energy is not None
    assert a.virial is not None
    assert b.virial is not None
    gradient = np.linalg.solve(a.cell, b.cell) - np.eye(3)  # cell_b = cell_a @ (1 + gradient)
    strain = 0.5 * (gradient + gradient.T)
    if np.abs(strain).max() > _MOST_STRAIN or np.abs(gradient - strain).max() > 0.01:
        return None
    moved = np.linalg.solve(b.cell.T, b.positions.T).T - np.linalg.solve(a.cell.T, a.positions.T).T
    moved -= np.round(moved - moved[0]) + moved[0]  # fractional, against the first atom
    u = (moved - moved.mean(axis=0)) @ (0.5 * (a.cell + b.cell))  # (n_atoms, 3) Å
    if np.abs(u).max() > _MOST_DISPLACEMENT:
        return None
    work = -float(np.sum(_full(0.5 * (a.virial + b.virial)) * strain))
    change = b.energy - a.energy
    if a.forces is not None and b.forces is not None:
        change += float(np.sum(0.5 * (a.forces + b.forces) * u))
    elif np.abs(u).max() > 0.01:
        return None
    return work, change


def _full(voigt: NDArray[np.float64]) -> NDArray[np.float64]:
    return voigt[np.array(_SYMMETRIC)]
