"""Bytes from and to the disk: all of them or a clear error."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lacemaker.errors import FileFormatError, problem

__all__ = ["read_bytes", "write_bytes"]


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file, or a FileFormatError that says why they cannot be had."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise problem(
            FileFormatError,
            f"the potential {os.fspath(path)} cannot be read",
            str(error.strerror or error),
            "check the path and its permissions",
        ) from error


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` at once or not at all; an older file stays intact until the new one is complete.

    Raises
    ------
    FileFormatError
        If the file cannot be written (full disk, no permission, no such folder); nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise problem(
            FileFormatError,
            f"the potential cannot be written to {os.fspath(path)}",
            f"{error.strerror or error} ({len(data)} bytes needed); an older file of that name is unchanged",
            "free some space, or choose a folder that exists and that you may write to",
        ) from error
