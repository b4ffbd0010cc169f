"""Isolated clusters: their energies from any calculator, and interactions by inclusion-exclusion.

V_n(1 … n) = Σ_{S ⊆ {1 … n}} (-1)^{n - |S|} E(S), E(∅) = 0,

is what n atoms do that no fewer of them explain: V_2 = E_dimer - 2 E_1, V_3 = E_trimer - Σ V_2 - 3 E_1 and so
on. (With the ordered sums of the literature, E = Σ_{i≠j} V²(r_i, r_j) + …, V_n is n! V^n.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.structures import Frame

__all__ = ["SHAPES", "CalculatorEnergy", "cluster", "cluster_energy", "frame_of", "interaction", "subsets"]

SHAPES = ("random", "tetrahedron", "chain", "square")
_BOX = 60.0  # Å: cell given to calculators that want one; nothing is periodic
_APART = 25.0  # Å: where a second atom no longer matters, for calculators that refuse a single one


class CalculatorEnergy:
    """Energies (eV) and forces (eV/Å) of isolated clusters from an ASE calculator.

    Parameters
    ----------
    calculator : ASE calculator
    """

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        self._isolated: dict[str, float] = {}

    def __call__(
        self, symbols: Sequence[str], positions: np.ndarray, *, forces: bool = False
    ) -> tuple[float, np.ndarray | None]:
        """Energy and, where asked for, forces (n_atoms, 3) of `symbols` at `positions` (n_atoms, 3) Å."""
        if len(symbols) == 1 and not forces:
            return self.isolated(symbols[0]), None
        return self._compute(symbols, positions, forces)

    def isolated(self, symbol: str) -> float:
        """Energy of one atom alone, eV: half that of two far apart where a calculator refuses one atom."""
        if symbol not in self._isolated:
            try:
                energy = self._compute((symbol,), np.zeros((1, 3)), False)[0]
            except EvaluationError:
                apart = np.array([[0.0, 0.0, 0.0], [_APART, 0.0, 0.0]])
                energy = 0.5 * self._compute((symbol, symbol), apart, False)[0]
            self._isolated[symbol] = energy
        return self._isolated[symbol]

    def _compute(
        self, symbols: Sequence[str], positions: np.ndarray, forces: bool
    ) -> tuple[float, np.ndarray | None]:
        from ase import Atoms

        centred = np.asarray(positions, dtype=float)
        centred = centred - centred.mean(axis=0) + 0.5 * _BOX
        atoms = Atoms(list(symbols), positions=centred, cell=np.full(3, _BOX), pbc=False)
        atoms.calc = self.calculator
        try:
            energy = float(atoms.get_potential_energy())
            found = np.array(atoms.get_forces()) if forces else None
        except Exception as error:  # a foreign code may raise anything
            raise EvaluationError(
                f"The calculator cannot evaluate an isolated cluster. Found {type(error).__name__}: {error} "
                f"for {len(symbols)} atoms ({'-'.join(symbols)}). Use a calculator that takes molecules of "
                "these elements."
            ) from error
        if not np.isfinite(energy):
            raise EvaluationError(
                f"The calculator gives no finite energy. Found {energy} for {'-'.join(symbols)}, closest "
                f"distance {closest_distance(centred):.3f} Å. Leave out distances as short as that."
            )
        return energy, found


def cluster_energy(model: Any) -> Any:
    """Something that maps (symbols, positions) to (energy, forces or None) of an isolated cluster.

    Parameters
    ----------
    model : Potential, ASE calculator, or what this function returns
    """
    from lacemaker.analysis.predictions import SinglePoint
    from lacemaker.potential import Potential

    if isinstance(model, Potential):
        return SinglePoint(model)
    if isinstance(model, SinglePoint | CalculatorEnergy):
        return model
    if hasattr(model, "get_potential_energy") or hasattr(model, "calculate"):
        return CalculatorEnergy(model)
    raise EvaluationError(
        f"There is nothing to evaluate. Found {type(model).__name__}. Give a potential or an ASE calculator."
    )


def frame_of(
    symbols: Sequence[str], positions: np.ndarray, cell: np.ndarray | None = None, periodic: bool = False
) -> Frame:
    """A frame without labels, isolated unless a cell (3, 3) Å is given."""
    from lacemaker.structures import Frame
    from lacemaker.structures.elements import atomic_number

    return Frame(
        numbers=np.array([atomic_number(symbol) for symbol in symbols]),
        positions=np.asarray(positions, dtype=float),
        cell=np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=float),
        pbc=np.full(3, periodic),
    )


def subsets(n: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Sign (-1)^(n - |S|) and members of every non-empty subset S of n atoms."""
    for size in range(1, n + 1):
        for members in combinations(range(n), size):
            yield (-1) ** (n - size), members


