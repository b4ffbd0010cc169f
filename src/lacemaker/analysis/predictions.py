"""What a potential predicts for labelled frames, as arrays ready to be compared with the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.structures import Frame

__all__ = ["Predictions", "SinglePoint", "nearest_neighbour_distance", "predict"]

CHUNK = 64  # structures between two reports of progress


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions in the order of the frames.

    Attributes
    ----------
    energy : (n_frames,) array, eV
    forces : tuple of (n_atoms, 3) arrays, eV/Å
    virial : (n_frames, 6) array, eV, xx yy zz yz xz xy; NaN where it is not defined
    energies : tuple of (n_atoms,) arrays, eV
    force_constants : tuple of (n_rows, n_atoms, 3) arrays or None, eV/Å²
        The rows that a frame's label holds, by the same differences of forces; None without such a label.
    formation_energy : (n_frames,) array, eV; NaN without a reference cell
    """

    energy: np.ndarray
    forces: tuple[np.ndarray, ...]
    virial: np.ndarray
    energies: tuple[np.ndarray, ...] = ()
    force_constants: tuple[np.ndarray | None, ...] = ()
    formation_energy: np.ndarray | None = None

    def records(self) -> list[dict[str, Any]]:
        """One mapping per frame, as :func:`lacemaker.structures.write` takes them."""
        return [
            {"energy": float(e), "forces": f, "virial": w if np.isfinite(w).all() else None}
            for e, f, w in zip(self.energy, self.forces, self.virial, strict=True)
        ]


def predict(
    potential: Potential,
    frames: Sequence[Frame],
    *,
    n_threads: int = 1,
    advance: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Evaluate a potential on all frames; `advance` is called with (frames done, frames in all)."""
    energy = np.zeros(len(frames))
    virial = np.full((len(frames), 6), np.nan)
    forces: list[np.ndarray] = []
    energies: list[np.ndarray] = []
    for start in range(0, len(frames), CHUNK):
        chunk: Any = frames[start : start + CHUNK]
        for k, result in enumerate(potential.predict_many(chunk, n_threads=n_threads), start):
            energy[k] = result.energy
            forces.append(np.asarray(result.forces))
            energies.append(np.asarray(result.energies))
            if result.virial is not None:
                virial[k] = result.virial
        if advance is not None:
            advance(min(start + CHUNK, len(frames)), len(frames))
    constants = tuple(force_constants(potential, frame) for frame in frames)
    return Predictions(
        energy, tuple(forces), virial, tuple(energies), constants, _formation(potential, frames, energy)
    )


def force_constants(potential: Potential, frame: Frame) -> np.ndarray | None:
    """The rows (n_rows, n_atoms, 3) of a frame's force-constant label as the potential has them, eV/Å²."""
    label = frame.force_constants
    if label is None:
        return None
    rows = []
    for row in range(len(label)):
        parts = label.geometries(row, frame.positions)
        moved: Any = [_Atoms(frame.numbers, positions, frame.cell, frame.pbc) for _, positions in parts]
        found: Any = potential.predict_many(moved, n_threads=1)
        rows.append(-sum(weight * p.forces for (weight, _), p in zip(parts, found, strict=True)))
    return np.array(rows)


def _formation(potential: Potential, frames: Sequence[Frame], energy: np.ndarray) -> np.ndarray:
    out, bulk = np.full(len(frames), np.nan), {}
    for k, frame in enumerate(frames):
        reference: Any = frame.reference
        if reference is None:
            continue
        if id(reference) not in bulk:
            bulk[id(reference)] = potential.predict(reference, forces=False).energy
        out[k] = energy[k] - len(frame) / len(reference) * bulk[id(reference)]
    return out


@dataclass(eq=False)
class _Atoms:
    """The least a potential needs to know of a structure."""

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray


class SinglePoint:
    """Energies and forces of ad-hoc structures, for scans."""

    def __init__(self, potential: Potential) -> None:
        self._evaluator = potential.evaluator(n_threads=1)
        self._isolated: dict[str, float] = {}

    def __call__(
        self,
        symbols: Sequence[str],
        positions: np.ndarray,
        cell: np.ndarray | None = None,
        pbc: Sequence[bool] = (False, False, False),
        *,
        forces: bool = True,
    ) -> tuple[float, np.ndarray | None]:
        """Energy (eV) and forces (n_atoms, 3) in eV/Å of `symbols` at `positions` (n_atoms, 3) Å."""
        from ase.data import atomic_numbers

        atoms = _Atoms(
            numbers=np.array([atomic_numbers[s] for s in symbols]),
            positions=np.asarray(positions, dtype=float),
            cell=np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=float),
            pbc=np.array(pbc, dtype=bool),
        )
        result = self._evaluator.predict(atoms, forces=forces)
        return result.energy, result.forces

    def isolated(self, symbol: str) -> float:
        """Energy of one atom alone (eV)."""
        if symbol not in self._isolated:
            self._isolated[symbol] = self((symbol,), np.zeros((1, 3)), forces=False)[0]
        return self._isolated[symbol]


def nearest_neighbour_distance(potential: Potential, a: str, b: str) -> float:
    """The bond length r0 (Å) by which the basis scales the distances of two elements."""
    species = [potential.elements.index(symbol) for symbol in (a, b)]
    return float(potential.bond_lengths[species[0], species[1]])
