"""Active sets for the extrapolation grade, as a configuration wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lacemaker.workflow.fitting import blas_threads, threads

if TYPE_CHECKING:
    from lacemaker.config import Config
    from lacemaker.potential import Potential
    from lacemaker.structures import Frames
    from lacemaker.workflow.progress import StageTimer

__all__ = ["with_grade"]


def with_grade(
    config: Config, potential: Potential, train: Frames, timer: StageTimer
) -> tuple[Potential, dict[str, dict[str, int]]]:
    """The potential with active sets, and their sizes per element; unchanged and {} if not wanted or, with
    ``extrapolation_grade: auto``, dear."""
    from lacemaker.uncertainty.active_sets import attach_extrapolation_grade, cost
    from lacemaker.uncertainty.extrapolation import stored_active_sets

    wanted = config.extrapolation_grade
    price = cost(potential, train)
    if wanted == "auto" and not price.cheap:
        timer.note(f"extrapolation grade left out ({price}); extrapolation_grade: true makes it")
    if not (price.cheap if wanted == "auto" else wanted):
        return potential, {}
    limited = blas_threads(config, potential.basis)
    with timer.stage("extrapolation grade", "sweeps") as advance, limited:
        potential = attach_extrapolation_grade(potential, train, n_threads=threads(config), progress=advance)
    sets = stored_active_sets(potential)
    for active in sets:
        timer.note(f"active set, {active}")
    return potential, {a.element: {"functions": len(a.columns), "rank": a.rank} for a in sets}
