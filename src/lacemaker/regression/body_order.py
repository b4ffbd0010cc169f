"""Truncation by body order: the low orders of an assembled system, without another look at the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import BasisError, ConfigError

if TYPE_CHECKING:
    from lacemaker.regression.triangular import TriangularSystem

__all__ = ["BodyOrder"]


@dataclass(frozen=True, order=True)
class BodyOrder:
    """The functions of at most K bodies: correlation orders ν ≤ K - 1, pair functions being ν = 1.

    Parameters
    ----------
    bodies : int
        K, 2 or more; 2 is a pair potential.

    Examples
    --------
    >>> system = lace.assemble(basis, frames)                             # doctest: +SKIP
    >>> fits = {k: lace.solve(lace.BodyOrder(k).restrict(system)) for k in (2, 3, 4)}   # doctest: +SKIP
    """

    bodies: int

    def __post_init__(self) -> None:
        if not isinstance(self.bodies, int | np.integer) or isinstance(self.bodies, bool) or self.bodies < 2:
            raise ConfigError(
                f"A body order counts the atoms of a term. Found {self.bodies!r}. Give 2 for pairs, 3 for "
                "triples, and so on."
            )

    @property
    def correlation_order(self) -> int:
        """ν = K - 1: neighbours in a product."""
        return int(self.bodies) - 1

    def columns(self, functions: Any) -> np.ndarray:
        """Positions of the functions of at most K bodies, ascending.

        Parameters
        ----------
        functions : sequence
            Anything with ``channels`` each: ``basis.columns`` or ``system.functions``.
        """
        orders = np.array([len(f.channels) for f in functions], dtype=np.int64)
        return np.flatnonzero(orders <= self.correlation_order)

    def restrict(self, system: TriangularSystem) -> TriangularSystem:
        """The system of the same data in the truncated basis; a fit of it is a potential of K bodies.

        Costs one compression of each group's triangle, no reassembly. The basis of the result is
        ``basis.truncated(K - 1)``, so that potentials made of it are short programs and files.

        Raises
        ------
        ConfigError
            When the system knows no functions, or has none of so few bodies.
        """
        if not system.functions:
            raise ConfigError(
                "A body order needs the quantum numbers of the functions. Found a system of bare numbers. "
                "Assemble with an ACEBasis."
            )
        chosen = self.columns(system.functions)
        if len(chosen) == 0:
            raise ConfigError(
                f"The basis has no functions of at most {self.bodies} bodies. Found "
                f"{min(len(f.channels) for f in system.functions) + 1} as the lowest. Choose a higher "
                "body order."
            )
        restricted = system if len(chosen) == system.n_functions else system.restrict(chosen)
        short = self._basis(system)
        if short is None:
            return restricted
        return replace(restricted, basis=short, columns=np.arange(short.n_functions, dtype=np.int64))

    def _basis(self, system: TriangularSystem) -> Any:
        """The truncated basis; None where the system's columns are not all of it."""
        basis = system.basis
        if basis is None or system.n_functions != basis.n_functions:
            return None
        if self.correlation_order >= basis.correlation_order:
            return basis
        try:
            return basis.truncated(self.correlation_order)
        except BasisError:  # a selection without many-body functions of so low an order
            return None
