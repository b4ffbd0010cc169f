"""What solving yields: coefficients, one-body energies, and what is worth knowing about their origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import SolverError

__all__ = ["COMMITTEE_SIZE", "Fit", "Posterior"]

Matrix = NDArray[np.float64]

COMMITTEE_SIZE = 5
"""Posterior samples kept by default: as many as keep forces with their deviations near three force calls."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Gaussian posterior of x = (E0, θ), or of θ alone where E0 was given: N(mean, (TᵀT)⁻¹).

    Attributes
    ----------
    mean : (p,) array
        eV; θ of all functions of the basis (of the system, where there is no basis).
    precision_factor : (q, q) array, Fortran order
        Upper triangle T, of all p entries or of those in ``active``.
    n_one_body : int
        How many of the leading entries are E0.
    active : (q,) int array or None
        Entries of x that may vary, those of a sparse model; the others are zero for certain. None for all.
    """

    mean: Matrix
    precision_factor: Matrix
    n_one_body: int
    active: NDArray[np.int64] | None = None

    def variance(self, rows: Matrix) -> Matrix:
        """Variance of linear predictions ``rows @ x``, (..., p) -> (...)."""
        from scipy.linalg import solve_triangular

        flat = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        if self.active is not None:
            flat = flat[:, self.active]
        whitened = solve_triangular(self.precision_factor, flat.T, trans="T")
        variances = np.einsum("ij,ij->j", whitened, whitened)
        return variances.reshape(np.shape(rows)[:-1])

    def samples(self, count: int, seed: int = 0) -> Matrix:
        """Draw x, (count, p)."""
        from scipy.linalg import solve_triangular

        normal = np.random.default_rng(seed).standard_normal((len(self.precision_factor), count))
        drawn = solve_triangular(self.precision_factor, normal).T
        if self.active is None:
            return self.mean + drawn
        samples = np.tile(self.mean, (count, 1))
        samples[:, self.active] += drawn
        return samples


@dataclass(frozen=True, eq=False)
class Fit:
    """A solved fit.

    Attributes
    ----------
    coefficients : (K,) array
        eV, in the order of the basis functions.
    e0 : (NZ,) array
        One-body energies, eV per atom, in the order of ``elements``.
    elements : tuple of str
    noise : mapping
        σ of a row of weight 1 by quantity (energy and virial rows eV/√atom, forces eV/Å); a row of weight w
        has σ/w.
    prior_scale : float or None
        σ₀: coefficients have standard deviation σ₀/γ before the data.
    log_evidence : float or None
        Log marginal likelihood of the *weighted* rows: compares priors, bases and noise models at equal
        weights. ``details["log_evidence_labels"]`` refers to the unweighted rows and compares weights as
        well.
    n_rows : int
        Rows left for noise and coefficients.
    rank : int
    condition : float
        Condition number of the regularised system.
    rmse : mapping
        ``["train"|"validation"][config_type][quantity]``, exact, eV per atom and eV/Å.
    messages : tuple of str
        What the solver did and why it stopped; what deserves attention.
    settings : mapping
        Solver, prior, weights and one-body choice, as plain tables.
    timings : mapping
        CPU seconds by stage.
    details : mapping
        Further figures from the solver.
    posterior : Posterior or None
    basis : ACEBasis or None
    columns : (K,) int array or None
        Which functions of the basis the coefficients belong to; None for all, in order.
    """

    coefficients: Matrix
    e0: Matrix
    elements: tuple[str, ...]
    noise: Mapping[str, float]
    prior_scale: float | None
    log_evidence: float | None
    n_rows: int
    rank: int
    condition: float
    rmse: Mapping[str, Mapping[str, Mapping[str, float]]]
    messages: tuple[str, ...]
    settings: Mapping[str, Any]
    timings: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    posterior: Posterior | None = None
    basis: Any = None
    columns: NDArray[np.int64] | None = None

    def potential(self) -> Any:
        """Make the :class:`lacemaker.potential.Potential` of this fit.

        Raises
        ------
        SolverError
            When the rows did not come from a basis.
        """
        if self.basis is None:
            raise SolverError(
                "This fit has no basis to make a potential of: its rows were given as numbers. "
                "Found a system without a basis. Assemble with an ACEBasis."
            )
        from lacemaker.potential import Potential

        return Potential(
            basis=self.basis,
            coefficients=self.basis_coefficients(),
            e0=self.e0,
            metadata={"fit": self.to_dict()},
        )

    def basis_coefficients(self) -> Matrix:
        """Coefficients of all functions of the basis, eV; zero for those that were left out of the fit."""
        if self.columns is None or self.basis is None:
            return self.coefficients
        full = np.zeros(self.basis.n_functions)
        full[self.columns] = self.coefficients
        return full

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays of length K, as plain JSON types."""
        return {
            "n_functions": len(self.coefficients),
            "n_rows": self.n_rows,
            "rank": self.rank,
            "condition": _plain(self.condition),
            "e0_eV": {symbol: float(value) for symbol, value in zip(self.elements, self.e0, strict=True)},
            "noise": _plain(self.noise),
            "prior_scale": self.prior_scale,
            "log_evidence": self.log_evidence,
            "rmse": _plain(self.rmse),
            "messages": list(self.messages),
            "settings": _plain(self.settings),
            "timings_s": _plain(self.timings),
            "details": _plain(self.details),
        }


def _plain(value: Any) -> Any:
    """Turn mappings, tuples and NumPy numbers into JSON types; infinities become None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
