"""Checkpoints: parameters, their average, the best ones and Adam's moments in one safetensors file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from lacemaker.errors import FileFormatError
from lacemaker.networks.controller import Controller
from lacemaker.networks.network import Network
from lacemaker.potential import disk

__all__ = ["Checkpoint", "read", "write"]

_KEY = "lacemaker checkpoint"
_WHOLE = ("epoch", "batch_size", "best_epoch")  # columns of the history that count
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")

Parts = dict[str, dict[str, Tensor]]


@dataclass(eq=False)
class Checkpoint:
    """Everything that the next epoch depends on.

    Attributes
    ----------
    network : Network
    optimiser : torch.optim.Adam
    average : AveragedModel or None
        Moving average of the network over steps, where one is wanted.
    controller : Controller
    best : mapping of str to Tensor
        State of the best network so far.
    history : list of mapping
        One row per epoch.
    fingerprint : str
        Of configuration and data: a checkpoint of another run is not continued.
    made_with : mapping of str to str
        What decides rounding alone, such as the version of PyTorch; a checkpoint with other values is
        continued.
    """

    network: Network
    optimiser: torch.optim.Adam
    average: AveragedModel | None
    controller: Controller
    best: dict[str, Tensor]
    history: list[dict[str, Any]]
    fingerprint: str
    made_with: Mapping[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> Network:
        """What validation sees and the best of which is kept: the average, where there is one."""
        average: Any = self.average
        return self.network if average is None else average.module

    def modules(self) -> dict[str, torch.nn.Module]:
        """What training changes, by the prefix of its entries in the file."""
        return {"net": self.network} | ({} if self.average is None else {"average": self.average})


def write(path: Path, state: Checkpoint) -> None:
    """Replace the file at once or not at all."""
    from safetensors.torch import save

    tensors = {
        f"{part}.{name}": value
        for part, module in state.modules().items()
        for name, value in module.state_dict().items()
    }
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for k, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{k}.{name}": moments[name] for name in _MOMENTS}
    columns = list(state.history[0]) if state.history else []
    tensors["history"] = _table(state.history, columns)
    header = {
        "fingerprint": state.fingerprint,
        "made_with": dict(state.made_with),
        "controller": state.controller.to_dict(),
        "columns": columns,
    }
    # copies: safetensors refuses tensors that share memory
    copies = {name: value.detach().cpu().clone() for name, value in tensors.items()}
    disk.write_bytes(path, save(copies, {_KEY: json.dumps(header)}))


def read(path: Path, state: Checkpoint) -> dict[str, str] | None:
    """Fill `state` from a file and return what that was made with.

    None where there is no file or it is of another run. Then, and after an error, `state` is as before.

    Raises
    ------
    FileFormatError
        If the file is damaged.
    """
    from safetensors.torch import load

    if not path.is_file():
        return None
    data = disk.read_bytes(path)
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_KEY])
        if header["fingerprint"] != state.fingerprint:
            return None
        modules = state.modules()
        parts: Parts = {name: {} for name in (*modules, "best", "adam")}
        tensors = load(data)
        history = _rows(tensors.pop("history"), header["columns"])
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        moments = _moments(parts["adam"], state.optimiser)
        for part in (*modules, "best"):
            _require_alike(part, parts[part], modules.get(part, state.network).state_dict())
        controller = Controller.from_dict(header["controller"])
        made_with = dict(header.get("made_with", {}))
    except Exception as error:
        raise FileFormatError(
            f"{path} is no usable checkpoint\n  found: {error}\n"
            "  to do: begin anew with --restart (resume: false); it is set aside"
        ) from error
    groups = state.optimiser.state_dict()["param_groups"]
    for part, module in modules.items():
        module.load_state_dict(parts[part])
    state.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    device = state.network.heads[-1].weight.device
    state.best = {name: value.to(device) for name, value in parts["best"].items()}
    state.controller, state.history = controller, history
    return made_with


def _table(history: list[dict[str, Any]], columns: list[str]) -> Tensor:
    """Learning curves as numbers (n_epochs, n_columns); None becomes NaN. Thousands of epochs stay small."""
    rows = [[math.nan if row[name] is None else float(row[name]) for name in columns] for row in history]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), len(columns))


def _rows(table: Tensor, columns: list[str]) -> list[dict[str, Any]]:
    """Inverse of `_table`."""
    kinds = [int if name in _WHOLE else float for name in columns]
    return [
        {
            name: None if math.isnan(value) else kind(value)
            for name, kind, value in zip(columns, kinds, row, strict=True)
        }
        for row in table.tolist()
    ]


def _moments(flat: Mapping[str, Tensor], optimiser: torch.optim.Adam) -> dict[int, dict[str, Tensor]]:
    """Adam's moments by parameter, each with the shape of its parameter."""
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        k, _, moment = name.partition(".")
        moments.setdefault(int(k), {})[moment] = value
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for i, found in moments.items():
        like = {"exp_avg": parameters[i], "exp_avg_sq": parameters[i], "step": torch.zeros(())}
        _require_alike(f"adam.{i}", found, like)
    return moments


def _require_alike(part: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    shapes = [{name: tuple(v.shape) for name, v in tensors.items()} for tensors in (found, expected)]
    if different := sorted({name for name, _ in shapes[0].items() ^ shapes[1].items()}):
        raise ValueError(f"{part}.{different[0]} has another shape or is missing")
