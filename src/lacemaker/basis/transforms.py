"""Distance transforms r -> x in [-1, 1].

Each transform gives y(r); then x = clip(-1 + 2 (y - y(rin)) / (y(rcut) - y(rin)), -1, 1), so that x(rin) =
-1 and x(rcut) = +1 whatever the transform.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from lacemaker.basis.messages import basis_error, check_integer, check_number

STRICT = {"extra": "forbid"}
"""Plain dataclasses (quick to import) that pydantic reads from files without accepting unknown keys."""


class _Transform:
    __pydantic_config__ = STRICT
    kernel_id: ClassVar[int]

    @abstractmethod
    def raw(self, r: np.ndarray, rin: float, r0: float) -> tuple[np.ndarray, np.ndarray]:
        """y(r) and dy/dr (same shape as `r`; Å)."""

    def parameters(self) -> tuple[float, float]:
        """(p, q) as the kernel takes them."""
        return 0.0, 0.0

    def __call__(self, r: np.ndarray, rin: float, r0: float, rcut: float) -> tuple[np.ndarray, np.ndarray]:
        """x(r) and dx/dr for distances `r` in Å; outside [rin, rcut] x is clipped and dx/dr is zero."""
        r = np.asarray(r, dtype=float)
        y, slope = self.raw(np.clip(r, rin, rcut), rin, r0)
        ends, _ = self.raw(np.array([rin, rcut], dtype=float), rin, r0)
        scale = 2.0 / (ends[1] - ends[0])
        x = np.clip(-1.0 + scale * (y - ends[0]), -1.0, 1.0)
        return x, np.where((r > rin) & (r < rcut), scale * slope, 0.0)


@dataclass(frozen=True)
class Agnesi(_Transform):
    """Generalised Agnesi transform, the default: resolution is highest at the bond length r0.

    With s = (r - rin)/(r0 - rin): y = 1 / (1 + a s^q / (1 + s^(q-p))), where
    a = (-2q + p (4q - 2)) / (p + p^2 + q + q^2) puts the largest slope at r0. Integers q >= p.
    """

    p: int = 2
    q: int = 4
    kind: Literal["agnesi"] = "agnesi"
    kernel_id: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_integer("Agnesi p", self.p, 1, 12)
        check_integer("Agnesi q", self.q, 1, 12)
        if self.q < self.p or self.p == self.q == 1:
            raise basis_error(
                "the Agnesi transform needs q >= p and q > 1",
                f"p = {self.p}, q = {self.q}",
                "use Agnesi(2, 4) or Agnesi(1, 3)",
            )

    @property
    def a(self) -> float:
        """The constant that puts the largest slope at r0."""
        p, q = self.p, self.q
        return (-2 * q + p * (4 * q - 2)) / (p + p * p + q + q * q)

    def raw(self, r: np.ndarray, rin: float, r0: float) -> tuple[np.ndarray, np.ndarray]:
        p, q = self.p, self.q
        s = np.maximum(r - rin, 0.0) / (r0 - rin)
        low = 1.0 + s ** (q - p)
        y = 1.0 / (1.0 + self.a * s**q / low)
        du = s ** (q - 1) * (q + p * s ** (q - p)) / low**2
        return y, -self.a * du * y**2 / (r0 - rin)

    def parameters(self) -> tuple[float, float]:
        return float(self.p), float(self.q)


@dataclass(frozen=True)
class Polynomial(_Transform):
    """y = ((1 + r0)/(1 + r))^p with r and r0 in Å (the older ACE1 form)."""

    p: int = 2
    kind: Literal["polynomial"] = "polynomial"
    kernel_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_integer("Polynomial p", self.p, 1, 12)

    def raw(self, r: np.ndarray, rin: float, r0: float) -> tuple[np.ndarray, np.ndarray]:
        y = ((1.0 + r0) / (1.0 + r)) ** self.p
        return y, -self.p * y / (1.0 + r)

    def parameters(self) -> tuple[float, float]:
        return float(self.p), 0.0


@dataclass(frozen=True)
class Identity(_Transform):
    """y = r."""

    kind: Literal["identity"] = "identity"
    kernel_id: ClassVar[int] = 2

    def raw(self, r: np.ndarray, rin: float, r0: float) -> tuple[np.ndarray, np.ndarray]:
        return np.array(r, dtype=float), np.ones_like(r)


@dataclass(frozen=True)
class Morse(_Transform):
    """y = exp(-p (r/r0 - 1))."""

    p: float = 2.0
    kind: Literal["morse"] = "morse"
    kernel_id: ClassVar[int] = 3

    def __post_init__(self) -> None:
        check_number("Morse p", self.p, 0.0, 50.0)

    def raw(self, r: np.ndarray, rin: float, r0: float) -> tuple[np.ndarray, np.ndarray]:
        y = np.exp(-self.p * (r / r0 - 1.0))
        return y, -self.p / r0 * y

    def parameters(self) -> tuple[float, float]:
        return float(self.p), 0.0


Transform = Agnesi | Polynomial | Identity | Morse
