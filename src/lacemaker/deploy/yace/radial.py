"""Radial functions g_k(r) of ``.yace`` files, u = r / rcut, T_k Chebyshev polynomials::

    ChebExpCos  x = 1 - 2 (e^(-lambda (u-1)) - 1) / (e^lambda - 1), g_1 = c, g_k = (1 - T_{k-1}(x)) / 2 c with
                c = (1 + cos(pi u)) / 2, times a cosine taper over the last dcut
    ChebPow     x = 2 (1 - (1 - u)^lambda) - 1, g_k = (1 - T_k(x)) / 2
    ChebLinear  x = 1 - u, g_k = (1 - T_k(x)) / 2
    SBessel     orthogonalised f_n = sum of sinc((n+1) pi u) and sinc((n+2) pi u), n = k - 1

Kocer, Mason, Erturk, AIP Advances 10, 015021 (2020) for SBessel; Lysogorskiy et al. (2021) for the others.
"""

from __future__ import annotations

import numpy as np

from lacemaker.basis.repulsion import COULOMB, SCREENING, screening_length
from lacemaker.deploy.yace.model import Bond

__all__ = ["FAMILIES", "core_energy", "radial_functions", "screened_nuclei", "switch_off"]

Pair = tuple[np.ndarray, np.ndarray]  # value and derivative with respect to r


def radial_functions(bond: Bond, r: np.ndarray) -> Pair:
    """g_k and dg_k/dr, (K, n) each, at distances `r` (n,) in Å; zero from the cutoff on."""
    inside = (r < bond.cutoff) & (r > bond.inner_cutoff - bond.inner_width)
    safe = np.where(inside, r, 0.5 * bond.cutoff)
    g, dg = FAMILIES[bond.family](bond, safe)
    if bond.inner_kind == "distance":
        off, d_off = switch_off(safe, bond.inner_cutoff, bond.inner_width)
        g, dg = g * (1 - off), dg * (1 - off) - g * d_off
    return np.where(inside, g, 0.0), np.where(inside, dg, 0.0)


def switch_off(x: np.ndarray, end: float | np.ndarray, width: float | np.ndarray) -> Pair:
    """1 below end - width, 0 above end, the quintic 1 - 10 s³ + 15 s⁴ - 6 s⁵ between; a step for width 0."""
    width = np.asarray(width, dtype=float)
    s = np.where(width > 0, (x - end) / np.where(width > 0, width, 1.0) + 1.0, np.where(x < end, 0.0, 1.0))
    s = np.clip(s, 0.0, 1.0)
    slope = -30.0 * s**2 * (1 - s) ** 2 / np.where(width > 0, width, 1.0)
    return 1.0 - s**3 * (10.0 - 15.0 * s + 6.0 * s**2), slope


def core_energy(bond: Bond, charges: tuple[int, int], r: np.ndarray) -> Pair:
    """Core repulsion of one pair in eV, and its slope; summed over neighbours it is rho_core."""
    if bond.inner_kind == "zbl":
        value, slope = _faded_zbl(bond, charges, r)
    else:
        wave, d_wave = _cosine(r / bond.cutoff, bond.cutoff)
        bare = bond.core_strength * np.exp(-bond.core_decay * r**2) / r
        value, slope = bare * wave, bare * (d_wave - (2 * bond.core_decay * r + 1 / r) * wave)
        if bond.inner_kind == "distance":
            off, d_off = switch_off(r, bond.inner_cutoff, bond.inner_width)
            value, slope = value * off, slope * off + value * d_off
    inside = r < bond.cutoff
    return np.where(inside, value, 0.0), np.where(inside, slope, 0.0)


