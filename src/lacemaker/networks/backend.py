"""PyTorch is an extra: found when first needed, or a clear error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from lacemaker.errors import ConfigError, problem

__all__ = ["choose_device", "deterministic", "require_torch"]


def require_torch() -> None:
    """Raise ConfigError where PyTorch is not installed.

    Raises
    ------
    ConfigError
    """
    if find_spec("torch") is None:
        raise ConfigError(
            "Neural networks need PyTorch\n  found: no package `torch` in this Python environment\n"
            "  to do: pip install 'lacemaker[nn]'"
        )


def choose_device(name: str) -> str:
    """``auto`` becomes ``cuda`` where there is a GPU, else ``cpu``; any other name is checked.

    Parameters
    ----------
    name : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1`` and so on.

    Raises
    ------
    ConfigError
        If there is no such device, or networks do not run on it.
    """
    if name == "cpu":
        return name
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if n_gpus else "cpu"
    try:
        kind, index = torch.device(name).type, torch.device(name).index or 0
    except (RuntimeError, TypeError):
        kind, index = "", 0
    if kind == "cpu" and index == 0:
        return "cpu"
    if kind == "cuda" and index < n_gpus:
        return name
    if kind == "cuda":
        found = f"PyTorch {torch.__version__} sees {n_gpus or 'no'} GPU{'s' if n_gpus > 1 else ''}"
        do = "use device: auto or cpu" + ("" if n_gpus else ", or install a PyTorch built for your GPU")
        do += f", or a number below {n_gpus}" if n_gpus else ""
    else:
        found, do = "networks run on the CPU and on CUDA GPUs", "use device: auto, cpu, cuda or cuda:1"
    raise problem(ConfigError, f"The device {name!r} cannot be used", found, do)


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """Equal inputs give equal bits on a GPU, as they do anyway on the CPU; PyTorch's setting is restored.

    Sums of messages and forces then add in a fixed order instead of by atomic operations, and cuBLAS uses a
    fixed workspace (environment variable ``CUBLAS_WORKSPACE_CONFIG``, unless it is set). What PyTorch has no
    deterministic version of runs all the same, with a warning.
    """
    import torch

    if not device.startswith("cuda"):
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    memory: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), memory.fill_uninitialized_memory
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms would import the compiler
    memory.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        memory.fill_uninitialized_memory = before[1]
