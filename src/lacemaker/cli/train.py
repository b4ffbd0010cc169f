"""lace train: from a configuration to a trained HIP-NN network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="YAML file; `lace init --network` writes a template.")],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say how large and how long it will be, and check the input."),
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads to use.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of weights, shuffling and validation split.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew instead of continuing.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Skip report.html.")] = False,
) -> None:
    """Train a HIP-NN, HIP-NN-TS or HIP-HOP-NN network.

    Writes network.lace, summary.json and report.html. A killed run continues from its last
    epoch when the same command runs again, with the same result.
    """
    from lacemaker.cli.progress import progress_for
    from lacemaker.networks.backend import require_torch
    from lacemaker.networks.config import training_config

    require_torch()
    settings = training_config(config)
    changes = {
        "output": None if output is None else str(output.absolute()),
        "threads": threads,
        "seed": seed,
        "resume": False if restart else None,
        "report": False if no_report else None,
    }
    settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
    if dry_run:
        from lacemaker.networks.dry_run import dry_run as plan

        print(plan(settings).text())
        return
    from lacemaker.analysis import errors_text
    from lacemaker.networks.workflow import train as run_training

    result = run_training(settings, progress=progress_for())
    print()
    print(errors_text(result.errors))
    print(f"\nresults in {result.folder}")
