"""Energy against volume far into compression and expansion: does the crystal have a bottom, and only one?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.curves import local_minima, rises_down_to

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.potential import Potential

__all__ = ["VolumeScan", "prototypes", "volume_scan", "volume_scans"]

MINIMUM_PROMINENCE = 0.020  # eV/atom
STRONGEST = 0.55  # smallest linear scale: 17 % of the volume
WIDEST = 1.30  # largest linear scale: 220 % of the volume
REACHABLE = 5.0  # eV/atom; no simulation climbs higher
ORDINARY = 0.8  # linear scale below which a minimum is a collapse, not a crystal
LATTICES = ("diamond", "fcc", "bcc", "sc")
# nearest-neighbour distance in units of the cubic lattice constant
_BOND = {
    "diamond": 3**0.5 / 4,
    "fcc": 0.5**0.5,
    "bcc": 3**0.5 / 2,
    "sc": 1.0,
    "rocksalt": 0.5,
    "cesiumchloride": 3**0.5 / 2,
}


@dataclass(frozen=True, eq=False)
class VolumeScan:
    """E(V) of one structure under uniform scaling.

    Attributes
    ----------
    name : str
    volume : (n,) array, Å^3 per atom, ascending
    energy : (n,) array, eV per atom
    v0, e0 : float
        The lowest minimum (Å^3 per atom, eV per atom).
    n_minima : int
        Minima more than 20 meV/atom deep and less than 5 eV/atom above the lowest.
    rises_to : float
        Volume ratio V/V0 down to which compression always costs energy.
    barrier : float
        Energy (eV per atom above `e0`) at `rises_to`: what it takes to get into whatever lies beyond.
    beyond : float
        Lowest energy (eV per atom above `e0`) at stronger compression than `rises_to`.
    collapsed : bool
        There is no minimum but at less than half of the reference volume.
    """

    name: str
    volume: np.ndarray
    energy: np.ndarray
    v0: float
    e0: float
    n_minima: int
    rises_to: float
    barrier: float
    beyond: float
    collapsed: bool = False

    @property
    def monotonic(self) -> bool:
        """Compression costs energy as far as scanned."""
        return self.rises_to <= float(self.volume[0]) / self.v0 * 1.0001

    @property
    def hole(self) -> bool:
        """A deeper energy or a low barrier waits under compression: simulations may fall in."""
        return self.collapsed or (not self.monotonic and (self.barrier < REACHABLE or self.beyond < 0.0))

    @property
    def sane(self) -> bool:
        """One bottom, and no way down under compression that a simulation could take."""
        return self.n_minima == 1 and not self.hole

    @property
    def verdict(self) -> str:
        """The judgement in words."""
        bottom = f"{self.name}: lowest at {self.v0:.2f} Å³/atom ({self.e0:.3f} eV/atom)"
        if self.n_minima == 0:
            return f"{bottom}; no minimum inside the scanned range: the structure does not bind"
        extra = f"; {self.n_minima} minima where one is expected" if self.n_minima > 1 else ""
        if self.collapsed:
            return f"{bottom}; HOLE: the structure collapses, there is no minimum at an ordinary density"
        if self.hole:
            return (
                f"{bottom}; HOLE: below V/V0 = {self.rises_to:.2f} compression lowers the energy, behind a "
                f"barrier of {self.barrier:.1f} eV/atom{extra}"
            )
        if not self.monotonic:
            return (
                f"{bottom}; uneven below V/V0 = {self.rises_to:.2f}, out of reach behind "
                f"{self.barrier:.0f} eV/atom{extra}"
            )
        return f"{bottom}; energy rises all the way to V/V0 = {self.volume[0] / self.v0:.2f}{extra}"

    def to_dict(self) -> dict[str, Any]:
        """Verdict and key figures, without the curve."""
        return {
            "structure": self.name,
            "v0_A3_per_atom": self.v0,
            "e0_eV_per_atom": self.e0,
            "n_minima": self.n_minima,
            "rises_to_volume_ratio": self.rises_to,
            "barrier_eV_per_atom": self.barrier,
            "hole": self.hole,
            "sane": self.sane,
            "verdict": self.verdict,
        }


def volume_scan(
    energy_per_atom: Callable[[float], float],
    name: str,
    reference_volume: float,
    *,
    n_points: int = 120,
) -> VolumeScan:
    """Sample and judge one curve.

    Parameters
    ----------
    energy_per_atom : callable
        Maps the linear scale to eV per atom.
    name : str
    reference_volume : float
        Å^3 per atom at scale 1.
    n_points : int
    """
    scale = np.linspace(STRONGEST, WIDEST, n_points)
    energy = np.array([energy_per_atom(float(s)) for s in scale])
    volume = reference_volume * scale**3
    minima = local_minima(energy, MINIMUM_PROMINENCE)
    ordinary = minima[scale[minima] >= ORDINARY]
    bottom = _lowest(energy, ordinary if ordinary.size else minima)
    reached = rises_down_to(volume, energy, bottom)
    top = int(np.searchsorted(volume, reached))
    e0 = float(energy[bottom])
    return VolumeScan(
        name=name,
        volume=volume,
        energy=energy,
        v0=float(volume[bottom]),
        e0=e0,
        n_minima=int(np.sum(energy[minima] < e0 + REACHABLE)),
        rises_to=reached / float(volume[bottom]),
        barrier=float(energy[top]) - e0,
        beyond=float(np.min(energy[: top + 1])) - e0,
        collapsed=bool(minima.size and not ordinary.size),
    )


def _lowest(energy: np.ndarray, among: np.ndarray) -> int:
    """Index of the lowest energy among some indices, or of all where there are none."""
    return int(among[np.argmin(energy[among])]) if among.size else int(np.argmin(energy))


def prototypes(elements: Sequence[str], bond: Callable[[str, str], float]) -> dict[str, Atoms]:
    """Simple crystals at a sensible density: four lattices for one element, fcc and binaries for several.

    Parameters
    ----------
    elements : sequence of str
    bond : callable
        Nearest-neighbour distance (Å) of two symbols.
    """
    from ase.build import bulk

    def elemental(symbol: str, lattice: str) -> Atoms:
        return bulk(symbol, lattice, a=bond(symbol, symbol) / _BOND[lattice])

    if len(elements) == 1:
        return {lattice: elemental(elements[0], lattice) for lattice in LATTICES}
    crystals = {f"{symbol} fcc": elemental(symbol, "fcc") for symbol in elements}
    for i, a in enumerate(elements):
        for b in elements[i + 1 :]:
            for lattice in ("rocksalt", "cesiumchloride"):
                constant = bond(a, b) / _BOND[lattice]
                crystals[f"{a}{b} {lattice}"] = bulk(a + b, lattice, a=constant)
    return crystals


def volume_scans(
    potential: Potential,
    structures: dict[str, Atoms] | None = None,
    *,
    most: int = 12,
    n_points: int = 120,
) -> list[VolumeScan]:
    """E(V) of simple crystals, or of the user's structures, from 17 % to 220 % of the volume.

    Parameters
    ----------
    potential : Potential
    structures : dict of name to Atoms, optional
        Periodic structures; default: diamond, fcc, bcc and simple cubic at the element's bond length (for
        several elements: fcc of each, rocksalt and CsCl of each pair).
    most : int
        At most this many structures are scanned.
    n_points : int
        Samples per curve.
    """
    from lacemaker.analysis.predictions import SinglePoint, nearest_neighbour_distance

    if structures is None:
        bond = partial(nearest_neighbour_distance, potential)
        structures = prototypes(potential.elements, bond)
    single_point = SinglePoint(potential)
    return list(_scan_all(single_point, list(structures.items())[:most], n_points))


def _scan_all(
    single_point: Callable[..., tuple[float, np.ndarray | None]],
    structures: Iterable[tuple[str, Atoms]],
    n_points: int,
) -> Iterable[VolumeScan]:
    for name, atoms in structures:
        symbols, positions, cell = atoms.get_chemical_symbols(), atoms.get_positions(), np.array(atoms.cell)

        def energy_per_atom(
            scale: float,
            symbols: list[str] = symbols,
            positions: np.ndarray = positions,
            cell: np.ndarray = cell,
        ) -> float:
            energy, _ = single_point(
                symbols, positions * scale, cell * scale, (True, True, True), forces=False
            )
            return energy / len(symbols)

        yield volume_scan(energy_per_atom, name, atoms.get_volume() / len(atoms), n_points=n_points)
