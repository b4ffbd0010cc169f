"""Ready-made bases: small and quick, usual, and accurate."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from lacemaker.basis.ace import ACEBasis
from lacemaker.basis.centre import count_functions
from lacemaker.basis.levels import LEVEL_RULES
from lacemaker.basis.messages import basis_error
from lacemaker.basis.repulsion import ZBL

WL = Fraction(3, 2)
PresetName = Literal["fast", "default", "accurate"]


@dataclass(frozen=True)
class Preset:
    """Degrees for one element, and the number of functions per centre that several elements may take."""

    max_degree: tuple[int, ...]
    budget: int


PRESETS: dict[str, Preset] = {
    "fast": Preset((16, 12, 8), 300),
    "default": Preset((20, 16, 12), 600),
    "accurate": Preset((25, 21, 17), 2000),
}


def preset(name: PresetName, elements: str | Sequence[str | int], nearest_neighbour: Any = None) -> ACEBasis:
    """A basis by name, scaled by the nearest-neighbour distance.

    Order 3 with degrees [16, 12, 8] (fast), [20, 16, 12] (default) or [25, 21, 17] (accurate): 122, 319 and
    1041 functions for one element. For several elements all degrees are lowered together until a centre
    element has at most 300, 600 or 2000 functions. Cutoff 2.5 times the bond length; ZBL core on.

    Parameters
    ----------
    nearest_neighbour
        Å: number, or mapping such as {"Si": 2.35, "Si-O": 1.6}; default: tabulated bond lengths.

    Raises
    ------
    BasisError
        for an unknown name, and whatever `ACEBasis` raises.
    """
    if name not in PRESETS:
        raise basis_error("unknown preset", repr(name), f"choose one of {list(PRESETS)}")
    symbols = [elements] if isinstance(elements, str) else list(elements)
    degrees = _affordable(PRESETS[name], len(symbols))
    return ACEBasis(symbols, 3, degrees, r0=nearest_neighbour, repulsion=ZBL())


def _affordable(chosen: Preset, n_elements: int) -> list[int]:
    """The preset's degrees, lowered together until several elements fit the budget."""
    degrees = list(chosen.max_degree)
    if n_elements == 1:
        return degrees
    while degrees[-1] > 3:
        degrees = [d - 1 for d in degrees]
        n_pair = n_elements * degrees[0]
        if (
            n_pair + count_functions(n_elements, [Fraction(d) for d in degrees], WL, LEVEL_RULES[0])
            <= chosen.budget
        ):
            break
    return degrees
