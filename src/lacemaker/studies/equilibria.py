"""Reference equilibria: relaxed defects with what the tests of a model need of them, kept on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sparse

from lacemaker.analysis.defects import geometry_error
from lacemaker.errors import SolverError
from lacemaker.studies.defects import DefectCell
from lacemaker.studies.linear import Solve, bond_hessian, positive_solver
from lacemaker.studies.relaxation import Relaxed, relax

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from lacemaker.studies.references import Reference

__all__ = ["Equilibrium", "load_equilibrium", "newton", "relax_reference", "structure_key"]


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A defect at the reference's equilibrium ū.

    Attributes
    ----------
    atoms : ase.Atoms
        Relaxed, without calculator.
    distances : (n_atoms,) array
        From the defect's core, Å.
    free : (n_atoms,) bool
        Atoms that may move.
    energy : float
        Reference energy at ū, eV.
    start_energy : float
        Before the relaxation, eV.
    hessian : sparse (3 n_free, 3 n_free)
        The reference's at ū, or springs in its place; eV/Å².
    exact_hessian : bool
        Whether it is the reference's.
    perfect : ase.Atoms or None
        Of a cluster: the same without the defect.
    """

    atoms: Atoms
    distances: NDArray[np.float64]
    free: NDArray[np.bool_]
    energy: float
    start_energy: float
    hessian: sparse.csr_matrix
    exact_hessian: bool
    perfect: Atoms | None = None

    @cached_property
    def solve(self) -> Solve:
        """Inverse of the (slightly shifted) Hessian, factorised once."""
        return positive_solver(self.hessian)[0]

    def scaled(self, scale: float) -> Equilibrium:
        """Cell and atoms `scale` times as large; energies, Hessian and its factors stay those of ū."""
        atoms, perfect = self.atoms.copy(), self.perfect
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        if perfect is not None:
            perfect = perfect.copy()
            perfect.positions *= scale
        larger = replace(self, atoms=atoms, perfect=perfect, distances=scale * self.distances)
        larger.__dict__["solve"] = self.solve
        return larger

    def bulk_energy(self, calculator: Any, per_atom: float) -> float:
        """What the atoms would have in the perfect crystal, eV; `per_atom` is the crystal's of `calculator`.

        A clamped cluster brings its own surface: it is compared with the same cluster without the defect.
        """
        if self.perfect is None:
            return len(self.atoms) * per_atom
        probe = self.perfect.copy()
        probe.calc = calculator
        return float(probe.get_potential_energy()) + (len(self.atoms) - len(probe)) * per_atom

    def strain_norms(self, displacements: NDArray[np.float64]) -> tuple[float, float]:
        """‖Dv‖ of displacements (n_atoms, 3) Å over nearest neighbours: 2-norm and largest."""
        moved = self.atoms.copy()
        moved.positions += displacements
        error = geometry_error(moved, self.atoms)
        return error.two_norm, error.maximum


def structure_key(*parts: Any) -> str:
    """SHA-256 of structures, arrays, numbers and texts."""
    digest = hashlib.sha256(b"lacemaker study 1")
    for part in parts:
        if hasattr(part, "positions") and hasattr(part, "numbers"):
            for array in (part.numbers, part.positions, part.cell.array, part.pbc):
                digest.update(np.ascontiguousarray(array).tobytes())
        elif isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"|")
    return digest.hexdigest()[:32]


def relax_reference(
    defect: DefectCell,
    reference: Reference,
    *,
    folder: Path,
    free: NDArray[np.bool_] | None = None,
    tolerance: float = 1e-5,
    with_hessian: bool = True,
) -> Path:
    """Relax a defect with the reference, or find the result of an earlier run; returns its file.

    Raises
    ------
    SolverError
        The reference finds no equilibrium.
    """
    mask = np.ones(len(defect.atoms), dtype=bool) if free is None else free
    parts = (defect.atoms, defect.core, reference.identity, mask, tolerance, with_hessian)
    key = structure_key(*parts, *([] if defect.perfect is None else [defect.perfect]))
    path = folder / f"{key}.npz"
    if path.exists():
        return path
    atoms = defect.atoms.copy()
    atoms.calc = reference.calculator
    start_energy = float(atoms.get_potential_energy())
    found = newton(atoms, reference, mask, tolerance)
    if not found.converged:
        raise SolverError(
            f"The reference {reference.name} finds no equilibrium of a defect of {len(atoms)} atoms. Found: "
            f"{found.message}, largest force {found.largest_force:.2g} eV/Å. Choose another defect or cell."
        )
    relaxed = defect.atoms.copy()
    relaxed.positions = found.positions
    hessian = _matrix(relaxed, reference, mask) if with_hessian else sparse.csr_matrix((0, 0))
    energies = (found.energy, start_energy)
    _save(path, relaxed, defect, mask, energies, hessian, reference.has_hessian)
    return path


