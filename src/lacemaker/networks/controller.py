"""On a plateau the batch doubles, then the learning rate halves; without a new best training ends."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from lacemaker.networks.config import Schedule

__all__ = ["Controller"]


@dataclass(frozen=True)
class Controller:
    """State after some epochs; `after` gives the next.

    Attributes
    ----------
    batch_size, learning_rate
        For the next epoch.
    best : float
        Lowest monitored value so far.
    best_epoch : int
        Where it was found; -1 before the first.
    quiet : int
        Epochs without improvement since the best or the last change.
    epoch : int
        Epochs done.
    """

    batch_size: int
    learning_rate: float
    best: float = math.inf
    best_epoch: int = -1
    quiet: int = 0
    epoch: int = 0

    @classmethod
    def start(cls, schedule: Schedule) -> Controller:
        """Before the first epoch."""
        return cls(schedule.batch_size, schedule.learning_rate)

    def after(self, value: float, schedule: Schedule) -> Controller:
        """The state after one more epoch with this validation value."""
        epoch = self.epoch + 1
        if value < self.best:
            return replace(self, best=value, best_epoch=epoch, quiet=0, epoch=epoch)
        if self.quiet + 1 <= schedule.patience:
            return replace(self, quiet=self.quiet + 1, epoch=epoch)
        if self.batch_size < schedule.max_batch_size:
            larger = min(2 * self.batch_size, schedule.max_batch_size)
            return replace(self, batch_size=larger, quiet=0, epoch=epoch)
        return replace(self, learning_rate=self.learning_rate / 2, quiet=0, epoch=epoch)

    def finished(self, schedule: Schedule) -> bool:
        """Whether training ends here."""
        stale = self.epoch - max(self.best_epoch, 0) >= schedule.stopping_patience
        return self.epoch >= schedule.max_epochs or stale

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; infinity becomes None."""
        return {k: None if v == math.inf else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Controller:
        """Inverse of `to_dict`."""
        known: dict[str, Any] = {k: math.inf if v is None else v for k, v in state.items()}
        return cls(**known)
