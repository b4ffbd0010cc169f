"""How many threads to use."""

from __future__ import annotations

import os

__all__ = ["default_threads"]


def default_threads() -> int:
    """Threads to use unless told: ``OMP_NUM_THREADS`` if set, else the CPUs this process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(len(os.sched_getaffinity(0)), _cgroup_cpus()))
    return os.cpu_count() or 1


def _cgroup_cpus() -> int:
    """CPUs a container grants through its quota (cgroup v2), or many if it sets none."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return 1 << 20
