"""Flat arrays for the compiled kernels: the basis (`kernel_tables`), design rows and contracted models."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.basis.repulsion import screening_length

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis
    from lacemaker.basis.centre import CentreBasis
    from lacemaker.basis.radial import RadialBasis


def kernel_tables(basis: "ACEBasis") -> dict[str, Any]:
    """Arguments of ``_core.Tables``: radial families, ZBL core and the A of each centre element."""
    spec = basis.specification
    pair_cutoff = spec.cutoff if spec.pair is None else spec.pair.cutoff
    atomic_numbers = [ATOMIC_NUMBERS[e] for e in basis.elements]
    zbl = np.zeros((basis.n_elements, basis.n_elements, 3))
    if spec.repulsion is not None:
        zbl[..., 0] = np.multiply.outer(atomic_numbers, atomic_numbers)
        zbl[..., 1], zbl[..., 2] = spec.repulsion.inner, spec.repulsion.outer
    return {
        "n_species": basis.n_elements,
        **_radial("mb", basis, basis.radial, spec.cutoff),
        **_radial("pair", basis, basis.pair_radial, pair_cutoff),
        "zbl": zbl,
        "zbl_a": np.array([[screening_length(a, b) for b in atomic_numbers] for a in atomic_numbers]),
        "a_first": _offsets([len(c.a_spec) for c in basis.many_body], np.int32),
        "a_spec": np.concatenate([c.a_spec for c in basis.many_body]).astype(np.int32),
    }


def _radial(prefix: str, basis: "ACEBasis", radial: "RadialBasis | None", cutoff: Any) -> dict[str, Any]:
    """One radial family; without one (no pair block) the arrays are empty."""
    n = basis.n_elements
    parameters = np.zeros((n, n, 5))
    parameters[..., 0], parameters[..., 1] = basis.specification.rin, basis.specification.r0
    parameters[..., 2] = cutoff
    if radial is None:
        empty = {f"{prefix}_{name}": np.zeros(0) for name in ("beta", "gamma", "norm")}
        return {
            f"{prefix}_transform": 2,
            f"{prefix}_transform_params": parameters,
            f"{prefix}_envelope": 0,
            f"{prefix}_envelope_params": np.zeros(2),
            **empty,
        }
    parameters[..., 3:] = radial.transform.parameters()
    beta, gamma, norm = radial.polynomials.recurrence(radial.n_max)
    return {
        f"{prefix}_transform": radial.transform.kernel_id,
        f"{prefix}_transform_params": parameters,
        f"{prefix}_envelope": radial.envelope.kernel_id,
        f"{prefix}_envelope_params": np.array(radial.envelope.parameters()),
        f"{prefix}_beta": beta,
        f"{prefix}_gamma": gamma,
        f"{prefix}_norm": norm,
    }


def design_tables(basis: "ACEBasis") -> dict[str, Any]:
    """Arguments of ``_core.DesignRows``: products and couplings of all centres, and the pair columns."""
    centres = basis.many_body
    return {
        "product_centre": _offsets([c.n_products for c in centres], np.int32),
        "product_first": _joined([c.product_first for c in centres]),
        "product_index": np.concatenate([c.product_index for c in centres]),
        "row_centre": _offsets([c.n_functions for c in centres], np.int32),
        "row_first": _joined([c.row_first for c in centres]),
        "row_product": np.concatenate([c.row_product for c in centres]),
        "row_coefficient": np.concatenate([c.row_coefficient for c in centres]),
        "pair_column": basis.pair_columns.column,
        "n_columns": basis.n_functions,
    }


def contract(basis: "ACEBasis", coefficients: np.ndarray, e0: np.ndarray) -> dict[str, Any]:
    """Arguments of ``_core.Evaluator``: one weight per product; products of weight zero are left out."""
    firsts, indices, weights = [], [], []
    start = 0
    for centre in basis.many_body:
        weight = product_weights(centre, coefficients[start : start + centre.n_functions])
        start += centre.n_functions
        keep = np.flatnonzero(weight)
        lengths = centre.product_order[keep]
        firsts.append(_offsets(lengths, np.int64))
        indices.append(centre.product_index[np.repeat(weight != 0, centre.product_order)])
        weights.append(weight[keep])
    column = basis.pair_columns.column
    padded = np.append(coefficients, 0.0)  # column -1 picks the zero
    return {
        "term_centre": _offsets([len(w) for w in weights], np.int32),
        "term_first": _joined(firsts),
        "term_index": np.concatenate(indices).astype(np.int32),
        "term_weight": np.concatenate(weights),
        "pair_coefficients": np.ascontiguousarray(padded[column]),
        "e0": np.array(e0, dtype=float),
    }


def product_weights(centre: "CentreBasis", coefficients: np.ndarray) -> np.ndarray:
    """(n_products,) weight of each product: coupling^T coefficients."""
    owner = np.repeat(coefficients, np.diff(centre.row_first))
    return np.bincount(centre.row_product, owner * centre.row_coefficient, minlength=centre.n_products)


def _offsets(lengths: Any, dtype: type) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(dtype)


def _joined(firsts: list[np.ndarray]) -> np.ndarray:
    """One offset array from those of consecutive parts."""
    starts = np.cumsum([0] + [f[-1] for f in firsts[:-1]])
    parts = [f[:-1] + s for f, s in zip(firsts, starts, strict=True)]
    return np.concatenate([*parts, [firsts[-1][-1] + starts[-1]]]).astype(np.int64)
