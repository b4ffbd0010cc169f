"""Exact posterior variances, from the rows of one structure: dear, and right to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lacemaker.uncertainty.committee import Spread
from lacemaker.uncertainty.storage import stored_posterior

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.regression import Posterior
    from lacemaker.structures import Frame

__all__ = ["exact_spread"]


def exact_spread(potential: Potential, frame: Frame, posterior: Posterior | None = None) -> Spread:
    """Posterior standard deviations of one structure, without sampling.

    Makes the design rows of the structure and solves one triangular system per row: about (3N + 7) p² flops
    on top of the rows.

    Parameters
    ----------
    potential : Potential
    frame : Frame or Atoms
    posterior : Posterior, optional
        ``fit.posterior``; what the potential carries by default.

    Raises
    ------
    EvaluationError
        When there is no posterior.
    """
    from lacemaker.regression import BasisRows

    belief = stored_posterior(potential) if posterior is None else posterior
    source = BasisRows(potential.basis)
    structure = _as_frame(frame)
    n_atoms = len(structure.numbers)
    rows = np.array(source.design(structure).rows)
    one = np.zeros((len(rows), belief.n_one_body))
    if belief.n_one_body:
        one[0] = np.bincount(potential.evaluator().species(structure.numbers), minlength=belief.n_one_body)
    std = np.sqrt(belief.variance(np.hstack([one, rows])))
    volume = abs(float(np.linalg.det(structure.cell))) if np.any(structure.pbc) else 0.0
    stress = std[1 + 3 * n_atoms :] / volume if volume > 0.0 else None
    return Spread(float(std[0]), std[1 : 1 + 3 * n_atoms].reshape(n_atoms, 3), stress)


def _as_frame(structure: Frame) -> Frame:
    from lacemaker.structures import Frame as FrameClass

    if isinstance(structure, FrameClass):
        return structure
    return FrameClass(
        numbers=structure.numbers,
        positions=structure.positions,
        cell=np.array(structure.cell),
        pbc=np.asarray(structure.pbc),
    )
