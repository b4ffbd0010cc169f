"""Energy, forces and virial of a ``.yace`` model: on the compiled kernels, or in NumPy, their readable twin.

The kernels take the radial functions from tables (`compiled`, `splines`); NumPy evaluates them analytically,
with complex harmonics, some 200 times slower. They agree to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.basis.reference import VOIGT, real_harmonics
from lacemaker.deploy.yace.compiled import compiled_kernel, why_not_compiled
from lacemaker.deploy.yace.embedding import embed
from lacemaker.deploy.yace.model import YaceModel
from lacemaker.deploy.yace.radial import core_energy, radial_functions, switch_off
from lacemaker.errors import EvaluationError, problem
from lacemaker.potential import Evaluator
from lacemaker.potential.threads import default_threads

__all__ = ["YaceEvaluator", "complex_harmonics"]

_WORK = 1_000_000  # complex numbers in one block


def complex_harmonics(l_max: int, vectors: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Y_lm (n, (l_max + 1)²) at l² + l + m, Condon-Shortley phase, Y_00 = 1, and gradients (…, 3) in 1/Å."""
    values, tangent = real_harmonics(l_max, vectors / r[:, None])
    tangent = tangent / r[:, None, None]
    found = []
    for real in (values, tangent):
        y = np.sqrt(4 * np.pi) * real.astype(complex)
        for ell in range(1, l_max + 1):
            for m in range(1, ell + 1):
                plus, minus = ell * ell + ell + m, ell * ell + ell - m
                pair = np.sqrt(2 * np.pi) * (real[:, plus] + 1j * real[:, minus])
                y[:, plus], y[:, minus] = (-1) ** m * pair, pair.conj()
        found.append(y)
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class _Centre:
    """The A functions and products around one kind of centre."""

    model: YaceModel
    species: int

    @cached_property
    def columns(self) -> np.ndarray:
        """(n_A, 5) distinct rows (rank 1?, mu, n, l, m)."""
        rows = [
            np.column_stack([np.full(t.factors.size // 4, t.rank == 1), t.factors.reshape(-1, 4)])
            for t in self.model.terms[self.species]
        ]
        return np.unique(np.concatenate(rows), axis=0) if rows else np.zeros((0, 5), dtype=np.int64)

    @cached_property
    def products(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Column numbers (T, rank) and weights (T, ndensity) of each rank."""
        number = {tuple(row): k for k, row in enumerate(self.columns.tolist())}
        found = []
        for terms in self.model.terms[self.species]:
            raw = int(terms.rank == 1)
            flat = [number[(raw, *row)] for row in terms.factors.reshape(-1, 4).tolist()]
            found.append((np.array(flat, dtype=np.int64).reshape(-1, terms.rank), terms.weights))
        return found

    @cached_property
    def _scatter(self) -> list[list[Any]]:
        from scipy.sparse import csr_array

        shapes = [(len(index), len(self.columns)) for index, _ in self.products]
        return [
            [
                csr_array((np.ones(len(index)), (np.arange(len(index)), index[:, t])), shape=shape)
                for t in range(index.shape[1])
            ]
            for (index, _), shape in zip(self.products, shapes, strict=True)
        ]

    def of_neighbour(self, other: int) -> np.ndarray:
        """Numbers of the columns of one kind of neighbour."""
        return np.flatnonzero(self.columns[:, 1] == other)

    def radial(self, other: int, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Radial part and its slope, (n, columns of that neighbour)."""
        bond = self.model.bonds[self.species, other]
        raw, _, n, ell, _ = self.columns[self.of_neighbour(other)].T
        mix = np.zeros((bond.n_functions, len(n)))
        single = np.flatnonzero(raw)
        mix[n[single] - 1, single] = 1.0
        many = np.flatnonzero(raw == 0)
        mix[:, many] = bond.coefficients[n[many] - 1, ell[many]].T
        g, dg = radial_functions(bond, r)
        return g.T @ mix, dg.T @ mix

    def densities(self, a: np.ndarray) -> np.ndarray:
        """rho (n_atoms, ndensity) from A (n_atoms, n_A)."""
        rho = np.zeros((len(a), len(self.model.embeddings[self.species].weights)))
        for index, weights in self.products:
            rho += (a[:, index].prod(axis=2) @ weights).real
        return rho

    def adjoint(self, a: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """dE/dA (n_atoms, n_A), for E = Re(dE/dA dA), given dE/drho (n_atoms, ndensity)."""
        total = np.zeros(a.shape, dtype=complex)
        for (index, weights), scatter in zip(self.products, self._scatter, strict=True):
            weight, factors = slope @ weights.T, a[:, index]
            for t, matrix in enumerate(scatter):
                others = np.delete(factors, t, axis=2).prod(axis=2)
                total += (weight * others) @ matrix
        return total


class _NumpyKernel:
    """Has the calls of the compiled evaluator."""

    def __init__(self, model: YaceModel) -> None:
        self.model = model
        self.centres = [_Centre(model, s) for s in range(len(model.elements))]
        self.charges = [ATOMIC_NUMBERS[symbol] for symbol in model.elements]

    def statistics(self) -> dict[str, Any]:
        return {
            "n_a": [len(c.columns) for c in self.centres], "terms": self.model.n_terms, "isa": "numpy"
        }  # fmt: skip

    def evaluate(
        self, positions: np.ndarray, cell: np.ndarray, species: np.ndarray, first: np.ndarray,
        index: np.ndarray, shift: np.ndarray, *, forces: bool = True, n_threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:  # fmt: skip
        owner = np.repeat(np.arange(len(species)), np.diff(first))
        vectors = positions[index] + shift @ cell - positions[owner]
        r = np.linalg.norm(vectors, axis=1)
        if (r == 0).any():
            raise EvaluationError("two atoms have no distance")
        energies, gradient = np.zeros(len(species)), np.zeros((len(r), 3))
        for s, centre in enumerate(self.centres):
            for atoms in _blocks(np.flatnonzero(species == s), np.diff(first), len(centre.columns)):
                pairs = np.flatnonzero(np.isin(owner, atoms))
                local = np.searchsorted(atoms, owner[pairs])
                block = _Block(centre, len(atoms), local, species[index[pairs]], vectors[pairs], r[pairs])
                energies[atoms], gradient[pairs] = block.evaluate(self.charges)
        if not forces:
            return energies, None, None
        force = np.zeros_like(positions)
        np.add.at(force, owner, gradient)
        np.add.at(force, index, -gradient)
        strain = vectors.T @ gradient
        return energies, force, -np.array([0.5 * (strain[a, b] + strain[b, a]) for a, b in VOIGT])


def _blocks(atoms: np.ndarray, counts: np.ndarray, n_columns: int) -> list[np.ndarray]:
    """Atoms in parts whose pairs times columns stay within `_WORK`."""
    if not len(atoms):
        return []
    work = np.cumsum(counts[atoms] * max(n_columns, 1)) // _WORK
    return np.split(atoms, np.flatnonzero(np.diff(work)) + 1)


@dataclass(frozen=True, eq=False)
class _Block:
    """Some atoms of one kind with all their pairs."""

    centre: _Centre
    n_atoms: int
    owner: np.ndarray
    kinds: np.ndarray
    vectors: np.ndarray
    r: np.ndarray

    def evaluate(self, charges: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Energies (n_atoms,) and their gradient by each pair's vector (n_pairs, 3)."""
        model, s = self.centre.model, self.centre.species
        columns = self.centre.columns
        l_max = int(columns[:, 3].max(initial=0))
        y, dy = complex_harmonics(l_max, self.vectors, self.r)
        a = np.zeros((self.n_atoms, len(columns)), dtype=complex)
        parts = []
        for other in range(len(model.elements)):
            mine, which = np.flatnonzero(self.kinds == other), self.centre.of_neighbour(other)
            radial, slope = self.centre.radial(other, self.r[mine])
            harmonic = columns[which, 3] ** 2 + columns[which, 3] + columns[which, 4]
            np.add.at(a, (self.owner[mine][:, None], which[None]), radial * y[np.ix_(mine, harmonic)])
            parts.append((mine, which, harmonic, radial, slope))
        value, by_rho = embed(model.embeddings[s], self.centre.densities(a))
        energies, keep, by_core, by_distance = self._tail(value, charges)
        by_a = self.centre.adjoint(a, by_rho * keep[:, None])
        along, gradient = by_distance, np.zeros((len(self.r), 3))
        for mine, which, harmonic, radial, slope in parts:
            weight = by_a[np.ix_(self.owner[mine], which)]
            along[mine] += (weight * slope * y[np.ix_(mine, harmonic)]).real.sum(axis=1)
            gradient[mine] = np.einsum("pc,pcx->px", weight * radial, dy[mine][:, harmonic]).real
        along = along + by_core
        return energies + model.e0[s], gradient + along[:, None] * self.vectors / self.r[:, None]

    def _tail(self, value: np.ndarray, charges: list[int]) -> tuple[np.ndarray, ...]:
        """Energies with the core; what is left of dF; the pairs' slopes by the core and by the switch."""
        model, s = self.centre.model, self.centre.species
        core, d_core = np.zeros_like(self.r), np.zeros_like(self.r)
        for other in range(len(model.elements)):
            mine = self.kinds == other
            core[mine], d_core[mine] = core_energy(
                model.bonds[s, other], (charges[s], charges[other]), self.r[mine]
            )
        total = np.bincount(self.owner, core, self.n_atoms)
        if model.inner_kind == "zbl":
            return self._nearest_switch(value, total, d_core)
        embedding = model.embeddings[s]
        keep, d_keep = switch_off(total, embedding.core_limit, embedding.core_width)
        by_core = (1 + value * d_keep)[self.owner] * d_core
        return value * keep + total, keep, by_core, np.zeros_like(self.r)

    def _nearest_switch(
        self, value: np.ndarray, total: np.ndarray, d_core: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Type zbl: the neighbour deepest inside its inner cutoff takes the energy from F to the core."""
        model, s = self.centre.model, self.centre.species
        end = np.array([model.bonds[s, k].inner_cutoff for k in range(len(model.elements))])[self.kinds]
        width = np.array([model.bonds[s, k].inner_width for k in range(len(model.elements))])[self.kinds]
        reach = np.array([model.bonds[s, k].cutoff for k in range(len(model.elements))])[self.kinds]
        depth = np.where(self.r < reach, self.r - end + width, np.inf)
        core_share, slope = np.zeros(self.n_atoms), np.zeros_like(self.r)
        order = np.lexsort((-width, depth, self.owner))
        nearest = order[np.unique(self.owner[order], return_index=True)[1]]
        nearest = nearest[np.isfinite(depth[nearest])]
        atom = self.owner[nearest]
        off, d_off = switch_off(depth[nearest], width[nearest], width[nearest])
        core_share[atom] = off
        slope[nearest] = d_off * (total - value)[atom]
        return (
            value * (1 - core_share) + total * core_share,
            1 - core_share,
            core_share[self.owner] * d_core,
            slope,
        )


class YaceEvaluator(Evaluator):
    """`lacemaker.potential.Evaluator` of a ``.yace`` model: same calls.

    Parameters
    ----------
    model : YaceModel
    backend : {"auto", "kernels", "numpy"}
        "auto": the compiled kernels, or NumPy for what is beyond their limits (rank 6, l 24, 8 densities).
    isa : str
        Instruction set of the kernels, "auto" for the best of this machine.
    n_threads : int, optional
        Threads for one structure; NumPy uses one.

    Raises
    ------
    EvaluationError
        If the backend is unknown, or the kernels are asked for and cannot run the model.
    """

    def __init__(
        self, model: YaceModel, *, backend: str = "auto", isa: str = "auto", n_threads: int | None = None
    ) -> None:
        if backend not in ("auto", "kernels", "numpy"):
            raise problem(
                EvaluationError, "the backend is unknown", f"backend={backend!r}",
                "choose 'auto', 'kernels' or 'numpy'",
            )  # fmt: skip
        reason = None if backend == "numpy" else why_not_compiled(model)
        if backend == "kernels" and reason:
            raise problem(
                EvaluationError, "the kernels cannot run this .yace file", reason, "choose backend='numpy'"
            )
        self.model, self.elements = model, model.elements
        self.cutoff = model.cutoff
        compiled = backend != "numpy" and reason is None
        self.n_threads = (n_threads or default_threads()) if compiled else 1
        self.kernel: Any = compiled_kernel(model, isa) if compiled else _NumpyKernel(model)
        self._species = np.full(119, -1, dtype=np.int32)
        self._species[[ATOMIC_NUMBERS[e] for e in model.elements]] = np.arange(len(model.elements))
