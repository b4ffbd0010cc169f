"""The training loop."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lacemaker.errors import SolverError, problem
from lacemaker.networks import checkpoint
from lacemaker.networks.checkpoint import Checkpoint
from lacemaker.networks.config import TrainingConfig
from lacemaker.networks.controller import Controller
from lacemaker.networks.dataset import Dataset
from lacemaker.networks.labels import check_labels
from lacemaker.networks.loss import loss, scores
from lacemaker.networks.network import Network

__all__ = ["initial_network", "moving_average", "train_network"]

Row = dict[str, Any]

# settings that do not change how training goes, or do so through the data and energies hashed beside them
_APART = ("preset", "data", "validation_fraction", "e0", "output", "resume", "report", "threads", "device")
_SMALLEST_HEAD = 1e-8  # squares of energies stay far from the underflow of float32


def initial_network(config: TrainingConfig, element_energies: np.ndarray | None, n_species: int) -> Network:
    """A network with seeded weights, element energies in its first head and heads of falling size after it.

    Parameters
    ----------
    config : TrainingConfig
    element_energies : (n_species,) eV or None
        Least-squares energies of the elements; None where the network has no head for them.
    n_species : int
    """
    options = config.network.model_copy(
        update={"first_is_interacting": config.network.first_is_interacting or element_energies is None}
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = Network(options, n_species).to(getattr(torch, config.dtype))
    with torch.no_grad():
        scale = 1e-2
        for head in network.heads[1:]:
            head.weight *= scale
            head.bias *= scale
            scale = max(scale * scale, _SMALLEST_HEAD)
        if element_energies is not None:
            network.heads[0].weight.copy_(torch.as_tensor(element_energies).reshape(1, -1))
            network.heads[0].weight.requires_grad_(config.train_element_energies)
    return network


def fingerprint(
    config: TrainingConfig,
    elements: Sequence[str],
    e0: np.ndarray,
    element_energies: np.ndarray | None,
    *hashes: str,
) -> str:
    """Digest of all that decides how training goes: a checkpoint with another one is not continued.

    Longer training continues a shorter one: `max_epochs` and `stopping_patience` are not part of it.
    Energies count to 1e-8 eV, since least squares may round differently.
    """
    apart: Any = {**dict.fromkeys(_APART, True), "schedule": {"max_epochs", "stopping_patience"}}
    said = config.model_dump(mode="json", exclude=apart)
    energies = [None if e is None else (np.round(e, 8) + 0.0).tolist() for e in (e0, element_energies)]
    text = json.dumps([said, list(elements), energies, *hashes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def train_network(
    network: Network,
    train: Dataset,
    validation: Dataset,
    config: TrainingConfig,
    *,
    device: str = "cpu",
    path: Path | None = None,
    identity: str = "",
    each_epoch: Callable[[Row], None] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[Network, list[Row]]:
    """Train in place and return the network of the best epoch with the learning curves.

    Parameters
    ----------
    network : Network
    train, validation : Dataset
    config : TrainingConfig
    device : str
    path : Path, optional
        Checkpoint, written after every epoch and continued from where it fits `identity`; one that does
        not is renamed, with a warning.
    identity : str
        See `fingerprint`.
    each_epoch : callable, optional
        Called with each new row of the learning curves.
    note : callable, optional
        Told where an earlier run is continued.

    Raises
    ------
    ConfigError
        If there are no labels to learn from or to monitor.
    SolverError
        If the loss is not finite.
    """
    check_labels(train, validation, config)
    network.to(device)
    trainable = [p for p in network.parameters() if p.requires_grad]
    state = Checkpoint(
        network,
        torch.optim.Adam(trainable, lr=config.schedule.learning_rate, fused=True),
        moving_average(network, config.schedule.ema_decay),
        Controller.start(config.schedule),
        _copy(network),
        [],
        identity,
        {"torch": torch.__version__, "device": device, "threads": str(torch.get_num_threads())},
    )
    if path is not None and path.is_file() and config.resume:
        checkpoint.resume(path, state, note)
    while not state.controller.finished(config.schedule):
        row = _epoch(state, train, validation, config, device)
        if path is not None:
            checkpoint.write(path, state)
        if each_epoch is not None:
            each_epoch(row)
    if state.controller.best_epoch < 1:
        raise problem(
            SolverError,
            f"No epoch gave a finite {config.schedule.monitor} on the validation structures",
            f"{state.controller.epoch} epochs",
            "lower schedule.learning_rate or set schedule.clip; check the labels with `lace check`",
        )
    network.load_state_dict(state.best)
    return network, state.history


def _epoch(
    state: Checkpoint, train: Dataset, validation: Dataset, config: TrainingConfig, device: str
) -> Row:
    """One pass over the data; advances `state`."""
    controller, start = state.controller, time.perf_counter()
    for group in state.optimiser.param_groups:
        group["lr"] = controller.learning_rate
    values, sizes = [], []
    for data in train.shuffled(controller.batch_size, config.seed, controller.epoch, device):
        state.optimiser.zero_grad(set_to_none=True)
        value = loss(state.network, data, config.loss)
        value.backward()
        if config.schedule.clip is not None:
            torch.nn.utils.clip_grad_norm_(state.network.parameters(), config.schedule.clip)
        state.optimiser.step()
        if state.average is not None:
            state.average.update_parameters(state.network)
        values.append(value.detach())
        sizes.append(data.batch.n_structures)
    mean = float(np.average(torch.stack(values).double().cpu().numpy(), weights=sizes))
    if not np.isfinite(mean):
        raise SolverError(
            f"Training diverged in epoch {controller.epoch + 1}\n  found: a loss of {mean}\n"
            "  to do: lower schedule.learning_rate or set schedule.clip; check the labels with `lace check`"
        )
    found = scores(state.judged, validation, config.loss, device)
    state.controller = controller.after(getattr(found, config.schedule.monitor), config.schedule)
    if state.controller.best_epoch == state.controller.epoch:
        state.best = _copy(state.judged)
    row = {
        "epoch": state.controller.epoch,
        "train_loss": mean,
        **{
            f"validation_{name}": value if np.isfinite(value) else None
            for name, value in asdict(found).items()
        },
        "batch_size": controller.batch_size,
        "learning_rate": controller.learning_rate,
        "best_epoch": state.controller.best_epoch,
        "seconds": round(time.perf_counter() - start, 3),
    }
    state.history.append(row)
    return row


def moving_average(network: Network, decay: float) -> AveragedModel | None:
    """Average of all parameters over steps, θ̄ ← d θ̄ + (1 - d) θ; None for a decay of 0.

    After n steps d = min(decay, (1 + n)/(10 + n)), so that the average is of use from the first epochs on.
    """
    if decay == 0:
        return None
    average = AveragedModel(network)

    def update(averages: Any, current: Any, _: Any) -> None:
        n = int(average.n_averaged)  # always on the CPU: asking a GPU would stall it
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averages, current, _)

    average.multi_avg_fn = update
    return average


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
