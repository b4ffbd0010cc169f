"""Parts of a basis: selections of its many-body functions, stored as function numbers of the full basis."""

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.basis.centre import CentreBasis, build_centre
from lacemaker.basis.levels import exact
from lacemaker.basis.messages import basis_error
from lacemaker.basis.optimal_readout import with_products
from lacemaker.basis.purification import purified_centre
from lacemaker.basis.radial import RadialBasis

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis
    from lacemaker.basis.spec import BasisSpec


PART_FIELDS = ("selection", "readout")
"""What a specification says beyond that of the full basis."""


def to_ranges(numbers: np.ndarray) -> str:
    """Ascending numbers as text: [0, 1, 2, 5] -> "0-2,5"."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs if len(run))


def from_ranges(text: str, size: int) -> np.ndarray:
    """Inverse of `to_ranges`; checked against the number of functions.

    Raises
    ------
    BasisError
        when the text is not an ascending list of numbers below `size`.
    """
    try:
        numbers: list[int] = []
        for part in text.split(",") if text else []:
            first, _, last = part.partition("-")
            start, stop = int(first), int(last or first) + 1
            if not start < stop <= size:
                raise ValueError
            numbers.extend(range(start, stop))
    except ValueError:
        numbers = [-1]
    if any(b <= a for a, b in pairwise([-1, *numbers])):
        raise basis_error(
            "the selection of functions is damaged",
            repr(text[:60]),
            f"it must list ascending numbers below {size}, such as 0-15,17",
        )
    return np.array(numbers, dtype=np.int64)


def build_many_body(
    spec: "BasisSpec", full: tuple[CentreBasis, ...] | None = None
) -> tuple[CentreBasis, ...]:
    """The centres of a specification; equal ones share their arrays.

    Parameters
    ----------
    full
        The centres without selection, purification and readout, where they are at hand.
    """
    built: dict[Any, CentreBasis] = {}
    for i, degrees in enumerate(spec.degrees):
        if degrees not in built:
            built[degrees] = (
                full[i]
                if full
                else build_centre(len(spec.elements), degrees, Fraction(spec.wl), spec.level_rule)
            )
    selection, readout, purification = spec.selection, spec.readout, spec.purification
    if selection is None and readout is None and purification is None:
        return tuple(built[degrees] for degrees in spec.degrees)
    if selection is not None and len(selection.kept) != len(spec.elements):
        raise basis_error(
            "the selection does not fit the elements",
            f"{len(selection.kept)} parts for {len(spec.elements)} elements",
            "give one list of functions per centre element",
        )
    parts: dict[Any, CentreBasis] = {}
    for i, degrees in enumerate(spec.degrees):
        key = degrees, selection.kept[i] if selection else None
        if key not in parts:
            part = built[degrees]
            if selection is not None:
                part = restricted(part, from_ranges(selection.kept[i], part.n_functions))
            if purification is not None:
                n_max = int(part.channels[:, 1].max())
                radial = RadialBasis(spec.transform, spec.envelope, spec.polynomials, n_max)
                part = purified_centre(part, len(spec.elements), radial, purification.kind)
            if readout is not None:
                part = with_products(part, len(spec.elements), Fraction(spec.wl), spec.level_rule, readout)
            parts[key] = part
    return tuple(parts[d, selection.kept[i] if selection else None] for i, d in enumerate(spec.degrees))


def restricted(centre: CentreBasis, functions: np.ndarray) -> CentreBasis:
    """The centre with some of its functions (ascending numbers): only the products and A they need."""
    if len(functions) == 0:
        raise basis_error(
            "a selection leaves a centre element without many-body functions",
            "no functions",
            "keep at least one function per centre element",
        )
    lengths = np.diff(centre.row_first)[functions]
    entry = _ranges(centre.row_first[functions], lengths)
    products, row_product = np.unique(centre.row_product[entry], return_inverse=True)
    orders = centre.product_order[products]
    index = centre.product_index[_ranges(centre.product_first[products], orders)]
    numbers = centre.function_channels[functions]
    channels = np.unique(numbers[numbers >= 0])
    new_channel = np.full(len(centre.channels) + 1, -1)
    new_channel[channels] = np.arange(len(channels))
    wanted = {tuple(c) for c in centre.channels[channels].tolist()}
    kept_a = np.array([tuple(row[:3]) in wanted for row in centre.a_spec.tolist()])
    return CentreBasis(
        channels=centre.channels[channels],
        a_spec=centre.a_spec[kept_a],
        product_first=np.concatenate([[0], np.cumsum(orders)]).astype(np.int64),
        product_index=(np.cumsum(kept_a) - 1)[index].astype(np.int32),
        row_first=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        row_product=row_product.reshape(-1).astype(np.int32),
        row_coefficient=centre.row_coefficient[entry],
        order=centre.order[functions],
        function_channels=new_channel[numbers],
        multiplicity=centre.multiplicity[functions],
    )


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenated ranges start .. start + length."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


def selection_spec(basis: "ACEBasis", functions: Any, **how: Any) -> "BasisSpec":
    """The specification of a selection; `how` says by what key and arithmetic it came about."""
    from lacemaker.basis.spec import SelectionSpec, build_spec

    spec = basis.specification
    if spec.readout is not None:
        raise basis_error("functions cannot be selected among products", repr(basis), "select first")
    chosen = chosen_functions(basis, functions)
    if spec.selection is not None:  # numbers refer to the full basis
        kept = zip(spec.selection.kept, basis.full.many_body, chosen, strict=True)
        chosen = [from_ranges(text, centre.n_functions)[new] for text, centre, new in kept]
    selection = SelectionSpec(kept=tuple(map(to_ranges, chosen)), **how)
    return build_spec(**(dict(spec) | {"selection": selection}))


def product_spec(
    basis: "ACEBasis", max_factors: int, max_order: int | None, max_degree: float | str | Fraction | None
) -> "BasisSpec":
    """The specification with a polynomial readout."""
    from lacemaker.basis.spec import build_readout, build_spec

    spec = basis.specification
    if spec.readout is not None:
        raise basis_error("the basis has products already", repr(basis), "start from a basis without")
    if spec.purification is not None:
        raise basis_error(
            "products of purified functions are not purified", repr(basis), "start from basis.standard"
        )
    readout = build_readout(
        max_factors=max_factors,
        max_order=max(spec.correlation_order, 2) if max_order is None else max_order,
        max_degree=max(map(max, spec.degrees)) if max_degree is None else exact(max_degree),
    )
    return build_spec(**(dict(spec) | {"readout": readout}))


def chosen_functions(basis: "ACEBasis", columns: Any) -> list[np.ndarray]:
    """Per centre, the functions meant by a mask or by column numbers; pair columns always stay."""
    given = np.asarray(columns)
    n = basis.n_many_body
    if given.dtype == bool:
        if given.shape not in ((n,), (basis.n_functions,)):
            raise basis_error(
                "a mask must have one entry per function",
                f"shape {given.shape}",
                f"give {n} (many-body) entries",
            )
        given = np.flatnonzero(given)
    elif given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise basis_error(
            "functions are chosen by a mask or by numbers", given.dtype, "pass booleans or column numbers"
        )
    given = np.unique(given)
    if len(given) and not 0 <= given[0] <= given[-1] < basis.n_functions:
        raise basis_error(
            "there is no such function",
            f"columns {given[0]} to {given[-1]}",
            f"stay below {basis.n_functions}",
        )
    ends = np.cumsum([0, *(c.n_functions for c in basis.many_body)])
    return [given[(given >= a) & (given < b)] - a for a, b in pairwise(ends)]


def parent_columns(basis: "ACEBasis", parent: "ACEBasis") -> np.ndarray:
    """(n_functions,) the column of the full basis `parent` for each column; -1 for products."""
    spec = basis.specification
    found, start = [], 0
    for i, (part, full) in enumerate(zip(basis.many_body, parent.many_body, strict=True)):
        numbers = np.full(part.n_functions, -1, dtype=np.int64)
        kept = np.arange(full.n_functions)
        if spec.selection is not None:
            kept = from_ranges(spec.selection.kept[i], full.n_functions)
        numbers[: len(kept)] = kept + start
        found.append(numbers)
        start += full.n_functions
    pairs = np.arange(parent.n_many_body, parent.n_functions)
    return np.concatenate([*found, pairs])
