"""However chunks are cut, distributed, interrupted or damaged: same system, and nothing is done twice."""

import errno
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from regression_helpers import SyntheticRows, labelled, make_frame

import lacemaker.regression.chunks as chunks
from lacemaker.errors import ConfigError, DataError, LacemakerError, SolverError
from lacemaker.regression import assemble
from lacemaker.structures import Frame

SOURCE = SyntheticRows()
FRAMES = labelled(SOURCE, 60)


@pytest.fixture
def small_chunks(monkeypatch):
    """Many chunks from little data."""
    monkeypatch.setattr(chunks, "MIN_ROWS", 100)
    monkeypatch.setattr(chunks, "ROWS_PER_COLUMN", 1)


def processes(workers: int = 2) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def assert_same(a, b):
    assert [group.key for group in a.groups] == [group.key for group in b.groups]
    for one, other in zip(a.groups, b.groups, strict=True):
        np.testing.assert_array_equal(one.factor.array, other.factor.array)
        assert one.factor.n_rows == other.factor.n_rows
        assert one.square_sum == other.square_sum


def test_chunks_partition_the_frames_and_keep_groups_apart(small_chunks):
    folds = np.arange(60) % 2
    plan = chunks.plan_chunks(FRAMES, [frame.config_type for frame in FRAMES], folds, 15)
    assert sorted(i for chunk in plan for i in chunk.frames) == list(range(60))
    assert len(plan) > 8
    for chunk in plan:
        assert {FRAMES[i].config_type for i in chunk.frames} == {chunk.config_type}
        assert {folds[i] for i in chunk.frames} == {chunk.fold}
        assert chunk.n_rows == sum(7 + 3 * len(FRAMES[i].numbers) for i in chunk.frames)
    sizes = [chunk.n_rows for chunk in plan]
    assert max(sizes) < 2 * min(sizes)


def test_cutting_into_chunks_changes_nothing_but_round_off(small_chunks, monkeypatch):
    many = assemble(SOURCE, FRAMES)
    monkeypatch.undo()
    one = assemble(SOURCE, FRAMES)
    assert many.metadata["n_chunks"] > one.metadata["n_chunks"]
    np.testing.assert_allclose(many.weighted().array, one.weighted().array, atol=1e-11)


def test_threads_and_executors_give_the_same_bits(small_chunks):
    serial = assemble(SOURCE, FRAMES)
    assert_same(serial, assemble(SOURCE, FRAMES, n_threads=3))
    with ThreadPoolExecutor(2) as executor:
        assert_same(serial, assemble(SOURCE, FRAMES, executor=executor))
    with processes() as executor:
        assert_same(serial, assemble(SOURCE, FRAMES, executor=executor))


def test_a_dask_cluster_gives_the_same_bits(small_chunks):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_same(assemble(SOURCE, FRAMES), assemble(SOURCE, FRAMES, executor=client.get_executor()))


