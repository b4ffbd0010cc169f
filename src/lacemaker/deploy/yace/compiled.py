"""A ``.yace`` model as arguments of the compiled kernels.

Complex products become real ones, radial functions become tables; the rank-1 products of a bond are one
function of the distance per density, and so is the core. Linear embeddings are folded into the weights, so
one density is left of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.deploy.yace.model import Bond, YaceModel
from lacemaker.deploy.yace.products import real_products
from lacemaker.deploy.yace.radial import core_energy, radial_functions
from lacemaker.deploy.yace.splines import Spline, interpolate, segments_of

__all__ = ["compiled_kernel", "why_not_compiled"]

_KINDS = {"FinnisSinclair": 0, "FinnisSinclairShiftedScaled": 1}
_ROOT = np.sqrt(4 * np.pi)  # 1 / Y_00


def why_not_compiled(model: YaceModel) -> str | None:
    """What the kernels cannot do of this model; None if they can run it."""
    from lacemaker import _core

    rank = max((terms.rank for centre in model.terms for terms in centre), default=1)
    degrees = (int(terms.factors[:, :, 2].max(initial=0)) for centre in model.terms for terms in centre)
    densities = _n_densities(model)
    for name, value, limit in (
        ("products of rank", rank, _core.max_order),
        ("harmonics of degree", max(degrees, default=0), _core.max_harmonic_degree),
        ("densities", densities, _core.max_densities),
    ):
        if value > limit:
            return f"{name} {value}, while the kernels go to {limit}"
    return None


def compiled_kernel(model: YaceModel, isa: str = "auto") -> Any:
    """The ``_core.TabulatedEvaluator`` of a model that `why_not_compiled` has nothing against."""
    from lacemaker import _core

    n = len(model.elements)
    centres = [_Centre(model, s) for s in range(n)]
    pairs = [[centres[s].pair(j) for j in range(n)] for s in range(n)]
    rows = [centres[s].rows(pairs[s]) for s in range(n)]
    terms = [centres[s].terms(rows[s], pairs[s]) for s in range(n)]
    arrays = {**_radial(model, pairs), **_embeddings(model), **_terms(terms), "e0": model.e0.astype(float)}
    return _core.TabulatedEvaluator(_core.Tables(**_tables(model, rows)), **arrays, isa=isa)


def _n_densities(model: YaceModel) -> int:
    return max(1 if e.linear else len(e.weights) for e in model.embeddings)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Tabulated functions of one ordered pair of elements.

    ``n_of_l`` (lmax + 1,) many-body functions of each l, ``first`` (lmax + 1,) where they start in the table,
    ``n_rows`` of l = 0: many-body functions, then one per density, then the core if there is one.
    """

    n_of_l: list[int]
    first: list[int]
    extra: int  # n of the first density's function
    has_core: bool
    n_functions: int
    spline: Spline


