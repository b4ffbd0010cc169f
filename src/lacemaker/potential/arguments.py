"""What callers give to a potential, checked and brought into plain arrays and JSON types."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lacemaker.errors import BasisError, EvaluationError, problem

__all__ = ["e0_in_order", "jsonable", "vector", "versions"]


def e0_in_order(e0: Any, elements: Sequence[str]) -> Any:
    """Values of a mapping in the order of the elements; anything else unchanged."""
    e0 = getattr(e0, "values", e0) if not isinstance(e0, Mapping) else e0
    if not isinstance(e0, Mapping):
        return e0
    missing = [symbol for symbol in elements if symbol not in e0]
    if missing:
        raise problem(
            BasisError,
            "a one-body energy is missing",
            f"values for {', '.join(e0) or 'no element'}, none for {', '.join(missing)}",
            "give one energy (eV) for each element of the basis",
        )
    return [e0[symbol] for symbol in elements]


def vector(name: str, values: Any, length: int, per: str) -> np.ndarray:
    """A finite float64 vector of the given length, copied."""
    array = np.array(values, dtype=np.float64, order="C")
    if array.shape != (length,):
        raise problem(
            BasisError,
            f"the {name} do not fit the basis",
            f"an array of shape {array.shape}, while the basis has {length} {per}s",
            f"give one value per {per}, in the order of the basis",
        )
    if not np.isfinite(array).all():
        raise problem(
            EvaluationError,
            f"the {name} are not finite",
            f"{np.count_nonzero(~np.isfinite(array))} NaN or infinite of {length}",
            "check the fit (a singular system without a prior?)",
        )
    return array


def versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("lacemaker")
    except PackageNotFoundError:  # run from a source tree
        own = "unknown"
    return {"lacemaker": own, "numpy": np.__version__, "python": platform.python_version()}


def jsonable(value: Any) -> Any:
    """A deep copy in plain JSON types; NaN becomes None, so that a bad table cannot stop a save."""

    def plain(item: Any) -> Any:
        if isinstance(item, Mapping):
            return {str(key): plain(entry) for key, entry in item.items()}
        if isinstance(item, np.ndarray | np.generic):
            return plain(item.tolist())
        if isinstance(item, list | tuple | set | frozenset):
            return [plain(entry) for entry in item]
        if isinstance(item, float):
            return item if math.isfinite(item) else None
        return item if isinstance(item, str | int | bool | None) else str(item)

    return json.loads(json.dumps(plain(value)))
