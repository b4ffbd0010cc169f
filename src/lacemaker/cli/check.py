"""lace check: what labels a file holds and what is suspicious about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def check(
    data: Annotated[list[Path], typer.Argument(help="Structure files, anything ASE reads.")],
    prefix: Annotated[str | None, typer.Option(help="Prefix of the label keys, such as dft_.")] = None,
    energy_key: Annotated[str | None, typer.Option(help="Key of the energy.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Key of the forces.")] = None,
    stress_key: Annotated[str | None, typer.Option(help="Key of the stress.")] = None,
    virial_key: Annotated[str | None, typer.Option(help="Key of the virial.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the findings here too.")] = None,
) -> None:
    """Show the labels found per quantity and config_type, reference energies, and anything suspicious."""
    from lacemaker.structures import check_frames, read

    keys: dict[str, Any] = {
        "energy_key": energy_key,
        "forces_key": forces_key,
        "stress_key": stress_key,
        "virial_key": virial_key,
    }
    frames = read([str(path) for path in data], prefix=prefix, require=(), check=False, **keys)
    report = check_frames(frames)
    print(report)
    if json is not None:
        from lacemaker.workflow.outputs import write_json

        write_json(json, report.to_dict())
