"""lace evaluate: errors of a potential on labelled structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    potential: Annotated[Path, typer.Argument(help="A .lace file.")],
    data: Annotated[list[Path], typer.Argument(help="Labelled structures.")],
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the errors here, keys as in summary.json.")
    ] = None,
    xyz: Annotated[
        Path | None, typer.Option("--xyz", help="Write structures with labels and predictions here.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as markdown.")] = False,
    f_max: Annotated[
        float | None,
        typer.Option("--f-max", min=0.0, help="Leave out atoms with a larger reference force (eV/Å)."),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Prefix of the label keys, such as dft_.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="Threads to use.")] = None,
) -> None:
    """Compare a potential with reference data: errors by group.

    MAE and RMSE by config_type.
    """
    from lacemaker.analysis import error_table, predict
    from lacemaker.potential import default_threads
    from lacemaker.structures import read
    from lacemaker.workflow import load
    from lacemaker.workflow.data import check_elements

    model = load(potential)
    frames = read([str(path) for path in data], prefix=prefix, require=())
    check_elements(frames, model.elements, "given")
    predictions = predict(model, frames, n_threads=threads or default_threads())
    table = error_table(model, frames, predictions, f_max=f_max)
    print(table.markdown() if markdown else table.text())
    if json is not None:
        from lacemaker.workflow.outputs import write_json

        write_json(
            json,
            {
                "potential": potential.name,
                "data": [p.name for p in data],
                "errors": {"test": table.to_dict()},
            },
        )
    if xyz is not None:
        from lacemaker.structures import write

        write(xyz, frames, predictions.records())
