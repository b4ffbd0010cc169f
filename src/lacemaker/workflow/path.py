"""A path of sparse models from a configuration to its output folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.regression.fit import COMMITTEE_SIZE
from lacemaker.workflow.data import check_elements, load_sets
from lacemaker.workflow.fitting import (
    POTENTIAL,
    YACE,
    collect_warnings,
    make_basis,
    reference_e0,
    single_thread_blas,
    threads,
)
from lacemaker.workflow.grading import with_grade
from lacemaker.workflow.outputs import output_folder, plain, versions, write_json, write_text
from lacemaker.workflow.progress import Progress, SilentProgress, StageTimer

if TYPE_CHECKING:
    from lacemaker.config import Config
    from lacemaker.potential import Potential
    from lacemaker.regression import TriangularSystem
    from lacemaker.regression.path import ModelPath, PathModel
    from lacemaker.regression.solvers.path_base import PathSolver
    from lacemaker.workflow.data import Sets

__all__ = ["PathResult", "choose_model", "export", "path"]

PATH, PAGE, INTERACTIVE, FIGURES = "models.path", "path.html", "path-interactive.html", "path.json"
_PARTS = 20  # validation structures are drawn in twentieths, stratified by config_type


@dataclass(frozen=True, eq=False)
class PathResult:
    """What a path left behind: models.path, path.html, path.json and the chosen potential.lace.

    Attributes
    ----------
    folder : Path
    path : ModelPath
    chosen : PathModel
    """

    folder: Path
    path: ModelPath
    chosen: PathModel


def path(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    solver: Any = None,
    validation: float = 0.15,
    choice: Mapping[str, float | bool] | None = None,
    interactive: bool = False,
    progress: Progress | None = None,
) -> PathResult:
    """Trace a path as a configuration says, measure every model and save one of them.

    Parameters
    ----------
    config : path, mapping or Config
        As for :func:`lacemaker.fit`.
    solver : PathSolver, name or table, optional
        By default the configuration's, if it is one (``asp``, ``omp``), else ASP.
    validation : float
        Share of the training structures that choose the supports; the coefficients are then refitted on all.
        0 leaves the choice to the evidence.
    choice : mapping, optional
        One of ``{"size": n}``, ``{"within": factor}``, ``{"cost": µs/atom}``, ``{"evidence": True}``.
    interactive : bool
        Also write a page on which one slides along the path (needs plotly).
    progress : Progress, optional

    Raises
    ------
    ConfigError, DataError, BasisError, SolverError
    LacemakerError
        If an interactive page is asked for without plotly; before anything is computed.
    """
    from lacemaker.config import config_from

    settings = config_from(config)
    if interactive:
        from lacemaker.report.path_interactive import require_plotly

        require_plotly()
    show = progress or SilentProgress()
    timer = StageTimer(show)
    method = _path_solver(settings, solver)
    with collect_warnings(show.warn):
        with timer.stage("reading structures"):
            sets = load_sets(settings.data, settings.total_energies())
        with timer.stage("building the basis"):
            basis = make_basis(settings.model_copy(update={"solver": method}), sets.train.elements)
            for name, frames in sets.items():
                check_elements(frames, basis.elements, name)
        show.note(str(basis.counts()))
        system = _system(settings, sets, basis, validation, timer)
        options = {"prior": settings.prior, "e0": reference_e0(settings, sets, basis.elements)}
        with timer.stage(f"{method.kind} path"), single_thread_blas():
            models = _solve(system, method, options)
        models = _measured(models, sets, timer, threads(settings))
        chosen = choose_model(models, choice or {})
        folder = output_folder(settings.output)
        models.save(folder / PATH)
        size = settings.uncertainty
        potential = export(chosen, folder / POTENTIAL, size=size, data=sets.facts(settings))
        graded, facts = with_grade(settings, potential, sets.train, timer)
        if facts:
            graded.save(folder / POTENTIAL)
        if settings.export:
            from lacemaker.deploy.yace import export_yace

            show.note(str(export_yace(potential, folder / YACE)))
        with timer.stage("report"):
            _write_pages(folder, models, chosen, interactive, timer)
    return PathResult(folder, models, chosen)


def choose_model(models: ModelPath, choice: Mapping[str, float | bool]) -> PathModel:
    """The model of a size, error, cost or evidence; by default see :meth:`ModelPath.select`."""
    given = {name: value for name, value in choice.items() if value is not None and value is not False}
    if "size" in given:
        return models.by_size(int(given["size"]))
    if "within" in given:
        return models.within(float(given["within"]))
    if "cost" in given:
        return models.by_cost(float(given["cost"]))
    return models.by_evidence() if "evidence" in given else models.select()


def export(model: PathModel, file: Path, *, size: int = COMMITTEE_SIZE, **metadata: Any) -> Potential:
    """Save one model of a path as a potential, with posterior samples where its coefficients have them."""
    fit = {key: value for key, value in model.fit.to_dict().items() if key != "timings_s"}
    errors = {name: {"mae": dict(row)} for name, row in model.mae.items()}
    details = {"versions": versions(), "fit": fit, "errors": errors, "path": model.to_dict(), **metadata}
    potential = model.potential().with_metadata(**plain(details))
    committee = model.committee(size) if size else None
    if committee is not None:
        from lacemaker.uncertainty import attach_deviations

        potential = attach_deviations(potential, committee)
    potential.save(file)
    return potential


def _path_solver(config: Config, solver: Any) -> PathSolver:
    from lacemaker.regression.solvers import parse_solver
    from lacemaker.regression.solvers.asp import ASP
    from lacemaker.regression.solvers.path_base import PathSolver

    method = parse_solver(solver) if solver is not None else config.solver
    return method if isinstance(method, PathSolver) else ASP()


def _system(config: Config, sets: Sets, basis: Any, validation: float, timer: StageTimer) -> TriangularSystem:
    """Rows of the training set; fold 0 is for validation, fold 1 is the rest."""
    from lacemaker.regression import assemble
    from lacemaker.structures import fold_numbers

    folds = None
    count = round(validation * _PARTS)
    if count > 0 and len(sets.train) >= 2 * _PARTS:
        parts = np.asarray(fold_numbers(sets.train, _PARTS, seed=config.data.seed))
        folds = np.where(parts < 0, parts, np.where(parts < count, 0, 1))
    elif count > 0:
        folds = np.asarray(fold_numbers(sets.train, max(2, round(1.0 / validation)), seed=config.data.seed))
        folds = np.where(folds > 0, 1, folds)
    with timer.stage("assembling rows", "rows") as advance:
        return assemble(
            basis,
            sets.train,
            weights=config.row_weights() or None,
            folds=None if folds is None else folds.tolist(),
            restraint=config.repulsion.restraint,
            n_threads=threads(config),
            progress=advance,
        )


def _solve(system: TriangularSystem, method: PathSolver, options: Mapping[str, Any]) -> ModelPath:
    """Supports from the training part, coefficients from all rows."""
    from lacemaker.regression import solve

    if len(system.folds) < 2:
        return solve(system, solver=method, **options)
    models = solve(system, solver=method, validation=0, **options)
    return models.refitted(system, **options) if method.refit == "evidence" else models


def _measured(models: ModelPath, sets: Sets, timer: StageTimer, n_threads: int) -> ModelPath:
    with timer.stage("cost of every model", "models") as advance:
        models = models.measured(advance=advance)
    if sets.test is not None:
        with timer.stage("test errors of every model", "models") as advance:
            models = models.tested("test", sets.test, n_threads=n_threads, advance=advance)
    return models


def _write_pages(
    folder: Path, models: ModelPath, chosen: PathModel, interactive: bool, timer: StageTimer
) -> None:
    from lacemaker.report.path_page import path_page

    write_text(folder / PAGE, path_page(models, chosen))
    if interactive:
        from lacemaker.report.path_interactive import interactive_page

        write_text(folder / INTERACTIVE, interactive_page(models, chosen))
    facts = {"created": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "versions": versions(), "chosen": chosen.size}
    write_json(folder / FIGURES, {**facts, **models.to_dict(), "timings": timer.to_dict()})
