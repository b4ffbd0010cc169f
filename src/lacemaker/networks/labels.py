"""Whether there is anything to learn from, anything to tell the best epoch by, and what was not learnt."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from lacemaker.errors import ConfigError, LacemakerWarning, problem, three_parts
from lacemaker.networks.config import TrainingConfig
from lacemaker.networks.dataset import Dataset

if TYPE_CHECKING:
    from lacemaker.networks.potential import NetworkPotential
    from lacemaker.structures import Frames, ReferenceEnergies

__all__ = ["check_labels", "warn_of_lone_atoms", "warn_of_unused_labels"]

_SAME_ENERGY = 0.05  # eV; lone atoms and E0


def check_labels(train: Dataset, validation: Dataset, config: TrainingConfig) -> None:
    """Refuse to train without labels, or without those that say which epoch is best.

    Raises
    ------
    ConfigError
    """
    counted = [q for q in ("energy", "forces", "virial") if getattr(config.loss, q) > 0]
    if not any(train.labelled(q) for q in counted):
        raise problem(
            ConfigError,
            "The training structures have no labels that the loss counts",
            f"{len(train)} structures without {' or '.join(counted) or 'any weight in `loss`'}",
            "give labels, or a positive weight in `loss` and `weights` to those there are",
        )
    monitor, usable = config.schedule.monitor, _monitors(validation, counted)
    if monitor not in usable:
        found = f"{len(validation)} structures, on which {', '.join(usable) or 'nothing'} can be monitored"
        raise problem(
            ConfigError,
            f"schedule.monitor: {monitor} has no labels with weight for validation: no epoch would be best",
            found,
            f"set schedule.monitor: {usable[0]}" if usable else "validate on structures with labels",
        )


def _monitors(validation: Dataset, counted: list[str]) -> list[str]:
    """What can be monitored; forces are computed only where the loss counts them."""
    known = [q for q in ("energy", "forces") if (q == "energy" or q in counted) and validation.labelled(q)]
    usable = [f"{q}_{norm}" for q in known for norm in ("mae", "rmse")]
    return ["loss", *usable] if any(validation.labelled(q) for q in counted) else usable


def warn_of_unused_labels(frames: Frames) -> None:
    """Say so where structures have force constants, which a network does not learn from."""
    n = sum(frame.force_constants is not None for frame in frames)
    if n:
        message = three_parts(
            "Networks do not learn from force constants: these labels are not used",
            f"{n} of {len(frames)} training structures with them",
            "give the forces of displaced structures instead, or use `lace fit`",
        )
        warnings.warn(LacemakerWarning(message), stacklevel=2)


def warn_of_lone_atoms(potential: NetworkPotential, e0: ReferenceEnergies) -> None:
    """Say so where E0 are energies of atoms, which the network gives lone atoms other energies than."""
    if e0.method not in ("isolated_atoms", "given"):
        return
    known = zip(potential.elements, potential.lone_atoms(), potential.e0, strict=True)
    wrong = [
        f"{s} {energy:.4g} eV, E0 {e:.4g} eV" for s, energy, e in known if abs(energy - e) > _SAME_ENERGY
    ]
    if wrong:
        message = three_parts(
            "Atoms on their own do not have their E0 in this network: do not trust energies of atomisation "
            "and dissociation",
            "; ".join(wrong),
            "set network.lone_atoms: e0 if they matter",
        )
        warnings.warn(LacemakerWarning(message), stacklevel=2)
