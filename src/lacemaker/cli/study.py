"""lace study: how well a fit carries over to crystal defects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from lacemaker.report.page import Section
    from lacemaker.studies.run import StudyResult

study = typer.Typer(
    name="study",
    help="Study how errors of a fit carry over to crystal defects.",
    no_args_is_help=True,
)


@study.command()
def defects(
    config: Annotated[Path, typer.Argument(help="YAML file; see docs/defect_study.md.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results.")] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, help="Processes for fits and relaxations.")
    ] = 1,
) -> None:
    """Fit with several kinds of data, cell sizes and degrees; test on relaxed defects; say what to add next.

    Writes study.html, study.json and cases.csv. A killed run continues where it was when the same command
    runs again.
    """
    from lacemaker.cli.progress import progress_for
    from lacemaker.studies.config import study_config
    from lacemaker.studies.run import study_defects

    settings = study_config(config)
    if output is not None:
        settings = settings.model_copy(update={"output": str(output.absolute())})
    with _pool(workers) as executor:
        result = study_defects(settings, executor=executor, progress=progress_for())
    finish(result)


class _NoPool:
    """Everything in this process."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *details: object) -> None:
        return None


def _pool(workers: int) -> Executor | _NoPool:
    if workers == 1:
        return _NoPool()
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def finish(result: StudyResult, extra: Sequence[Section] = ()) -> None:
    """Write the page and tables of a study, print its table and verdict."""
    from lacemaker.report.study_page import study_page
    from lacemaker.studies.results import rows_of, write_tables
    from lacemaker.studies.text import study_text
    from lacemaker.studies.verdict import judge_study
    from lacemaker.workflow.outputs import write_text

    verdict = judge_study(result)
    write_tables(result, verdict)
    write_text(result.folder / "study.html", study_page(result, verdict, extra))
    print(study_text(rows_of(result)))
    print()
    for item in verdict:
        print(f"[{item.level}] {item.text}")
    print(f"\nresults in {result.folder}: study.html, study.json, cases.csv")


@study.command()
def slopes(
    config: Annotated[Path, typer.Argument(help="YAML file; see docs/defect_study.md.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results.")] = None,
) -> None:
    """How fast the reference's own defects converge with the radius of a clamped ball; writes slopes.html."""
    from lacemaker.cli.progress import progress_for
    from lacemaker.report.slopes_page import slopes_page
    from lacemaker.studies.clusters import ball_convergence, slopes_config
    from lacemaker.workflow.outputs import output_folder, versions, write_json, write_text

    settings = slopes_config(config)
    if output is not None:
        settings = settings.model_copy(update={"output": str(output.absolute())})
    folder = output_folder(settings.output)
    found = ball_convergence(settings, progress=progress_for())
    write_json(folder / "slopes.json", {"versions": versions(), "balls": [one.to_dict() for one in found]})
    write_text(folder / "slopes.html", slopes_page(found, settings.reference.kind))
    for one in found:
        print(one)
    print(f"\nresults in {folder}: slopes.html, slopes.json")


@study.command()
def model(
    potential: Annotated[Path, typer.Argument(help="A .lace file.")],
    config: Annotated[Path, typer.Argument(help="YAML file: reference, crystal, defects, sizes.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results.")] = None,
) -> None:
    """Measure one fitted potential on a crystal and its defects; writes generalisation.html and .json."""
    from lacemaker.cli.progress import progress_for
    from lacemaker.potential import Potential
    from lacemaker.report.generalisation_page import generalisation_page
    from lacemaker.studies.config import study_config
    from lacemaker.studies.generalisation import generalisation_report
    from lacemaker.studies.quiet import quiet
    from lacemaker.studies.references import make_reference
    from lacemaker.workflow.outputs import output_folder, versions, write_json, write_text

    settings = study_config(config)
    folder = output_folder(settings.output if output is None else output)
    given, where = settings.reference, settings.crystal
    fitted = Potential.load(potential)
    reference = make_reference(given.kind, file=given.file, arguments=given.arguments)
    with quiet():
        crystal = reference.crystal(where.structure, where.element, where.lattice_constant)
    report = generalisation_report(
        fitted,
        reference,
        crystal,
        settings.defects,
        sizes=settings.sizes[-2:],
        folder=folder / "work" / "equilibria",
        progress=progress_for(),
    )
    write_json(folder / "generalisation.json", {"versions": versions(), **report.to_dict()})
    write_text(folder / "generalisation.html", generalisation_page(report))
    print(report)
    print(f"\nresults in {folder}: generalisation.html, generalisation.json")
