"""In which order functions are offered to the pruning: the first of several dependent ones survives."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.messages import basis_error

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis, Function

OrderBy = str | Callable[["Function"], Any] | Sequence[float] | np.ndarray
ORDERS = ("degree", "body_order", "cost")


def channel_levels(centre: CentreBasis, n_elements: int, wl: Fraction, rule: str) -> tuple[np.ndarray, int]:
    """(n_channels,) level of each channel times a common denominator, and that denominator."""
    step = Fraction(1, n_elements) if rule == "acepotentials-0.8" else Fraction(0)
    scale = wl.denominator * step.denominator
    z, n, ell = centre.channels.astype(np.int64).T
    return n * scale + (z + 1 - n_elements) * int(step * scale) + ell * int(wl * scale), scale


def function_levels(centre: CentreBasis, levels: np.ndarray) -> np.ndarray:
    """(n_functions,) level of each function: the sum of its channels' levels."""
    return np.append(levels, 0)[centre.function_channels].sum(axis=1)


def evaluation_cost(centre: CentreBasis) -> np.ndarray:
    """(n_functions,) multiplications to evaluate each function by itself: factors of all its products."""
    owner = np.repeat(np.arange(centre.n_functions), np.diff(centre.row_first))
    factors = centre.product_order[centre.row_product]
    return np.bincount(owner, factors, minlength=centre.n_functions).astype(np.int64)


def function_orders(basis: "ACEBasis", order_by: OrderBy) -> list[np.ndarray]:
    """Per centre, the numbers of its functions in the order of the key.

    Ties go by degree, then body order, then number.

    Raises
    ------
    BasisError
        for an unknown key, or one that does not give a sortable value per function.
    """
    spec = basis.specification
    user = None if isinstance(order_by, str) else _user_values(basis, order_by)
    if user is None and order_by not in ORDERS:
        raise basis_error("unknown ordering", repr(order_by), f"choose one of {list(ORDERS)}, or pass a key")
    orders, start = [], 0
    for centre in basis.many_body:
        levels, _ = channel_levels(centre, basis.n_elements, Fraction(spec.wl), spec.level_rule)
        degree = function_levels(centre, levels)
        keys = [np.arange(centre.n_functions), centre.order, degree]  # least significant first
        if user is not None:
            keys.append(user[start : start + centre.n_functions])
        elif order_by == "body_order":
            keys.append(centre.order)
        elif order_by == "cost":
            keys.append(evaluation_cost(centre))
        orders.append(np.lexsort(keys))
        start += centre.n_functions
    return orders


def order_name(order_by: OrderBy) -> str:
    """What the specification says about the key."""
    if isinstance(order_by, str):
        return order_by
    return f"user: {getattr(order_by, '__name__', 'values')}"


def _user_values(basis: "ACEBasis", order_by: OrderBy) -> np.ndarray:
    """(n_many_body,) the rank of each function's key value (equal values, equal ranks)."""
    n = basis.n_many_body
    values = [order_by(f) for f in basis.columns[:n]] if callable(order_by) else list(order_by)
    if len(values) != n:
        raise basis_error(
            "the ordering key does not fit the basis", f"{len(values)} values", f"give {n}, one per function"
        )
    try:
        distinct = sorted(set(values))
    except TypeError as error:
        raise basis_error("the ordering key is not sortable", error, "return numbers or tuples") from error
    if any(value != value for value in distinct):
        raise basis_error("the ordering key holds NaN", "not a number", "return finite numbers")
    place = {value: i for i, value in enumerate(distinct)}
    return np.array([place[value] for value in values])