class _Centre:
    """Products around one kind of centre.

    ``many`` holds keys (T, rank, 4) and weights (T, n_densities) of each rank above one, ``single``
    (n_elements, K, n_densities) the weights of the g_k of each neighbour.
    """

    def __init__(self, model: YaceModel, species: int) -> None:
        self.model, self.species, n = model, species, _n_densities(model)
        self.many: list[tuple[np.ndarray, np.ndarray]] = []
        size = max(bond.n_functions for bond in model.bonds.values())
        self.single = np.zeros((len(model.elements), size, n))
        for terms in model.terms[species]:
            weights = self._folded(terms.weights)
            if terms.rank > 1:
                self.many.append(real_products(terms.factors, weights))
            else:
                mu, k = terms.factors[:, 0, 0], terms.factors[:, 0, 1] - 1
                np.add.at(self.single, (mu, k), weights)

    def _folded(self, weights: np.ndarray) -> np.ndarray:
        """Weights (T, n_densities): a linear embedding needs one density."""
        embedding, n = self.model.embeddings[self.species], _n_densities(self.model)
        own = (weights @ embedding.weights)[:, None] if embedding.linear else weights
        return np.pad(own, ((0, 0), (0, n - own.shape[1])))

    def channels(self, other: int) -> np.ndarray:
        """(n, 3) distinct (n, l, m) of one kind of neighbour."""
        none = np.zeros((0, 4), dtype=np.int64)
        rows = np.concatenate([none, *(keys.reshape(-1, 4) for keys, _ in self.many)])
        return np.unique(rows[rows[:, 0] == other][:, 1:], axis=0)

    def pair(self, other: int) -> _Pair:
        bond, n = self.model.bonds[self.species, other], _n_densities(self.model)
        n_of_l, shared, matrix = _many_body(bond, self.channels(other))
        singles = self.single[other, : bond.n_functions].T
        has_core = bond.core_strength != 0 or bond.inner_kind == "zbl"
        head = max(n_of_l) if shared else n_of_l[0]
        matrix = np.concatenate([matrix[:head], singles, matrix[head:]])
        at_core = head + n if has_core else None
        rest = head + n + has_core
        first = [0] + [0 if shared else rest + sum(n_of_l[1:ell]) for ell in range(1, len(n_of_l))]
        elements = self.model.elements
        charges = ATOMIC_NUMBERS[elements[self.species]], ATOMIC_NUMBERS[elements[other]]

        def functions(r: np.ndarray) -> np.ndarray:
            values = matrix @ radial_functions(bond, r)[0]
            if at_core is None:
                return values
            return np.insert(values, at_core, r * core_energy(bond, charges, r)[0], axis=0)

        from lacemaker import _core

        spline = interpolate(functions, segments_of(bond), _core.table_order)
        return _Pair(n_of_l, first, head + 1, has_core, len(matrix) + has_core, spline)

    def rows(self, pairs: list[_Pair]) -> np.ndarray:
        """Rows (species, n, l, m) of all A functions."""
        found = []
        for other, pair in enumerate(pairs):
            channels = self.channels(other)
            extra = np.zeros((_n_densities(self.model) + pair.has_core, 3), dtype=np.int64)
            extra[:, 0] = pair.extra + np.arange(len(extra))
            both = np.concatenate([channels, extra])
            found.append(np.column_stack([np.full(len(both), other), both]))
        return np.concatenate(found)

    def terms(self, rows: np.ndarray, pairs: list[_Pair]) -> list[tuple[np.ndarray, np.ndarray]]:
        """A numbers (T, rank) and weights (T, n_densities) of each rank, densities' own functions first."""
        number = {tuple(row): k for k, row in enumerate(rows.tolist())}
        n = _n_densities(self.model)
        own = [[number[j, pair.extra + p, 0, 0]] for j, pair in enumerate(pairs) for p in range(n)]
        found = [(np.array(own), _ROOT * np.tile(np.eye(n), (len(pairs), 1)))]
        for keys, weights in self.many:
            flat = [number[tuple(row)] for row in keys.reshape(-1, 4).tolist()]
            found.append((np.array(flat, dtype=np.int64).reshape(keys.shape[:2]), weights))
        return found


def _many_body(bond: Bond, channels: np.ndarray) -> tuple[list[int], bool, np.ndarray]:
    """Functions of each l, whether all l share them, and the functions as sums of g_k, (n, K)."""
    l_max = int(channels[:, 1].max(initial=0))
    n_of_l = [int(channels[channels[:, 1] == ell, 0].max(initial=0)) for ell in range(l_max + 1)]
    used = np.zeros((max(n_of_l), l_max + 1), dtype=bool)
    used[channels[:, 0] - 1, channels[:, 1]] = True
    common, shared = np.zeros((max(n_of_l), bond.n_functions)), True
    for n in range(max(n_of_l)):
        rows = bond.coefficients[n, : l_max + 1][used[n]]
        shared = shared and bool((rows == rows[:1]).all())
        common[n] = rows[0] if len(rows) else 0.0
    if shared:
        return n_of_l, True, common
    parts = [bond.coefficients[:n, ell] for ell, n in enumerate(n_of_l)]
    return n_of_l, False, np.concatenate(parts)


