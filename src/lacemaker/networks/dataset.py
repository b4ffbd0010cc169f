"""Frames ready for training: graphs made once, labels relative to E0, multipliers of residuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lacemaker.networks.graphs import Batch, Graph
from lacemaker.structures.elements import atomic_number

if TYPE_CHECKING:
    from lacemaker.networks.config import TrainingConfig
    from lacemaker.structures import Frame

__all__ = ["Dataset", "Labelled"]


@dataclass(frozen=True, eq=False)
class Labelled:
    """One batch with its labels; a row without a label is NaN.

    Attributes
    ----------
    batch : Batch
    sizes : (n_structures,)
        Atoms of each structure.
    energy, energy_weight : (n_structures,) eV
        Relative to the one-body energies.
    forces, forces_weight : (n_atoms, 3) eV/Å
    virial, virial_weight : (n_structures, 3, 3) eV
    present, complete : frozenset of str
        Which of energy, forces and virial any structure has, and which all have: known without asking the
        device.
    """

    batch: Batch
    sizes: Tensor
    energy: Tensor
    energy_weight: Tensor
    forces: Tensor
    forces_weight: Tensor
    virial: Tensor
    virial_weight: Tensor
    present: frozenset[str]
    complete: frozenset[str]

    def has(self, quantity: str) -> bool:
        """Whether any structure has this label."""
        return quantity in self.present


class Dataset:
    """All graphs and labels of some frames, in NumPy.

    Parameters
    ----------
    frames : Frames
    elements : sequence of str
    e0 : (n_elements,) eV
    config : TrainingConfig
    """

    def __init__(
        self, frames: Sequence[Frame], elements: Sequence[str], e0: np.ndarray, config: TrainingConfig
    ) -> None:
        table = np.full(119, -1)
        table[[atomic_number(e) for e in elements]] = np.arange(len(elements))
        self.dtype, self.frames = getattr(torch, config.dtype), frames
        self.graphs = [Graph.of(f, table[f.numbers], config.network.cutoff) for f in frames]
        self.energy = np.array(
            [np.nan if f.energy is None else f.energy - e0[table[f.numbers]].sum() for f in frames]
        )
        self.forces = [np.full((len(f), 3), np.nan) if f.forces is None else f.forces for f in frames]
        self.virial = np.array([_full(f.virial) for f in frames]).reshape(-1, 3, 3)
        labels: dict[str, Any] = {"energy": self.energy, "forces": self.forces, "virial": self.virial}
        known = {q: [np.isfinite(value) for value in values] for q, values in labels.items()}
        self.has_label = {q: np.array([k.any() for k in each], dtype=bool) for q, each in known.items()}
        self.has_all = {q: np.array([k.all() for k in each], dtype=bool) for q, each in known.items()}
        self.weights = {q: self._weights(q, config) for q in ("energy", "forces", "virial")}
        self.atom_weights = [np.ones(len(f)) if f.force_weights is None else f.force_weights for f in frames]

    def _weights(self, quantity: str, config: TrainingConfig) -> np.ndarray:
        return np.array(
            [config.weight(f.config_type, quantity) * f.weights.get(quantity, 1.0) for f in self.frames]
        )

    def labelled(self, quantity: str) -> int:
        """Number of frames with labels of this quantity that carry weight."""
        weighty = self.weights[quantity] > 0
        if quantity == "forces":
            weighty &= np.array([(w > 0).any() for w in self.atom_weights], dtype=bool)
        return int((weighty & self.has_label[quantity]).sum())

    def __len__(self) -> int:
        return len(self.graphs)

    def select(self, indices: ArrayLike, device: str) -> Labelled:
        """The given frames as one batch."""

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device, self.dtype)

        rows = np.asarray(indices)
        sizes = np.array([len(self.graphs[k].species) for k in rows])
        per_atom = [self.weights["forces"][k] * self.atom_weights[k] for k in rows]
        return Labelled(
            Batch.of([self.graphs[k] for k in rows], self.dtype, device),
            tensor(sizes),
            tensor(self.energy[rows]),
            tensor(self.weights["energy"][rows]),
            tensor(np.concatenate([self.forces[k] for k in rows])),
            tensor(np.repeat(np.concatenate(per_atom)[:, None], 3, axis=1)),
            tensor(self.virial[rows]),
            tensor(np.broadcast_to(self.weights["virial"][rows][:, None, None], (len(rows), 3, 3))),
            frozenset(q for q, flags in self.has_label.items() if flags[rows].any()),
            frozenset(q for q, flags in self.has_all.items() if flags[rows].all()),
        )

    def shuffled(self, batch_size: int, seed: int, epoch: int, device: str) -> Iterator[Labelled]:
        """Batches of one epoch; the order depends on seed and epoch alone, so a resumed run repeats it."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        for start in range(0, len(order), batch_size):
            yield self.select(order[start : start + batch_size], device)

    def in_order(self, device: str, atoms: int = 4000) -> Iterator[Labelled]:
        """All frames in batches of about this many atoms."""
        chosen: list[int] = []
        held = 0
        for k, graph in enumerate(self.graphs):
            chosen.append(k)
            held += len(graph.species)
            if held >= atoms or k == len(self) - 1:
                yield self.select(chosen, device)
                chosen, held = [], 0


def _full(virial: np.ndarray | None) -> np.ndarray:
    """xx yy zz yz xz xy to (3, 3); NaN where there is none."""
    if virial is None:
        return np.full((3, 3), np.nan)
    xx, yy, zz, yz, xz, xy = virial
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
