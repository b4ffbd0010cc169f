"""A fit from a configuration to its output folder."""

from __future__ import annotations

import shutil
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.errors import LacemakerError, LacemakerWarning
from lacemaker.workflow.data import Sets, check_elements, load_sets
from lacemaker.workflow.outputs import (
    SUMMARY_FORMAT,
    output_folder,
    peak_memory_mib,
    versions,
    write_json,
    write_text,
)
from lacemaker.workflow.progress import Progress, SilentProgress, StageTimer

if TYPE_CHECKING:
    from lacemaker.analysis import ErrorTable
    from lacemaker.basis import ACEBasis
    from lacemaker.config import Config
    from lacemaker.potential import Potential
    from lacemaker.regression import Fit
    from lacemaker.report.labelled import LabelledSet
    from lacemaker.structures import Frames

__all__ = ["FitResult", "fit", "make_basis", "make_fit"]

POTENTIAL, SUMMARY, REPORT = "potential.lace", "summary.json", "report.html"
YACE = "potential.yace"
PARALLEL_BLAS_FROM = 2000  # columns; below, two threads on a busy machine were 20 times slower than one
EFFECTIVE, CHUNKS, PROBLEMS = "config.effective.yaml", "chunks", "problem.log"


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit left behind.

    Attributes
    ----------
    folder : Path
        Holds potential.lace, summary.json, report.html and config.effective.yaml.
    potential : Potential
    errors : mapping of "train" and "test" to ErrorTable
    summary : mapping
        The contents of summary.json.
    problems : tuple of str
        What failed after the potential was saved; empty if all went well.
    """

    folder: Path
    potential: Potential
    errors: Mapping[str, ErrorTable]
    summary: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def fit(config: Config | Mapping[str, Any] | str | Path, *, progress: Progress | None = None) -> FitResult:
    """Fit a potential as a configuration says and write the results to its output folder.

    Parameters
    ----------
    config : path, mapping or Config
        A YAML file, or the same as a dictionary.
    progress : Progress, optional
        Where to show progress; silent by default.

    Returns
    -------
    FitResult

    Raises
    ------
    ConfigError, DataError, BasisError, SolverError
        With what is wrong, what was found and what to do. Nothing is lost by running again: finished chunks
        of rows are kept until the fit has succeeded.
    """
    from lacemaker.config import config_from, effective_yaml

    settings = config_from(config)
    run = _Run(settings, StageTimer(progress or SilentProgress()), progress or SilentProgress())
    with collect_warnings(run.progress.warn) as run.warnings:
        run.folder = output_folder(settings.output)
        header = (
            f"Configuration in effect, written by lacemaker {versions()['lacemaker']}; runs with `lace fit`."
        )
        run.config_text = effective_yaml(settings, run.folder, header)
        write_text(run.folder / EFFECTIVE, run.config_text)
        (run.folder / PROBLEMS).unlink(missing_ok=True)
        return run.go()


@contextmanager
def collect_warnings(show: Callable[[str], None]) -> Iterator[list[str]]:
    """Send lacemaker's warnings to `show` as they come and keep them for the report; others pass through."""
    kept: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", LacemakerWarning)
        pass_on = warnings.showwarning

        def catch(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, LacemakerWarning):
                pass_on(message, category, *where, **more)
            elif str(message) not in kept:
                kept.append(str(message))
                show(str(message))

        warnings.showwarning = catch
        yield kept


def make_basis(config: Config, elements: tuple[str, ...]) -> ACEBasis:
    """The basis a configuration asks for, given the elements of the data; ConfigError if not exportable."""
    basis = config.basis.build(elements, config.repulsion.core)
    config.check_export(basis)
    return basis


def reference_e0(config: Config, sets: Sets, elements: tuple[str, ...]) -> Any:
    """What to pass to `solve` as `e0`: energies of isolated atoms where all elements have one, else "fit"."""
    from lacemaker.structures import reference_energies

    method = config.e0
    if method == "auto":
        have = {symbol for frame in sets.train.isolated_atoms() for symbol in frame.symbols}
        method = "isolated_atoms" if have >= set(elements) else "fit"
    return method if method == "fit" else reference_energies(sets.train, elements, method)


