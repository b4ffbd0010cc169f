"""Message-passing cousins of the linear basis: HIP-NN, HIP-NN-TS, HIP-HOP-NN in PyTorch (extra ``nn``).

Same `Frames`, error tables, calculator behaviour and command line (``lace train``) as the linear potentials.
Names are loaded when first used; where PyTorch is missing they raise a `ConfigError` that names the extra.
"""

from typing import Any

from lacemaker.networks.backend import require_torch

_HOME = {
    "NetworkOptions": "options",
    "Network": "network",
    "NetworkPotential": "potential",
    "NetworkCalculator": "calculator",
    "TrainingConfig": "config",
    "from_hippynn": "hippynn",
    "train": "workflow",
}
_WITHOUT_TORCH = ("options", "config")

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lacemaker.networks' has no attribute {name!r}")
    from importlib import import_module

    if _HOME[name] not in _WITHOUT_TORCH:
        require_torch()
    value = getattr(import_module(f"lacemaker.networks.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
