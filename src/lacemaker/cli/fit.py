"""lace fit: from a configuration to a potential."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lacemaker.cli.codes import PARTIAL


def fit(
    config: Annotated[Path, typer.Argument(help="YAML file; `lace init` writes a template.")],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say how large and how long it will be, and check the input."),
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads to use.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Skip report.html.")] = False,
) -> None:
    """Fit a potential; writes its file, a summary and a report.

    Writes potential.lace, summary.json, report.html and the effective configuration. A killed fit continues
    where it stopped when the same command runs again.
    """
    from lacemaker.cli.progress import progress_for
    from lacemaker.config import load_config

    settings = load_config(config)
    changes = {
        "output": None if output is None else str(output.absolute()),
        "threads": threads,
        "report": False if no_report else None,
    }
    settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
    if dry_run:
        from lacemaker.workflow.dry_run import dry_run as plan

        print(plan(settings).text())
        return
    from lacemaker.analysis import errors_text
    from lacemaker.workflow import fit as run_fit

    result = run_fit(settings, progress=progress_for())
    if result.errors:
        print()
        print(errors_text(result.errors))
    print(f"\nresults in {result.folder}")
    if result.problems:
        raise typer.Exit(PARTIAL)
