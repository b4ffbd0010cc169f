"""Spurious minima: places where a potential binds though nature does not, for any ASE calculator.

Four looks, cheap to dear: dimers, trimers, the crystal under compression, and random cells relaxed to rest. A
relaxed cell is unphysical if it ends below the crystal, dense or fallen apart into atoms (then E0 is wrong),
with atoms on top of each other, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.curves import rises_down_to
from lacemaker.analysis.dimers import DimerCurve
from lacemaker.analysis.random_cells import Relaxation, relax_random_cells
from lacemaker.analysis.stability import shortest_distance
from lacemaker.analysis.vacuum_curves import MOST_MINIMA, TrimerCurve, dimers, trimers
from lacemaker.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Compression", "SpuriousMinima", "compression", "spurious_minima"]

SMALLEST_VOLUME = 0.6  # of the crystal's


@dataclass(frozen=True, eq=False)
class Compression:
    """A crystal from its equilibrium volume downwards.

    Attributes
    ----------
    ratio : (n,) array, V/V0, ascending to 1
    energy : (n,) array, eV per atom above the equilibrium
    volume : float
        V0, Å^3 per atom.
    crystal_energy : float
        eV per atom at V0.
    rises_to : float
        Volume ratio down to which compression always costs energy.
    """

    ratio: np.ndarray
    energy: np.ndarray
    volume: float
    crystal_energy: float
    rises_to: float

    @property
    def sane(self) -> bool:
        """Compression costs energy as far as scanned."""
        return self.rises_to <= float(self.ratio[0])


@dataclass(frozen=True, eq=False)
class SpuriousMinima:
    """All four looks at one calculator."""

    bond_length: float
    dimers: tuple[DimerCurve, ...]
    trimers: tuple[TrimerCurve, ...]
    compression: Compression
    relaxations: tuple[Relaxation, ...]

    @property
    def n_unphysical(self) -> int:
        """Random cells that ended where no real material does."""
        return sum(bool(r.fault) for r in self.relaxations)

    @property
    def faults(self) -> dict[str, int]:
        """What was wrong with how many random cells."""
        return dict(Counter(r.fault for r in self.relaxations if r.fault))

    @property
    def sane(self) -> bool:
        """Nothing spurious found."""
        curves = [_dimer_sane(d) for d in self.dimers] + [t.sane for t in self.trimers]
        return all(curves) and self.compression.sane and self.n_unphysical == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the curves."""
        return {
            "bond_length_A": self.bond_length,
            "dimers": {d.name: _dimer_facts(d) for d in self.dimers},
            "trimers": {"-".join(t.symbols): {"minima": len(t.minima)} for t in self.trimers},
            "volume_A3_per_atom": self.compression.volume,
            "compression_rises_to": self.compression.rises_to,
            "relaxations": [asdict(r) for r in self.relaxations],
            "n_unphysical": self.n_unphysical,
            "sane": self.sane,
        }

    def __str__(self) -> str:
        lines = []
        for d in self.dimers:
            core = "repulsive core" if d.repulsive else f"HOLE below {d.repulsive_down_to:.2f} Å"
            lines.append(f"dimer {d.name}: {len(d.minima)} minima, {core}")
        lines += [f"trimer {'–'.join(t.symbols)}: {len(t.minima)} minima in the angle" for t in self.trimers]
        c = self.compression
        state = "costs energy" if c.sane else f"HOLE: the energy falls below V/V0 = {c.rises_to:.2f}"
        lines.append(f"compression to V/V0 = {c.ratio[0]:.2f}: {state}")
        if self.relaxations:
            why = ", ".join(f"{n} {fault}" for fault, n in self.faults.items())
            found = f"{self.n_unphysical} of {len(self.relaxations)} unphysical"
            lines.append(f"random cells, relaxed: {found}" + (f" ({why})" if why else ""))
        return "\n".join(lines)


