"""Chemical symbols and atomic numbers, without importing a large library for them."""

from __future__ import annotations

from collections.abc import Iterable

from lacemaker.structures._messages import close_names, data_error

__all__ = ["SYMBOLS", "atomic_number", "sorted_symbols", "symbol"]

SYMBOLS: tuple[str, ...] = tuple(
    """X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg
    Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og""".split()  # noqa: SIM905
)
"""Symbol of each atomic number; index 0 is the dummy atom X."""

_NUMBERS = {s: z for z, s in enumerate(SYMBOLS)}


def symbol(number: int) -> str:
    """Return the symbol of an atomic number, e.g. ``symbol(14) == "Si"``."""
    return SYMBOLS[int(number)]


def atomic_number(name: str) -> int:
    """Return the atomic number of a symbol, e.g. ``atomic_number("Si") == 14``.

    Raises
    ------
    DataError
        If there is no such element (the dummy atom X is none).
    """
    number = _NUMBERS.get(name, 0) if isinstance(name, str) else 0
    if number == 0:
        hints = close_names(str(name), SYMBOLS[1:])
        do = "give chemical symbols such as Si" + (f"; did you mean {', '.join(hints)}?" if hints else "")
        raise data_error("this is not the symbol of a chemical element", repr(name), do)
    return number


def sorted_symbols(numbers: Iterable[int]) -> tuple[str, ...]:
    """Return the distinct symbols of some atomic numbers, ordered by atomic number."""
    return tuple(SYMBOLS[z] for z in sorted({int(n) for n in numbers}))
