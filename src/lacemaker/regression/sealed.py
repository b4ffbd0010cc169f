"""Sealed files: arrays and one JSON text in a safetensors file, written atomically and verified on reading.

The text stands in the file's metadata under a key that tells kinds of files apart, beside a digest of text
and arrays. Triangular systems, finished chunks of rows and model paths are kept so.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import FileFormatError, LacemakerError

__all__ = ["FORMAT", "read_sealed", "write_sealed"]

FORMAT = 1
_DIGEST = "digest"


def write_sealed(path: Path, key: str, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
    """Write arrays and a header of plain JSON types; the file appears complete or not at all.

    Raises
    ------
    LacemakerError
        When the file cannot be written, for instance because the disk is full.
    """
    text = json.dumps({**header, "format": FORMAT}, sort_keys=True)
    _write(path, arrays, {key: text, _DIGEST: _digest(arrays, text)})


def read_sealed(
    path: Path, key: str, *, what: str, remedy: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays, by name in order, and header of what :func:`write_sealed` wrote.

    Parameters
    ----------
    path : Path
    key : str
        The kind of file expected.
    what, remedy : str
        For messages: what the file should be, as in ``model path``, and how to get a new one.

    Raises
    ------
    FileFormatError
        When the file is truncated, edited, of another kind or of another format version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError, ValueError) as error:
        raise FileFormatError(
            f"{path} is not a readable {what}. Found: {error}. It is truncated or not one of ours; {remedy}."
        ) from error
    text = metadata.get(key, "")
    if not text or metadata.get(_DIGEST) != _digest(arrays, text):
        raise FileFormatError(
            f"{path} is no {what}, or was changed after it was written. Found a checksum that does not match "
            f"its contents. To do: {remedy}."
        )
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise FileFormatError(
            f"{path} has another format version. Found {header['format']}, this version reads {FORMAT}. "
            f"To do: {remedy}, or use the version of lacemaker that wrote it."
        )
    return arrays, header


def _digest(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=20)
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _write(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
        temporary = Path(name)
        os.close(handle)
        save_file(dict(arrays), temporary, metadata=metadata)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (SafetensorError, OSError) as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        size = sum(array.nbytes for array in arrays.values()) / 2**20
        raise LacemakerError(
            f"{path} ({size:.1f} MiB) could not be written. Found: {error}. "
            "Free some space or choose another folder; files finished before are intact, so running again "
            "resumes."
        ) from error
