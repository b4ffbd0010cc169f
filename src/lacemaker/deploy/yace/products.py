"""From products of real to products of complex harmonics.

With orthonormal real Y_m and PACE's complex C_m (Condon-Shortley phase, C_00 = 1), for m > 0::

    Y_0 = C_0 / sqrt(4 pi)
    Y_m = [(-1)^m C_m + C_-m] / sqrt(8 pi),   Y_-m = -i [(-1)^m C_m - C_-m] / sqrt(8 pi)

In an invariant only products with sum m = 0 survive, and the product with all m reversed is the complex
conjugate: one of the two is kept with twice its weight (half m set).
"""

from __future__ import annotations

from itertools import product

import numpy as np

from lacemaker.deploy.yace.messages import bad
from lacemaker.deploy.yace.model import Terms

__all__ = ["complex_terms"]

_M = 512  # more than 2 l + 1
_DUST = 1e-14  # of the largest weight: rounding


def complex_terms(factors: np.ndarray, weights: np.ndarray) -> Terms:
    """Complex products of one rank.

    Parameters
    ----------
    factors : ndarray (T, rank, 4)
        Rows (species, n, l, m) of real A functions.
    weights : ndarray (T,)
        eV.

    Raises
    ------
    FileFormatError
        If the sum of the products is not invariant to rotations about z.
    """
    keys, values = _expanded(factors, weights)
    keys, values = _collected(keys, values)
    scale = float(np.abs(values).max(initial=0.0))
    balanced = keys[:, :, 3].sum(axis=1) == 0
    stray = max(np.abs(values[~balanced]).max(initial=0.0), np.abs(values[balanced].imag).max(initial=0.0))
    if stray > 1e-10 * scale:
        raise bad(
            "the potential is not invariant to rotations, so it cannot be a .yace file",
            f"a product with sum of m other than 0, or an imaginary weight, of {stray:.1e} eV",
            "check the coupling of the basis, or report this",
        )
    keys, values = _half(keys[balanced], values[balanced].real)
    kept = np.flatnonzero(np.abs(values) > _DUST * scale)
    codes = _codes(keys[kept])
    kept = kept[np.lexsort([*codes.T[::-1], *(codes // _M).T[::-1]])]
    return Terms(keys[kept], values[kept, None])  # products of the same channels follow each other


def _expanded(factors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every product of the complex functions each real one is made of."""
    m = factors[:, :, 3]
    k = np.abs(m)
    parity = np.where(k % 2 == 1, -1.0, 1.0)
    base = np.where(m == 0, 1 / np.sqrt(4 * np.pi), 1 / np.sqrt(8 * np.pi)).astype(complex)
    plus = base * np.where(m == 0, 1.0, np.where(m > 0, parity, -1j * parity))
    minus = base * np.where(m > 0, 1.0, 1j)
    keys, values = [], []
    for signs in product((1, -1), repeat=factors.shape[1]):
        negative = np.array(signs) < 0
        valid = ~((m == 0) & negative).any(axis=1)
        keys.append(factors[valid])
        keys[-1] = np.concatenate([keys[-1][:, :, :3], (k[valid] * np.array(signs))[:, :, None]], axis=2)
        values.append(weights[valid] * np.where(negative, minus[valid], plus[valid]).prod(axis=1))
    return np.concatenate(keys), np.concatenate(values)


def _sorted(keys: np.ndarray) -> np.ndarray:
    """Factors of each product in the order of (species, n, l, m)."""
    code = _codes(keys)
    return np.take_along_axis(keys, np.argsort(code, axis=1, kind="stable")[:, :, None], axis=1)


def _codes(keys: np.ndarray) -> np.ndarray:
    """One integer per factor that orders as (species, n, l, m)."""
    species, n, ell, m = np.moveaxis(keys.astype(np.int64), 2, 0)
    return ((species * 1024 + n) * 256 + ell) * _M + m + _M // 2


def _collected(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equal products once, with the sum of their weights."""
    keys = _sorted(keys)
    _, first, inverse = np.unique(_codes(keys), axis=0, return_index=True, return_inverse=True)
    total = np.zeros((len(first), *values.shape[1:]), dtype=values.dtype)
    np.add.at(total, inverse.reshape(-1), values)
    return keys[first], total


def _half(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each product and its reverse as one: the one that sorts last."""
    reverse = _sorted(np.concatenate([keys[:, :, :3], -keys[:, :, 3:]], axis=2))
    mine, other = _codes(keys), _codes(reverse)
    column = (mine != other).argmax(axis=1)
    rows = np.arange(len(keys))
    lower = mine[rows, column] < other[rows, column]
    return _collected(np.where(lower[:, None, None], reverse, keys), values)


def real_products(factors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Products of orthonormal real harmonics whose sum is the real part of one of complex harmonics.

    Parameters
    ----------
    factors : ndarray (T, rank, 4)
        Rows (species, n, l, m) of complex A functions.
    weights : ndarray (T, ndensity)

    Returns
    -------
    factors : ndarray (T', rank, 4), weights : ndarray (T', ndensity)
        Each product once; those that cancel are left out.
    """
    m = factors[:, :, 3]
    k = np.abs(m)
    root = np.sqrt(np.where(m == 0, 4 * np.pi, 2 * np.pi)) + 0j
    cosine = root * np.where((m > 0) & (k % 2 == 1), -1.0, 1.0)
    sine = cosine * np.where(m > 0, 1j, -1j)
    keys, values = [], []
    for choice in product((1, -1), repeat=factors.shape[1]):
        chosen = np.array(choice) < 0
        valid = ~((m == 0) & chosen).any(axis=1)
        share = np.where(chosen, sine[valid], cosine[valid]).prod(axis=1).real
        signed = (k[valid] * np.array(choice))[:, :, None]
        keys.append(np.concatenate([factors[valid][:, :, :3], signed], axis=2))
        values.append(weights[valid] * share[:, None])
    found, total = np.concatenate(keys), np.concatenate(values)
    size = _collected(found, np.abs(total))[1]
    found, total = _collected(found, total)
    kept = (np.abs(total) > _DUST * size).any(axis=1)
    return found[kept], np.where(np.abs(total) > _DUST * size, total, 0.0)[kept]
