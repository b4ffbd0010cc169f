"""Rows without physics: a row source of random designs, and structures labelled by known coefficients."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lacemaker.regression import Design
from lacemaker.structures import Frame


@dataclass(frozen=True)
class Made:
    """A basis function with made-up quantum numbers."""

    channels: tuple[tuple[int, int, int], ...]


class SyntheticRows:
    """Random designs, always the same for the same structure.

    ``killer`` names a file: while it exists, the structure whose source is "fatal" kills the process that
    makes its rows. ``log`` names a folder where every structure made leaves an empty file.
    """

    def __init__(
        self,
        n_functions: int = 12,
        elements: tuple[str, ...] = ("H", "O"),
        killer: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.n_functions = n_functions
        self.elements = elements
        self.functions = tuple(Made(((0, 1 + k % 4, k // 4),)) for k in range(n_functions))
        self.basis = None
        self._killer, self._log = killer, log

    def fingerprint(self) -> str:
        return f"synthetic {self.n_functions} {self.elements}"

    def design(self, frame: Frame) -> Design:
        if frame.source == "fatal" and self._killer is not None and self._killer.exists():
            import os

            os._exit(1)
        if self._log is not None:
            (self._log / f"{frame.content_hash()}-{np.random.default_rng().integers(2**60)}").touch()
        seed = int(np.abs(frame.positions).sum() * 1e9) % 2**32
        rows = np.random.default_rng(seed).standard_normal((7 + 3 * len(frame.numbers), self.n_functions))
        return Design(rows, np.zeros(len(rows)))


def make_frame(seed: int, **changes: Any) -> Frame:
    """An unlabelled structure of 2 to 6 hydrogen and oxygen atoms."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    numbers = np.where(rng.random(n) < 0.5, 1, 8)
    positions = rng.random((n, 3)) * 5
    fields = {"numbers": numbers, "positions": positions, "cell": np.zeros((3, 3)), "pbc": [False] * 3}
    return Frame(**{**fields, **changes})


def labelled(
    source: SyntheticRows,
    count: int,
    *,
    coefficients: np.ndarray | None = None,
    e0: np.ndarray | None = None,
    noise: tuple[float, float, float] = (0.1, 0.1, 0.1),
    config_types: tuple[str, ...] = ("solid", "liquid"),
    seed: int = 0,
) -> list[Frame]:
    """Structures labelled by known coefficients, with noise per row (energy/√N, forces, virial/√N)."""
    rng = np.random.default_rng(seed)
    theta = np.zeros(source.n_functions) if coefficients is None else coefficients
    energies = np.zeros(len(source.elements)) if e0 is None else e0
    frames = []
    for i in range(count):
        frame = make_frame(1000 * seed + i)
        n, root = len(frame.numbers), np.sqrt(len(frame.numbers))
        exact = source.design(frame).rows @ theta
        sigma = np.concatenate([[noise[0] * root], np.full(3 * n, noise[1]), np.full(6, noise[2] * root)])
        label = exact + sigma * rng.standard_normal(len(sigma))
        counts = np.array([np.sum(frame.numbers == z) for z in (1, 8)][: len(energies)])
        frames.append(
            make_frame(
                1000 * seed + i,
                energy=label[0] + counts @ energies,
                forces=label[1 : 1 + 3 * n].reshape(n, 3),
                virial=label[1 + 3 * n :],
                config_type=config_types[i % len(config_types)],
                source=f"made {i}",
            )
        )
    return frames


@dataclass(frozen=True)
class Stacked:
    """All rows of a data set, kept: what the triangular system must be equivalent to."""

    one_body: np.ndarray
    basis: np.ndarray
    target: np.ndarray
    kind: np.ndarray
    config_type: np.ndarray
    frame: np.ndarray


def stack(source: SyntheticRows, frames: list[Frame]) -> Stacked:
    """Rows straight from the definition: energy/√N, forces, virial/√N, times the frame's multipliers."""
    one, rows, targets, kinds, types, owner = [], [], [], [], [], []
    for index, frame in enumerate(frames):
        design = source.design(frame).rows
        n = len(frame.numbers)
        counts = np.array([np.sum(frame.numbers == z) for z in (1, 8)][: len(source.elements)], float)
        labels = {"energy": frame.energy, "forces": frame.forces, "virial": frame.virial}
        parts = {"energy": design[:1], "forces": design[1 : 1 + 3 * n], "virial": design[1 + 3 * n :]}
        for kind, label in labels.items():
            if label is None:
                continue
            scale = frame.weights.get(kind, 1.0) / (1.0 if kind == "forces" else np.sqrt(n))
            part, y = parts[kind], np.ravel(label)
            one.append(scale * np.outer(np.full(len(y), float(kind == "energy")), counts))
            rows.append(scale * part)
            targets.append(scale * y)
            kinds += [kind] * len(y)
            types += [frame.config_type] * len(y)
            owner += [index] * len(y)
    return Stacked(
        np.concatenate(one),
        np.concatenate(rows),
        np.concatenate(targets),
        np.array(kinds),
        np.array(types),
        np.array(owner),
    )


def row_weights(stacked: Stacked, table: dict[str, dict[str, float]]) -> np.ndarray:
    """Weight of every row, looked up plainly."""
    defaults = {"energy": 30.0, "forces": 1.0, "virial": 1.0, **table.get("default", {})}
    return np.array(
        [
            table.get(config_type, {}).get(kind, defaults[kind])
            for kind, config_type in zip(stacked.kind, stacked.config_type, strict=True)
        ]
    )
