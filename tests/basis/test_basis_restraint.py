"""The repulsion restraint: which structures, which targets."""

import numpy as np
import pytest
from basis_helpers import brute_force_neighbours

from lacemaker.basis import ZBL, ACEBasis, RepulsionRestraint, reference
from lacemaker.basis.elements import shortest_bond
from lacemaker.errors import BasisError

BASIS = ACEBasis(["Si", "O", "H"], 2, 4, repulsion=ZBL())


def nearest(structure):
    """Smallest distance in the structure, Å."""
    reach = np.ceil(4.0 * structure.pbc).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    d = structure.positions[:, None, None] + shifts @ structure.cell - structure.positions[None, :, None]
    r = np.linalg.norm(d, axis=-1)
    return r[r > 1e-9].min()


def test_every_pair_has_dimers_and_crystals_in_their_ranges():
    structures = RepulsionRestraint().structures(BASIS)
    pairs = {s.elements for s in structures}
    assert pairs == {("Si", "Si"), ("Si", "O"), ("Si", "H"), ("O", "O"), ("O", "H"), ("H", "H")}
    for s in structures:
        i, j = (BASIS.elements.index(e) for e in s.elements)
        r0, d = BASIS.r0[i][j], nearest(s)
        if s.pbc.any():
            assert 0.35 * r0 - 1e-9 < d < 0.75 * r0 + 1e-9, s.name
        else:
            assert d < 0.76 * shortest_bond(*s.elements, r0), s.name
        assert abs(float(s.name.split()[-2]) - d) < 0.0051
    shapes = {s.name.split()[1] for s in structures}
    assert shapes == {"dimer", "diamond", "sc", "bcc", "fcc"}


def test_molecules_are_left_alone():
    # bonds of H2, N2, O2, OH, NH, CH, CO, HF in Å: no dimer of the restraint reaches them
    for a, b, bond in [
        ("H", "H", 0.74),
        ("N", "N", 1.10),
        ("O", "O", 1.21),
        ("O", "H", 0.96),
        ("N", "H", 1.01),
        ("C", "H", 1.09),
        ("C", "O", 1.13),
        ("F", "H", 0.92),
    ]:
        basis = ACEBasis([a, b] if a != b else [a], 1, 2, repulsion=ZBL())
        dimers = [s for s in RepulsionRestraint(crystals=()).structures(basis) if s.elements == (a, b)]
        assert dimers
        assert max(nearest(s) for s in dimers) < 0.92 * bond
        assert basis.specification.repulsion.outer[0][-1] < 1.0 * bond


@pytest.mark.parametrize(("shape", "neighbours"), [("diamond", 4), ("sc", 6), ("bcc", 8), ("fcc", 12)])
def test_crystals_have_their_coordination(shape, neighbours):
    restraint = RepulsionRestraint(dimers=(), shapes=(shape,), crystals=(0.5,))
    for s in restraint.structures(ACEBasis(["Si", "O"], 1, 2)):
        found = brute_force_neighbours(s.positions, s.cell, s.pbc, 1.01 * nearest(s))
        assert np.diff(found.first).tolist() == [neighbours, neighbours]
        assert s.elements[0] == s.elements[1] or shape == "fcc" or all(found.index[:neighbours] == 1)


def test_targets_are_full_zbl_energies():
    far = ZBL(inner=8.9, outer=8.95)  # not faded below 8.9 Å
    core = ACEBasis("Si", 1, 2, cutoff=9.0, repulsion=far)
    restraint = RepulsionRestraint(crystals=(0.75,), shapes=("sc", "fcc"), dimers=(0.3, 0.6))
    for s in restraint.structures(core):
        neighbours = brute_force_neighbours(s.positions, s.cell, s.pbc, 4.1 * nearest(s))
        species = np.array([core.elements.index(e) for e in s.elements])
        sites, *_ = reference.core_repulsion(core, s.positions, s.cell, species, neighbours)
        assert s.energy == pytest.approx(sites.sum(), rel=2e-3), s.name
        assert s.tolerance == pytest.approx(0.05 * max(1.0, s.energy))


def test_energies_rise_on_approach():
    structures = RepulsionRestraint().structures(BASIS)
    for kind in {(s.elements, s.name.split()[1]) for s in structures}:
        chosen = [s for s in structures if (s.elements, s.name.split()[1]) == kind]
        energies = [s.energy for s in sorted(chosen, key=nearest)]
        assert len(chosen) >= 9
        assert energies == sorted(energies, reverse=True)
        assert energies[-1] > 0


def test_older_form_targets_the_pair_envelope():
    restraint = RepulsionRestraint(target="envelope", dimers=(0.01,), tolerance=1e-3)
    (dimer,) = restraint.structures(ACEBasis("Si", 2, 4))
    s, sc = 0.01 * 2.3 / 2.4, 2.5
    assert dimer.energy == pytest.approx(s**-2 - sc**-2 + 2 * sc**-3 * (s - sc))
    with pytest.raises(BasisError, match="needs a pair block"):
        restraint.structures(ACEBasis("Si", 2, 4, pair=None))


@pytest.mark.parametrize(
    "arguments", [{"tolerance": 0.0}, {"dimers": (0.5, 1.2)}, {"crystals": (-0.1,)}, {"shapes": ("hcp",)}]
)
def test_impossible_restraints_are_refused(arguments):
    with pytest.raises(BasisError, match=r"(?s)found:.*to do:"):
        RepulsionRestraint(**arguments)
