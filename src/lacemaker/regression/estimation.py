"""What a fit will need, before it starts: rows, columns, memory and time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lacemaker.errors import DataError
from lacemaker.regression.chunks import count_rows, plan_chunks, single_blas_thread, system_bytes
from lacemaker.regression.factor import BLOCK_ROWS
from lacemaker.regression.lapack import absorb_rows
from lacemaker.regression.resources import available_cores, resident_bytes
from lacemaker.regression.rows import BasisRows, RowSource
from lacemaker.regression.second_order import n_designs
from lacemaker.structures import Frame

__all__ = ["Estimate", "estimate"]

_FLOAT = 8
_PER_ATOM_KINDS = 2  # energy and virial are held twice: as fitted, and per atom for exact error tables


@dataclass(frozen=True)
class Estimate:
    """Size and cost of a fit.

    Attributes
    ----------
    n_frames, n_atoms : int
    rows : mapping
        Rows by kind.
    n_functions, n_columns : int
        Basis functions, and columns with one-body energies and target.
    bytes_system : int
        The finished triangular system.
    bytes_rows : int
        What the rows would take if they were kept (they are not).
    bytes_peak : int
        Largest resident memory of this process, what it holds already included.
    seconds_rows, seconds_qr, seconds_solve : float
        CPU seconds: rows, triangular factors, BLR with shared noise.
    seconds : float
        Expected wall time with ``n_threads`` threads on an idle machine.
    n_threads : int
    """

    n_frames: int
    n_atoms: int
    rows: Mapping[str, int]
    n_functions: int
    n_columns: int
    bytes_system: int
    bytes_rows: int
    bytes_peak: int
    seconds_rows: float
    seconds_qr: float
    seconds_solve: float
    seconds: float
    n_threads: int

    @property
    def n_rows(self) -> int:
        """All rows a solver sees."""
        return sum(self.rows.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**asdict(self), "rows": dict(self.rows), "n_rows": self.n_rows}

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.rows.items())
        return (
            f"{self.n_rows} rows ({kinds}) x {self.n_columns} columns from {self.n_frames} structures\n"
            f"memory  {self.bytes_peak / 2**20:.0f} MiB at the peak "
            f"({self.bytes_rows / 2**20:.0f} MiB of rows are never kept)\n"
            f"time    {self.seconds:.1f} s on {self.n_threads} threads: rows {self.seconds_rows:.1f}, "
            f"factors {self.seconds_qr:.1f}, solving {self.seconds_solve:.1f} CPU s"
        )


def estimate(basis: Any, frames: Sequence[Frame], *, n_threads: int | None = 1) -> Estimate:
    """Estimate a fit by making the rows of one structure and factoring a small block.

    Parameters
    ----------
    basis : ACEBasis or RowSource
    frames : sequence of Frame
    n_threads : int or None
        As for :func:`lacemaker.assemble`.

    Returns
    -------
    Estimate
        Memory agrees with the measured peak within 20 %; times within about 50 % on an idle machine.
    """
    if len(frames) == 0:
        raise DataError("Nothing to estimate. Found 0 structures. Read a data set first.")
    source = basis if isinstance(basis, RowSource) else BasisRows(basis)
    count = available_cores() if n_threads is None else n_threads
    n = len(source.elements) + source.n_functions + 1
    rows = count_rows(frames)
    n_atoms = sum(len(frame.numbers) for frame in frames)
    per_atom = _time_rows(source, frames)
    per_row, rate = _time_factor(n)
    designed = sum(len(frame.numbers) * n_designs(frame) for frame in frames)
    seconds_rows, seconds_qr = per_atom * designed, per_row * sum(rows.values())
    seconds_solve = 8.0 * n**3 / rate
    system, peak = _memory(source, frames, n, count)
    return Estimate(
        n_frames=len(frames),
        n_atoms=n_atoms,
        rows=rows,
        n_functions=source.n_functions,
        n_columns=n,
        bytes_system=system,
        bytes_rows=sum(rows.values()) * n * _FLOAT,
        bytes_peak=resident_bytes() + peak,
        seconds_rows=seconds_rows,
        seconds_qr=seconds_qr,
        seconds_solve=seconds_solve,
        seconds=(seconds_rows + seconds_qr) / count + seconds_solve,
        n_threads=count,
    )


def _time_rows(source: RowSource, frames: Sequence[Frame]) -> float:
    """CPU seconds per atom, from the structure of median size; the first call warms up."""
    frame = sorted(frames, key=lambda frame: len(frame.numbers))[len(frames) // 2]
    source.design(frame)
    times = []
    for _ in range(3):
        start = time.thread_time()
        source.design(frame)
        times.append(time.thread_time() - start)
    return float(np.median(times)) / len(frame.numbers)


def _time_factor(n: int) -> tuple[float, float]:
    """CPU seconds to absorb one row, and the floating-point rate that means."""
    m = 128
    triangle = np.asfortranarray(np.triu(np.ones((n, n))) + n * np.eye(n))
    rows = np.random.default_rng(0).standard_normal((n, m)).T
    with single_blas_thread():
        absorb_rows(triangle, np.array(rows[:8], order="F"))
        start = time.thread_time()
        absorb_rows(triangle, np.array(rows, order="F"))
        seconds = max(time.thread_time() - start, 1e-6)
    return seconds / m, 2.0 * m * n**2 / seconds


def _memory(source: RowSource, frames: Sequence[Frame], n: int, n_threads: int) -> tuple[int, int]:
    """Bytes of the finished system, and of the largest stage on top of what the process holds now."""
    names = [frame.config_type for frame in frames]
    chunks = plan_chunks(frames, names, np.zeros(len(frames), dtype=np.int64), n)
    system = system_bytes(frames, chunks, n)
    triangle = n * n * _FLOAT
    kinds = len(count_rows(frames))
    largest = max(3 * len(frame.numbers) + 7 for frame in frames) * n * _FLOAT
    blocks = (kinds + _PER_ATOM_KINDS) * BLOCK_ROWS * n * _FLOAT
    workers = min(n_threads, len(chunks))
    working = workers * (2 * triangle + blocks + largest) + (blocks + triangle if len(chunks) > 1 else 0)
    solving = (kinds + 4) * triangle
    return system, system + max(working, solving)
