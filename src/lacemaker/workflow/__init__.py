"""Protocols that lead through all rooms: a fit from a configuration, an evaluation, an estimate, the demo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lacemaker.workflow.fitting import FitResult, fit

if TYPE_CHECKING:
    from lacemaker.analysis import ErrorTable
    from lacemaker.potential import Potential

__all__ = ["FitResult", "evaluate", "fit", "load"]


def load(path: str | os.PathLike[str]) -> Potential:
    """Read a ``.lace`` file; see :meth:`lacemaker.Potential.load`.

    The network that ``lace train`` wrote comes back as a :class:`lacemaker.networks.NetworkPotential`, which
    can be evaluated in the same ways.
    """
    from lacemaker.networks.file import is_network
    from lacemaker.potential import Potential

    if is_network(path):
        from lacemaker.networks import NetworkPotential

        return NetworkPotential.load(path)
    return Potential.load(path)


def evaluate(
    potential: Potential | str | os.PathLike[str], data: Any, *, n_threads: int = 1, **options: Any
) -> ErrorTable:
    """Errors of a potential on labelled structures, by config_type and in total.

    Parameters
    ----------
    potential : Potential or path
    data : Frames, path, Atoms or a list of these
        Anything :func:`lacemaker.read` takes.
    n_threads : int
    **options
        Passed to :func:`lacemaker.read` where `data` is not Frames already.
    """
    from lacemaker.analysis import error_table
    from lacemaker.structures import Frames, read

    model = load(potential) if isinstance(potential, (str, os.PathLike)) else potential
    frames: Sequence[Any] = data if isinstance(data, Frames) else read(data, **{"require": (), **options})
    return error_table(model, frames, n_threads=n_threads)
