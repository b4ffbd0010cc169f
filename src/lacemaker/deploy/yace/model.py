"""What a ``.yace`` file holds: radial functions of ordered bonds, products of A, embeddings.

Energy of atom i, over its neighbours j at distance r (eV, Å)::

    E_i = e0 + f(rho_core) F(rho) + rho_core,      rho_p = Re sum_terms weight_p prod_t A_t
    rank 1:   A_{mu k}     = sum_j g_k(r)                     the raw radial functions
    rank > 1: A_{mu n l m} = sum_j R_nl(r) Y_lm(direction),   R_nl = sum_k coefficients[n-1, l, k-1] g_k

with complex harmonics, Condon-Shortley phase, Y_00 = 1. Format of ML-PACE's ACECTildeBasisSet, Lysogorskiy et
al., npj Comput. Mater. 7, 97 (2021); formulas of g_k in `radial`, of F in `embedding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Bond", "Embedding", "Terms", "YaceModel"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """F(rho) = sum_p weights[p] F_p(rho_p) of one element; linear if all exponents are 1.

    Attributes
    ----------
    kind : str
        FinnisSinclair or FinnisSinclairShiftedScaled.
    weights, exponents : ndarray (ndensity,)
    core_limit, core_width : float
        eV; F fades out while rho_core grows from core_limit - core_width to core_limit.
    """

    kind: str
    weights: np.ndarray
    exponents: np.ndarray
    core_limit: float = 1e5
    core_width: float = 250.0

    @property
    def linear(self) -> bool:
        """Whether F is a linear function of rho."""
        return bool((self.exponents == 1.0).all())


@dataclass(frozen=True, eq=False)
class Bond:
    """Radial functions between a centre and one kind of neighbour.

    Attributes
    ----------
    family : str
        ChebExpCos, ChebPow, ChebLinear or SBessel.
    parameter : float
        lambda of the family.
    cutoff, width : float
        Å; rcut and dcut.
    coefficients : ndarray (n_max, l_max + 1, K)
    core_strength, core_decay : float
        prehc (eV Å) and lambdahc (1/Å²) of the core repulsion.
    inner_cutoff, inner_width : float
        Å; rcut_in and dcut_in.
    inner_kind : str
        density, distance or zbl.
    """

    family: str
    parameter: float
    cutoff: float
    width: float
    coefficients: np.ndarray
    core_strength: float = 0.0
    core_decay: float = 1.0
    inner_cutoff: float = 0.0
    inner_width: float = 0.0
    inner_kind: str = "density"

    @property
    def n_functions(self) -> int:
        """Number K of radial functions g_k."""
        return self.coefficients.shape[2]


@dataclass(frozen=True, eq=False)
class Terms:
    """Weighted products of one rank around one kind of centre.

    Attributes
    ----------
    factors : ndarray (T, rank, 4)
        mu (species of the neighbour), n (from 1), l, m of each factor.
    weights : ndarray (T, ndensity)
        ctildes, eV.
    """

    factors: np.ndarray
    weights: np.ndarray

    @property
    def rank(self) -> int:
        """Number of factors."""
        return self.factors.shape[1]


@dataclass(frozen=True, eq=False)
class YaceModel:
    """A whole file; species indices are positions in `elements`.

    Attributes
    ----------
    elements : tuple of str
    e0 : ndarray (n_elements,)
        eV.
    embeddings : tuple of Embedding
        One per element.
    bonds : mapping of (centre, neighbour) to Bond
        All ordered pairs.
    terms : tuple of tuples of Terms
        Per centre, by increasing rank.
    spacing : float
        Å; grid of the reader's tables (deltaSplineBins). Our evaluation is analytic: the difference is that
        of cubic Hermite interpolation, about 1e-11 of a function's size at 0.001 Å.
    comments : tuple of str
        Lines at the head of the file.
    """

    elements: tuple[str, ...]
    e0: np.ndarray
    embeddings: tuple[Embedding, ...]
    bonds: Mapping[tuple[int, int], Bond]
    terms: tuple[tuple[Terms, ...], ...]
    spacing: float = 0.001
    comments: tuple[str, ...] = field(default=())

    @property
    def cutoff(self) -> float:
        """Largest cutoff, Å."""
        return max(bond.cutoff for bond in self.bonds.values())

    @property
    def linear(self) -> bool:
        """Whether the energy is linear in the ctildes."""
        return all(embedding.linear for embedding in self.embeddings)

    @property
    def inner_kind(self) -> str:
        """The one kind of inner cutoff of all bonds."""
        return next(iter(self.bonds.values())).inner_kind

    @property
    def n_terms(self) -> int:
        """Number of products."""
        return sum(len(terms.factors) for centre in self.terms for terms in centre)
