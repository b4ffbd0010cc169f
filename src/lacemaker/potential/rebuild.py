"""From a loaded potential back to a basis that can be fitted again, never silently a different one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lacemaker.errors import BasisError, problem
from lacemaker.potential.columns import ColumnTable
from lacemaker.potential.program import Program

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis
    from lacemaker.potential.model import Potential

__all__ = ["migrate", "programs_agree", "rebuilt_basis"]

TOLERANCE = 1e-9  # relative, on tables and weights: far above rounding, far below any change of definition


def rebuilt_basis(potential: Potential) -> ACEBasis:
    """The basis of `potential`, whose columns and functions are those of the stored coefficients.

    Raises
    ------
    BasisError
        If the installed version orders or defines the functions differently.
    """
    basis, order = _rebuild(potential)
    if not np.array_equal(order, np.arange(len(order))):
        raise problem(
            BasisError,
            "the installed lacemaker orders the functions of this basis differently",
            f"the same {len(order)} functions at other positions",
            "use lacemaker.potential.migrate(potential), which reorders the coefficients by quantum numbers; "
            "evaluating the potential needs none of this",
        )
    return basis


def migrate(potential: Potential) -> Potential:
    """The same potential in the order of functions of the installed version.

    Raises
    ------
    BasisError
        If the installed version defines the functions differently.
    """
    from lacemaker.potential.model import Potential

    basis, order = _rebuild(potential)
    moved = Potential(basis, potential.coefficients[order], potential.e0, potential.metadata)
    return moved.with_extras(**potential.extras)


def _rebuild(potential: Potential) -> tuple[ACEBasis, np.ndarray]:
    """The installed basis and the positions of its columns among the stored ones, once proven equal."""
    from lacemaker.basis import ACEBasis

    basis = ACEBasis.from_spec(dict(potential.basis_spec))
    order = potential.columns.order_in(ColumnTable.from_basis(basis))
    if order is not None:
        program = Program.from_basis(basis, potential.coefficients[order], potential.e0)
        if programs_agree(program, potential.program):
            return basis, order
    found = "other functions" if order is None else "functions of the same quantum numbers with other values"
    written = potential.metadata.get("versions", {}).get("lacemaker", "unknown")
    raise problem(
        BasisError,
        "the installed lacemaker cannot rebuild this potential's basis",
        f"{found} (the file was written by lacemaker {written})",
        "evaluate the potential as it is, which stays exact; to fit again, install that version or start "
        "from a new basis",
    )


def programs_agree(one: Program, other: Program) -> bool:
    """Whether two programs describe the same function of the atoms, whatever the order of their entries."""
    names = set(one.arrays) - {"a_first", "a_spec", "term_centre", "term_first", "term_index", "term_weight"}
    for name in names:
        a, b = one.arrays[name], other.arrays[name]
        if a.shape != b.shape or not np.allclose(a, b, rtol=TOLERANCE, atol=0):
            return False
    first, second = _weights(one), _weights(other)
    scale = max((abs(weight) for weight in first.values()), default=1.0)
    return all(
        abs(first.get(key, 0.0) - second.get(key, 0.0)) <= TOLERANCE * scale
        for key in first.keys() | second.keys()
    )


def _weights(program: Program) -> dict[tuple[int, tuple[tuple[int, ...], ...]], float]:
    """Weight of each product, keyed by its centre and the (species, n, l, m) of its factors."""
    arrays = program.arrays
    spec = [tuple(row) for row in arrays["a_spec"].tolist()]
    weights: dict[tuple[int, tuple[tuple[int, ...], ...]], float] = {}
    for centre in range(len(arrays["elements"])):
        offset = int(arrays["a_first"][centre])
        for term in range(arrays["term_centre"][centre], arrays["term_centre"][centre + 1]):
            factors = arrays["term_index"][arrays["term_first"][term] : arrays["term_first"][term + 1]]
            key = (centre, tuple(sorted(spec[offset + a] for a in factors.tolist())))
            weights[key] = weights.get(key, 0.0) + float(arrays["term_weight"][term])
    return weights
