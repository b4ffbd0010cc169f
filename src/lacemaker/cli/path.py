"""lace path: sparse models of every size, and one of them as a potential."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def path(
    source: Annotated[
        Path, typer.Argument(help="YAML file of a fit: compute the path. A models.path file: export a model.")
    ],
    solver: Annotated[str | None, typer.Option(help="asp or omp (the configuration's, or asp).")] = None,
    max_functions: Annotated[int | None, typer.Option(min=1, help="Where the path ends.")] = None,
    models: Annotated[int | None, typer.Option(min=1, help="How many models to keep.")] = None,
    cost_weight: Annotated[
        float | None, typer.Option(min=0.0, help="0 ranks by accuracy alone, 1 by accuracy per µs/atom.")
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of the training set that judges the models.")
    ] = 0.15,
    size: Annotated[int | None, typer.Option(min=1, help="Choose the model of at most this many.")] = None,
    within: Annotated[
        float | None, typer.Option(min=1.0, help="Choose the smallest within this factor of the best.")
    ] = None,
    cost: Annotated[float | None, typer.Option(min=0.0, help="Choose the best up to this µs/atom.")] = None,
    evidence: Annotated[bool, typer.Option("--evidence", help="Choose the model of most evidence.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results; .lace file to export.")
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Also write a page to slide along the path (needs plotly).")
    ] = False,
) -> None:
    """Trace sparse models from small to large and choose one.

    Writes models.path, path.html and the chosen potential.lace.

    lace path config.yaml --within 1.05         trace, measure, choose
    lace path out/models.path --size 300 -o si300.lace      another model of the same path, at once
    """
    choice: dict[str, Any] = {"size": size, "within": within, "cost": cost, "evidence": evidence}
    if source.suffix.lower() not in (".yaml", ".yml", ".json"):
        _export(source, choice, output)
        return
    from lacemaker.cli.progress import progress_for
    from lacemaker.config import load_config
    from lacemaker.workflow.path import path as run_path

    settings = load_config(source)
    if output is not None:
        settings = settings.model_copy(update={"output": str(output.absolute())})
    result = run_path(
        settings,
        solver=_solver(settings.solver, solver, max_functions, models, cost_weight),
        validation=validation,
        choice=choice,
        interactive=interactive,
        progress=progress_for(),
    )
    print(result.path)
    print(f"\nchosen: {result.chosen.size} functions, saved as {result.folder / 'potential.lace'}")
    print(f"another: lace path {result.folder / 'models.path'} --size N -o FILE.lace")


def _solver(
    configured: Any,
    kind: str | None,
    max_functions: int | None,
    models: int | None,
    cost_weight: float | None,
) -> dict[str, Any]:
    from lacemaker.regression.solvers.path_base import PathSolver

    table = configured.model_dump() if isinstance(configured, PathSolver) else {"kind": "asp"}
    if kind is not None and kind != table["kind"]:
        table = {"kind": kind}
    given = {"max_functions": max_functions, "n_models": models, "cost_weight": cost_weight}
    return {**table, **{key: value for key, value in given.items() if value is not None}}


def _export(source: Path, choice: dict[str, Any], output: Path | None) -> None:
    from lacemaker.regression.path import ModelPath
    from lacemaker.workflow.path import choose_model, export

    models = ModelPath.load(source)
    chosen = choose_model(models, choice)
    target = output or source.with_name(f"{source.stem}-{chosen.size}.lace")
    export(chosen, target)
    print(f"{chosen.size} functions, saved as {target}")
