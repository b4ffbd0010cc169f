"""What training makes small.

    w_E (RMSE + MAE of energies) + w_F (… of force components) + w_W (… of virials) + w_H hierarchicality +
    w_2 Σ w²

over a batch. Energies are those of structures, or per atom if so configured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lacemaker.networks.config import LossWeights
from lacemaker.networks.dataset import Dataset, Labelled
from lacemaker.networks.network import Network, Result

__all__ = ["Scores", "loss", "scores"]

_TINY = 1e-24  # keeps the gradient of a root at zero finite


Residuals = dict[str, tuple[Tensor, Tensor]]
"""Error and weight of every label, by quantity."""


def _residuals(result: Result, data: Labelled, weights: LossWeights, forces: bool) -> Residuals:
    """Errors of every quantity that has labels, with their weights."""

    def residual(name: str, predicted: Tensor, label: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        if name in data.complete:
            return predicted - label, weight
        known = torch.isfinite(label)  # a mask stalls a GPU
        return (predicted - label)[known], weight[known]

    size = data.sizes if weights.energy_per_atom else torch.ones_like(data.sizes)
    found = {"energy": residual("energy", result.energy / size, data.energy / size, data.energy_weight)}
    if forces:
        found["forces"] = residual("forces", result.forces(), data.forces, data.forces_weight)
        if weights.virial > 0 and data.has("virial"):
            box = size.reshape(-1, 1, 1)
            predicted, label = result.virial() / box, data.virial / box
            found["virial"] = residual("virial", predicted, label, data.virial_weight)
    return {name: values for name, values in found.items() if values[0].numel()}


def _rmse_and_mae(residual: Tensor) -> Tensor:
    return torch.sqrt(residual.square().mean() + _TINY) + residual.abs().mean()


def needs_forces(data: Labelled, weights: LossWeights) -> bool:
    """Whether the loss of this batch asks for derivatives of the energy."""
    return (weights.forces > 0 and data.has("forces")) or (weights.virial > 0 and data.has("virial"))


def loss(network: Network, data: Labelled, weights: LossWeights) -> Tensor:
    """The loss of one batch, ready for ``backward()``."""
    forces = needs_forces(data, weights)
    result = network.evaluate(data.batch, forces=forces, training=True)
    total = weights.l2 * network.regularisation()
    for name, (error, weight) in _residuals(result, data, weights, forces).items():
        if getattr(weights, name) > 0:
            total = total + getattr(weights, name) * _rmse_and_mae(error * weight)
    if weights.hierarchy > 0:
        total = total + weights.hierarchy * result.hierarchicality(weights.hierarchy_kind).mean()
    return total


@dataclass(frozen=True)
class Scores:
    """Errors of a network on labels with weight, but not multiplied by it; NaN where there are none.

    Energies and virials in eV per structure, or eV/atom with `loss.energy_per_atom`; forces in eV/Å. `loss`
    is the sum of the weighted error terms.
    """

    loss: float
    energy_mae: float
    energy_rmse: float
    forces_mae: float
    forces_rmse: float
    virial_mae: float
    virial_rmse: float
    hierarchicality: float


def scores(network: Network, dataset: Dataset, weights: LossWeights, device: str) -> Scores:
    """Errors over a whole set; `loss` holds the error terms alone, and is NaN where none has labels."""
    collected: dict[str, list[tuple[Tensor, Tensor]]] = {"energy": [], "forces": [], "virial": []}
    hierarchy, n = 0.0, 0
    for data in dataset.in_order(device):
        forces = needs_forces(data, weights)
        result = network.evaluate(data.batch, forces=forces)
        for name, (error, weight) in _residuals(result, data, weights, forces).items():
            collected[name].append((error.detach().double().flatten(), weight.double().flatten()))
        hierarchy += float(result.hierarchicality("structure").detach().sum())
        n += data.batch.n_structures
    numbers: dict[str, float] = {}
    terms: list[float] = []
    for name, parts in collected.items():
        numbers[f"{name}_mae"] = numbers[f"{name}_rmse"] = math.nan
        if not parts:
            continue
        error, weight = (torch.cat(values) for values in zip(*parts, strict=True))
        counted = error[weight > 0]
        numbers[f"{name}_mae"], numbers[f"{name}_rmse"] = _mae(counted), _rmse(counted)
        if (factor := getattr(weights, name)) > 0:
            terms.append(factor * (_mae(error * weight) + _rmse(error * weight)))
    return Scores(loss=sum(terms) if terms else math.nan, hierarchicality=hierarchy / max(n, 1), **numbers)


def _mae(error: Tensor) -> float:
    return float(error.abs().mean())


def _rmse(error: Tensor) -> float:
    return float(error.square().mean().sqrt())
