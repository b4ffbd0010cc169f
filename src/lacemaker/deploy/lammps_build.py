"""Compile pair style ``lace`` for the LAMMPS at hand, once, and keep it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lacemaker.deploy.lammps_installation import Installation, LammpsError
from lacemaker.errors import problem

__all__ = ["Plugin", "build_plugin", "find_plugin", "latest_plugin", "source_folder"]

# As in cpp/kernels/CMakeLists.txt
KERNEL_FLAGS = ("-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros")
ISA_FLAGS = {
    "baseline": (),
    "avx2": ("-march=x86-64-v3",),
    "avx512": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
}
_COMMON_FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden")
_KERNELS = ("evaluate", "committee", "grade")
_HOST_UNITS = ("lammps/pair_lace.cpp", "lammps/pair_lace_register.cpp")
_DOOR = "lammps/plugin_door.cpp"
_TIMEOUT = 120  # s, for LAMMPS to load the plugin


@dataclass(frozen=True)
class Plugin:
    """A compiled plugin.

    Attributes
    ----------
    path : Path
        The file for ``plugin load``; its name ends in ``plugin.so``.
    """

    path: Path

    @property
    def folder(self) -> Path:
        """For ``LAMMPS_PLUGIN_PATH``."""
        return self.path.parent


def source_folder() -> Path:
    """Where the C++ sources are: in the checkout, else in the installed package."""
    here = Path(__file__).resolve()
    for folder in (here.parents[3] / "cpp", here.parent / "source"):
        if (folder / _DOOR).is_file() and (folder / "lacemaker").is_dir():
            return folder
    raise problem(
        LammpsError,
        "the sources of the pair style are missing",
        f"nothing in {here.parent / 'source'}",
        "reinstall lacemaker",
    )


def find_plugin(lammps: Installation, folder: Path | None = None) -> Plugin | None:
    """The plugin for this LAMMPS if it was built before from the same sources; else None."""
    path = _path(lammps, folder)
    return Plugin(path) if path.is_file() else None


def latest_plugin(executable: Path) -> Plugin | None:
    """The plugin built last for the program `executable` as it is now, which is not run; None if none was."""
    from lacemaker.basis.coupling_cache import cache_folder

    program = {"path": str(executable), "modified": executable.stat().st_mtime_ns}
    found: list[tuple[float, Path]] = []
    for record in (cache_folder() or Path()).glob("lammps/*/build.json"):
        plugins = list(record.parent.glob("*-plugin.so"))
        if plugins and json.loads(record.read_text()).get("program") == program:
            found.append((record.stat().st_mtime, plugins[0]))
    return Plugin(max(found)[1]) if found else None


def build_plugin(
    lammps: Installation, *, folder: Path | None = None, force: bool = False, jobs: int | None = None
) -> Plugin:
    """Compile the plugin, or return the one already built; ends with LAMMPS loading it.

    Parameters
    ----------
    lammps : Installation
    folder : Path, optional
        Where to keep it; default ``$LACEMAKER_CACHE`` or ``~/.cache/lacemaker``.
    force : bool
        Compile again even if it is there.
    jobs : int, optional
        Compilers at a time; default one per processor.

    Raises
    ------
    LammpsError
        If there is no compiler, it fails, or LAMMPS does not accept the result.
    """
    path = _path(lammps, folder)
    if path.is_file() and not force:
        return Plugin(path)
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=path.parent.parent))
    except OSError as error:
        raise problem(
            LammpsError,
            "the plugin cannot be kept",
            str(error),
            "set LACEMAKER_CACHE to a folder you may write to",
        ) from error
    try:
        _compile(lammps, scratch, path.name, jobs or _processors())
        _check_loads(lammps, scratch / path.name)
        for leftover in scratch.glob("*.o"):
            leftover.unlink()
        scratch.chmod(0o755)
        if path.parent.exists():
            shutil.rmtree(path.parent)
        os.replace(scratch, path.parent)  # all files at once: others may be looking
    except OSError:
        if not path.is_file():  # another process was first
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Plugin(path)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _path(lammps: Installation, folder: Path | None) -> Path:
    """Cache entry by release, binary interface, MPI and the content of all that is compiled."""
    from lacemaker.basis.coupling_cache import cache_folder

    root = folder or cache_folder()
    if root is None:
        raise problem(
            LammpsError,
            "there is no place to keep the plugin",
            "LACEMAKER_CACHE is empty, which turns the cache off",
            "unset it, or give a folder (--folder)",
        )
    strings = "cxx11" if lammps.new_strings else "cxx98"
    key = f"{lammps.name}-{lammps.mpi}-{lammps.integers.lower()}-{strings}-{_digest(lammps)}"
    return Path(root) / "lammps" / key / f"lace-{lammps.name}-plugin.so"


def _digest(lammps: Installation) -> str:
    """Over sources, headers of LAMMPS, flags and compiler."""
    sha = hashlib.sha256(repr((_commands(lammps, Path("."), ""), platform.machine(), lammps.git)).encode())
    for file in [*_sources(), *sorted(lammps.headers.glob("*.h"))]:
        sha.update(file.name.encode() + b"\0" + file.read_bytes())
    return sha.hexdigest()[:12]


def _sources() -> list[Path]:
    root = source_folder()
    names = [
        *root.glob("lacemaker/*.hpp"),
        *(file for family in _KERNELS for file in root.glob(f"kernels/{family}_*.cpp")),
        *root.glob("lammps/**/*.[ch]*"),
    ]
    return sorted(file for file in names if file.is_file())


def _compiler() -> str:
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and shutil.which(name.split()[0]):
            return name
    raise problem(
        LammpsError,
        "there is no C++ compiler",
        "none of $CXX, c++, g++, clang++",
        "install one (Debian: apt install g++; conda: conda install cxx-compiler)",
    )


def _isas() -> list[str]:
    return list(ISA_FLAGS) if platform.machine().lower() in ("x86_64", "amd64") else ["baseline"]


def _commands(lammps: Installation, folder: Path, name: str) -> tuple[list[list[str]], list[list[str]]]:
    """Compiler calls that may run side by side, and those that link, afterwards."""
    if sys.platform != "linux":
        raise problem(
            LammpsError,
            "the plugin is only built on Linux",
            f"this is {sys.platform}",
            "use the .yace route (docs/lammps.md)",
        )
    root, compiler = source_folder(), _compiler().split()
    style = name.removesuffix("-plugin.so") + ".style.so"
    common = [
        *compiler,
        *_COMMON_FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(lammps.new_strings)}",
        "-Wno-psabi",
        f"-I{root}",
    ]
    version = [f'-DLACE_LAMMPS_VERSION="{lammps.version}"', f"-DLAMMPS_{lammps.integers}"]
    if lammps.git:
        version.append(f'-DLACE_LAMMPS_GIT="{lammps.git}"')
    if len(_isas()) > 1:
        version.append("-DLACEMAKER_X86_KERNELS")
    host = [*common, "-O2", *version, *_mpi_flags(lammps, root), f"-I{lammps.headers}"]
    kernels = {
        f"kernels/{family}_{isa}.cpp": [*common, *KERNEL_FLAGS, *ISA_FLAGS[isa]]
        for family in _KERNELS
        for isa in _isas()
    }
    units = {**kernels, **dict.fromkeys(_HOST_UNITS, host)}
    objects = {unit: str(folder / (Path(unit).stem + ".o")) for unit in units}
    compile_ = [[*flags, "-c", str(root / unit), "-o", objects[unit]] for unit, flags in units.items()]
    shared = [*compiler, "-shared"]
    door = [
        f"-DLACE_LAMMPS_NUMBER={lammps.number}",
        f'-DLACE_STYLE_FILE="{style}"',
        str(root / _DOOR),
        "-ldl",
    ]
    link = [
        [*shared, *objects.values(), "-o", str(folder / style)],
        [*common, "-shared", "-O2", *version, *door, "-o", str(folder / name)],
    ]
    return compile_, link


def _mpi_flags(lammps: Installation, root: Path) -> list[str]:
    """Where mpi.h is; MPICH's handles are integers, for which our stand-in will do."""
    if lammps.mpi != "openmpi":
        return [f"-I{root / 'lammps' / 'mpi_standin'}"]
    try:
        shown = subprocess.run(
            ["mpicxx", "--showme:compile"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise problem(
            LammpsError,
            "this LAMMPS uses Open MPI, whose mpi.h is needed and was not found",
            f"mpicxx --showme:compile failed ({error})",
            "put the mpicxx of that Open MPI first in PATH",
        ) from error
    return shown.split()


def _compile(lammps: Installation, folder: Path, name: str, jobs: int) -> None:
    compile_, link = _commands(lammps, folder, name)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(_call, compile_))
    for command in link:
        _call(command)
    program = {"path": str(lammps.executable), "modified": lammps.executable.stat().st_mtime_ns}
    record: dict[str, object] = {
        "lammps": lammps.version,
        "update": lammps.update,
        "mpi": lammps.mpi,
        "program": program,
    }
    record["commands"] = [*compile_, *link]
    (folder / "build.json").write_text(json.dumps(record, indent=1) + "\n")


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise problem(
            LammpsError,
            "the compiler failed",
            f"{' '.join(command)}\n{done.stderr[-3000:]}",
            "use g++ 9 or clang 11 or newer (environment variable CXX)",
        )


def _check_loads(lammps: Installation, plugin: Path) -> None:
    """Let LAMMPS load it: the only proof that both fit together."""
    script = f"plugin load {plugin}\nplugin list\n"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [lammps.executable, "-in", "/dev/stdin", "-log", "none"],
            input=script, env=lammps.alone(), cwd=folder, capture_output=True, text=True, errors="replace",
            timeout=_TIMEOUT,
        )  # fmt: skip
    said = done.stdout + done.stderr
    if "pair style plugin lace" in said:
        return
    lines = "\n".join(_telling(said))
    raise problem(
        LammpsError,
        "LAMMPS does not load the plugin",
        lines or said[-500:],
        "build LAMMPS with the PLUGIN package" if "Unknown command: plugin" in said else "please report this",
    )


def _telling(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if any(word in line for word in ("ERROR", "failed", "not registered", "undefined")):
            yield line.strip()
