"""From structures to a triangular system: in threads here, or over any executor, resumable after a kill."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import ConfigError, DataError
from lacemaker.regression.chunks import chunk_hash, plan_chunks, system_bytes
from lacemaker.regression.distribution import Merger, Store, reduce_all, worker_pool
from lacemaker.regression.resources import memory_limit
from lacemaker.regression.restraint import restraint_group
from lacemaker.regression.rows import BasisRows, RowSource
from lacemaker.regression.triangular import EVERY_FOLD, TriangularSystem
from lacemaker.regression.weights import Weights, check_weights, plain_weights
from lacemaker.structures import Frame, Frames, WeightTable, fold_numbers

__all__ = ["assemble"]

Progress = Callable[[int, int], None]


def assemble(
    basis: Any,
    frames: Sequence[Frame],
    *,
    weights: Weights | WeightTable | None = None,
    folds: int | Sequence[int] | None = None,
    seed: int = 0,
    group_by: Callable[[Frame], str] | None = None,
    restraint: Any = None,
    executor: Executor | None = None,
    workdir: str | os.PathLike[str] | None = None,
    n_threads: int | None = 1,
    progress: Progress | None = None,
) -> TriangularSystem:
    """Compress a data set into a triangular system of K + NZ + 1 columns.

    Parameters
    ----------
    basis : ACEBasis or RowSource
    frames : sequence of Frame
    weights : mapping, optional
        Default weights by config_type and quantity, e.g. ``{"default": {"energy": 30}}``. They are applied
        when the system is solved, so changing them needs no new assembly.
    folds : int or sequence of int, optional
        Number of folds (dealt at random with ``seed``, stratified by config_type) or the fold of every
        structure; -1 puts a structure into every training set and no validation set.
    group_by : callable, optional
        Name of the group a structure belongs to, instead of its config_type; weights and error tables then
        go by these names. ``lambda frame: "all"`` pools a data set with a config_type per structure.
    restraint : RepulsionRestraint, optional
        Adds its structures as rows of kind "restraint", present in every fold.
    executor : concurrent.futures.Executor, optional
        Where chunks are computed. ``ProcessPoolExecutor``, ``mpi4py.futures.MPIPoolExecutor`` (start the
        script with ``mpiexec -n N python -m mpi4py.futures fit.py``) and a Dask cluster's
        ``client.get_executor()`` (extra ``cluster``) all serve. By default ``n_threads`` threads of this
        process.
    workdir : path, optional
        Finished chunks are kept there under the hash of their contents. Running again, after a kill or with
        more data, reads them back and computes only what is missing or damaged.
    n_threads : int or None
        Threads when no executor is given; None takes every core this process may use.
    progress : callable, optional
        Called with (rows done, rows in total).

    Returns
    -------
    TriangularSystem
        The same to the last bit for any number of threads, and up to round-off for every executor.

    Notes
    -----
    Cost: 2 · rows · K² operations for the factors besides the rows themselves; memory is O(groups · K²)
    plus one block of rows per thread. BLAS is held to one thread meanwhile.

    Raises
    ------
    DataError
        No structure has a label, or one cannot be described by the basis.
    ConfigError
        Weights or folds that do not fit the data, or a system that does not fit into memory.
    SolverError
        A worker died.
    """
    source = basis if isinstance(basis, RowSource) else BasisRows(basis)
    if len(frames) == 0:
        raise DataError("Nothing to fit. Found 0 structures. Read a data set with labels first.")
    names = [frame.config_type if group_by is None else str(group_by(frame)) for frame in frames]
    config_types = tuple(sorted(set(names)))
    weights = plain_weights(weights)
    check_weights(weights, config_types)
    fold_of = _folds(folds, frames, seed)
    n_columns = len(source.elements) + source.n_functions + 1
    chunks = plan_chunks(frames, names, fold_of, n_columns)
    if sum(chunk.n_rows for chunk in chunks) == 0:
        raise DataError(
            f"Nothing to fit: none of the {len(frames)} structures has an energy, forces or a virial. "
            "Check the keys of the labels with `lace check`."
        )
    _check_memory(system_bytes(frames, chunks, n_columns), len(config_types))
    hashes = [frame.content_hash() for frame in frames]
    store = Store(None if workdir is None else Path(workdir), source.fingerprint(), hashes)
    merger = Merger(n_columns)
    with worker_pool(executor, n_threads) as pool:
        reduce_all(source, frames, chunks, pool=pool, store=store, merger=merger, progress=progress)
    groups = merger.finish()
    if restraint is not None:
        groups += restraint_group(source, restraint)
    metadata = {
        "config_types": list(config_types),
        "n_frames": len(frames),
        "n_chunks": len(chunks),
        "n_chunks_resumed": store.n_read,
        "seconds_rows": merger.seconds_rows,
        "seconds_qr": merger.seconds_qr,
        "fingerprint": source.fingerprint(),
        "data_hash": chunk_hash("", hashes),
    }
    columns = np.arange(source.n_functions, dtype=np.int64)
    return TriangularSystem(
        groups, source.elements, columns, source.functions, weights, source.basis, metadata
    )


def _check_memory(needed: int, n_groups: int) -> None:
    """Refuse what cannot fit before hours are spent on it."""
    limit = memory_limit()
    if limit is None or needed < limit:
        return
    raise ConfigError(
        f"The triangular system would not fit into memory: {needed / 2**30:.1f} GiB for {n_groups} groups of "
        f"structures. Found {limit / 2**30:.1f} GiB. Use a smaller basis, fewer folds, or pool config_types "
        "with group_by."
    )


def _folds(folds: int | Sequence[int] | None, frames: Sequence[Frame], seed: int) -> NDArray[np.int64]:
    """Fold of every structure."""
    if folds is None:
        return np.zeros(len(frames), dtype=np.int64)
    if isinstance(folds, int):
        return np.asarray(fold_numbers(Frames(frames), folds, seed=seed), dtype=np.int64)
    array = np.asarray(folds, dtype=np.int64)
    if array.shape != (len(frames),) or np.any(array < EVERY_FOLD):
        raise ConfigError(
            "folds must give every structure a number from 0 on, or -1 for every training set. Found an "
            f"array of shape {array.shape} for {len(frames)} structures. Pass one integer each, or a number "
            "of folds."
        )
    return array
