"""The body-order report of a finished fit, its data read again, or of a potential or calculator alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.errors import ConfigError
from lacemaker.workflow.fitting import EFFECTIVE, POTENTIAL, reference_e0, single_thread_blas, threads
from lacemaker.workflow.progress import Progress, SilentProgress, StageTimer

if TYPE_CHECKING:
    from lacemaker.analysis.body_order import BodyOrderReport

__all__ = ["bodies_of_folder", "bodies_of_model"]


def bodies_of_model(
    model: Any,
    reference: Any = None,
    *,
    elements: Sequence[str] | None = None,
    cutoff: float | None = None,
    progress: Progress | None = None,
) -> BodyOrderReport:
    """The report of a potential or calculator alone: curves and their judgement, no support, no refits."""
    from lacemaker.analysis.body_order import body_order_report

    timer = StageTimer(progress or SilentProgress())
    with timer.stage("interactions", "steps") as advance:
        return body_order_report(model, reference, elements=elements, cutoff=cutoff, advance=advance)


def bodies_of_folder(
    folder: Path,
    reference: Any = None,
    *,
    purified: bool = False,
    highest: int | None = None,
    progress: Progress | None = None,
) -> BodyOrderReport:
    """The report of a finished fit, its data assembled again from where the effective configuration says.

    The potential of the folder is judged; refits use the configuration's solver and prior (BLR where that is
    a path of sparse models), and the test structures, if any, validate them.

    Parameters
    ----------
    folder : Path
        Output of ``lace fit``.
    reference : Potential, ASE calculator or PairReference, optional
    purified : bool
        Refit in the purified basis and judge that fit instead, so that orders mean bodies.
    highest : int, optional
        Largest body order of the refits.

    Raises
    ------
    ConfigError
        If the folder does not hold a finished fit.
    BasisError
        When the basis cannot be purified.
    """
    from lacemaker.analysis.body_order import body_order_report
    from lacemaker.config import load_config
    from lacemaker.potential import Potential
    from lacemaker.regression import assemble, solve
    from lacemaker.regression.solvers import BLR
    from lacemaker.regression.solvers.path_base import PathSolver
    from lacemaker.workflow.data import load_sets

    missing = [name for name in (POTENTIAL, EFFECTIVE) if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder} does not hold a finished fit. Found: no {' and no '.join(missing)}. To do: give the "
            "output folder of `lace fit`, or a .lace file."
        )
    config = load_config(folder / EFFECTIVE)
    show = progress or SilentProgress()
    timer = StageTimer(show)
    with timer.stage("reading structures"):
        sets = load_sets(config.data, config.total_energies())
    potential = Potential.load(folder / POTENTIAL)
    basis = potential.basis.purified() if purified else potential.basis
    _check_bodies(basis, highest)
    systems = {}
    for name, frames in sets.items():
        with timer.stage(f"assembling {name} rows", "rows") as advance:
            systems[name] = assemble(
                basis,
                frames,
                weights=config.row_weights() or None,
                restraint=config.repulsion.restraint if name == "train" else None,
                n_threads=threads(config),
                progress=advance,
            )
    sparse = isinstance(config.solver, PathSolver)
    solver = BLR() if sparse else config.solver
    options = {"solver": solver, "prior": config.prior, "e0": reference_e0(config, sets, basis.elements)}
    with timer.stage(f"solving for {basis.n_functions} coefficients"), single_thread_blas():
        fit = solve(systems["train"], **options)
    if sparse:
        show.note("the potential is sparse; support and refits are those of a dense fit (blr)")
    bodies = range(2, (highest or basis.correlation_order + 1) + 1)
    with timer.stage("interactions and refits", "steps") as advance, single_thread_blas():
        return body_order_report(
            fit.potential() if purified else potential,
            reference,
            system=systems["train"],
            fit=fit,
            frames=list(sets.train) + list(sets.test or ()),
            refits={**options, "validation": systems.get("test"), "bodies": tuple(bodies)},
            advance=advance,
        )


def _check_bodies(basis: Any, highest: int | None) -> None:
    most = basis.correlation_order + 1
    if highest is not None and not 2 <= highest <= most:
        raise ConfigError(
            f"The refits cannot go to {highest} bodies. Found a basis of {most} bodies. Give 2 to {most}."
        )
