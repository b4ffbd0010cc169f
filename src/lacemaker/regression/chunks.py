"""Cutting a data set into chunks, and reducing one chunk of structures to its factors."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.regression.factor import Accumulator
from lacemaker.regression.rows import RowSource
from lacemaker.regression.second_order import frame_blocks
from lacemaker.regression.triangular import Group, GroupKey
from lacemaker.structures import Frame

__all__ = [
    "Chunk",
    "ChunkResult",
    "chunk_hash",
    "count_rows",
    "plan_chunks",
    "reduce_chunk",
    "single_blas_thread",
    "system_bytes",
]

ROWS_PER_COLUMN = 4  # rows of a chunk per column: merging its triangle then costs under a tenth of making it
MIN_ROWS = 4096
FORMAT = 1  # of the rows' content: raise it when rows change for equal input


@dataclass(frozen=True)
class Chunk:
    """Some structures of one config_type and fold, reduced together."""

    config_type: str
    fold: int
    frames: tuple[int, ...]  # indices into the data set
    n_rows: int


@dataclass(frozen=True, eq=False)
class ChunkResult:
    """The factors of a chunk and the CPU seconds its rows and its QR took."""

    groups: tuple[Group, ...]
    seconds_rows: float
    seconds_qr: float


def count_rows(frames: Sequence[Frame]) -> dict[str, int]:
    """Rows that structures give, by kind."""
    counts = {
        "energy": sum(frame.energy is not None for frame in frames),
        "forces": sum(3 * len(frame.numbers) for frame in frames if frame.forces is not None),
        "virial": sum(6 for frame in frames if frame.virial is not None),
        "force_constants": sum(
            frame.force_constants.values.size for frame in frames if frame.force_constants is not None
        ),
        "energies": sum(len(frame.numbers) for frame in frames if frame.energies is not None),
        "formation_energy": sum(frame.formation_energy is not None for frame in frames),
    }
    return {kind: count for kind, count in counts.items() if count}


def plan_chunks(
    frames: Sequence[Frame], names: Sequence[str], folds: NDArray[np.integer], n_columns: int
) -> tuple[Chunk, ...]:
    """Cut the structures into chunks of one (group name, fold) and nearly equal numbers of rows.

    The plan depends on the data and the number of columns alone, never on the executor or the number of
    workers, so that a fit is the same to the last bit however it was distributed.
    """
    members: dict[tuple[str, int], list[int]] = {}
    for index in range(len(frames)):
        members.setdefault((names[index], int(folds[index])), []).append(index)
    target = max(ROWS_PER_COLUMN * n_columns, MIN_ROWS)
    chunks = []
    for (config_type, fold), indices in members.items():
        rows = np.array([sum(count_rows([frames[i]]).values()) for i in indices], dtype=np.int64)
        total = int(rows.sum())
        n_chunks = max(1, round(total / target))
        centres = np.cumsum(rows) - rows / 2
        part = np.minimum((centres * n_chunks / max(total, 1)).astype(np.int64), n_chunks - 1)
        for k in np.unique(part):
            chosen = np.flatnonzero(part == k)
            chunk = Chunk(config_type, fold, tuple(indices[i] for i in chosen), int(rows[chosen].sum()))
            chunks.append(chunk)
    return tuple(chunks)


def system_bytes(frames: Sequence[Frame], chunks: Sequence[Chunk], n_columns: int) -> int:
    """Bytes of the triangular system that chunks will merge into."""
    totals: dict[tuple[str, str, int], int] = {}
    for chunk in chunks:
        for kind, count in count_rows([frames[i] for i in chunk.frames]).items():
            key = (kind, chunk.config_type, chunk.fold)
            totals[key] = totals.get(key, 0) + count
    copies = {"energy": 2, "virial": 2}  # as fitted, and per atom
    rows = sum(copies.get(kind, 1) * min(count, n_columns) for (kind, _, _), count in totals.items())
    return rows * n_columns * np.dtype(np.float64).itemsize


def chunk_hash(fingerprint: str, frame_hashes: Sequence[str]) -> str:
    """Name of a chunk's contents: the row source, the structures in order, and the versions of both."""
    text = json.dumps([FORMAT, fingerprint, list(frame_hashes)])
    return hashlib.sha256(text.encode()).hexdigest()


def reduce_chunk(
    source: RowSource, frames: Sequence[Frame], config_type: str, fold: int, parent: int | None = None
) -> ChunkResult:
    """Stream the rows of some structures into one factor per kind.

    Runs in the workers: the arguments and the result pickle. ``parent`` is the process that holds the BLAS
    threads already; any other process is held to one thread here.
    """
    with single_blas_thread() if parent != os.getpid() else nullcontext():
        return _reduce(source, frames, config_type, fold)


def _reduce(source: RowSource, frames: Sequence[Frame], config_type: str, fold: int) -> ChunkResult:
    n_columns = len(source.elements) + source.n_functions + 1
    accumulators: dict[str, Accumulator] = {}
    sums: dict[str, float] = {}
    seconds_rows = seconds_qr = 0.0
    for frame in frames:
        start = time.thread_time()
        for block in frame_blocks(source, frame):
            middle = time.thread_time()
            seconds_rows += middle - start
            if block.kind not in accumulators:
                accumulators[block.kind] = Accumulator(n_columns)
                sums[block.kind] = 0.0
            accumulators[block.kind].add(block.one_body, block.basis, block.target)
            sums[block.kind] += block.square_sum
            start = time.thread_time()
            seconds_qr += start - middle
    start = time.thread_time()
    groups = tuple(
        Group(GroupKey(kind, config_type, fold), accumulator.finish(), sums[kind])
        for kind, accumulator in accumulators.items()
    )
    return ChunkResult(groups, seconds_rows, seconds_qr + time.thread_time() - start)


def single_blas_thread() -> AbstractContextManager[Any]:
    """Hold BLAS to one thread: parallelism is over chunks."""
    import scipy.linalg.cython_lapack  # noqa: F401  (its BLAS must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")
