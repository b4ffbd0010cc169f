"""The ASE face of a potential: energy, forces and stress, with neighbour lists that last many MD steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator as AseCalculator
from ase.calculators.calculator import PropertyNotImplementedError, all_changes

from lacemaker.errors import EvaluationError, problem
from lacemaker.potential import Evaluator, Potential, Prediction
from lacemaker.uncertainty.storage import has_committee, has_extrapolation_grade

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.structures import NeighbourList
    from lacemaker.uncertainty import Committee, ExtrapolationGrade

__all__ = ["Calculator", "LastingNeighbours", "StressNotDefinedError"]


SPREADS = ("energy_std", "forces_std", "stress_std", "energies_std", "forces_std_norm")
GRADES = ("extrapolation_grade",)
_COMPILED = ("_evaluator", "_neighbours", "_committee", "_grade")


class StressNotDefinedError(EvaluationError, PropertyNotImplementedError):
    """Stress was asked of atoms without a periodic volume; to ASE's tools, a property not implemented."""


class LastingNeighbours:
    """A neighbour list with a skin, rebuilt only when a pair outside it could have come within the cutoff.

    A list built at positions x and lattice vectors h holds all pairs nearer than cutoff + skin. Later, at x'
    and h', let F be the strain that carries the periodic rows of h to those of h' (h F = h') and u_i = x'_i -
    x_i F what is left of the displacements. A pair that was at a distance d ≥ cutoff + skin is now no nearer
    than σ_min(F) d - 2 max|u|, σ_min being the smallest singular value (at most 1 is used). The list still
    holds every pair within the cutoff while ::

        σ_min(F) (cutoff + skin) - 2 max|u| ≥ cutoff

    which for a fixed cell is the usual max|u| ≤ skin / 2. Atoms that a driver wraps back into the cell jump
    by a lattice vector, which is far more than that, so they cause a rebuild.

    Parameters
    ----------
    evaluator : Evaluator
        Makes the lists and knows the cutoff.
    skin : float
        Å; with 0 the list is rebuilt whenever anything moved.
    """

    def __init__(self, evaluator: Evaluator, skin: float) -> None:
        self.skin = skin
        self.n_builds = 0
        self._evaluator = evaluator
        self._list: NeighbourList | None = None
        self._key: bytes = b""
        self._positions = np.empty((0, 3))
        self._cell = np.empty((3, 3))

    def update(
        self, species: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> NeighbourList:
        """The list to use for these atoms, the old one if it still holds every pair within the cutoff."""
        key = species.tobytes() + pbc.tobytes()
        if self._list is None or key != self._key or not self._still_holds(positions, cell, pbc):
            self._list = self._evaluator.neighbours(positions, cell, pbc, skin=self.skin)
            self._key, self._positions, self._cell = key, positions.copy(), cell.copy()
            self.n_builds += 1
        return self._list

    def _still_holds(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> bool:
        carried, smallest = self._positions, 1.0
        old, new = self._cell[pbc], cell[pbc]
        if not np.array_equal(old, new):
            strain = np.eye(3) + np.linalg.pinv(old) @ (new - old)
            carried = carried @ strain
            smallest = min(1.0, float(np.linalg.svd(strain, compute_uv=False)[-1]))
        reach = self._evaluator.cutoff
        allowed = (smallest * (reach + self.skin) - reach) / 2
        residual = positions - carried
        moved = float(np.einsum("ij,ij->i", residual, residual).max(initial=0.0))
        return allowed >= 0 and moved <= allowed**2


class Calculator(AseCalculator):
    """ASE calculator of a lacemaker potential.

    Offers ``energy``, ``free_energy`` (the same), ``energies`` (site energies that sum to the energy),
    ``forces`` and, for atoms with a periodic volume, ``stress`` (eV/Å³, ASE's sign and Voigt order). It can
    be pickled and copied; ``results`` depend on the atoms alone, to rounding.

    A potential that carries posterior samples (:func:`lacemaker.uncertainty.attach_committee`) also has
    ``energy_std``, ``forces_std`` (n_atoms, 3) and ``stress_std``, and per atom ``energies_std`` (n_atoms,)
    eV of the site energies and ``forces_std_norm`` (n_atoms,) eV/Å, the norm of each atom's ``forces_std``.
    One that carries active sets (:func:`lacemaker.uncertainty.attach_extrapolation_grade`) has
    ``extrapolation_grade`` (n_atoms,). They are evaluated only when asked for:
    ``calc.get_property("forces_std", atoms)``.
    ``calc.get_property("hessian", atoms)`` is the analytic sparse Hessian.

    Parameters
    ----------
    potential : Potential, NetworkPotential or path
        A potential, or the path of a ``.lace`` file. A network (extra ``nn``), or the path of one, gives a
        `lacemaker.networks.NetworkCalculator`, which takes the same keywords and ``device``.
    skin : float
        Extra reach of the neighbour list in Å: the list is rebuilt only once atoms have moved half of it.
    n_threads : int, optional
        Default: ``OMP_NUM_THREADS`` if set, else the CPUs of this process.
    dtype : {"float64", "float32"}
        Precision inside the kernel; float32 is about twice as fast and good to about 1e-5 eV/Å.
    isa : str
        Instruction set, "auto" for the best of this machine.

    Raises
    ------
    FileFormatError
        If the path does not lead to a readable potential.
    EvaluationError
        On use: unknown element, atoms on top of each other, flat periodic cell, positions not finite.

    Examples
    --------
    >>> atoms.calc = Calculator("si.lace")        # doctest: +SKIP
    >>> atoms.get_potential_energy()              # doctest: +SKIP
    """

    name = "lacemaker"
    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012

    def __new__(cls, potential: Any = None, *args: Any, **kwargs: Any) -> Calculator:
        """A network or its file gives a `lacemaker.networks.NetworkCalculator`, which is a Calculator too."""
        if cls is Calculator and _of_network(potential):
            from lacemaker.networks import NetworkCalculator

            return super().__new__(NetworkCalculator)
        return super().__new__(cls)

    def __init__(
        self,
        potential: Potential | str | os.PathLike[str],
        *,
        skin: float = 0.5,
        n_threads: int | None = None,
        dtype: str = "float64",
        isa: str = "auto",
    ) -> None:
        super().__init__()
        path = None if isinstance(potential, Potential) else os.fspath(potential)
        self.potential = potential if isinstance(potential, Potential) else Potential.load(potential)
        self.parameters.update(
            potential=path, skin=checked_skin(skin), n_threads=n_threads, dtype=dtype, isa=isa
        )
        self._start()

    def _start(self) -> None:
        """Compile the evaluator; results and lists begin afresh."""
        p = self.parameters
        self._evaluator = self.potential.evaluator(p["isa"], p["dtype"], p["n_threads"])
        self._neighbours = LastingNeighbours(self._evaluator, p["skin"])
        self._committee: Committee | None = None
        self._grade: ExtrapolationGrade | None = None
        offered = [*type(self).implemented_properties]
        offered += SPREADS if has_committee(self.potential) else ()
        offered += GRADES if has_extrapolation_grade(self.potential) else ()
        self.implemented_properties = offered

    @property
    def n_neighbour_builds(self) -> int:
        """How often the neighbour list was built since this calculator was made, copied or unpickled."""
        return self._neighbours.n_builds

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Refuse changes: a calculator's parameters are fixed when it is made."""
        if kwargs:
            wanted = ", ".join(f"{key}=…" for key in kwargs)
            raise problem(
                EvaluationError,
                "a lacemaker calculator cannot be changed",
                ", ".join(kwargs),
                f"make a new one: {type(self).__name__}(potential, {wanted})",
            )
        return {}

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What differs from the atoms of the last results; exactly, and many times faster than ASE's own.

        Dynamics asks several times per step. Charges and magnetic moments do not matter here.
        """
        old = self.atoms
        if old is None:
            return list(all_changes)
        same = {
            "positions": np.array_equal(old.positions, atoms.positions),
            "numbers": np.array_equal(old.numbers, atoms.numbers),
            "cell": np.array_equal(old.cell.array, atoms.cell.array),
            "pbc": np.array_equal(old.pbc, atoms.pbc),
        }
        return [name for name, equal in same.items() if not equal]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Fill ``results`` for `atoms`; called by ASE."""
        super().calculate(atoms, properties, system_changes)  # keeps a copy as self.atoms
        evaluator, known = self._evaluator, {} if system_changes else self.results
        self.results = {}
        structure: Any = self.atoms
        species, positions, cell, pbc = evaluator.prepare(structure)
        neighbours = self._neighbours.update(species, positions, cell, pbc)
        if "energy" not in known:
            known = _results(evaluator.evaluate(species, positions, cell, pbc, neighbours))
        if "stress" not in known and ("stress" in properties or "stress_std" in properties):
            raise problem(
                StressNotDefinedError,
                "stress is not defined for these atoms",
                f"pbc {pbc.tolist()} and a cell volume of {abs(np.linalg.det(cell)):g} Å³",
                "set a cell and pbc=True, or do not ask for the stress",
            )
        self.results = known
        if any(name in SPREADS for name in properties):
            self.results |= self._spread(species, positions, cell, pbc, neighbours)
        if any(name in GRADES for name in properties):
            self.results |= self._grades(species, positions, cell, neighbours)

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """As in ASE; ``"hessian"`` and ``"dynamical_matrix"`` besides, as in matscipy."""
        if name in ("hessian", "dynamical_matrix"):
            return self.get_hessian(atoms, divide_by_masses=name != "hessian") if allow_calculation else None
        return super().get_property(name, atoms, allow_calculation)

    def get_hessian(
        self, atoms: Atoms | None = None, format: str = "sparse", divide_by_masses: bool = False
    ) -> Any:
        """Second derivatives of the energy, analytic, always in float64.

        Parameters
        ----------
        atoms : Atoms, optional
            Default: the atoms of the last calculation.
        format : {"sparse", "dense"}
            scipy CSR array or NumPy array, both (3 n_atoms, 3 n_atoms), eV/Å².
        divide_by_masses : bool
            Divide by √(m_i m_j): the dynamical matrix, eV/(Å² u).
        """
        structure: Any = self.atoms if atoms is None else atoms
        if format not in ("sparse", "dense") or structure is None:
            raise problem(
                EvaluationError,
                "the Hessian cannot be computed",
                "no atoms" if structure is None else f"format={format!r}",
                "pass atoms, and 'sparse' or 'dense' as the format",
            )
        hessian = self._hessian_evaluator().sparse(structure)
        if divide_by_masses:
            from scipy.sparse import diags_array

            scale = diags_array(np.repeat(structure.get_masses() ** -0.5, 3))
            hessian = (scale @ hessian @ scale).tocsr()
        return hessian if format == "sparse" else hessian.toarray()

    def _hessian_evaluator(self) -> Any:
        return self.potential.hessian_evaluator(self.parameters["isa"], self.parameters["n_threads"])

    def _spread(
        self,
        species: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray,
        pbc: np.ndarray,
        neighbours: NeighbourList,
    ) -> dict[str, Any]:
        """Standard deviations under their names; the committee is compiled on first use."""
        if self._committee is None:
            from lacemaker.uncertainty import Committee

            self._committee = Committee(self.potential, isa=self.parameters["isa"])
        threads = self._threads(len(species))
        spread = self._committee.spread(species, positions, cell, pbc, neighbours, n_threads=threads)
        found: dict[str, Any] = {name: getattr(spread, name) for name in SPREADS}
        return {name: value for name, value in found.items() if value is not None}

    def _grades(
        self, species: np.ndarray, positions: np.ndarray, cell: np.ndarray, neighbours: NeighbourList
    ) -> dict[str, Any]:
        """Extrapolation grades under their name; compiled on first use."""
        if self._grade is None:
            from lacemaker.uncertainty import ExtrapolationGrade

            self._grade = ExtrapolationGrade(self.potential, isa=self.parameters["isa"])
        threads = self._threads(len(species))
        return dict.fromkeys(
            GRADES, self._grade.grades(species, positions, cell, neighbours, n_threads=threads)
        )

    def _threads(self, n_atoms: int) -> int:
        return min(self._evaluator.n_threads, 1 + n_atoms // 64)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _COMPILED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()


def _of_network(potential: Any) -> bool:
    """Whether this is a network or the path of one, told without importing PyTorch."""
    if isinstance(potential, (str, os.PathLike)):
        from lacemaker.networks.file import is_network

        return is_network(potential)
    home = sys.modules.get("lacemaker.networks.potential")  # there once anyone has made a network
    return home is not None and isinstance(potential, home.NetworkPotential)


def _results(prediction: Prediction) -> dict[str, Any]:
    """A prediction under ASE's names."""
    results: dict[str, Any] = {
        "energy": prediction.energy,
        "free_energy": prediction.energy,
        "energies": prediction.energies,
        "forces": prediction.forces,
    }
    if prediction.stress is not None:
        results["stress"] = prediction.stress
    return results


def checked_skin(skin: float) -> float:
    """The skin of a neighbour list, Å; EvaluationError if it is negative or no number."""
    if not (np.isfinite(skin) and skin >= 0):
        raise problem(
            EvaluationError,
            "the skin of the neighbour list is impossible",
            f"skin={skin}",
            "give 0 or more Å, such as 0.5",
        )
    return float(skin)
