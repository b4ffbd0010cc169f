"""Calibration figures: exact for Gaussians, and sensitive to dishonest widths."""

import numpy as np
import pytest
from scipy import integrate, stats

from lacemaker.errors import DataError
from lacemaker.uncertainty import calibrate


@pytest.fixture
def honest():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 3.0, 20000)
    return std * rng.standard_normal(20000), std


def test_honest_gaussians_are_calibrated(honest):
    found = calibrate(*honest)
    assert found.miscalibration < 0.01
    assert found.scale == pytest.approx(1.0, abs=0.02)
    assert found.sharpness == pytest.approx(found.rmse, rel=0.03)
    assert found.correlation > 0.3
    np.testing.assert_allclose(found.observed, found.expected, atol=0.015)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_widths_that_lie_are_found_out(honest, factor):
    errors, std = honest
    truth, lie = calibrate(errors, std), calibrate(errors, factor * std)
    assert lie.scale == pytest.approx(1.0 / factor, rel=0.02)
    assert lie.miscalibration > 0.1
    assert lie.nll > truth.nll
    assert lie.crps > truth.crps
    assert np.all(np.sign(lie.observed - lie.expected) == np.sign(factor - 1.0))


def test_scores_are_those_of_their_definitions():
    error, s = 0.7, 1.3
    found = calibrate(np.array([error]), np.array([s]))
    assert found.nll == pytest.approx(-stats.norm.logpdf(error, scale=s), rel=1e-12)
    below, _ = integrate.quad(lambda x: stats.norm.cdf(x, scale=s) ** 2, -20, error)
    above, _ = integrate.quad(lambda x: (stats.norm.cdf(x, scale=s) - 1) ** 2, error, 20)
    assert found.crps == pytest.approx(below + above, rel=1e-8)


def test_vanishing_widths_turn_crps_into_the_mean_absolute_error(honest):
    errors, std = honest
    assert calibrate(errors, 1e-9 * std).crps == pytest.approx(np.abs(errors).mean(), rel=1e-6)


def test_results_are_plain_and_printable(honest):
    found = calibrate(*honest)
    assert len(found.to_dict()["observed"]) == 19
    assert "20000 observations" in str(found)


@pytest.mark.parametrize(
    ("errors", "std"),
    [([], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0]), ([np.nan], [1.0]), ([1.0], [np.inf])],
)
def test_impossible_input_is_refused(errors, std):
    with pytest.raises(DataError, match="cannot be judged"):
        calibrate(np.array(errors), np.array(std))
