"""Writing results: completely or not at all, and nothing machine-specific in them."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import lacemaker
from lacemaker.errors import ConfigError, LacemakerError

__all__ = ["output_folder", "peak_memory_mib", "plain", "versions", "write_json", "write_text"]

SUMMARY_FORMAT = 1  # of summary.json; grows when a key changes its meaning


def output_folder(path: str | Path) -> Path:
    """Make a folder for results.

    Raises
    ------
    ConfigError
        If it cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, probe = tempfile.mkstemp(dir=folder, prefix=".write-test-")
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise ConfigError(
            f"The output folder {folder} cannot be used. Found: {error}. To do: choose another with "
            "`output:` or --output."
        ) from error
    return folder


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically.

    Raises
    ------
    LacemakerError
        If the file cannot be written, for instance because the disk is full; an older file is then unchanged.
    """
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        raise LacemakerError(
            f"{path} could not be written. Found: {error}. To do: free some space or choose another folder; "
            "files written before are complete."
        ) from error


def plain(value: Any) -> Any:
    """The value in JSON's types; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON with NaN as null; see :func:`write_text`."""
    write_text(path, json.dumps(plain(data), indent=2, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    import numpy
    import scipy

    return {
        "lacemaker": lacemaker.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
    }


def peak_memory_mib() -> float | None:
    """Peak resident memory of this process, MiB; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
