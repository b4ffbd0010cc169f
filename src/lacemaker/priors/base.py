"""What every prior shares: parameters checked by pydantic, a name in the configuration, γ with a cap."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lacemaker.families import Family

__all__ = ["Channels", "NoPrior", "Prior", "parse_prior", "prior_kinds"]


class Channels(Protocol):
    """What a prior reads of a basis function."""

    @property
    def channels(self) -> tuple[tuple[int, int, int], ...]:
        """(z, n, l) of each factor."""
        ...


class Prior(Family):
    """Base class: a new prior defines its parameters, ``kind`` and :meth:`_log_damping`.

    Parameters
    ----------
    cap : float
        γ above ``cap`` times the smallest are set to that: beyond it columns vanish in round-off, and
        exponential families would overflow (10¹² by default).
    """

    registry: ClassVar[dict[str, type["Prior"]]] = {}

    cap: float = Field(default=1e12, ge=1.0, allow_inf_nan=False)

    def gamma(self, functions: Sequence[Channels], *, basis: Any = None) -> NDArray[np.float64]:
        """Damping factors γ > 0, (K,), of the basis functions in order.

        Parameters
        ----------
        functions : sequence
            Basis functions with ``channels``, e.g. ``basis.columns``.
        basis : ACEBasis, optional
            For priors that need the radial functions themselves.
        """
        if len(functions) == 0:
            return np.zeros(0)
        return np.exp(self.log_gamma(functions, basis=basis))

    def log_gamma(self, functions: Sequence[Channels], *, basis: Any = None) -> NDArray[np.float64]:
        """log γ, (K,), capped: where γ itself would overflow this does not."""
        values = np.asarray(self._log_damping(functions, basis), dtype=np.float64)
        return np.minimum(values, values.min(initial=np.inf) + np.log(self.cap))

    @abstractmethod
    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> NDArray[np.float64]:
        """log γ before the cap; +inf is allowed, NaN is not."""


class NoPrior(Prior):
    """γ = 1 for every function: plain ridge, no belief in smoothness."""

    kind: Literal["none"] = "none"

    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> NDArray[np.float64]:
        return np.zeros(len(functions))


def prior_kinds() -> tuple[str, ...]:
    """Names of the priors there are."""
    return Prior.kinds()


def parse_prior(value: Any) -> Prior:
    """Return a prior from its name, a table with ``kind``, a prior, or None (no prior).

    Raises
    ------
    ConfigError
        On an unknown kind. Unknown or impossible parameters raise pydantic's ``ValidationError``, a
        ``ValueError`` that names the field.
    """
    if value is None:
        return NoPrior()
    return Prior.member(value, example="{'kind': 'algebraic', 'p': 4}")