def interaction(model: Any, symbols: Sequence[str], positions: np.ndarray) -> tuple[float, float]:
    """n-body interaction V_n of a cluster, by inclusion-exclusion.

    Parameters
    ----------
    model : Potential, ASE calculator or cluster energy
    symbols : sequence of str
        n elements.
    positions : (n, 3) array, Å

    Returns
    -------
    (value, scale) : eV
        V_n, and the sum of the magnitudes it is a difference of, against which round-off is to be judged.
        One-body energies are taken off first: they cancel from n = 2 on.
    """
    energy = cluster_energy(model)
    where = np.asarray(positions, dtype=float)
    if len(symbols) == 1:
        alone = energy.isolated(symbols[0])
        return alone, abs(alone)
    terms = []
    for sign, members in subsets(len(symbols)):
        if len(members) == 1:
            continue
        chosen = [symbols[i] for i in members]
        value, _ = energy(chosen, where[list(members)], forces=False)
        terms.append(sign * (value - sum(energy.isolated(symbol) for symbol in chosen)))
    return float(np.sum(terms)), float(np.sum(np.abs(terms)))


def cluster(shape: str, n: int, length: float, seed: int = 0) -> np.ndarray:
    """Positions (n, 3) Å of a cluster with nearest-neighbour distance `length` (Å).

    Parameters
    ----------
    shape : {"random", "tetrahedron", "chain", "square"}
        "random": points in a ball, no two nearer than `length`, the nearest two at it. The tetrahedron and
        the square have four atoms.
    n : int
    seed : int
        For random clusters.

    Raises
    ------
    ValueError
        For an unknown shape, or a number of atoms it does not have.
    """
    if shape == "chain":
        return length * np.arange(n)[:, None] * np.array([[0.0, 0.0, 1.0]])
    if shape in ("tetrahedron", "square"):
        if n != 4:
            raise ValueError(f"a {shape} has 4 corners, found n={n}; use 'random' or 'chain' for others")
        corners = {
            "tetrahedron": [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]],
            "square": [[1, 1, 0], [1, -1, 0], [-1, -1, 0], [-1, 1, 0]],
        }[shape]
        points = np.array(corners, dtype=float)
        return length / closest_distance(points) * points
    if shape != "random":
        raise ValueError(f"unknown shape of a cluster: found {shape!r}; known are {', '.join(SHAPES)}")
    return _random_cluster(n, length, np.random.default_rng(seed))


def _random_cluster(n: int, length: float, rng: np.random.Generator) -> np.ndarray:
    """Points of a ball of about n close-packed spheres, scaled so that the nearest two are at `length`."""
    radius = 0.75 * n ** (1 / 3)
    points = np.zeros((1, 3))
    while len(points) < n:
        trial = rng.uniform(-radius, radius, 3)
        if np.linalg.norm(trial) < radius and np.min(np.linalg.norm(points - trial, axis=1)) > 0.8:
            points = np.vstack([points, trial])
    return length / closest_distance(points) * points if n > 1 else points


def closest_distance(points: np.ndarray) -> float:
    """The shortest distance between any two points (n, 3); infinite for one."""
    if len(points) < 2:
        return float("inf")
    first, second = np.triu_indices(len(points), 1)
    return float(np.min(np.linalg.norm(points[first] - points[second], axis=1)))
