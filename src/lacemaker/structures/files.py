"""From paths, patterns and ASE objects to raw frames; compressed text is decompressed once, in memory."""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lacemaker.structures._messages import close_names, data_error
from lacemaker.structures.xyz import RawFrame, read_xyz_text

__all__ = ["IN_MEMORY", "expand", "parts", "raw_from_atoms", "raw_from_file"]

IN_MEMORY = "atoms"
"""The file name of atoms that were passed as objects."""

_DECOMPRESS = {".xz": lzma.decompress, ".gz": gzip.decompress, ".bz2": bz2.decompress}
_XYZ = {".xyz", ".extxyz"}
_BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError)


def expand(pattern: str | os.PathLike[str]) -> list[Path]:
    """Return the files a path or a pattern with ``*``, ``?``, ``[]`` or ``**`` stands for, sorted.

    Raises
    ------
    DataError
        If there is none, naming similar files beside it.
    """
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise data_error(
            f"{pattern} is a folder, not a file",
            f"{len(list(path.iterdir()))} entries in it",
            f"give a pattern such as {os.path.join(str(pattern), '*.xyz')!r}",
        )
    found = sorted(Path(p) for p in glob.glob(str(path), recursive=True) if os.path.isfile(p))
    if not found:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hints = close_names(path.name, beside)
        raise data_error(
            f"no file matches {str(pattern)!r}",
            f"{len(beside)} entries in {str(path.parent)!r}" if beside else f"no folder {str(path.parent)!r}",
            f"did you mean {', '.join(hints)}?" if hints else "check the path and the working directory",
        )
    return found


def raw_from_file(path: Path, index: str | int | slice = ":", format: str | None = None) -> list[RawFrame]:
    """Read one file; XYZ frame by frame, every other format through `ase.io.read`."""
    name = str(path)
    if path.stat().st_size == 0:
        raise data_error(f"{name} is empty", "0 bytes", "check the step that was to write it")
    format = format or _format(path)
    if format in ("xyz", "extxyz"):
        frames = read_xyz_text(_text(path), name, _as_slice(index))
    else:
        frames = _through_ase(path, index, format)
    if not frames:
        raise data_error(
            f"{name} holds no frames" + ("" if index in (":", slice(None)) else f" in the range {index!r}"),
            f"{path.stat().st_size} bytes, no structure",
            "check the file" + ("" if index in (":", slice(None)) else " and the range"),
        )
    return frames


def raw_from_atoms(objects: list[Any]) -> list[RawFrame]:
    """Wrap ASE atoms that are already in memory."""
    return [RawFrame(atoms, f"atoms {i}", IN_MEMORY) for i, atoms in enumerate(objects)]


def _as_slice(index: str | int | slice) -> slice:
    from ase.io.formats import string2index

    if isinstance(index, str):
        index = string2index(index)
    if isinstance(index, int):
        return slice(index, index + 1 if index != -1 else None)
    if not isinstance(index, slice):
        raise data_error("not a range of frames", repr(index), "write it as in Python: ':', '::10', '-1'")
    return index


def _format(path: Path) -> str | None:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in _DECOMPRESS:
        suffixes.pop()
    if suffixes and suffixes[-1] in _XYZ:
        return "extxyz"
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        format = filetype(str(path))
        if format not in ioformats:  # ASE hands out the extension where it knows nothing better
            raise UnknownFileTypeError(format)
        return format
    except (UnknownFileTypeError, *_BROKEN) as error:
        raise data_error(
            f"cannot tell the format of {path}",
            f"{type(error).__name__}: {error}",
            "name the format, e.g. format='extxyz' or format='vasp-xml' (any that ASE reads)",
        ) from error


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if path.suffix.lower() in _DECOMPRESS:
            data = _DECOMPRESS[path.suffix.lower()](data)
    except _BROKEN as error:
        raise data_error(
            f"{path} cannot be opened or decompressed",
            f"{type(error).__name__}: {error}",
            "check permissions and that the copy is complete",
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise data_error(
            f"{path} is not text",
            f"byte {data[error.start]:#04x} at position {error.start}, which is not UTF-8",
            "check the file; a different encoding can be converted with iconv",
        ) from error
    if "\x00" in text[:4096]:
        raise data_error(f"{path} is not text", "zero bytes", "check that this is the right file")
    return text


def _through_ase(path: Path, index: str | int | slice, format: str | None) -> list[RawFrame]:
    import ase.io

    try:
        images = ase.io.read(str(path), index=index, format=format)
    except Exception as error:  # each of ASE's many readers raises its own kind
        raise data_error(
            f"{path} cannot be read as {format}",
            f"{type(error).__name__}: {error}",
            "check the file, or name another format with format=…",
        ) from error
    images = images if isinstance(images, list) else [images]
    numbers = range(len(images))
    return [RawFrame(a, f"{path} frame {i}", str(path)) for i, a in zip(numbers, images, strict=True)]


def parts(source: Any) -> Iterator[Any]:
    """Yield the single things of a source: paths, Atoms and Frames, through any lists around them."""
    if isinstance(source, str | os.PathLike) or not hasattr(source, "__iter__") or hasattr(source, "numbers"):
        yield source
    else:
        for part in source:
            yield from parts(part)
