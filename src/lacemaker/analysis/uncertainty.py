"""Predicted standard deviations against errors, on labelled structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import EvaluationError
from lacemaker.uncertainty.calibration import Calibration, calibrate

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.regression import Posterior

__all__ = ["calibrations"]


def calibrations(
    potential: Potential,
    frames: Sequence[Any],
    *,
    noise: Mapping[str, float] | None = None,
    posterior: Posterior | None = None,
) -> dict[str, Calibration]:
    """Calibration of energies (eV per atom) and forces (eV/Å) on labelled structures.

    Predicted variances are those of the coefficients plus the noise of the fit, which stands for what the
    basis cannot describe and is by far the larger part on data like the training set.

    Parameters
    ----------
    potential : Potential
        With posterior samples, unless `posterior` is given.
    frames : sequence of Frame
    noise : mapping, optional
        Standard deviations of a row, of energies eV/√atom and forces eV/Å: ``noise_of(fit)``. Default: that
        recorded in the potential's metadata.
    posterior : Posterior, optional
        For exact variances instead of the committee's.

    Returns
    -------
    dict
        "energy" and "forces", as far as there are labels.
    """
    from lacemaker.uncertainty import Committee, exact_spread

    sigma = noise_of(potential.metadata.get("fit", {})) if noise is None else noise
    committee = None if posterior is not None else Committee(potential)
    errors: dict[str, list[np.ndarray]] = {"energy": [], "forces": []}
    spreads: dict[str, list[np.ndarray]] = {"energy": [], "forces": []}
    for frame in frames:
        prediction = potential.predict(frame)
        spread = exact_spread(potential, frame, posterior) if committee is None else committee.predict(frame)
        n = len(frame.numbers)
        if frame.energy is not None:
            errors["energy"].append(np.array([(prediction.energy - frame.energy) / n]))
            spreads["energy"].append(
                np.array([np.hypot(spread.energy_std, sigma["energy"] * np.sqrt(n)) / n])
            )
        if frame.forces is not None and prediction.forces is not None:
            errors["forces"].append((prediction.forces - frame.forces).ravel())
            spreads["forces"].append(np.hypot(spread.forces_std, sigma["forces"]).ravel())
    return {
        kind: calibrate(np.concatenate(errors[kind]), np.concatenate(spreads[kind]))
        for kind in errors
        if errors[kind]
    }


def noise_of(fit: Any) -> dict[str, float]:
    """Noise of unweighted rows from a fit, or from its ``to_dict()``: σ of a row of weight 1 over the weight.

    Raises
    ------
    EvaluationError
        When the fit recorded no noise.
    """
    table = fit if isinstance(fit, Mapping) else {"noise": fit.noise, "settings": fit.settings}
    noise = table.get("noise")
    if not noise or "forces" not in noise or "energy" not in noise:
        raise EvaluationError(
            "The noise of the fit is not known. Found no 'noise' in the metadata of the potential. Pass "
            "noise={'energy': eV/√atom, 'forces': eV/Å}."
        )
    from lacemaker.regression.weights import weight_of

    weights = table.get("settings", {}).get("weights") or None
    return {
        kind: float(noise[kind]) / max(weight_of(weights, "default", kind), 1e-300)
        for kind in ("energy", "forces")
    }
