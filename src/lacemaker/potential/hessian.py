"""Second derivatives of a potential: rates along a direction, Hessian-vector products, the sparse Hessian.

The compiled kernels run on pairs (value, rate of change), so that one pass over the atoms gives the exact
derivative of energy, forces and virial along any direction of positions and strain, at two to three times the
cost of the forces. The Hessian is H_{iα,jβ} = ∂²E/∂x_{iα}∂x_{jβ}, eV/Å². Where an atom just enters a cutoff
it jumps unless the envelope vanishes there with two derivatives; the forces are continuous all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.errors import EvaluationError, problem
from lacemaker.potential.evaluator import Evaluator, Structure
from lacemaker.potential.program import Program

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator

__all__ = ["HessianEvaluator", "Rates"]

_ATOMS_PER_THREAD = 64  # fewer are not worth starting a thread for


@dataclass(frozen=True, eq=False)
class Rates:
    """Derivatives of one structure's results along a direction, per unit step.

    Attributes
    ----------
    energy : float
        eV; minus forces · displacement minus virial · strain.
    energies : ndarray (n_atoms,)
        Of the site energies, eV.
    forces : ndarray (n_atoms, 3)
        eV/Å; along a displacement v this is -H v.
    virial : ndarray (6,)
        eV, order xx yy zz yz xz xy.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


class HessianEvaluator:
    """Second derivatives of a compiled potential, in float64.

    Thread-safe. Made by :meth:`lacemaker.Potential.hessian_evaluator`.

    Parameters
    ----------
    evaluator : Evaluator
        Of the same program: checks structures and makes neighbour lists.
    program : Program
    isa : str
        "auto" for the best of this machine.
    """

    def __init__(self, evaluator: Evaluator, program: Program, *, isa: str = "auto") -> None:
        from lacemaker import _core

        tables = _core.Tables(**program.kernel_tables())
        self.evaluator = evaluator
        self.kernel = _core.Hessian(tables, **program.kernel_terms(), isa=isa)

    def rates(
        self, structure: Structure, displacement: np.ndarray | None = None, strain: np.ndarray | None = None
    ) -> Rates:
        """Derivative of everything along x → x + h (displacement + x strain), cell → cell (1 + h strain).

        Parameters
        ----------
        structure : Frame or ase.Atoms
        displacement : (n_atoms, 3) or (3 n_atoms,) Å, optional
        strain : (3, 3) or (6,) in the order xx yy zz yz xz xy, optional
            Six numbers are Voigt strains: yz, xz and xy count both off-diagonal elements together.

        Raises
        ------
        EvaluationError
            For shapes that do not fit, or as `Evaluator.predict`.
        """
        return self._along(structure)(displacement, strain)

    def product(self, structure: Structure, displacement: np.ndarray) -> np.ndarray:
        """Hessian times displacement (shape (n_atoms, 3) or (3 n_atoms,), kept): eV/Å² times its unit."""
        rates = self.rates(structure, displacement)
        return -rates.forces.reshape(np.shape(displacement))

    def operator(self, structure: Structure) -> LinearOperator:
        """The Hessian (3 n_atoms, 3 n_atoms) as a linear operator with one neighbour list."""
        from scipy.sparse.linalg import LinearOperator

        along, n = self._along(structure), 3 * len(structure.numbers)

        def product(vector: np.ndarray) -> np.ndarray:
            return -along(np.ravel(vector), None).forces.ravel()

        return LinearOperator((n, n), matvec=product, rmatvec=product, dtype=np.float64)

    def sparse(self, structure: Structure, *, n_threads: int | None = None) -> csr_array:
        """The Hessian (3 n_atoms, 3 n_atoms), eV/Å², symmetric to the last bit.

        Cost: per atom about three evaluations of each site that feels it, linear in the number of atoms.
        """
        from scipy.sparse import bsr_array

        arguments = self._arguments(structure)
        n = len(arguments[0])
        if n == 0:
            return bsr_array((0, 0)).tocsr()
        threads = n_threads or self.evaluator.n_threads
        try:
            first, columns, blocks = self.kernel.sparse(*arguments, n_threads=threads)
        except EvaluationError as error:
            raise _not_finite(str(error)) from error
        matrix = bsr_array((blocks, columns, first), shape=(3 * n, 3 * n)).tocsr()
        return ((matrix + matrix.T) / 2).tocsr()

    def _arguments(
        self, structure: Structure
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        species, positions, cell, pbc = self.evaluator.prepare(structure)
        neighbours = self.evaluator.neighbours(positions, cell, pbc)
        return positions, cell, species, neighbours.first, neighbours.index, neighbours.shift

    def _along(self, structure: Structure) -> Callable[..., Rates]:
        """Rates of one structure by direction, its neighbour list made once."""
        arguments = self._arguments(structure)
        n = len(arguments[0])
        threads = min(self.evaluator.n_threads, 1 + n // _ATOMS_PER_THREAD)

        def rates(displacement: np.ndarray | None, strain: np.ndarray | None) -> Rates:
            direction = (_direction(displacement, n), _strain_matrix(strain))
            if n == 0:
                return Rates(0.0, np.zeros(0), np.zeros((0, 3)), np.zeros(6))
            try:
                energies, forces, virial = self.kernel.product(*arguments, *direction, n_threads=threads)
            except EvaluationError as error:
                raise _not_finite(str(error)) from error
            return Rates(float(energies.sum()), energies, forces, virial)

        return rates


def _direction(displacement: np.ndarray | None, n: int) -> np.ndarray:
    if displacement is None:
        return np.zeros((n, 3))
    array = np.ascontiguousarray(displacement, dtype=np.float64)
    if array.shape not in ((n, 3), (3 * n,)) or not np.isfinite(array).all():
        raise problem(
            EvaluationError,
            "the displacement does not fit the structure",
            f"shape {array.shape} for {n} atoms" + ("" if np.isfinite(array).all() else ", with NaN"),
            f"give finite numbers of shape ({n}, 3) or ({3 * n},)",
        )
    return array.reshape(n, 3)


def _strain_matrix(strain: np.ndarray | None) -> np.ndarray | None:
    if strain is None:
        return None
    array = np.ascontiguousarray(strain, dtype=np.float64)
    if array.shape == (6,):
        xx, yy, zz, yz, xz, xy = array * [1, 1, 1, 0.5, 0.5, 0.5]
        array = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if array.shape != (3, 3) or not np.isfinite(array).all():
        raise problem(
            EvaluationError,
            "the strain is not a strain",
            f"shape {array.shape}",
            "give a finite (3, 3) matrix, or six Voigt components xx yy zz yz xz xy",
        )
    return array


def _not_finite(reason: str) -> EvaluationError:
    return problem(
        EvaluationError,
        "the potential has no second derivatives for these atoms",
        reason,
        "check the structure for atoms that lie on top of each other",
    )
