"""lace check: what labels a file holds and what is suspicious about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def check(
    data: Annotated[list[Path] | None, typer.Argument(help="Structure files, anything ASE reads.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Prefix of the label keys, such as dft_.")] = None,
    energy_key: Annotated[str | None, typer.Option(help="Key of the energy.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Key of the forces.")] = None,
    stress_key: Annotated[str | None, typer.Option(help="Key of the stress.")] = None,
    virial_key: Annotated[str | None, typer.Option(help="Key of the virial.")] = None,
    force_constants_key: Annotated[str | None, typer.Option(help="Key of the force constants.")] = None,
    energies_key: Annotated[str | None, typer.Option(help="Key of the site energies.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the findings here too.")] = None,
    independence: Annotated[
        Path | None,
        typer.Option(
            help="Instead: functional rank and redundant functions of this potential (.lace, .yace) or "
            "configuration (.yaml), and the rank at the atoms of the structure files, if any."
        ),
    ] = None,
) -> None:
    """Show what a data set holds and what looks suspicious in it.

    Labels per quantity and config_type, reference energies, units, signs, outliers, duplicates.
    """
    if independence is not None:
        _check_independence(independence, data or [], json)
        return
    if not data:
        raise typer.BadParameter("give at least one structure file")
    from lacemaker.structures import check_frames, read

    keys: dict[str, Any] = {
        "energy_key": energy_key,
        "forces_key": forces_key,
        "stress_key": stress_key,
        "virial_key": virial_key,
        "force_constants_key": force_constants_key,
        "energies_key": energies_key,
    }
    frames = read([str(path) for path in data], prefix=prefix, require=(), check=False, **keys)
    report = check_frames(frames)
    print(report)
    if json is not None:
        from lacemaker.workflow.outputs import write_json

        write_json(json, report.to_dict())


def _check_independence(model: Path, data: list[Path], json: Path | None) -> None:
    from lacemaker.analysis.independence import report
    from lacemaker.structures import read

    frames = read([str(path) for path in data], require=(), check=False) if data else None
    if model.suffix == ".yace":
        from lacemaker.deploy.yace import read_yace
        from lacemaker.deploy.yace.independence import independence_report

        found = independence_report(read_yace(model), frames)
    else:
        found = report(_basis_or_potential(model), frames)
    print(found)
    if json is not None:
        from lacemaker.workflow.outputs import write_json

        write_json(json, found.to_dict())


def _basis_or_potential(path: Path) -> Any:
    if path.suffix not in (".yaml", ".yml"):
        from lacemaker.potential import Potential

        return Potential.load(path)
    from lacemaker.config import load_config
    from lacemaker.structures import read
    from lacemaker.workflow.fitting import make_basis

    config = load_config(path)
    elements = config.basis.elements or read(list(config.data.train), **config.data.read_options()).elements
    return make_basis(config, tuple(elements))
