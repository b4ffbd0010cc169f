"""The network file: one safetensors file with a JSON header; loading runs no code.

Header entry ``lacemaker``: JSON with ``format`` "lacemaker network", ``version``, ``sha256``, ``units``,
``options`` (those of `NetworkOptions`), ``elements`` (symbols in the order of the network's inputs) and
``metadata``. Arrays: ``e0`` (Z,) float64 eV, the energies of the isolated atoms that are added outside the
network, and the parameters under their names (float32 or float64). ``sha256`` is that of the header with 64
zeros in its place and of every array, as in `.lace` files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lacemaker.errors import FileFormatError, problem

__all__ = ["FORMAT_VERSION", "Contents", "decode", "encode", "is_network"]

FORMAT_VERSION = 1
_FORMAT_NAME = "lacemaker network"
_KEY = "lacemaker"
_ZEROS = "0" * 64


class Contents(NamedTuple):
    """What a file holds."""

    header: dict[str, Any]  # options, elements, metadata
    arrays: dict[str, np.ndarray]


def is_network(path: str | os.PathLike[str]) -> bool:
    """Whether this looks like the file of a network; False also for a file that cannot be read."""
    try:
        with open(path, "rb") as stream:
            return _FORMAT_NAME.encode() in stream.read(1 << 16)
    except OSError:
        return False


def encode(contents: Contents) -> bytes:
    """The bytes of a file; equal contents give equal bytes."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(contents.arrays[name]) for name in sorted(contents.arrays)}
    units = {"energy": "eV", "length": "Å"}
    header = {**contents.header, "format": _FORMAT_NAME, "version": FORMAT_VERSION, "units": units}
    text = _text({**header, "sha256": _ZEROS})
    return save(arrays, {_KEY: _text({**header, "sha256": _digest(text, arrays)})})


def decode(data: bytes, source: str) -> Contents:
    """Read and check the bytes of a file; `source` names it in messages.

    Raises
    ------
    FileFormatError
        If they are anything else than a complete, unchanged file of a version this reader knows.
    """
    from safetensors.numpy import load

    try:
        length = int.from_bytes(data[:8], "little")
        text = json.loads(data[8 : 8 + length])["__metadata__"][_KEY]
        header = json.loads(text)
        known = header.get("format") == _FORMAT_NAME
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        raise problem(
            FileFormatError,
            f"{source} is not a network of lacemaker",
            f"{len(data)} bytes that begin with {data[:16]!r}",
            "give the network.lace that `lace train` wrote; a linear potential opens with lacemaker.load",
        )
    if header.get("version") != FORMAT_VERSION:
        raise problem(
            FileFormatError,
            f"{source} was written by another version of lacemaker",
            f"format version {header.get('version')!r}, while this lacemaker reads version {FORMAT_VERSION}",
            "update lacemaker (pip install --upgrade lacemaker)",
        )
    try:
        arrays = load(data)
    except Exception as error:  # whatever the parser dislikes, the file is unusable
        raise _damaged(
            source, f"{len(data)} bytes that are no complete safetensors file ({error})"
        ) from error
    stored = str(header.pop("sha256", ""))
    if _digest(text.replace(stored, _ZEROS, 1), arrays) != stored:
        raise _damaged(source, "contents that do not match the SHA-256 digest in its header")
    return Contents(header, arrays)


def _text(header: Mapping[str, Any]) -> str:
    return json.dumps(header, sort_keys=True, allow_nan=False)


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"{name}|{array.dtype}|{array.shape}|".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _damaged(source: str, found: str) -> FileFormatError:
    return problem(
        FileFormatError,
        f"{source} is damaged, truncated or was edited",
        found,
        "take a fresh copy of the file",
    )
