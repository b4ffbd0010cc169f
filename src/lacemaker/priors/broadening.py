"""What Gaussian broadening of the neighbour density does to radial functions: one matrix per l.

Broadening ρ_σ = g_σ * ρ, g_σ(r) = (2πσ²)^(-3/2) exp(-r²/2σ²), leaves Y_lm alone and acts on the radial part
by the kernel

    K_l(r, r') = 4π (2πσ²)^(-3/2) exp(-(r - r')²/2σ²) [e^(-x) i_l(x)],   x = r r'/σ²,
    e^(-x) i_l(x) = √(π/2x) ive(l + ½, x)                       (modified spherical Bessel function)

with measure r² dr. In the span of radial functions R_n it is the pencil of S_nn' = ⟨R_n, R_n'⟩ and G_nn' =
⟨R_n|K_l|R_n'⟩, whose eigenvalues 0 < μ < 1 are the factors by which the smoothed functions shrink. Bartók,
Kondor and Csányi, Phys. Rev. B 87, 184115 (2013), introduce the density; the projection is derived here.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lacemaker.basis.radial import RadialBasis

__all__ = ["broadening_matrices", "closed_log_damping", "diagonal_damping", "exact_damping"]

Matrix = NDArray[np.float64]

QUADRATURE_POINTS = 240  # Gauss–Legendre: eigenvalues above 1e-12 are converged to 1e-10 for σ ≥ 0.2 Å
SMALLEST = 1e-13  # eigenvalues below are round-off


def _scaled_bessel(ell: int, x: Matrix) -> Matrix:
    """e^(-x) i_l(x)."""
    from scipy.special import ive

    return np.sqrt(0.5 * np.pi / x) * ive(ell + 0.5, x)


def _kernel(ell: int, r: Matrix, sigma: float) -> Matrix:
    """K_l(r, r') on a grid, (n, n) Å⁻³; zero where the Gaussian factor is below 1e-20."""
    near = np.abs(r[:, None] - r) < 9.6 * sigma
    upper = np.triu(near)
    i, j = np.nonzero(upper)
    width = 2.0 * np.pi * sigma**2
    values = 4.0 * np.pi * width**-1.5 * np.exp(-((r[i] - r[j]) ** 2) / (2.0 * sigma**2))
    kernel = np.zeros((len(r), len(r)))
    kernel[i, j] = values * _scaled_bessel(ell, r[i] * r[j] / sigma**2)
    return np.maximum(kernel, kernel.T)


@lru_cache(maxsize=256)
def broadening_matrices(
    radial: "RadialBasis", lengths: tuple[float, float, float], ell: int, sigma: float
) -> tuple[Matrix, Matrix]:
    """(G_l, S), each (n_max, n_max), of radial functions with (rin, r0, rcut) in Å, broadened by σ Å."""
    _, _, rcut = lengths
    x, w = np.polynomial.legendre.leggauss(QUADRATURE_POINTS)
    r, w = 0.5 * rcut * (x + 1.0), 0.5 * rcut * w
    weighted = radial.evaluate(r, *lengths)[0] * (w * r**2)
    overlap = weighted @ (weighted / (w * r**2)).T
    broadened = weighted @ _kernel(ell, r, sigma) @ weighted.T
    for matrix in (broadened, overlap):
        matrix.flags.writeable = False
    return broadened, overlap


def exact_damping(
    radial: "RadialBasis", lengths: tuple[float, float, float], ell: int, sigma: float
) -> Matrix:
    """Eigenvalues μ of G v = μ S v, descending, (n_max,)."""
    from scipy.linalg import eigh

    broadened, overlap = broadening_matrices(radial, lengths, ell, sigma)
    return np.clip(eigh(broadened, overlap, eigvals_only=True)[::-1], SMALLEST, 1.0)


def diagonal_damping(
    radial: "RadialBasis", lengths: tuple[float, float, float], ell: int, sigma: float
) -> Matrix:
    """d_n = G_nn/S_nn, (n_max,)."""
    broadened, overlap = broadening_matrices(radial, lengths, ell, sigma)
    return np.diagonal(broadened) / np.diagonal(overlap)


def closed_log_damping(n: Matrix, ell: Matrix, rcut: Matrix | float, sigma: float) -> Matrix:
    """½ σ² k², k = π (n + l/2)/rcut: modes of the Laplacian in a sphere, -log of their damping."""
    return 0.5 * (sigma * np.pi * (n + 0.5 * ell) / rcut) ** 2
