"""Single labels as files spell them, turned into floats of one shape, unit and sign."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import data_error

__all__ = ["STRESS_UNITS", "VOIGT_ORDER", "StressConvention", "agree", "to_energy", "to_forces", "to_voigt"]

VOIGT_ORDER = "xx yy zz yz xz xy"
"""Order of six components everywhere in lacemaker, as in ASE."""

STRESS_UNITS = {"eV/A^3": 1.0, "GPa": 1 / 160.2176634, "kbar": 1 / 1602.176634, "bar": 1 / 1602176.634}
"""Value of one unit in eV/Å^3 (1 eV/Å^3 = 160.2176634 GPa from the exact elementary charge)."""

_FLAT = np.array([0, 4, 8, 5, 2, 1])  # the components of VOIGT_ORDER in a flattened 3x3


@dataclass(frozen=True)
class StressConvention:
    """How stresses are given: unit, sign (+1 ASE, tension positive; -1 as in VASP), order of six numbers."""

    unit: str = "eV/A^3"
    sign: int = 1
    order: str = VOIGT_ORDER

    def __post_init__(self) -> None:
        if self.unit not in STRESS_UNITS:
            raise data_error(
                "unknown unit of stress", repr(self.unit), f"use one of {', '.join(STRESS_UNITS)}"
            )
        if self.sign not in (1, -1):
            raise data_error(
                "the sign of stress is +1 or -1", repr(self.sign), "use 1 where tension is positive (ASE)"
            )
        if sorted(self.order.split()) != sorted(VOIGT_ORDER.split()):
            raise data_error(
                "the order of six components must name each once",
                repr(self.order),
                f"permute {VOIGT_ORDER!r}, e.g. 'xx yy zz xy yz xz' (VASP)",
            )

    @property
    def factor(self) -> float:
        """What a given stress is multiplied by to be in eV/Å^3 with ASE's sign."""
        return self.sign * STRESS_UNITS[self.unit]


def _numbers(value: Any, key: str, source: str) -> NDArray[np.float64]:
    if isinstance(value, str) and value.startswith("_JSON"):
        value = json.loads(value.removeprefix("_JSON"))
    try:
        array = np.asarray(value)
        if array.dtype == np.bool_:
            raise ValueError("true or false")
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise data_error(
            f"{source}: {key} is not a number", repr(value)[:80], "correct the label or remove it"
        ) from None


def to_energy(value: Any, key: str, source: str) -> float:
    """Return a total energy, eV, from a number or a one-element array."""
    array = _numbers(value, key, source)
    if array.size != 1:
        raise data_error(
            f"{source}: {key} must be one number",
            f"{array.size} numbers of shape {array.shape}",
            "give the total energy of the structure in eV; site energies are no labels",
        )
    return float(array.ravel()[0])


def to_forces(value: Any, key: str, source: str, n_atoms: int) -> NDArray[np.float64]:
    """Return forces, (n_atoms, 3) eV/Å. No other shape is guessed at."""
    array = _numbers(value, key, source)
    if array.shape != (n_atoms, 3):
        raise data_error(
            f"{source}: {key} has the wrong shape",
            f"{array.shape} for {n_atoms} atoms",
            f"give three columns per atom, {key}:R:3 in the Properties of extended XYZ",
        )
    return array


def to_voigt(value: Any, key: str, source: str, order: str = VOIGT_ORDER) -> NDArray[np.float64]:
    """Return a symmetric tensor's six components in `VOIGT_ORDER`.

    Accepts a 3x3 array, nine numbers (row or column order: the same for a symmetric tensor) or six
    numbers in `order`.

    Raises
    ------
    DataError
        On another shape, or a 3x3 tensor that is not symmetric within 1 %.
    """
    array = _numbers(value, key, source)
    if array.shape == (6,):
        given = order.split()
        return array[[given.index(c) for c in VOIGT_ORDER.split()]]
    if array.shape not in ((9,), (3, 3)):
        raise data_error(
            f"{source}: {key} must have 6 or 9 components",
            f"{array.size} numbers of shape {array.shape}",
            "give nine numbers of the 3x3 tensor, or six in the order " + order,
        )
    tensor = array.reshape(3, 3)
    skew = np.abs(tensor - tensor.T).max()
    if skew > 0.01 * np.abs(tensor).max() + 1e-6:
        raise data_error(
            f"{source}: {key} is not symmetric",
            f"components differ from their mirror images by up to {skew:.3g}: {tensor.tolist()}",
            "check the order of the nine numbers, or whether kinetic terms or unconverged forces entered",
        )
    return np.ascontiguousarray((0.5 * (tensor + tensor.T)).ravel()[_FLAT])


def agree(virial: NDArray[np.float64], stress: NDArray[np.float64], volume: float, source: str) -> None:
    """Refuse a frame whose virial and stress contradict each other.

    Parameters
    ----------
    virial : (6,) eV
    stress : (6,) eV/Å^3
        ASE's sign: virial = -volume * stress.
    volume : float
        Å^3
    """
    expected = -volume * stress
    tolerance = 0.01 * np.abs(virial).max() + 1e-3 + 1e-6 * volume
    if np.abs(virial - expected).max() <= tolerance:
        return
    raise data_error(
        f"{source}: virial and stress disagree, virial is not -volume * stress",
        f"virial {np.round(virial, 4).tolist()} eV, -volume * stress {np.round(expected, 4).tolist()} eV "
        f"(xx yy zz yz xz xy, volume {volume:.4g} Å^3){_explain(virial, expected, volume)}",
        "correct the data, or name the one to trust with virial_key=… or stress_key=…",
    )


def _explain(virial: NDArray[np.float64], expected: NDArray[np.float64], volume: float) -> str:
    """Name the factor between two tensors, where it is one of the usual mistakes."""
    norm = float(expected @ expected)
    if norm == 0.0:
        return ""
    ratio = float(virial @ expected) / norm  # virial ~ ratio * expected
    if np.linalg.norm(virial - ratio * expected) > 0.05 * np.linalg.norm(virial):
        return "; no single factor relates them: components may be permuted"
    sign = "" if ratio > 0 else " and has the opposite sign"
    known = [(unit, value) for unit, value in STRESS_UNITS.items() if unit != "eV/A^3"]
    for unit, value in known:
        if np.isclose(abs(ratio), value, rtol=0.05):
            return f"; the stress looks as if it were in {unit}{sign}"
    if np.isclose(abs(ratio), 1 / volume, rtol=0.05):
        return f"; the virial looks like a stress in eV/Å^3, not multiplied by the volume{sign}"
    if np.isclose(ratio, -1.0, rtol=0.05):
        return "; they have opposite signs"
    return f"; virial is {ratio:.4g} times -volume * stress"
