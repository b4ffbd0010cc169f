"""One assembly serves a basis and its purified forms: columns are combined, rows are not made again."""

from dataclasses import replace

import numpy as np

from lacemaker.basis import ACEBasis
from lacemaker.errors import BasisError
from lacemaker.regression.factor import compress
from lacemaker.regression.triangular import TriangularSystem

__all__ = ["in_basis"]


def in_basis(system: TriangularSystem, basis: ACEBasis) -> TriangularSystem:
    """The same data in another basis whose functions are combinations of those of the system.

    Serves purified bases and bases of lower degree: ``in_basis(system, system.basis.purified())`` costs a
    product of two K x K matrices per group, where an assembly visits all atoms again.

    Parameters
    ----------
    system : TriangularSystem
        Assembled with a basis that is not purified.
    basis : ACEBasis
        Agrees with the system's in all but degrees, correlation order, selection and purification.

    Raises
    ------
    BasisError
        When the bases differ in more than that, or the system lacks functions. Purified functions need steps
        of the envelope's degree less one between the degrees, [20, 17, 14] for the usual (2, 2).
    """
    from lacemaker.basis.purification import function_keys, in_standard_functions

    given = system.basis
    _check_same_kind(given, basis)
    keys = function_keys(given)
    present = {keys[column]: i for i, column in enumerate(system.columns.tolist())}
    matrix, functions = in_standard_functions(basis)
    missing = [f for f in functions if f not in present]
    if missing:
        raise BasisError(
            f"The system lacks {len(missing)} of the {len(functions)} functions that this basis is made of. "
            f"Found a system of {given!r}. Assemble the basis itself, or first a wider one: lower orders "
            "need degrees larger by the envelope's degree less one, such as [20, 17, 14]."
        )
    place = np.array([present[f] for f in functions])
    combine = np.zeros((system.n_functions, basis.n_functions))
    combine[place] = matrix.T.toarray()
    first = len(system.elements)
    groups = []
    for group in system.groups:
        array = group.factor.array
        rows = np.concatenate([array[:, :first], array[:, first:-1] @ combine, array[:, -1:]], axis=1)
        groups.append(replace(group, factor=compress(rows, group.factor.n_rows)))
    return replace(
        system,
        groups=tuple(groups),
        columns=np.arange(basis.n_functions, dtype=np.int64),
        functions=basis.columns,
        basis=basis,
        metadata={**system.metadata, "reexpressed_from": given.digest},
    )


def _check_same_kind(given: ACEBasis, wanted: ACEBasis) -> None:
    """Radial functions, elements, pair block and core must be the same for the columns to mean the same."""
    free = {"max_degree", "correlation_order", "selection", "purification"}
    one, other = ({k: v for k, v in b.spec().items() if k not in free} for b in (given, wanted))
    different = sorted(k for k in one.keys() | other.keys() if one.get(k) != other.get(k))
    if given.specification.purification is not None:
        different.append("purification")
    if different or "readout" in one:
        raise BasisError(
            "The rows of this system cannot be written in that basis. Found a difference in "
            f"{', '.join(different) or 'the polynomial readout'} (system: {given!r}). Start from a system of "
            "the standard basis with the same elements, radial functions and pair block."
        )
