"""What a fitted potential's posterior says about structures not yet computed: which labels tell most.

The posterior standard deviations of the very rows a label would add (forces of defect cells, virials of
strained cells, force constants of displaced bulk) depend on the structures alone. Over the accuracy wanted of
each quantity they become comparable: above 1 the data do not yet fix the quantity well enough, below 1 the
label would tell little, if the model is right. What no coefficients could fit is in none of these numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lacemaker.structures import Frame

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from lacemaker.potential import Potential

__all__ = ["WANTED", "Uncertainty", "posterior_of_calculator", "uncertainty"]

WANTED = {
    "forces": (0.03, "eV/Å"),
    "virial": (0.001, "eV/atom"),
    "force constants": (0.2, "eV/Å²"),
}
"""Accuracy wanted: forces of defect cells, virials of bulk cells, 1 % of a stiff on-site force constant."""


class Uncertainty(NamedTuple):
    """Posterior standard deviations of a set of structures.

    Attributes
    ----------
    quantity : str
        A key of ``WANTED``.
    std : float
        Root mean square over the set; of force constants the largest, most of them being next to nothing.
    each : (n,) array
        Of every structure; both members of a ± pair have the pair's.
    """

    quantity: str
    std: float
    each: NDArray[np.float64]

    @property
    def score(self) -> float:
        """`std` over the accuracy wanted."""
        return self.std / WANTED[self.quantity][0]

    def __str__(self) -> str:
        return f"{self.std:.1e} {WANTED[self.quantity][1]}, {self.score:.2g} of the accuracy wanted"


def posterior_of_calculator(calculator: Any) -> Potential | None:
    """The potential of a lacemaker calculator if it carries posterior samples, else None."""
    from lacemaker.uncertainty.storage import has_committee

    potential = getattr(calculator, "potential", None)
    return potential if potential is not None and has_committee(potential) else None


def uncertainty(potential: Potential, quantity: str, structures: Sequence[Atoms]) -> Uncertainty:
    """Posterior standard deviations of what labels of these structures would say.

    Parameters
    ----------
    potential : Potential
        With posterior samples (any `lace fit` with ``uncertainty`` above 0).
    quantity : {"forces", "virial", "force constants"}
        Virials are per atom; force constants take ± pairs, one after the other.
    structures : sequence of ase.Atoms

    Raises
    ------
    EvaluationError
        If the potential carries no posterior samples.
    """
    from lacemaker.regression import BasisRows
    from lacemaker.uncertainty import stored_committee

    source, deviations = BasisRows(potential.basis), stored_committee(potential).coefficients.T

    def spread(atoms: Atoms) -> NDArray[np.float64]:
        """Deviations of the samples (1 + 3N + 6, k)."""
        frame = Frame(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
        return source.design(frame).rows @ deviations

    if quantity == "force constants":
        each = []
        for plus, minus in zip(structures[::2], structures[1::2], strict=True):
            width = np.linalg.norm(plus.positions - minus.positions)
            rate = (spread(plus) - spread(minus))[1:-6] / width
            each += [float(_rms(rate, axis=1).max())] * 2
        return Uncertainty(quantity, max(each), np.array(each))
    part = slice(1, -6) if quantity == "forces" else slice(-6, None)
    sizes = [len(atoms) if quantity == "virial" else 1 for atoms in structures]
    found = [_rms(spread(atoms)[part]) / n for atoms, n in zip(structures, sizes, strict=True)]
    return Uncertainty(quantity, float(_rms(np.array(found))), np.array(found))


def _rms(values: NDArray[np.float64], axis: int | None = None) -> Any:
    return np.sqrt(np.mean(values**2, axis=axis))
