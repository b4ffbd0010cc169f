"""The body-order expansion of any calculator: pair curves, triple maps, samples of four, and a hard check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.clusters import SHAPES, cluster, cluster_energy, frame_of, interaction, subsets
from lacemaker.analysis.dimers import DimerCurve, dimer_curve

if TYPE_CHECKING:
    from lacemaker.potential import Potential

__all__ = [
    "OrderCheck",
    "QuadrupleSample",
    "TripleMap",
    "check_orders",
    "pair_curves",
    "quadruple_samples",
    "triple_map",
]

ROUND_OFF = 1e-12  # of the energies an interaction is a difference of
ANGLES = np.arange(60.0, 181.0, 15.0)  # degrees
LEGS = np.array([0.85, 0.95, 1.0, 1.1, 1.25, 1.45, 1.7])  # of the bond length
QUADRUPLE_SCALES = (0.9, 1.0, 1.15, 1.4)  # of the bond length


@dataclass(frozen=True, eq=False)
class TripleMap:
    """V_3(r1, r2, θ) of a centre atom and two others.

    Attributes
    ----------
    symbols : (centre, first, second)
    r1, r2 : (n,), (m,) arrays, Å
        Distances centre-first and centre-second.
    angle : (k,) array, degrees
        At the centre.
    value : (n, m, k) array, eV
    """

    symbols: tuple[str, str, str]
    r1: np.ndarray
    r2: np.ndarray
    angle: np.ndarray
    value: np.ndarray

    @property
    def name(self) -> str:
        """For example ``"Si–Ge–Si"``, the centre in the middle."""
        centre, first, second = self.symbols
        return f"{first}–{centre}–{second}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, the whole map."""
        return {
            "triple": self.name,
            "r1_A": self.r1.tolist(),
            "r2_A": self.r2.tolist(),
            "angle_deg": self.angle.tolist(),
            "V3_eV": np.round(self.value, 6).tolist(),
        }


@dataclass(frozen=True)
class QuadrupleSample:
    """V_4 of one cluster of four atoms."""

    symbols: tuple[str, ...]
    shape: str
    length: float  # Å, nearest-neighbour distance
    value: float  # eV

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "quadruple": "-".join(self.symbols),
            "shape": self.shape,
            "nearest_neighbour_A": self.length,
            "V4_eV": self.value,
        }


@dataclass(frozen=True)
class OrderCheck:
    """Whether interactions of more bodies than a potential has terms for vanish.

    Attributes
    ----------
    bodies : int
        K = ν + 1 of the potential.
    largest : tuple of (n, value, relative)
        Largest |V_n| found (eV) for n > K, and relative to the terms it is a difference of: the
        contributions of the basis functions to the energies of all sub-clusters, which may cancel already in
        one energy.
    n_clusters : int
        Clusters tried of each n.
    """

    bodies: int
    largest: tuple[tuple[int, float, float], ...]
    n_clusters: int

    @property
    def passed(self) -> bool:
        """V_n vanishes to round-off for every n > ν + 1 tried."""
        return all(relative < ROUND_OFF for _, _, relative in self.largest)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "bodies": self.bodies,
            "passed": self.passed,
            "tolerance": ROUND_OFF,
            "clusters_of_each": self.n_clusters,
            "largest": [{"n": n, "V_eV": v, "relative": s} for n, v, s in self.largest],
        }


def pair_curves(
    model: Any,
    pairs: Sequence[tuple[str, str]],
    *,
    grid: Callable[[str, str], np.ndarray],
    bond: Callable[[str, str], float],
) -> list[DimerCurve]:
    """V_2(r) and its force for pairs of elements, from any calculator.

    Parameters
    ----------
    model : Potential, ASE calculator or cluster energy
    pairs : sequence of (symbol, symbol)
    grid : callable
        Distances (Å, ascending) of a pair.
    bond : callable
        Nearest-neighbour distance (Å) by which a curve is judged.
    """
    energy = cluster_energy(model)
    curves = []
    for a, b in pairs:
        apart = energy.isolated(a) + energy.isolated(b)

        def sample(distance: float, a: str = a, b: str = b, apart: float = apart) -> tuple[float, float]:
            value, forces = energy((a, b), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]]), forces=True)
            return value - apart, float(np.asarray(forces)[1, 2])

        curves.append(dimer_curve(sample, (a, b), np.asarray(grid(a, b), dtype=float), bond(a, b)))
    return curves


