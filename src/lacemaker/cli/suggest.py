"""lace suggest: which structures to compute next for defects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_FIGURES = (
    ("geometry error", "Å", "geometry_A"),
    ("formation energy", "eV", "formation_energy_error_eV"),
    ("lattice constant", "Å", "lattice_constant_error_A"),
    ("force constants", "rel.", "epsilon_FC_relative"),
    ("virials", "eV/atom", "epsilon_V_eV_per_atom"),
)


def suggest(
    config: Annotated[Path, typer.Argument(help="YAML file as for `lace study defects`.")],
    size: Annotated[
        int | None, typer.Option("--size", "-n", min=1, help="Cells along the edge of the defect cells.")
    ] = None,
    potential: Annotated[
        Path | None,
        typer.Option(
            help="A .lace file that relaxes the structures, and orders them if it carries a posterior; "
            "default: the reference."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Try it in silico: errors before and after, with the reference.")
    ] = False,
) -> None:
    """Propose strained, displaced and rattled cells for DFT.

    Writes suggested.xyz and weights.yaml. A finished `lace study defects` in the output folder decides what
    comes first.
    """
    from lacemaker.cli.progress import progress_for
    from lacemaker.studies.config import study_config
    from lacemaker.studies.suggestion import compare, write_suggestions
    from lacemaker.studies.suggestion import suggest as make

    settings = study_config(config)
    if output is not None:
        settings = settings.model_copy(update={"output": str(output.absolute())})
    found = make(settings, size=size, start=_calculator(potential), progress=progress_for())
    files = write_suggestions(found, settings.output)
    print(found)
    print(f"\nwritten: {files[0]} ({found.n_structures} structures), {files[1]}")
    if check:
        _print_comparison(compare(settings, progress=progress_for()))


def _calculator(path: Path | None) -> Any:
    if path is None:
        return None
    from lacemaker.calculators import Calculator

    return Calculator(path)


def _print_comparison(result: Any) -> None:
    from lacemaker.cli.study import finish
    from lacemaker.report.study_page import comparison_section
    from lacemaker.studies.results import rows_of
    from lacemaker.studies.text import comparison, comparison_text

    table = comparison(rows_of(result), _FIGURES)
    finish(result, [comparison_section(table)])
    print("\nIn silico, defect cells alone (before) and with the suggestions (after):")
    print(comparison_text(table))
