"""Phonons of any ASE calculator: frequencies of a supercell, and a phonopy object for everything else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.analysis.second_derivatives import hessian
from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["PhononErrors", "phonon_errors", "phonopy_object", "supercell_frequencies"]

Array = NDArray[np.float64]
_THZ = 15.633302  # sqrt(eV / (Å² u)) / 2π in THz, CODATA 2018


@dataclass(frozen=True)
class PhononErrors:
    """Differences of the frequencies of two calculators in one supercell, in the order of frequency.

    Attributes
    ----------
    rmse_THz, max_THz : float
    relative : float
        RMSE over the root mean square of the reference's frequencies.
    n_imaginary : int
        Modes of the model below -0.05 THz.
    """

    rmse_THz: float
    max_THz: float
    relative: float
    n_imaginary: int

    def to_dict(self) -> dict[str, float]:
        """All fields as plain numbers."""
        return asdict(self)


def supercell_frequencies(calculator: Any, supercell: Atoms, *, step: float | None = None) -> Array:
    """Frequencies (3 n_atoms,) in THz, ascending: all phonons that fit into the supercell, q = 0 among them.

    Imaginary frequencies are given as negative numbers. `step` as in
    :func:`lacemaker.analysis.second_derivatives.hessian`.
    """
    masses = np.repeat(supercell.get_masses(), 3)
    dynamical = hessian(calculator, supercell, step=step).toarray() / np.sqrt(np.outer(masses, masses))
    values = np.linalg.eigvalsh(dynamical)
    return np.sign(values) * np.sqrt(np.abs(values)) * _THZ


def phonon_errors(model: Any, reference: Any, supercell: Atoms, *, step: float | None = None) -> PhononErrors:
    """Frequency errors over all phonons commensurate with a supercell (analytic Hessians where there are)."""
    of_model = supercell_frequencies(model, supercell, step=step)
    of_reference = supercell_frequencies(reference, supercell, step=step)
    difference = of_model - of_reference
    rmse = float(np.sqrt(np.mean(difference**2)))
    return PhononErrors(
        rmse_THz=rmse,
        max_THz=float(np.abs(difference).max()),
        relative=rmse / float(np.sqrt(np.mean(of_reference**2))),
        n_imaginary=int(np.sum(of_model < -0.05)),
    )


def phonopy_object(
    calculator: Any, cell: Atoms, supercell: Any = (2, 2, 2), *, step: float | None = None
) -> Any:
    """A `phonopy.Phonopy` whose force constants are the calculator's Hessian; bands and DOS from there.

    Parameters
    ----------
    calculator : ASE calculator
    cell : Atoms
        Unit cell, taken as the primitive cell.
    supercell : (3,) int or (3, 3) int
        Large enough that half of it exceeds twice the cutoff, or images alias (harmless at commensurate q).
    step : float, optional
        Differences of forces (Å) in place of an analytic Hessian.

    Raises
    ------
    DataError
        If phonopy is not installed.
    """
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError as error:
        raise DataError(
            "phonopy is needed for this. Found no module of that name. Install it: "
            "pip install 'lacemaker[validate]'."
        ) from error
    from ase import Atoms

    unit = PhonopyAtoms(
        symbols=cell.get_chemical_symbols(), cell=cell.cell[:], positions=cell.positions,
        masses=cell.get_masses(),
    )  # fmt: skip
    matrix = np.diag(supercell) if np.ndim(supercell) == 1 else np.asarray(supercell)
    phonon = Phonopy(unit, supercell_matrix=matrix, primitive_matrix=np.eye(3))
    large = phonon.supercell
    n = len(large)
    atoms = Atoms(large.symbols, positions=large.positions, cell=large.cell, pbc=True)
    dense = hessian(calculator, atoms, step=step).toarray()
    phonon.force_constants = np.ascontiguousarray(dense.reshape(n, 3, n, 3).transpose(0, 2, 1, 3))
    return phonon
