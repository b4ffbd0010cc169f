"""How far a model is from a reference for crystals and their defects.

Any ASE calculator may be the model or the reference. ``lattice_errors`` collects what a perfect crystal
tells; the symbols ε^FC, ε^V are those of the generalisation analysis of interatomic potentials (Ortner and
Wang, Multiscale Model. Simul. 21, 1053 (2023)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.analysis.elasticity import (
    ElasticConstants,
    VirialErrors,
    elastic_constants,
    equilibrium_scale,
    virial_errors,
)
from lacemaker.analysis.phonons import PhononErrors, phonon_errors
from lacemaker.analysis.second_derivatives import displaced_force_constants

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "ForceConstantErrors",
    "GeometryError",
    "LatticeErrors",
    "force_constant_errors",
    "formation_energy",
    "geometry_error",
    "lattice_errors",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ForceConstantErrors:
    """ε^FC: differences of force constants H(ρ) = ∂²E/∂u(0)∂u(ρ) of a perfect lattice.

    Attributes
    ----------
    rmse : float
        Over all components, eV/Å².
    relative : float
        ‖H - H_ref‖ / ‖H_ref‖, Frobenius norm over ρ.
    weighted : float
        The same with each block weighted by |ρ|²: the error of the dynamical matrix relative to |k|², which
        is what the far field of a defect feels.
    onsite : float
        Root mean square of the reference's diagonal of H(0), eV/Å²: the scale of a sensible accuracy (1 %).
    """

    rmse: float
    relative: float
    weighted: float
    onsite: float

    def to_dict(self) -> dict[str, float]:
        """All fields as plain numbers."""
        return asdict(self)


def force_constant_errors(
    model: Any, reference: Any, supercell: Atoms, *, displaced: Sequence[int] | None = None,
    step: float | None = 0.01,
) -> ForceConstantErrors:  # fmt: skip
    """Compare the force constants of some atoms of a perfect supercell.

    Parameters
    ----------
    model, reference : ASE calculators
    supercell : Atoms
        At equilibrium. Blocks are weighted by the distance to the nearest image.
    displaced : sequence of int, optional
        Atoms whose rows are compared; default: the first atom of each element.
    step : float or None
        Displacement of central differences, Å, the same for both; None: analytic Hessians.
    """
    if displaced is None:
        displaced = [int(np.flatnonzero(supercell.numbers == z)[0]) for z in np.unique(supercell.numbers)]
    of_model, of_reference = (
        displaced_force_constants(calculator, supercell, displaced, step=step)
        for calculator in (model, reference)
    )
    distance = np.array([supercell.get_distances(i, np.arange(len(supercell)), mic=True) for i in displaced])
    weight = (distance**2)[:, None, :, None]
    difference = of_model - of_reference
    onsite = np.array([np.diag(of_reference[k, :, i]) for k, i in enumerate(displaced)])
    return ForceConstantErrors(
        rmse=float(np.sqrt(np.mean(difference**2))),
        relative=float(np.linalg.norm(difference) / np.linalg.norm(of_reference)),
        weighted=float(np.linalg.norm(weight * difference) / np.linalg.norm(weight * of_reference)),
        onsite=float(np.sqrt(np.mean(onsite**2))),
    )


@dataclass(frozen=True)
class GeometryError:
    """‖D(ũ - ū)‖: differences between neighbours of the difference of two relaxed geometries, Å.

    Attributes
    ----------
    two_norm : float
        √ of the sum of |D e|² over all nearest-neighbour bonds, each once.
    maximum : float
        Largest |D e| of a bond.
    n_bonds : int
    """

    two_norm: float
    maximum: float
    n_bonds: int

    def to_dict(self) -> dict[str, float]:
        """All fields as plain numbers."""
        return asdict(self)


def geometry_error(model: Atoms, reference: Atoms, *, reach: float = 1.25) -> GeometryError:
    """Compare two relaxed geometries of the same atoms in the same cell and order.

    Parameters
    ----------
    model, reference : Atoms
        Relaxed with the model and with the reference; atoms that crossed a cell boundary are recognised.
    reach : float
        Bonds are pairs of the reference geometry nearer than `reach` times the median nearest distance.

    Raises
    ------
    ValueError
        If the structures do not correspond.
    """
    from ase.geometry import find_mic
    from ase.neighborlist import neighbor_list

    if len(model) != len(reference) or np.any(model.numbers != reference.numbers):
        raise ValueError(
            f"the two geometries do not belong together: {model.get_chemical_formula()} and "
            f"{reference.get_chemical_formula()}; give the same atoms in the same order"
        )
    error, _ = find_mic(model.positions - reference.positions, reference.cell, reference.pbc)
    spread, nearest = 2.0, np.zeros(0)
    while len(nearest) < len(reference) and spread < 30.0:
        spread *= 1.5
        i, d = neighbor_list("id", reference, spread)
        nearest = np.full(len(reference), np.inf)
        np.minimum.at(nearest, i, d)
        nearest = nearest[np.isfinite(nearest)]
    i, j = neighbor_list("ij", reference, reach * float(np.median(nearest))) if len(nearest) else ([], [])
    once = np.asarray(i) < np.asarray(j)
    lengths = np.linalg.norm(error[np.asarray(i, int)[once]] - error[np.asarray(j, int)[once]], axis=1)
    return GeometryError(
        float(np.linalg.norm(lengths)), float(lengths.max(initial=0.0)), int(np.count_nonzero(once))
    )


def formation_energy(energy: float, atoms: Atoms, bulk_energies: Mapping[str, float]) -> float:
    """E(defect cell) - Σ_atoms μ(element), eV, with μ the energy per atom of each element's bulk.

    The formation-energy error of a model is the difference of this number between model and reference, each
    with its own bulk energies.
    """
    missing = sorted(set(atoms.get_chemical_symbols()) - set(bulk_energies))
    if missing:
        raise ValueError(
            f"no bulk energy of {', '.join(missing)}; found {', '.join(bulk_energies) or 'none'}"
        )
    return float(energy) - sum(bulk_energies[symbol] for symbol in atoms.get_chemical_symbols())


@dataclass(frozen=True, eq=False)
class LatticeErrors:
    """What a perfect crystal tells about a model.

    Attributes
    ----------
    lattice_constant, lattice_constant_model : float
        Length of the first cell vector at zero pressure, Å.
    lattice_found : bool
        Whether the model has a pressure-free cell within the search range.
    force_constants : ForceConstantErrors
        At the reference's lattice.
    virial : VirialErrors
        At the reference's lattice.
    elastic, elastic_model : ElasticConstants
        Each at its own lattice constant.
    phonons : PhononErrors or None
        At the reference's lattice.
    """

    lattice_constant: float
    lattice_constant_model: float
    lattice_found: bool
    force_constants: ForceConstantErrors
    virial: VirialErrors
    elastic: ElasticConstants
    elastic_model: ElasticConstants
    phonons: PhononErrors | None

    @property
    def delta_a(self) -> float:
        """Δa0 of the model, Å."""
        return self.lattice_constant_model - self.lattice_constant

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers and nested lists."""
        return {
            "lattice_constant_A": self.lattice_constant,
            "lattice_constant_error_A": self.delta_a,
            "lattice_found": self.lattice_found,
            "force_constants": self.force_constants.to_dict(),
            "virial": self.virial.to_dict(),
            "elastic_GPa": self.elastic.to_dict(),
            "elastic_model_GPa": self.elastic_model.to_dict(),
            "elastic_error_GPa": {
                "born": float(np.abs(self.elastic_model.born - self.elastic.born).max()),
                "relaxed": float(np.abs(self.elastic_model.relaxed - self.elastic.relaxed).max()),
            },
            "phonons": None if self.phonons is None else self.phonons.to_dict(),
        }

    def __str__(self) -> str:
        """A table: quantity, reference, model, error."""
        bound = "" if self.lattice_found else "≥ "
        rows = [
            (
                "lattice constant (Å)",
                f"{self.lattice_constant:.5f}",
                f"{self.lattice_constant_model:.5f}",
                f"{bound}{self.delta_a:.1e}",
            ),
            ("ε^FC force constants (relative)", "", "", f"{self.force_constants.relative:.1e}"),
            ("ε^FC weighted by distance²", "", "", f"{self.force_constants.weighted:.1e}"),
            ("ε^V virials, rms (eV/atom)", "", "", f"{self.virial.virial_rms:.1e}"),
            ("  stress, order 0 (GPa)", "", "", f"{self.virial.order0:.1e}"),
            ("  elastic, order 1 (GPa)", "", "", f"{self.virial.order1:.1e}"),
            ("  third-order, order 2 (GPa)", "", "", f"{self.virial.order2:.1e}"),
        ]
        for kind, attribute in (("Born", "cubic_born"), ("relaxed", "cubic")):
            both = zip(getattr(self.elastic, attribute), getattr(self.elastic_model, attribute), strict=True)
            for name, (exact, model) in zip(("C11", "C12", "C44"), both, strict=True):
                rows.append((f"{name} {kind} (GPa)", f"{exact:.2f}", f"{model:.2f}", f"{model - exact:.1e}"))
        if self.phonons is not None:
            rows.append(("phonons, rms (THz)", "", "", f"{self.phonons.rmse_THz:.1e}"))
            rows.append(("phonons, largest (THz)", "", "", f"{self.phonons.max_THz:.1e}"))
            rows.append(("imaginary phonons", "", "", str(self.phonons.n_imaginary)))
        head = ("", "reference", "model", "error")
        return "\n".join(f"{a:<32}{b:>11}{c:>11}{d:>11}" for a, b, c, d in [head, *rows])


