"""Chemical symbols and typical bond lengths r0, which set the length scales of a basis.

The bond lengths (Å) are typical nearest-neighbour distances. For 76 elements they are the values of the
"VASP auto_length_scale" table in wide use for ACE potentials (same defaults, comparable fits); rare gases
and the elements absent there are rounded nearest-neighbour distances of the elemental crystals. Hydrogen is
included.
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
H 1.2   He 3.5  Li 3.0  Be 2.2  B 1.8   C 1.4   N 1.6   O 1.7   F 2.1   Ne 3.1  Na 3.7  Mg 3.2
Al 2.9  Si 2.4  P 2.5   S 2.3   Cl 2.6  Ar 3.7  K 4.6   Ca 3.8  Sc 3.2  Ti 2.9  V 2.6   Cr 2.5
Mn 2.5  Fe 2.5  Co 2.5  Ni 2.5  Cu 2.6  Zn 2.8  Ga 3.0  Ge 2.5  As 2.7  Se 2.8  Br 2.8  Kr 4.0
Rb 4.7  Sr 4.2  Y 3.6   Zr 3.2  Nb 2.9  Mo 2.7  Tc 2.7  Ru 2.7  Rh 2.7  Pd 2.8  Ag 2.9  Cd 3.2
In 3.4  Sn 2.9  Sb 3.1  Te 3.2  I 3.2   Xe 4.3  Cs 5.3  Ba 4.3  La 3.7  Ce 3.4  Pr 3.7  Nd 3.7
Pm 3.6  Sm 3.6  Eu 4.0  Gd 3.6  Tb 3.6  Dy 3.5  Ho 3.5  Er 3.5  Tm 3.5  Yb 3.8  Lu 3.4  Hf 3.2
Ta 2.9  W 2.8   Re 2.8  Os 2.7  Ir 2.7  Pt 2.8  Au 2.9  Hg 3.3  Tl 3.4  Pb 3.5  Bi 3.3  Po 3.3
At 3.3  Rn 4.4  Fr 5.4  Ra 4.5  Ac 4.0  Th 3.6  Pa 3.3  U 2.8   Np 2.7  Pu 3.0  Am 3.5  Cm 3.5
Bk 3.4  Cf 3.4
"""
BOND_LENGTHS: dict[str, float] = {
    symbol: float(length)
    for symbol, length in zip(_LENGTHS.split()[::2], _LENGTHS.split()[1::2], strict=True)
}


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
