"""The training loop."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lacemaker.errors import LacemakerWarning, SolverError, problem, three_parts
from lacemaker.networks.checkpoint import Checkpoint
from lacemaker.networks.config import TrainingConfig
from lacemaker.networks.controller import Controller
from lacemaker.networks.dataset import Dataset
from lacemaker.networks.loss import loss, scores
from lacemaker.networks.network import Network

__all__ = ["initial_network", "initial_state", "moving_average", "train_network"]

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
        # the energies of the elements, the first and largest part, may have been taken out of the network
        within = config.network.first_is_interacting or element_energies is not None
        scale = 1e-2
        for head in network.heads[1:] if within else network.heads:
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


def initial_state(
    network: Network, config: TrainingConfig, *, device: str = "cpu", identity: str = ""
) -> Checkpoint:
    """What training starts with: the network on its device, Adam, average and controllers.

    Parameters
    ----------
    network : Network
        Trained in place.
    config : TrainingConfig
    device : str
    identity : str
        See `fingerprint`.
    """
    network.to(device)
    trainable = [p for p in network.parameters() if p.requires_grad]
    return Checkpoint(
        network,
        torch.optim.Adam(trainable, lr=config.schedule.learning_rate, fused=True),
        moving_average(network, config.schedule.ema_decay),
        Controller.start(config.schedule),
        _copy(network),
        [],
        identity,
        {"torch": torch.__version__, "device": device, "threads": str(torch.get_num_threads())},
    )


def train_network(
    state: Checkpoint,
    train: Dataset,
    validation: Dataset,
    config: TrainingConfig,
    *,
    device: str = "cpu",
    each_epoch: Callable[[Row], None] | None = None,
) -> Network:
    """Train until the schedule ends and return the network of the best epoch.

    Parameters
    ----------
    state : Checkpoint
        Of `initial_state`, or filled from a file; it advances, and its `history` holds the learning curves.
    train, validation : Dataset
    config : TrainingConfig
    device : str
    each_epoch : callable, optional
        Called after each epoch with the new row of the learning curves.

    Raises
    ------
    SolverError
        If the loss is not finite before there is a best epoch; later training ends there, with a warning.
    """
    while not state.controller.finished(config.schedule):
        start = time.perf_counter()
        mean = _steps(state, train, config, device)
        if not np.isfinite(mean):
            _diverged(state.controller, mean)
            break
        row = _judge(state, mean, validation, config, device, start)
        if each_epoch is not None:
            each_epoch(row)
    if state.controller.best_epoch < 1:
        raise problem(
            SolverError,
            f"No epoch gave a finite {config.schedule.monitor} on the validation structures",
            f"{state.controller.epoch} epochs",
            "lower schedule.learning_rate or set schedule.clip; check the labels with `lace check`",
        )
    state.network.load_state_dict(state.best)
    return state.network


def _diverged(controller: Controller, mean: float) -> None:
    """Say so, as an error if there is nothing to keep."""
    parts = (
        f"Training diverged in epoch {controller.epoch + 1}",
        f"a loss of {mean}",
        "lower schedule.learning_rate or set schedule.clip; check the labels with `lace check`",
    )
    if controller.best_epoch < 1:
        raise problem(SolverError, *parts)
    what, found, do = parts
    message = three_parts(
        f"{what} and ended there: the network is that of epoch {controller.best_epoch}", found, do
    )
    warnings.warn(LacemakerWarning(message), stacklevel=3)


def _steps(state: Checkpoint, train: Dataset, config: TrainingConfig, device: str) -> float:
    """One pass over the training structures; returns the mean loss."""
    controller = state.controller
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
    return float(np.average(torch.stack(values).double().cpu().numpy(), weights=sizes))


def _judge(
    state: Checkpoint, mean: float, validation: Dataset, config: TrainingConfig, device: str, start: float
) -> Row:
    """Validate, advance `state` by an epoch and return the new row of its history."""
    controller = state.controller
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
