"""Charts: data land where the axes say, ticks are round, and no input breaks the page."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from lacemaker.report import figures
from lacemaker.report.scale import Scale, linear, logarithmic
from lacemaker.report.svg import BOTTOM, LEFT, RIGHT, TOP, Chart


def parsed(fragment):
    """The fragment as XML, which also proves that it is well formed."""
    return ElementTree.fromstring(f"<div>{fragment}</div>")


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-3.2, 7.9), (0.00012, 0.00094), (-158.6, -158.2), (0, 12345), (1e6, 3e6), (-1e-9, 1e-9)],
)
def test_linear_ticks_are_round_and_inside(low, high):
    ticks = Scale(low, high).ticks()
    values = np.array([value for value, _ in ticks])
    assert 3 <= len(ticks) <= 8
    assert values.min() >= low - 1e-9 * (high - low)
    assert values.max() <= high + 1e-9 * (high - low)
    steps = np.diff(values)
    assert np.allclose(steps, steps[0])
    mantissa = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 2.5, 5)) < 1e-6
    assert len({label for _, label in ticks}) == len(ticks)


def test_labels_of_ticks_name_their_values():
    for value, label in [
        *Scale(-2.0, 3.0).ticks(),
        *Scale(0.0, 0.013).ticks(),
        *Scale(0.02, 30.0, log=True).ticks(),
    ]:
        assert float(label.replace("−", "-")) == pytest.approx(value, abs=1e-12)


def test_logarithmic_ticks_are_powers_of_ten():
    assert [label for _, label in Scale(1e-6, 1e4, log=True).ticks(12)][:3] == ["10⁻⁶", "10⁻⁵", "10⁻⁴"]
    assert len(Scale(2.0, 8.0, log=True).ticks()) >= 2


def test_scales_ignore_what_is_not_finite():
    assert linear(np.array([0.0, np.nan, np.inf, 1.0]), margin=0.0) == Scale(0.0, 1.0)
    scale = logarithmic(np.array([-1.0, 0.0, 1e-12, 1.0]), decades=3)
    assert scale.low == pytest.approx(1e-3 / 1.3)
    assert linear(np.array([2.0, 2.0])).high > 2.0
    assert logarithmic(np.zeros(3)).high > 0


def test_a_point_lands_where_the_axes_say():
    chart = Chart(
        Scale(0.0, 10.0), Scale(1.0, 100.0, log=True), x_label="x", y_label="y", width=400, height=300
    )
    svg = parsed(chart.points(np.array([5.0]), np.array([10.0])).render())
    circle = next(node for node in svg.iter() if node.tag == "circle")
    assert float(circle.get("cx")) == pytest.approx(LEFT + 0.5 * (400 - LEFT - RIGHT), abs=0.1)
    assert float(circle.get("cy")) == pytest.approx(300 - BOTTOM - 0.5 * (300 - TOP - BOTTOM), abs=0.1)


def test_density_loses_no_point_inside_and_shades_by_number():
    rng = np.random.default_rng(0)
    x = np.r_[rng.uniform(0, 1, 5000), np.full(3000, 0.505)]
    chart = Chart(Scale(0, 1), Scale(0, 1), x_label="", y_label="")
    paths = [n for n in parsed(chart.density(x, x, n_cells=50).render()).iter() if n.tag == "path"]
    cells = sum(path.get("d").count("M") for path in paths)
    assert cells == 50  # the diagonal
    darkest = max(paths, key=lambda path: float(path.get("fill-opacity")))
    assert darkest.get("d").count("M") == 1


def test_text_from_outside_is_escaped():
    chart = Chart(Scale(0, 1), Scale(0, 1), x_label="<b>", y_label='"&', name="<script>")
    html = chart.line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), label="<i>x</i>").render()
    assert "<script>" not in html
    assert "<i>x" not in html
    parsed(html)


def test_lines_break_where_the_data_are_not_finite():
    chart = Chart(Scale(0, 4), Scale(0, 1), x_label="", y_label="")
    html = chart.line(np.arange(5.0), np.array([0.0, 0.5, np.nan, 0.5, 1.0])).render()
    assert "nan" not in html
    assert [len(points.split()) for points in re.findall(r'points="([^"]*)"', html)] == [2, 2]


@pytest.mark.parametrize("n", [1, 40, 9000])
def test_parity_and_distribution_take_any_number_of_labels(n):
    rng = np.random.default_rng(n)
    reference = rng.normal(size=n)
    pairs = {"train": (reference, reference + 0.1), "test": (reference, reference)}
    parsed(figures.parity(pairs, "forces", "eV/Å"))
    errors = {name: predicted - truth for name, (truth, predicted) in pairs.items()}
    html = figures.error_distribution(errors, "forces", "eV/Å")
    parsed(html)
    assert len(html) < 60_000  # thinned, whatever the number of labels
