"""The prior that is chosen by the data: which families and strengths are compared. The choosing itself is
:mod:`lacemaker.regression.prior_choice`, which needs the rows."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lacemaker.errors import ConfigError
from lacemaker.priors.base import Channels, Prior, parse_prior

__all__ = ["EvidencePrior"]

Family = Literal["none", "algebraic", "exponential", "gaussian", "soap"]


class EvidencePrior(Prior):
    """The prior under which the data are most probable, found from the triangular system in seconds.

    For each family the log evidence (noise and strength σ₀ at their best) is climbed over its one shape
    parameter: p of the algebraic prior, the scale of the exponential, σ of the broadening. The largest wins.
    With ``strengths``, groups of functions get their own σ₀ afterwards.

    Evidence takes rows for independent, but those of one structure share what the basis cannot describe.
    Taken at its word it finds too little noise and too weak a prior, and the fit extrapolates wildly. The
    likelihood is therefore raised to a power below one (a tempered or fractional posterior: Grünwald and van
    Ommen, Bayesian Anal. 12, 1069 (2017); composite likelihood: Ribatet, Cooley and Davison, Stat. Sinica 22,
    813 (2012)), here and in the solve that follows: every row counts for ``likelihood_power`` of a row.

    Parameters
    ----------
    families : tuple of str
        Families to compare, of "none", "algebraic", "exponential", "gaussian" (closed-form broadening) and
        "soap" (exact broadening; needs a basis). By default no "none": a prior too gentle to change errors
        on the data still removes wiggles where there are none.
    candidates : tuple of priors or tables
        Compare these as they stand instead, nothing being varied. A single one is a prior of fixed shape with
        the tempered evidence for its strength.
    likelihood_power : float
        What a row counts for; 1 takes all rows for independent.
    max_functions : int
        Of a larger basis, only this many functions of the lowest degree (n + 1.5 l, summed) take part in the
        comparison, which keeps it to seconds.
    strengths : {"shared", "body_order", "species", "both"}
        One σ₀ for all, or one each by correlation order (pair functions apart), by centre element, or both.
    caution : float
        Nats per row within which evidences count as equal, the gentlest prior then winning; 0 takes the
        largest evidence.
    tolerance : float
        In nats: searches stop when the evidence gains less.
    """

    kind: Literal["evidence"] = "evidence"
    families: tuple[Family, ...] = Field(default=("algebraic", "exponential", "gaussian"), min_length=1)
    candidates: tuple[Any, ...] = ()
    strengths: Literal["shared", "body_order", "species", "both"] = "shared"
    likelihood_power: float = Field(default=0.5, gt=0.0, le=1.0)
    max_functions: int = Field(default=1200, ge=1)
    caution: float = Field(default=0.0, ge=0.0, le=1.0)
    tolerance: float = Field(default=2.0, gt=0.0, allow_inf_nan=False)

    @field_validator("candidates", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> tuple[Prior, ...]:
        parsed = tuple(parse_prior(item) for item in value)
        if any(isinstance(prior, EvidencePrior) for prior in parsed):
            raise ValueError("the candidates of the evidence prior must be priors of fixed shape")
        return parsed

    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> NDArray[np.float64]:
        raise ConfigError(
            "The evidence prior has no damping of its own: it is chosen by data. Found a call without data. "
            "Pass it to lacemaker.solve(system, prior=…); the prior chosen is in fit.settings['prior']."
        )
