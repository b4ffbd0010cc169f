"""Random designs (any polynomials of the A functions) and their values in slow NumPy."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from kernel_oracle import Structure, harmonic, radial_values, random_tables

from lacemaker import _core


@dataclass(frozen=True)
class RandomDesign:
    """Keyword arguments of _core.Tables and _core.DesignRows."""

    tables: dict[str, Any]
    design: dict[str, Any]

    @property
    def n_columns(self) -> int:
        return int(self.design["n_columns"])

    def kernel(self, isa: str = "auto") -> Any:
        return _core.DesignRows(_core.Tables(**self.tables), **self.design, isa=isa)

    def rows(self, structure: Structure, kernel: Any, **options: Any) -> np.ndarray:
        """(1 + 3 n_atoms + 6, n_columns), or (1, n_columns) with forces=False."""
        n_rows = 7 + 3 * len(structure.species) if options.get("forces", True) else 1
        out = np.full((n_rows, self.n_columns), np.nan)
        kernel.rows(*structure.arguments(), out, **options)
        return out

    def terms(self, coefficients: np.ndarray) -> dict[str, Any]:
        """The same functions contracted, for _core.Evaluator."""
        d, nz = self.design, self.tables["n_species"]
        weight = np.zeros(len(d["product_first"]) - 1)
        for c in range(nz):
            rows = range(d["row_centre"][c], d["row_centre"][c + 1])
            for k in rows:
                of_k = slice(d["row_first"][k], d["row_first"][k + 1])
                products = d["product_centre"][c] + d["row_product"][of_k]
                np.add.at(weight, products, coefficients[k] * d["row_coefficient"][of_k])
        return {
            "term_centre": d["product_centre"],
            "term_first": d["product_first"],
            "term_index": d["product_index"],
            "term_weight": weight,
            "pair_coefficients": np.append(coefficients, 0.0)[d["pair_column"]],
            "e0": np.zeros(nz),
        }


def random_design(
    rng: np.random.Generator,
    *,
    orders: tuple[int, ...] = (1, 2, 3),
    n_products: int = 30,
    n_rows: int = 13,
    mixed_orders: bool = False,
    shared_pair_columns: bool = False,
    **options: Any,
) -> RandomDesign:
    """n_rows random combinations of n_products random products of each order, on every centre.

    Products repeat factors now and then; with mixed_orders a row combines products of all orders.
    """
    tables = random_tables(rng, **options)
    nz, n_pair = tables["n_species"], len(tables["pair_norm"])
    index: list[int] = []
    product_first, product_centre, row_centre, row_first = [0], [0], [0], [0]
    row_product: list[int] = []
    row_coefficient: list[float] = []
    for c in range(nz):
        n_a = int(np.diff(tables["a_first"])[c])
        for order in orders:
            for _ in range(n_products):
                factors = rng.integers(0, n_a, order)
                index += np.where(rng.random(order) < 0.2, factors[0], factors).tolist()
                product_first.append(len(index))
        for block in range(len(orders)):
            low, high = (0, len(orders)) if mixed_orders else (block, block + 1)
            for _ in range(n_rows):
                n_terms = int(rng.integers(1, 6))
                row_product += rng.integers(low * n_products, high * n_products, n_terms).tolist()
                row_coefficient += rng.normal(size=n_terms).tolist()
                row_first.append(len(row_product))
        product_centre.append(len(product_first) - 1)
        row_centre.append(len(row_first) - 1)
    pair_column = len(row_first) - 1 + np.arange(nz * nz * n_pair).reshape(nz, nz, n_pair)
    if shared_pair_columns:  # symmetric in the species, as in the ACE1 family
        pair_column = np.minimum(pair_column, pair_column.transpose(1, 0, 2))
    n_columns = int(pair_column.max(initial=len(row_first) - 2)) + 1
    if n_pair > 1:
        pair_column[0, -1, 1] = -1
    return RandomDesign(
        tables,
        {
            "product_centre": np.array(product_centre, np.int32),
            "product_first": np.array(product_first, np.int64),
            "product_index": np.array(index, np.int32),
            "row_centre": np.array(row_centre, np.int32),
            "row_first": np.array(row_first, np.int64),
            "row_product": np.array(row_product, np.int32),
            "row_coefficient": np.array(row_coefficient, float),
            "pair_column": np.ascontiguousarray(pair_column, np.int32),
            "n_columns": n_columns,
        },
    )


def energy_row(design: RandomDesign, structure: Structure, neighbours: tuple[np.ndarray, ...]) -> np.ndarray:
    """(n_columns,) sum over atoms of every function."""
    d, species, total = design.design, structure.species, np.zeros(design.n_columns)
    first, index, shift = neighbours
    for i, c in enumerate(species):
        of_i = slice(first[i], first[i + 1])
        vectors = structure.positions[index[of_i]] + shift[of_i] @ structure.cell - structure.positions[i]
        bounds = d["product_first"][d["product_centre"][c] : d["product_centre"][c + 1] + 1]
        factors = [d["product_index"][a:b] for a, b in pairwise(bounds)]
        in_use = np.unique(d["product_index"][bounds[0] : bounds[-1]])
        a, pair = densities(design.tables, int(c), vectors, species[index[of_i]], in_use)
        products = np.array([a[f].prod() for f in factors])
        for k in range(d["row_centre"][c], d["row_centre"][c + 1]):
            of_k = slice(d["row_first"][k], d["row_first"][k + 1])
            total[k] += d["row_coefficient"][of_k] @ products[d["row_product"][of_k]]
        has_column = d["pair_column"][c] >= 0
        np.add.at(total, d["pair_column"][c][has_column], pair[has_column])
    return total


def densities(
    tables: dict[str, Any], centre: int, vectors: np.ndarray, species: np.ndarray, used: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A (n_A,), right where `used`, and sums of pair functions (NZ, n_pair) of one environment."""
    spec = tables["a_spec"][tables["a_first"][centre] : tables["a_first"][centre + 1]]
    channels = {(int(ell), int(m)) for _, _, ell, m in spec[used]}
    a, pair = np.zeros(len(spec)), np.zeros((tables["n_species"], len(tables["pair_norm"])))
    for z in range(tables["n_species"]):
        d = vectors[species == z]
        r = np.linalg.norm(d, axis=1)
        radial = radial_values(tables, "mb", centre, z, r)
        pair[z] = radial_values(tables, "pair", centre, z, r).sum(axis=1)
        for ell, m in channels if len(d) else ():
            y = harmonic(ell, m, d)
            mine = (spec[:, 0] == z) & (spec[:, 2] == ell) & (spec[:, 3] == m)
            a[mine] = radial[spec[mine, 1] - 1] @ y
    return a, pair
