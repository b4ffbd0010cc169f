"""From structures to what training starts with: parts, one-body energies, graphs and an untrained network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacemaker.networks.config import TrainingConfig
from lacemaker.networks.dataset import Dataset
from lacemaker.networks.labels import check_labels
from lacemaker.networks.network import Network
from lacemaker.networks.training import initial_network
from lacemaker.regression.weights import check_weights
from lacemaker.structures import Frames, ReferenceEnergies, reference_energies
from lacemaker.structures.references import composition
from lacemaker.workflow.data import Sets, check_elements, held_out

__all__ = ["Beginning", "Parts", "beginning", "one_body", "split"]

_SAME_COMPOSITION = 1e-9  # relative; smaller singular values are rounding: one composition alone, for example


@dataclass(frozen=True, eq=False)
class Parts:
    """Training, validation and test structures."""

    train: Frames
    validation: Frames
    test: Frames | None

    def items(self) -> list[tuple[str, Frames]]:
        """Name and structures of each part there is."""
        named = [("train", self.train), ("validation", self.validation), ("test", self.test)]
        return [(name, frames) for name, frames in named if frames is not None]


@dataclass(frozen=True, eq=False)
class Beginning:
    """What the first epoch needs.

    Attributes
    ----------
    elements : tuple of str
    e0 : (n_elements,) eV
        Added outside the network.
    inner : (n_elements,) eV or None
        Least-squares energies of the elements in the first head; None where the network has none.
    network : Network
    train, validation : Dataset
    """

    elements: tuple[str, ...]
    e0: np.ndarray
    inner: np.ndarray | None
    network: Network
    train: Dataset
    validation: Dataset


def split(sets: Sets, config: TrainingConfig) -> Parts:
    """Validation structures as given or marked, else drawn from those for training.

    Raises
    ------
    ConfigError
        For weights of a config_type that no structure has.
    DataError
        If a part would be empty.
    """
    given = {name: table.given() for name, table in config.weights.items()}
    check_weights(given, {frame.config_type for frame in sets.train})
    own = sets.train.without_isolated_atoms()
    if sets.validation is not None:
        return Parts(own, sets.validation.without_isolated_atoms(), sets.test)
    keys = ("validation_fraction", "data.validation")
    train, validation = held_out(own, config.data, config.validation_fraction, config.seed, keys)
    return Parts(train, validation, sets.test)


def one_body(
    train: Frames, everything: Frames, config: TrainingConfig
) -> tuple[ReferenceEnergies, np.ndarray | None]:
    """E0 added outside the network, and the element energies of its first head (None: it has none).

    Where E0 is itself a least-squares estimate nothing is left for the head; its precision would suffer in
    float32. Nor is there anything for it where no structure has an energy, or where lone atoms keep E0.
    """
    elements = everything.elements
    e0 = reference_energies(everything, elements, config.e0)
    labelled = train.where(lambda f: f.energy is not None)
    none = config.network.first_is_interacting or config.network.lone_atoms == "e0"
    if none or e0.method in ("least_squares", "average") or not labelled:
        return e0, None
    counts = composition(labelled, elements)
    residual = np.array([f.energy for f in labelled]) - counts @ e0.array(elements)
    return e0, np.linalg.lstsq(counts, residual, rcond=_SAME_COMPOSITION)[0]


def beginning(
    parts: Parts, e0: ReferenceEnergies, inner: np.ndarray | None, config: TrainingConfig
) -> Beginning:
    """Graphs of all structures (the neighbour lists, made once) and a network with seeded weights.

    Raises
    ------
    ConfigError
        If there are no labels to learn from or to monitor.
    DataError
        If a part holds elements that the training structures do not.
    """
    elements = tuple(e0.values)
    network = initial_network(config, inner, len(elements))
    if network.core is not None:
        network.core.set_elements(elements)
    energies = e0.array(elements)
    for name, frames in parts.items():
        check_elements(frames, elements, name)
    known, unseen = (
        Dataset(frames, elements, energies, config) for frames in (parts.train, parts.validation)
    )
    check_labels(known, unseen, config)
    return Beginning(elements, energies, inner, network, known, unseen)
