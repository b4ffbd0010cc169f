"""Checkpoints: parameters, the best ones and Adam's moments in a safetensors file with a JSON header."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lacemaker.errors import FileFormatError
from lacemaker.networks.controller import Controller
from lacemaker.networks.network import Network
from lacemaker.potential import disk

__all__ = ["Checkpoint", "read", "write"]

_KEY = "lacemaker checkpoint"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(eq=False)
class Checkpoint:
    """Everything that the next epoch depends on.

    Attributes
    ----------
    network : Network
    optimiser : torch.optim.Adam
    controller : Controller
    best : mapping of str to Tensor
        State of the best network so far.
    history : list of mapping
        One row per epoch.
    fingerprint : str
        Of configuration and data: a checkpoint of another run is not continued.
    """

    network: Network
    optimiser: torch.optim.Adam
    controller: Controller
    best: dict[str, Tensor]
    history: list[dict[str, Any]]
    fingerprint: str


def write(path: Path, state: Checkpoint) -> None:
    """Replace the file at once or not at all."""
    from safetensors.torch import save

    tensors = {f"net.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for k, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{k}.{name}": moments[name] for name in _MOMENTS}
    header = {
        "fingerprint": state.fingerprint,
        "controller": state.controller.to_dict(),
        "history": state.history,
    }
    # copies: safetensors refuses tensors that share memory
    copies = {name: value.detach().cpu().clone() for name, value in tensors.items()}
    disk.write_bytes(path, save(copies, {_KEY: json.dumps(header)}))


def read(path: Path, state: Checkpoint) -> bool:
    """Fill `state` from a file; False (and `state` untouched) where there is none or it is of another run.

    Raises
    ------
    FileFormatError
        If the file is damaged.
    """
    from safetensors.torch import load

    if not path.is_file():
        return False
    data = disk.read_bytes(path)
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_KEY])
        if header["fingerprint"] != state.fingerprint:
            return False
        tensors = load(data)
        parts: dict[str, dict[str, Tensor]] = {"net": {}, "best": {}, "adam": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        _restore(state, header, parts)
    except Exception as error:
        raise FileFormatError(
            f"{path} is no usable checkpoint\n  found: {error}\n"
            "  to do: remove it to begin anew, or set resume: false"
        ) from error
    return True


def _restore(state: Checkpoint, header: dict[str, Any], parts: dict[str, dict[str, Tensor]]) -> None:
    state.network.load_state_dict(parts["net"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["adam"].items():
        k, _, moment = name.partition(".")
        moments.setdefault(int(k), {})[moment] = value
    groups = state.optimiser.state_dict()["param_groups"]
    state.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    state.best = {
        name: value.to(state.network.heads[-1].weight.device) for name, value in parts["best"].items()
    }
    state.controller = Controller.from_dict(header["controller"])
    state.history = header["history"]
