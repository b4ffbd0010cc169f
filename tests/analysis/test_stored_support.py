"""Support of the curves of a potential file alone: what its stored posterior or samples tell."""

import json

import numpy as np
import pytest

import lacemaker as lace
from lacemaker.analysis.body_order import body_order_report
from lacemaker.analysis.identifiability import Identifiability
from lacemaker.analysis.stored_support import StoredSupport
from lacemaker.analysis.supported_observables import crystal_observables
from lacemaker.basis import ACEBasis
from lacemaker.datasets import load_silicon
from lacemaker.errors import EvaluationError
from lacemaker.potential import Potential
from lacemaker.regression import BLR
from lacemaker.report.bodies_page import bodies_page
from lacemaker.uncertainty import attach_committee, attach_posterior

DIMERS = [(("Si", "Si"), np.array([[0.0, 0, 0], [0, 0, x]])) for x in np.linspace(1.8, 4.2, 9)]


@pytest.fixture(scope="module")
def system():
    frames = [f for f in lace.read(load_silicon("train")) if len(f.numbers) <= 8]
    weights = {"default": {"energy": 30.0, "forces": 1.0, "virial": 1.0}}
    return lace.assemble(ACEBasis(["Si"], 2, [9, 7], cutoff=4.5), frames, weights=weights)


def stored(potential, folder) -> Potential:
    """The potential after a journey through a file."""
    potential.save(folder / "p.lace")
    return Potential.load(folder / "p.lace")


@pytest.mark.parametrize("e0", ["fit", {"Si": -0.8472}])
def test_the_stored_factor_gives_the_bands_of_the_fit(system, e0, tmp_path):
    fit = lace.solve(system, solver=BLR(), e0=e0)
    potential = stored(attach_posterior(fit.potential(), fit.posterior), tmp_path)
    direct, alone = Identifiability(fit, system), StoredSupport(potential)
    expected, found = direct.interactions(DIMERS), alone.interactions(DIMERS)
    for name in ("value", "std", "leverage"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-8)
    assert found.prior_share is None
    far = expected.leverage > 1
    assert (found.status()[far & (expected.std > 0.01)] == "extrapolated").all()
    crystals = zip(crystal_observables(alone, potential), crystal_observables(direct, potential), strict=True)
    for one, other in crystals:
        assert one.std == pytest.approx(other.std, rel=1e-7)
        assert one.value == pytest.approx(other.value, abs=1e-9)
        assert one.prior_share is None


def test_samples_give_the_same_within_their_scatter(system, tmp_path):
    fit = lace.solve(system, solver=BLR(), e0="fit")
    potential = stored(attach_committee(fit.potential(), fit.posterior, size=400), tmp_path)
    alone = StoredSupport(potential)
    expected = Identifiability(fit, system).interactions(DIMERS)
    np.testing.assert_allclose(alone.interactions(DIMERS).std, expected.std, rtol=5 / np.sqrt(800))
    assert "400 posterior samples" in alone.source


def test_the_report_of_a_file_has_bands_and_says_what_they_are(system, tmp_path):
    fit = lace.solve(system, solver=BLR())
    potential = stored(attach_committee(fit.potential(), fit.posterior, size=8), tmp_path)
    report = body_order_report(potential)
    assert report.pairs[0].support is not None
    assert report.triples[0].support
    assert report.observables
    assert not report.fits
    assert any("8 posterior samples" in note and "± 25 %" in note for note in report.notes)
    page = bodies_page(report)
    assert "leverage, σ (eV)" in page
    assert "2 σ" in page
    assert "prior share, σ" not in page
    assert json.loads(json.dumps(report.to_dict()))["pairs"][0]["support"]["prior_share"] is None


def test_without_uncertainty_or_noise_the_reason_is_said(system):
    fit = lace.solve(system, solver=BLR())
    with pytest.raises(EvaluationError, match="no stored uncertainty"):
        StoredSupport(fit.potential())
    bare = Potential(basis=fit.basis, coefficients=fit.coefficients, e0=fit.e0)
    with pytest.raises(EvaluationError, match="no noise of the fit"):
        StoredSupport(attach_posterior(bare, fit.posterior))
