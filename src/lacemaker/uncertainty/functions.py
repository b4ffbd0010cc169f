"""The basis functions themselves in a ``.lace`` file, for what needs more than their contracted sum.

A potential stores one weight per product. Committees and extrapolation grades in LAMMPS need the functions
one by one: these optional arrays hold them, restricted to the functions in use. Numbering of columns is that
of ``coefficients``; a column that is not in use has an empty row.

============================== ==== =================== ================================================
extra.functions.product_centre I32  (Z + 1,)            products of each centre
extra.functions.product_first  I64  (P + 1,)            product p has entries product_first[p] … of
extra.functions.product_index  I32  (I,)                product_index: A functions within the centre
extra.functions.row_centre     I32  (Z + 1,)            many-body columns of each centre
extra.functions.row_first      I64  (M + 1,)            column k = sum of row_coefficient · product over
extra.functions.row_product    I32  (E,)                entries row_first[k] …; products are numbered
extra.functions.row_coefficient F64 (E,)                within the centre
extra.functions.pair_column    I32  (Z, Z, n_pair)      column of a pair function, -1: not in use
============================== ==== =================== ================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis
    from lacemaker.potential import Potential

__all__ = ["NAMES", "attach_functions", "functions_in_use", "stored_functions"]

PREFIX = "functions."
NAMES = (
    "product_centre", "product_first", "product_index", "row_centre", "row_first", "row_product",
    "row_coefficient", "pair_column",
)  # fmt: skip
_TYPES = {"product_first": np.int64, "row_first": np.int64, "row_coefficient": np.float64}


def functions_in_use(potential: Potential) -> np.ndarray:
    """(K,) bool: functions with a coefficient, or with one in some member of the committee."""
    used = potential.coefficients != 0.0
    members = potential.extras.get("committee.coefficients")
    if members is not None and members.ndim == 2 and members.shape[1] == len(used):
        used = used | np.any(members != 0.0, axis=0)
    return used


def attach_functions(potential: Potential) -> Potential:
    """The potential with the table of its functions in use; about 12 bytes per coupling coefficient."""
    tables = _restricted(potential.basis, functions_in_use(potential))
    return potential.with_extras(**{PREFIX + name: tables[name] for name in NAMES})


def stored_functions(potential: Potential) -> dict[str, Any]:
    """Arguments of ``_core.SiteFunctions`` from the arrays a potential carries; KeyError without them."""
    tables: dict[str, Any] = {name: potential.extras[PREFIX + name] for name in NAMES}
    return {**tables, "n_columns": len(potential.coefficients)}


def _restricted(basis: ACEBasis, used: np.ndarray) -> dict[str, np.ndarray]:
    """The design tables of a basis without the functions that are not in use, and their products."""
    full = basis.design_tables()
    n_rows = len(full["row_first"]) - 1
    lengths = np.diff(full["row_first"])
    rows_before = np.asarray(full["row_centre"])
    centre = np.repeat(np.arange(len(rows_before) - 1), np.diff(rows_before))
    kept = np.repeat(used[:n_rows], lengths)
    starts = np.asarray(full["product_centre"], dtype=np.int64)
    owner = np.repeat(centre, lengths)[kept]
    number = np.asarray(full["row_product"], dtype=np.int64)[kept] + starts[owner]
    products, new_number = np.unique(number, return_inverse=True)
    new_starts = np.searchsorted(products, starts)
    first, index = np.asarray(full["product_first"]), np.asarray(full["product_index"])
    factors = [index[first[p] : first[p + 1]] for p in products]
    column = np.asarray(full["pair_column"])
    found = {
        "product_centre": new_starts,
        "product_first": np.concatenate([[0], np.cumsum([len(f) for f in factors])]),
        "product_index": np.concatenate([np.zeros(0, dtype=index.dtype), *factors]),
        "row_centre": rows_before,
        "row_first": np.concatenate([[0], np.cumsum(lengths * used[:n_rows])]),
        "row_product": new_number - new_starts[owner],
        "row_coefficient": np.asarray(full["row_coefficient"])[kept],
        "pair_column": np.where((column >= 0) & used[column], column, -1),
    }
    return {
        name: np.ascontiguousarray(array, dtype=_TYPES.get(name, np.int32)) for name, array in found.items()
    }
