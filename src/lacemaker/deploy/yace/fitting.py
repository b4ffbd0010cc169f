"""Radial functions as sums of ChebPow functions with lambda = 1: polynomials in r that vanish at the cutoff.

g_k = (1 - T_k(2 r / rcut - 1)) / 2, k = 1 … K. The functions of an ACE basis are smooth on [fit_min, rcut],
so the fit converges geometrically in K: 80 functions reach 1e-12 for most bonds, 120 for hydrogen. With a
cutoff that differs between pair and many-body functions, a kink or a jump it does not; they are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lacemaker.basis import ACEBasis
from lacemaker.deploy.yace.messages import bad
from lacemaker.deploy.yace.model import Bond
from lacemaker.deploy.yace.radial import radial_functions

__all__ = ["BondFit", "Window", "check_exportable", "fit_basis", "windows"]

SIZES = (80, 120, 160, 240)
_NODES = 1500
_RCOND = 1e-13
_NUMBER_BYTES, _ZERO_BYTES, _FUNCTION_BYTES, _PRODUCT_BYTES = 23, 3, 120, 30  # of the text, on average
_CLOSEST = (
    0.5  # of r0: how near the exported potential is exact, unless a ZBL core or the user says otherwise
)


@dataclass(frozen=True)
class Window:
    """Distances of one bond, Å: exact from r_min to cutoff; between fit_min and r_min the core takes over."""

    fit_min: float
    r_min: float
    cutoff: float


@dataclass(frozen=True, eq=False)
class BondFit:
    """ChebPow coefficients of the many-body functions of one bond.

    Attributes
    ----------
    window : Window
    coefficients : ndarray (n_max, K)
    error : float
        Largest deviation relative to the function's own maximum.
    """

    window: Window
    coefficients: np.ndarray
    error: float

    def fit(self, function: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients (K,) and largest deviation of values (n_nodes,) at `nodes(self.window)`."""
        g = design(self.window, self.coefficients.shape[1])
        w = np.linalg.lstsq(g, function, rcond=_RCOND)[0]
        return w, float(np.abs(g @ w - function).max())


def nodes(window: Window) -> np.ndarray:
    """Distances the fit sees, denser at the ends."""
    middle, half = (window.cutoff + window.fit_min) / 2, (window.cutoff - window.fit_min) / 2
    return middle - half * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)


def design(window: Window, n: int) -> np.ndarray:
    """g_k at the nodes, (n_nodes, n)."""
    return radial_functions(Bond("ChebPow", 1.0, window.cutoff, 0.0, np.zeros((1, 1, n))), nodes(window))[0].T


def windows(
    basis: ACEBasis, r_min: float | Mapping[str, float] | None = None
) -> dict[tuple[int, int], Window]:
    """The domain of every ordered bond.

    By default r_min is where the ZBL core ends, or half the bond length r0 without one.

    Raises
    ------
    FileFormatError
        If a given r_min is impossible.
    """
    spec, found = basis.specification, {}
    for i in range(basis.n_elements):
        for j in range(basis.n_elements):
            rin, r0, rcut = basis.lengths(i, j)
            cutoff = max(rcut, basis.pair_lengths(i, j)[2])
            core = spec.repulsion
            inner, outer = (0.0, 0.0) if core is None else (core.inner[i][j], core.outer[i][j])
            chosen = _given(r_min, basis.elements[i], basis.elements[j])
            end = chosen if chosen is not None else max(outer or _CLOSEST * r0, rin + 0.1)
            start = max(inner if end == outer else 0.5 * end, rin)
            if not start + 0.01 < end < cutoff:
                raise bad(
                    f"the shortest distance of bond {basis.elements[i]}-{basis.elements[j]} is impossible",
                    f"r_min {end:g} Å, rin {rin:g} Å, cutoff {cutoff:g} Å",
                    "give an r_min between rin and the cutoff, such as 0.8 times the shortest bond",
                )
            found[i, j] = Window(start, end, cutoff)
    return found


def _given(r_min: float | Mapping[str, float] | None, a: str, b: str) -> float | None:
    if isinstance(r_min, Mapping):
        return next((float(r_min[key]) for key in (f"{a}-{b}", f"{b}-{a}") if key in r_min), None)
    return None if r_min is None else float(r_min)


