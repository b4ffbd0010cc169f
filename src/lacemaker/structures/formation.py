"""Energies that count as totals: formation energies of defect cells, and energies not divided by √N."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np

from lacemaker.structures._messages import close_names, data_error
from lacemaker.structures.frame import Frame
from lacemaker.structures.frames import Frames

__all__ = ["with_formation_energies", "with_total_energies"]


def with_formation_energies(
    frames: Iterable[Frame], references: Mapping[str, str], pool: Iterable[Frame] | None = None
) -> Frames:
    """Give defect cells the bulk cell that their formation energy E(defect) - (N/N_bulk) E(bulk) refers to.

    Parameters
    ----------
    frames : frames
    references : mapping
        config_type of defect cells → config_type of their bulk cells, e.g. ``{"vacancy": "bulk"}``. Of the
        bulk frames with an energy and the same elements the one of lowest energy per atom is taken.
    pool : frames, optional
        Where bulk cells are looked for; default `frames`.

    Raises
    ------
    DataError
        If a config_type or a bulk cell does not exist.
    """
    frames = list(frames)
    pool = frames if pool is None else list(pool)
    known = {f.config_type for f in [*frames, *pool]}
    for name in (*references, *references.values()):
        if name not in known:
            hints = close_names(name, sorted(known))
            raise data_error(
                f"formation energies name a config_type that no frame has: {name!r}",
                f"config_types {', '.join(sorted(known))}",
                f"did you mean {hints[0]!r}?" if hints else "correct or remove the entry",
            )
    return Frames(_with_reference(f, references, pool) for f in frames)


def _with_reference(frame: Frame, references: Mapping[str, str], pool: list[Frame]) -> Frame:
    if frame.config_type not in references or frame.energy is None:
        return frame
    wanted, elements = references[frame.config_type], set(frame.numbers.tolist())
    bulk = [
        f for f in pool
        if f.config_type == wanted and f.energy is not None and set(f.numbers.tolist()) == elements
    ]  # fmt: skip
    if not bulk:
        raise data_error(
            f"{frame.source or frame.formula}: no bulk cell for its formation energy",
            f"no frame of config_type {wanted!r} with an energy and the elements of {frame.formula}",
            "add one, or leave the config_type out of formation_energies",
        )
    return replace(frame, reference=min(bulk, key=lambda f: f.energy / len(f)))  # type: ignore[operator]


def with_total_energies(frames: Iterable[Frame], config_types: Collection[str]) -> Frames:
    """Count the energies of some config_types as totals: their residuals are not divided by √n_atoms.

    ``"default"`` stands for every config_type. An error of 10 meV then weighs the same in a cell of 8 and of
    512 atoms, as for defect energies it should.
    """
    everyone = "default" in config_types

    def total(frame: Frame) -> Frame:
        if not everyone and frame.config_type not in config_types:
            return frame
        weight = frame.weights.get("energy", 1.0) * math.sqrt(len(frame))
        return replace(frame, weights={**frame.weights, "energy": weight})

    return Frames(total(f) for f in frames)


def formation_ratio(frame: Frame) -> float:
    """N / N_bulk of a frame and its reference."""
    return len(frame) / len(frame.reference) if frame.reference is not None else float(np.nan)
