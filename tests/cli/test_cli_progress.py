"""Progress displays: plain lines are rare, timestamped and true; a terminal gets a bar."""

import io
import re

import pytest

from lacemaker.cli.progress import PlainProgress, RichProgress, progress_for
from lacemaker.workflow.progress import SilentProgress, StageTimer, duration


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_plain_lines_come_at_most_every_interval():
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, interval=10.0, clock=clock)
    with progress.stage("rows", "frames") as advance:
        for done in range(1, 101):
            clock.now += 0.5
            advance(done, 100)
    lines = stream.getvalue().splitlines()
    assert [line[10:] for line in lines] == [
        "rows …",
        "rows: 20/100 frames (20 %), 40 s left",
        "rows: 40/100 frames (40 %), 30 s left",
        "rows: 60/100 frames (60 %), 20 s left",
        "rows: 80/100 frames (80 %), 10 s left",
        "rows: done in 50 s",
    ]
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)


def test_plain_lines_say_when_a_stage_stops():
    stream = io.StringIO()
    progress = PlainProgress(stream)
    with pytest.raises(KeyboardInterrupt), progress.stage("rows"):
        raise KeyboardInterrupt
    assert "rows: stopped after 0.0 s" in stream.getvalue()


def test_remarks_of_several_lines_are_stamped_line_by_line():
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.note("a\nb")
    progress.warn("mind")
    lines = stream.getvalue().splitlines()
    assert [line[10:] for line in lines] == ["a", "b", "WARNING: mind"]


def test_a_terminal_gets_finished_stages_as_lines():
    stream = io.StringIO()
    progress = RichProgress(stream)
    with progress.stage("rows", "frames") as advance:
        advance(1, 2)
    progress.note("label [bold] stays as written")
    progress.warn("mind [red]")
    text = stream.getvalue()
    assert "✓ rows" in text
    assert "label [bold] stays as written" in text
    assert "warning: mind [red]" in text


def test_the_display_suits_the_stream(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert isinstance(progress_for(Terminal()), RichProgress)
    assert isinstance(progress_for(io.StringIO()), PlainProgress)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert isinstance(progress_for(Terminal()), PlainProgress)
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress_for(Terminal()), PlainProgress)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_read_well(seconds, words):
    assert duration(seconds) == words


def test_stages_are_timed_and_repeated_names_add_up():
    import time

    timer = StageTimer(SilentProgress())
    for _ in range(2):
        with timer.stage("a"):
            time.sleep(0.01)
    with timer.stage("b") as advance:
        advance(1, 1)
    times = timer.to_dict()
    assert list(times) == ["a", "b"]
    assert times["a"]["wall_s"] >= 0.02
    assert times["a"]["cpu_s"] <= times["a"]["wall_s"]