def newton(
    atoms: Atoms,
    reference: Reference,
    free: NDArray[np.bool_],
    tolerance: float,
    *,
    rounds: int = 6,
    springs_first: bool = True,
) -> Relaxed:
    """Relax with the reference: on springs first, then on its Hessian, renewed when it has served its time.

    ``springs_first=False`` suits a start near the equilibrium of a large system with an analytic Hessian.
    """
    probe, calls = atoms.copy(), 0
    for k in range(rounds):
        springs = (springs_first and k == 0) or not reference.has_hessian
        matrix = _springs(probe, free) if springs else _matrix(probe, reference, free)
        found = relax(
            probe, reference.calculator, positive_solver(matrix)[0], free=free, tolerance=tolerance,
            max_calls=200 if springs else 25, escape=6.0,
        )  # fmt: skip
        probe.positions = found.positions
        calls += found.n_calls
        if found.converged:
            break
    return Relaxed(found.positions, found.energy, found.largest_force, calls, found.converged, found.message)


def _matrix(atoms: Atoms, reference: Reference, free: NDArray[np.bool_]) -> sparse.csr_matrix:
    matrix = reference.hessian(atoms)
    return _springs(atoms, free) if matrix is None else _between(matrix, free)


def _springs(atoms: Atoms, free: NDArray[np.bool_]) -> sparse.csr_matrix:
    return _between(bond_hessian(atoms, 2.25 * float(np.median(_shortest(atoms)))), free)


def _between(matrix: sparse.csr_matrix, free: NDArray[np.bool_]) -> sparse.csr_matrix:
    """Rows and columns of the free atoms."""
    chosen = np.flatnonzero(np.repeat(free, 3))
    return matrix if len(chosen) == matrix.shape[0] else matrix[chosen][:, chosen].tocsr()


def _shortest(atoms: Atoms) -> NDArray[np.float64]:
    from ase.neighborlist import neighbor_list

    i, d = neighbor_list("id", atoms, 4.0)
    nearest = np.full(len(atoms), 4.0)
    np.minimum.at(nearest, i, d)
    return nearest


def _save(
    path: Path,
    atoms: Atoms,
    defect: DefectCell,
    free: NDArray[np.bool_],
    energies: tuple[float, float],
    hessian: sparse.csr_matrix,
    exact: bool,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    matrix, perfect = sparse.csr_matrix(hessian), defect.perfect
    more = {} if perfect is None else {"perfect": perfect.positions, "perfect_numbers": perfect.numbers}
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    with os.fdopen(handle, "wb") as file:
        np.savez(
            file, numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc,
            distances=defect.distances(), free=free, energies=np.array(energies), data=matrix.data,
            indices=matrix.indices, indptr=matrix.indptr, exact=np.array(exact), **more,
        )  # fmt: skip
    os.replace(temporary, path)


def load_equilibrium(path: Path) -> Equilibrium:
    """Read what :func:`relax_reference` wrote."""
    from ase import Atoms

    with np.load(path, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    atoms = Atoms(numbers=data["numbers"], positions=data["positions"], cell=data["cell"], pbc=data["pbc"])
    n, perfect = len(data["indptr"]) - 1, None
    if "perfect" in data:
        perfect = atoms[:0]
        perfect.extend(Atoms(data["perfect_numbers"], positions=data["perfect"]))
    return Equilibrium(
        atoms,
        data["distances"],
        data["free"],
        float(data["energies"][0]),
        float(data["energies"][1]),
        sparse.csr_matrix((data["data"], data["indices"], data["indptr"]), shape=(n, n)),
        bool(data["exact"]),
        perfect,
    )