def triple_map(
    model: Any,
    symbols: tuple[str, str, str],
    r1: np.ndarray,
    r2: np.ndarray,
    angle: np.ndarray = ANGLES,
) -> TripleMap:
    """V_3 on a grid of two legs (Å) and the angle between them (degrees), the first symbol at the apex."""
    value = np.array(
        [[[interaction(model, symbols, triangle(a, b, theta))[0] for theta in angle] for b in r2] for a in r1]
    )
    return TripleMap(symbols, np.asarray(r1), np.asarray(r2), np.asarray(angle), value)


def triangle(r1: float, r2: float, angle: float) -> np.ndarray:
    """Positions (3, 3) Å of a centre and two atoms at distances r1, r2 with an angle (degrees) between."""
    theta = np.deg2rad(angle)
    return np.array([[0.0, 0.0, 0.0], [0.0, 0.0, r1], [0.0, r2 * np.sin(theta), r2 * np.cos(theta)]])


def quadruple_samples(
    model: Any,
    symbols: Sequence[str],
    bond: float,
    *,
    scales: Sequence[float] = QUADRUPLE_SCALES,
    n_random: int = 3,
) -> list[QuadrupleSample]:
    """V_4 of tetrahedra, chains, squares and random clusters at several nearest-neighbour distances.

    Parameters
    ----------
    model : Potential, ASE calculator or cluster energy
    symbols : four elements
    bond : float
        Å.
    scales : sequence of float
        Nearest-neighbour distances in units of the bond.
    n_random : int
        Random clusters at each distance.
    """
    found = []
    for scale in scales:
        for shape in SHAPES:
            for seed in range(n_random if shape == "random" else 1):
                positions = cluster(shape, 4, scale * bond, seed)
                value, _ = interaction(model, symbols, positions)
                found.append(QuadrupleSample(tuple(symbols), shape, float(scale * bond), value))
    return found


def check_orders(potential: Potential, *, n_clusters: int = 4, most: int = 7, seed: int = 0) -> OrderCheck:
    """V_n ≡ 0 for n > ν + 1: a linear ACE of correlation order ν has no interactions of more bodies.

    One-body energies and a ZBL core are terms of one and two bodies and change nothing. The order ν is that
    of the functions with a coefficient.

    Parameters
    ----------
    potential : Potential
    n_clusters : int
        Random clusters of each size, at bond length.
    most : int
        Largest cluster; ν + 2 is always tried.
    """
    from lacemaker.analysis.predictions import SinglePoint, nearest_neighbour_distance

    used = potential.coefficients != 0
    bodies = 1 + int(potential.columns.orders[used].max(initial=1))
    energy, terms = SinglePoint(potential), _TermSizes(potential)
    rng = np.random.default_rng(seed)
    largest = []
    for n in range(bodies + 1, max(bodies + 1, min(most, bodies + 2)) + 1):
        worst = (0.0, 0.0)
        for k in range(n_clusters):
            symbols = rng.choice(potential.elements, n).tolist()
            bond = min(
                nearest_neighbour_distance(potential, a, b)
                for a, b in combinations_with_replacement(sorted(set(symbols)), 2)
            )
            positions = cluster("random", n, 0.9 * bond, seed + k)
            value, scale = interaction(energy, symbols, positions)
            scale = max(scale, terms(symbols, positions), 1e-300)
            worst = max(worst, (abs(value) / scale, abs(value)))
        largest.append((n, worst[1], worst[0]))
    return OrderCheck(bodies, tuple(largest), n_clusters)


class _TermSizes:
    """Sum of the magnitudes of all contributions c_k B_k to the energies of a cluster's sub-clusters, eV."""

    def __init__(self, potential: Potential) -> None:
        from lacemaker.errors import BasisError
        from lacemaker.regression import BasisRows

        self._coefficients = np.abs(potential.coefficients)
        try:
            self._rows: Any = BasisRows(potential.basis)
        except BasisError:  # functions from elsewhere: judged by the energies alone
            self._rows = None

    def __call__(self, symbols: Sequence[str], positions: np.ndarray) -> float:
        if self._rows is None:
            return 0.0
        total = 0.0
        for _, members in subsets(len(symbols)):
            if len(members) > 1:
                frame = frame_of([symbols[i] for i in members], positions[list(members)])
                total += float(np.abs(self._rows.design(frame).rows[0]) @ self._coefficients)
        return total