def make_fit(config: Config, sets: Sets, basis: ACEBasis, timer: StageTimer, workdir: Path | None) -> Fit:
    """Assemble the rows and solve."""
    from lacemaker.regression import ModelPath, assemble, solve
    from lacemaker.regression.solving import BELOW_THE_DATA

    e0 = reference_e0(config, sets, basis.elements)
    timer.note(
        str(e0) if e0 != "fit" else "E0: fitted together with the coefficients, no isolated atoms given"
    )
    with timer.stage("assembling rows", "rows") as advance:
        system = assemble(
            basis,
            sets.train,
            weights=config.row_weights() or None,
            restraint=config.repulsion.restraint,
            workdir=workdir,
            n_threads=threads(config),
            progress=advance,
        )
    with timer.stage(f"solving for {basis.n_functions} coefficients"), blas_threads(config, basis):
        fitted: Any = solve(system, solver=config.solver, prior=config.prior, e0=e0)
    fit: Fit = fitted.select(config.solver.select).fit if isinstance(fitted, ModelPath) else fitted
    for message in fit.messages:
        if message.startswith(BELOW_THE_DATA):
            warnings.warn(message, LacemakerWarning, stacklevel=2)
    return fit


def blas_threads(config: Config, basis: ACEBasis) -> AbstractContextManager[Any]:
    """Hold BLAS to one thread for small problems, where waiting for each other costs more than it gains."""
    import scipy.linalg.cython_lapack  # noqa: F401  (a BLAS must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    limit = threads(config) if basis.n_functions >= PARALLEL_BLAS_FROM else 1
    return threadpool_limits(limits=limit, user_api="blas")


def single_thread_blas() -> AbstractContextManager[Any]:
    """Hold BLAS to one thread: the sweeps of a path are too short to share."""
    import scipy.linalg.cython_lapack  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


def threads(config: Config) -> int:
    """Threads a configuration asks for."""
    from lacemaker.potential import default_threads

    return config.threads or default_threads()


def _without_times(fit: dict[str, Any]) -> dict[str, Any]:
    """Facts that repeat exactly: the same fit gives the same file, byte for byte."""
    return {key: value for key, value in fit.items() if key != "timings_s"}


