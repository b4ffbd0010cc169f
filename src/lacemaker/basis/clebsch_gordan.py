"""Clebsch-Gordan coefficients between real spherical harmonics."""

from functools import cache, lru_cache

import numpy as np


@cache
def complex_to_real(ell: int) -> np.ndarray:
    """U (2l+1, 2l+1) with Y_real = U Y_complex; rows and columns run over m = -l..l.

    The complex set carries the Condon-Shortley sign, the real one does not:
    Y_real[m > 0] ~ cos(m phi), Y_real[m < 0] ~ sin(|m| phi).
    """
    u = np.zeros((2 * ell + 1, 2 * ell + 1), dtype=complex)
    u[ell, ell] = 1.0
    for m in range(1, ell + 1):
        sign = (-1.0) ** m
        u[ell + m, ell + m], u[ell + m, ell - m] = sign / np.sqrt(2), 1 / np.sqrt(2)
        u[ell - m, ell + m], u[ell - m, ell - m] = -1j * sign / np.sqrt(2), 1j / np.sqrt(2)
    return u


@lru_cache(maxsize=4096)
def real_clebsch_gordan(l1: int, l2: int, l3: int) -> np.ndarray:
    """Real coupling tensor T (2 l1+1, 2 l2+1, 2 l3+1).

    sum_ab T[a, b, c] Y_l1,a Y_l2,b transforms as Y_l3,c under rotations; the columns (ab -> c) are
    orthonormal. An overall phase i, present for odd l1 + l2 + l3, is dropped.
    """
    from wigners import clebsch_gordan_array

    u1, u2, u3 = complex_to_real(l1), complex_to_real(l2), complex_to_real(l3)
    coupled = np.tensordot(u1.conj(), clebsch_gordan_array(l1, l2, l3), axes=(1, 0))
    coupled = np.einsum("by,ayz->abz", u2.conj(), coupled) @ u3.T
    tensor = coupled.imag if (l1 + l2 + l3) % 2 else coupled.real
    tensor = np.where(np.abs(tensor) < 1e-14, 0.0, tensor)
    tensor.setflags(write=False)
    return tensor
