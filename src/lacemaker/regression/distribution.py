"""Running chunks on any executor, keeping finished ones on disk, merging them in the order of the plan."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lacemaker.errors import ConfigError, FileFormatError, SolverError
from lacemaker.regression.chunks import Chunk, ChunkResult, chunk_hash, reduce_chunk, single_blas_thread
from lacemaker.regression.factor import Accumulator
from lacemaker.regression.resources import available_cores
from lacemaker.regression.rows import RowSource
from lacemaker.regression.storage import load_groups, save_groups
from lacemaker.regression.triangular import Group, GroupKey
from lacemaker.structures import Frame

__all__ = ["Merger", "Pool", "Store", "reduce_all", "worker_pool"]

_RESCUE_SECONDS = 60.0  # after a failure, how long chunks already running may take to be kept


class Pool(NamedTuple):
    """Where chunks run, and how many to keep in flight (results wait in memory to be merged in order)."""

    submit: Callable[..., Future[Any]]
    window: int


class Store:
    """Finished chunks on disk, named by their contents; does nothing without a folder."""

    def __init__(self, folder: Path | None, fingerprint: str, hashes: Sequence[str]) -> None:
        self._folder, self._fingerprint, self._hashes = folder, fingerprint, hashes
        self.n_read = 0

    @property
    def keeps(self) -> bool:
        """Whether anything is written."""
        return self._folder is not None

    def _path(self, chunk: Chunk) -> Path | None:
        if self._folder is None:
            return None
        name = chunk_hash(self._fingerprint, [self._hashes[i] for i in chunk.frames])
        return self._folder / f"chunk-{name}.safetensors"

    def read(self, chunk: Chunk) -> ChunkResult | None:
        """Return a finished chunk, or None where it is missing or damaged."""
        path = self._path(chunk)
        if path is None or not path.exists():
            return None
        try:
            groups, header = load_groups(path)
        except FileFormatError:
            return None
        self.n_read += 1
        label = (chunk.config_type, chunk.fold)  # equal rows may sit in another fold this time
        relabelled = tuple(
            Group(GroupKey(group.key.kind, *label), group.factor, group.square_sum) for group in groups
        )
        return ChunkResult(relabelled, header["seconds_rows"], header["seconds_qr"])

    def write(self, chunk: Chunk, result: ChunkResult) -> None:
        """Keep a finished chunk."""
        path = self._path(chunk)
        if path is not None:
            header = {"seconds_rows": result.seconds_rows, "seconds_qr": result.seconds_qr}
            save_groups(path, result.groups, header)


class Merger:
    """Merges results in the order of the plan, where chunks of one (config_type, fold) follow each other."""

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._label: tuple[str, int] | None = None
        self._sums: dict[str, tuple[Accumulator, float]] = {}
        self._done: list[Group] = []
        self.seconds_rows = 0.0
        self.seconds_qr = 0.0

    def add(self, chunk: Chunk, result: ChunkResult) -> None:
        """Merge the next chunk of the plan."""
        label = (chunk.config_type, chunk.fold)
        if label != self._label:
            self._close()
            self._label = label
        self.seconds_rows += result.seconds_rows
        self.seconds_qr += result.seconds_qr
        for group in result.groups:
            kind = group.key.kind
            accumulator, square_sum = self._sums.get(kind, (None, 0.0))
            if accumulator is None:
                accumulator = Accumulator(self._n_columns)
            accumulator.add_factor(group.factor)
            self._sums[kind] = (accumulator, square_sum + group.square_sum)

    def finish(self) -> tuple[Group, ...]:
        """Return one group per (kind, config_type, fold)."""
        self._close()
        return tuple(self._done)

    def _close(self) -> None:
        for kind, (accumulator, square_sum) in self._sums.items():
            assert self._label is not None
            self._done.append(Group(GroupKey(kind, *self._label), accumulator.finish(), square_sum))
        self._sums = {}


class _Inline(Executor):
    """Runs at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def worker_pool(executor: Executor | None, n_threads: int | None) -> Iterator[Pool]:
    """The given executor, or threads of this process with BLAS held to one thread."""
    if executor is not None:
        workers = getattr(executor, "_max_workers", None)
        yield Pool(executor.submit, 2 * workers if isinstance(workers, int) else 64)
        return
    count = available_cores() if n_threads is None else n_threads
    if count < 1:
        raise ConfigError(
            f"n_threads must be at least 1. Found {count}. Use None for every core this process may use."
        )
    with single_blas_thread():
        if count == 1:
            yield Pool(_Inline().submit, 1)
            return
        threads = ThreadPoolExecutor(count, thread_name_prefix="lacemaker-rows")
        try:
            yield Pool(threads.submit, count + 1)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def reduce_all(
    source: RowSource,
    frames: Sequence[Frame],
    chunks: Sequence[Chunk],
    *,
    pool: Pool,
    store: Store,
    merger: Merger,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Keep a window of chunks in flight, store each as it arrives, merge them in order."""
    total, done = sum(chunk.n_rows for chunk in chunks), 0
    pending: dict[Future[Any], int] = {}
    arrived: dict[int, ChunkResult] = {}
    started = merged = 0
    try:
        while merged < len(chunks):
            while started < min(len(chunks), merged + pool.window):
                stored = store.read(chunks[started])
                if stored is None:
                    pending[_start(source, frames, chunks[started], pool)] = started
                else:
                    arrived[started] = stored
                    done += chunks[started].n_rows
                started += 1
            if merged not in arrived:
                finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    result = future.result()
                    index = pending.pop(future)
                    store.write(chunks[index], result)
                    arrived[index] = result
                    done += chunks[index].n_rows
            while merged in arrived:
                merger.add(chunks[merged], arrived.pop(merged))
                merged += 1
            if progress is not None:
                progress(done, total)
    except BaseException as error:
        _rescue(pending, chunks, store)
        if isinstance(error, BrokenExecutor):
            raise _worker_died(error, store) from error
        raise


def _start(source: RowSource, frames: Sequence[Frame], chunk: Chunk, pool: Pool) -> Future[Any]:
    members = [frames[i] for i in chunk.frames]
    return pool.submit(reduce_chunk, source, members, chunk.config_type, chunk.fold, os.getpid())


def _rescue(pending: Mapping[Future[Any], int], chunks: Sequence[Chunk], store: Store) -> None:
    """After a failure: drop what has not begun, keep what still finishes."""
    running = [future for future in pending if not future.cancel()]
    if not store.keeps:
        return
    finished, _ = wait(running, timeout=_RESCUE_SECONDS)
    for future in finished:
        if not future.cancelled() and future.exception() is None:
            try:
                store.write(chunks[pending[future]], future.result())
            except Exception:  # the first failure is the one to report
                return


def _worker_died(error: BaseException, store: Store) -> SolverError:
    what = (
        "Finished chunks are kept: run again to resume"
        if store.keeps
        else "Give workdir to be able to resume"
    )
    return SolverError(
        f"A worker process died while it made rows. Found: {error or type(error).__name__}. The usual cause "
        f"is memory: use fewer workers or a smaller basis. {what}."
    )
