"""Couplings computed once: kept in memory and, per set of patterns, in one file on disk.

The folder is ``$LACEMAKER_CACHE`` or ``~/.cache/lacemaker``; an empty ``LACEMAKER_CACHE`` turns the disk
cache off. Files hold plain arrays (npz without pickle). A file that cannot be read, or whose content fails
a check, is rebuilt without a word; a folder that cannot be written is done without.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from lacemaker.basis.count import Pattern, invariant_count
from lacemaker.basis.coupling import Coupling, build_coupling

COUPLING_VERSION: Literal[1] = 1
"""Changes whenever the rows of any coupling change: coefficients of stored potentials refer to it."""

_memory: dict[Pattern, Coupling] = {}


def cache_folder() -> Path | None:
    """Where couplings are kept, or None when the disk cache is off."""
    folder = os.environ.get("LACEMAKER_CACHE")
    if folder == "":
        return None
    return Path(folder) if folder else Path.home() / ".cache" / "lacemaker"


def clear_memory() -> None:
    """Forget the couplings held in memory (for tests and timing)."""
    _memory.clear()


def couplings(patterns: Iterable[Pattern]) -> dict[Pattern, Coupling]:
    """The couplings of all given patterns, from memory, disk or computed."""
    wanted = sorted(set(patterns))
    missing = [p for p in wanted if p not in _memory]
    if missing:
        path = _path(missing)
        found = _read(path, missing)
        if found is None:
            found = {p: build_coupling(p) for p in missing}
            _write(path, list(found.values()))
        _memory.update(found)
    return {p: _memory[p] for p in wanted}


def _path(patterns: list[Pattern]) -> Path | None:
    try:
        folder = cache_folder()
    except RuntimeError:  # no home directory
        return None
    digest = hashlib.sha256(repr((COUPLING_VERSION, patterns)).encode()).hexdigest()[:32]
    return None if folder is None else folder / f"couplings-{digest}.npz"


def _read(path: Path | None, patterns: list[Pattern]) -> dict[Pattern, Coupling] | None:
    """Couplings of a file, or None where there is no sound file."""
    if path is None:
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            sizes, m, values = stored["sizes"], stored["m"], stored["coefficients"]
            digest = str(stored["digest"])
        if digest != _digest(sizes, m, values) or sizes.shape != (len(patterns), 3):
            return None
        return _unpack(patterns, sizes, m, values)
    except Exception:  # whatever is wrong with the file, its content can be computed again
        return None


def _unpack(
    patterns: list[Pattern], sizes: np.ndarray, m: np.ndarray, values: np.ndarray
) -> dict[Pattern, Coupling] | None:
    found, m_start, value_start = {}, 0, 0
    for pattern, (n_products, nu, rank) in zip(patterns, sizes.tolist(), strict=True):
        if rank != invariant_count(pattern) or nu != sum(q for _, q in pattern):
            return None
        m_end, value_end = m_start + n_products * nu, value_start + rank * n_products
        found[pattern] = Coupling(
            pattern,
            m[m_start:m_end].reshape(n_products, nu),
            values[value_start:value_end].reshape(rank, n_products),
        )
        m_start, value_start = m_end, value_end
    return found


def _write(path: Path | None, found: list[Coupling]) -> None:
    """Write atomically: a killed or concurrent process never leaves half a file under the final name."""
    if path is None:
        return
    sizes = np.array([(*c.m.shape, len(c.coefficients)) for c in found], dtype=np.int64)
    m = np.concatenate([c.m.ravel() for c in found])
    values = np.concatenate([c.coefficients.ravel() for c in found])
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, sizes=sizes, m=m, coefficients=values, digest=_digest(sizes, m, values))
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
