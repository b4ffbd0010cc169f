"""lace report: the HTML page of a fit, made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    source: Annotated[Path, typer.Argument(help="Folder of a fit or training, or a .lace file.")],
    train: Annotated[Path | None, typer.Option(help="Training structures (for a .lace file).")] = None,
    test: Annotated[Path | None, typer.Option(help="Test structures (for a .lace file).")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="HTML file to write.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads to use.")] = None,
) -> None:
    """Write the report of a fit as one self-contained HTML page.

    Errors, parity, dimers, E(V), basis, coefficients, provenance.
    """
    from lacemaker.potential import default_threads
    from lacemaker.structures import read
    from lacemaker.workflow import load
    from lacemaker.workflow.outputs import write_text
    from lacemaker.workflow.remake import report_of_folder, report_of_potential

    n_threads = threads or default_threads()
    if source.is_dir():
        text, target = report_of_folder(source, n_threads=n_threads), source / "report.html"
    else:
        given = {name: path for name, path in (("train", train), ("test", test)) if path is not None}
        sets = {name: read(str(path), require=()) for name, path in given.items()}
        text = report_of_potential(load(source), sets, n_threads=n_threads)
        target = source.with_suffix(".html")
    write_text(output or target, text)
    print(f"written: {output or target}")
