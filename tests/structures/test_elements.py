"""Symbols and atomic numbers agree with ASE's."""

import pytest
from ase.data import chemical_symbols

from lacemaker.errors import DataError
from lacemaker.structures.elements import SYMBOLS, atomic_number, sorted_symbols, symbol


def test_symbols_are_those_of_ase():
    assert list(SYMBOLS) == chemical_symbols
    assert all(atomic_number(symbol(z)) == z for z in range(1, 119))
    assert sorted_symbols([14, 1, 14]) == ("H", "Si")


@pytest.mark.parametrize(
    ("name", "hint"), [("SI", "did you mean Si"), ("X", "chemical"), (14, "symbols such as Si")]
)
def test_what_is_no_element_is_refused(name, hint):
    with pytest.raises(DataError, match=rf"not the symbol of a chemical element(.|\n)*{hint}"):
        atomic_number(name)
