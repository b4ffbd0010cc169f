"""The training and test sets a configuration asks for."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.errors import ConfigError, DataError, LacemakerWarning

if TYPE_CHECKING:
    from lacemaker.config import Config
    from lacemaker.config.models import DataConfig
    from lacemaker.structures import Frames

__all__ = ["Sets", "check_elements", "load_sets"]


@dataclass(frozen=True, eq=False)
class Sets:
    """Training structures and, where there are any, test structures."""

    train: Frames
    test: Frames | None

    def items(self) -> list[tuple[str, Frames]]:
        """``[("train", …), ("test", …)]`` as far as present."""
        named = [("train", self.train), ("test", self.test)]
        return [(name, frames) for name, frames in named if frames is not None]

    def facts(self, config: Config) -> dict[str, Any]:
        """Files, sizes, hashes and labels, for provenance."""
        files = {"train": config.data.train, "test": config.data.test or config.data.train}
        return {
            name: {
                "files": [
                    Path(path).name for path in files[name]
                ],  # the hash tells them apart, not the folder
                "n_frames": len(frames),
                "n_atoms": frames.n_atoms,
                "sha256": frames.content_hash(),
                "labels": frames.labels.to_dict(),
            }
            for name, frames in self.items()
        }


def load_sets(data: DataConfig, total_energies: Collection[str] = ()) -> Sets:
    """Read and split.

    Parameters
    ----------
    data : DataConfig
    total_energies : collection of str
        config_types whose training energies count as totals, not per atom.

    Raises
    ------
    DataError
        If a file cannot be read, a required label is absent, or a split leaves one part empty.
    """
    from lacemaker.structures import force_constants_from_pairs, read

    frames = read(list(data.train), **data.read_options())
    if data.displaced_pairs:  # before a split can part them
        frames = force_constants_from_pairs(frames, data.displaced_pairs)
    if data.test:
        sets = Sets(frames, read(list(data.test), **{**data.read_options(), "require": ()}))
    else:
        sets = Sets(*_split(frames, data))
    sets = _with_totals(sets, data, total_energies)
    _warn_of_overlap(sets)
    return sets


def _with_totals(sets: Sets, data: DataConfig, total_energies: Collection[str]) -> Sets:
    """Formation energies and energies that count as totals, as the configuration says."""
    from lacemaker.structures import with_formation_energies, with_total_energies

    train, test, references = sets.train, sets.test, data.formation_energies
    everything = [*train, *(test or ())]
    if references:
        train = with_formation_energies(train, references, everything)
        test = with_formation_energies(test, references, everything) if test is not None else None
    if total_energies:
        train = with_total_energies(train, total_energies)
    return Sets(train, test)


def _split(frames: Frames, data: DataConfig) -> tuple[Frames, Frames | None]:
    """Train and test part as the data's author or the configuration says."""
    from lacemaker.structures import predefined_split

    named = predefined_split(frames) if data.split_by in ("auto", "label") else None
    if named is not None:
        return named if len(named[1]) else (named[0], None)
    if data.split_by == "label":
        raise ConfigError(
            "data.split_by is `label`, but no frame says which part it belongs to. Found: nothing under the "
            f"key {data.keys.split!r}. To do: set data.keys.split, or split_by: frame."
        )
    if data.test_fraction == 0.0:
        return frames, None
    return frames.split(
        data.test_fraction, seed=data.seed, by="frame" if data.split_by == "auto" else data.split_by
    )


def _warn_of_overlap(sets: Sets) -> None:
    if sets.test is None:
        return
    known = {f.structure_hash() for f in sets.train}
    twice = [f for f in sets.test if f.structure_hash() in known]
    if twice:
        warnings.warn(
            LacemakerWarning(
                f"Test structures also stand in the training set. Found: {len(twice)} of {len(sets.test)}, "
                f"first {twice[0].source or twice[0].formula}. To do: remove them, or the test errors will "
                "flatter the model."
            ),
            stacklevel=2,
        )


def check_elements(frames: Sequence[Any], elements: Sequence[str], role: str) -> None:
    """Refuse structures with elements that a basis or potential does not have.

    Raises
    ------
    DataError
    """
    known = set(elements)
    for frame in frames:
        strange = sorted(set(frame.symbols) - known)
        if strange:
            raise DataError(
                f"The {role} data hold an element outside the basis: {', '.join(strange)}. Found: in "
                f"{frame.source or frame.formula}; the basis has {', '.join(elements)}. To do: add the "
                "element to basis.elements, or remove those structures."
            )
