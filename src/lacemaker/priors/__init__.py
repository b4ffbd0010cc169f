"""How smooth we believe the energy to be: positive damping factors γ, one per basis function.

A prior says c ~ N(0, σ₀² Γ⁻²), Γ = diag γ: functions of high n and l have small coefficients. Solvers work
in Γc, whose prior is the identity, so that any prior goes with any solver and a change of prior needs no
new rows (Darby et al., arXiv 2601.15072).

γ depends on the (n, l) of a function's channels only, n from 1 and *not* folded with the species, so that
all elements are damped alike. A pair function is one channel with l = 0. One-body energies are never damped.
"""

from lacemaker.priors.base import Channels, NoPrior, Prior, parse_prior, prior_kinds
from lacemaker.priors.evidence import EvidencePrior
from lacemaker.priors.families import AlgebraicPrior, ExponentialPrior, GaussianPrior
from lacemaker.priors.soap import SOAPPrior

__all__ = [
    "AlgebraicPrior",
    "Channels",
    "EvidencePrior",
    "ExponentialPrior",
    "GaussianPrior",
    "NoPrior",
    "Prior",
    "SOAPPrior",
    "parse_prior",
    "prior_kinds",
]
