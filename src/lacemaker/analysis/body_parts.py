"""A potential split exactly by body order: rewritten in purified functions, without a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import BasisError

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis
    from lacemaker.potential import Potential

__all__ = ["order_parts", "purified_form"]


def purified_form(potential: Potential) -> Potential:
    """The same potential, its coefficients those of purified functions.

    A purified function of order N is a standard one plus lower orders, so that coefficients follow from the
    highest order down, c_pure = c - Lᵀ c_pure: exact, no fit. Degrees of lower orders grow where the terms
    need it.

    Raises
    ------
    BasisError
        When the radial functions are not closed under products, or the basis has a polynomial readout.
    """
    from lacemaker.basis.purification import function_keys, in_standard_functions
    from lacemaker.potential import Potential

    standard = potential.basis.standard
    if standard.specification.readout is not None:
        raise BasisError(
            "Products of functions cannot be purified. Found a basis with a polynomial readout. "
            "Split a potential of a basis without one."
        )
    wide = _stepped(standard)
    pure = wide.purified()
    wanted = function_keys(wide)
    number = {key: i for i, key in enumerate(wanted)}
    coefficients = np.zeros(wide.n_functions)
    matrix, functions = in_standard_functions(potential.basis)
    coefficients[[number[key] for key in functions]] = matrix.T @ potential.coefficients
    matrix, functions = in_standard_functions(pure)
    lower = matrix.tocoo()
    columns = np.array([number[key] for key in functions])[lower.coords[1]]
    off = lower.coords[0] != columns
    rows, columns, values = lower.coords[0][off], columns[off], lower.data[off]
    found = coefficients
    for _ in range(pure.correlation_order):  # L lowers the order, so this many steps are exact
        found = coefficients - np.bincount(columns, values * found[rows], minlength=len(found))
    return Potential(pure, found, potential.e0, potential.metadata)


def _stepped(basis: ACEBasis) -> ACEBasis:
    """The standard basis with degrees that hold all terms of its purified functions."""
    from lacemaker.basis import ACEBasis
    from lacemaker.basis.radial_products import check_closed, envelope_degree

    check_closed(basis.radial, basis.lengths(0, 0))
    spec = basis.spec()
    step = envelope_degree(basis.specification.envelope)
    if basis.n_elements == 1 or basis.specification.level_rule == "ace1":
        step -= 1  # n grows by at most step - 1; the other rule counts elements as fractions of a level
    degrees = []
    for row in basis.specification.degrees:
        stepped = list(row)
        for nu in range(len(stepped) - 2, -1, -1):
            stepped[nu] = max(stepped[nu], stepped[nu + 1] + max(step, 0))
        degrees.append([str(d) for d in stepped])
    spec["max_degree"] = degrees
    spec.pop("selection", None)
    return ACEBasis.from_spec(spec)


def order_parts(potential: Potential) -> dict[str, Potential]:
    """Potentials that add up to the given one, one for each number of bodies.

    Returns
    -------
    dict
        "1": one-body energies; "2": pairs (order 1, pair block and repulsive core), "3", ...: sums over
        distinct neighbours. Part n vanishes on clusters of fewer than n atoms.

    Raises
    ------
    BasisError
        As `purified_form`.
    """
    from lacemaker.potential import Potential

    pure = purified_form(potential)
    basis = pure.basis
    order = np.array([1 if f.kind == "pair" else f.correlation_order for f in basis.columns])
    bare = _without_core(basis)
    nothing = np.zeros(basis.n_functions)
    zero = np.zeros(basis.n_elements)
    parts: dict[str, Any] = {"1": Potential(bare, nothing, pure.e0)}
    for nu in range(1, basis.correlation_order + 1):
        parts[str(nu + 1)] = Potential(
            basis if nu == 1 else bare, np.where(order == nu, pure.coefficients, 0.0), zero
        )
    return parts


def _without_core(basis: ACEBasis) -> ACEBasis:
    from lacemaker.basis import ACEBasis

    return ACEBasis.from_spec(basis.spec() | {"repulsion": None})
