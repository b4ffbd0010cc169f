"""Weights of observations by config_type and quantity.

    weights = {"default": {"energy": 30, "forces": 1, "virial": 1}, "liq": {"energy": 10}}

These are the factors W of :mod:`lacemaker.structures.weights`, applied when groups are merged; the frame's
own factors are in the rows already. Restraint rows bring their own weights, which the entry "restraint"
multiplies.
"""

import difflib
import math
from collections.abc import Collection, Mapping

from lacemaker.errors import ConfigError
from lacemaker.structures import WeightTable
from lacemaker.structures import weights as structures

__all__ = [
    "DEFAULT_WEIGHTS",
    "ENERGY_KINDS",
    "KINDS",
    "Weights",
    "check_weights",
    "plain_weights",
    "weight_of",
]

Weights = Mapping[str, Mapping[str, float]]

KINDS = ("energy", "forces", "virial", "force_constants", "energies", "formation_energy", "restraint")

ENERGY_KINDS = ("energy", "energies", "formation_energy")
"""Kinds with one-body columns: solvers see them as one block, so that E0 is eliminated from both at once."""

DEFAULT_WEIGHTS: Mapping[str, float] = {**structures.DEFAULT_WEIGHTS, "restraint": 1.0}


def plain_weights(weights: Weights | WeightTable | None) -> Weights | None:
    """Return weights as plain tables (a WeightTable may have been given as sigmas)."""
    return weights.to_dict() if isinstance(weights, WeightTable) else weights


def weight_of(weights: Weights | None, config_type: str, kind: str) -> float:
    """Weight of one group's rows of one kind."""
    table = weights or {}
    for entry in (table.get(config_type, {}), table.get("default", {})):
        if kind in entry:
            return float(entry[kind])
    return DEFAULT_WEIGHTS[kind]


def check_weights(weights: Weights | None, config_types: Collection[str]) -> None:
    """Refuse unknown groups, unknown quantities and values that are not finite and non-negative.

    Raises
    ------
    ConfigError
    """
    for config_type, entry in (weights or {}).items():
        if config_type != "default" and config_type not in config_types:
            raise ConfigError(
                f"Weights are given for config_type {config_type!r}, which no structure has. "
                f"Found: {_names(config_types)}. {_suggest(config_type, config_types)}"
            )
        if not isinstance(entry, Mapping):
            raise ConfigError(
                f"The weights of config_type {config_type!r} must be a table of quantities. Found {entry!r}. "
                "Write for example {'energy': 30, 'forces': 1, 'virial': 1}."
            )
        for kind, value in entry.items():
            _check_one(config_type, kind, value)


def _check_one(config_type: str, kind: str, value: object) -> None:
    where = f"weights[{config_type!r}][{kind!r}]"
    if kind not in KINDS:
        raise ConfigError(
            f"{where} names an unknown quantity. Known: {_names(KINDS)}. {_suggest(kind, KINDS)}"
        )
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < math.inf:
        raise ConfigError(
            f"{where} must be a finite number, zero or positive. Found {value!r}. "
            "Use 0 to leave these rows out, or 1/sigma to express an expected error."
        )


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _suggest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else "Correct or remove the entry."
