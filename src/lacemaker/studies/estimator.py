"""How wrong will the geometry be? An estimate from the model's forces at the reference equilibrium.

At ū the reference is force-free; the model is not, and to first order it moves by δ with H̃ δ = F̃(ū). One
linear solve, no relaxation: ‖Dδ‖ predicts ‖D(ũ-ū)‖, and splitting F̃ by distance from the core tells which
region the error comes from. F̃ alone gives a factor-of-two estimate, about 0.2 Å²/eV times ‖F̃(ū)‖ in silicon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.studies.linear import Solve, conjugate_gradients
from lacemaker.studies.relaxation import energy_and_gradient

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from lacemaker.studies.equilibria import Equilibrium

__all__ = ["Estimate", "RadialProfile", "estimate", "radial_profile"]

STEP = 1e-3  # Å: largest displacement of the central differences behind H̃ v
QUICK = 0.2  # Å²/eV


@dataclass(frozen=True, eq=False)
class RadialProfile:
    """Root mean square residual force against distance from the core.

    Attributes
    ----------
    edges : (n + 1,) Å
    force : (n,) eV/Å
    count : (n,) atoms
    """

    edges: NDArray[np.float64]
    force: NDArray[np.float64]
    count: NDArray[np.int64]

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists."""
        return {
            "edges_A": self.edges.tolist(),
            "rms_force_eV_per_A": self.force.tolist(),
            "n_atoms": self.count.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Estimate:
    """A-posteriori estimate of the geometry error of one model at one defect.

    Attributes
    ----------
    forces : (n_atoms, 3) eV/Å
        F̃(ū), zero at clamped atoms.
    residual : float
        ‖F̃(ū)‖₂, eV/Å.
    quick : float
        0.2 Å²/eV · ‖F̃(ū)‖₂, Å.
    geometry : float
        ‖D H̃⁻¹F̃(ū)‖₂ over nearest neighbours, Å.
    geometry_max : float
        The same, largest bond.
    core, far : float
        Parts of it from forces within and beyond `radius`, Å.
    radius : float
        Å.
    stable : bool
        Whether the model's Hessian behaved as positive definite; if not, the geometry numbers mean nothing,
        and an equilibrium near ū is not to be expected.
    """

    forces: NDArray[np.float64]
    residual: float
    quick: float
    geometry: float
    geometry_max: float
    core: float
    far: float
    radius: float
    stable: bool
    profile: RadialProfile

    def to_dict(self) -> dict[str, Any]:
        """Everything but the forces, as plain JSON types."""
        return {
            "residual_force_eV_per_A": self.residual,
            "quick_geometry_A": self.quick,
            "geometry_A": self.geometry,
            "geometry_max_A": self.geometry_max,
            "core_A": self.core,
            "far_A": self.far,
            "radius_A": self.radius,
            "stable": self.stable,
            "profile": self.profile.to_dict(),
        }


def estimate(calculator: Any, equilibrium: Equilibrium, radius: float) -> Estimate:
    """Predict the geometry error of a model without relaxing.

    Parameters
    ----------
    calculator : ASE calculator
        The model. Products with its Hessian are analytic for lacemaker's potentials, else central
        differences of forces.
    equilibrium : Equilibrium
        Of the reference.
    radius : float
        Å; what lies nearer to the core counts as core (half the edge of the training cell, say).
    """
    atoms, free = equilibrium.atoms, equilibrium.free
    gradient = energy_and_gradient(atoms, calculator, free)(atoms.positions[free].ravel())[1]
    hessian_times = _hessian_product(calculator, atoms, free)
    near = np.repeat(equilibrium.distances[free] <= radius, 3)
    moves, stable = [], True
    for part in (near, ~near):
        force = _without_drift(-gradient * part, bool(free.all()))
        if not force.any():
            moves.append(np.zeros_like(force))
            continue
        found = conjugate_gradients(hessian_times, force, equilibrium.solve, tolerance=0.01, max_steps=60)
        moves.append(found.x)
        stable = stable and found.converged and found.curvature > 0.0
    core, far = (equilibrium.strain_norms(_full(move, free)) for move in moves)
    both = equilibrium.strain_norms(_full(moves[0] + moves[1], free))
    forces = _full(-gradient, free)
    residual = float(np.linalg.norm(gradient))
    return Estimate(
        forces, residual, QUICK * residual, *both, core[0], far[0], radius, stable,
        radial_profile(forces, equilibrium.distances, free),
    )  # fmt: skip


def _without_drift(force: NDArray[np.float64], translates: bool) -> NDArray[np.float64]:
    """A part of the forces pushes the crystal as a whole, which nothing resists: leave that out."""
    if not translates:
        return force
    return (force.reshape(-1, 3) - force.reshape(-1, 3).mean(axis=0)).ravel()


def _hessian_product(calculator: Any, atoms: Atoms, free: NDArray[np.bool_]) -> Solve:
    """v -> H̃ v on the free coordinates."""
    potential: Any = getattr(calculator, "potential", None)
    if hasattr(potential, "hessian_product"):

        def product(v: NDArray[np.float64]) -> NDArray[np.float64]:
            return potential.hessian_product(atoms, _full(v, free)).reshape(-1, 3)[free].ravel()

        return product
    gradient_of, start = energy_and_gradient(atoms, calculator, free), atoms.positions[free].ravel()

    def difference(v: NDArray[np.float64]) -> NDArray[np.float64]:
        step = STEP / max(float(np.abs(v).max()), 1e-300)
        return (gradient_of(start + step * v)[1] - gradient_of(start - step * v)[1]) / (2.0 * step)

    return difference


def _full(flat: NDArray[np.float64], free: NDArray[np.bool_]) -> NDArray[np.float64]:
    full = np.zeros((len(free), 3))
    full[free] = flat.reshape(-1, 3)
    return full


def radial_profile(
    forces: NDArray[np.float64], distances: NDArray[np.float64], free: NDArray[np.bool_], width: float = 2.0
) -> RadialProfile:
    """Root mean square force in shells `width` Å thick."""
    edges = np.arange(0.0, float(distances[free].max()) + width, width)
    shell = np.digitize(distances, edges) - 1
    n = len(edges) - 1
    squares = np.bincount(shell[free], weights=(forces[free] ** 2).sum(axis=1), minlength=n)[:n]
    count = np.bincount(shell[free], minlength=n)[:n]
    return RadialProfile(edges, np.sqrt(squares / np.maximum(count, 1)), count)