def test_progress_ends_at_the_total(small_chunks):
    seen = []
    system = assemble(SOURCE, FRAMES, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (system.n_rows, system.n_rows)
    assert len(seen) > 3


def made(folder) -> int:
    """Structures whose rows were made since the folder was last emptied."""
    count = len(list(folder.iterdir()))
    for path in folder.iterdir():
        path.unlink()
    return count


def test_a_killed_fit_resumes_without_repeating_a_finished_chunk(small_chunks, tmp_path):
    work, log, killer = tmp_path / "work", tmp_path / "log", tmp_path / "killer"
    log.mkdir()
    killer.touch()
    source = SyntheticRows(killer=killer, log=log)
    last = labelled(source, 1, seed=9)[0]
    frames = [*FRAMES, Frame(last.numbers, last.positions, last.cell, last.pbc, energy=1.0, config_type="z",
                             source="fatal")]  # fmt: skip
    with (
        processes(1) as executor,
        pytest.raises(SolverError, match=r"worker process died.*run again to resume"),
    ):
        assemble(source, frames, workdir=work, executor=executor)
    finished = len(list(work.glob("chunk-*")))
    assert made(log) > 0
    assert finished > 0
    killer.unlink()
    resumed = assemble(source, frames, workdir=work)
    plan = chunks.plan_chunks(frames, [frame.config_type for frame in frames], np.zeros(61, dtype=int), 15)
    assert resumed.metadata["n_chunks_resumed"] == finished
    assert made(log) == sum(len(chunk.frames) for chunk in plan) - sum(
        len(chunk.frames) for chunk in plan[:finished]
    )
    assert_same(resumed, assemble(SyntheticRows(), frames))


def test_an_interrupted_fit_keeps_what_was_finished(small_chunks, tmp_path):
    class Stubborn(SyntheticRows):
        def design(self, frame):
            if frame.source == "made 45":
                raise KeyboardInterrupt
            return super().design(frame)

    with pytest.raises(KeyboardInterrupt):
        assemble(Stubborn(), FRAMES, workdir=tmp_path)
    assert assemble(SOURCE, FRAMES, workdir=tmp_path).metadata["n_chunks_resumed"] > 3


def test_threads_keep_the_chunks_that_finish_beside_a_failing_one(small_chunks, tmp_path):
    class Failing(SyntheticRows):
        def design(self, frame):
            if frame.source == "made 0":
                raise DataError("made to fail")
            return super().design(frame)

    with pytest.raises(DataError, match="made to fail"):
        assemble(Failing(), FRAMES, workdir=tmp_path, n_threads=2)
    assert len(list(tmp_path.glob("chunk-*"))) >= 1


def test_more_data_reuses_the_chunks_that_did_not_change(small_chunks, tmp_path):
    solid = [frame for frame in FRAMES if frame.config_type == "solid"]
    first = assemble(SOURCE, solid, workdir=tmp_path)
    both = assemble(SOURCE, FRAMES, workdir=tmp_path)
    assert both.metadata["n_chunks_resumed"] == first.metadata["n_chunks"]
    again = assemble(SOURCE, FRAMES, workdir=tmp_path)
    assert again.metadata["n_chunks_resumed"] == again.metadata["n_chunks"]
    assert_same(both, again)


def test_damaged_chunks_are_computed_again(small_chunks, tmp_path):
    expected = assemble(SOURCE, FRAMES, workdir=tmp_path)
    files = sorted(tmp_path.glob("chunk-*"))
    files[0].write_bytes(files[0].read_bytes()[:50])
    content = bytearray(files[1].read_bytes())
    content[-9] ^= 4
    files[1].write_bytes(content)
    files[2].write_bytes(b"")
    files[3].unlink()
    (tmp_path / ".partial-left-by-a-kill").write_bytes(b"half")
    repaired = assemble(SOURCE, FRAMES, workdir=tmp_path)
    assert repaired.metadata["n_chunks_resumed"] == len(files) - 4
    assert_same(expected, repaired)
    assert_same(expected, assemble(SOURCE, FRAMES, workdir=tmp_path))


def test_chunks_of_another_basis_are_not_reused(small_chunks, tmp_path):
    assemble(SOURCE, FRAMES, workdir=tmp_path)
    assert assemble(SyntheticRows(7), FRAMES, workdir=tmp_path).metadata["n_chunks_resumed"] == 0


def test_a_full_disk_is_an_error_and_loses_nothing(small_chunks, tmp_path, monkeypatch):
    from safetensors import numpy as store

    real, calls = store.save_file, []

    def full(*args, **kwargs):
        calls.append(1)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(store, "save_file", full)
    with pytest.raises(LacemakerError, match=r"could not be written.*No space left.*Free some space"):
        assemble(SOURCE, FRAMES, workdir=tmp_path)
    assert not list(tmp_path.glob(".partial*"))
    monkeypatch.setattr(store, "save_file", real)
    assert assemble(SOURCE, FRAMES, workdir=tmp_path).metadata["n_chunks_resumed"] == 2


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LacemakerError, match="could not be written"):
        assemble(SOURCE, FRAMES, workdir=tmp_path / "file")


def test_fewer_rows_than_columns_are_assembled(tmp_path):
    system = assemble(SyntheticRows(200), FRAMES[:2], workdir=tmp_path)
    assert system.n_rows < 200
    assert not any(group.factor.is_triangular for group in system.groups)
    assert_same(system, assemble(SyntheticRows(200), FRAMES[:2], workdir=tmp_path))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"frames": []}, DataError, "Found 0 structures"),
        ({"frames": [make_frame(0)]}, DataError, r"none of the 1 structures has an energy.*lace check"),
        ({"n_threads": 0}, ConfigError, "at least 1. Found 0"),
        ({"folds": [0, 1]}, ConfigError, r"shape \(2,\) for 60 structures"),
        ({"folds": 1}, DataError, "folds"),
    ],
)
def test_impossible_requests_are_named(arguments, error, message):
    frames = arguments.pop("frames", FRAMES)
    with pytest.raises(error, match=message):
        assemble(SOURCE, frames, **arguments)


def test_groups_can_be_named_by_anything_a_structure_has():
    by_size = assemble(SOURCE, FRAMES, group_by=lambda frame: f"{len(frame.numbers)} atoms")
    assert by_size.config_types == ("2 atoms", "3 atoms", "4 atoms", "5 atoms", "6 atoms")
    pooled = assemble(SOURCE, FRAMES, group_by=lambda frame: "all")
    np.testing.assert_allclose(pooled.weighted().array, assemble(SOURCE, FRAMES).weighted().array, atol=1e-11)
    with pytest.raises(ConfigError, match="'solid', which no structure has"):
        pooled.with_weights({"solid": {"energy": 1.0}})


def test_a_system_beyond_memory_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr("lacemaker.regression.assembly.memory_limit", lambda: 1000)
    with pytest.raises(ConfigError, match=r"would not fit into memory.*for 2 groups.*pool config_types"):
        assemble(SOURCE, FRAMES)


def test_rows_that_are_not_finite_name_their_structure():
    class Broken(SyntheticRows):
        def design(self, frame):
            design = super().design(frame)
            design.rows[0, 3] = np.nan
            return design

    with pytest.raises(DataError, match=r"made 0: its energy rows hold NaN.*on top of each other"):
        assemble(Broken(), FRAMES)
