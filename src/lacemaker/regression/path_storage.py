"""A path on disk: one sealed file."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.regression.fit import Fit, _plain
from lacemaker.regression.path import ModelPath, PathModel
from lacemaker.regression.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load_path", "save_path"]

_KEY = "lacemaker_path"
_ARRAYS = ("coefficients", "e0", "basis", "columns", "posterior")  # of a Fit: kept apart from the header
_FIT = tuple(f.name for f in fields(Fit) if f.name not in _ARRAYS)
_MODEL = ("penalty", "training_error", "validation_error", "bic", "aic", "cost", "mae")


def save_path(path: ModelPath, file: Path) -> None:
    """Write a path; of posteriors, `COMMITTEE_SIZE` samples are kept.

    Raises
    ------
    LacemakerError
        When the file cannot be written.
    """
    fits = [model.fit for model in path]
    first = np.cumsum([0, *path.sizes], dtype=np.int64)
    arrays: dict[str, NDArray[Any]] = {
        "first": first,
        "support": np.concatenate([model.support for model in path]).astype(np.int64),
        "coefficients": np.concatenate([m.fit.coefficients[m.support] for m in path]),
        "e0": np.array([fit.e0 for fit in fits]),
    }
    if fits[0].columns is not None:
        arrays["columns"] = np.asarray(fits[0].columns, dtype=np.int64)
    committees = [model.committee() for model in path]
    if all(committee is not None for committee in committees):
        pairs = list(zip(path, committees, strict=True))
        samples = np.concatenate([c.coefficients[:, _entries(m)] for m, c in pairs], axis=1)
        arrays["samples"] = np.ascontiguousarray(samples)
        arrays["samples_e0"] = np.array([c.e0 for c in committees])
    header = {
        "elements": list(path.elements),
        "settings": _plain(path.settings),
        "n_functions": len(fits[0].coefficients),
        "basis": None if fits[0].basis is None else fits[0].basis.spec(),
        "models": [{name: _plain(getattr(model, name)) for name in _MODEL} for model in path],
        "fits": [{name: _plain(getattr(fit, name)) for name in _FIT} for fit in fits],
    }
    write_sealed(file, _KEY, arrays, header)


def load_path(file: Path) -> ModelPath:
    """Read a path.

    Raises
    ------
    FileFormatError
        When the file is truncated, edited, from another version or no path.
    """
    arrays, header = read_sealed(file, _KEY, what="model path", remedy="run `lace path` again")
    basis = None
    if header["basis"] is not None:
        from lacemaker.basis import ACEBasis

        basis = ACEBasis.from_spec(header["basis"])
    models = []
    for i, (model, fit) in enumerate(zip(header["models"], header["fits"], strict=True)):
        part = slice(arrays["first"][i], arrays["first"][i + 1])
        support = arrays["support"][part]
        coefficients = np.zeros(header["n_functions"])
        coefficients[support] = arrays["coefficients"][part]
        restored = {
            **fit,
            "elements": tuple(fit["elements"]),
            "messages": tuple(fit["messages"]),
            "condition": _number(fit["condition"], np.inf),
            "coefficients": coefficients,
            "e0": arrays["e0"][i],
            "basis": basis,
            "columns": arrays.get("columns"),
        }
        figures = {**model, "penalty": _number(model["penalty"], np.nan)}
        found = PathModel(fit=Fit(**restored), support=support, **figures)
        if "samples" in arrays:
            found = replace(found, deviations=_deviations(found, arrays, i, part))
        models.append(found)
    return ModelPath(tuple(models), tuple(header["elements"]), header["settings"])


def _entries(model: PathModel) -> "NDArray[np.int64]":
    """Where the coefficients of a model are among those of its basis."""
    columns = model.fit.columns if model.fit.basis is not None else None
    return model.support if columns is None else columns[model.support]


def _deviations(model: PathModel, arrays: Mapping[str, Any], number: int, part: slice) -> Any:
    from lacemaker.uncertainty.storage import Deviations

    samples, basis = arrays["samples"][:, part], model.fit.basis
    coefficients = np.zeros(
        (len(samples), len(model.fit.coefficients) if basis is None else basis.n_functions)
    )
    coefficients[:, _entries(model)] = samples
    return Deviations(coefficients, arrays["samples_e0"][number])


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else float(value)
