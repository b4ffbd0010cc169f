"""Embedding functions of ``.yace`` files, F(rho) = sum_p w_p F_p(rho_p) with exponents m_p.

::

    FinnisSinclair               sign(x) [(1 - g) |x|^m + 1e6^(1-m) g |x|],  g = exp(-(1e6 |x|)³)
    FinnisSinclairShiftedScaled  sign(x) [(b e + |x|)^m - b^m e],  e = exp(-|x|),
                                 b = (1/m)^((1/m) / (1 - 1/m))

Both are |x|^m at large |x| and linear near zero, and x itself for m = 1. Bochkarev et al., Phys. Rev.
Materials 6, 013804 (2022).
"""

from __future__ import annotations

import numpy as np

from lacemaker.deploy.yace.model import Embedding

__all__ = ["KINDS", "embed"]

_SHARPNESS = 1e6
_SMALL = 1e-10


def embed(embedding: Embedding, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F (n,) and dF/drho (n, ndensity) for densities `rho` (n, ndensity)."""
    value, slope = np.zeros(len(rho)), np.zeros_like(rho)
    for p, (w, m) in enumerate(zip(embedding.weights, embedding.exponents, strict=True)):
        f, df = (rho[:, p], np.ones(len(rho))) if m == 1.0 else KINDS[embedding.kind](rho[:, p], float(m))
        value += w * f
        slope[:, p] = w * df
    return value, slope


def _finnis_sinclair(x: np.ndarray, m: float) -> tuple[np.ndarray, np.ndarray]:
    sign, a = np.where(x < 0, -1.0, 1.0), np.abs(x)
    linear = _SHARPNESS ** (1 - m)
    small = a <= _SMALL
    a = np.where(small, 1.0, a)
    cube = np.minimum((_SHARPNESS * a) ** 3, 700.0)
    g = np.exp(-cube)
    dg = -3 * cube / a * g
    f = (1 - g) * a**m + linear * g * a
    df = (1 - g) * m * a ** (m - 1) + linear * g + dg * (linear * a - a**m)
    return np.where(small, linear * x, sign * f), np.where(small, linear, df)


def _shifted_scaled(x: np.ndarray, m: float) -> tuple[np.ndarray, np.ndarray]:
    sign, a = np.where(x < 0, -1.0, 1.0), np.abs(x)
    b = (1 / m) ** ((1 / m) / (1 - 1 / m))
    e = np.exp(-a)
    base = b * e + a
    f = base**m - b**m * e
    return sign * f, m * base ** (m - 1) * (1 - b * e) + b**m * e


KINDS = {"FinnisSinclair": _finnis_sinclair, "FinnisSinclairShiftedScaled": _shifted_scaled}
