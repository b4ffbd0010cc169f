"""Chemical symbols and typical bond lengths r0, which set the length scales of a basis.

Each entry holds the typical nearest-neighbour distance and the shortest usual bond, in Å. For 76 elements
they are the values of the "VASP auto_length_scale" table in wide use for ACE potentials (same defaults,
comparable fits); for rare gases and the elements absent there, rounded nearest-neighbour distances of the
elemental crystals and estimates. Hydrogen is included.
"""

from operator import index
from typing import SupportsIndex

from lacemaker.basis.messages import basis_error

_TABLE = """
X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb
Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
"""
SYMBOLS = _TABLE.split()
ATOMIC_NUMBERS = {symbol: z for z, symbol in enumerate(SYMBOLS) if z > 0}

_LENGTHS = """
H 1.2 0.75  He 3.5 2.5  Li 3.0 2.4  Be 2.2 2.1  B 1.8 1.6   C 1.4 1.3   N 1.6 1.1   O 1.7 1.2
F 2.1 1.4   Ne 3.1 2.6  Na 3.7 2.9  Mg 3.2 2.9  Al 2.9 2.5  Si 2.4 2.3  P 2.5 1.9   S 2.3 1.9
Cl 2.6 2.0  Ar 3.7 3.1  K 4.6 3.5   Ca 3.8 3.0  Sc 3.2 2.6  Ti 2.9 2.4  V 2.6 1.8   Cr 2.5 1.9
Mn 2.5 2.0  Fe 2.5 1.8  Co 2.5 2.0  Ni 2.5 2.1  Cu 2.6 2.2  Zn 2.8 2.5  Ga 3.0 2.5  Ge 2.5 2.1
As 2.7 2.1  Se 2.8 2.2  Br 2.8 2.3  Kr 4.0 3.4  Rb 4.7 3.7  Sr 4.2 3.8  Y 3.6 2.9   Zr 3.2 2.3
Nb 2.9 2.1  Mo 2.7 2.0  Tc 2.7 2.0  Ru 2.7 2.1  Rh 2.7 2.2  Pd 2.8 2.4  Ag 2.9 2.6  Cd 3.2 2.9
In 3.4 2.8  Sn 2.9 2.6  Sb 3.1 2.5  Te 3.2 2.6  I 3.2 2.7   Xe 4.3 3.7  Cs 5.3 3.9  Ba 4.3 3.5
La 3.7 2.6  Ce 3.4 2.6  Pr 3.7 2.8  Nd 3.7 2.6  Pm 3.6 2.7  Sm 3.6 2.7  Eu 4.0 3.0  Gd 3.6 2.9
Tb 3.6 2.9  Dy 3.5 3.1  Ho 3.5 3.0  Er 3.5 3.0  Tm 3.5 3.1  Yb 3.8 3.3  Lu 3.4 2.9  Hf 3.2 2.6
Ta 2.9 2.1  W 2.8 2.1   Re 2.8 2.0  Os 2.7 2.1  Ir 2.7 2.2  Pt 2.8 2.3  Au 2.9 2.5  Hg 3.3 3.0
Tl 3.4 2.9  Pb 3.5 2.9  Bi 3.3 2.7  Po 3.3 2.8  At 3.3 2.8  Rn 4.4 3.8  Fr 5.4 4.2  Ra 4.5 3.6
Ac 4.0 3.5  Th 3.6 2.7  Pa 3.3 2.4  U 2.8 2.2   Np 2.7 2.2  Pu 3.0 2.4  Am 3.5 2.6  Cm 3.5 2.6
Bk 3.4 2.6  Cf 3.4 2.6
"""
_ENTRIES = _LENGTHS.split()
BOND_LENGTHS = dict(zip(_ENTRIES[::3], map(float, _ENTRIES[1::3]), strict=True))
"""Typical nearest-neighbour distance, Å."""
SHORTEST_BONDS = dict(zip(_ENTRIES[::3], map(float, _ENTRIES[2::3]), strict=True))
"""Shortest bond the element makes with itself (multiple bonds, dimers), Å."""


def symbol_of(element: str | int) -> str:
    """Chemical symbol of a symbol or an atomic number.

    Raises
    ------
    BasisError
        for anything that is not a chemical element.
    """
    if isinstance(element, str) and element in ATOMIC_NUMBERS:
        return element
    if (
        isinstance(element, SupportsIndex)
        and not isinstance(element, bool)
        and 0 < index(element) < len(SYMBOLS)
    ):
        return SYMBOLS[index(element)]
    raise basis_error(
        "unknown chemical element", repr(element), "give symbols such as 'Si', or atomic numbers 1 to 103"
    )


def bond_length(symbol: str) -> float:
    """Typical nearest-neighbour distance in Å.

    Raises
    ------
    BasisError
        for elements without a tabulated value (beyond Cf).
    """
    if symbol not in BOND_LENGTHS:
        raise basis_error(
            f"no tabulated bond length for {symbol}", symbol, "pass r0 (the nearest-neighbour distance in Å)"
        )
    return BOND_LENGTHS[symbol]


def shortest_bond(a: str, b: str, r0: float) -> float:
    """How close two elements come in ordinary matter (Å), for a pair whose bond length is taken as `r0` Å.

    The tabulated shortest bonds, scaled with r0: a basis built for other lengths keeps its proportions.
    """
    if a not in BOND_LENGTHS or b not in BOND_LENGTHS:
        return 0.8 * r0
    return r0 * (SHORTEST_BONDS[a] + SHORTEST_BONDS[b]) / (BOND_LENGTHS[a] + BOND_LENGTHS[b])
