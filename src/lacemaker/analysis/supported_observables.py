"""What the data say beyond energies of clusters: crystals under strain, pressures and force constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.clusters import frame_of
from lacemaker.analysis.identifiability import MOSTLY_PRIOR, Supporter

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.potential import Potential

__all__ = ["SupportedObservable", "crystal_observables"]

GPA = 160.21766208  # eV/Å³ in GPa
STEP = 0.01  # Å, displacement of the finite difference of forces
STRAINS = {"at bond length": 1.0, "compressed 6 %": 0.94, "stretched 6 %": 1.06}
SHEAR = 0.02


@dataclass(frozen=True)
class SupportedObservable:
    """One prediction and what supports it.

    Attributes
    ----------
    structure, quantity, unit : str
    value, std : float
        Prediction without a fixed core repulsion, and its posterior standard deviation.
    prior_share : float or None
        See :class:`lacemaker.analysis.identifiability.Support`.
    status : {"data", "extrapolated", "prior"}
        Prior: more than half of the variance is the prior's. Extrapolated: the standard deviation exceeds
        10 meV/atom, 1 GPa, 2 meV/atom of shear or 1 eV/Å². Data: neither, or less than a tenth of that.
    """

    structure: str
    quantity: str
    unit: str
    value: float
    std: float
    prior_share: float | None
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


# quantity, unit, standard deviation nobody need care about; ten times that is too much to rely on
_ENERGY = ("energy", "eV/atom", 0.001)
_PRESSURE = ("pressure", "GPa", 0.1)
_SHEAR = ("shear energy", "eV/atom", 0.0002)
_FORCE_CONSTANT = ("force constant", "eV/Å²", 0.1)


def crystal_observables(
    identifiability: Supporter, potential: Potential, structures: dict[str, Atoms] | None = None
) -> list[SupportedObservable]:
    """Energy, pressure, shear energy and on-site force constant of simple crystals, each with its support.

    Parameters
    ----------
    identifiability : Supporter
    potential : Potential
        Sets the bond lengths of the default crystals.
    structures : dict of name to Atoms, optional
        Default: the lattices of :func:`lacemaker.analysis.scans.prototypes`.
    """
    from functools import partial

    from lacemaker.analysis.predictions import nearest_neighbour_distance
    from lacemaker.analysis.scans import prototypes

    if structures is None:
        structures = prototypes(potential.elements, partial(nearest_neighbour_distance, potential))
    known = np.zeros_like(potential.e0) if identifiability.n_one_body else potential.e0
    found: list[SupportedObservable] = []
    for name, atoms in structures.items():
        found += _of_crystal(identifiability, name, atoms, known)
    return found


def _of_crystal(
    identifiability: Supporter, name: str, atoms: Atoms, known_e0: np.ndarray
) -> list[SupportedObservable]:
    """`known_e0` (NZ,) eV: one-body energies that are given, not part of the posterior."""
    design = _Designs(identifiability.basis, atoms.get_chemical_symbols())
    positions, cell = atoms.get_positions(), np.array(atoms.cell)
    rows, labels = [], []
    for where, scale in STRAINS.items():
        at = design(positions * scale, cell * scale)
        rows += [at[0] / len(positions), at[-6:-3].sum(axis=0) / (3 * atoms.get_volume() * scale**3) * GPA]
        labels += [(where, _ENERGY), (where, _PRESSURE)]
    sheared = np.eye(3)
    sheared[0, 1] = sheared[1, 0] = SHEAR
    rest = design(positions, cell)[0]
    rows.append((design(positions @ sheared, cell @ sheared)[0] - rest) / len(positions))
    labels.append((f"sheared {100 * SHEAR:g} %", _SHEAR))
    rows.append(_force_constant(design, positions, cell))
    labels.append(("at bond length", _FORCE_CONSTANT))
    counts = np.zeros((len(rows), len(identifiability.basis.elements)))
    for k, (_, what) in enumerate(labels):
        if what is _ENERGY:
            for symbol in design.symbols:
                counts[k, identifiability.basis.elements.index(symbol)] += 1.0 / len(positions)
    support = identifiability.support(np.array(rows), counts)
    return [
        SupportedObservable(
            structure=f"{name}, {where}",
            quantity=quantity,
            unit=unit,
            value=float(support.value[k] + counts[k] @ known_e0),
            std=float(support.std[k]),
            prior_share=share,
            status=_status(float(support.std[k]) / negligible, share),
        )
        for k, (where, (quantity, unit, negligible)) in enumerate(labels)
        for share in [None if support.prior_share is None else float(support.prior_share[k])]
    ]


def _status(std: float, prior_share: float | None) -> str:
    """Verdict from a standard deviation in units of what is negligible."""
    if std > 1.0 and prior_share is not None and prior_share > MOSTLY_PRIOR:
        return "prior"
    return "extrapolated" if std > 10.0 else "data"


def _force_constant(design: _Designs, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Row of d²E/dx² of the first atom in a doubled cell, so that its images do not move with it."""
    repeats = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    many = np.concatenate([positions + np.array(n) @ cell for n in repeats])
    wide = _Designs(design.basis, design.symbols * len(repeats))
    moved = np.zeros_like(many)
    moved[0, 0] = STEP
    forward, back = wide(many + moved, 2.0 * cell)[1], wide(many - moved, 2.0 * cell)[1]
    return -(forward - back) / (2.0 * STEP)


class _Designs:
    """Design rows of one periodic list of atoms at changing positions and cells."""

    def __init__(self, basis: Any, symbols: list[str]) -> None:
        from lacemaker.regression import BasisRows

        self.basis, self.symbols = basis, symbols
        self._rows = BasisRows(basis)

    def __call__(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        return np.array(self._rows.design(frame_of(self.symbols, positions, cell, periodic=True)).rows)
