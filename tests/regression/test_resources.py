"""Cores and memory a process may use."""

from pathlib import Path

import pytest

from lacemaker.regression import resources


def test_omp_num_threads_decides_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert resources.available_cores() == 7


@pytest.mark.parametrize("nonsense", ["", "0", "many", "-2"])
def test_without_a_sensible_wish_the_affinity_decides(monkeypatch, nonsense):
    monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 5}, raising=False)
    assert resources.available_cores() == 3


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path: Path):
    file = tmp_path / "memory.max"
    file.write_text("12345\n")
    monkeypatch.setattr(resources, "_CGROUP_FILES", (str(file), str(tmp_path / "absent")))
    assert resources.memory_limit() == 12345
    file.write_text("max\n")
    physical = resources.memory_limit()
    assert physical is None or physical > 2**20


def test_this_process_is_resident():
    assert resources.resident_bytes() > 2**20
