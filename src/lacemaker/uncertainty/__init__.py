"""How far to trust a prediction: committees, exact variances, extrapolation grades; are they honest?."""

from typing import Any

_HOME = {
    "ActiveSet": "extrapolation",
    "Calibration": "calibration",
    "Committee": "committee",
    "ExtrapolationGrade": "extrapolation",
    "Spread": "committee",
    "attach_committee": "storage",
    "attach_deviations": "storage",
    "attach_extrapolation_grade": "active_sets",
    "attach_posterior": "storage",
    "calibrate": "calibration",
    "deviations_of": "storage",
    "exact_spread": "exact",
    "site_functions": "extrapolation",
    "stored_active_sets": "extrapolation",
    "stored_committee": "storage",
    "stored_posterior": "storage",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lacemaker.uncertainty' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
