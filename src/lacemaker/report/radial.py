"""Values of a potential's radial functions, for plotting, from the arrays stored in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lacemaker.potential import Potential

__all__ = ["radial_values"]


def radial_values(
    potential: Potential, family: str, centre: int, neighbour: int, n_points: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n_points,) in Å and R_n(r) (n_functions, n_points) of the basis ``"mb"`` or ``"pair"``."""
    basis = potential.basis
    radial = basis.radial if family == "mb" else basis.pair_radial
    if radial is None:
        return np.zeros(0), np.zeros((0, 0))
    parameters = potential.program.arrays[f"{family}_transform_params"][centre, neighbour]
    rin, r0, rcut = (float(value) for value in parameters[:3])
    r = np.linspace(0.02 * rcut, rcut, n_points)
    values, _ = radial.evaluate(r, rin, r0, rcut)
    return r, values
