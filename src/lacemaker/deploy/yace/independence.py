"""Functional independence of the functions of a ``.yace`` file.

A function is one record of the file: all products of the same channels, with the weights of one density. Its
variables are sums over neighbours of linearly independent radial functions times harmonics. Rank 1 and the
l = 0 part of higher ranks share the raw radial functions g_k, so that (sum_k c_k A_k)² is rightly called a
function of the A_k; radial functions R_nl that are linear combinations of each other count once. A file
exported by lacemaker writes its pair energy as some 80 functions of rank 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.independence import CentreRank, IndependenceReport
from lacemaker.analysis.symmetric_sites import site_ranks
from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.independence import FloatJacobian, Jacobian, Orthonormal, greedy
from lacemaker.basis.reference import real_harmonics
from lacemaker.deploy.yace.messages import bad
from lacemaker.deploy.yace.radial import radial_functions

if TYPE_CHECKING:
    from lacemaker.deploy.yace.model import YaceModel

__all__ = ["independence_report"]

SEEDS = (20250330, 2503)
_SAME = 1e-10  # singular values of radial coefficients below this part of the largest: linearly dependent


def independence_report(model: YaceModel, environments: Any = None) -> IndependenceReport:
    """Functional rank, redundant functions and completeness bound of an imported potential.

    Parameters
    ----------
    model : YaceModel
        From `read_yace`.
    environments : Frame, Atoms or a sequence of them, optional
        Structures at whose atoms the rank is looked at; equivalent atoms are listed once.

    Returns
    -------
    IndependenceReport
        Rank-1 functions are counted with the others (``n_pair`` is 0): they share variables.

    Raises
    ------
    FileFormatError
        When an element has no functions.
    BasisError
        When the structures hold other elements than the file.
    """
    functions = YaceVariables(model)
    ranks = tuple(_centre_rank(functions, i) for i in range(len(model.elements)))
    sites = () if environments is None else site_ranks(functions, environments, [r.rank for r in ranks])
    return IndependenceReport(ranks, sites, n_pair=0, arithmetic="float64", active_only=True)


def _centre_rank(functions: YaceVariables, i: int) -> CentreRank:
    centre = functions.centres[i]
    order, n = centre.order, len(centre.labels)
    if not len(order):
        raise bad(
            "there is nothing to say about this potential",
            f"{functions.elements[i]} has no functions",
            "look at the file",
        )
    momenta = centre.labels[:, 2]
    rotations = 0 if not momenta.any() else 2 if momenta.sum() == 3 else 3  # a single vector has an axis
    runs = []
    for seed in SEEDS:
        jacobian = functions.jacobian(i, np.random.default_rng(seed).normal(size=n))
        runs.append(greedy(jacobian, Orthonormal(n), np.arange(len(order)), n - rotations))
    kept = max(runs, key=np.sum)
    top = int(order.max()) + 1
    return CentreRank(
        element=functions.elements[i],
        n_functions=len(order),
        rank=int(kept.sum()),
        n_components=n,
        bound=n - rotations,
        kept_by_order=tuple(np.bincount(order[kept], minlength=top)[1:].tolist()),
        functions_by_order=tuple(np.bincount(order, minlength=top)[1:].tolist()),
    )


class YaceVariables:
    """What `site_ranks` asks of a basis, for a ``.yace`` file."""

    scalable = True

    def __init__(self, model: YaceModel) -> None:
        self.elements, self.cutoff = model.elements, model.cutoff
        self.centres = [_Centre(model, i) for i in range(len(model.elements))]

    def order(self, centre: int) -> np.ndarray:
        return self.centres[centre].order

    def labels(self, centre: int) -> np.ndarray:
        return self.centres[centre].labels

    def contributions(self, centre: int, vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
        return self.centres[centre].contributions(vectors, others)

    def jacobian(self, centre: int, point: np.ndarray) -> Jacobian:
        return _ChainRule(self.centres[centre], point)


@dataclass(frozen=True, eq=False)
class _Centre:
    """The functions around one kind of centre as polynomials of real A, and those A in terms of variables."""

    model: YaceModel
    species: int

    @cached_property
    def _expanded(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Per rank: function (T,), factors (T, rank, 5) rows (raw, mu, n, l, m) of real A, weights (T,)."""
        found, start = [], 0
        for terms in self.model.terms[self.species]:
            channels = np.sort(terms.factors[:, :, :3] @ np.array([1 << 40, 1 << 20, 1]), axis=1)
            record = np.unique(channels, axis=0, return_inverse=True)[1].reshape(-1)
            for p in range(terms.weights.shape[1]):
                number, factors, weights = _real(record, terms.factors, terms.weights[:, p])
                used, number = np.unique(number, return_inverse=True)
                raw = np.full((*factors.shape[:2], 1), int(terms.rank == 1))
                found.append((number.reshape(-1) + start, np.concatenate([raw, factors], axis=2), weights))
                start += len(used)
        return found

    @cached_property
    def columns(self) -> np.ndarray:
        """(n_A, 5) the real A in use, rows (raw, mu, n, l, m)."""
        rows = [factors.reshape(-1, 5) for _, factors, _ in self._expanded]
        return np.unique(np.concatenate(rows), axis=0) if rows else np.zeros((0, 5), dtype=np.int64)

    @cached_property
    def order(self) -> np.ndarray:
        """(n_functions,) number of factors."""
        return np.concatenate(
            [np.full(len(np.unique(f)), factors.shape[1]) for f, factors, _ in self._expanded]
            or [np.zeros(0, dtype=np.int64)]
        )

    @cached_property
    def table(self) -> CentreBasis:
        """The polynomials, in the form every basis has."""
        index, function, weight, lengths = [], [], [], []
        width = int(self.order.max())
        for number, factors, values in self._expanded:
            place = _places(self.columns, factors)
            place.sort(axis=1)
            index.append(np.pad(place, ((0, 0), (0, width - place.shape[1])), constant_values=-1))
            function.append(number)
            weight.append(values)
            lengths.append(np.full(len(place), place.shape[1]))
        keys = np.column_stack([np.concatenate(lengths), np.concatenate(index)])
        distinct, product = np.unique(keys, axis=0, return_inverse=True)
        flat = distinct[:, 1:]
        rows = np.concatenate(function)
        by_function = np.argsort(rows, kind="stable")
        n = len(self.order)
        return CentreBasis(
            channels=np.zeros((0, 3), dtype=np.int32),
            a_spec=self.columns[:, 1:].astype(np.int32),
            product_first=np.concatenate([[0], np.cumsum(distinct[:, 0])]).astype(np.int64),
            product_index=flat[flat >= 0].astype(np.int32),
            row_first=np.searchsorted(rows[by_function], np.arange(n + 1)),
            row_product=product.reshape(-1)[by_function].astype(np.int32),
            row_coefficient=np.concatenate(weight)[by_function],
            order=self.order,
            function_channels=np.full((n, width), -1),
            multiplicity=np.zeros(n, dtype=np.int64),
        )

    @cached_property
    def _radials(self) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Per (neighbour, l): rows (raw, n) in use, their coordinates (rows, r), and those of g (r, K)."""
        found = {}
        for mu, ell in np.unique(self.columns[:, [1, 3]], axis=0).tolist():
            mine = (self.columns[:, 1] == mu) & (self.columns[:, 3] == ell)
            rows = np.unique(self.columns[mine][:, [0, 2]], axis=0)
            bond = self.model.bonds[self.species, mu]
            mixed = bond.coefficients[np.minimum(rows[:, 1], len(bond.coefficients)) - 1, ell]
            unit = np.eye(bond.n_functions)[np.minimum(rows[:, 1], bond.n_functions) - 1]
            g = np.where(rows[:, :1] == 1, unit, mixed)
            _, s, v = np.linalg.svd(g, full_matrices=False)
            v = v[s > _SAME * s[0]]
            found[mu, ell] = rows, g @ v.T, v
        return found

    @cached_property
    def labels(self) -> np.ndarray:
        """(n_variables, 3) rows (neighbour, number, l); 2 l + 1 of each."""
        rows = [
            [mu, k, ell]
            for (mu, ell), (_, _, v) in self._radials.items()
            for k in range(len(v))
            for _ in range(2 * ell + 1)
        ]
        return np.array(rows).reshape(-1, 3)

    @cached_property
    def mixing(self) -> np.ndarray:
        """(n_A, n_variables): A in terms of the variables."""
        matrix = np.zeros((len(self.columns), len(self.labels)))
        start = 0
        for (mu, ell), (rows, coordinates, v) in self._radials.items():
            mine = np.flatnonzero((self.columns[:, 1] == mu) & (self.columns[:, 3] == ell))
            which = _places(rows, self.columns[mine][:, [0, 2]])
            for k in range(len(v)):
                column = start + k * (2 * ell + 1) + self.columns[mine, 4] + ell
                matrix[mine, column] = coordinates[which, k]
            start += len(v) * (2 * ell + 1)
        return matrix

    def contributions(self, vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(n_variables, n) what each neighbour adds."""
        r = np.linalg.norm(vectors, axis=1)
        harmonics, _ = real_harmonics(int(self.labels[:, 2].max()), vectors / r[:, None])
        parts = []
        for (mu, ell), (_, _, v) in self._radials.items():
            g, _ = radial_functions(self.model.bonds[self.species, mu], r)
            radial = np.where(others == mu, v @ g, 0.0)
            angular = harmonics[:, ell * ell : (ell + 1) ** 2].T
            parts.append((radial[:, None] * angular[None]).reshape(-1, len(r)))
        return np.concatenate(parts)


