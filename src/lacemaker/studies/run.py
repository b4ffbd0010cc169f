"""The study: reference, training data, one triangular system, then every case of the table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacemaker.studies.balls import ball
from lacemaker.studies.cases import Case, Laboratory, cases_of, code_fingerprint, positions_within, run_case
from lacemaker.studies.config import StudyConfig, study_config
from lacemaker.studies.crystals import Crystal
from lacemaker.studies.defects import DefectCell, defect_cell
from lacemaker.studies.equilibria import Equilibrium, load_equilibrium, relax_reference, structure_key
from lacemaker.studies.observations import MIXED_STRAINS, core_name
from lacemaker.studies.quiet import quiet
from lacemaker.studies.references import Reference, make_reference
from lacemaker.studies.training import core_samples, label, lattice_samples, with_force_constants
from lacemaker.workflow.outputs import output_folder
from lacemaker.workflow.progress import Progress, SilentProgress, StageTimer

__all__ = ["StudyResult", "prepare", "study_defects"]


@dataclass(frozen=True, eq=False)
class StudyResult:
    """Results of a study.

    Attributes
    ----------
    config : StudyConfig
    reference : str
    crystal : Crystal
    cases : list of dict
        One per fit: size, observations, degree, fit, lattice, defects.
    defects : dict
        By defect: atoms of the test cell, reference formation energy (eV), whether relaxation is visible.
    timings : dict
        Seconds by stage.
    folder : Path
    """

    config: StudyConfig
    reference: str
    crystal: Crystal
    cases: list[dict[str, Any]]
    defects: dict[str, dict[str, Any]]
    timings: dict[str, dict[str, float]]
    folder: Path


def study_defects(
    source: StudyConfig | Mapping[str, Any] | str | Path,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """Run a study, or what of it is still missing.

    Reference labels, reference equilibria, assembled chunks and finished cases are kept in the output folder
    under the hash of their contents; after a kill the same call loses at most the one under way.

    Parameters
    ----------
    source : StudyConfig, mapping or path of a YAML file
    executor : concurrent.futures.Executor, optional
        Where fits and their tests run, one case a task; by default one after the other here. Workers must see
        the output folder.
    progress : Progress, optional

    Raises
    ------
    ConfigError, DataError, SolverError
    """
    config = study_config(source)
    timer = StageTimer(progress or SilentProgress())
    laboratory, reference, defects = prepare(config, timer)
    with timer.stage("fits and relaxations", "cases") as advance, quiet():
        results = _run_all(laboratory, cases_of(config), executor, advance)
    return StudyResult(
        config, reference.name, laboratory.crystal, results, defects, timer.to_dict(), Path(config.output)
    )


def prepare(config: StudyConfig, timer: Any) -> tuple[Laboratory, Reference, dict[str, dict[str, Any]]]:
    """Everything the cases share: crystal, equilibria, labels, triangular system."""
    folder = output_folder(config.output)
    reference = make_reference(
        config.reference.kind, file=config.reference.file, arguments=config.reference.arguments
    )
    work = folder / "work"
    with timer.stage("crystal"), quiet():
        given = config.crystal
        crystal = reference.crystal(given.structure, given.element, given.lattice_constant)
    jobs = [(name, n) for name in config.defects for n in [*config.sizes, None]]
    files: dict[tuple[str, int | None], Path] = {}
    with timer.stage("reference equilibria", "defects") as advance, quiet():
        cells = [_cell(name, crystal, n, config, reference) for name, n in jobs]  # mistakes show first
        for done, ((name, n), (defect, free)) in enumerate(zip(jobs, cells, strict=True)):
            advance(done, len(jobs))
            files[name, n] = relax_reference(
                defect, reference, folder=work / "equilibria", free=free, with_hessian=n is None
            )
    structures = []
    for size in config.sizes:
        relaxed = [load_equilibrium(files[name, size]).atoms for name in config.defects]
        samples = core_samples(crystal.supercell(size), relaxed, config.samples, config.rattle, config.seed)
        structures += [(core_name(size), atoms) for atoms in samples]
    lattice = lattice_samples(crystal, config)
    with timer.stage("reference labels", "structures") as advance, quiet():
        frames = label(structures + lattice, reference, work / "labels", advance)
    frames = with_force_constants(frames, crystal.supercell(config.bulk.size), config.bulk.displacement)
    basis, columns = _bases(config, frames)
    _assemble(basis, [f for f in frames if f.config_type != MIXED_STRAINS], work, timer)
    with quiet():
        defects = {
            name: _describe(load_equilibrium(files[name, None]), reference, crystal)
            for name in config.defects
        }
    equilibria = tuple(
        (name, str(files[name, None]), facts["formation_energy_eV"]) for name, facts in defects.items()
    )
    identity = structure_key(
        code_fingerprint(),
        reference.identity,
        [frame.content_hash() for frame in frames],
        json.dumps(basis.spec(), sort_keys=True),
        columns,
        [(Path(path).name, energy) for _, path, energy in equilibria],
        [getattr(config, name) for name in ("weights", "test", "solver", "prior", "bulk")],
    )
    laboratory = Laboratory(
        config, str(work), equilibria, crystal, columns, tuple(frames[len(structures) :]), identity
    )
    return laboratory, reference, defects


def _bases(config: StudyConfig, frames: Iterable[Any]) -> tuple[Any, tuple[tuple[int, ...], ...]]:
    """The basis of the highest degree, and where the functions of each degree stand in it."""
    elements = sorted({symbol for frame in frames for symbol in frame.symbols})
    bases = [
        config.basis.model_copy(update={"max_degree": degree}).build(elements, None)
        for degree in config.degrees
    ]
    largest = max(bases, key=lambda basis: basis.n_functions)
    return largest, tuple(positions_within(largest, basis) for basis in bases)


def _assemble(basis: Any, frames: list[Any], work: Path, timer: Any) -> None:
    from lacemaker.regression import assemble

    with timer.stage("triangular system", "rows") as advance:
        system = assemble(basis, frames, workdir=work / "chunks", progress=advance)
        system.save(work / "system.safetensors")


def _cell(
    name: str, crystal: Crystal, n: int | None, config: StudyConfig, reference: Reference
) -> tuple[DefectCell, Any]:
    """A training cell of n³ cells, or the test structure (n None), and which of its atoms are free."""
    test = config.test
    if n is not None or test.radius is None:
        return defect_cell(name, crystal, n or test.size, reference.calculator), None
    radius = test.radius * crystal.nearest_neighbour
    defect = ball(name, crystal, radius, test.buffer)
    return defect, defect.distances() <= radius


def _describe(state: Equilibrium, reference: Reference, crystal: Crystal) -> dict[str, Any]:
    relaxation = state.start_energy - state.energy
    return {
        "n_atoms": len(state.atoms),
        "formation_energy_eV": state.energy - state.bulk_energy(reference.calculator, crystal.energy),
        "relaxation_energy_eV": relaxation,
        "force_free": relaxation < 1e-6,
        "exact_hessian": state.exact_hessian,
    }


def _run_all(
    laboratory: Laboratory, cases: list[Case], executor: Executor | None, advance: Any
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = [{} for _ in cases]
    advance(0, len(cases))
    if executor is None:
        for k, case in enumerate(cases):
            results[k] = run_case(laboratory, case)
            advance(k + 1, len(cases))
        return results
    futures = {executor.submit(run_case, laboratory, case): k for k, case in enumerate(cases)}
    for done, future in enumerate(as_completed(futures), 1):
        results[futures[future]] = future.result()
        advance(done, len(cases))
    return results
