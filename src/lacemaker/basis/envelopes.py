"""Envelopes: factors that take radial functions smoothly to zero at the cutoff (and, if asked, at rin).

All are exactly zero for r >= rcut.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from lacemaker.basis.messages import check_integer
from lacemaker.basis.transforms import STRICT


class _Envelope:
    __pydantic_config__ = STRICT
    kernel_id: ClassVar[int]

    @abstractmethod
    def __call__(
        self, r: np.ndarray, x: np.ndarray, r0: float, rcut: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Value, derivative with respect to r at fixed x, derivative with respect to x at fixed r."""

    def parameters(self) -> tuple[float, float]:
        """(p1, p2) as the kernel takes them."""
        return 0.0, 0.0

    def jacobi_weights(self) -> tuple[float, float]:
        """(alpha, beta) of the Jacobi polynomials that make envelope * polynomial orthonormal in x."""
        return 0.0, 0.0


@dataclass(frozen=True)
class One(_Envelope):
    """No envelope: the radial functions jump at the cutoff. For tests."""

    kind: Literal["one"] = "one"
    kernel_id: ClassVar[int] = 0

    def __call__(
        self, r: np.ndarray, x: np.ndarray, r0: float, rcut: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.ones_like(x), np.zeros_like(x), np.zeros_like(x)


@dataclass(frozen=True)
class XEnvelope(_Envelope):
    """(x + 1)^p1 (1 - x)^p2: zero of order p1 at rin (0: none there) and of order p2 at the cutoff."""

    p1: int = 2
    p2: int = 2
    kind: Literal["x"] = "x"
    kernel_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_integer("XEnvelope p1", self.p1, 0, 12)
        check_integer("XEnvelope p2 (2 and more make forces continuous at the cutoff)", self.p2, 2, 12)

    def __call__(
        self, r: np.ndarray, x: np.ndarray, r0: float, rcut: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p1, p2 = self.p1, self.p2
        low, high = (x + 1.0) ** p1, (1.0 - x) ** p2
        slope = -p2 * low * (1.0 - x) ** (p2 - 1)
        if p1:
            slope = slope + p1 * (x + 1.0) ** (p1 - 1) * high
        return low * high, np.zeros_like(x), slope

    def parameters(self) -> tuple[float, float]:
        return float(self.p1), float(self.p2)

    def jacobi_weights(self) -> tuple[float, float]:
        return 2.0 * self.p2, 2.0 * self.p1


@dataclass(frozen=True)
class REnvelope(_Envelope):
    """Repulsive: with s = r/r0, sc = rcut/r0, s^-p - sc^-p + p sc^(-p-1) (s - sc). Diverges at r = 0."""

    p: int = 2
    kind: Literal["r"] = "r"
    kernel_id: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_integer("REnvelope p", self.p, 1, 12)

    def __call__(
        self, r: np.ndarray, x: np.ndarray, r0: float, rcut: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p, s, sc = self.p, np.asarray(r) / r0, rcut / r0
        value = s**-p - sc**-p + p * sc ** (-p - 1) * (s - sc)
        return value, p * (sc ** (-p - 1) - s ** (-p - 1)) / r0, np.zeros_like(value)

    def parameters(self) -> tuple[float, float]:
        return float(self.p), 0.0


@dataclass(frozen=True)
class CoulombEnvelope(_Envelope):
    """Repulsive: ((r/rcut)^-p - 1)(1 - r/rcut). Diverges at r = 0. Known elsewhere as PolyEnvelope1sR."""

    p: int = 1
    kind: Literal["coulomb"] = "coulomb"
    kernel_id: ClassVar[int] = 3

    def __post_init__(self) -> None:
        check_integer("CoulombEnvelope p", self.p, 1, 12)

    def __call__(
        self, r: np.ndarray, x: np.ndarray, r0: float, rcut: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p, s = self.p, np.asarray(r) / rcut
        value = (s**-p - 1.0) * (1.0 - s)
        return value, (-p * s ** (-p - 1) * (1.0 - s) - s**-p + 1.0) / rcut, np.zeros_like(value)

    def parameters(self) -> tuple[float, float]:
        return float(self.p), 0.0


Envelope = One | XEnvelope | REnvelope | CoulombEnvelope
