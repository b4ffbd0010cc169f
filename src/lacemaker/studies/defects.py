"""Point defects and dislocation quadrupoles in a crystal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import ConfigError

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.studies.crystals import Crystal

__all__ = ["DEFECTS", "DefectCell", "defect_cell", "insert"]

SYMMETRY_BREAK = 0.05  # Å: how far interstitials start from their symmetric site

_SITES: dict[str, dict[str, tuple[float, float, float]]] = {
    "diamond": {"tetrahedral": (0.5, 0.5, 0.5), "hexagonal": (0.625, 0.375, 0.375)},
    "bcc": {"tetrahedral": (0.5, 0.25, 0.0), "octahedral": (0.5, 0.5, 0.0)},
    "fcc": {"tetrahedral": (0.25, 0.25, 0.25), "octahedral": (0.5, 0.5, 0.5)},
}

_LENGTHS = {"diamond": 1.0, "bcc": 0.8, "fcc": 0.8}  # of dumbbells, in nearest-neighbour distances

DEFECTS = (
    "vacancy",
    "divacancy",
    "interstitial-tetrahedral",
    "interstitial-octahedral",
    "interstitial-hexagonal",
    "dumbbell-100",
    "dumbbell-110",
    "dumbbell-111",
    "quadrupole-…",
)
"""Names :func:`defect_cell` knows; ``quadrupole-`` is followed by a dislocation class of matscipy."""


@dataclass(frozen=True, eq=False)
class DefectCell:
    """Atoms with a defect, before relaxation.

    Attributes
    ----------
    atoms : ase.Atoms
    core : (3,) or (m, 3) array
        Where the defect is, Å: a point, or points on dislocation lines (distances are then in the plane).
    line : (3,) array or None
        Direction of the dislocation lines.
    perfect : ase.Atoms or None
        The same cluster without the defect; None for periodic cells.
    """

    atoms: Atoms
    core: np.ndarray
    line: np.ndarray | None = None
    perfect: Atoms | None = None

    def distances(self) -> np.ndarray:
        """Distance of every atom from the nearest core, (n_atoms,) Å."""
        from ase.geometry import find_mic

        nearest = np.full(len(self.atoms), np.inf)
        for core in np.atleast_2d(self.core):
            vectors, lengths = find_mic(self.atoms.positions - core, self.atoms.cell, self.atoms.pbc)
            if self.line is not None:
                across = vectors - np.outer(vectors @ self.line, self.line)
                lengths = np.linalg.norm(across, axis=1)
            nearest = np.minimum(nearest, lengths)
        return nearest


def defect_cell(name: str, crystal: Crystal, n: int, calculator: Any = None) -> DefectCell:
    """A defect in the middle of an n × n × n supercell of the conventional cell.

    Parameters
    ----------
    name : str
        One of ``DEFECTS``.
    crystal : Crystal
    n : int
        For quadrupoles the separation of the two dislocations, in glide distances.
    calculator : ASE calculator, optional
        The reference; quadrupoles take their elastic constants from it.

    Raises
    ------
    ConfigError
    """
    if name.startswith("quadrupole-"):
        return _quadrupole(name.removeprefix("quadrupole-"), crystal, n, calculator)
    atoms = crystal.supercell(n)
    middle = np.full(3, 0.5) @ atoms.cell.array
    host = int(np.argmin(np.linalg.norm(atoms.positions - middle, axis=1)))
    return insert(name, atoms, host, crystal)


def insert(name: str, atoms: Atoms, host: int, crystal: Crystal) -> DefectCell:
    """The defect at, or next to, atom `host` of a perfect crystal (any shape, also a cluster)."""
    for prefix, make in _MAKERS.items():
        if name.startswith(prefix):
            return make(name, atoms, host, crystal)
    raise ConfigError(
        f"The defect {name!r} is unknown. Known: {', '.join(DEFECTS)}. Choose one of them, or "
        "interstitial-x,y,z with fractions of the conventional cell."
    )


def _vacancy(name: str, atoms: Atoms, host: int, crystal: Crystal) -> DefectCell:
    core = atoms.positions[host].copy()
    del atoms[host]
    return DefectCell(atoms, core)


def _divacancy(name: str, atoms: Atoms, host: int, crystal: Crystal) -> DefectCell:
    vectors = atoms.get_distances(host, np.arange(len(atoms)), mic=bool(atoms.pbc.any()), vector=True)
    lengths = np.linalg.norm(vectors, axis=1)
    lengths[host] = np.inf
    other = int(np.argmin(lengths))
    core = atoms.positions[host] + 0.5 * vectors[other]
    del atoms[sorted((host, other), reverse=True)]
    return DefectCell(atoms, core)


def _interstitial(name: str, atoms: Atoms, host: int, crystal: Crystal) -> DefectCell:
    fractions = _site(name.removeprefix("interstitial").lstrip("-"), crystal.structure)
    origin = crystal.cell.positions[0]
    site = atoms.positions[host] - origin + fractions @ crystal.cell.cell.array
    if crystal.structure == "diamond":  # the host may be on the other sublattice
        site = _roomiest(atoms, atoms.positions[host], site - atoms.positions[host])
    nudge = np.random.default_rng(0).normal(size=3)
    symbol = atoms[host].symbol
    atoms.append(symbol)
    atoms.positions[-1] = site + SYMMETRY_BREAK * nudge / np.linalg.norm(nudge)
    return DefectCell(atoms, site)


def _roomiest(atoms: Atoms, host: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The one of host ± vector that has more room."""
    from ase.geometry import find_mic

    sites = [host + vector, host - vector]
    room = [find_mic(atoms.positions - site, atoms.cell, atoms.pbc)[1].min() for site in sites]
    return sites[int(np.argmax(np.round(room, 6)))]


