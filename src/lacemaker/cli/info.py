"""lace info: what is in a potential file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def info(
    potential: Annotated[Path, typer.Argument(help="A .lace file, of a potential or a network.")],
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Measure µs/atom on this machine.")
    ] = True,
    json: Annotated[
        bool, typer.Option("--json", help="Print the metadata and basis as JSON instead.")
    ] = False,
) -> None:
    """Describe a potential: elements, functions, errors, speed.

    Cutoff and provenance too.
    """
    from lacemaker.workflow import load

    model = load(potential)
    if json:
        from json import dumps

        print(
            dumps(
                {"metadata": dict(model.metadata), "basis": dict(model.basis_spec)},
                indent=2,
                ensure_ascii=False,
            )
        )
        return
    print(model.describe(measure_speed=speed))
