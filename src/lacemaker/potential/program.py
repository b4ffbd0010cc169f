"""What a kernel needs to evaluate a potential: a program of flat arrays, and the rules those arrays obey.

The same table drives three things: what is handed to the compiled kernel, what is written to a ``.lace``
file and what is checked when one is read. Kernels trust their input, so every index is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis

__all__ = ["COLUMN_ARRAYS", "PROGRAM_ARRAYS", "Program", "check_arrays"]

Shape = tuple[int | str, ...]

# Z species, N and P radial functions (many-body, pair), A one-particle functions, T terms of I factors in all
TABLE_ARRAYS: dict[str, tuple[str, Shape]] = {
    "mb_transform": ("int32", (1,)),
    "mb_transform_params": ("float64", ("Z", "Z", 5)),
    "mb_envelope": ("int32", (1,)),
    "mb_envelope_params": ("float64", (2,)),
    "mb_beta": ("float64", ("N",)),
    "mb_gamma": ("float64", ("N",)),
    "mb_norm": ("float64", ("N",)),
    "pair_transform": ("int32", (1,)),
    "pair_transform_params": ("float64", ("Z", "Z", 5)),
    "pair_envelope": ("int32", (1,)),
    "pair_envelope_params": ("float64", (2,)),
    "pair_beta": ("float64", ("P",)),
    "pair_gamma": ("float64", ("P",)),
    "pair_norm": ("float64", ("P",)),
    "zbl": ("float64", ("Z", "Z", 3)),
    "zbl_a": ("float64", ("Z", "Z")),
    "a_first": ("int32", ("Z+1",)),
    "a_spec": ("int32", ("A", 4)),
}
TERM_ARRAYS: dict[str, tuple[str, Shape]] = {
    "term_centre": ("int32", ("Z+1",)),
    "term_first": ("int64", ("T+1",)),
    "term_index": ("int32", ("I",)),
    "term_weight": ("float64", ("T",)),
    "pair_coefficients": ("float64", ("Z", "Z", "P")),
    "e0": ("float64", ("Z",)),
}
PROGRAM_ARRAYS: dict[str, tuple[str, Shape]] = {"elements": ("int32", ("Z",)), **TABLE_ARRAYS, **TERM_ARRAYS}

# K basis functions with C channels in all; see `lacemaker.potential.columns`
COLUMN_ARRAYS: dict[str, tuple[str, Shape]] = {
    "coefficients": ("float64", ("K",)),
    "column_kind": ("int32", ("K",)),
    "column_centre": ("int32", ("K",)),
    "column_first": ("int64", ("K+1",)),
    "column_channels": ("int32", ("C", 3)),
    "column_multiplicity": ("int32", ("K",)),
}

_SCALARS = ("mb_transform", "mb_envelope", "pair_transform", "pair_envelope")
_LONGEST = 1e3  # Å; a longer cutoff is a damaged number
_N_TRANSFORMS = 4
_N_ENVELOPES = 4


@dataclass(frozen=True, eq=False)
class Program:
    """The flat arrays a kernel runs: radial tables, A functions, weighted products, pair coefficients, E0.

    Attributes
    ----------
    arrays : Mapping[str, ndarray]
        Read-only, C-contiguous; the names, types and shapes are those of ``PROGRAM_ARRAYS``.
    """

    arrays: Mapping[str, np.ndarray]

    @classmethod
    def from_basis(cls, basis: ACEBasis, coefficients: np.ndarray, e0: np.ndarray) -> Program:
        """Contract `basis` (K functions) with `coefficients` (K,) and the one-body energies `e0` (Z,) eV."""
        from ase.data import atomic_numbers

        tables = dict(basis.kernel_tables())
        tables.pop("n_species")
        tables["elements"] = [atomic_numbers[symbol] for symbol in basis.elements]
        tables.update(basis.contract(coefficients, e0))
        unknown = set(tables) ^ set(PROGRAM_ARRAYS)
        if unknown:
            raise AssertionError(f"the basis and the file format disagree about the arrays {sorted(unknown)}")
        arrays = {}
        for name, (dtype, shape) in PROGRAM_ARRAYS.items():
            array = np.array(tables[name], dtype=dtype, order="C")
            arrays[name] = array.reshape(1) if shape == (1,) else array
        return cls(freeze(arrays))

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols; their order is the order of the species indices."""
        from ase.data import chemical_symbols

        return tuple(chemical_symbols[number] for number in self.arrays["elements"])

    @property
    def cutoff(self) -> float:
        """Largest distance in Å at which two atoms feel each other."""
        arrays = self.arrays
        reach = [0.0]
        if len(arrays["a_spec"]):
            reach.append(float(arrays["mb_transform_params"][..., 2].max()))
        if len(arrays["pair_norm"]):
            reach.append(float(arrays["pair_transform_params"][..., 2].max()))
        reach.append(float((arrays["zbl"][..., 2] * (arrays["zbl"][..., 0] != 0)).max()))
        return max(reach)

    def kernel_tables(self) -> dict[str, Any]:
        """Arguments of ``_core.Tables``."""
        tables: dict[str, Any] = {name: self.arrays[name] for name in TABLE_ARRAYS}
        tables.update({name: int(self.arrays[name][0]) for name in _SCALARS})
        return {"n_species": len(self.arrays["elements"]), **tables}

    def kernel_terms(self) -> dict[str, np.ndarray]:
        """Arguments of ``_core.Evaluator`` other than the tables."""
        return {name: self.arrays[name] for name in TERM_ARRAYS}


