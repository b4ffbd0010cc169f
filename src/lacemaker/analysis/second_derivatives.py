"""Second derivatives of the energy for any ASE calculator.

lacemaker's and matscipy's calculators have an analytic sparse Hessian (``get_hessian``); for all others
central differences of the forces serve.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.basis.reference import VOIGT

if TYPE_CHECKING:
    from ase import Atoms
    from scipy.sparse import csr_array

__all__ = [
    "STRAIN_PAIRS",
    "deformed_cell",
    "displaced_force_constants",
    "hessian",
    "second_strain_derivatives",
    "strain_derivatives",
    "strain_matrix",
]

Array = NDArray[np.float64]
STRAIN_PAIRS = tuple(combinations(range(6), 2))
"""The 15 pairs of different Voigt components, whose mixed strains second derivatives need."""


def hessian(calculator: Any, atoms: Atoms, *, step: float | None = None) -> csr_array:
    """Hessian ∂²E/∂x∂x (3 n_atoms, 3 n_atoms), eV/Å², sparse and symmetric.

    Parameters
    ----------
    calculator : ASE calculator
    atoms : Atoms
    step : float, optional
        Half-width of central differences, Å. None: analytic if the calculator has ``get_hessian``, else
        differences of 0.001 Å (6 n_atoms force calls).
    """
    from scipy.sparse import csr_array

    if step is None and hasattr(calculator, "get_hessian"):
        calculator.get_property("energy", atoms)  # matscipy's sizes its arrays by the atoms it saw last
        matrix = csr_array(calculator.get_hessian(atoms, format="sparse"))
    else:
        rows = displaced_force_constants(calculator, atoms, range(len(atoms)), step=step or 1e-3)
        matrix = csr_array(rows.reshape(3 * len(atoms), 3 * len(atoms)))
    return csr_array((matrix + matrix.T) / 2)


def displaced_force_constants(
    calculator: Any, atoms: Atoms, displaced: Any = (0,), *, step: float | None = 0.01
) -> Array:
    """Rows H[i] of the Hessian for chosen atoms i: (n_displaced, 3, n_atoms, 3), eV/Å².

    Parameters
    ----------
    calculator : ASE calculator
    atoms : Atoms
    displaced : sequence of int
        The atoms moved.
    step : float or None
        Half-width h of -[F(x + h e) - F(x - h e)] / 2h in Å; the same h for a reference and a model cancels
        the truncation error in their difference. None: analytic, for calculators with ``get_hessian``.
    """
    chosen = list(displaced)
    n = len(atoms)
    if step is None:
        rows = [[3 * i, 3 * i + 1, 3 * i + 2] for i in chosen]
        return hessian(calculator, atoms)[np.ravel(rows)].toarray().reshape(len(chosen), 3, n, 3)
    out = np.empty((len(chosen), 3, n, 3))
    moved = atoms.copy()
    for k, i in enumerate(chosen):
        for axis in range(3):
            forces = []
            for sign in (1.0, -1.0):
                moved.positions[i] = atoms.positions[i]
                moved.positions[i, axis] += sign * step
                forces.append(np.array(calculator.get_property("forces", moved)))
            out[k, axis] = -(forces[0] - forces[1]) / (2.0 * step)
        moved.positions[i] = atoms.positions[i]
    return out


def strain_matrix(component: int, size: float) -> Array:
    """Symmetric strain (3, 3) of one Voigt component (xx yy zz yz xz xy); shears are engineering strains."""
    row, column = VOIGT[component]
    strain = np.zeros((3, 3))
    strain[row, column] += size / 2
    strain[column, row] += size / 2
    return strain


def deformed_cell(atoms: Atoms, deformation: Array) -> Atoms:
    """A copy whose cell rows a become a F, F (3, 3), and whose atoms follow."""
    deformed = atoms.copy()
    deformed.set_cell(atoms.cell[:] @ deformation, scale_atoms=True)
    return deformed


def second_strain_derivatives(zero: Array, single: Array, mixed: Array, size: float) -> Array:
    """All 21 second derivatives of something by Voigt strain, from central differences.

    Parameters
    ----------
    zero : (...) array
        Without strain.
    single : (6, 2, ...) array
        Under each component, +size and -size.
    mixed : (15, 2, ...) array
        Under both components of each of ``STRAIN_PAIRS``, +size and -size.
    size : float

    Returns
    -------
    (21, ...) array
        The six ∂²/∂ε_k², then the 15 ∂²/∂ε_k∂ε_l. Errors are of second order in `size`.
    """
    even = single.sum(axis=1) - 2.0 * zero
    first, other = np.array(STRAIN_PAIRS).T
    cross = 0.5 * (mixed.sum(axis=1) - 2.0 * zero - even[first] - even[other])
    return np.concatenate([even, cross]) / size**2


def strain_derivatives(calculator: Any, atoms: Atoms, *, step: float = 1e-3) -> tuple[Array, Array]:
    """Derivatives of virial and forces with respect to homogeneous strain, atoms following the cell.

    Analytic for a lacemaker calculator; otherwise fourth-order differences of strains `step` and 2 `step`.

    Returns
    -------
    virial : (6, 6) eV
        ``virial[k, l]``: derivative of virial component k along Voigt strain l.
    forces : (n_atoms, 3, 6) eV/Å
    """
    from lacemaker.calculators import Calculator

    virials, forces = np.empty((6, 6)), np.empty((len(atoms), 3, 6))
    for k in range(6):
        if isinstance(calculator, Calculator):
            evaluator = calculator.potential.hessian_evaluator(n_threads=calculator.parameters["n_threads"])
            rates = evaluator.rates(atoms, strain=strain_matrix(k, 1.0))
            virials[:, k], forces[..., k] = rates.virial, rates.forces
            continue
        w, f = zip(
            *(_strained(calculator, atoms, strain_matrix(k, s * step)) for s in (-2, -1, 1, 2)), strict=True
        )
        virials[:, k] = (8 * (w[2] - w[1]) - (w[3] - w[0])) / (12 * step)
        forces[..., k] = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * step)
    return virials, forces


def _strained(calculator: Any, atoms: Atoms, strain: Array) -> tuple[Array, Array]:
    """Virial (6,) and forces of the strained atoms."""
    deformed = deformed_cell(atoms, np.eye(3) + strain)
    forces = np.array(calculator.get_property("forces", deformed))
    stress = np.array(calculator.get_property("stress", deformed))
    return -deformed.get_volume() * stress, forces
