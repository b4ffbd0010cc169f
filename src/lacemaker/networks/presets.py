"""Published recipes, in eV and Å (1 kcal/mol = 0.0433641 eV, 1 Bohr = 0.529177 Å).

From the examples of hippynn 0.1.3 (QM7, ANI-1x) and the methane script of the HIP-HOP-NN paper. Loss terms
that compare with energies, hierarchicality (1 kcal/mol) and L2 (1e-6 kcal/mol), are converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PRESETS", "merged"]

_KCAL, _BOHR = 0.0433641153, 0.529177211

_LOSS = {"hierarchy": _KCAL, "l2": 1e-6 * _KCAL}

PRESETS: dict[str, dict[str, Any]] = {
    "materials": {
        # 8 sensitivities: with many-body invariants more of them overfit some hundred structures
        "network": {"features": 48, "sensitivities": 8, "interactions": 2, "atom_layers": 2,
                    "r_soft_min": 1.2, "r_soft_max": 4.5, "cutoff": 5.5, "repulsion": "zbl"},
        "loss": {"energy": 10.0, "forces": 1.0, "virial": 1.0, "energy_per_atom": True, "hierarchy": 0.004,
                 "hierarchy_kind": "batch", "l2": 1e-7},
        "schedule": {"learning_rate": 2e-3, "batch_size": 4, "max_batch_size": 32, "patience": 15,
                     "stopping_patience": 60, "max_epochs": 500},
    },
    "qm7": {
        "data": {"require": ["energy"]},
        "network": {"features": 20, "sensitivities": 20, "interactions": 2, "atom_layers": 3,
                    "r_soft_min": 1.6 * _BOHR, "r_soft_max": 10 * _BOHR, "cutoff": 12.5 * _BOHR},
        "e0": "zero",
        "loss": {**_LOSS, "forces": 0.0},
        "schedule": {"learning_rate": 1e-3, "batch_size": 10, "max_batch_size": 80, "patience": 5,
                     "stopping_patience": 20, "max_epochs": 1000, "ema_decay": 0.0,
                     "monitor": "energy_mae"},
    },
    "ani1x": {
        "network": {"features": 128, "sensitivities": 20, "interactions": 2, "atom_layers": 3,
                    "r_soft_min": 0.75, "r_soft_max": 5.5, "cutoff": 6.5},
        "loss": _LOSS,
        "schedule": {"learning_rate": 1e-3, "batch_size": 256, "max_batch_size": 256, "patience": 5,
                     "stopping_patience": 10, "max_epochs": 500, "ema_decay": 0.0,
                     "monitor": "energy_rmse"},
    },
    "methane": {
        "data": {"require": ["energy"]},
        "network": {"features": 32, "sensitivities": 20, "interactions": 1, "atom_layers": 3,
                    "r_soft_min": 0.4, "r_soft_max": 9.0, "cutoff": 10.3, "first_is_interacting": True},
        "e0": "least_squares",
        "loss": {**_LOSS, "hierarchy": 10 * _KCAL, "hierarchy_kind": "batch"},
        "schedule": {"learning_rate": 2.5e-3, "batch_size": 256, "max_batch_size": 2048, "patience": 150,
                     "stopping_patience": 300, "max_epochs": 10000, "ema_decay": 0.0,
                     "monitor": "energy_mae"},
    },
}  # fmt: skip


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `change` put over it, section by section."""
    out = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out
