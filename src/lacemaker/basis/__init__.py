"""What can be said about an atomic environment: radial functions, couplings, the ACE basis, pairs."""

from lacemaker.basis.ace import ACEBasis, Function
from lacemaker.basis.envelopes import CoulombEnvelope, One, REnvelope, XEnvelope
from lacemaker.basis.pair import PairBasis
from lacemaker.basis.presets import preset
from lacemaker.basis.radial import Jacobi
from lacemaker.basis.repulsion import ZBL
from lacemaker.basis.restraint import RepulsionRestraint
from lacemaker.basis.sizes import BasisCounts
from lacemaker.basis.transforms import Agnesi, Identity, Morse, Polynomial

__all__ = [
    "ZBL",
    "ACEBasis",
    "Agnesi",
    "BasisCounts",
    "CoulombEnvelope",
    "Function",
    "Identity",
    "Jacobi",
    "Morse",
    "One",
    "PairBasis",
    "Polynomial",
    "REnvelope",
    "RepulsionRestraint",
    "XEnvelope",
    "preset",
]
