"""Training and test parts of a data set: deterministic, by groups, and never parting relatives.

What is drawn is a *unit*: a single frame, or all frames of one `Frame.group` (say one trajectory, whose
frames know each other too well to test each other). Isolated atoms stay in the training part. The same
frames, seed and fraction give the same split on every machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from lacemaker.structures._messages import data_error
from lacemaker.structures.frame import Frame
from lacemaker.structures.frames import Frames

__all__ = ["fold_numbers", "k_folds", "leave_one_group_out", "predefined_split", "split"]

Unit = list[int]  # frame indices that stay together

_BY = ("frame", "config_type", "file")


def split(
    frames: Frames, fraction: float = 0.1, *, seed: int = 0, by: str = "frame", stratify: bool = True
) -> tuple[Frames, Frames]:
    """Split into (train, test).

    Parameters
    ----------
    frames : Frames
    fraction : float
        Part of the frames to test on, between 0 and 1.
    seed : int
    by : str
        What stays together: ``"frame"`` (relatives by `Frame.group` excepted), ``"config_type"`` or
        ``"file"``: whole config_types or files go to one part.
    stratify : bool
        Draw `fraction` from each config_type; otherwise from all frames alike. Only for ``by="frame"``.

    Returns
    -------
    train, test : Frames
        Each in the original order.

    Raises
    ------
    DataError
        If the fraction leaves one part empty.
    """
    if by not in _BY:
        raise data_error("unknown way to split", repr(by), f"use one of {', '.join(_BY)}")
    if not 0.0 < fraction < 1.0:
        raise data_error("the test fraction must be between 0 and 1", f"{fraction}", "give e.g. fraction=0.1")
    units = _units(frames, by)
    strata = _strata(frames, units) if by == "frame" and stratify else {"": units}
    shares = _shares([sum(map(len, us)) for us in strata.values()], fraction)
    test: set[int] = set()
    for (name, members), share in zip(strata.items(), shares, strict=True):
        for unit in _shuffled(members, seed, name):
            if share < max(len(unit) / 2, 1):
                break
            test.update(unit)
            share -= len(unit)
    if not test or len(test) == len(frames):
        raise data_error(
            "this split leaves one part empty",
            f"{fraction:g} of {len(frames)} frames in {len(units)} independent unit(s)",
            "change the fraction, split by frame, or name the test data yourself",
        )
    chosen = np.isin(np.arange(len(frames)), sorted(test))
    return frames.subset(~chosen), frames.subset(chosen)


def fold_numbers(frames: Frames, k: int, *, seed: int = 0) -> np.ndarray:
    """Assign each frame to one of k folds of like size, stratified by config_type, (n_frames,) int.

    Isolated atoms get fold -1: they belong to every training part.
    """
    units = _units(frames, "frame")
    if not 2 <= k <= max(len(units), 1):
        raise data_error(
            "cannot make this many folds", f"k = {k} for {len(units)} independent frames", "lower k"
        )
    folds = np.full(len(frames), -1)
    sizes = np.zeros(k, dtype=int)
    for name, members in _strata(frames, units).items():
        own = np.zeros(k, dtype=int)  # frames of this config_type: balance these first, then the total
        for unit in sorted(_shuffled(members, seed, name), key=len, reverse=True):
            fold = int(np.lexsort((np.arange(k), sizes, own))[0])
            folds[unit] = fold
            own[fold] += len(unit)
            sizes[fold] += len(unit)
    return folds


def k_folds(frames: Frames, k: int, *, seed: int = 0) -> Iterator[tuple[Frames, Frames]]:
    """Yield (train, test) for each of k folds."""
    folds = fold_numbers(frames, k, seed=seed)
    for fold in range(k):
        yield frames.subset(folds != fold), frames.subset(folds == fold)


def leave_one_group_out(frames: Frames) -> Iterator[tuple[str, Frames, Frames]]:
    """Yield (config_type, train, test) with one config_type left out each time, isolated atoms never."""
    for name, group in frames.groups().items():
        if not all(f.is_isolated_atom for f in group):
            out = np.array([f.config_type == name and not f.is_isolated_atom for f in frames])
            yield name, frames.subset(~out), frames.subset(out)


def predefined_split(frames: Frames) -> tuple[Frames, Frames] | None:
    """Return (train, test) as the ``split`` key of the frames says; None where no frame has one.

    ``test`` goes to the test part; ``train``, ``training`` and no word to the training part.

    Raises
    ------
    DataError
        On any other word: a validation part must be chosen by you.
    """
    words = [(f.split or "").lower() for f in frames]
    if not any(words):
        return None
    unknown = sorted(set(words) - {"", "train", "training", "test", "testing"})
    if unknown:
        raise data_error(
            "the data name parts other than train and test",
            f"split = {', '.join(unknown)}",
            "`lace train` takes `valid` and `validation` too; else choose the frames yourself, "
            "frames.where(lambda f: f.split == …), or set data.split_by: frame",
        )
    test = np.array([w.startswith("test") for w in words])
    return frames.subset(~test), frames.subset(test)


def _units(frames: Frames, by: str) -> list[Unit]:
    """Collect the frames that stay together, isolated atoms left aside."""
    units: dict[tuple[str, object], Unit] = {}
    for i, f in enumerate(frames):
        if f.is_isolated_atom:
            continue
        if by == "config_type":
            key: tuple[str, object] = ("type", f.config_type)
        elif by == "file":
            key = ("file", f.source.split(" frame ")[0])
        else:
            key = ("group", f.group) if f.group is not None else ("frame", i)
        units.setdefault(key, []).append(i)
    return list(units.values())


def _strata(frames: Sequence[Frame], units: list[Unit]) -> dict[str, list[Unit]]:
    strata: dict[str, list[Unit]] = {}
    for unit in units:
        strata.setdefault(frames[unit[0]].config_type, []).append(unit)
    return dict(sorted(strata.items()))


def _shares(sizes: list[int], fraction: float) -> list[int]:
    """Round fraction · size so that the shares add up to the rounded total (largest remainders)."""
    exact = [fraction * n for n in sizes]
    shares = [int(x) for x in exact]
    missing = round(fraction * sum(sizes)) - sum(shares)
    order = sorted(range(len(sizes)), key=lambda i: (-(exact[i] - shares[i]), i))
    for i in order[: max(missing, 0)]:
        shares[i] += 1
    return shares


def _shuffled(units: list[Unit], seed: int, name: str) -> list[Unit]:
    # seeded by the name too: a new config_type leaves the draw within the others as it was
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return [units[i] for i in generator.permutation(len(units))]
