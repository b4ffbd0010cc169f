"""`lace fit`: what it writes, what it says, and that a finished fit is never lost."""

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests_cli_data import config_with

from lacemaker import Potential
from lacemaker.cli import main

TOP_KEYS = [
    "format",
    "created",
    "versions",
    "potential",
    "elements",
    "cutoff_A",
    "basis",
    "e0_eV",
    "fit",
    "data",
    "errors",
    "extrapolation_grade",
    "dimers",
    "volume_scans",
    "speed",
    "timings",
    "peak_memory_MiB",
    "warnings",
    "problems",
]


def test_a_fit_writes_everything_and_reproduces_its_data(fitted):
    assert {path.name for path in fitted.iterdir()} == {
        "potential.lace",
        "summary.json",
        "report.html",
        "config.effective.yaml",
    }
    summary = json.loads((fitted / "summary.json").read_text(encoding="utf-8"))
    assert list(summary) == TOP_KEYS
    assert set(summary["errors"]) == {"train", "test"}
    assert list(summary["errors"]["test"]) == ["diamond", "fcc", "bcc", "dimer", "total"]
    assert summary["errors"]["test"]["total"]["forces_mae_eV_per_A"] < 0.3
    assert summary["problems"] == []
    assert Potential.load(fitted / "potential.lace").metadata["errors"] == summary["errors"]


def test_the_same_fit_gives_the_same_file(fitted, job):
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    again = (job / "out" / "potential.lace").read_bytes()
    first = Potential.load(fitted / "potential.lace")
    assert np.array_equal(first.coefficients, Potential.from_bytes(again).coefficients)
    assert again == (fitted / "potential.lace").read_bytes()


def test_the_effective_configuration_repeats_the_fit(fitted, tmp_path):
    assert (
        main(["fit", str(fitted / "config.effective.yaml"), "-o", str(tmp_path / "again"), "--no-report"])
        == 0
    )
    assert (tmp_path / "again" / "potential.lace").read_bytes() == (fitted / "potential.lace").read_bytes()


def test_extrapolation_grades_are_kept_where_cheap_or_wanted(fitted, job):
    from lacemaker.uncertainty.storage import has_extrapolation_grade

    summary = json.loads((fitted / "summary.json").read_text(encoding="utf-8"))
    found = summary["extrapolation_grade"]["Si"]
    assert 0 < found["rank"] <= found["functions"]
    assert has_extrapolation_grade(Potential.load(fitted / "potential.lace"))
    config = job / "config.yaml"
    config.write_text(config.read_text() + "extrapolation_grade: false\n")
    assert main(["fit", str(config), "--no-report"]) == 0
    assert not has_extrapolation_grade(Potential.load(job / "out" / "potential.lace"))


def test_progress_off_a_terminal_is_plain_timestamped_lines(job):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from lacemaker.cli import main; sys.exit(main())",
            "fit",
            "config.yaml",
        ],
        cwd=job,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stderr.splitlines()
    assert len(lines) > 10
    assert all(re.match(r"\d\d:\d\d:\d\d( |$)", line) for line in lines), done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "\r" not in done.stderr
    assert any("assembling rows: done in" in line for line in lines)
    assert "TOTAL" in done.stdout
    assert "results in" in done.stdout


def test_python_api_returns_what_it_writes(job):
    import lacemaker

    result = lacemaker.fit(job / "config.yaml")
    assert result.problems == ()
    assert result.errors["test"].to_dict() == result.summary["errors"]["test"]
    table = lacemaker.evaluate(result.potential, job / "test.xyz")
    assert table.total == result.errors["test"].total
    assert lacemaker.load(job / "out" / "potential.lace").elements == ("Si",)


