"""Second derivatives of a network by automatic differentiation.

The gradient with respect to pair vectors is differentiated once more, so along a displacement v ::

    (H v)_i = Σ_{p: j = i} h_p - Σ_{p: i = i} h_p,      h = ∂/∂u Σ_p (∂E/∂u_p) · (v_j - v_i)

with u_p = x_j - x_i. Several rows of the Hessian are computed at once, on copies of the structure in one
batch. H_{iα,jβ} = ∂²E/∂x_{iα}∂x_{jβ}, eV/Å²; with `cutoff_function: cos2` it jumps where a pair crosses the
cutoff.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lacemaker.errors import EvaluationError, problem
from lacemaker.networks.evaluator import NetworkEvaluator, running
from lacemaker.networks.graphs import Batch, Graph
from lacemaker.potential.evaluator import _no_energy

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["NetworkHessian"]

ATOMS_AT_ONCE = 400


class NetworkHessian:
    """The Hessian of a network, sparse, or times a displacement.

    Parameters
    ----------
    evaluator : NetworkEvaluator
        Its precision is that of the derivatives.
    """

    def __init__(self, evaluator: NetworkEvaluator) -> None:
        self.evaluator = evaluator

    def sparse(self, structure: Any, *, n_threads: int | None = None) -> csr_array:
        """The Hessian (3 n_atoms, 3 n_atoms), eV/Å², symmetric to the last bit.

        Cost: about 3 n_atoms training steps of the structure.

        Raises
        ------
        EvaluationError
            As `NetworkEvaluator.predict`.
        """
        from scipy.sparse import csr_array, vstack

        n = 3 * len(structure.numbers)
        if n == 0:
            return csr_array((0, 0))
        copies = max(1, min(n, 3 * ATOMS_AT_ONCE // n))
        with running(self.evaluator.isa, self.evaluator.n_threads if n_threads is None else n_threads):
            times, rows = self._product(structure, copies), []
            for start in range(0, n, copies):
                count = min(copies, n - start)
                directions = np.zeros((copies, n))
                directions[np.arange(count), start + np.arange(count)] = 1.0
                rows.append(csr_array(times(directions)[:count]))
        hessian = csr_array(vstack(rows))
        return csr_array((hessian + hessian.T) / 2)

    def product(self, structure: Any, displacement: np.ndarray) -> np.ndarray:
        """Hessian times displacement (shape (n_atoms, 3) or (3 n_atoms,), kept): eV/Å² times its unit.

        Raises
        ------
        EvaluationError
            For a shape that does not fit, or as `NetworkEvaluator.predict`.
        """
        n, v = len(structure.numbers), np.asarray(displacement, dtype=np.float64)
        if v.shape not in ((n, 3), (3 * n,)):
            raise problem(
                EvaluationError,
                "the displacement does not fit the structure",
                f"shape {v.shape} for {n} atoms",
                f"give an array of shape ({n}, 3) or ({3 * n},)",
            )
        with running(self.evaluator.isa, self.evaluator.n_threads):
            return self._product(structure, 1)(v.reshape(1, -1)).reshape(v.shape)

    def _product(self, structure: Any, copies: int) -> Callable[[np.ndarray], np.ndarray]:
        """(copies, 3 n_atoms) displacements to the Hessian times each."""
        evaluator = self.evaluator
        species, positions, cell, pbc = evaluator.prepare(structure)
        near = evaluator.neighbours(positions, cell, pbc)
        graph = Graph.from_list(species, positions, cell, near, evaluator.cutoff)
        batch = Batch.of([graph] * copies, evaluator.dtype, evaluator.device)
        result = evaluator.network.evaluate(batch, training=True)
        gradient, vectors = result.pair_gradient, result.batch.vectors
        assert gradient is not None  # forces are computed
        if not torch.isfinite(gradient).all():
            raise _no_energy(positions, cell, near, "forces that are not finite")

        def product(displacements: np.ndarray) -> np.ndarray:
            if not len(vectors):
                return np.zeros(displacements.shape)
            v = torch.from_numpy(displacements).to(vectors).reshape(-1, 3)
            along = v[batch.neighbour] - v[batch.centre]
            (h,) = torch.autograd.grad(gradient, vectors, along, retain_graph=True)
            found = _scatter(h, batch.neighbour, batch.n_atoms) - _scatter(h, batch.centre, batch.n_atoms)
            return found.to("cpu", torch.float64).numpy().reshape(displacements.shape)

        return product


def _scatter(values: Tensor, index: Tensor, n: int) -> Tensor:
    return values.new_zeros((n, 3)).index_add(0, index, values)
