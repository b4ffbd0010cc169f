"""What a fit would be, without doing it: sizes, memory, time, cost of the potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.workflow.data import check_elements, load_sets

if TYPE_CHECKING:
    from lacemaker.basis import BasisCounts
    from lacemaker.config import Config
    from lacemaker.regression import Estimate

__all__ = ["DryRun", "dry_run"]


@dataclass(frozen=True)
class DryRun:
    """Figures of a fit that has not been run.

    Attributes
    ----------
    labels : str
        The table of labels found in the training data.
    counts : BasisCounts
        Functions by centre element and body order.
    cost : Estimate
        Rows, columns, bytes and seconds.
    test_frames : int
    evaluation : str
        What energy and forces will cost.
    file_bytes : int
        Size of potential.lace.
    """

    labels: str
    counts: BasisCounts
    cost: Estimate
    test_frames: int
    evaluation: str
    file_bytes: int

    def text(self) -> str:
        """For the terminal."""
        return "\n".join(
            [
                self.labels,
                "",
                "basis functions by centre element and body order",
                str(self.counts),
                "",
                str(self.cost),
                f"test    {self.test_frames} structures held out or given",
                f"result  {self.evaluation}; file of {self.file_bytes / 2**20:.2f} MiB",
                "nothing was fitted (dry run)",
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "basis": self.counts.to_dict(),
            "cost": self.cost.to_dict(),
            "test_frames": self.test_frames,
            "file_bytes": self.file_bytes,
        }


def dry_run(config: Config) -> DryRun:
    """Read and check the input, build the basis, measure a little and extrapolate.

    Raises
    ------
    ConfigError, DataError, BasisError
        Whatever would stop the fit before its rows are made.
    """
    from lacemaker.potential import Potential
    from lacemaker.potential.speed import measure_speed
    from lacemaker.regression import estimate
    from lacemaker.regression.weights import check_weights
    from lacemaker.workflow.fitting import make_basis, threads

    sets = load_sets(config.data, config.total_energies())
    check_weights(config.row_weights(), {frame.config_type for frame in sets.train})
    basis = make_basis(config, sets.train.elements)
    for name, frames in sets.items():
        check_elements(frames, basis.elements, name)
    cost = estimate(basis, sets.train, n_threads=threads(config))
    stand_in = np.full(basis.n_functions, 1e-4)  # every function in use, as after a fit
    potential = Potential(basis, stand_in, np.zeros(basis.n_elements))
    return DryRun(
        labels=str(sets.train.labels),
        counts=basis.counts(),
        cost=cost,
        test_frames=len(sets.test or ()),
        evaluation=str(measure_speed(potential, n_cells=3)),
        file_bytes=len(potential.to_bytes()),
    )
