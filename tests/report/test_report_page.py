"""The page: complete in itself, safe against what stands in the data, there for every kind of data."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lacemaker.analysis import Predictions, dimer_curves, error_table, volume_scans
from lacemaker.basis import ZBL, ACEBasis
from lacemaker.potential import Potential
from lacemaker.report import build_report
from lacemaker.report.advice import judge, judge_errors
from lacemaker.report.labelled import LabelledSet
from lacemaker.structures import Frame, Frames

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Checker(HTMLParser):
    """Counts unclosed tags and collects what is shown and what would be requested."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.requests = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.requests += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert checker.requests == []
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", html)
    return " ".join(" ".join(checker.text).split())


@pytest.fixture(scope="module")
def potential():
    basis = ACEBasis(["O", "Ti"], 3, [5, 4, 3], cutoff=5.0, repulsion=ZBL())
    rng = np.random.default_rng(0)
    return Potential(basis, 1e-2 * rng.normal(size=basis.n_functions), [-1.0, -2.0])


def frames(n, seed, **labels):
    rng = np.random.default_rng(seed)
    return Frames(
        Frame(
            numbers=[8, 22, 8],
            positions=rng.uniform(0, 4, (3, 3)),
            cell=4 * np.eye(3),
            pbc=[True] * 3,
            energy=-4.0 + rng.normal() if labels.get("energy", True) else None,
            forces=rng.normal(size=(3, 3)) if labels.get("forces", True) else None,
            virial=rng.normal(size=6) if labels.get("virial", True) else None,
            config_type=labels.get("config_type", "bulk"),
            source=labels.get("source", "/home/someone/train.xyz frame 3"),
        )
        for _ in range(n)
    )


def labelled(name, potential, data, noise=0.01):
    rng = np.random.default_rng(7)
    predictions = Predictions(
        energy=np.array([(f.energy or 0.0) + noise * rng.normal() for f in data]),
        forces=tuple((0 if f.forces is None else f.forces) + noise * rng.normal(size=(3, 3)) for f in data),
        virial=np.array([(0 if f.virial is None else f.virial) + noise * rng.normal(size=6) for f in data]),
    )
    return LabelledSet(name, data, predictions, error_table(potential, data, predictions))


def test_a_full_report_holds_everything_and_asks_for_nothing(potential):
    sets = [labelled("train", potential, frames(40, 0)), labelled("test", potential, frames(9, 1))]
    html = build_report(
        potential,
        sets,
        dimers=dimer_curves(potential, n_points=60),
        scans=volume_scans(potential, n_points=40),
        speed={"microseconds_per_atom": 2.5, "neighbours_per_atom": 40.0, "isa": "avx2", "dtype": "float64"},
        timings={"reading": {"wall_s": 1.0, "cpu_s": 0.5}},
        config_text="basis: {preset: fast}\n",
        warnings=["something odd"],
        fit={"solver": {"kind": "blr"}},
    )
    text = checked(html)
    for words in (
        "O-Ti: linear ACE potential",
        "Verdict",
        "something odd",
        "Mean absolute errors",
        "Root mean square errors",
        "Parity: virials",
        "Errors: forces",
        "train.xyz frame 3",
        "O–Ti",
        "OTi rocksalt",
        "Into strong compression",
        "Pair functions",
        "Coefficients by body order",
        "34.6 ns/day",
        "basis: {preset: fast}",
        "E0 of Ti",
    ):
        assert words in text, words
    assert "/home/someone" not in text
    assert f"{sets[1].errors.total.forces_mae_eV_per_A:.4f}" in text
    assert len(html) < 1_500_000


@pytest.mark.parametrize(
    "labels",
    [
        {"virial": False},
        {"forces": False, "virial": False},
        {"energy": False},
        {"energy": False, "forces": False},
    ],
)
def test_missing_labels_leave_out_their_figures_only(potential, labels):
    text = checked(build_report(potential, [labelled("test", potential, frames(5, 2, **labels))]))
    for name, word in (
        ("virial", "Parity: virials"),
        ("forces", "Parity: forces"),
        ("energy", "Parity: energies"),
    ):
        assert (word in text) == labels.get(name, True)


