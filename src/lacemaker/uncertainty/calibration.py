"""Are predicted standard deviations honest? Reliability, negative log likelihood, CRPS, sharpness.

Observations y with prediction μ and predicted standard deviation s, taken as Gaussian. Definitions: Gneiting
and Raftery, J. Am. Stat. Assoc. 102, 359 (2007); reliability as in Kuleshov, Fenner and Ermon, ICML 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lacemaker.errors import DataError

__all__ = ["Calibration", "calibrate"]

LEVELS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True, eq=False)
class Calibration:
    """How errors and predicted standard deviations go together.

    Attributes
    ----------
    n : int
        Number of observations.
    expected, observed : ndarray (19,)
        Probability of central intervals, and share of the observations within them.
    miscalibration : float
        Mean |observed - expected|; 0 is perfect, 0.5 the worst.
    nll : float
        Mean negative log likelihood (nats, with the unit of the observations).
    crps : float
        Mean continuous ranked probability score, in the unit of the observations; never above the MAE.
    sharpness : float
        Root mean square predicted standard deviation.
    rmse : float
    scale : float
        Factor on the standard deviations that maximises the likelihood: 1 is honest, above it too sure.
    correlation : float
        Spearman rank correlation of |error| and standard deviation.
    """

    n: int
    expected: np.ndarray
    observed: np.ndarray
    miscalibration: float
    nll: float
    crps: float
    sharpness: float
    rmse: float
    scale: float
    correlation: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in self.__dict__.items()
        }

    def __str__(self) -> str:
        return (
            f"{self.n} observations: RMSE {self.rmse:.4g}, predicted {self.sharpness:.4g}, "
            f"NLL {self.nll:.3f}, "
            f"CRPS {self.crps:.4g}, miscalibration {self.miscalibration:.3f}, best scale {self.scale:.2f}, "
            f"rank correlation {self.correlation:.2f}"
        )


def calibrate(errors: np.ndarray, std: np.ndarray) -> Calibration:
    """Compare errors with predicted standard deviations.

    Parameters
    ----------
    errors, std : arrays of one shape
        Prediction minus observation, and its predicted standard deviation (> 0; the noise of the
        observations included), in one unit.

    Raises
    ------
    DataError
        If the arrays are empty, differ in shape, or hold anything but finite numbers and positive deviations.
    """
    from scipy.special import ndtr, ndtri
    from scipy.stats import spearmanr

    error, s = np.ravel(np.asarray(errors, dtype=float)), np.ravel(np.asarray(std, dtype=float))
    usable = error.shape == s.shape and len(s) > 0 and np.all(np.isfinite(error)) and np.all(np.isfinite(s))
    if not usable or np.any(s <= 0.0):
        raise DataError(
            "Uncertainties cannot be judged: errors and positive standard deviations must pair up. Found "
            f"{error.size} errors and {s.size} deviations, {int(np.sum(s <= 0))} of them not positive. Add "
            "the noise of the fit to the standard deviations, or leave such observations out."
        )
    z = error / s
    observed = np.array([np.mean(np.abs(z) <= ndtri(0.5 + 0.5 * level)) for level in LEVELS])
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    crps = s * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))
    varied = np.ptp(s) > 0.0 and np.ptp(np.abs(error)) > 0.0
    return Calibration(
        n=len(s),
        expected=LEVELS,
        observed=observed,
        miscalibration=float(np.mean(np.abs(observed - LEVELS))),
        nll=float(np.mean(0.5 * z**2 + np.log(s)) + 0.5 * np.log(2.0 * np.pi)),
        crps=float(np.mean(crps)),
        sharpness=float(np.sqrt(np.mean(s**2))),
        rmse=float(np.sqrt(np.mean(error**2))),
        scale=float(np.sqrt(np.mean(z**2))),
        correlation=float(spearmanr(np.abs(error), s).statistic) if varied else 0.0,
    )
