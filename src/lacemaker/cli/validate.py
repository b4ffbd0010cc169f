"""lace validate: does a potential, or any ASE calculator, survive dynamics, without spurious minima?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lacemaker.cli.codes import OK, UNSOUND

if TYPE_CHECKING:
    from ase import Atoms


def validate(
    potential: Annotated[
        str, typer.Argument(help="A .lace file, or any ASE calculator as package.module:callable.")
    ],
    structure: Annotated[
        Path | None,
        typer.Option("--structure", "-s", help="Where runs start; default: the element's crystal."),
    ] = None,
    temperatures: Annotated[
        str, typer.Option("--temperatures", "-T", help="K, separated by commas.")
    ] = "300,1000,2000",
    picoseconds: Annotated[float, typer.Option("--ps", min=0.001, help="Length of each run, ps.")] = 5.0,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per temperature.")] = 3,
    timestep: Annotated[float, typer.Option(min=0.01, help="fs.")] = 1.0,
    atoms: Annotated[int, typer.Option("--atoms", min=1, help="Repeat the cell to at least so many.")] = 64,
    bond_length: Annotated[
        float | None, typer.Option(help="Å; default: the shortest distance of the structure.")
    ] = None,
    constant_energy: Annotated[
        bool, typer.Option("--nve", help="Without thermostat: shows the drift.")
    ] = False,
    dynamics: Annotated[bool, typer.Option("--dynamics/--no-dynamics", help="Run dynamics.")] = True,
    minima: Annotated[
        bool,
        typer.Option(
            "--minima", help="Look for spurious minima: dimers, trimers, compression, random cells."
        ),
    ] = False,
    random_cells: Annotated[int, typer.Option(min=0, help="Random cells relaxed by --minima.")] = 20,
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Run dynamics from cold to hot and look for spurious minima.

    Dynamics at several temperatures and seeds must neither collapse nor explode; with --minima also look for
    places where the potential binds though nature does not. Exit code 4 if anything fails.
    """
    from lacemaker.analysis.stability import survive
    from lacemaker.cli.progress import progress_for
    from lacemaker.errors import ConfigError
    from lacemaker.workflow.outputs import versions, write_json

    if not (dynamics or minima):
        raise ConfigError(
            "There is nothing to check. Found --no-dynamics without --minima. Add --minima, or leave "
            "--no-dynamics out."
        )
    calculator, elements = _calculator(potential)
    cell = _cell(structure, elements)
    kelvin = _numbers(temperatures)
    found: dict[str, Any] = {}
    if minima:
        found["minima"] = _look_for_minima(calculator, cell, random_cells)
    if dynamics:
        with progress_for().stage("dynamics", "runs") as advance:
            found["stability"] = survive(
                _repeated(cell, atoms),
                calculator,
                temperatures=kelvin,
                seeds=range(seeds),
                picoseconds=picoseconds,
                timestep=timestep,
                thermostat=not constant_energy,
                bond_length=bond_length,
                advance=advance,
            )
    for part in found.values():
        print(part)
    if json is not None:
        figures = {name: part.to_dict() for name, part in found.items()}
        write_json(json, {"versions": versions(), "potential": potential, **figures})
    sound = all(part.sane if name == "minima" else part.survived for name, part in found.items())
    raise typer.Exit(OK if sound else UNSOUND)


def _look_for_minima(calculator: Any, cell: Atoms, n_cells: int) -> Any:
    from lacemaker.analysis.minima import spurious_minima
    from lacemaker.cli.progress import progress_for

    with progress_for().stage("random cells", "cells") as advance:
        return spurious_minima(calculator, cell, n_cells=n_cells, advance=advance)


def _numbers(text: str) -> list[float]:
    from lacemaker.errors import ConfigError

    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(
            f"The temperatures are no numbers. Found {text!r}. Write for example --temperatures 300,1000."
        ) from None


def _calculator(name: str) -> tuple[Any, tuple[str, ...]]:
    """The calculator, and its elements as far as known."""
    from lacemaker.workflow.calculators import imported_calculator, names_a_callable

    if names_a_callable(name):
        return imported_calculator(name), ()
    from lacemaker.calculators import Calculator

    calculator = Calculator(name)
    return calculator, calculator.potential.elements


def _cell(path: Path | None, elements: tuple[str, ...]) -> Atoms:
    """The structure of the file, or the crystal of a single element."""
    from lacemaker.errors import ConfigError

    if path is None and len(elements) != 1:
        raise ConfigError(
            "The runs have no structure to start from. Found "
            f"{', '.join(elements) or 'a calculator of unknown elements'}. Give --structure FILE."
        )
    cell: Any
    if path is not None:
        from ase.io import read

        cell = read(path)
    else:
        from ase.build import bulk

        try:
            cell = bulk(elements[0])
        except (ValueError, RuntimeError, KeyError) as error:
            raise ConfigError(
                f"No simple crystal of {elements[0]} is known. Found: {error}. Give --structure FILE."
            ) from error
    return cell


def _repeated(cell: Atoms, n_atoms: int) -> Atoms:
    """Repeated evenly to at least so many atoms."""
    while len(cell) < n_atoms and any(cell.pbc):
        lengths = [
            length if periodic else float("inf")
            for length, periodic in zip(cell.cell.lengths(), cell.pbc, strict=True)
        ]
        repeats = [1, 1, 1]
        repeats[lengths.index(min(lengths))] = 2
        cell = cell.repeat(repeats)
    return cell
