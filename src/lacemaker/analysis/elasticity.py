"""Elasticity of a crystal for any ASE calculator, and how a model's compares with a reference's.

With the energy E of a cell of volume V, Voigt strain ε and positions x::

    C_Born    = (1/V) ∂²E/∂ε∂ε                               atoms follow the strain
    C_relaxed = (1/V) [∂²E/∂ε∂ε - Λᵀ H⁺ Λ],   Λ = ∂²E/∂x∂ε   atoms find their places (internal strain)

H⁺ is the pseudo-inverse of the Hessian (translations left out). Both are meant at zero pressure, where all
definitions of elastic constants agree; second strain derivatives are derivatives of the virial here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.analysis.errors import EV_PER_CUBIC_ANGSTROM_IN_GPA as GPA
from lacemaker.analysis.second_derivatives import (
    STRAIN_PAIRS,
    deformed_cell,
    hessian,
    second_strain_derivatives,
    strain_derivatives,
    strain_matrix,
)
from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "ElasticConstants",
    "VirialErrors",
    "elastic_constants",
    "equilibrium",
    "equilibrium_scale",
    "virial_errors",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ElasticConstants:
    """Elastic constants of a cell, GPa, Voigt order xx yy zz yz xz xy.

    Attributes
    ----------
    born : (6, 6) array
        Atoms follow the strain ("clamped ions"); linear in the coefficients of a linear potential.
    relaxed : (6, 6) array
        Atoms relax within the strained cell; equal to `born` for one atom per cell.
    """

    born: Array
    relaxed: Array

    @property
    def cubic(self) -> tuple[float, float, float]:
        """Relaxed C11, C12 and C44 averaged over the axes of a cubic crystal in its conventional setting."""
        return _cubic(self.relaxed)

    @property
    def cubic_born(self) -> tuple[float, float, float]:
        """The same of the Born constants."""
        return _cubic(self.born)

    @property
    def bulk_modulus(self) -> float:
        """Voigt average, GPa; exact for cubic crystals."""
        return float(self.relaxed[:3, :3].mean())

    def to_dict(self) -> dict[str, list[list[float]]]:
        """Both matrices as nested lists, GPa."""
        return {"born": self.born.tolist(), "relaxed": self.relaxed.tolist()}


def _cubic(c: Array) -> tuple[float, float, float]:
    diagonal, off = np.diag(c), c[[0, 0, 1], [1, 2, 2]]
    return float(diagonal[:3].mean()), float(off.mean()), float(diagonal[3:].mean())


def elastic_constants(calculator: Any, atoms: Atoms, *, step: float = 1e-3) -> ElasticConstants:
    """Born and relaxed elastic constants of a periodic cell at equilibrium.

    Parameters
    ----------
    calculator : ASE calculator
        With forces and stress; analytic derivatives are used where it offers them.
    atoms : Atoms
        Forces and pressure should vanish (:func:`equilibrium_scale`).
    step : float
        Strain of the differences for calculators without analytic derivatives.
    """
    virial, forces = strain_derivatives(calculator, atoms, step=step)
    second = -(virial + virial.T) / 2
    coupling = -forces.reshape(-1, 6)
    inverse = np.linalg.pinv(hessian(calculator, atoms).toarray(), rcond=1e-6, hermitian=True)
    scale = GPA / atoms.get_volume()
    return ElasticConstants(second * scale, (second - coupling.T @ inverse @ coupling) * scale)


def equilibrium_scale(calculator: Any, atoms: Atoms, *, bound: float = 0.1) -> tuple[float, bool]:
    """Isotropic scale of the cell at which the pressure vanishes, nearest to 1, and whether there is one.

    Parameters
    ----------
    calculator : ASE calculator
    atoms : Atoms
    bound : float
        Scales from 1 - bound to 1 + bound are searched, in steps of a tenth of it.

    Returns
    -------
    scale : float
        Times the lattice constant of `atoms`; without a root the scale of smallest pressure found.
    found : bool
    """
    from scipy.optimize import brentq

    probe = atoms.copy()

    def pressure(scale: float) -> float:
        probe.set_cell(atoms.cell[:] * scale, scale_atoms=True)
        return -float(np.sum(calculator.get_property("stress", probe)[:3])) / 3.0

    middle = pressure(1.0)
    sides = {1.0: (1.0, middle), -1.0: (1.0, middle)}
    for step in np.linspace(0.0, bound, 11)[1:]:
        for sign in (1.0, -1.0) if middle > 0 else (-1.0, 1.0):
            here, (last, before) = 1.0 + sign * step, sides[sign]
            value = pressure(here)
            if before * value <= 0.0:
                return float(brentq(pressure, min(last, here), max(last, here), xtol=1e-10)), True
            sides[sign] = (here, value)
    return min(sides.values(), key=lambda end: abs(end[1]))[0], False


def equilibrium(calculator: Any, crystal: Atoms, *, bound: float = 0.1) -> Atoms:
    """The crystal scaled to zero pressure, with its calculator: a cubic crystal at rest.

    Raises
    ------
    DataError
        If the pressure does not vanish within `bound` of its lattice constant.
    """
    scale, found = equilibrium_scale(calculator, crystal, bound=bound)
    if not found:
        raise DataError(
            f"No equilibrium volume was found near the crystal. Found pressure at all scales from "
            f"{1 - bound:.2f} to {1 + bound:.2f}. Start from the right crystal, or distrust the potential."
        )
    atoms = crystal.copy()
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    atoms.calc = calculator
    return atoms


@dataclass(frozen=True)
class VirialErrors:
    """ε^V: differences of the Cauchy–Born stress ∂W/∂F of two calculators, W = energy per reference volume.

    Attributes
    ----------
    order0 : float
        Residual stress: largest component at F = 1, GPa.
    order1 : float
        Largest component of the first derivatives along single strains (clamped elastic constants), GPa.
    order2 : float
        Largest component of the second derivatives (third-order constants), mixed ones included, GPa.
    largest : float
        Largest component over all strains sampled, GPa.
    virial_rms : float
        Root mean square of V ∂W/∂F over the strains, eV per atom.
    """

    order0: float
    order1: float
    order2: float
    largest: float
    virial_rms: float

    def to_dict(self) -> dict[str, float]:
        """All fields as plain numbers."""
        return asdict(self)


def virial_errors(model: Any, reference: Any, atoms: Atoms, *, strain: float = 0.005) -> VirialErrors:
    """Compare the stress of the homogeneous lattice under F = 1, six strains and their sums, of both signs.

    Parameters
    ----------
    model, reference : ASE calculators
    atoms : Atoms
        A small periodic cell at the reference's equilibrium; its atoms follow the strain.
    strain : float
        Size δ of the strains (shears: engineering strains).
    """
    zero, single, mixed = (
        of_model - of_reference
        for of_model, of_reference in zip(
            _stresses(model, atoms, strain), _stresses(reference, atoms, strain), strict=True
        )
    )
    first = (single[:, 0] - single[:, 1]) / (2 * strain)
    second = second_strain_derivatives(zero, single, mixed, strain)
    volume = atoms.get_volume() / len(atoms)
    sampled = np.concatenate([zero[None], *single, *mixed])
    return VirialErrors(
        order0=float(np.abs(zero).max() * GPA),
        order1=float(np.abs(first).max() * GPA),
        order2=float(np.abs(second).max() * GPA),
        largest=float(np.abs(sampled).max() * GPA),
        virial_rms=float(np.sqrt(np.mean(sampled**2)) * volume),
    )


def _stresses(calculator: Any, atoms: Atoms, size: float) -> tuple[Array, Array, Array]:
    """∂W/∂F = J σ F⁻ᵀ, eV/Å³: unstrained (3, 3), six strains ± (6, 2, 3, 3), their sums (15, 2, 3, 3)."""

    def under(*components: int) -> list[Array]:
        return [
            _stress(calculator, atoms, sum(strain_matrix(k, sign * size) for k in components))
            for sign in (1.0, -1.0)
        ]

    return (
        _stress(calculator, atoms, np.zeros((3, 3))),
        np.array([under(k) for k in range(6)]),
        np.array([under(*pair) for pair in STRAIN_PAIRS]),
    )


def _stress(calculator: Any, atoms: Atoms, strain: Any) -> Array:
    deformation = np.eye(3) + strain
    xx, yy, zz, yz, xz, xy = calculator.get_property("stress", deformed_cell(atoms, deformation))
    stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return np.linalg.det(deformation) * stress @ np.linalg.inv(deformation).T
