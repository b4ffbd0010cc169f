"""Radial functions of ``.yace`` files as piecewise polynomials, for the compiled kernels.

A function is interpolated on equal bins at the Chebyshev nodes, between the points where the inner cutoff,
the taper or the core begin and end; it is smooth there. Bins are halved until only rounding is left: about
1e-15 of a function's size, 1e-11 of a slope's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from lacemaker.deploy.yace.model import Bond

__all__ = ["Spline", "interpolate", "segments_of"]

Functions = Callable[[np.ndarray], np.ndarray]  # distances (n,) Å to values (n_functions, n)

_TOLERANCE = 3e-15  # relative; slopes are about 1e4 times worse
_ROUNDING = 1e-12  # below it, halving that does not help has met the rounding of the functions themselves
_WIDEST, _NARROWEST = 0.2, 0.002  # Å, of a bin; in short segments down to a sixteenth of them
_GRADING, _N_GRADED = 0.12, 8  # towards the cutoff, where (1 - u)^lambda is not smooth
_PROBES = np.linspace(-0.97, 0.97, 8)


@dataclass(frozen=True, eq=False)
class Spline:
    """Piecewise polynomials of one bond.

    Attributes
    ----------
    ranges : ndarray (n_segments, 2)
        Å; the segments follow each other from 0 to the cutoff.
    bins : ndarray (n_segments,) int32
    coefficients : ndarray (total bins, order, n_functions)
        Of powers of t, which runs from -1 to 1 within a bin.
    error : float
        Largest deviation seen, relative to the function's maximum in the segment.
    """

    ranges: np.ndarray
    bins: np.ndarray
    coefficients: np.ndarray
    error: float


def segments_of(bond: Bond) -> np.ndarray:
    """Edges (n_segments + 1,) in Å between which all functions of the bond are smooth."""
    edges = [0.0, bond.cutoff]
    if bond.inner_kind != "density":
        edges += [bond.inner_cutoff - bond.inner_width, bond.inner_cutoff]
    if bond.family == "ChebExpCos" or bond.inner_kind == "zbl":
        edges.append(bond.cutoff - bond.width)
    if bond.family == "ChebPow" and bond.parameter != round(bond.parameter):
        edges += [bond.cutoff * (1 - _GRADING**k) for k in range(1, _N_GRADED)]
    return np.unique([edge for edge in edges if 0 <= edge <= bond.cutoff])


def interpolate(functions: Functions, edges: np.ndarray, order: int) -> Spline:
    """Splines of degree order - 1 on all segments."""
    found = [_segment(functions, a, b, order) for a, b in pairwise(edges)]
    return Spline(
        np.column_stack([edges[:-1], edges[1:]]),
        np.array([len(coefficients) for coefficients, _ in found], dtype=np.int32),
        np.concatenate([coefficients for coefficients, _ in found]),
        max(error for _, error in found),
    )


def _segment(functions: Functions, a: float, b: float, order: int) -> tuple[np.ndarray, float]:
    """Coefficients (bins, order, n_functions) and the deviation; as few bins as suffice."""
    bins, best, last = max(1, int(np.ceil((b - a) / _WIDEST))), None, np.inf
    while True:
        coefficients, error = _fit(functions, a, b, bins, order)
        if best is None or error < best[1]:
            best = coefficients, error
        stuck = error > last / 4 and last < _ROUNDING
        if error <= _TOLERANCE or stuck or (b - a) / bins < min(_NARROWEST, (b - a) / 16):
            return best
        bins, last = 2 * bins, error


def _fit(functions: Functions, a: float, b: float, bins: int, order: int) -> tuple[np.ndarray, float]:
    nodes, to_powers = _powers(order)
    values = functions(_points(a, b, bins, nodes)).reshape(-1, bins, order)
    coefficients = np.einsum("qp,fbp->bqf", to_powers, values, optimize=True)
    truth = functions(_points(a, b, bins, _PROBES)).reshape(-1, bins, len(_PROBES))
    shown = np.einsum("bqf,qp->fbp", coefficients, _PROBES ** np.arange(order)[:, None], optimize=True)
    scale = np.abs(values).max(axis=(1, 2), initial=0.0)
    error = np.abs(shown - truth).max(axis=(1, 2), initial=0.0) / np.where(scale > 0, scale, 1.0)
    return coefficients, float(error.max(initial=0.0))


def _points(a: float, b: float, bins: int, t: np.ndarray) -> np.ndarray:
    """Distances of t within each bin, (bins * len(t),)."""
    return (a + (b - a) / bins * (np.arange(bins)[:, None] + (1 + t) / 2)).ravel()


@cache
def _powers(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev nodes, and the matrix from values there to coefficients of powers of t."""
    from numpy.polynomial import chebyshev

    angles = np.pi * (np.arange(order) + 0.5) / order
    series = 2 / order * np.cos(np.arange(order)[:, None] * angles)
    series[0] /= 2
    powers = np.zeros((order, order))
    for k in range(order):
        c = chebyshev.cheb2poly(np.eye(order)[k])
        powers[: len(c), k] = c
    return np.cos(angles), powers @ series
