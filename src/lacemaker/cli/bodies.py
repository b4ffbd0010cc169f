"""lace bodies: what a potential says about pairs, triples and quadruples, and how it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def bodies(
    source: Annotated[
        str,
        typer.Argument(help="Folder of a fit, a .lace file, or a calculator as package.module:callable."),
    ],
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            "-r",
            help="Compare with a .lace file, package.module:callable, or a dimer curve in JSON. Repeatable.",
        ),
    ] = None,
    elements: Annotated[
        str | None, typer.Option("--elements", "-e", help="Of a calculator, such as Si,O.")
    ] = None,
    purified: Annotated[
        bool, typer.Option("--purified", help="Refit in the purified basis (needs the folder of a fit).")
    ] = False,
    highest: Annotated[int | None, typer.Option("--bodies", min=2, help="Refit up to so many.")] = None,
    cutoff: Annotated[float | None, typer.Option(min=1.0, help="Å: where a calculator's curves end.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="HTML file to write.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all figures here too.")] = None,
) -> None:
    """Show pair, triple and quadruple interactions, and what data know.

    With the support by data and refits per body order where the folder of a fit is given.

    lace bodies out/                                     everything, from the folder of a fit
    lace bodies si.lace --reference other.lace           curves of a potential file alone
    lace bodies ase.calculators.emt:EMT -e Cu            any ASE calculator
    """
    from lacemaker.cli.progress import progress_for
    from lacemaker.errors import ConfigError
    from lacemaker.report.bodies_page import bodies_page
    from lacemaker.workflow.bodies import bodies_of_folder, bodies_of_model
    from lacemaker.workflow.outputs import versions, write_json, write_text

    references = [_reference(name) for name in reference or ()]
    if Path(source).is_dir():
        report = bodies_of_folder(
            Path(source), references, purified=purified, highest=highest, progress=progress_for()
        )
        target = Path(source) / "bodies.html"
    else:
        if purified or highest is not None:
            raise ConfigError(
                "Refits need the data of a fit. Found a potential alone. Give the output folder of `lace fit`"
                ", or leave out --purified and --bodies."
            )
        model, known = _model(source)
        named = tuple(part.strip() for part in elements.split(",")) if elements else known
        if not named:
            raise ConfigError(
                f"The elements of {source} are not known. Found a calculator. Name them, such as "
                "--elements Si,O."
            )
        _check_symbols(named)
        report = bodies_of_model(model, references, elements=named, cutoff=cutoff, progress=progress_for())
        is_file = Path(source).is_file()
        target = Path(source).with_suffix(".bodies.html") if is_file else Path("bodies.html")
    print(report)
    write_text(output or target, bodies_page(report, source=Path(source).resolve().name))
    print(f"\nwritten: {output or target}")
    if json is not None:
        write_json(json, {"versions": versions(), "source": Path(source).name, **report.to_dict()})
        print(f"written: {json}")


def _model(source: str) -> tuple[Any, tuple[str, ...]]:
    """The potential or calculator of a name, and its elements as far as known."""
    from lacemaker.networks.file import is_network
    from lacemaker.potential import Potential
    from lacemaker.workflow import load
    from lacemaker.workflow.calculators import imported_calculator, names_a_callable

    if names_a_callable(source):
        return imported_calculator(source), ()
    if Path(source).is_file() and is_network(source):
        from lacemaker.networks.calculator import NetworkCalculator

        return NetworkCalculator(source), tuple(load(source).elements)
    potential = Potential.load(source)
    return potential, potential.elements


def _reference(name: str) -> Any:
    if name.lower().endswith(".json"):
        from lacemaker.datasets.dimers import read_curve

        return read_curve(name)
    return _model(name)[0]


def _check_symbols(elements: tuple[str, ...]) -> None:
    from lacemaker.basis.elements import ATOMIC_NUMBERS
    from lacemaker.errors import ConfigError

    unknown = [symbol for symbol in elements if symbol not in ATOMIC_NUMBERS]
    if unknown:
        raise ConfigError(
            f"There are no such elements. Found {', '.join(unknown)}. Write chemical symbols, such as "
            "--elements Si,O."
        )