def freeze(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays, read-only."""
    for array in arrays.values():
        array.flags.writeable = False
    return dict(arrays)


def check_arrays(arrays: Mapping[str, np.ndarray], rules: Mapping[str, tuple[str, Shape]]) -> None:
    """Raise ValueError unless types, shapes and index ranges are those of the format and values finite."""
    sizes: dict[str, int] = {}
    for name, (dtype, shape) in rules.items():
        if name not in arrays:
            raise ValueError(f"the array {name!r} is missing")
        array = arrays[name]
        if array.dtype != np.dtype(dtype):
            raise ValueError(f"the array {name!r} holds {array.dtype} instead of {dtype}")
        _bind(name, array.shape, shape, sizes)
        if dtype == "float64" and not np.isfinite(array).all():
            raise ValueError(
                f"the array {name!r} holds {np.count_nonzero(~np.isfinite(array))} NaN or infinite values"
            )
    _check_elements(arrays["elements"])
    _check_radial(arrays)
    _check_a_functions(arrays, sizes["Z"])
    _check_terms(arrays, sizes["Z"])
    if "column_first" in rules:
        _check_columns(arrays, sizes["Z"])


def _bind(name: str, found: tuple[int, ...], rule: Shape, sizes: dict[str, int]) -> None:
    """Compare a shape with its rule; a symbol takes the value of its first appearance."""
    wrong = len(found) != len(rule)
    for length, symbol in zip(found, rule, strict=False):
        if isinstance(symbol, int):
            wrong |= length != symbol
        else:
            plain = symbol.removesuffix("+1")
            size = length - (plain != symbol)
            wrong |= size < 0 or sizes.setdefault(plain, size) != size
    if wrong:
        expected = tuple(sizes.get(s, s) if isinstance(s, str) else s for s in rule)
        raise ValueError(
            f"the array {name!r} has the shape {found} instead of {expected} (sizes so far: {sizes})"
        )


def _require(condition: Any, message: str) -> None:
    if not np.all(condition):
        raise ValueError(message)


def _check_elements(numbers: np.ndarray) -> None:
    _require(len(numbers) > 0, "there are no elements")
    _require(
        (numbers >= 1) & (numbers <= 118),
        f"the atomic numbers {numbers.tolist()} are not all within 1 to 118",
    )
    _require(len(set(numbers.tolist())) == len(numbers), f"the atomic numbers {numbers.tolist()} repeat")


def _check_radial(arrays: Mapping[str, np.ndarray]) -> None:
    for kind in ("mb", "pair"):
        transform, envelope = int(arrays[f"{kind}_transform"][0]), int(arrays[f"{kind}_envelope"][0])
        _require(0 <= transform < _N_TRANSFORMS, f"'{kind}_transform' {transform} is not a known transform")
        _require(0 <= envelope < _N_ENVELOPES, f"'{kind}_envelope' {envelope} is not a known envelope")
        if len(arrays[f"{kind}_norm"]):
            rin, r0, cutoff = np.moveaxis(arrays[f"{kind}_transform_params"][..., :3], -1, 0)
            _require(
                (rin >= 0) & (rin < cutoff) & (cutoff < _LONGEST) & (r0 > 0),
                f"'{kind}_transform_params' holds impossible radii",
            )
    charge, inner, outer = np.moveaxis(arrays["zbl"], -1, 0)
    sensible = (charge > 0) & (inner >= 0) & (inner < outer) & (outer < _LONGEST) & (arrays["zbl_a"] > 0)
    _require((charge == 0) | sensible, "'zbl' holds impossible charges or radii")


def _check_ranges(name: str, first: np.ndarray, total: int) -> None:
    _require(first[0] == 0 and first[-1] == total, f"{name!r} does not run from 0 to {total}")
    _require(np.diff(first) >= 0, f"{name!r} decreases")


def _check_a_functions(arrays: Mapping[str, np.ndarray], n_species: int) -> None:
    spec = arrays["a_spec"]
    _check_ranges("a_first", arrays["a_first"], len(spec))
    species, n, degree, order = spec.T.astype(np.int64)
    _require((species >= 0) & (species < n_species), "'a_spec' names a species that does not exist")
    _require((n >= 1) & (n <= len(arrays["mb_norm"])), "'a_spec' names a radial function that does not exist")
    _require(
        (degree >= 0) & (np.abs(order) <= degree), "'a_spec' names a spherical harmonic that does not exist"
    )


def _check_terms(arrays: Mapping[str, np.ndarray], n_species: int) -> None:
    first, index, centre = arrays["term_first"], arrays["term_index"], arrays["term_centre"]
    _check_ranges("term_first", first, len(index))
    _check_ranges("term_centre", centre, len(first) - 1)
    _require(np.diff(first) >= 1, "'term_first' holds an empty product")
    for species in range(n_species):
        of_centre = index[first[centre[species]] : first[centre[species + 1]]]
        n_a = arrays["a_first"][species + 1] - arrays["a_first"][species]
        _require((of_centre >= 0) & (of_centre < n_a), "'term_index' names an A function that does not exist")


def _check_columns(arrays: Mapping[str, np.ndarray], n_species: int) -> None:
    channels, centre, kind = arrays["column_channels"], arrays["column_centre"], arrays["column_kind"]
    _check_ranges("column_first", arrays["column_first"], len(channels))
    _require((kind == 0) | (kind == 1), "'column_kind' holds something else than 0 (many-body) and 1 (pair)")
    _require((centre >= 0) & (centre < n_species), "'column_centre' names a species that does not exist")
    species, n, degree = channels.T
    in_range = (species >= 0) & (species < n_species) & (n >= 1) & (degree >= 0)
    _require(in_range, "'column_channels' holds impossible quantum numbers")
    _require(arrays["column_multiplicity"] >= 0, "'column_multiplicity' is negative")
