"""PyTorch is an extra: found when first needed, or a clear error."""

from __future__ import annotations

from importlib.util import find_spec

from lacemaker.errors import ConfigError

__all__ = ["choose_device", "require_torch"]


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
    """``"auto"`` becomes ``"cuda"`` where there is a GPU, else ``"cpu"``; any other name is checked.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none.
    """
    import torch

    found = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if found else "cpu"
    if name.startswith("cuda") and not found:
        raise ConfigError(
            f"The device {name!r} cannot be used\n  found: PyTorch {torch.__version__} sees no GPU\n"
            "  to do: use device: auto or cpu, or install a PyTorch built for your GPU"
        )
    return name
