"""Reading ``.yace`` files: every number is checked before it becomes a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.deploy.yace.embedding import KINDS
from lacemaker.deploy.yace.messages import bad
from lacemaker.deploy.yace.model import Bond, Embedding, Terms, YaceModel
from lacemaker.deploy.yace.radial import FAMILIES
from lacemaker.deploy.yace.records import quick_terms
from lacemaker.deploy.yace.text import load_tree
from lacemaker.potential import disk

__all__ = ["parse_yace", "read_yace"]

_INNER = ("density", "distance", "zbl")
_DIALECTS = {
    "ACE.jl": "ACE.jl or ACEpotentials",
    "Tabulated": "ace-jax (tabulated radial functions, for a patched ML-PACE)",
}


class _Bad(Exception):
    """What is wrong, found inside the tree."""


def read_yace(path: str | os.PathLike[str]) -> YaceModel:
    """Read a ``.yace`` file (ACE C-tilde basis).

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, of a dialect that stock ML-PACE does not read either, or contradicts
        itself.
    """
    data = disk.read_bytes(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad(f"{os.fspath(path)} is not a text file", error.reason, "give a .yace file") from error
    return parse_yace(text, os.fspath(path))


def parse_yace(text: str, source: str = "the text") -> YaceModel:
    """The model of the text of a ``.yace`` file; see `read_yace`."""
    tree = load_tree(text, source)
    try:
        return _model(tree, text)
    except _Bad as error:
        wrong, found, do = error.args
        raise bad(f"{source} is not a .yace file that can be evaluated: {wrong}", found, do) from None


def _bad(wrong: str, found: Any, do: str = "copy the file again, or ask its author") -> _Bad:
    text = str(found)
    return _Bad(wrong, text if len(text) < 200 else text[:200] + " …", do)


def _model(tree: Mapping[str, Any], text: str) -> YaceModel:
    elements = _get(tree, "elements", "the file")
    if not isinstance(elements, list) or not elements or len(set(map(str, elements))) != len(elements):
        raise _bad("`elements` is not a list of different elements", elements)
    unknown = [e for e in elements if e not in ATOMIC_NUMBERS]
    if unknown:
        raise _bad("it names elements that do not exist", unknown)
    n = len(elements)
    bonds = {pair: _bond(pair, entry) for pair, entry in _block(tree, "bonds").items()}
    missing = [(i, j) for i in range(n) for j in range(n) if (i, j) not in bonds]
    if missing or len(bonds) != n * n:
        raise _bad(
            "`bonds` must hold every ordered pair of elements once", f"missing {missing}, {len(bonds)} given"
        )
    kinds = {bond.inner_kind for bond in bonds.values()}
    if len(kinds) != 1:
        raise _bad(
            "the bonds disagree on inner_cutoff_type", sorted(kinds), "ML-PACE keeps one for all bonds"
        )
    embeddings = tuple(_embedding(s, _block(tree, "embeddings").get(s)) for s in range(n))
    lists = _block(tree, "functions")
    terms = tuple(_terms(s, lists.get(s) or [], n, bonds, len(embeddings[s].weights)) for s in range(n))
    e0 = _numbers(_get(tree, "E0", "the file"), (n,), "E0")
    spacing = float(_numbers(tree.get("deltaSplineBins", 0.001), (), "deltaSplineBins"))
    comments = tuple(line[1:].strip() for line in text.splitlines()[:100] if line.startswith("#"))
    return YaceModel(tuple(elements), e0, embeddings, bonds, terms, spacing, comments)


def _get(mapping: Mapping[Any, Any], key: str, where: str) -> Any:
    if not isinstance(mapping, Mapping) or key not in mapping:
        raise _bad(
            f"{where} has no {key!r}", sorted(map(str, mapping)) if isinstance(mapping, Mapping) else mapping
        )
    return mapping[key]


def _block(tree: Mapping[str, Any], name: str) -> Mapping[Any, Any]:
    block = _get(tree, name, "the file")
    if not isinstance(block, Mapping):
        raise _bad(f"{name!r} is not a mapping", type(block).__name__)
    return block


def _numbers(value: Any, shape: tuple[int, ...] | None, what: str, dtype: type = float) -> np.ndarray:
    """An array of finite numbers of the given shape."""
    try:
        if isinstance(value, (str, bool)) or value is None:
            raise ValueError
        array = np.array(value)
        if array.size == 0:
            array = array.astype(dtype)
        if array.dtype.kind not in ("iu" if dtype is int else "iuf"):
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise _bad(f"{what} is not made of {'integers' if dtype is int else 'numbers'}", value) from None
    array = array.astype(np.int64 if dtype is int else np.float64)
    if shape is not None and array.shape != shape:
        raise _bad(f"{what} has the wrong size", f"{array.shape} instead of {shape}")
    if not np.isfinite(array).all():
        raise _bad(f"{what} is not finite", value)
    return array


def _bond(pair: Any, entry: Any) -> Bond:
    where = f"bond {list(pair) if isinstance(pair, tuple) else pair}"
    family = str(_get(entry, "radbasename", where))
    for prefix, writer in _DIALECTS.items():
        if family.startswith(prefix):
            raise _bad(
                f"it is of another dialect, written by {writer}", f"radbasename {family}",
                "use the code that wrote it, or export from there in ML-PACE's standard form",
            )  # fmt: skip
    if family not in FAMILIES:
        raise _bad(f"{where} has an unknown radial basis", family, f"known: {', '.join(FAMILIES)}")
    sizes = [
        int(_numbers(_get(entry, key, where), (), f"{key} of {where}", int))
        for key in ("nradmax", "lmax", "nradbasemax")
    ]
    parameters = _numbers(entry.get("radparameters", [1.0]), None, f"radparameters of {where}").reshape(-1)
    inner = str(entry.get("inner_cutoff_type", "density"))
    if inner not in _INNER:
        raise _bad(f"{where} has an unknown inner_cutoff_type", inner, f"known: {', '.join(_INNER)}")

    def one(key: str, default: float | None = None) -> float:
        value = _get(entry, key, where) if default is None else entry.get(key, default)
        return float(_numbers(value, (), f"{key} of {where}"))

    bond = Bond(
        family=family,
        parameter=float(parameters[0]) if len(parameters) else 1.0,
        cutoff=one("rcut"),
        width=one("dcut", 0.0),
        coefficients=_numbers(
            _get(entry, "radcoefficients", where), (sizes[0], sizes[1] + 1, sizes[2]),
            f"radcoefficients of {where}",
        ),
        core_strength=one("prehc", 0.0),
        core_decay=one("lambdahc", 1.0),
        inner_cutoff=one("rcut_in", 0.0),
        inner_width=one("dcut_in", 0.0),
        inner_kind=inner,
    )  # fmt: skip
    _check_lengths(bond, where)
    return bond


def _check_lengths(bond: Bond, where: str) -> None:
    if not 0 < bond.cutoff < 1e3 or bond.n_functions < 1:
        raise _bad(f"{where} has an impossible cutoff or no radial functions", f"rcut {bond.cutoff}")
    if bond.width < 0 or bond.inner_width < 0 or bond.inner_cutoff < 0:
        raise _bad(f"{where} has a negative width", f"dcut {bond.width}, dcut_in {bond.inner_width}")
    if bond.family == "ChebExpCos" and bond.parameter == 0:
        raise _bad(f"{where} has lambda 0, for which ChebExpCos does not exist", 0)
    if bond.family == "ChebPow" and bond.parameter < 1:
        raise _bad(f"{where} has a lambda for which forces diverge at the cutoff", bond.parameter)
    if bond.inner_kind == "density" and bond.inner_cutoff > bond.inner_width:
        raise _bad(
            f"{where} gives an inner cutoff with inner_cutoff_type density, whose effect is not established",
            f"rcut_in {bond.inner_cutoff}, dcut_in {bond.inner_width}", "set rcut_in 0, or type distance",
        )  # fmt: skip
    if bond.inner_kind == "zbl" and not (0 < bond.width < bond.cutoff and bond.inner_width > 0):
        raise _bad(
            f"{where} has inner_cutoff_type zbl, which needs dcut and dcut_in above 0",
            f"dcut {bond.width}, dcut_in {bond.inner_width}",
        )


def _embedding(species: int, entry: Any) -> Embedding:
    where = f"the embedding of element {species}"
    n = int(_numbers(_get(entry, "ndensity", where), (), f"ndensity of {where}", int))
    if n < 1:
        raise _bad(f"{where} has no density", n)
    parameters = _numbers(_get(entry, "FS_parameters", where), (2 * n,), f"FS_parameters of {where}")
    kind = str(_get(entry, "npoti", where))
    if kind not in KINDS:
        raise _bad(f"{where} is of an unknown kind", kind, f"known: {', '.join(KINDS)}")
    if (parameters[1::2] <= 0).any():
        raise _bad(f"{where} has an exponent that is not positive", parameters.tolist())
    limit = float(_numbers(_get(entry, "rho_core_cutoff", where), (), f"rho_core_cutoff of {where}"))
    width = float(_numbers(_get(entry, "drho_core_cutoff", where), (), f"drho_core_cutoff of {where}"))
    return Embedding(kind, parameters[0::2], parameters[1::2], limit, width)


def _terms(
    species: int, entries: Any, n_elements: int, bonds: Mapping[tuple[int, int], Bond], n_density: int
) -> tuple[Terms, ...]:
    if not isinstance(entries, list):
        raise _bad(f"the functions of element {species} are not a list", type(entries).__name__)
    quick = quick_terms(species, entries, n_elements, bonds, n_density)
    if quick is not None:
        return quick
    by_rank: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for k, entry in enumerate(entries):
        where = f"function {k} of element {species}"
        factors, weights = _function(where, entry, n_density)
        _check_factors(where, species, factors, n_elements, bonds)
        by_rank.setdefault(factors.shape[1], []).append((factors, weights))
    return tuple(
        Terms(np.concatenate([f for f, _ in parts]), np.concatenate([w for _, w in parts]))
        for _, parts in sorted(by_rank.items())
    )


def _function(where: str, entry: Any, n_density: int) -> tuple[np.ndarray, np.ndarray]:
    rank, count, given = (
        int(_numbers(_get(entry, key, where), (), f"{key} of {where}", int))
        for key in ("rank", "num_ms_combs", "ndensity")
    )
    if rank < 1 or count < 1 or given != n_density:
        raise _bad(
            f"{where} has impossible sizes",
            f"rank {rank}, num_ms_combs {count}, ndensity {given} with an embedding of {n_density}",
        )
    columns = [
        _numbers(_get(entry, key, where), (rank,), f"{key} of {where}", int) for key in ("mus", "ns", "ls")
    ]
    ms = _numbers(_get(entry, "ms_combs", where), (count * rank,), f"ms_combs of {where}", int)
    weights = _numbers(_get(entry, "ctildes", where), (count * n_density,), f"ctildes of {where}")
    shared = np.broadcast_to(np.stack(columns, axis=1), (count, rank, 3))
    return np.concatenate([shared, ms.reshape(count, rank, 1)], axis=2), weights.reshape(count, n_density)


def _check_factors(
    where: str, species: int, factors: np.ndarray, n_elements: int, bonds: Mapping[tuple[int, int], Bond]
) -> None:
    mu, n, ell, m = factors.reshape(-1, 4).T
    if (mu < 0).any() or (mu >= n_elements).any():
        raise _bad(f"{where} names an element that does not exist", sorted(set(mu.tolist())))
    if (np.abs(m) > ell).any() or (factors.shape[1] == 1 and ell.any()):
        raise _bad(
            f"{where} names a spherical harmonic that does not exist", f"ls {ell.tolist()}, ms {m.tolist()}"
        )
    for other in set(mu.tolist()):
        shape = bonds[species, other].coefficients.shape
        limit = shape[2] if factors.shape[1] == 1 else shape[0]
        of = mu == other
        if (n[of] < 1).any() or (n[of] > limit).any() or (ell[of] >= max(shape[1], 1)).any():
            raise _bad(
                f"{where} names a radial function that bond [{species}, {other}] does not have",
                f"ns {n[of].tolist()}, ls {ell[of].tolist()}; there are {limit} and lmax {shape[1] - 1}",
            )