def lattice_errors(
    model: Any, reference: Any, cell: Atoms, *, repeat: int | tuple[int, int, int] = 3,
    strain: float = 0.005, step: float = 0.01, phonons: bool = True,
) -> LatticeErrors:  # fmt: skip
    """Force constants, virials, lattice constant, elastic constants and phonons of a perfect crystal.

    Parameters
    ----------
    model, reference : ASE calculators
    cell : Atoms
        A small periodic cell of the crystal, near the reference's equilibrium.
    repeat : int or (3,) int
        Supercell for force constants and phonons, in units of `cell`.
    strain, step : float
        Of :func:`virial_errors` and :func:`force_constant_errors`.
    phonons : bool
        Compare frequencies too: two dense diagonalisations, and 6 n_atoms force calls of a calculator without
        an analytic Hessian.
    """
    scales = [equilibrium_scale(calculator, cell) for calculator in (reference, model)]
    cells = []
    for scale, _ in scales:
        scaled = cell.copy()
        scaled.set_cell(cell.cell[:] * scale, scale_atoms=True)
        cells.append(scaled)
    supercell = cells[0].repeat(repeat)
    length = float(cell.cell.lengths()[0])
    return LatticeErrors(
        lattice_constant=length * scales[0][0],
        lattice_constant_model=length * scales[1][0],
        lattice_found=scales[1][1],
        force_constants=force_constant_errors(model, reference, supercell, step=step),
        virial=virial_errors(model, reference, cells[0], strain=strain),
        elastic=elastic_constants(reference, cells[0]),
        elastic_model=elastic_constants(model, cells[1]),
        phonons=phonon_errors(model, reference, supercell) if phonons else None,
    )
