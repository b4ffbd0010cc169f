"""Short-range repulsion: a ZBL core under the fit, and restraint rows that keep dimers repulsive.

Data hardly ever reach far inside the bond length, and a fit without guidance there falls into holes. The
ZBL core is a fixed baseline (targets are labels minus baseline); the restraint adds a few weak dimer rows
per pair of elements.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.basis.messages import basis_error
from lacemaker.basis.transforms import STRICT

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV Å
_SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
INNER, OUTER = 0.35, 0.75
"""Default hand-over of the ZBL core, in units of the bond length r0."""


def screening_length(z1: int, z2: int) -> float:
    """ZBL screening length in Å (Ziegler, Biersack, Littmark 1985)."""
    return 0.4685 / (z1**0.23 + z2**0.23)


@dataclass(frozen=True)
class ZBL:
    """Screened nuclear repulsion, faded out smoothly between `inner` and `outer`.

    V(r) = 14.399645 Z_i Z_j / r * phi(r / a) * w(r), w = 1 - 10 t^3 + 15 t^4 - 6 t^5, t = (r -
    inner)/(outer - inner).

    Attributes
    ----------
    inner, outer
        Å: number or per-pair mapping; None takes 0.35 and 0.75 of the pair's bond length r0.
    """

    inner: Any = None
    outer: Any = None
    kind: Literal["zbl"] = "zbl"
    __pydantic_config__ = STRICT


def zbl_energy(r: np.ndarray, z1: int, z2: int, inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
    """V(r) in eV and dV/dr in eV/Å of one pair at distances `r` in Å."""
    r = np.asarray(r, dtype=float)
    a = screening_length(z1, z2)
    terms = [(c * np.exp(-d * r / a), d / a) for c, d in _SCREENING]
    phi, dphi = sum(e for e, _ in terms), -sum(e * k for e, k in terms)
    t = np.clip((r - inner) / (outer - inner), 0.0, 1.0)
    w = 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
    dw = -30.0 * t**2 * (1.0 - t) ** 2 / (outer - inner)
    bare = COULOMB * z1 * z2 / r
    return bare * phi * w, bare * ((dphi - phi / r) * w + phi * dw)


@dataclass(frozen=True)
class RestraintDimer:
    """One dimer of a repulsion restraint.

    Attributes
    ----------
    elements
        The two symbols.
    distance
        Å.
    energy
        Target for the energy of the dimer minus its free atoms, eV, in total (any ZBL baseline included).
    weight
        Weight of its energy row.
    """

    elements: tuple[str, str]
    distance: float
    energy: float
    weight: float


@dataclass(frozen=True)
class RepulsionRestraint:
    """Weak dimer rows that hold every pair of elements repulsive at short range.

    Attributes
    ----------
    target
        "zbl": the full (not faded) ZBL energy, capped at `max_energy`. "envelope": the pair envelope, as
        ACE1 does.
    distances
        Distances in units of the pair's bond length r0.
    weight
        Weight of each energy row, relative: the row's factor is weight / max(1, target in eV).
    max_energy
        Targets above this (eV) are left out: there the ZBL core decides.
    """

    target: Literal["zbl", "envelope"] = "zbl"
    distances: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6)
    weight: float = 0.1
    max_energy: float = 1e6
    kind: Literal["repulsion"] = "repulsion"
    __pydantic_config__ = STRICT

    def dimers(self, basis: "ACEBasis") -> tuple[RestraintDimer, ...]:
        """The dimers of every pair of elements of `basis`, for the regression room to turn into rows."""
        found = []
        for i, j in combinations_with_replacement(range(basis.n_elements), 2):
            r0 = basis.r0[i][j]
            for r in np.asarray(self.distances, dtype=float) * r0:
                energy = self._energy(basis, i, j, float(r))
                if energy <= self.max_energy:
                    elements = (basis.elements[i], basis.elements[j])
                    found.append(
                        RestraintDimer(elements, float(r), energy, self.weight / max(1.0, abs(energy)))
                    )
        return tuple(found)

    def _energy(self, basis: "ACEBasis", i: int, j: int, r: float) -> float:
        if self.target == "zbl":
            z1, z2 = (ATOMIC_NUMBERS[basis.elements[k]] for k in (i, j))
            return float(zbl_energy(np.array([r]), z1, z2, 1e3, 1e3 + 1)[0][0])
        pair = basis.pair_radial
        if pair is None:
            raise basis_error(
                "this repulsion restraint needs a pair block", "pair=None", "add one, or use target='zbl'"
            )
        rin, r0, rcut = basis.pair_lengths(i, j)
        x, _ = pair.transform(np.array([r]), rin, r0, rcut)
        return float(pair.envelope(np.array([r]), x, r0, rcut)[0][0])
