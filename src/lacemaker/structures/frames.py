"""An immutable sequence of frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from lacemaker.structures._messages import data_error
from lacemaker.structures.elements import sorted_symbols
from lacemaker.structures.frame import Frame
from lacemaker.structures.labels import LabelTable

__all__ = ["Frames"]


class Frames(Sequence[Frame]):
    """Labelled structures: what `read` returns and every fit begins with.

    Immutable. An index gives a `Frame`; a slice, a sum or any method below gives new `Frames`.

    Parameters
    ----------
    frames : iterable of Frame
    """

    def __init__(self, frames: Iterable[Frame] = ()) -> None:
        self._frames: tuple[Frame, ...] = tuple(frames)
        for f in self._frames:
            if not isinstance(f, Frame):
                raise data_error(
                    "Frames holds Frame objects only",
                    type(f).__name__,
                    "turn files or ase.Atoms into frames with lacemaker.read",
                )

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Frames: ...
    def __getitem__(self, index: int | slice) -> Frame | Frames:
        chosen = self._frames[index]
        return Frames(chosen) if isinstance(chosen, tuple) else chosen

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def __add__(self, other: Iterable[Frame]) -> Frames:
        return Frames([*self._frames, *other])

    def __repr__(self) -> str:
        return f"<Frames: {len(self)} frames, {self.n_atoms} atoms, {' '.join(self.elements) or 'empty'}>"

    @cached_property
    def labels(self) -> LabelTable:
        """The labels found: by quantity the keys used, frames with and without it; by config_type."""
        return LabelTable.of(self._frames)

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols that occur, ordered by atomic number."""
        return sorted_symbols(np.unique(np.concatenate([f.numbers for f in self] or [np.zeros(0, int)])))

    @property
    def n_atoms(self) -> int:
        """Number of atoms in all frames together."""
        return sum(len(f) for f in self._frames)

    def groups(self) -> dict[str, Frames]:
        """Return the frames of each config_type, in order of first appearance."""
        members: dict[str, list[Frame]] = {}
        for f in self._frames:
            members.setdefault(f.config_type, []).append(f)
        return {name: Frames(fs) for name, fs in members.items()}

    def subset(self, indices: ArrayLike) -> Frames:
        """Return the frames at some indices, or where a boolean mask of the same length is true."""
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise data_error(
                    "a boolean mask must have one entry per frame",
                    f"{chosen.size} entries for {len(self)} frames",
                    "build the mask from these frames, or give indices",
                )
            chosen = np.flatnonzero(chosen)
        return Frames(self._frames[int(i)] for i in chosen.ravel())

    def where(self, condition: Callable[[Frame], bool]) -> Frames:
        """Return the frames that meet a condition, e.g. ``frames.where(lambda f: len(f) < 100)``."""
        return Frames(f for f in self._frames if condition(f))

    def isolated_atoms(self) -> Frames:
        """Return the isolated-atom frames: one atom and a config_type such as ``IsolatedAtom``."""
        return self.where(lambda f: f.is_isolated_atom)

    def without_isolated_atoms(self) -> Frames:
        """Return all other frames: those an ordinary fit has rows for."""
        return self.where(lambda f: not f.is_isolated_atom)

    def split(
        self, fraction: float = 0.1, *, seed: int = 0, by: str = "frame", stratify: bool = True
    ) -> tuple[Frames, Frames]:
        """Split into (train, test); see `lacemaker.structures.splits.split`."""
        from lacemaker.structures.splits import split

        return split(self, fraction, seed=seed, by=by, stratify=stratify)

    def content_hash(self) -> str:
        """Return the SHA-256 hex digest of everything in these frames that enters a fit, in order."""
        digest = hashlib.sha256()
        for f in self._frames:
            digest.update(f.content_hash().encode())
        return digest.hexdigest()