def _site(text: str, structure: str) -> np.ndarray:
    known = _SITES.get(structure, {})
    if text in known:
        return np.array(known[text])
    try:
        fractions = np.array([float(part) for part in text.split(",")])
    except ValueError:
        fractions = np.zeros(0)
    if fractions.shape != (3,):
        raise ConfigError(
            f"The interstitial site {text!r} is unknown for {structure}. Known: "
            f"{', '.join(known) or 'none'}. Write interstitial-x,y,z with fractions of the conventional cell."
        )
    return fractions


def _dumbbell(name: str, atoms: Atoms, host: int, crystal: Crystal) -> DefectCell:
    digits = name.removeprefix("dumbbell").lstrip("-")
    if len(digits) != 3 or not digits.isdigit() or digits == "000":
        raise ConfigError(
            f"The dumbbell's direction is unreadable. Found {digits!r}. Write three digits, as dumbbell-110."
        )
    direction = np.array([float(digit) for digit in digits]) @ crystal.cell.cell.array
    direction /= np.linalg.norm(direction)
    half = 0.5 * _LENGTHS.get(crystal.structure, 0.8) * crystal.nearest_neighbour * direction
    core, symbol = atoms.positions[host].copy(), atoms[host].symbol
    nudge = SYMMETRY_BREAK * np.random.default_rng(0).normal(size=3) / 3.0
    atoms.positions[host] = core - half
    atoms.append(symbol)
    atoms.positions[-1] = core + half + nudge
    return DefectCell(atoms, core)


_MAKERS: dict[str, Callable[[str, Any, int, Any], DefectCell]] = {
    "vacancy": _vacancy,
    "divacancy": _divacancy,
    "interstitial": _interstitial,
    "dumbbell": _dumbbell,
}


def _quadrupole(name: str, crystal: Crystal, n: int, calculator: Any) -> DefectCell:
    """A periodic quadrupole of matscipy.dislocation; `name` is one of its classes."""
    try:
        from matscipy import dislocation
    except ImportError as error:
        raise ConfigError(
            "Dislocations need matscipy. Found no such package. Install it with "
            "pip install 'lacemaker[validate]', or leave the quadrupole out."
        ) from error
    known = [c for c in dir(dislocation) if c.startswith(("BCC", "FCC", "Diamond")) and c != "Diamond"]
    if name not in known:
        raise ConfigError(f"The dislocation {name!r} is unknown. Known: {', '.join(known)}. Choose one.")
    from lacemaker.analysis.elasticity import elastic_constants
    from lacemaker.studies.quiet import quiet

    with quiet():
        c11, c12, c44 = elastic_constants(calculator, crystal.cell).cubic
        quadrupole = dislocation.Quadrupole(
            getattr(dislocation, name), crystal.lattice_constant, c11, c12, c44,
            symbol=crystal.cell.get_chemical_symbols()[0],
        )  # fmt: skip
        _, atoms = quadrupole.build_quadrupole(glide_separation=n)
    cores = np.array(atoms.info["core_positions"], dtype=float).reshape(-1, 3)
    plain = type(atoms)(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return DefectCell(plain, cores, np.array([0.0, 0.0, 1.0]))
