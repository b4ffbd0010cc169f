"""± pairs of displaced supercells become force-constant labels, however a program leaves them."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from hypothesis import given, settings
from hypothesis import strategies as st

from lacemaker.errors import DataError
from lacemaker.structures import Frame, force_constants_from_pairs

STEP = 0.01
MOVES = [(0, [1.0, 0, 0]), (5, [0, 0.6, 0.8]), (0, [0, 1.0, 0])]


def supercell():
    return bulk("Cu", a=3.62, cubic=True).repeat((2, 2, 1))


def labelled(atoms, kind="pairs"):
    calculator = EMT()
    return Frame(
        atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc,
        energy=calculator.get_property("energy", atoms), forces=calculator.get_property("forces", atoms),
        config_type=kind,
    )  # fmt: skip


def pairs(moves=MOVES):
    found = []
    for atom, direction in moves:
        for sign in (1, -1):
            moved = supercell()
            moved.positions[atom] += sign * STEP * np.array(direction)
            found.append(labelled(moved))
    return found


def rows(label):
    """By atom and direction, without a sign."""
    found = {}
    for atom, direction, values in zip(label.atoms, label.directions, label.values, strict=True):
        sign = np.sign(direction[np.argmax(np.abs(direction))])
        found[int(atom), tuple(np.round(sign * direction, 4))] = sign * values
    return found


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 3), st.integers(0, 10**6))
def test_order_wrapping_and_rounding_do_not_matter(order, n_pairs, seed):
    frames = pairs(MOVES[:n_pairs])
    exact = {
        (atom, tuple(np.round(direction, 4))): -(plus.forces - minus.forces) / (2 * STEP)
        for (atom, direction), plus, minus in zip(MOVES, frames[::2], frames[1::2], strict=False)
    }
    rng = np.random.default_rng(seed)
    wrapped = []
    for frame in (frames[k] for k in order if k < len(frames)):
        shifts = rng.integers(-1, 2, size=(len(frame), 3)) @ frame.cell
        wrapped.append(replace(frame, positions=np.round(frame.positions + shifts, 8)))
    found = force_constants_from_pairs(wrapped, ["pairs"])
    assert len(found) == 1
    got = rows(found[0].force_constants)
    assert got.keys() == exact.keys()
    for key, values in exact.items():
        np.testing.assert_allclose(got[key], values, atol=1e-4)
    offset = found[0].positions - supercell().positions
    offset -= np.round(offset @ np.linalg.inv(found[0].cell)) @ found[0].cell
    np.testing.assert_allclose(offset, 0.0, atol=1e-6)
    assert found[0].energy is None
    assert found[0].forces is None


def test_other_frames_and_the_perfect_supercell_stay():
    other, perfect = labelled(supercell(), "other"), labelled(supercell())
    frames = [other, perfect, *pairs()]
    found = force_constants_from_pairs(frames, ["pairs"])
    assert [f.config_type for f in found] == ["other", "pairs", "pairs"]
    assert found[0] is other
    assert found[2] is perfect
    assert len(found[1].force_constants) == 3


def test_two_supercells_give_two_frames():
    small = pairs(MOVES[:1])
    stretched = [replace(f, cell=f.cell * 1.01, positions=f.positions * 1.01) for f in pairs()]
    found = force_constants_from_pairs([*small, *stretched], ["pairs"])
    assert [len(f.force_constants) for f in found] == [1, 3]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frames: frames[:3], "no partner of the opposite displacement"),
        (lambda frames: [replace(frames[0], forces=None), *frames[1:]], "no forces"),
        (lambda frames: [*frames, labelled(rattled())], "16 atoms moved"),
        (lambda frames: [replace(f, config_type="bulk") for f in frames], "has: 'pairs'"),
    ],
)
def test_mistakes_are_named(spoil, message):
    with pytest.raises(DataError, match=message):
        force_constants_from_pairs(spoil(pairs(MOVES[:2])), ["pairs"])


def rattled():
    atoms = supercell()
    atoms.rattle(0.05, seed=1)
    return atoms
