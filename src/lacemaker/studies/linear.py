"""Positive definite approximations of a Hessian, and how to solve with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import LinearOperator, cg, splu

from lacemaker.errors import SolverError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

__all__ = ["Solve", "bond_hessian", "conjugate_gradients", "positive_solver"]

Solve = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]


class Iterated(NamedTuple):
    """What :func:`conjugate_gradients` found."""

    x: NDArray[np.float64]
    curvature: float
    converged: bool


DIRECT = 9000  # degrees of freedom up to which a sparse factorisation is cheaper than iterations
DENSE = 0.15  # share of non-zeros from which a dense factorisation is cheaper than a sparse one
SHIFT = 1e-3  # of the mean diagonal: lifts translations of periodic cells off zero


def positive_solver(hessian: sparse.csr_matrix, *, tolerance: float = 1e-3) -> tuple[Solve, float]:
    """Solve with H + s·1, s being the smallest tried (factors of 10) that makes it positive definite.

    Parameters
    ----------
    hessian : (n, n) sparse, eV/Å²
    tolerance : float
        Relative, of the iterations that serve above ``DIRECT`` degrees of freedom.

    Returns
    -------
    solve : callable, (n,) -> (n,)
    shift : float, eV/Å²
        More than the small initial one: the Hessian is not positive definite here (not near a minimum).

    Raises
    ------
    SolverError
        No shift up to 100 times the mean diagonal helps.
    """
    n = hessian.shape[0]
    scale = float(np.mean(hessian.diagonal()))
    shift = SHIFT * scale
    while shift < 100.0 * scale:
        matrix = (hessian + shift * sparse.identity(n)).tocsc()
        solve = _factorised(matrix) if n <= DIRECT else _iterated(matrix.tocsr(), tolerance)
        if solve is not None:
            return solve, shift
        shift *= 10.0
    raise SolverError(
        f"No multiple of the identity makes the Hessian positive definite. Found a mean diagonal of "
        f"{scale:g} eV/Å². The structure is far from any equilibrium: start closer to one."
    )


def _factorised(matrix: sparse.csc_matrix) -> Solve | None:
    """Direct factorisation; None if not positive definite."""
    n = matrix.shape[0]
    if matrix.nnz > DENSE * n * n:
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        try:
            factor = cho_factor(matrix.toarray(), overwrite_a=True)
        except LinAlgError:
            return None
        return lambda vector: cho_solve(factor, vector)
    lu = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    if not np.all(lu.U.diagonal() > 0.0):
        return None
    return lambda vector: lu.solve(vector)


def _iterated(matrix: sparse.csr_matrix, tolerance: float) -> Solve | None:
    """Conjugate gradients with 3 × 3 diagonal blocks; None where a random vector shows negative curvature."""
    jacobi = _block_jacobi(matrix)
    probe = np.random.default_rng(0).normal(size=matrix.shape[0])
    found = conjugate_gradients(lambda v: matrix @ v, probe, jacobi, tolerance=1e-2)
    if found.curvature <= 0.0:
        return None
    operator = LinearOperator(matrix.shape, matvec=jacobi, dtype=float)

    def solve(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        answer, _ = cg(matrix, vector, rtol=tolerance, maxiter=1000, M=operator)
        return answer

    return solve


def _block_jacobi(matrix: sparse.csr_matrix) -> Solve:
    n = matrix.shape[0] // 3
    blocks = np.zeros((n, 3, 3))
    rows = np.arange(3 * n).reshape(n, 3)
    for i in range(3):
        for j in range(3):
            blocks[:, i, j] = np.asarray(matrix[rows[:, i], rows[:, j]]).ravel()
    inverse = np.linalg.inv(blocks)
    return lambda vector: np.einsum("nij,nj->ni", inverse, vector.reshape(n, 3)).ravel()


def conjugate_gradients(
    apply: Solve,
    right: NDArray[np.float64],
    precondition: Solve,
    *,
    tolerance: float = 1e-3,
    max_steps: int = 300,
) -> Iterated:
    """Solve A x = b by preconditioned conjugate gradients, minding the curvature.

    Returns
    -------
    x : (n,) array
        The last iterate; iterations end where ‖b - A x‖ ≤ tolerance ‖b‖, or before a p with pᵀA p ≤ 0.
    curvature : float
        The smallest pᵀA p / pᵀp met; not positive: A is not positive definite and x not a solution.
    converged : bool
        Whether the tolerance was met.
    """
    x, residual = np.zeros_like(right), right.copy()
    z = precondition(residual)
    direction, rz = z.copy(), float(residual @ z)
    target, smallest = tolerance * float(np.linalg.norm(right)), np.inf
    for _ in range(max_steps):
        if np.linalg.norm(residual) <= target:
            break
        image = apply(direction)
        curvature = float(direction @ image)
        smallest = min(smallest, curvature / float(direction @ direction))
        if curvature <= 0.0:
            break
        step = rz / curvature
        x += step * direction
        residual -= step * image
        z = precondition(residual)
        rz, old = float(residual @ z), rz
        direction = z + (rz / old) * direction
    return Iterated(x, smallest, bool(np.linalg.norm(residual) <= target))


def bond_hessian(atoms: Atoms, reach: float, stiffness: float = 5.0) -> sparse.csr_matrix:
    """A stand-in for the Hessian where only forces are known: springs that soften with distance.

    Off-diagonal blocks -k exp(-3 (r/r_1 - 1))·1 for pairs within `reach` (Å), r_1 being the shortest distance
    (Packwood et al., J. Chem. Phys. 144, 164109 (2016), the preconditioner "Exp"); `stiffness` k in eV/Å².
    """
    from ase.neighborlist import neighbor_list

    i, j, distance = neighbor_list("ijd", atoms, reach)
    n = len(atoms)
    strength = stiffness * np.exp(-3.0 * (distance / max(distance.min(initial=np.inf), 0.5) - 1.0))
    graph = sparse.csr_matrix((-strength, (i, j)), shape=(n, n))
    graph = graph - sparse.diags(np.asarray(graph.sum(axis=1)).ravel())
    return sparse.kron(graph, sparse.identity(3)).tocsr()
