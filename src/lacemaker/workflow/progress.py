"""How a long job says where it is, and how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Progress", "SilentProgress", "StageTimer", "duration"]

Advance = Callable[[int, int], None]  # called with (done, total)


class Progress(Protocol):
    """What a workflow needs of a progress display; the command line has two, the Python API none."""

    def stage(self, name: str, unit: str = "") -> AbstractContextManager[Advance]:
        """Enter a stage; call the returned function with (done, total) as work proceeds."""

    def note(self, text: str) -> None:
        """Say something that stays on the screen."""

    def warn(self, text: str) -> None:
        """Say something that deserves attention."""


class SilentProgress:
    """Shows nothing."""

    @contextmanager
    def stage(self, name: str, unit: str = "") -> Iterator[Advance]:
        """See :class:`Progress`."""
        yield lambda done, total: None

    def note(self, text: str) -> None:
        """See :class:`Progress`."""

    def warn(self, text: str) -> None:
        """See :class:`Progress`."""


class StageTimer:
    """Wraps a progress display and records wall and CPU seconds of each stage, in order."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(self, name: str, unit: str = "") -> Iterator[Advance]:
        """Time a stage and show it; entering a name again adds to it."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            with self._progress.stage(name, unit) as advance:
                yield advance
        finally:
            before = self._seconds.get(name, (0.0, 0.0))
            self._seconds[name] = (
                before[0] + time.perf_counter() - wall,
                before[1] + time.process_time() - cpu,
            )

    def note(self, text: str) -> None:
        """Pass a remark on to the display."""
        self._progress.note(text)

    def to_dict(self) -> dict[str, dict[str, float]]:
        """``{stage: {"wall_s": …, "cpu_s": …}}``."""
        return {
            name: {"wall_s": round(wall, 4), "cpu_s": round(cpu, 4)}
            for name, (wall, cpu) in self._seconds.items()
        }


def duration(seconds: float) -> str:
    """Seconds in words fit for a log: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
