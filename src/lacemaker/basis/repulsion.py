"""Short-range repulsion: a ZBL core under the fit.

The core is a fixed baseline (targets of the fit are labels minus baseline). See `lacemaker.basis.restraint`
for the rows that keep the fitted part from digging holes where no data reach.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lacemaker.basis.transforms import STRICT

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV Å
SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
INNER, OUTER = 0.4, 0.8
"""Default hand-over of the ZBL core, in units of the pair's shortest usual bond."""


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
        Å: number or per-pair mapping; None takes 0.4 and 0.8 of the pair's shortest usual bond.
    """

    inner: Any = None
    outer: Any = None
    kind: Literal["zbl"] = "zbl"
    __pydantic_config__ = STRICT


def zbl_energy(r: np.ndarray, z1: int, z2: int, inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
    """V(r) in eV and dV/dr in eV/Å of one pair at distances `r` in Å."""
    r = np.asarray(r, dtype=float)
    a = screening_length(z1, z2)
    terms = [(c * np.exp(-d * r / a), d / a) for c, d in SCREENING]
    phi, dphi = sum(e for e, _ in terms), -sum(e * k for e, k in terms)
    t = np.clip((r - inner) / (outer - inner), 0.0, 1.0)
    w = 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
    dw = -30.0 * t**2 * (1.0 - t) ** 2 / (outer - inner)
    bare = COULOMB * z1 * z2 / r
    return bare * phi * w, bare * ((dphi - phi / r) * w + phi * dw)