@dataclass(eq=False)
class _Run:
    """One fit on its way; fields fill up as the stages pass."""

    config: Config
    timer: StageTimer
    progress: Progress
    folder: Path = field(default_factory=Path)
    config_text: str = ""
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def go(self) -> FitResult:
        from lacemaker.regression.weights import check_weights

        with self.timer.stage("reading structures"):
            sets = load_sets(self.config.data, self.config.total_energies())
            check_weights(self.config.row_weights(), {frame.config_type for frame in sets.train})
        for name, frames in sets.items():
            self.progress.note(f"{name}: {len(frames)} structures, {frames.n_atoms} atoms")
        self.progress.note(str(sets.train.labels))
        with self.timer.stage("building the basis"):
            basis = make_basis(self.config, sets.train.elements)
            for name, frames in sets.items():
                check_elements(frames, basis.elements, name)
        self.progress.note(str(basis.counts()))
        workdir = self.folder / CHUNKS if self.config.resume else None
        fitted = make_fit(self.config, sets, basis, self.timer, workdir)
        potential = fitted.potential().with_metadata(
            versions=versions(), data=sets.facts(self.config), fit=_without_times(fitted.to_dict())
        )
        if self.config.uncertainty and fitted.posterior is not None:
            from lacemaker.uncertainty import attach_committee

            potential = attach_committee(potential, fitted.posterior, size=self.config.uncertainty)
        potential.save(self.folder / POTENTIAL)
        self.progress.note(f"potential saved: {self.folder / POTENTIAL}")
        return self._after(potential, fitted, sets, basis)

    def _after(self, potential: Potential, fitted: Fit, sets: Sets, basis: ACEBasis) -> FitResult:
        """Everything that may fail without losing the potential."""
        self.summary = {
            "format": SUMMARY_FORMAT,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "versions": versions(),
            "potential": POTENTIAL,
            "elements": list(potential.elements),
            "cutoff_A": potential.cutoff,
            "basis": basis.counts().to_dict(),
            "e0_eV": dict(zip(potential.elements, potential.e0.tolist(), strict=True)),
            "fit": fitted.to_dict(),
            "data": sets.facts(self.config),
            "errors": {},
            "extrapolation_grade": {},
        }
        labelled: list[LabelledSet] = []
        with self._kept("the extrapolation grade"):
            potential = self._grade(potential, sets.train)
        with self._kept("the error tables"):
            labelled = self._errors(potential, sets)
            potential = potential.with_metadata(errors=self.summary["errors"])
            potential.save(self.folder / POTENTIAL)
        if self.config.export:
            with self._kept(YACE):
                self._export(potential)
        report: dict[str, Any] = {}
        with self._kept("dimers, E(V) and speed"):
            report = self._physics(potential)
        if self.config.report:
            with self._kept("the report"), self.timer.stage("report"):
                self._report(potential, labelled, report)
        with self._kept("summary.json"):
            self.summary |= {
                "timings": self.timer.to_dict(),
                "peak_memory_MiB": peak_memory_mib(),
                "warnings": list(self.warnings),
                "problems": list(self.problems),
            }
            write_json(self.folder / SUMMARY, self.summary)
        if not self.problems and not self.config.keep_chunks:
            shutil.rmtree(self.folder / CHUNKS, ignore_errors=True)
        errors = {s.name: s.errors for s in labelled}
        return FitResult(self.folder, potential, errors, self.summary, tuple(self.problems))

    def _grade(self, potential: Potential, train: Frames) -> Potential:
        """The potential with active sets, saved; unchanged if not wanted or, with `auto`, dear."""
        from lacemaker.workflow.grading import with_grade

        graded, facts = with_grade(self.config, potential, train, self.timer)
        if facts:
            self.summary["extrapolation_grade"] = facts
            graded.save(self.folder / POTENTIAL)
        return graded

    def _export(self, potential: Potential) -> None:
        from lacemaker.deploy.yace import MAX_MEGABYTES, export_yace

        limit = 1.3 * MAX_MEGABYTES  # what the configuration was refused for is predicted to a quarter
        exported = export_yace(potential, self.folder / YACE, max_megabytes=limit)
        self.summary["yace"] = {**exported.to_dict(), "path": YACE}
        self.progress.note(str(exported))

    @contextmanager
    def _kept(self, what: str) -> Iterator[None]:
        """Turn a failure into a noted problem: the potential is already on disk."""
        try:
            yield
        except Exception as error:
            self.problems.append(f"{what}: {error or type(error).__name__}")
            self.progress.warn(
                f"{what} failed, the potential is safe. Found: {type(error).__name__}: {error}"
            )
            with suppress(LacemakerError):  # the disk may be full
                write_text(self.folder / PROBLEMS, traceback.format_exc())

    def _errors(self, potential: Potential, sets: Sets) -> list[LabelledSet]:
        from lacemaker.analysis import predict
        from lacemaker.report.labelled import LabelledSet

        labelled = []
        with self.timer.stage("errors", "structures") as advance:
            for name, frames in sets.items():
                predictions = predict(potential, frames, n_threads=threads(self.config), advance=advance)
                labelled.append(LabelledSet.of(name, potential, frames, predictions))
        self.summary["errors"] = {s.name: s.errors.to_dict() for s in labelled}
        return labelled

    def _physics(self, potential: Potential) -> dict[str, Any]:
        from lacemaker.analysis import dimer_curves, volume_scans
        from lacemaker.potential.speed import measure_speed

        with self.timer.stage("dimers, E(V), speed"):
            dimers, scans = dimer_curves(potential), volume_scans(potential)
            speed = measure_speed(potential).to_dict()
        self.summary["dimers"] = [curve.to_dict() for curve in dimers]
        self.summary["volume_scans"] = [scan.to_dict() for scan in scans]
        self.summary["speed"] = speed
        return {"dimers": dimers, "scans": scans, "speed": speed}

    def _report(self, potential: Potential, labelled: list[LabelledSet], physics: Mapping[str, Any]) -> None:
        from lacemaker.report import build_report

        extra: list[Any] = []
        with self._kept("the judgement of uncertainties"):
            extra = self._uncertainty(potential, labelled)
        text = build_report(
            potential,
            labelled,
            dimers=physics.get("dimers", ()),
            scans=physics.get("scans", ()),
            speed=physics.get("speed"),
            timings=self.timer.to_dict(),
            config_text=self.config_text,
            warnings=self.warnings,
            fit=self.summary["fit"],
            extra=extra,
        )
        write_text(self.folder / REPORT, text)

    def _uncertainty(self, potential: Potential, labelled: list[LabelledSet]) -> list[Any]:
        """The section on uncertainties, from the test structures."""
        from lacemaker.analysis.uncertainty import calibrations
        from lacemaker.report.uncertainty import uncertainty_section
        from lacemaker.uncertainty.storage import has_committee

        tests = [s for s in labelled if s.name == "test" and len(s.frames)]
        if not tests or not has_committee(potential):
            return []
        found = {s.name: calibrations(potential, s.frames) for s in tests}
        self.summary["fit"]["calibration"] = {
            name: {quantity: c.to_dict() for quantity, c in table.items()} for name, table in found.items()
        }
        return [uncertainty_section(found)]
