"""What a training would be, without doing it: parts, parameters, time of an epoch, memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from lacemaker.networks.backend import choose_device
from lacemaker.networks.config import TrainingConfig
from lacemaker.networks.evaluator import running
from lacemaker.networks.loss import loss, scores
from lacemaker.networks.network import Network, count_parameters
from lacemaker.networks.preparation import Beginning, beginning, one_body, split
from lacemaker.workflow.data import load_sets
from lacemaker.workflow.outputs import peak_memory_mib
from lacemaker.workflow.progress import duration

__all__ = ["TrainingDryRun", "dry_run"]

STEPS = 5
"""Training steps that are timed."""


@dataclass(frozen=True)
class TrainingDryRun:
    """Figures of a training that has not been run.

    Attributes
    ----------
    labels, e0, network : str
        Labels found in the training data, energies of the elements, kind of network.
    n_parameters : int
    structures : mapping of "train", "validation" and "test" to int
    n_atoms, n_pairs : int
        Of the training structures; directed pairs within the cutoff.
    steps : int
        Training steps of the first epoch.
    step_s, epoch_s : float
        Wall time of one of them, and of the whole epoch with its validation.
    max_epochs : int
    peak_memory_MiB : float or None
        Of this process or its GPU, after a step of the largest batch the schedule allows.
    device : str
    """

    labels: str
    e0: str
    network: str
    n_parameters: int
    structures: dict[str, int]
    n_atoms: int
    n_pairs: int
    steps: int
    step_s: float
    epoch_s: float
    max_epochs: int
    peak_memory_MiB: float | None
    device: str

    def text(self) -> str:
        """For the terminal."""
        parts = ", ".join(f"{name} {n}" for name, n in self.structures.items())
        longest = duration(self.max_epochs * self.epoch_s)
        return "\n".join(
            [
                self.labels,
                "",
                f"network     {self.network}, {self.n_parameters} parameters, on {self.device}",
                f"structures  {parts}; training: {self.n_atoms} atoms, "
                f"{self.n_pairs / max(self.n_atoms, 1):.1f} pairs per atom",
                self.e0,
                f"epoch       {self.steps} steps of {1000 * self.step_s:.3g} ms: {duration(self.epoch_s)} "
                "with validation, before the batch grows",
                f"training    {longest} at most ({self.max_epochs} epochs), less if it stops early",
                *self._memory(),
                "nothing was trained (dry run)",
            ]
        )

    def _memory(self) -> list[str]:
        peak = self.peak_memory_MiB
        return [] if peak is None else [f"memory      {peak:.0f} MiB with the largest batch"]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def dry_run(config: TrainingConfig) -> TrainingDryRun:
    """Read and check the input, make the network and time a few steps that are thrown away.

    Raises
    ------
    ConfigError, DataError
        Whatever would stop the training before its first epoch.
    """
    device = choose_device(config.device)
    sets = load_sets(config.data, with_validation=True)
    parts = split(sets, config)
    e0, inner = one_body(parts.train, sets.train, config)
    start = beginning(parts, e0, inner, config)
    network, size = start.network.to(device), config.schedule.batch_size
    n_steps = -(-len(start.train) // size)
    with running("auto", config.threads):
        step_s = _time_of_a_step(network, start, config, device)
        validation_s = _timed(lambda: scores(network, start.validation, config.loss, device), device)
        _step(network, start, _largest(start, config.schedule.max_batch_size), config, device)
    return TrainingDryRun(
        labels=str(sets.train.labels),
        e0=str(e0),
        network=network.options.label,
        n_parameters=count_parameters(network),
        structures={name: len(frames) for name, frames in parts.items()},
        n_atoms=parts.train.n_atoms,
        n_pairs=sum(len(graph.neighbour) for graph in start.train.graphs),
        steps=n_steps,
        step_s=step_s,
        epoch_s=n_steps * step_s + validation_s,
        max_epochs=config.schedule.max_epochs,
        peak_memory_MiB=_peak_memory(device),
        device=device,
    )


def _time_of_a_step(network: Network, start: Beginning, config: TrainingConfig, device: str) -> float:
    """Median over random batches of the size that training begins with, after one to warm up."""
    order = np.random.default_rng(config.seed).permutation(len(start.train))
    batches = [np.roll(order, -k * config.schedule.batch_size) for k in range(STEPS + 1)]
    times = [
        _timed(lambda rows=rows: _step(network, start, rows, config, device), device)  # type: ignore[misc]
        for rows in (batch[: config.schedule.batch_size] for batch in batches)
    ]
    return statistics.median(times[1:])


def _step(network: Network, start: Beginning, rows: np.ndarray, config: TrainingConfig, device: str) -> None:
    """Loss and gradient of one batch; the parameters stay as they are."""
    loss(network, start.train.select(rows, device), config.loss).backward()
    network.zero_grad()


def _largest(start: Beginning, size: int) -> np.ndarray:
    """The structures with the most pairs."""
    pairs = np.array([len(graph.neighbour) for graph in start.train.graphs])
    return np.argsort(-pairs, kind="stable")[:size]


def _timed(call: Callable[[], Any], device: str) -> float:
    begin = time.perf_counter()
    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def _peak_memory(device: str) -> float | None:
    """MiB: of the process, or of the GPU where it runs there."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_memory_mib()
