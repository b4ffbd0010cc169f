r"""Weights: the one place that says how much each label counts.

A fit minimises the sum over all labels of (w · residual)^2, and w is the product of four factors:

    w = W[config_type][quantity] · m · a · s

- ``W``, the *weight table*: ``{default: {energy: 30, forces: 1, virial: 1}, liq: {energy: 10}}``. A
  config_type inherits from ``default`` what it does not state. A sigma in a table of sigmas is 1/W, a
  standard deviation in eV, eV/Å and eV.
- ``m``, the frame's own multiplier of a quantity (`Frame.weights`), from these keys of its comment line,
  multiplied where several are present:
  ``energy_weight, forces_weight, virial_weight`` enter as they are;
  ``energy_sigma, forces_sigma, virial_sigma`` as 1/sigma;
  ``config_weight, config_energy_weight, config_forces_weight, config_stress_weight``, which other codes
  multiply with the *squared* residual, as their square root.
- ``a``, the atom's own multiplier of its forces (per-atom column ``force_weights``); 0 leaves it out.
- ``s``, the size: 1/√n_atoms for energy and virial, 1 for all else, so that a frame of twice the size has
  twice the say in each quantity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import close_names, data_error
from lacemaker.structures.frame import QUANTITIES, Frame

__all__ = ["DEFAULT_WEIGHTS", "WeightTable", "frame_multipliers", "row_multipliers"]

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "energy": 30.0,
        "forces": 1.0,
        "virial": 1.0,
        "force_constants": 0.15,
        "energies": 10.0,
        "formation_energy": 30.0,
    }
)
"""Weights of quantities where a table does not say otherwise.

Force constants: 0.15 stands to 1 of the forces as 0.03 eV/Å to 0.2 eV/Å^2, the accuracies worth having (1 %
of a stiff bond); a pair of cells displaced by 0.01 Å fitted as plain forces would have 0.014.
"""

_LINEAR = {"energy": ("energy_weight",), "forces": ("forces_weight", "force_weight"),
           "virial": ("virial_weight", "virials_weight", "stress_weight"),
           "force_constants": ("force_constants_weight",), "energies": ("energies_weight",),
           "formation_energy": ("formation_energy_weight",)}  # fmt: skip
_SQUARED = {"energy": ("config_weight", "config_energy_weight"),
            "forces": ("config_weight", "config_forces_weight"),
            "virial": ("config_weight", "config_stress_weight", "config_virials_weight"),
            "force_constants": ("config_weight",), "energies": ("config_weight",),
            "formation_energy": ("config_weight",)}  # fmt: skip
_SIGMA = {"energy": ("energy_sigma",), "forces": ("forces_sigma", "force_sigma"),
          "virial": ("virial_sigma",), "force_constants": ("force_constants_sigma",),
          "energies": ("energies_sigma",), "formation_energy": ("formation_energy_sigma",)}  # fmt: skip


@dataclass(frozen=True)
class WeightTable:
    """Weights by config_type and quantity.

    Parameters
    ----------
    weights : mapping of mappings
        ``{config_type: {quantity: weight}}``; ``"default"`` holds for every config_type not named.
    sigmas : mapping of mappings
        The same as standard deviations; a sigma is 1/weight. No entry may stand in both.

    Raises
    ------
    DataError
        On an unknown quantity, a weight that is negative or not finite, a sigma that is not positive.
    """

    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sigmas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table: dict[str, dict[str, float]] = {}
        for config_type, row in (self.weights or {}).items():
            table[str(config_type)] = {q: _weight(config_type, q, v) for q, v in _row(config_type, row)}
        for config_type, row in (self.sigmas or {}).items():
            target = table.setdefault(str(config_type), {})
            for q, v in _row(config_type, row):
                if q in target:
                    raise data_error(
                        f"both a weight and a sigma for {q} of {config_type!r}",
                        f"weight {target[q]:g}, sigma {v:g}",
                        "keep one; a sigma is 1/weight",
                    )
                target[q] = 1.0 / _weight(config_type, q, v, name="sigma")
        object.__setattr__(self, "_table", table)

    @classmethod
    def of(cls, weights: WeightTable | Mapping[str, Mapping[str, float]] | None) -> WeightTable:
        """Return a table from a table, a mapping of weights, or None for the defaults."""
        return weights if isinstance(weights, WeightTable) else cls(weights or {})

    def weight(self, config_type: str, quantity: str) -> float:
        """Return W of one config_type and quantity, inherited from ``default`` where not stated."""
        table: dict[str, dict[str, float]] = self._table  # type: ignore[attr-defined]
        for name in (config_type, "default"):
            if quantity in table.get(name, {}):
                return table[name][quantity]
        return DEFAULT_WEIGHTS[quantity]

    def check(self, frames: Iterable[Frame]) -> None:
        """Refuse config_types that no frame has: a misspelt name would silently weigh nothing."""
        known = list(dict.fromkeys(f.config_type for f in frames))
        for name in self.to_dict():
            if name != "default" and name not in known:
                hints = close_names(name, known)
                raise data_error(
                    f"weights name a config_type that no frame has: {name!r}",
                    f"config_types {', '.join(sorted(known))}",
                    f"did you mean {hints[0]!r}?" if hints else "correct or remove the entry",
                )

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return the stated weights, sigmas turned into weights, as plain dictionaries."""
        return {name: dict(row) for name, row in self._table.items()}  # type: ignore[attr-defined]


