"""From a fit to figures on its uncertainties, and their place in the report."""

import numpy as np
import pytest

from lacemaker.analysis.uncertainty import calibrations, noise_of
from lacemaker.errors import EvaluationError
from lacemaker.report.page import Section
from lacemaker.report.uncertainty import uncertainty_section
from lacemaker.uncertainty import attach_committee


def test_noise_of_unweighted_rows(fit):
    """Weights 30 / 1: a row of weight w has σ/w."""
    assert noise_of(fit)["forces"] == pytest.approx(fit.noise["forces"])
    assert noise_of(fit)["energy"] == pytest.approx(fit.noise["energy"] / 30.0)
    assert noise_of(fit.to_dict()) == noise_of(fit)
    with pytest.raises(EvaluationError, match="noise of the fit is not known"):
        noise_of({})


def test_committee_and_exact_variances_are_calibrated_alike(fit, test_frames):
    potential = attach_committee(fit.potential(), fit.posterior, size=300)
    sampled = calibrations(potential, test_frames)
    exact = calibrations(potential, test_frames, noise=noise_of(fit), posterior=fit.posterior)
    assert set(sampled) == set(exact) == {"energy", "forces"}
    for kind in exact:
        assert sampled[kind].rmse == pytest.approx(exact[kind].rmse, rel=1e-12)
        assert sampled[kind].sharpness == pytest.approx(exact[kind].sharpness, rel=0.1)
    assert exact["forces"].n == sum(3 * len(f.numbers) for f in test_frames)
    assert 0.3 < exact["forces"].scale < 3.0
    assert exact["forces"].correlation > 0.2


def test_the_section_tells_figures_and_draws_curves(fit, test_frames):
    potential = attach_committee(fit.potential(), fit.posterior)
    section = uncertainty_section({"test": calibrations(potential, test_frames)})
    assert isinstance(section, Section)
    table = section.parts[0]
    assert [row[0] for row in table.rows] == ["test: energy, meV/atom", "test: forces, eV/Å"]
    assert np.all([float(row[1]) > 0 for row in table.rows])
    assert "<svg" in section.parts[1].figures[0].html
