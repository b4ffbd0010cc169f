"""How a posterior travels in a ``.lace`` file: optional arrays that older readers skip.

============================ ================ ==========================================================
extra.committee.coefficients F64 (k, K)       deviations of k posterior samples from ``coefficients``, eV
extra.committee.e0           F64 (k, Z)       the same for ``e0``
extra.posterior.factor       F64 (q (q+1)/2,) rows of the upper triangle T, one after another; x = (E0, c) or
                                              c has the precision TᵀT; q = K + number of E0 fitted
extra.posterior.active       I64 (q,)         of sparse models: the coefficients c that T is of, the others
                                              being 0 for certain; E0 are -Z … -1
============================ ================ ==========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lacemaker.errors import EvaluationError, problem
from lacemaker.regression.fit import COMMITTEE_SIZE
from lacemaker.uncertainty.functions import attach_functions

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.regression import Posterior

__all__ = [
    "Deviations",
    "attach_committee",
    "attach_deviations",
    "attach_posterior",
    "deviations_of",
    "stored_committee",
    "stored_posterior",
]

_COEFFICIENTS, _E0, _FACTOR = "committee.coefficients", "committee.e0", "posterior.factor"
_ACTIVE = "posterior.active"


class Deviations(NamedTuple):
    """Posterior samples minus their mean."""

    coefficients: np.ndarray  # (k, K) eV
    e0: np.ndarray  # (k, NZ) eV


def attach_committee(
    potential: Potential, posterior: Posterior, *, size: int = COMMITTEE_SIZE, seed: int = 0
) -> Potential:
    """The potential with `size` posterior samples, from which its calculator makes standard deviations.

    With them travels the table of its functions, from which LAMMPS makes the members' weights.

    The standard deviation of a standard deviation from k samples is 1/√(2k) of it: 25 % for 8.
    """
    return attach_deviations(potential, deviations_of(posterior, len(potential.elements), size, seed))


def deviations_of(
    posterior: Posterior, n_elements: int, size: int = COMMITTEE_SIZE, seed: int = 0
) -> Deviations:
    """Samples of a posterior, minus its mean."""
    samples = posterior.samples(size, seed) - posterior.mean
    n_one = posterior.n_one_body
    e0 = samples[:, :n_one] if n_one else np.zeros((size, n_elements))
    return Deviations(samples[:, n_one:], e0)


def attach_deviations(potential: Potential, deviations: Deviations) -> Potential:
    """The potential with samples drawn before."""
    return attach_functions(
        potential.with_extras(**{_COEFFICIENTS: deviations.coefficients, _E0: deviations.e0})
    )


def attach_posterior(potential: Potential, posterior: Posterior) -> Potential:
    """The potential with its whole posterior, for exact variances: 4 q² bytes, 4 MB for 1000 functions."""
    q = len(posterior.precision_factor)
    arrays: dict[str, np.ndarray] = {_FACTOR: posterior.precision_factor[np.triu_indices(q)]}
    if posterior.active is not None:
        arrays[_ACTIVE] = np.asarray(posterior.active, dtype=np.int64) - posterior.n_one_body
    return potential.with_extras(**arrays)


def stored_committee(potential: Potential) -> Deviations:
    """The samples a potential carries.

    Raises
    ------
    EvaluationError
        When it carries none, or arrays of the wrong shape.
    """
    extras = potential.extras
    if _COEFFICIENTS not in extras or _E0 not in extras:
        raise problem(
            EvaluationError,
            "this potential carries no uncertainties",
            "a potential without posterior samples",
            "fit with solver blr and save fit.potential() with attach_committee(potential, fit.posterior)",
        )
    found = Deviations(extras[_COEFFICIENTS], extras[_E0])
    k = len(found.coefficients)
    if found.coefficients.shape != (k, len(potential.coefficients)) or found.e0.shape != (
        k,
        len(potential.elements),
    ):
        raise _wrong_shape(found.coefficients.shape)
    return found


def stored_posterior(potential: Potential) -> Posterior:
    """The posterior a potential carries; EvaluationError when it carries none."""
    from lacemaker.regression import Posterior

    packed: Any = potential.extras.get(_FACTOR)
    if packed is None:
        raise problem(
            EvaluationError,
            "this potential carries no posterior",
            "a potential with samples at most" if _COEFFICIENTS in potential.extras else "no uncertainties",
            "save it with attach_posterior(potential, fit.posterior), or use the committee",
        )
    q, n_all = round((np.sqrt(8 * len(packed) + 1) - 1) / 2), len(potential.coefficients)
    active: Any = potential.extras.get(_ACTIVE)
    n_one = q - n_all if active is None else int(np.sum(active < 0))
    fits = active is None or (len(active) == q and np.all(active < n_all) and np.all(active >= -n_one))
    if q * (q + 1) // 2 != len(packed) or n_one not in (0, len(potential.elements)) or not fits:
        raise _wrong_shape(packed.shape)
    factor = np.zeros((q, q), order="F")
    factor[np.triu_indices(q)] = packed
    mean = np.concatenate([potential.e0[:n_one], potential.coefficients])
    return Posterior(mean, factor, n_one, None if active is None else active + n_one)


def has_committee(potential: Potential) -> bool:
    """Whether a potential carries posterior samples."""
    return _COEFFICIENTS in potential.extras and _E0 in potential.extras


def has_posterior(potential: Potential) -> bool:
    """Whether a potential carries the factor of its posterior."""
    return _FACTOR in potential.extras


def has_extrapolation_grade(potential: Potential) -> bool:
    """Whether a potential carries active sets for extrapolation grades."""
    return "grade.inverse" in potential.extras


def _wrong_shape(shape: tuple[int, ...]) -> EvaluationError:
    return problem(
        EvaluationError,
        "the uncertainties in this potential do not fit it",
        f"an array of shape {shape}",
        "attach them again; if lacemaker wrote this file, please report it",
    )