class _ChainRule:
    """Gradients by the variables through those by A."""

    def __init__(self, centre: _Centre, point: np.ndarray) -> None:
        self.mixing = centre.mixing
        self.by_a = FloatJacobian(centre.table, self.mixing @ point)

    def rows(self, functions: np.ndarray) -> np.ndarray:
        return self.by_a.rows(functions) @ self.mixing


def _real(
    function: np.ndarray, factors: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Re(weight · product of complex A) as products of real A; function, factors and weights of those."""
    used = np.flatnonzero(weights)
    function, factors, values = function[used], factors[used].copy(), weights[used].astype(complex)
    for t in range(factors.shape[1]):
        m = factors[:, t, 3]
        cosine, sine = factors.copy(), factors.copy()
        cosine[:, t, 3], sine[:, t, 3] = np.abs(m), -np.abs(m)
        size = np.where(m > 0, (-1.0) ** m, 1.0) * np.where(m == 0, 1.0, np.sqrt(0.5))
        some = m != 0
        function = np.concatenate([function, function[some]])
        factors = np.concatenate([cosine, sine[some]])
        values = np.concatenate([values * size, (1j * np.sign(m) * values * size)[some]])
    real = np.flatnonzero(np.abs(values.real) > 0)
    return function[real], factors[real], values.real[real]


def _places(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Position of each row in a table of distinct rows, in the shape of `rows` without its last axis."""
    number = {tuple(row): k for k, row in enumerate(table.tolist())}
    flat = rows.reshape(-1, rows.shape[-1]).tolist()
    return np.array([number[tuple(row)] for row in flat], dtype=np.int64).reshape(rows.shape[:-1])
