"""Verdicts on curves: known pair potentials are judged as they deserve."""

import numpy as np
import pytest

from lacemaker.analysis.curves import local_minima, rises_down_to
from lacemaker.analysis.dimers import dimer_curve
from lacemaker.analysis.scans import prototypes, volume_scan

R = np.linspace(0.4, 6.0, 400)


def lennard_jones(r, depth=1.0, sigma=2.1):
    s = (sigma / r) ** 6
    return 4 * depth * (s * s - s), 24 * depth * (2 * s * s - s) / r


def test_minima_are_counted_by_prominence():
    x = np.linspace(0, 4 * np.pi, 500)
    assert len(local_minima(np.cos(x), 0.1)) == 2
    assert len(local_minima(0.01 * np.cos(x), 0.1)) == 0


def test_rise_is_followed_down_to_where_it_ends():
    x = np.linspace(0.0, 4.0, 401)
    energy = np.where(x < 1.0, x, (x - 3.0) ** 2)
    assert rises_down_to(x, energy, 300) == pytest.approx(1.0, abs=0.011)
    assert rises_down_to(x, (x - 3.0) ** 2, 300) == 0.0
    assert rises_down_to(x, np.where(x < 0.5, np.nan, (x - 3.0) ** 2), 300) == pytest.approx(0.5, abs=0.011)


def test_lennard_jones_dimer_is_sane():
    curve = dimer_curve(lennard_jones, ("Ar", "Ar"), R, 2.1 * 2 ** (1 / 6))
    assert curve.sane
    assert len(curve.minima) == 1
    r, depth = curve.minima[0]
    assert r == pytest.approx(2.1 * 2 ** (1 / 6), abs=0.02)
    assert depth == pytest.approx(-1.0, abs=1e-3)
    assert "repulsive down to 0.40 Å, one minimum" in curve.verdict
    assert curve.to_dict()["repulsive"] is True


def test_buckingham_dimer_has_a_hole():
    def buckingham(r):
        return 2000.0 * np.exp(-3.5 * r) - 60.0 / r**6, 0.0

    curve = dimer_curve(buckingham, ("O", "O"), R, 2.5)
    assert not curve.repulsive
    assert 0.5 < curve.repulsive_down_to < 1.7
    assert "HOLE: the energy falls when the atoms come closer than" in curve.verdict


def test_wiggly_dimer_is_not_sane():
    curve = dimer_curve(lambda r: (lennard_jones(r)[0] + 0.3 * np.sin(8 * r), 0.0), ("Si", "Si"), R, 2.35)
    assert len(curve.minima) > 2
    assert not curve.sane
    assert "several minima" in curve.verdict


def equation_of_state(scale):
    """Rose-like: one minimum at scale 1."""
    return -4.0 * (1 + 6 * (scale - 1)) * np.exp(-6 * (scale - 1))


def test_one_bottom_and_a_steep_wall_are_sane():
    scan = volume_scan(equation_of_state, "diamond", 20.0)
    assert scan.sane
    assert scan.v0 == pytest.approx(20.0, rel=0.02)
    assert scan.e0 == pytest.approx(-4.0, abs=1e-2)
    assert "energy rises all the way to V/V0 = 0.17" in scan.verdict


def test_a_hole_under_compression_is_found_and_does_not_become_the_bottom():
    scan = volume_scan(lambda s: equation_of_state(s) - 400 * max(0.0, 0.82 - s), "fcc", 20.0)
    assert scan.hole
    assert not scan.sane
    assert scan.v0 == pytest.approx(20.0, rel=0.02)
    assert scan.rises_to == pytest.approx(0.82**3, abs=0.03)
    assert "HOLE: below V/V0 = 0.5" in scan.verdict
    assert scan.to_dict()["hole"] is True


def test_unevenness_behind_an_unreachable_barrier_is_no_hole():
    scan = volume_scan(lambda s: equation_of_state(s) + 30 * np.exp(-((s - 0.65) ** 2) / 2e-4), "bcc", 20.0)
    assert not scan.monotonic
    assert not scan.hole
    assert scan.n_minima == 1
    assert scan.barrier > 5.0
    assert "uneven below V/V0 = 0.2" in scan.verdict


def test_a_second_phase_within_reach_is_counted():
    scan = volume_scan(lambda s: equation_of_state(s) - 2.0 * np.exp(-((s - 0.85) ** 2) / 1e-3), "sc", 20.0)
    assert scan.n_minima == 2
    assert "2 minima where one is expected" in scan.verdict


def test_a_collapsed_minimum_is_no_crystal():
    scan = volume_scan(lambda s: equation_of_state(s + 0.3), "fcc", 20.0)
    assert scan.collapsed
    assert scan.hole
    assert not scan.sane
    assert "HOLE: the structure collapses" in scan.verdict


def test_a_structure_that_does_not_bind_is_called_so():
    assert "does not bind" in volume_scan(lambda s: 1.0 / s, "sc", 20.0).verdict


@pytest.mark.parametrize("elements", [("Si",), ("Ti", "O")])
def test_prototypes_have_the_bond_length_asked_for(elements):
    from ase.neighborlist import neighbor_list

    for name, atoms in prototypes(elements, lambda a, b: 2.0 if a == b else 1.9).items():
        nearest = neighbor_list("d", atoms, 3.0).min()
        wanted = 1.9 if len(set(atoms.get_chemical_symbols())) == 2 else 2.0
        assert nearest == pytest.approx(wanted, rel=1e-12), name
