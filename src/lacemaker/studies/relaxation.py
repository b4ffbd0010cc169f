"""Relaxation of thousands of atoms in a few force calls: quasi-Newton steps on a fixed Hessian.

Steps are L-BFGS with the inverse of a given positive definite matrix in the middle (Nocedal and Wright,
algorithm 7.4). With the reference's Hessian at its equilibrium, a good model converges in five to fifteen
force calls. A model that has no equilibrium nearby is no accident: not converging is a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import EvaluationError
from lacemaker.studies.linear import Solve

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

__all__ = ["Relaxed", "energy_and_gradient", "relax"]

LONGEST = 0.15  # Å: largest move of an atom in one step
MEMORY = 12  # pairs L-BFGS remembers
TRIES = 12  # backtracking steps

EnergyGradient = Callable[["NDArray[np.float64]"], tuple[float, "NDArray[np.float64]"]]


@dataclass(frozen=True, eq=False)
class Relaxed:
    """Where a relaxation ended.

    Attributes
    ----------
    positions : (n_atoms, 3) Å
    energy : float, eV
    largest_force : float, eV/Å
        Over the free atoms.
    n_calls : int
        Force evaluations.
    converged : bool
    message : str
        "converged", or why not.
    """

    positions: NDArray[np.float64]
    energy: float
    largest_force: float
    n_calls: int
    converged: bool
    message: str


def energy_and_gradient(
    atoms: Atoms, calculator: Any, free: NDArray[np.bool_] | None = None
) -> EnergyGradient:
    """Energy (eV) and gradient (eV/Å) as a function of the free coordinates, flat."""
    probe = atoms.copy()
    probe.calc = calculator
    mask = np.ones(len(atoms), dtype=bool) if free is None else free
    start = atoms.positions.copy()

    def evaluate(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        positions = start.copy()
        positions[mask] = x.reshape(-1, 3)
        probe.positions = positions
        forces = probe.get_forces()[mask]
        return float(probe.get_potential_energy()), -forces.ravel()

    return evaluate


def relax(
    atoms: Atoms,
    calculator: Any,
    solve: Solve,
    *,
    free: NDArray[np.bool_] | None = None,
    tolerance: float = 1e-5,
    max_calls: int = 200,
    escape: float = 3.0,
) -> Relaxed:
    """Relax atoms at fixed cell.

    Parameters
    ----------
    atoms : ase.Atoms
        Where to start; not changed.
    calculator : ASE calculator
    solve : callable
        Applies the inverse of a positive definite matrix in eV/Å² to the flat free coordinates.
    free : (n_atoms,) bool, optional
        The others are clamped.
    tolerance : float
        Largest force, eV/Å.
    max_calls : int
    escape : float
        Å; an atom that moves this far has left its place, and the relaxation ends unconverged.
    """
    mask = np.ones(len(atoms), dtype=bool) if free is None else free
    evaluate = energy_and_gradient(atoms, calculator, mask)
    start = atoms.positions[mask].ravel()
    state = _Descent(evaluate, solve, start)
    message = state.run(tolerance, max_calls, escape)
    positions = atoms.positions.copy()
    positions[mask] = state.x.reshape(-1, 3)
    return Relaxed(
        positions, state.energy, _largest(state.gradient), state.n_calls, message == "converged", message
    )


def _largest(gradient: NDArray[np.float64]) -> float:
    return float(np.sqrt((gradient.reshape(-1, 3) ** 2).sum(axis=1).max(initial=0.0)))


class _Descent:
    """State of one relaxation."""

    def __init__(self, evaluate: EnergyGradient, solve: Solve, x: NDArray[np.float64]) -> None:
        self._evaluate, self._solve = evaluate, solve
        self._pairs: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
        self.x, self.n_calls = x, 1
        self.energy, self.gradient = evaluate(x)

    def run(self, tolerance: float, max_calls: int, escape: float) -> str:
        start = self.x.copy()
        while _largest(self.gradient) > tolerance:
            if self.n_calls >= max_calls:
                return f"not converged after {self.n_calls} force calls"
            if _largest(self.x - start) > escape:
                return f"an atom left its place by more than {escape:g} Å"
            try:
                moved = self._step(tolerance)
            except (EvaluationError, ValueError, FloatingPointError) as error:
                return f"no energy: {str(error).splitlines()[0][:120]}"
            if not moved:
                return "no step lowers the energy"
        return "converged"

    def _step(self, tolerance: float) -> bool:
        """One step along the quasi-Newton direction; False if none is acceptable."""
        for attempt in range(2):
            direction = -self._apply_inverse(self.gradient)
            slope = float(direction @ self.gradient)
            if slope < 0.0:
                direction *= min(1.0, LONGEST / max(_largest(direction), 1e-300))
                if self._search(direction, float(direction @ self.gradient), tolerance):
                    return True
            if attempt == 0 and not self._pairs:
                return False
            self._pairs.clear()  # once more with the plain preconditioner
        return False

    def _search(self, direction: NDArray[np.float64], slope: float, tolerance: float) -> bool:
        scale = 1.0
        noise = 1e-13 * max(abs(self.energy), 1.0)
        for _ in range(TRIES):
            x = self.x + scale * direction
            energy, gradient = self._evaluate(x)
            self.n_calls += 1
            lower = energy <= self.energy + 1e-4 * scale * slope
            flat = abs(energy - self.energy) <= 100 * noise and _largest(gradient) < _largest(self.gradient)
            if np.isfinite(energy) and (lower or flat):
                self._remember(x - self.x, gradient - self.gradient)
                self.x, self.energy, self.gradient = x, energy, gradient
                return True
            scale *= 0.4
        return False

    def _remember(self, step: NDArray[np.float64], change: NDArray[np.float64]) -> None:
        product = float(step @ change)
        if product > 1e-12 * float(step @ step):
            self._pairs = [*self._pairs[1 - MEMORY :], (step, change, 1.0 / product)]

    def _apply_inverse(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """The L-BFGS two-loop recursion around the preconditioner."""
        q, alphas = vector.copy(), []
        for step, change, rho in reversed(self._pairs):
            alphas.append(rho * float(step @ q))
            q -= alphas[-1] * change
        r = self._solve(q)
        for (step, change, rho), alpha in zip(self._pairs, reversed(alphas), strict=True):
            r += step * (alpha - rho * float(change @ r))
        return r
