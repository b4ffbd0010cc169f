"""A fitted E0 that binds atoms which are apart is told, with what to do; a sane one is not."""

import numpy as np
import pytest

import lacemaker as lace
from lacemaker.structures import Frame

BASIS = lace.ACEBasis(["Si"], 1, [10], cutoff=5.0, repulsion=None)


def dimers(sign: float) -> list[Frame]:
    """Dimers of two free atoms at -5 eV each, whose pair energy decays with the distance."""
    return [
        Frame(
            np.array([14, 14]),
            np.array([[0.0, 0.0, 0.0], [r, 0.0, 0.0]]),
            np.zeros((3, 3)),
            [False] * 3,
            energy=-10.0 + sign * 6.0 * np.exp(-((r / 3.0) ** 4)),
        )
        for r in np.linspace(2.0, 4.9, 30)
    ]


def test_a_fitted_e0_below_the_data_is_told_with_a_remedy():
    system = lace.assemble(BASIS, dimers(+1.0))
    fit = lace.solve(system, prior="algebraic")
    told = fit.messages[1]
    assert "atoms apart are more stable than the training structures" in told
    assert fit.e0[0] == pytest.approx(-5.0, abs=0.2)
    mean = np.mean([frame.energy / 2 for frame in dimers(+1.0)])
    assert f"Si {fit.e0[0]:.2f} (data {mean:.2f}) eV" in told
    assert f"e0: cohesive (about {{Si: {mean + 4.63:.2f}}})" in told


def test_a_sane_or_given_e0_is_not():
    bound = lace.solve(lace.assemble(BASIS, dimers(-1.0)), prior="algebraic")
    given = lace.solve(lace.assemble(BASIS, dimers(+1.0)), prior="algebraic", e0={"Si": -5.0})
    assert len(bound.messages) == len(given.messages) == 1
    assert bound.e0[0] == pytest.approx(-5.0, abs=0.2)