def screened_nuclei(charges: tuple[int, int], r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """phi(r/a)/r in 1/Å and its first two derivatives: the ZBL energy without 14.4 Z_i Z_j."""
    a = screening_length(*charges)
    parts = [(c * np.exp(-d * r / a), d / a) for c, d in SCREENING]
    phi, d1, d2 = (sum(e * (-k) ** n for e, k in parts) for n in range(3))
    return phi / r, (d1 - phi / r) / r, (d2 - 2 * d1 / r + 2 * phi / r**2) / r


def _faded_zbl(bond: Bond, charges: tuple[int, int], r: np.ndarray) -> Pair:
    """Half the ZBL energy, brought to zero over the last dcut as LAMMPS' pair style zbl documents (S(r))
    and by the quintic of `switch_off`; times prehc."""
    end, width = bond.cutoff, bond.width
    e, de, _ = screened_nuclei(charges, r)
    e1, e2, e3 = (float(v) for v in screened_nuclei(charges, np.array(end)))
    a, b = (-3 * e2 + width * e3) / width**2, (2 * e2 - width * e3) / width**3
    c = -e1 + width * e2 / 2 - width**2 * e3 / 12
    t = np.maximum(r - (end - width), 0.0)
    value, slope = e + a * t**3 / 3 + b * t**4 / 4 + c, de + a * t**2 + b * t**3
    off, d_off = switch_off(r, end, width)
    scale = bond.core_strength * COULOMB / 2 * charges[0] * charges[1]
    return scale * value * off, scale * (slope * off + value * d_off)


def _cosine(u: np.ndarray, length: float) -> Pair:
    """(1 + cos(pi u)) / 2 and its derivative with respect to u times `length`."""
    return 0.5 * (1 + np.cos(np.pi * u)), -0.5 * np.pi / length * np.sin(np.pi * u)


def _chebyshev(x: np.ndarray, n: int) -> Pair:
    """T_0 … T_n and their derivatives, (n + 1, len(x))."""
    t, d = np.ones((n + 1, *x.shape)), np.zeros((n + 1, *x.shape))
    if n:
        t[1], d[1] = x, 1.0
    for k in range(2, n + 1):
        t[k] = 2 * x * t[k - 1] - t[k - 2]
        d[k] = 2 * t[k - 1] + 2 * x * d[k - 1] - d[k - 2]
    return t, d


def _cheb_exp_cos(bond: Bond, r: np.ndarray) -> Pair:
    u, rate = r / bond.cutoff, bond.parameter
    scale = 2 / np.expm1(rate)
    x = 1 - scale * np.expm1(-rate * (u - 1))
    dx = scale * rate / bond.cutoff * np.exp(-rate * (u - 1))
    t, d = _chebyshev(x, max(bond.n_functions - 1, 0))
    g, dg = 0.5 * (1 - t), -0.5 * d * dx
    g[0], dg[0] = 1.0, 0.0
    for wave, d_wave in (_cosine(u, bond.cutoff), _taper(bond, r)):
        g, dg = g * wave, dg * wave + g * d_wave
    return g, dg


def _taper(bond: Bond, r: np.ndarray) -> Pair:
    start = bond.cutoff - bond.width
    if bond.width <= 0:
        return np.ones_like(r), np.zeros_like(r)
    return _cosine(np.maximum(r - start, 0.0) / bond.width, bond.width)


def _cheb_pow(bond: Bond, r: np.ndarray) -> Pair:
    rest, rate = 1 - r / bond.cutoff, bond.parameter
    return _half_chebyshev(bond, 1 - 2 * rest**rate, 2 * rate / bond.cutoff * rest ** (rate - 1))


def _cheb_linear(bond: Bond, r: np.ndarray) -> Pair:
    return _half_chebyshev(bond, 1 - r / bond.cutoff, np.full_like(r, -1 / bond.cutoff))


def _half_chebyshev(bond: Bond, x: np.ndarray, dx: np.ndarray) -> Pair:
    t, d = _chebyshev(x, bond.n_functions)
    return 0.5 * (1 - t[1:]), -0.5 * d[1:] * dx


def _sbessel(bond: Bond, r: np.ndarray) -> Pair:
    n = np.arange(bond.n_functions, dtype=float)
    k = np.pi / bond.cutoff * np.arange(1, bond.n_functions + 2)[:, None]
    wave, d_wave = np.sin(k * r) / (k * r), (np.cos(k * r) - np.sin(k * r) / (k * r)) / r
    norm = np.sqrt(2) * np.pi * bond.cutoff**-1.5 * (-1) ** n * (n + 1) * (n + 2)
    norm /= np.hypot(n + 1, n + 2)
    overlap = n**2 * (n + 2) ** 2 / (4 * (n + 1) ** 4 + 1)
    g, dg = (norm[:, None] * (f[:-1] + f[1:]) for f in (wave, d_wave))
    d = 1.0
    for i in range(1, bond.n_functions):
        mixed, d = np.sqrt(overlap[i] / d), 1 - overlap[i] / d
        g[i], dg[i] = ((f[i] + mixed * f[i - 1]) / np.sqrt(d) for f in (g, dg))
    return g, dg


FAMILIES = {
    "ChebExpCos": _cheb_exp_cos, "ChebPow": _cheb_pow, "ChebLinear": _cheb_linear, "SBessel": _sbessel,
}  # fmt: skip
