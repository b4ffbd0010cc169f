"""The low orders of a basis as a basis of their own."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.basis.messages import basis_error
from lacemaker.basis.optimal_subset import from_ranges, to_ranges

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis
    from lacemaker.basis.spec import BasisSpec


def truncated_columns(basis: "ACEBasis", order: int) -> np.ndarray:
    """Columns of correlation order 1 to `order`, ascending; pair functions have order 1."""
    return np.array([k for k, f in enumerate(basis.columns) if f.correlation_order <= order], dtype=np.int64)


def truncated_spec(basis: "ACEBasis", order: int) -> "BasisSpec":
    """The specification of the functions up to a correlation order, in their order of before.

    Raises
    ------
    BasisError
        when the order is not one of the basis, or a centre element is left without many-body functions.
    """
    from lacemaker.basis.spec import build_spec

    spec = basis.specification
    if not 1 <= order <= basis.correlation_order:
        raise basis_error(
            "the basis cannot be truncated to this correlation order",
            f"order {order} of a basis of order {basis.correlation_order}",
            f"choose 1 to {basis.correlation_order} (body order minus one)",
        )
    fields: dict[str, Any] = dict(spec)
    low = min(order, spec.correlation_order)
    fields |= {"correlation_order": low, "max_degree": tuple(row[:low] for row in spec.max_degree)}
    if spec.selection is not None:
        kept = tuple(
            _kept_up_to(text, basis.full.many_body[i].order, order, basis.elements[i])
            for i, text in enumerate(spec.selection.kept)
        )
        fields["selection"] = spec.selection.model_copy(update={"kept": kept})
    if spec.readout is not None:
        largest = min(order, spec.readout.max_order)
        changed = spec.readout.model_copy(update={"max_order": largest})
        fields["readout"] = changed if largest >= 2 else None
    return build_spec(**fields)


def _kept_up_to(text: str, orders: np.ndarray, order: int, element: str) -> str:
    numbers = from_ranges(text, len(orders))
    low = numbers[orders[numbers] <= order]
    if len(low) == 0:
        raise basis_error(
            f"no many-body function of {element} would be left",
            f"a selection without functions of correlation order 1 to {order}",
            "truncate to a higher order",
        )
    return to_ranges(low)
