"""What the data say about a prediction, and what the prior says.

A prediction of a linear model is a row b: its value is b·c and its posterior variance bᵀΣb, with
Σ⁻¹ = D + Λ, where D = Σ_kinds RᵀR/σ² comes from the data rows (times the power of the likelihood, where the
prior was chosen by evidence) and Λ from the prior (and from restraint rows, which are beliefs too). The
variance has two parts,

    bᵀΣb = bᵀΣDΣb + bᵀΣΛΣb,

the first from noise in the labels, the second the expected square of the error that shrinking towards the
prior makes. The *prior share* is the second part of the whole: 0 where data alone fix the prediction, 1 where
they say nothing. It needs no scale of its own, unlike the ratio of posterior to prior variance, which is
small wherever the prior is wide.

The *leverage* h = bᵀ(AᵀA + λ)⁻¹b is the variance in units of the noise that an energy label of the same
structure would have, counted as the fit counts its rows. Adding that label would divide the variance by
1 + h: with h > 1 a single direct calculation tells more than all the data, and a label among the data has
h < 1.

A prediction is called

- ``prior`` where the prior share exceeds 1/2,
- ``extrapolated`` where it does not, but h > 1: the data decide, from afar and through the model,
- ``data`` elsewhere, and wherever the standard deviation is below 10 meV.

All this is said within the model. What no coefficients could fit (a truth of more bodies, above all) is in
none of these figures: a reference many standard deviations away means that the model is wrong, not the data
few.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.clusters import frame_of, subsets
from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.regression import Fit, TriangularSystem

__all__ = ["MOSTLY_PRIOR", "NEGLIGIBLE", "Identifiability", "Support", "Supporter", "interaction_rows"]

MOSTLY_PRIOR = 0.5
"""Prior share above which a prediction is called prior rather than data."""
NEGLIGIBLE = 0.010
"""eV: standard deviation of a cluster energy below which nobody need care where it comes from."""


@dataclass(frozen=True, eq=False)
class Support:
    """How well m predictions are supported.

    Attributes
    ----------
    value : (m,) array
        b·c, without baseline.
    std : (m,) array
        Posterior standard deviation, in the unit of `value`. Of the coefficients alone: what no
        coefficients could fit is not in it.
    leverage : (m,) array
        Variance in units of that of a direct label.
    prior_share : (m,) array or None
        Share of the variance that comes from the prior, 0 to 1; None where the data are not at hand.
    """

    value: np.ndarray
    std: np.ndarray
    leverage: np.ndarray
    prior_share: np.ndarray | None

    def status(self, negligible: float = NEGLIGIBLE) -> np.ndarray:
        """(m,) of "data", "extrapolated" and "prior"; see the head of this file.

        Without the prior share, what would be "prior" is "extrapolated" where its leverage says so.
        """
        matters = self.std > negligible
        far = np.where(matters & (self.leverage > 1.0), "extrapolated", "data")
        if self.prior_share is None:
            return far
        return np.where(matters & (self.prior_share > MOSTLY_PRIOR), "prior", far)


class Supporter(ABC):
    """Something that knows how well the predictions of one linear model are supported.

    Attributes
    ----------
    basis : ACEBasis
    n_one_body : int
        How many one-body energies are uncertain too: 0 or all.
    """

    basis: Any
    n_one_body: int

    @abstractmethod
    def support(
        self, rows: np.ndarray, one_body: np.ndarray | None = None, n_atoms: np.ndarray | float = 1.0
    ) -> Support:
        """Support of predictions given by their rows.

        Parameters
        ----------
        rows : (m, n_functions) array
            Derivatives of the predictions with respect to the coefficients of the basis, in its order.
        one_body : (m, NZ) array, optional
            The same for the one-body energies; zero by default.
        n_atoms : (m,) array or float
            Atoms of each structure: an energy label of N atoms has the noise σ √N / weight.
        """

    def interactions(self, clusters: Sequence[tuple[Sequence[str], np.ndarray]]) -> Support:
        """Support of the n-body interactions V_n of some clusters (symbols, positions)."""
        sizes = np.array([len(symbols) for symbols, _ in clusters], dtype=float)
        return self.support(interaction_rows(self.basis, clusters), n_atoms=sizes)

    def _full(self, rows: np.ndarray, one_body: np.ndarray | None) -> np.ndarray:
        """Rows of x = (E0, c), or of c alone where E0 is certain."""
        b = np.atleast_2d(np.asarray(rows, dtype=float))
        head = np.zeros((len(b), self.n_one_body))
        if one_body is not None and self.n_one_body:
            head = np.atleast_2d(np.asarray(one_body, dtype=float))
        return np.hstack([head, b])


class Identifiability(Supporter):
    """Posterior of a fit, ready to say what supports a prediction.

    Parameters
    ----------
    fit : Fit
        With a posterior: from BLR, ARD or QR with spare rows.
    system : TriangularSystem
        What it was fitted to, with the same columns.

    Raises
    ------
    EvaluationError
        When the fit has no posterior.
    """

    def __init__(self, fit: Fit, system: TriangularSystem) -> None:
        if fit.posterior is None:
            raise EvaluationError(
                "What the data say about a prediction cannot be told: the fit has no posterior. Found "
                f"solver {fit.settings.get('solver', {}).get('kind', 'unknown')}, rank {fit.rank} of "
                f"{len(fit.coefficients)}. Use BLR, or a ridge, and data that fix the one-body energies."
            )
        self.posterior = fit.posterior
        self.n_one_body = fit.posterior.n_one_body
        self.basis, self.columns = fit.basis, fit.columns
        table = fit.settings.get("weights") or None
        self.label_noise = label_noise(fit.noise, fit.settings)
        self._active = fit.posterior.active
        skipped = len(system.elements) - fit.posterior.n_one_body
        power = fit.settings.get("prior_choice", {}).get(
            "likelihood_power", 1.0
        )  # rows count for so many rows
        data = [
            np.sqrt(power) * system.merged(kind, table).array[:, skipped:-1] / fit.noise[kind]
            for kind in system.kinds
            if kind != "restraint" and kind in fit.noise and fit.noise[kind] > 0.0
        ]
        self._data = data if self._active is None else [part[:, self._active] for part in data]

    def support(
        self, rows: np.ndarray, one_body: np.ndarray | None = None, n_atoms: np.ndarray | float = 1.0
    ) -> Support:
        from scipy.linalg import solve_triangular

        b = np.atleast_2d(np.asarray(rows, dtype=float))
        b = self._full(b if self.columns is None else b[:, self.columns], one_body)
        varied = b if self._active is None else b[:, self._active]
        factor = self.posterior.precision_factor
        whitened = solve_triangular(factor, varied.T, trans="T")
        variance = np.einsum("ij,ij->j", whitened, whitened)
        pulled = solve_triangular(factor, whitened)  # Σ b
        from_data = sum(np.einsum("ij,ij->j", part, part) for part in (R @ pulled for R in self._data))
        share = 1.0 - np.divide(from_data, variance, out=np.ones_like(variance), where=variance > 0.0)
        return Support(
            value=b @ self.posterior.mean,
            std=np.sqrt(variance),
            leverage=variance / (np.asarray(n_atoms, dtype=float) * self.label_noise**2),
            prior_share=np.clip(share, 0.0, 1.0),
        )


def likelihood_power(settings: Mapping[str, Any]) -> float:
    """Every row of the fit counted for so many rows: below 1 where the prior was chosen by evidence."""
    return float((settings.get("prior_choice") or {}).get("likelihood_power", 1.0))


def label_noise(noise: Mapping[str, float], settings: Mapping[str, Any]) -> float:
    """σ (eV/√atom) of an energy label of a group without a weight of its own, as the fit counts it.

    `noise` and `settings` are those of a :class:`lacemaker.regression.Fit`.
    """
    from lacemaker.regression.weights import weight_of

    weight = weight_of(settings.get("weights") or None, "default", "energy") or 1.0
    sigma = float(noise.get("energy", next(iter(noise.values()))))
    return sigma / weight / float(np.sqrt(likelihood_power(settings)))


def interaction_rows(basis: Any, clusters: Sequence[tuple[Sequence[str], np.ndarray]]) -> np.ndarray:
    """Rows (m, n_functions) of V_n by inclusion-exclusion; one-body energies cancel from n = 2 on."""
    from lacemaker.regression import BasisRows

    source = BasisRows(basis)
    rows = np.zeros((len(clusters), source.n_functions))
    for row, (symbols, positions) in zip(rows, clusters, strict=True):
        where = np.asarray(positions, dtype=float)
        for sign, members in subsets(len(symbols)):
            part = frame_of([symbols[i] for i in members], where[list(members)])
            row += sign * source.design(part).rows[0]
    return rows
