"""Bond lengths and per-pair parameters."""

import pytest

from lacemaker.basis import ACEBasis
from lacemaker.basis.elements import BOND_LENGTHS, SYMBOLS, bond_length, symbol_of
from lacemaker.errors import BasisError

KNOWN = {
    "H": 1.2,
    "C": 1.4,
    "O": 1.7,
    "Al": 2.9,
    "Si": 2.4,
    "Ti": 2.9,
    "Fe": 2.5,
    "Li": 3.0,
    "Ni": 2.5,
    "Cu": 2.6,
}


@pytest.mark.parametrize(("symbol", "length"), [*KNOWN.items(), ("Ge", 2.5), ("Mo", 2.7)])
def test_usual_bond_lengths(symbol, length):
    assert bond_length(symbol) == length


def test_every_element_up_to_americium_has_a_sensible_bond_length():
    assert all(s in BOND_LENGTHS for s in SYMBOLS[1:96])
    assert all(1.0 < r < 6.0 for r in BOND_LENGTHS.values())


def test_unlike_pairs_take_the_mean():
    basis = ACEBasis(["Si", "O"], 2, 4)
    assert basis.r0[0][1] == pytest.approx(0.5 * (2.4 + 1.7))
    assert basis.cutoff == pytest.approx(2.5 * 2.4)


def test_lengths_may_be_given_per_pair_or_element():
    basis = ACEBasis(["Si", "O"], 2, 4, r0={"Si": 2.35, "O": 1.2, "Si-O": 1.6}, cutoff={("O", "Si"): 4.0})
    assert basis.r0 == ((2.35, 1.6), (1.6, 1.2))
    assert basis.specification.cutoff[0][1] == basis.specification.cutoff[1][0] == 4.0
    assert basis.specification.cutoff[0][0] == 2.5 * 2.35
    assert ACEBasis(["Si", "O"], 2, 4, r0={"Si": 2.0, "O": 1.0}).r0[0][1] == 1.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"r0": {"Ge": 2.5}}, "outside the basis"),
        ({"r0": {"Xx": 2.5}}, "unknown chemical element"),
        ({"cutoff": [[5.0]]}, "2 x 2 numbers"),
        ({"cutoff": [[5.0, 4.0], [4.5, 5.0]]}, "symmetric"),
        ({"cutoff": "large"}, "wrong form"),
    ],
)
def test_wrong_pair_parameters_are_explained(arguments, message):
    with pytest.raises(BasisError, match=message):
        ACEBasis(["Si", "O"], 2, 4, **arguments)


def test_symbols_and_numbers_name_elements():
    assert symbol_of(14) == symbol_of("Si") == "Si"
    for wrong in ["si", "Zz", 0, 200, True, 1.5j]:
        with pytest.raises(BasisError, match="unknown chemical element"):
            symbol_of(wrong)
    with pytest.raises(BasisError, match="pass r0"):
        bond_length("No")
