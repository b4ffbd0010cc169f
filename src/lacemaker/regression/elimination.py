"""One-body energies: given, or fitted without a penalty and eliminated exactly before any solver runs.

Only energy rows have one-body columns, and those come first in the factor:

    [ R00  R01  z0 ]        any θ leaves E0 = R00⁺ (z0 - R01 θ), which satisfies these rows exactly,
    [  0   R11  z1 ]        so that θ is determined by (R11, z1) alone.

That is projection onto the complement of the one-body columns; in Bayes' language a flat prior on E0,
integrated out: the rows E0 takes up no longer count. Because it happens inside the energy block it does not
depend on the weights or noise of the other kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import ConfigError
from lacemaker.regression.factor import Factor, compress
from lacemaker.regression.lapack import absorb_rows

__all__ = ["OneBody", "drop_one_body", "eliminate_one_body", "given_energies"]

Matrix = NDArray[np.float64]

_RANK_TOLERANCE = 1e-10  # of compositions: whole numbers of atoms over √N
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class OneBody:
    """Recovers E0 from the other coefficients: E0 = pinv (rhs - coupling θ)."""

    pseudo_inverse: Matrix  # (NZ, rank)
    coupling: Matrix  # (rank, K)
    rhs: Matrix  # (rank,)

    @property
    def rank(self) -> int:
        """Independent combinations of E0 that the compositions determine."""
        return len(self.rhs)

    @property
    def log_volume(self) -> float:
        """log |det R00| of the eliminated rows: what a flat prior on E0 leaves in the evidence."""
        return -float(np.sum(np.log(np.linalg.svd(self.pseudo_inverse, compute_uv=False))))

    def energies(self, coefficients: Matrix) -> Matrix:
        """E0 (..., NZ) that goes with coefficients θ (..., K)."""
        return (self.rhs - coefficients @ self.coupling.T) @ self.pseudo_inverse.T


def drop_one_body(factor: Factor, e0: Matrix) -> Factor:
    """Subtract known one-body energies from the target and drop their columns."""
    n_one = len(e0)
    array = np.array(factor.array, order="F")
    array[:, -1] -= array[:, :n_one] @ e0
    if not factor.is_triangular:
        return compress(array[:, n_one:], factor.n_rows)
    return _fold(array[:n_one, n_one:], array[n_one:, n_one:], factor.n_rows)


def eliminate_one_body(factor: Factor, n_one: int) -> tuple[Factor, OneBody]:
    """Project the one-body columns out of the energy rows."""
    array = _trapezoid(factor)
    left, values, right = np.linalg.svd(array[:n_one, :n_one])
    rank = int(np.sum(values > _RANK_TOLERANCE * max(values.max(initial=0.0), _TINY)))
    rotated = left.T @ array[:n_one, n_one:]
    one_body = OneBody(right[:rank].T / values[:rank], rotated[:rank, :-1], rotated[:rank, -1])
    n_rows = factor.n_rows - rank
    if not factor.is_triangular:
        return compress(np.vstack([rotated[rank:], array[n_one:, n_one:]]), n_rows), one_body
    return _fold(rotated[rank:], array[n_one:, n_one:], n_rows), one_body


def _trapezoid(factor: Factor) -> Matrix:
    """Upper triangle, or upper trapezoid of as many rows as there are."""
    from scipy.linalg import qr

    if factor.is_triangular:
        return factor.array
    upper: Matrix = qr(factor.array, mode="r", check_finite=False)[0]
    return upper


def _fold(extra_rows: Matrix, upper: Matrix, n_rows: int) -> Factor:
    """Fold a few rows into an upper triangle."""
    result = np.array(upper, order="F")
    absorb_rows(result, np.array(extra_rows, order="F"))
    return Factor(result, n_rows)


def given_energies(e0: Any, elements: tuple[str, ...]) -> Matrix:
    """One-body energies (NZ,) in the order of the elements, from a mapping or a ReferenceEnergies.

    Raises
    ------
    ConfigError
        When an element has no value.
    """
    if e0 is None or (isinstance(e0, str) and e0 == "zero"):
        return np.zeros(len(elements))
    table = e0 if isinstance(e0, Mapping) else getattr(e0, "values", None)
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"The one-body energies must be 'fit', 'zero', a table or ReferenceEnergies. Found {e0!r}. "
            "Write for example e0={'Si': -0.8}, in eV."
        )
    missing = [symbol for symbol in elements if symbol not in table]
    if missing:
        raise ConfigError(
            f"One-body energies are missing for {', '.join(missing)}. Found values for "
            f"{', '.join(table) or 'no element'}. Give every element of the basis, or use e0='fit'."
        )
    values = np.array([float(table[symbol]) for symbol in elements])
    if not np.all(np.isfinite(values)):
        raise ConfigError(f"One-body energies must be finite. Found {dict(table)}. Give them in eV per atom.")
    return values
