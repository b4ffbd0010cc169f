"""How smooth we believe the energy to be: positive damping factors γ, one per basis function.

A prior says c ~ N(0, σ₀² Γ⁻²), Γ = diag γ: functions of high n and l have small coefficients. Solvers work
in Γc, whose prior is the identity, so that any prior goes with any solver and a change of prior needs no
new rows (Darby et al., arXiv 2601.15072; definitions: ACEpotentials ``src/models/smoothness_priors.jl``).

γ depends on the (n, l) of a function's channels only, n from 1 and *not* folded with the species, so that
all elements are damped alike. A pair function is one channel with l = 0. One-body energies are never damped.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lacemaker.errors import ConfigError

__all__ = ["AlgebraicPrior", "NoPrior", "Prior", "parse_prior", "prior_kinds"]


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
    cap: float = Field(default=1e12, ge=1.0)

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
        values = np.asarray(self._damping(functions, basis), dtype=np.float64)
        return np.minimum(values, self.cap * values.min())

    @abstractmethod
    def _damping(self, functions: Sequence[Channels], basis: Any) -> NDArray[np.float64]:
        """γ before the cap; infinities are allowed, zeros and NaN are not."""


class NoPrior(Prior):
    """γ = 1 for every function: plain ridge, no belief in smoothness."""

    kind: Literal["none"] = "none"

    def _damping(self, functions: Sequence[Channels], basis: Any) -> NDArray[np.float64]:
        return np.ones(len(functions))


class AlgebraicPrior(Prior):
    """γ = Σ_t (l_t/wl)^p + (n_t/wn)^p: a target with about p square-integrable derivatives.

    Parameters
    ----------
    p : float
        Strength; 4 is the safest single choice, 2 is gentler.
    wl, wn : float
        Scales of l and n. The defaults 2/3 and 1 give Σ (1.5 l)⁴ + n⁴ for p = 4.
    """

    kind: Literal["algebraic"] = "algebraic"
    p: float = Field(default=4.0, gt=0.0, le=20.0)
    wl: float = Field(default=2.0 / 3.0, gt=0.0, allow_inf_nan=False)
    wn: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)

    def _damping(self, functions: Sequence[Channels], basis: Any) -> NDArray[np.float64]:
        return np.array(
            [
                sum((ell / self.wl) ** self.p + (n / self.wn) ** self.p for _, n, ell in function.channels)
                for function in functions
            ]
        )


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