def compression(
    calculator: BaseCalculator, crystal: Atoms, *, smallest: float = SMALLEST_VOLUME, n_points: int = 60
) -> Compression:
    """Energy of a uniformly compressed crystal, from the calculator's own equilibrium volume.

    Parameters
    ----------
    calculator : ASE calculator
    crystal : Atoms
        Periodic, its lattice constant within 10 % of the equilibrium's.
    smallest : float
        V/V0 where the scan ends.
    n_points : int
    """
    from scipy.optimize import minimize_scalar

    energy = _scaled_energy(calculator, crystal)
    start = min(np.linspace(0.9, 1.1, 21).tolist(), key=energy)
    bounds = (start - 0.02, start + 0.02)
    best = float(minimize_scalar(energy, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)
    ratio = np.linspace(smallest, 1.0, n_points)
    scanned = np.array([energy(best * x ** (1 / 3)) for x in ratio])
    lowest = scanned[-1]
    return Compression(
        ratio=ratio,
        energy=scanned - lowest,
        volume=crystal.get_volume() / len(crystal) * best**3,
        crystal_energy=float(lowest),
        rises_to=rises_down_to(ratio, scanned, n_points - 1, tolerance=1e-6),
    )


def spurious_minima(
    calculator: BaseCalculator,
    crystal: Atoms,
    *,
    n_cells: int = 50,
    n_atoms: int = 8,
    relax_cell: bool | None = None,
    seed: int = 0,
    advance: Callable[[int, int], None] | None = None,
) -> SpuriousMinima:
    """Look for spurious minima.

    Parameters
    ----------
    calculator : ASE calculator
        Energy and forces, and stress if cells are to relax.
    crystal : Atoms
        The stable crystal; its composition, density and bond length set the scales.
    n_cells, n_atoms : int
        Random cells, and atoms in each.
    relax_cell : bool, optional
        Relax the cells too, not only the positions; default: if the calculator has the stress.
    seed : int
        Of the random cells.
    advance : callable, optional
        Called with (cells done, cells in all).

    Raises
    ------
    DataError
        If the crystal is not periodic, or no two of its atoms are near each other.
    """
    if not all(crystal.pbc):
        raise DataError(
            "Compression and random cells need the density of a crystal. Found a structure that is not "
            f"periodic in all directions (pbc {list(map(bool, crystal.pbc))}). Give the stable crystal."
        )
    length = shortest_distance(crystal, 6.0)
    if not np.isfinite(length):
        raise DataError(
            "The bond length cannot be read off the crystal: no two atoms are within 6 Å. Found "
            f"{len(crystal)} atoms. Give the crystal at its usual density."
        )
    if relax_cell is None:
        relax_cell = "stress" in calculator.implemented_properties
    squeezed = compression(calculator, crystal)
    length *= float((squeezed.volume * len(crystal) / crystal.get_volume()) ** (1 / 3))
    kinds = tuple(dict.fromkeys(crystal.get_chemical_symbols()))
    relaxed = relax_random_cells(
        calculator,
        _composition(crystal, n_atoms),
        volume=squeezed.volume,
        bond_length=length,
        crystal_energy=squeezed.crystal_energy,
        n_cells=n_cells,
        relax_cell=relax_cell,
        seed=seed,
        advance=advance,
    )
    return SpuriousMinima(
        bond_length=length,
        dimers=tuple(dimers(calculator, kinds, length)),
        trimers=tuple(trimers(calculator, kinds, length)),
        compression=squeezed,
        relaxations=tuple(relaxed),
    )


def _composition(crystal: Atoms, n_atoms: int) -> list[str]:
    """Symbols of the crystal's composition, at least one formula unit and about `n_atoms`."""
    from math import gcd

    counts = Counter(crystal.get_chemical_symbols())
    unit = gcd(*counts.values())
    size = len(crystal) // unit
    units = max(1, round(n_atoms / size))
    return [symbol for symbol, count in counts.items() for _ in range(units * count // unit)]


def _scaled_energy(calculator: BaseCalculator, crystal: Atoms) -> Callable[[float], float]:
    atoms = crystal.copy()
    atoms.calc = calculator
    cell = np.array(crystal.cell)

    def energy(scale: float) -> float:
        atoms.set_cell(cell * scale, scale_atoms=True)
        return float(atoms.get_potential_energy()) / len(atoms)

    return energy


def _dimer_sane(curve: DimerCurve) -> bool:
    return curve.repulsive and len(curve.minima) <= MOST_MINIMA


def _dimer_facts(curve: DimerCurve) -> dict[str, Any]:
    return {
        "minima": len(curve.minima),
        "repulsive": curve.repulsive,
        "roughness_eV": float(np.abs(np.diff(curve.energy, 2)).sum()),
    }
