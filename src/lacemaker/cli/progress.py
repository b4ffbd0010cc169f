"""Progress for people: a bar on a terminal, plain timestamped lines in a file or a SLURM log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from lacemaker.workflow.progress import Advance, Progress, duration

__all__ = ["PlainProgress", "RichProgress", "progress_for"]


class PlainProgress:
    """Timestamped lines: one when a stage starts, one at most every `interval` seconds, one when it ends."""

    def __init__(
        self, stream: TextIO, interval: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._interval, self._clock = stream, interval, clock

    def _say(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            print(f"{time.strftime('%H:%M:%S')}  {line}".rstrip(), file=self._stream, flush=True)

    @contextmanager
    def stage(self, name: str, unit: str = "") -> Iterator[Advance]:
        """See :class:`lacemaker.workflow.progress.Progress`."""
        start = last = self._clock()
        self._say(f"{name} …")

        def advance(done: int, total: int) -> None:
            nonlocal last
            now = self._clock()
            if now - last < self._interval or done >= total or done <= 0:
                return
            last = now
            left = (now - start) * (total - done) / done
            self._say(
                f"{name}: {done}/{total} {unit}".rstrip()
                + f" ({100 * done // total} %), {duration(left)} left"
            )

        try:
            yield advance
        except BaseException:
            self._say(f"{name}: stopped after {duration(self._clock() - start)}")
            raise
        self._say(f"{name}: done in {duration(self._clock() - start)}")

    def note(self, text: str) -> None:
        """See :class:`lacemaker.workflow.progress.Progress`."""
        self._say(text)

    def warn(self, text: str) -> None:
        """See :class:`lacemaker.workflow.progress.Progress`."""
        self._say(f"WARNING: {text}")


class RichProgress:
    """A live bar with the time left; finished stages stay as one line each."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)

    @contextmanager
    def stage(self, name: str, unit: str = "") -> Iterator[Advance]:
        """See :class:`lacemaker.workflow.progress.Progress`."""
        from rich import progress as parts

        start = time.monotonic()
        columns = (
            parts.SpinnerColumn(),
            parts.TextColumn("{task.description}"),
            parts.BarColumn(bar_width=28),
            parts.MofNCompleteColumn(),
            parts.TextColumn(unit),
            parts.TimeRemainingColumn(),
        )
        with parts.Progress(*columns, console=self._console, transient=True) as live:
            task = live.add_task(name, total=None)

            def advance(done: int, total: int) -> None:
                live.update(task, completed=done, total=total)

            yield advance
        self._console.print(f"[green]✓[/green] {name} [dim]{duration(time.monotonic() - start)}[/dim]")

    def note(self, text: str) -> None:
        """See :class:`lacemaker.workflow.progress.Progress`."""
        self._console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """See :class:`lacemaker.workflow.progress.Progress`."""
        from rich.text import Text

        self._console.print(Text.assemble(("warning: ", "yellow"), text))


def progress_for(stream: TextIO | None = None) -> Progress:
    """A live bar where `stream` (default: standard error) is a capable terminal, plain lines elsewhere."""
    stream = sys.stderr if stream is None else stream
    live = stream.isatty() and os.environ.get("TERM") != "dumb" and "SLURM_JOB_ID" not in os.environ
    return RichProgress(stream) if live else PlainProgress(stream)