def row_multipliers(frame: Frame) -> dict[str, float | NDArray[np.float64]]:
    """Return m · a · s of one frame by quantity: what its rows are multiplied by before the table W.

    A float, or for forces with `Frame.force_weights` an array (n_atoms,).
    """
    size = 1.0 / math.sqrt(len(frame))
    factors: dict[str, float | NDArray[np.float64]] = {}
    for quantity in QUANTITIES:
        s = size if quantity in ("energy", "virial") else 1.0
        factors[quantity] = frame.weights.get(quantity, 1.0) * s
    if frame.force_weights is not None:
        factors["forces"] = factors["forces"] * frame.force_weights
    return factors


def frame_multipliers(info: Mapping[str, Any], source: str) -> dict[str, float]:
    """Return m of each quantity from the keys of a frame's comment line; see the head of this file."""
    result = {}
    for q in _LINEAR:
        m = 1.0
        for key in _LINEAR[q]:
            m *= _number(info, key, source)
        for key in _SQUARED[q]:
            m *= math.sqrt(_number(info, key, source))
        for key in _SIGMA[q]:
            m /= _number(info, key, source, positive=True)
        result[q] = m
    return result


def _number(info: Mapping[str, Any], key: str, source: str, positive: bool = False) -> float:
    if key not in info:
        return 1.0
    try:
        value = float(info[key])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or value < 0 or (positive and value == 0):
        raise data_error(
            f"{source}: {key} must be a {'positive' if positive else 'non-negative'} number",
            repr(info[key])[:60],
            "correct the value, or remove the key for a weight of 1",
        )
    return value


def _row(config_type: object, row: object) -> Iterable[tuple[str, float]]:
    if not isinstance(row, Mapping):
        raise data_error(
            f"weights of {config_type!r} must be given by quantity",
            repr(row)[:60],
            "write e.g. {default: {energy: 30, forces: 1, virial: 1}}",
        )
    return row.items()


def _weight(config_type: object, quantity: str, value: Any, name: str = "weight") -> float:
    if quantity not in QUANTITIES:
        hints = close_names(quantity, QUANTITIES)
        raise data_error(
            f"unknown quantity {quantity!r} in the {name}s of {config_type!r}",
            f"quantities are {', '.join(QUANTITIES)}",
            f"did you mean {hints[0]!r}?" if hints else "correct the name",
        )
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or value < 0 or (name == "sigma" and value == 0):
        kind = "positive" if name == "sigma" else "non-negative"
        raise data_error(
            f"the {name} of {quantity} for {config_type!r} must be a {kind} number",
            repr(value),
            "give a number; weight 0 leaves a quantity out",
        )
    return float(value)
