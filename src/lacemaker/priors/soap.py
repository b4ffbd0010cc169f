"""The prior that makes a linear ACE fit smooth as one on SOAP-like broadened densities is."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lacemaker.errors import ConfigError
from lacemaker.priors.base import Channels, Prior
from lacemaker.priors.broadening import closed_log_damping, diagonal_damping, exact_damping

__all__ = ["SOAPPrior"]

Table = NDArray[np.float64]


class SOAPPrior(Prior):
    """γ = Π_t 1/d(n_t, l_t), d being what broadening the density by σ leaves of a radial function.

    Ridge regression on broadened features, E = Σ c̃_k B^σ_k with penalty ‖c̃‖², is the same model as E = Σ
    c_k B_k with c = D c̃ and penalty ‖D⁻¹c‖²: broadening loses nothing, it only makes rough functions dear.

    Parameters
    ----------
    sigma : float
        Width of the Gaussian in Å, the ``atom_sigma`` of SOAP. 0.25 to 0.5 suits dense metals, up to 1
        covalent crystals; too large a width does harm (+20 to 35 % of force error for Mo at 1 Å).
    form : {"exact", "diagonal", "closed"}
        "exact": the eigenvalues μ_nl of the broadening in the span of the radial functions, the n-th
        largest for the function n. "diagonal": d = ⟨R_n|K_l|R_n⟩/⟨R_n, R_n⟩. "closed": modes of a sphere,
        d = exp(-½ (σπ (n + l/2)/rcut)²), which needs nothing but the cutoff.

    Notes
    -----
    On a radial basis rotated to the eigenvectors of the broadening, 1/μ is exact. Our radial functions are
    not rotated: a set of products truncated by total degree is not closed under that rotation. The exact
    penalty is then a quadratic form and no diagonal. Of the diagonals, "exact" keeps its volume: R_1 … R_n
    are polynomials of rising degree, the n-th eigenvector lies mostly in their span, and Π_n μ_nl = det G_l
    / det S is the determinant of the broadening whatever basis it is written in. "diagonal" sees how much of
    R_n comes back *as R_n*; polynomials of high degree keep a smooth part, so that it falls far more slowly
    (0.46 instead of 0.24 at n = 6, l = 0, σ = 0.5 Å, rcut = 6 Å), and it changes with the normalisation
    order of the polynomials.

    Pair functions count as one channel with l = 0 of the many-body radial functions: their repulsive
    envelope has no finite norm at r → 0. Every pair of elements has its own μ, with its own bond length and
    cutoff.
    """

    kind: Literal["soap"] = "soap"
    sigma: float = Field(default=0.5, ge=0.05, le=10.0)
    form: Literal["exact", "diagonal", "closed"] = "exact"

    def _log_damping(self, functions: Sequence[Channels], basis: Any) -> Table:
        if basis is None:
            raise ConfigError(
                "The soap prior needs the basis, to know its radial functions and cutoffs. Found functions "
                "without a basis. Use system.basis, or GaussianPrior, which is a formula in n and l alone."
            )
        table = self.table(
            basis,
            max(n for f in functions for _, n, _ in f.channels),
            max(ell for f in functions for _, _, ell in f.channels),
        )
        centres = [getattr(function, "centre", 0) for function in functions]
        sums = [
            float(sum(table[centre, z, n - 1, ell] for z, n, ell in function.channels))
            for centre, function in zip(centres, functions, strict=True)
        ]
        return np.array(sums)

    def table(self, basis: Any, n_max: int, l_max: int) -> Table:
        """-log d, (NZ, NZ, n_max, l_max + 1), of (centre, neighbour, n, l)."""
        from dataclasses import replace

        n_elements = basis.n_elements
        table = np.empty((n_elements, n_elements, n_max, l_max + 1))
        ell, n = np.arange(l_max + 1.0), np.arange(1.0, n_max + 1.0)
        radial = replace(basis.radial, n_max=max(n_max, basis.radial.n_max))
        for i in range(n_elements):
            for j in range(n_elements):
                lengths = basis.lengths(i, j)
                if self.form == "closed":
                    table[i, j] = closed_log_damping(n[:, None], ell, lengths[2], self.sigma)
                    continue
                damping = exact_damping if self.form == "exact" else diagonal_damping
                for k in range(l_max + 1):
                    table[i, j, :, k] = -np.log(damping(radial, lengths, k, self.sigma)[:n_max])
        return table