def test_a_report_without_data_describes_the_potential(potential):
    text = checked(build_report(potential, []))
    assert "Basis and coefficients" in text
    assert "Errors" not in text


def test_names_from_the_data_are_escaped(potential):
    data = frames(
        3, 0, config_type="<script>alert(1)</script>", source="<img src=x onerror=alert(1)> frame 0"
    )
    html = build_report(
        potential, [labelled("train", potential, data)], warnings=["<b>bold</b>"], title="A & <B>"
    )
    checked(html)
    assert "alert(1)</script>" not in html
    assert "<img" not in html
    assert "<b>bold" not in html


def test_scripts_and_styles_are_inlined_unescaped(potential):
    html = build_report(potential, [])
    assert "prefers-color-scheme: dark" in html
    assert "const probe = make(" in html
    assert "&#34;" not in html.split("<script>")[1]


def table_with(forces_mae, n=100, groups=(), energy_rmse=1.0):
    """An error table with given force MAEs by group."""
    from lacemaker.analysis.errors import ErrorTable, GroupErrors

    def row(value):
        return GroupErrors(n, n, n, n, n, 1.0, energy_rmse, value, value, 1.0, 1.0, 1.0, 1.0)

    return ErrorTable({**{name: row(value) for name, value in groups}, "total": row(forces_mae)})


def test_advice_on_errors():
    def advise(**sets):
        return [(a.level, a.text) for a in judge_errors(sets)]

    assert any("no test set" in text for _, text in advise(train=table_with(0.1)))
    good = advise(train=table_with(0.1), test=table_with(0.12))
    assert ("good", "Test forces are 1.20 times the training error: no sign of over-fitting.") in good
    assert any(
        level == "warn" and "2.0 times worse" in text
        for level, text in advise(train=table_with(0.1), test=table_with(0.2))
    )
    assert any("25 frames" in text for _, text in advise(train=table_with(0.1), test=table_with(0.1, n=25)))
    odd = advise(train=table_with(0.1), test=table_with(0.1, groups=[("liquid", 0.4), ("bulk", 0.05)]))
    assert [text for _, text in odd if "'liquid'" in text]
    assert not [text for _, text in odd if "'bulk'" in text]


def test_outliers_are_pointed_out():
    texts = [a.text for a in judge_errors({"train": table_with(0.1, energy_rmse=30.0)})]
    assert any(
        "A few structures dominate the train energy errors (RMSE 30.0, MAE 1.00" in text for text in texts
    )
    assert not [a for a in judge_errors({"train": table_with(0.1)}) if "dominate" in a.text]


def test_the_worst_structures_by_force_and_by_energy_are_listed(potential):
    data = frames(30, 4)
    good = labelled("test", potential, data, noise=1e-4)
    energy, forces = good.predictions.energy.copy(), list(good.predictions.forces)
    energy[7] += 5.0
    forces[11] = forces[11] + 3.0
    bad = Predictions(energy, tuple(forces), good.predictions.virial)
    worst = LabelledSet("test", data, bad, error_table(potential, data, bad)).worst(by_force=1, by_energy=1)
    assert worst[0].largest_force_error == pytest.approx(3.0 * 3**0.5, rel=1e-3)
    assert worst[1].energy_error == pytest.approx(5.0 / 3, rel=1e-3)


def test_the_worst_news_comes_first():
    from lacemaker.analysis.dimers import dimer_curve

    r = np.linspace(0.4, 6, 200)
    hole = dimer_curve(lambda x: (2000 * np.exp(-3.5 * x) - 60 / x**6, 0.0), ("O", "O"), r, 2.5)
    advice = judge({"train": table_with(0.1), "test": table_with(0.11)}, [hole], [], ["mind the step"])
    assert [a.level for a in advice] == sorted((a.level for a in advice), key=["bad", "warn", "good"].index)
    assert "HOLE" in advice[0].text
    assert any(a.text == "mind the step" for a in advice)
