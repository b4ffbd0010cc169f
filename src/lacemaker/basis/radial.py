"""Radial functions R_n(r) = norm_n envelope(r) P_{n-1}(x(r)) with Jacobi polynomials P, shared by all l.

With envelope (x + 1)^p1 (1 - x)^p2 and Jacobi weights (2 p2, 2 p1), the default, the functions are
orthonormal: the integral of R_n R_n' over x in [-1, 1] is delta_nn'.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lacemaker.basis.envelopes import Envelope
from lacemaker.basis.messages import check_number
from lacemaker.basis.transforms import STRICT, Transform


@dataclass(frozen=True)
class Jacobi:
    """Orthonormal Jacobi polynomials for the weight (1 - x)^alpha (1 + x)^beta.

    None takes the weight from the envelope (its square). ``Jacobi(0, 0)`` are Legendre polynomials.
    """

    alpha: float | None = None
    beta: float | None = None
    kind: Literal["jacobi"] = "jacobi"
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        for name, weight in (("alpha", self.alpha), ("beta", self.beta)):
            if weight is not None:
                check_number(f"Jacobi {name}", weight, -1.0, 40.0)

    def resolved(self, envelope: Envelope) -> "Jacobi":
        """The same polynomials with both weights spelled out."""
        alpha, beta = envelope.jacobi_weights()
        return Jacobi(alpha if self.alpha is None else self.alpha, beta if self.beta is None else self.beta)

    def recurrence(self, n_max: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Monic three-term recurrence and norms.

        Returns
        -------
        beta, gamma, norm
            (n_max,) each: P_0 = 1, P_k = (x - beta[k-1]) P_{k-1} - gamma[k-1] P_{k-2}; gamma[0] = 0 is
            unused; norm[k] P_k has unit weighted norm. Gautschi, Orthogonal Polynomials (2004), table 1.1.
        """
        a, b = float(self.alpha or 0.0), float(self.beta or 0.0)
        k = np.arange(1, max(n_max, 2), dtype=float)
        t = 2 * k + a + b
        shift = np.concatenate([[(b - a) / (a + b + 2)], (b * b - a * a) / (t * (t + 2))])
        with np.errstate(invalid="ignore", divide="ignore"):
            gamma = 4 * k * (k + a) * (k + b) * (k + a + b) / (t**2 * (t + 1) * (t - 1))
        gamma[0] = 4 * (1 + a) * (1 + b) / ((2 + a + b) ** 2 * (3 + a + b))
        weight = 2 ** (a + b + 1) * math.gamma(a + 1) * math.gamma(b + 1) / math.gamma(a + b + 2)
        square_norm = weight * np.concatenate([[1.0], np.cumprod(gamma)])
        return shift[:n_max], np.concatenate([[0.0], gamma])[:n_max], 1 / np.sqrt(square_norm[:n_max])


@dataclass(frozen=True)
class RadialBasis:
    """A family of radial functions: transform, envelope, polynomials and their number."""

    transform: Transform
    envelope: Envelope
    polynomials: Jacobi
    n_max: int

    def evaluate(self, r: np.ndarray, rin: float, r0: float, rcut: float) -> tuple[np.ndarray, np.ndarray]:
        """R_n(r) and dR_n/dr, each (n_max, n_r), for distances `r` (n_r,) in Å; zero from rcut on."""
        r = np.asarray(r, dtype=float)
        beta, gamma, norm = self.polynomials.recurrence(self.n_max)
        x, dx = self.transform(r, rin, r0, rcut)
        envelope, by_r, by_x = self.envelope(r, x, r0, rcut)
        d_envelope = by_r + by_x * dx
        p, dp = np.ones((self.n_max, *r.shape)), np.zeros((self.n_max, *r.shape))
        for k in range(1, self.n_max):
            p[k] = (x - beta[k - 1]) * p[k - 1]
            dp[k] = (x - beta[k - 1]) * dp[k - 1] + p[k - 1]
            if k > 1:
                p[k] -= gamma[k - 1] * p[k - 2]
                dp[k] -= gamma[k - 1] * dp[k - 2]
        inside = r < rcut
        value = np.where(inside, norm[:, None] * envelope * p, 0.0)
        slope = np.where(inside, norm[:, None] * (d_envelope * p + envelope * dp * dx), 0.0)
        return value, slope
