"""lace demo: the whole way in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lacemaker.cli.codes import PARTIAL


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "lace-demo"
    ),
    md_steps: Annotated[int, typer.Option("--md-steps", min=0, help="Steps of the closing MD run.")] = 300,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads to use.")] = None,
) -> None:
    """Fit two silicon potentials to the bundled DFT set.

    Shows errors, writes a report and runs a short molecular dynamics.
    """
    from lacemaker.analysis import errors_text
    from lacemaker.cli.progress import progress_for
    from lacemaker.workflow.demo import demo as run_demo

    result = run_demo(output, md_steps=md_steps, threads=threads, progress=progress_for())
    for name, fitted in (("small", result.small), ("large", result.large)):
        print(f"\n{name} potential, {len(fitted.potential.columns)} functions")
        print(errors_text(fitted.errors, ["mae"]))
    if result.md is not None:
        print(f"\nMD: {result.md.verdict}")
    print(f"\nresults in {result.folder}: potential.lace, small/potential.lace, summary.json, report.html")
    print(
        f"next: open {result.folder}/report.html, change {result.folder}/config.yaml and run `lace fit` on it"
    )
    if result.small.problems or result.large.problems:
        raise typer.Exit(PARTIAL)
