"""What every prior shares: parameters checked by pydantic, a name in the configuration, γ with a cap."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lacemaker.errors import ConfigError

__all__ = ["Channels", "NoPrior", "Prior", "parse_prior", "prior_kinds"]


class Channels(Protocol):
    """What a prior reads of a basis function."""

    @property
    def channels(self) -> tuple[tuple[int, int, int], ...]:
        """(z, n, l) of each factor."""
        ...


class Prior(BaseModel, ABC):
    """Base class: a new prior defines its parameters, ``kind`` and :meth:`_damping`.

    Parameters
    ----------
    cap : float
        γ above ``cap`` times the smallest are set to that: beyond it columns vanish in round-off, and
        exponential families would overflow (10¹² by default).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: ClassVar[dict[str, type["Prior"]]] = {}

    kind: str
    cap: float = Field(default=1e12, ge=1.0, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = cls.model_fields["kind"].default
        if isinstance(name, str):
            Prior.registry[name] = cls

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
    return tuple(sorted(Prior.registry))


def parse_prior(value: Any) -> Prior:
    """Return a prior from its name, a table with ``kind``, a prior, or None (no prior).

    Raises
    ------
    ConfigError
        On an unknown kind. Unknown or impossible parameters raise pydantic's ``ValidationError``, a
        ``ValueError`` that names the field.
    """
    if isinstance(value, Prior):
        return value
    if value is None:
        return NoPrior()
    table = {"kind": value} if isinstance(value, str) else dict(value)
    kind = str(table.get("kind", "")).lower()
    if kind not in Prior.registry:
        raise ConfigError(
            f"Unknown prior {table.get('kind')!r}. Known: {', '.join(prior_kinds())}. "
            "Write for example {'kind': 'algebraic', 'p': 4}."
        )
    return Prior.registry[kind].model_validate({**table, "kind": kind})
