"""Presets scale with the material, and the repulsive core is on."""

import numpy as np
import pytest

from lacemaker.basis import XEnvelope, preset
from lacemaker.basis.repulsion import zbl_energy
from lacemaker.errors import BasisError


@pytest.mark.parametrize(("name", "many_body"), [("fast", 106), ("default", 299), ("accurate", 1016)])
def test_sizes_for_one_element(name, many_body):
    basis = preset(name, "Si")
    assert basis.n_many_body == many_body
    assert basis.specification.repulsion is not None
    assert basis.specification.pair.envelope == XEnvelope(0, 2)
    assert basis == preset(name, ["Si"])


@pytest.mark.parametrize(("name", "budget"), [("fast", 300), ("default", 600), ("accurate", 2000)])
@pytest.mark.parametrize("elements", [["Si", "O"], ["H", "C", "N", "O"]])
def test_sizes_stay_in_bounds_for_several_elements(name, budget, elements):
    sizes = [c.n_functions for c in preset(name, elements).counts().centres]
    assert all(0.3 * budget < size <= 1.4 * budget for size in sizes)


def test_lengths_follow_the_nearest_neighbour_distance():
    small, large = preset("fast", "C", 1.42), preset("fast", "C", 2.84)
    assert large.cutoff == 2 * small.cutoff == pytest.approx(2 * 2.5 * 1.42)
    assert large.specification.repulsion.outer[0][0] == 2 * small.specification.repulsion.outer[0][0]
    mixed = preset("fast", ["Si", "O"], {"Si": 2.35, "O": 1.4, "Si-O": 1.62})
    assert mixed.r0[0][1] == 1.62


def test_unknown_preset():
    with pytest.raises(BasisError, match="choose one of"):
        preset("turbo", "Si")


def test_zbl_matches_the_published_potential():
    # Ziegler-Biersack-Littmark for Si-Si at 0.5 Å, evaluated by hand
    a = 0.4685 / (2 * 14**0.23)
    phi = sum(
        c * np.exp(-d * 0.5 / a)
        for c, d in [(0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162)]
    )
    energy, _ = zbl_energy(np.array([0.5]), 14, 14, 1.0, 2.0)
    assert energy[0] == pytest.approx(14.399645 * 196 / 0.5 * phi, rel=1e-12)


@pytest.mark.parametrize(("z1", "z2", "outer"), [(1, 1, 0.9), (14, 14, 1.8), (14, 8, 1.5), (74, 74, 2.1)])
def test_zbl_is_smooth_monotone_and_ends(z1, z2, outer):
    inner, h = 0.45 * outer, 1e-5
    r = np.linspace(0.05, outer + 0.3, 2000)
    energy, slope = zbl_energy(r, z1, z2, inner, outer)
    assert np.all(np.diff(energy[r <= outer]) < 0)
    assert not energy[r >= outer].any()
    up, down = (zbl_energy(r + s, z1, z2, inner, outer)[0] for s in (h, -h))
    np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-4, atol=1e-4)
    for knot in (inner, outer):  # second derivative is continuous: the slope has no kink
        s = zbl_energy(
            np.array([knot - 2 * h, knot - h, knot, knot + h, knot + 2 * h]), z1, z2, inner, outer
        )[1]
        curvature = np.diff(s) / h
        assert np.abs(np.diff(curvature)).max() < 1e-2 * max(1.0, np.abs(curvature).max())
