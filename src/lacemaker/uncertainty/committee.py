"""Posterior samples of a potential, evaluated together in one pass of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.uncertainty.storage import Deviations, stored_committee

if TYPE_CHECKING:
    from lacemaker.potential import Potential
    from lacemaker.potential.evaluator import Structure
    from lacemaker.structures import NeighbourList

__all__ = ["Committee", "Spread"]

Matrix = np.ndarray


@dataclass(frozen=True, eq=False)
class Spread:
    """Standard deviations of a prediction.

    Attributes
    ----------
    energy_std : float
        eV.
    forces_std : ndarray (n_atoms, 3)
        eV/Å.
    stress_std : ndarray (6,) or None
        eV/Å³, ASE's order; None without a volume.
    energies_std : ndarray (n_atoms,) or None
        Of the site energies, eV; None where it was not made (exact variances).
    """

    energy_std: float
    forces_std: Matrix
    stress_std: Matrix | None
    energies_std: Matrix | None = None

    @property
    def forces_std_norm(self) -> Matrix:
        """(n_atoms,) eV/Å: root of the sum of the variances of an atom's three force components."""
        return np.sqrt(np.einsum("ia,ia->i", self.forces_std, self.forces_std))


class Committee:
    """The posterior samples of a potential, compiled.

    Members are held as deviations from the mean, so that float32 loses nothing that matters: a standard
    deviation is then good to a few 1e-3 of itself, and costs half.

    Parameters
    ----------
    potential : Potential
        Its basis is rebuilt once, to contract the samples.
    deviations : Deviations, optional
        Samples minus mean; those in the potential's file by default.
    dtype, isa : str
        As for the evaluator.

    Raises
    ------
    EvaluationError
        When the potential carries no samples.
    """

    def __init__(
        self,
        potential: Potential,
        deviations: Deviations | None = None,
        *,
        dtype: str = "float32",
        isa: str = "auto",
    ) -> None:
        from lacemaker import _core

        chosen = stored_committee(potential) if deviations is None else deviations
        self._evaluator = potential.evaluator()
        tables = _core.Tables(**potential.program.kernel_tables())
        self._kernel = _core.Committee(tables, **_terms(potential, chosen), dtype=dtype, isa=isa)

    def __len__(self) -> int:
        return len(self._kernel)

    def deviations(
        self,
        species: Matrix,
        positions: Matrix,
        cell: Matrix,
        neighbours: NeighbourList,
        *,
        n_threads: int = 1,
    ) -> tuple[Matrix, Matrix, Matrix]:
        """Site energies (k, n_atoms) eV, forces (k, n_atoms, 3) eV/Å, virials (k, 6) eV, less the mean."""
        return self._kernel.evaluate(
            positions,
            cell,
            species,
            neighbours.first,
            neighbours.index,
            neighbours.shift,
            n_threads=n_threads,
        )

    def spread(
        self, species: Matrix, positions: Matrix, cell: Matrix, pbc: Matrix, neighbours: NeighbourList, *,
        n_threads: int = 1,
    ) -> Spread:  # fmt: skip
        """Standard deviations on a neighbour list; arguments as for ``Evaluator.evaluate``."""
        energies, forces, virials = self.deviations(species, positions, cell, neighbours, n_threads=n_threads)
        volume = abs(float(np.linalg.det(cell))) if np.any(pbc) else 0.0
        stress = _rms(virials) / volume if volume > 0.0 else None
        return Spread(float(_rms(energies.sum(axis=1))), _rms(forces), stress, _rms(energies))

    def predict(self, structure: Structure, *, n_threads: int = 1) -> Spread:
        """Standard deviations of energy, forces and stress of one structure."""
        species, positions, cell, pbc = self._evaluator.prepare(structure)
        neighbours = self._evaluator.neighbours(positions, cell, pbc)
        return self.spread(species, positions, cell, pbc, neighbours, n_threads=n_threads)


def _rms(values: Matrix) -> Matrix:
    """Root mean square over members: the mean is known and not estimated from them."""
    return np.sqrt(np.mean(np.square(values), axis=0))


def _terms(potential: Potential, deviations: Deviations) -> dict[str, Any]:
    """Arguments of ``_core.Committee``: one program, k vectors of weights."""
    basis = potential.basis
    rows = [basis.contract(c, e) for c, e in zip(deviations.coefficients, deviations.e0, strict=True)]
    shared = {name: rows[0][name] for name in ("term_centre", "term_first", "term_index")}
    if any(not np.array_equal(row["term_index"], shared["term_index"]) for row in rows):
        shared, rows = _common_pattern(basis, deviations)
    stacked = {
        name: np.stack([np.asarray(row[name], dtype=np.float64) for row in rows])
        for name in ("term_weight", "pair_coefficients", "e0")
    }
    return {**shared, **stacked}


def _common_pattern(basis: Any, deviations: Deviations) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Products that vanish in some members only stay in all, with a weight too small to matter."""
    used = np.any(deviations.coefficients != 0.0, axis=0)
    tiny = 1e-30 * max(float(np.abs(deviations.coefficients).max(initial=0.0)), 1e-200)
    filled = np.where(used & (deviations.coefficients == 0.0), tiny, deviations.coefficients)
    rows = [basis.contract(c, e) for c, e in zip(filled, deviations.e0, strict=True)]
    return {name: rows[0][name] for name in ("term_centre", "term_first", "term_index")}, rows
