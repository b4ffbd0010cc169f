"""The training and test sets a configuration asks for."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.errors import ConfigError, DataError, LacemakerWarning, problem

if TYPE_CHECKING:
    from lacemaker.config import Config
    from lacemaker.config.models import DataConfig
    from lacemaker.structures import Frames

__all__ = ["Sets", "check_elements", "held_out", "load_sets"]

_VALIDATION = ("val", "valid", "validation")  # words under the split key


@dataclass(frozen=True, eq=False)
class Sets:
    """Training structures and, where there are any, test and validation structures."""

    train: Frames
    test: Frames | None
    validation: Frames | None = None

    def items(self) -> list[tuple[str, Frames]]:
        """``[("train", …), ("validation", …), ("test", …)]`` as far as present."""
        named = [("train", self.train), ("validation", self.validation), ("test", self.test)]
        return [(name, frames) for name, frames in named if frames is not None]

    def facts(self, config: Config) -> dict[str, Any]:
        """Files, sizes, hashes and labels, for provenance."""
        data = config.data
        files = {name: getattr(data, name) or data.train for name, _ in self.items()}
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


def load_sets(
    data: DataConfig, total_energies: Collection[str] = (), *, with_validation: bool = False
) -> Sets:
    """Read and split.

    Parameters
    ----------
    data : DataConfig
    total_energies : collection of str
        config_types whose training energies count as totals, not per atom.
    with_validation : bool
        Whether the caller has a use for a validation part.

    Raises
    ------
    ConfigError
        If validation structures are given that nobody uses, or given twice.
    DataError
        If a file cannot be read, a required label is absent, or a split leaves one part empty.
    """
    from lacemaker.structures import force_constants_from_pairs, read

    if data.validation and not with_validation:
        raise problem(
            ConfigError,
            "A linear fit has no use for data.validation: nothing stops it early",
            ", ".join(Path(path).name for path in data.validation),
            "name these files under data.test or data.train",
        )
    frames = read(list(data.train), **data.read_options())
    if data.displaced_pairs:  # before a split can part them
        frames = force_constants_from_pairs(frames, data.displaced_pairs)
    frames, validation = _validation(frames, data) if with_validation else (frames, None)
    if data.test:
        sets = Sets(frames, _unrequired(data.test, data), validation)
    elif validation is not None and not data.validation and not any(f.split for f in frames):
        sets = Sets(frames, None, validation)  # the data's author marked the parts, and no test part
    else:
        sets = Sets(*_split(frames, data), validation)
    sets = _with_totals(sets, data, total_energies)
    _warn_of_overlap(sets)
    return sets


def _unrequired(files: Sequence[str], data: DataConfig) -> Frames:
    """Structures of some files, whatever labels they have."""
    from lacemaker.structures import read

    return read(list(files), **{**data.read_options(), "require": ()})


def _validation(frames: Frames, data: DataConfig) -> tuple[Frames, Frames | None]:
    """The other frames and those for validation: of their own files or marked by the data's author."""
    marked = [data.split_by in ("auto", "label") and (f.split or "").lower() in _VALIDATION for f in frames]
    if data.validation:
        if any(marked):
            raise problem(
                ConfigError,
                "Validation structures are named twice",
                f"data.validation, and {sum(marked)} of {len(frames)} training structures marked so under "
                f"the key {data.keys.split!r}",
                "remove data.validation, or set data.split_by: frame to ignore the marks",
            )
        return frames, _unrequired(data.validation, data)
    if not any(marked):
        return frames, None
    return frames.subset([not m for m in marked]), frames.subset(marked)


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
    return Sets(train, test, sets.validation)


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
    return held_out(frames, data, data.test_fraction, data.seed, ("data.test_fraction", "data.test"))


def held_out(
    frames: Frames, data: DataConfig, fraction: float, seed: int, keys: tuple[str, str]
) -> tuple[Frames, Frames]:
    """Rest and held-out part, of whole files or config_types if ``data.split_by`` says so.

    Parameters
    ----------
    keys : (str, str)
        Of the configuration, for the message: that of the fraction, and that which names files instead.

    Raises
    ------
    DataError
        If one part would be empty.
    """
    by = "frame" if data.split_by in ("auto", "label") else data.split_by
    n = len(frames.without_isolated_atoms())
    try:
        return frames.split(fraction, seed=seed, by=by)
    except DataError as error:
        raise problem(
            DataError,
            f"{keys[0]} leaves one part empty",
            f"{fraction:g} of {n} structures split by {by}, isolated atoms aside",
            f"change it{'' if by == 'frame' else ' or data.split_by'}, or name files under {keys[1]}",
        ) from error


def _warn_of_overlap(sets: Sets) -> None:
    known = {f.structure_hash() for f in sets.train}
    for name, frames in sets.items()[1:]:
        twice = [f for f in frames if f.structure_hash() in known]
        if twice:
            warnings.warn(
                LacemakerWarning(
                    f"{name.capitalize()} structures also stand in the training set. Found: {len(twice)} of "
                    f"{len(frames)}, first {twice[0].source or twice[0].formula}. To do: remove them, or the "
                    f"{name} errors will flatter the model."
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
                "element to basis.elements (of a network: to the training structures), or remove those "
                "structures."
            )
