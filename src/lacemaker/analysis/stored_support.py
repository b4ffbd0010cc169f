"""What supports a prediction of a potential file alone, as far as the uncertainty it carries tells.

A ``.lace`` file may hold the factor of its whole posterior (exact standard deviations) or some posterior
samples (standard deviations good to 1/√(2k) of themselves for k samples), see
:mod:`lacemaker.uncertainty.storage`. The noise of the labels is in its metadata, hence the leverage. What is
missing is the data: how much of a variance is the prior's, and refits, need the folder of the fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lacemaker.analysis.identifiability import Support, Supporter, label_noise
from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.regression import Posterior

__all__ = ["StoredSupport"]


class StoredSupport(Supporter):
    """The posterior that a potential carries; the factor where it has one, else its samples.

    Parameters
    ----------
    potential : Potential
        With :func:`lacemaker.uncertainty.attach_posterior` or :func:`lacemaker.uncertainty.attach_committee`.

    Raises
    ------
    EvaluationError
        When it carries neither, or does not tell the noise of its fit.

    Attributes
    ----------
    source : str
        What the standard deviations come from, in words.
    """

    def __init__(self, potential: Potential) -> None:
        from lacemaker.uncertainty import stored_committee, stored_posterior
        from lacemaker.uncertainty.storage import has_committee, has_posterior

        if not has_posterior(potential) and not has_committee(potential):
            raise EvaluationError(
                "What supports the curves cannot be told from this potential alone. Found no stored "
                "uncertainty in it. Give the output folder of the fit, fit with `uncertainty`, or pass fit= "
                "and system= to body_order_report."
            )
        facts = potential.metadata.get("fit") or {}
        noise = facts.get("noise") or {}
        if not noise:
            raise EvaluationError(
                "What supports the curves cannot be told from this potential alone. Found an uncertainty, "
                "but no noise of the fit in its metadata. Save fit.potential(), or give the output folder of "
                "the fit."
            )
        self.basis = potential.basis
        self.label_noise = label_noise(noise, facts.get("settings") or {})
        self._posterior: Posterior | None = None
        if has_posterior(potential):
            self._posterior = stored_posterior(potential)
            self.n_one_body = self._posterior.n_one_body
            self.source = "the posterior stored in the file"
        else:
            samples = stored_committee(potential)
            k = len(samples.coefficients)
            self.n_one_body = samples.e0.shape[1] if samples.e0.any() else 0
            self._deviations = np.hstack([samples.e0[:, : self.n_one_body], samples.coefficients])
            scatter = 100 / np.sqrt(2 * k)
            self.source = f"{k} posterior samples in the file (standard deviations ± {scatter:.0f} %)"
        self._mean = np.concatenate([potential.e0[: self.n_one_body], potential.coefficients])

    def support(
        self, rows: np.ndarray, one_body: np.ndarray | None = None, n_atoms: np.ndarray | float = 1.0
    ) -> Support:
        b = self._full(rows, one_body)
        if self._posterior is not None:
            variance = self._posterior.variance(b)
        else:
            variance = np.mean((b @ self._deviations.T) ** 2, axis=1)
        return Support(
            value=b @ self._mean,
            std=np.sqrt(variance),
            leverage=variance / (np.asarray(n_atoms, dtype=float) * self.label_noise**2),
            prior_share=None,
        )
