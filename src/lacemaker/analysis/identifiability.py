"""What the data say about a prediction, and what the prior says.

A prediction of a linear model is a row b: its value is b·c and its posterior variance bᵀΣb, with
Σ⁻¹ = D + Λ, where D = Σ_kinds RᵀR/σ² comes from the data rows and Λ from the prior (and from restraint rows,
which are beliefs too). The variance has two parts,

    bᵀΣb = bᵀΣDΣb + bᵀΣΛΣb,

the first from noise in the labels, the second the expected square of the error that shrinking towards the
prior makes. The *prior share* is the second part of the whole: 0 where data alone fix the prediction, 1 where
they say nothing. It needs no scale of its own, unlike the ratio of posterior to prior variance, which is
small wherever the prior is wide.

The *leverage* h = bᵀ(AᵀA + λ)⁻¹b is the variance in units of the noise that an energy label of the same
structure would have, with the weight of the fit. Adding that label would divide the variance by 1 + h: with
h > 1 a single direct calculation tells more than all the data.

A prediction is called

- ``prior`` where the prior share exceeds 1/2,
- ``extrapolated`` where it does not, but h > 1: the data decide, from afar and through the model,
- ``data`` elsewhere, and wherever the standard deviation is below 10 meV.

All this is said within the model. What no coefficients could fit (a truth of more bodies, above all) is in
none of these figures: a reference many standard deviations away means that the model is wrong, not the data
few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.clusters import frame_of, subsets
from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.regression import Fit, TriangularSystem

__all__ = ["MOSTLY_PRIOR", "NEGLIGIBLE", "Identifiability", "Support", "interaction_rows"]

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
    prior_share : (m,) array
        Share of the variance that comes from the prior, 0 to 1.
    """

    value: np.ndarray
    std: np.ndarray
    leverage: np.ndarray
    prior_share: np.ndarray

    def status(self, negligible: float = NEGLIGIBLE) -> np.ndarray:
        """(m,) of "data", "extrapolated" and "prior"; see the head of this file."""
        matters = self.std > negligible
        far = np.where(matters & (self.leverage > 1.0), "extrapolated", "data")
        return np.where(matters & (self.prior_share > MOSTLY_PRIOR), "prior", far)


class Identifiability:
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
        from lacemaker.regression.weights import weight_of

        if fit.posterior is None:
            raise EvaluationError(
                "What the data say about a prediction cannot be told: the fit has no posterior. Found "
                f"solver {fit.settings.get('solver', {}).get('kind', 'unknown')}, rank {fit.rank} of "
                f"{len(fit.coefficients)}. Use BLR, or a ridge, and data that fix the one-body energies."
            )
        self.posterior = fit.posterior
        self.basis, self.columns = fit.basis, fit.columns
        table = fit.settings.get("weights") or None
        weight = weight_of(table, "default", "energy") or 1.0
        self.label_noise = float(fit.noise.get("energy", next(iter(fit.noise.values())))) / weight
        skipped = len(system.elements) - fit.posterior.n_one_body
        # a prior chosen by evidence lets every row count for a part of one (tempered likelihood)
        self.power = float(fit.settings.get("prior_choice", {}).get("likelihood_power", 1.0))
        self._data = [
            system.merged(kind, table).array[:, skipped:-1] * (np.sqrt(self.power) / fit.noise[kind])
            for kind in system.kinds
            if kind != "restraint" and kind in fit.noise and fit.noise[kind] > 0.0
        ]

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
        from scipy.linalg import solve_triangular

        b = np.atleast_2d(np.asarray(rows, dtype=float))
        b = b if self.columns is None else b[:, self.columns]
        head = np.zeros((len(b), self.posterior.n_one_body))
        if one_body is not None and self.posterior.n_one_body:
            head = np.atleast_2d(np.asarray(one_body, dtype=float))
        b = np.hstack([head, b])
        factor = self.posterior.precision_factor
        whitened = solve_triangular(factor, b.T, trans="T")
        variance = np.einsum("ij,ij->j", whitened, whitened)
        pulled = solve_triangular(factor, whitened)  # Σ b
        from_data = sum(np.einsum("ij,ij->j", part, part) for part in (R @ pulled for R in self._data))
        share = 1.0 - np.divide(from_data, variance, out=np.ones_like(variance), where=variance > 0.0)
        return Support(
            value=b @ self.posterior.mean,
            std=np.sqrt(variance),
            leverage=variance * self.power / (np.asarray(n_atoms, dtype=float) * self.label_noise**2),
            prior_share=np.clip(share, 0.0, 1.0),
        )

    def interactions(self, clusters: Sequence[tuple[Sequence[str], np.ndarray]]) -> Support:
        """Support of the n-body interactions V_n of some clusters (symbols, positions)."""
        sizes = np.array([len(symbols) for symbols, _ in clusters], dtype=float)
        return self.support(interaction_rows(self.basis, clusters), n_atoms=sizes)


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