def _tables(model: YaceModel, rows: list[np.ndarray]) -> dict[str, Any]:
    """Arguments of ``_core.Tables``: A functions and cutoffs; the radial functions there are not used."""
    n = len(model.elements)
    n_max = max(int(r[:, 1].max(initial=1)) for r in rows)
    parameters = np.zeros((n, n, 5))
    parameters[..., 1] = 1.0
    parameters[..., 2] = [[model.bonds[i, j].cutoff for j in range(n)] for i in range(n)]
    unused = {"beta": np.zeros(n_max), "gamma": np.zeros(n_max), "norm": np.ones(n_max)}
    identity = {"transform": 2, "transform_params": parameters, "envelope": 0, "envelope_params": np.zeros(2)}
    none = dict.fromkeys(unused, np.zeros(0))
    return {
        "n_species": n,
        **{f"mb_{key}": value for key, value in {**identity, **unused}.items()},
        **{f"pair_{key}": value for key, value in {**identity, **none}.items()},
        "zbl": np.zeros((n, n, 3)),
        "zbl_a": np.ones((n, n)),
        "a_first": np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int32),
        "a_spec": np.concatenate(rows).astype(np.int32),
    }


def _radial(model: YaceModel, pairs: list[list[_Pair]]) -> dict[str, Any]:
    n, flat = len(pairs), [pair for row in pairs for pair in row]
    n_l = max(len(pair.first) for pair in flat)
    first = np.zeros((n, n, n_l), dtype=np.int32)
    for k, pair in enumerate(flat):
        first.reshape(-1, n_l)[k, : len(pair.first)] = pair.first
    bonds = [model.bonds[i, j] for i in range(n) for j in range(n)]
    return {
        "n_functions": np.array([pair.n_functions for pair in flat], dtype=np.int32).reshape(n, n),
        "first_function": first,
        "has_core": np.array([pair.has_core for pair in flat], dtype=np.int32).reshape(n, n),
        "inner": np.array([[b.inner_cutoff, b.inner_width] for b in bonds]).reshape(n, n, 2),
        "segment_first": np.cumsum([0, *(len(pair.spline.bins) for pair in flat)]).astype(np.int32),
        "segment_range": np.concatenate([pair.spline.ranges for pair in flat]),
        "segment_bins": np.concatenate([pair.spline.bins for pair in flat]),
        "coefficients": np.concatenate([pair.spline.coefficients.ravel() for pair in flat]),
    }


def _embeddings(model: YaceModel) -> dict[str, Any]:
    n = _n_densities(model)
    weight, exponent = np.zeros((len(model.elements), n)), np.ones((len(model.elements), n))
    for s, embedding in enumerate(model.embeddings):
        own = (np.ones(1), np.ones(1)) if embedding.linear else (embedding.weights, embedding.exponents)
        weight[s, : len(own[0])], exponent[s, : len(own[1])] = own
    return {
        "embedding_kind": np.array([_KINDS[e.kind] for e in model.embeddings], dtype=np.int32),
        "embedding_weight": weight,
        "embedding_exponent": exponent,
        "embedding_core": np.array([[e.core_limit, e.core_width] for e in model.embeddings], dtype=float),
        "nearest_switch": model.inner_kind == "zbl",
    }


def _terms(terms: list[list[tuple[np.ndarray, np.ndarray]]]) -> dict[str, Any]:
    parts = [part for centre in terms for part in centre]
    lengths = np.concatenate([np.full(len(index), index.shape[1]) for index, _ in parts])
    return {
        "term_centre": np.cumsum([0, *(sum(len(i) for i, _ in centre) for centre in terms)]).astype(np.int32),
        "term_first": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "term_index": np.concatenate([index.ravel() for index, _ in parts]).astype(np.int32),
        "term_weight": np.ascontiguousarray(np.concatenate([weights for _, weights in parts]).T),
    }
