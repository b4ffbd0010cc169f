"""What the benchmark scripts share: where data lie, clocks, and a header that says what machine this is."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

R0 = {"Li": 3.0, "Mo": 2.7, "Si": 2.4, "Ge": 2.5, "Cu": 2.6, "Ni": 2.5}


def data_folder(name: str) -> Path:
    """Folder of a reference data set: ``$LACEMAKER_DATA/name`` or ``shared/data/name`` beside the checkout."""
    root = os.environ.get("LACEMAKER_DATA")
    candidates = [Path(root)] if root else []
    candidates.append(Path(__file__).resolve().parents[2] / "shared" / "data")
    for candidate in candidates:
        if (candidate / name).is_dir():
            return candidate / name
    looked = ", ".join(map(str, candidates))
    raise SystemExit(
        f"benchmark data '{name}' not found (looked in {looked}); set LACEMAKER_DATA to the folder"
    )


def median_cpu(function: Callable[[], object], *, repeats: int = 11, minimum: float = 0.3) -> float:
    """Median process CPU time of ``function()`` in seconds, after one warm-up call."""
    function()
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < repeats or time.perf_counter() - start < minimum:
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
        if time.perf_counter() - start > 20 and len(times) >= 3:
            break
    return statistics.median(times)


def peak_memory_mib() -> float:
    """Peak resident memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def processor() -> str:
    """Model name of the processor, as the operating system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                family = _cpuinfo_field("cpu family"), _cpuinfo_field("model")
                return f"{line.split(':', 1)[1].strip()} (family {family[0]}, model {family[1]})"
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cpuinfo_field(name: str) -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.split(":")[0].strip() == name:
            return line.split(":", 1)[1].strip()
    return "?"


def header(title: str) -> None:
    """Print what was measured on which machine with which versions."""
    import numpy
    import scipy

    import lacemaker
    from lacemaker import _core

    print(f"# {title}")
    print(
        f"# {processor()}; {os.cpu_count()} cores; ISA {_core.isas()[-1]}; Python {platform.python_version()}"
    )
    print(f"# lacemaker {lacemaker.__version__}, numpy {numpy.__version__}, scipy {scipy.__version__}")
