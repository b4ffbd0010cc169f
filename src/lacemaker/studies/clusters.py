"""How fast a reference's own defect converges with the size of the domain: clamped balls.

Atoms within R of the core relax, all others stay on the perfect lattice. For a point defect the far field
decays as |Du| ~ r⁻³, so that the error of the ball is expected to fall as R^(-3/2) in the 2-norm of Du, R⁻³
in its largest value, and R⁻³ in the energy. No model is fitted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from lacemaker.analysis.defects import geometry_error
from lacemaker.config.reading import checked
from lacemaker.config.section import Positive, Section, StringOrList
from lacemaker.errors import SolverError
from lacemaker.studies.balls import ball
from lacemaker.studies.config import CrystalConfig, ReferenceField
from lacemaker.studies.crystals import Crystal
from lacemaker.studies.equilibria import newton, structure_key
from lacemaker.studies.quiet import quiet
from lacemaker.studies.references import Reference, make_reference
from lacemaker.studies.slopes import Slope, fit_slope
from lacemaker.workflow.outputs import output_folder
from lacemaker.workflow.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["BallConvergence", "SlopesConfig", "ball_convergence", "slopes_config"]


class SlopesConfig(Section):
    """``lace study slopes config.yaml``."""

    reference: ReferenceField = Field(default="stillinger-weber", validate_default=True)
    crystal: CrystalConfig = CrystalConfig()
    defects: StringOrList = Field(default=("interstitial-tetrahedral",), min_length=1)
    radii: tuple[Positive, ...] = Field(
        default=(4.0, 5.0, 7.0, 9.0), min_length=2, description="Of the balls; nearest-neighbour distances."
    )
    largest: Positive = Field(default=16.0, description="Of the ball that stands for the infinite crystal.")
    buffer: Positive = Field(default=8.0, description="Å of clamped atoms around; at least twice the cutoff.")
    tolerance: Positive = Field(default=1e-6, description="Largest force, eV/Å.")
    output: str = "lace-slopes"

    @field_validator("radii")
    @classmethod
    def _increasing(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("list the radii once each, from small to large")
        return value


def slopes_config(source: SlopesConfig | Mapping[str, Any] | str | Path) -> SlopesConfig:
    """From a YAML file or a dictionary.

    Raises
    ------
    ConfigError
    """
    if isinstance(source, SlopesConfig):
        return source
    config, absolute = checked(SlopesConfig, source)
    return config.model_copy(update={"output": absolute(config.output)})


@dataclass(frozen=True, eq=False)
class BallConvergence:
    """Errors of clamped balls against the largest one.

    Attributes
    ----------
    defect : str
    radii : (n,) nearest-neighbour distances
    two_norm, maximum : (n,) Å
        ‖D(u_R - u_∞)‖ over nearest neighbours.
    energy : (n,) eV
        E(u_R) - E(u_∞).
    n_atoms : int
        Of the largest ball, clamped atoms included.
    largest_force : float
        Left in the largest ball, eV/Å.
    """

    defect: str
    radii: np.ndarray
    two_norm: np.ndarray
    maximum: np.ndarray
    energy: np.ndarray
    n_atoms: int
    largest_force: float

    def slopes(self) -> dict[str, Slope | None]:
        """Of log error against log R."""
        radii = self.radii.tolist()
        return {
            name: fit_slope(radii, getattr(self, name).tolist()) for name in ("two_norm", "maximum", "energy")
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "defect": self.defect,
            "radii": self.radii.tolist(),
            "two_norm_A": self.two_norm.tolist(),
            "maximum_A": self.maximum.tolist(),
            "energy_eV": self.energy.tolist(),
            "n_atoms": self.n_atoms,
            "largest_force_eV_per_A": self.largest_force,
            "slopes": {name: None if s is None else s.to_dict() for name, s in self.slopes().items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.defect}: {self.n_atoms} atoms", "   R/r_nn   ‖D‖₂ Å     max Å      energy eV"]
        table = zip(self.radii, self.two_norm, self.maximum, self.energy, strict=True)
        lines += [f"  {r:6g}   {a:.2e}   {b:.2e}   {c:.2e}" for r, a, b, c in table]
        lines.append("  slope    " + "   ".join(str(slope) for slope in self.slopes().values()))
        return "\n".join(lines)


def ball_convergence(
    source: SlopesConfig | Mapping[str, Any] | str | Path, *, progress: Progress | None = None
) -> list[BallConvergence]:
    """Relax every ball and compare; finished balls are kept in the output folder.

    Raises
    ------
    ConfigError, SolverError
    """
    config = slopes_config(source)
    show = progress or SilentProgress()
    work = output_folder(config.output) / "work"
    work.mkdir(exist_ok=True)
    given = config.reference
    reference = make_reference(given.kind, file=given.file, arguments=given.arguments)
    with quiet():
        where = config.crystal
        crystal = reference.crystal(where.structure, where.element, where.lattice_constant)
    results = []
    for name in config.defects:
        with show.stage(f"balls, {name}", "balls") as advance, quiet():
            results.append(_converge(name, crystal, reference, config, work, advance))
    return results


def _converge(
    name: str, crystal: Crystal, reference: Reference, config: SlopesConfig, work: Path, advance: Any
) -> BallConvergence:
    unit = crystal.nearest_neighbour
    start = ball(name, crystal, config.largest * unit, config.buffer)
    distances = start.distances()
    atoms, found = start.atoms.copy(), []
    radii = [*config.radii, config.largest]
    for done, radius in enumerate(radii):
        advance(done, len(radii))
        free = distances <= radius * unit
        atoms, energy, force = _relaxed_ball(
            atoms, free, distances <= radius * unit + config.buffer, reference, config, work
        )
        found.append((atoms.copy(), energy, force))
    advance(len(radii), len(radii))
    final = found[-1][0]
    errors = [geometry_error(step[0], final) for step in found[:-1]]
    energies = _energies([step[0] for step in found], reference)
    return BallConvergence(
        name,
        np.array(config.radii),
        np.array([error.two_norm for error in errors]),
        np.array([error.maximum for error in errors]),
        energies[:-1] - energies[-1],
        len(final),
        found[-1][2],
    )


def _relaxed_ball(
    atoms: Atoms,
    free: np.ndarray,
    seen: np.ndarray,
    reference: Reference,
    config: SlopesConfig,
    work: Path,
) -> tuple[Atoms, float, float]:
    """Relax the free atoms; only those within their reach take part. Energy is that of the part."""
    part = atoms[seen]
    path = work / f"{structure_key(part, free[seen], reference.identity, config.tolerance)}.npz"
    if not path.exists():
        near = _near(part, free[seen], reference)
        relaxed = newton(part, reference, free[seen], config.tolerance, springs_first=not near)
        if not relaxed.converged:
            raise SolverError(
                f"A clamped ball of {int(free.sum())} free atoms does not relax with {reference.name}. "
                f"Found: {relaxed.message}, largest force {relaxed.largest_force:.1g} eV/Å. Raise the "
                "tolerance, or use a smaller ball."
            )
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, positions=relaxed.positions, numbers=[relaxed.energy, relaxed.largest_force])
        temporary.replace(path)
    with np.load(path, allow_pickle=False) as file:
        moved = atoms.copy()
        moved.positions[seen] = file["positions"]
        return moved, float(file["numbers"][0]), float(file["numbers"][1])


def _near(part: Atoms, free: np.ndarray, reference: Reference) -> bool:
    """Whether the start is near enough for the Hessian: small forces."""
    probe = part.copy()
    probe.calc = reference.calculator
    return bool(np.abs(probe.get_forces()[free]).max() < 0.5)


def _energies(states: list[Atoms], reference: Reference) -> np.ndarray:
    values = []
    for atoms in states:
        probe = atoms.copy()
        probe.calc = reference.calculator
        values.append(float(probe.get_potential_energy()))
    return np.array(values)
