"""lace bench: how fast this machine evaluates and assembles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lacemaker.networks import NetworkPotential
    from lacemaker.potential import Potential


_FUNCTIONS = "{n_functions} functions, {n_a} A, {n_products} AA products"


def bench(
    potential: Annotated[
        Path | None, typer.Argument(help="A .lace file, also of a network; default: random silicon models.")
    ] = None,
    sizes: Annotated[str, typer.Option(help="Numbers of atoms, separated by commas.")] = "64,512,4096",
    threads: Annotated[int, typer.Option("--threads", "-t", min=1, help="Threads of the evaluator.")] = 1,
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    isa: Annotated[str, typer.Option(help="Instruction set, or `auto`, or `all`.")] = "auto",
    repeats: Annotated[int, typer.Option(min=1, help="Medians over this many runs.")] = 7,
    rows: Annotated[bool, typer.Option("--rows/--no-rows", help="Time the design rows too.")] = True,
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Time the evaluator and the design rows on this machine.

    µs per atom and s per 1000 atoms, without neighbour lists.
    """
    from lacemaker.analysis.speed import STANDARD_MODELS, sizes_from, standard_model
    from lacemaker.cli.progress import progress_for
    from lacemaker.workflow import load

    atoms = sizes_from(sizes)
    progress = progress_for()
    models = {potential.name: potential} if potential else dict.fromkeys(STANDARD_MODELS)
    found = []
    for name, path in models.items():
        with progress.stage(name):
            model = standard_model(name) if path is None else load(path)
            found.append(_measure(name, model, atoms, isa, dtype, threads, repeats, rows))
    for entry in found:
        print(_text(entry))
    if json is not None:
        from lacemaker.workflow.outputs import versions, write_json

        write_json(json, {"versions": versions(), "models": found})


def _measure(
    name: str,
    model: Potential | NetworkPotential,
    sizes: Sequence[int],
    isa: str,
    dtype: str,
    threads: int,
    repeats: int,
    rows: bool,
) -> dict[str, Any]:
    from lacemaker import _core
    from lacemaker.analysis.speed import evaluation_speed, row_speed
    from lacemaker.potential import Potential

    sets = _core.isas() if isa == "all" else [isa]
    evaluations = [
        evaluation_speed(model, n, isa=chosen, dtype=dtype, n_threads=threads, repeats=repeats).to_dict()
        for chosen in sets
        for n in sizes
    ]
    if not isinstance(model, Potential):
        return {"name": name, "n_parameters": model.n_parameters, "evaluation": evaluations, "rows": []}
    arrays = model.program.arrays
    entry: dict[str, Any] = {
        "name": name,
        "n_functions": len(model.columns),
        "n_a": len(arrays["a_spec"]),
        "n_products": len(arrays["term_weight"]),
        "evaluation": evaluations,
        "rows": [],
    }
    if rows:
        n = min(512, max(sizes))
        entry["rows"] = [
            row_speed(model, model.basis, n, isa=chosen, repeats=max(1, repeats // 2)).to_dict()
            for chosen in sets
        ]
    return entry


def _text(entry: dict[str, Any]) -> str:
    from lacemaker.analysis.tables import align

    kind = "{n_parameters} parameters" if "n_parameters" in entry else _FUNCTIONS
    title = ("\n{name}: " + kind).format(**entry)
    header = ["", "atoms", "neighbours", "CPU µs/atom", "wall µs/atom", "ISA", "precision", "threads"]
    body = [
        [
            "energy + forces",
            str(e["n_atoms"]),
            f"{e['neighbours']:.1f}",
            f"{e['cpu_us_per_atom']:.3f}",
            f"{e['wall_us_per_atom']:.3f}",
            e["isa"],
            e["dtype"],
            str(e["n_threads"]),
        ]
        for e in entry["evaluation"]
    ]
    lines = [title, *align(header, body)]
    lines += [
        f"design rows: {r['cpu_s_per_1000_atoms']:.4f} CPU s per 1000 atoms "
        f"({r['n_atoms']} atoms, {r['neighbours']:.1f} neighbours, {r['isa']}, one thread)"
        for r in entry["rows"]
    ]
    return "\n".join(lines)