def test_dry_run_says_sizes_and_fits_nothing(job, capsys):
    assert main(["fit", str(job / "config.yaml"), "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert not (job / "out").exists()
    n_rows = sum(
        int(count)
        for count in re.findall(r"(\d+) (?:energy|forces|virial)", text.split("rows (")[1].split(")")[0])
    )
    assert f"{n_rows} rows" in text
    assert re.search(r"memory +\d+ MiB at the peak", text)
    assert re.search(r"time +[\d.]+ s on 1 threads", text)
    assert "2-body  3-body  4-body  pair  total" in text
    assert re.search(r"[\d.]+ µs/atom", text)
    assert "nothing was fitted" in text


def test_isolated_atoms_give_e0_and_otherwise_it_is_fitted(job, capsys):
    from ase import Atoms
    from ase.io import read, write

    frames = read(job / "train.xyz", ":")
    for frame in frames:  # ASE moved nothing: labels carry a prefix
        frame.info["REF_energy"] += -3.5 * len(frame)
    alone = Atoms("Si", info={"REF_energy": -3.5, "config_type": "IsolatedAtom"})
    alone.arrays["REF_forces"] = np.zeros((1, 3))
    write(job / "train.xyz", [*frames, alone])
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    assert "E0 (isolated_atoms): Si -3.5 eV" in capsys.readouterr().err
    assert Potential.load(job / "out" / "potential.lace").e0 == pytest.approx([-3.5])
    write(job / "train.xyz", frames)
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    assert "E0: fitted together with the coefficients" in capsys.readouterr().err


def test_an_e0_that_binds_atoms_apart_is_told(job, capsys):
    """Labels turned upside down: repulsive at all distances, and so above the atoms apart."""
    from ase.io import read, write

    frames = read(job / "train.xyz", ":")
    for frame in frames:
        frame.info["REF_energy"] *= -1.0
        frame.info.pop("REF_stress", None)
        frame.arrays["REF_forces"] *= -1.0
    write(job / "train.xyz", frames)
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    assert "atoms apart are more stable than the training structures" in capsys.readouterr().err


def test_test_fraction_holds_frames_out(job):
    config_with(job, "test: test.xyz", "test_fraction: 0.25, seed: 3")
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    data = json.loads((job / "out" / "summary.json").read_text(encoding="utf-8"))["data"]
    assert data["train"]["n_frames"] + data["test"]["n_frames"] == 27
    assert 5 <= data["test"]["n_frames"] <= 8


def test_a_split_named_in_the_file_is_respected(job):
    from ase.io import read, write

    frames = read(job / "train.xyz", ":")
    for k, frame in enumerate(frames):
        frame.info["split"] = "test" if k % 5 == 0 else "train"
    write(job / "train.xyz", frames)
    config_with(job, ", test: test.xyz", "")
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    data = json.loads((job / "out" / "summary.json").read_text(encoding="utf-8"))["data"]
    assert (data["train"]["n_frames"], data["test"]["n_frames"]) == (21, 6)


def test_a_split_by_labels_that_are_not_there_is_refused(job, capsys):
    config_with(job, "test: test.xyz", "split_by: label")
    assert main(["fit", str(job / "config.yaml")]) == 2
    assert "nothing under the key 'split'" in capsys.readouterr().err


def test_structures_in_both_sets_are_noticed(job, capsys):
    config_with(job, "test: test.xyz", "test: train.xyz")
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    assert (
        "WARNING: Test structures also stand in the training set. Found: 27 of 27" in capsys.readouterr().err
    )
    summary = json.loads((job / "out" / "summary.json").read_text(encoding="utf-8"))
    assert "Test structures also stand" in summary["warnings"][0]


@pytest.mark.parametrize("broken", ["lacemaker.analysis.predict", "lacemaker.report.build_report"])
def test_a_failing_table_or_report_does_not_lose_the_fit(job, capsys, monkeypatch, broken):
    def fail(*args, **kwargs):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(broken, fail)
    assert main(["fit", str(job / "config.yaml")]) == 3
    assert "the potential is safe. Found: RuntimeError: no such luck" in capsys.readouterr().err
    assert Potential.load(job / "out" / "potential.lace").predict_many([]) == []
    summary = json.loads((job / "out" / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["problems"]) == 1
    assert "RuntimeError: no such luck" in (job / "out" / "problem.log").read_text(encoding="utf-8")
    monkeypatch.undo()
    assert main(["fit", str(job / "config.yaml")]) == 0
    assert not (job / "out" / "problem.log").exists()


def test_a_full_disk_after_the_fit_leaves_the_potential(job, capsys, monkeypatch):
    import errno

    from lacemaker.workflow import fitting, outputs

    def full(path, text):
        if path.name != fitting.EFFECTIVE:
            raise outputs.LacemakerError(
                f"{path} could not be written. Found: {OSError(errno.ENOSPC, 'No space left')}"
            )

    monkeypatch.setattr(fitting, "write_text", full)
    monkeypatch.setattr(outputs, "write_text", full)
    assert main(["fit", str(job / "config.yaml")]) == 3
    assert "No space left" in capsys.readouterr().err
    assert len(Potential.load(job / "out" / "potential.lace").columns) > 10


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    from lacemaker.errors import LacemakerError
    from lacemaker.workflow.outputs import write_text

    target = tmp_path / "summary.json"
    write_text(target, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(LacemakerError, match=r"could not be written.*No space left"):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


SLOW_FIT = """
import sys, time
from contextlib import contextmanager
import lacemaker.cli.progress as shown
from lacemaker.cli import main

class Slow(shown.PlainProgress):
    @contextmanager
    def stage(self, name, unit=""):
        with super().stage(name, unit):
            def advance(done, total):
                print(done, flush=True)
                time.sleep(2.0 if done > total / 2 else 0.0)
            yield advance if name == "assembling rows" else lambda done, total: None

shown.progress_for = lambda: Slow(sys.stderr)
sys.exit(main(["fit", "config.yaml", "--no-report"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "run the same command again to continue"),
        (signal.SIGTERM, 143, "submit the same command again to continue"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_a_killed_fit_continues_where_it_stopped(fitted, job, number, code, words):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_FIT], cwd=job, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    chunks = job / "out" / "chunks"
    deadline = time.monotonic() + 60
    while not list(chunks.glob("chunk-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert words in errors
    assert "Traceback" not in errors
    assert not (job / "out" / "potential.lace").exists()
    finished = len(list(chunks.glob("chunk-*")))
    assert finished >= 1
    stamps = {path.name: path.stat().st_mtime_ns for path in chunks.glob("chunk-*")}
    config_with(job, "threads: 1", "threads: 1\nkeep_chunks: true")
    assert main(["fit", str(job / "config.yaml"), "--no-report"]) == 0
    assert {
        name: (chunks / name).stat().st_mtime_ns for name in stamps
    } == stamps  # read back, not made again
    assert len(list(chunks.glob("chunk-*"))) > finished
    resumed = Potential.load(job / "out" / "potential.lace")
    assert np.array_equal(resumed.coefficients, Potential.load(fitted / "potential.lace").coefficients)
