"""lace export: a potential as a .yace file for LAMMPS' ML-PACE package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    potential: Annotated[Path, typer.Argument(help="A .lace file.")],
    output: Annotated[Path, typer.Argument(help="The .yace file to write.")],
    r_min: Annotated[
        float | None,
        typer.Option(
            "--r-min",
            help="Å; exact from here on. Default: the end of the ZBL core, else half a bond length.",
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=1e-13, max=1.0, help="Largest deviation of a radial function.")
    ] = 1e-11,
    max_megabytes: Annotated[float, typer.Option(min=0.0, help="Refuse to write a larger file.")] = 100.0,
) -> None:
    """Write a potential as .yace for LAMMPS' `pair_style pace`.

    Shows how well the file agrees with the potential.
    """
    from lacemaker.deploy.yace import export_yace
    from lacemaker.errors import ConfigError
    from lacemaker.potential import Potential

    if output.suffix != ".yace":
        raise ConfigError(
            f"The only format to export to is .yace. Found: {output.name}. To do: give a name that "
            "ends in .yace."
        )
    model = Potential.load(potential)
    print(export_yace(model, output, r_min=r_min, tolerance=tolerance, max_megabytes=max_megabytes))
    print(f"in LAMMPS: pair_style pace\n           pair_coeff * * {output} {' '.join(model.elements)}")
