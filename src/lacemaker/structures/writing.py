"""`write`: frames, and predictions for them, as extended XYZ that reads back without loss."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import data_error
from lacemaker.structures.force_constants import to_file
from lacemaker.structures.frame import Frame

__all__ = ["frame_arrays", "frame_info", "write"]

PREFIX = "lace_"
"""Prefix of predictions in files."""

_FULL = np.array([0, 5, 4, 5, 1, 3, 4, 3, 2])  # nine numbers of a 3x3 from xx yy zz yz xz xy
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
}


def write(
    path: str | os.PathLike[str],
    frames: Iterable[Frame],
    predictions: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Write frames as extended XYZ, compressed if the name ends in .xz, .gz or .bz2.

    Labels go under ``REF_energy``, ``REF_forces`` and ``REF_virial`` (nine numbers), predictions under
    ``lace_`` and their name. Numbers are written in full: reading them back gives the same bits. The file
    appears complete or not at all.

    Parameters
    ----------
    path : path
    frames : Frames
    predictions : sequence of mappings, optional
        One per frame, e.g. ``{"energy": …, "forces": …, "virial": …, "energy_std": …}``; arrays with one
        row per atom become columns, numbers and short arrays enter the comment line.

    Raises
    ------
    DataError
        If there are not as many predictions as frames, or the file cannot be written.
    """
    frames = list(frames)
    if predictions is not None and len(predictions) != len(frames):
        raise data_error(
            "predictions and frames must correspond",
            f"{len(predictions)} predictions for {len(frames)} frames",
            "give one mapping per frame, empty where there is none",
        )
    extra: Sequence[Mapping[str, Any]] = predictions if predictions is not None else [{}] * len(frames)
    text = "".join(_frame_text(f, p) for f, p in zip(frames, extra, strict=True))
    _write_whole(Path(path), text.encode())


def frame_info(frame: Frame) -> dict[str, Any]:
    """Return what a frame says as a whole, by the keys `read` knows."""
    info: dict[str, Any] = {}
    if frame.energy is not None:
        info["REF_energy"] = frame.energy
    if frame.virial is not None:
        info["REF_virial"] = frame.virial[_FULL]
    if frame.force_constants is not None:
        info.update(to_file(frame.force_constants)[0])
    info["config_type"] = frame.config_type
    for key, value in (("group", frame.group), ("split", frame.split)):
        if value is not None:
            info[key] = value
    info.update({f"{q}_weight": w for q, w in frame.weights.items() if w != 1.0})
    return info


def frame_arrays(frame: Frame) -> dict[str, NDArray[np.float64]]:
    """Return what a frame says about each atom, by the keys `read` knows."""
    arrays = {}
    if frame.forces is not None:
        arrays["REF_forces"] = frame.forces
    if frame.force_constants is not None:
        arrays["REF_force_constants"] = to_file(frame.force_constants)[1]
    if frame.energies is not None:
        arrays["REF_energies"] = frame.energies
    if frame.force_weights is not None:
        arrays["force_weights"] = frame.force_weights
    return arrays


def _frame_text(frame: Frame, prediction: Mapping[str, Any]) -> str:
    info, arrays = frame_info(frame), frame_arrays(frame)
    for name, value in prediction.items():
        if value is None:
            continue
        array = np.asarray(value, dtype=np.float64)
        if name in ("stress", "virial") and array.shape == (6,):
            array = array[_FULL]
        per_atom = name in ("forces", "energies", "gamma") or name.startswith(("forces_", "energies_"))
        (arrays if per_atom and array.ndim else info)[PREFIX + name] = array
    columns = "".join(f":{k}:R:{1 if a.ndim == 1 else a.shape[1]}" for k, a in arrays.items())
    words = [f"Properties=species:S:1:pos:R:3{columns}"]
    if frame.cell.any():
        words.insert(0, f'Lattice="{_numbers(frame.cell)}"')
    words += [f"{key}={_word(value)}" for key, value in info.items()]
    words.append(f'pbc="{" ".join("FT"[int(p)] for p in frame.pbc)}"')
    table = np.column_stack([frame.positions, *arrays.values()]).tolist()
    rows = [f"{s} {' '.join(map(repr, row))}\n" for s, row in zip(frame.symbols, table, strict=True)]
    return f"{len(frame)}\n{' '.join(words)}\n{''.join(rows)}"


def _numbers(array: NDArray[np.float64]) -> str:
    return " ".join(repr(float(x)) for x in array.ravel())


def _word(value: Any) -> str:
    """Spell one value of a comment line; strings that would read as something else are quoted."""
    if isinstance(value, str):
        plain = value and not set(value) & set(" \t\"'{}[]=\\,")
        return value if plain else json.dumps(value, ensure_ascii=False)
    array = np.asarray(value, dtype=np.float64)
    return repr(float(array)) if array.ndim == 0 else f'"{_numbers(array)}"'


def _write_whole(path: Path, data: bytes) -> None:
    if path.suffix.lower() in _COMPRESS:
        data = _COMPRESS[path.suffix.lower()](data)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise data_error(
            f"{path} cannot be written", f"{error.strerror or error}", "check folder, permissions and space"
        ) from error