def fit_basis(
    basis: ACEBasis, bonds: Mapping[tuple[int, int], Window], tolerance: float
) -> dict[tuple[int, int], BondFit]:
    """Fit the many-body functions of all bonds with the smallest K that is good enough for them and the pair
    functions.

    Raises
    ------
    FileFormatError
        If 240 functions are not good enough; names the worst bond.
    """
    for size in SIZES:
        fits = {pair: _fit_bond(basis, pair, window, size) for pair, window in bonds.items()}
        worst = max(fits, key=lambda pair: fits[pair].error)
        if fits[worst].error <= tolerance:
            return fits
    i, j = worst
    (rin, _, rcut), pair_cutoff = basis.lengths(i, j), basis.pair_lengths(i, j)[2]
    raise bad(
        f"the radial functions of bond {basis.elements[i]}-{basis.elements[j]} cannot be written as .yace",
        f"a deviation of {fits[worst].error:.1e} of their size from {bonds[worst].fit_min:g} Å on (wanted "
        f"{tolerance:.0e}) with {size} functions; cutoffs {rcut:g} Å many-body and {pair_cutoff:g} Å pair, "
        f"rin {rin:g} Å, {basis.specification.transform}, {basis.specification.envelope}",
        "use one cutoff for both, smooth envelopes (XEnvelope) and a larger r_min; or raise the tolerance",
    )


def _fit_bond(basis: ACEBasis, pair: tuple[int, int], window: Window, size: int) -> BondFit:
    r = nodes(window)
    functions = basis.radial.evaluate(r, *basis.lengths(*pair))[0]
    n_many = len(functions)
    if basis.pair_radial is not None:
        functions = np.concatenate([functions, basis.pair_radial.evaluate(r, *basis.pair_lengths(*pair))[0]])
    g = design(window, size)
    w = np.linalg.lstsq(g, functions.T, rcond=_RCOND)[0]
    deviation = np.abs(g @ w - functions.T).max(axis=0) / np.abs(functions).max(axis=1)
    return BondFit(window, w[:, :n_many].T, float(deviation.max()))


def check_exportable(
    basis: ACEBasis,
    *,
    r_min: float | Mapping[str, float] | None = None,
    tolerance: float = 1e-11,
    max_megabytes: float | None = None,
) -> int:
    """Raise FileFormatError now if potentials on this basis could not be exported later.

    Parameters
    ----------
    basis : ACEBasis
    r_min, tolerance
        As for `export_yace`.
    max_megabytes : float, optional
        Refuse also a basis whose file would be larger, with all functions in use.

    Returns
    -------
    int
        Size of that file in bytes, to about a quarter.
    """
    fits = fit_basis(basis, windows(basis, r_min), tolerance)
    n_bytes = _estimated_bytes(basis, next(iter(fits.values())).coefficients.shape[1])
    if max_megabytes is not None and n_bytes > max_megabytes * 1e6:
        products = sum(centre.n_products for centre in basis.counts().centres)
        raise bad(
            "the .yace file would be too large for LAMMPS to read comfortably",
            f"about {n_bytes / 1e6:.0f} MB with {len(fits)} bonds and {products} products; the limit is "
            f"{max_megabytes:g} MB",
            "take a lower degree or order, fewer elements or a sparse solver (asp, omp); or fit without "
            "`export` and run `lace export --max-megabytes`, or use pair style lace, which has no such limit",
        )
    return n_bytes


def _estimated_bytes(basis: ACEBasis, n_radial: int) -> int:
    """Text of the radial coefficients of all bonds and of the products, all functions in use."""
    rows = np.concatenate([centre.a_spec for centre in basis.many_body])
    rectangle = int(rows[:, 1].max(initial=1)) * int(rows[:, 2].max(initial=0) + 1)
    used = len(np.unique(rows[:, 1:3], axis=0))
    radial = n_radial * (used * _NUMBER_BYTES + (rectangle - used) * _ZERO_BYTES)
    products = sum(centre.n_products for centre in basis.counts().centres)
    return basis.n_elements**2 * radial + basis.n_functions * _FUNCTION_BYTES + products * _PRODUCT_BYTES
