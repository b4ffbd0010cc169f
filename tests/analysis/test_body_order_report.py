"""The report on fits and foreign calculators, its references and its words."""

import json

import numpy as np
import pytest
from ase.calculators.emt import EMT
from scipy.interpolate import CubicSpline

import lacemaker as lace
from lacemaker.analysis.body_order import body_order_report
from lacemaker.analysis.body_refits import body_order_fits, body_shares, energy_shares
from lacemaker.analysis.diatomics import pair_sanity
from lacemaker.analysis.dimers import dimer_curve
from lacemaker.analysis.pair_references import dimers_in
from lacemaker.basis import ACEBasis
from lacemaker.datasets import load_silicon
from lacemaker.datasets.dimers import (
    PairReference,
    bundled_curve,
    bundled_curves,
    bundled_pairs,
    read_curve,
)
from lacemaker.errors import DataError, EvaluationError, LacemakerError
from lacemaker.regression import QR, BodyOrder, TriangularSystem
from lacemaker.report.bodies_page import bodies_page


@pytest.fixture(scope="module")
def frames():
    return [f for f in lace.read(load_silicon("train")) if len(f.numbers) <= 8]


@pytest.fixture(scope="module")
def system(frames):
    basis = ACEBasis(["Si"], 3, [9, 7, 5], cutoff=4.5)
    return lace.assemble(basis, frames, weights={"default": {"energy": 30.0}}, folds=5)


@pytest.fixture(scope="module")
def report(system, frames):
    fit = lace.solve(system)
    return body_order_report(
        fit.potential(), system=system, fit=fit, frames=frames, refits={"validation": 0, "bodies": (2, 3, 4)}
    )


def curve_of(function, r=None, bond=2.0):
    r = np.linspace(0.8, 6.0, 200) if r is None else r
    return dimer_curve(
        lambda x: (function(x), -(function(x + 1e-6) - function(x - 1e-6)) / 2e-6), ("A", "A"), r, bond
    )


def test_a_morse_curve_is_sane():
    found = pair_sanity(curve_of(lambda x: (1 - np.exp(-1.8 * (x - 2.0))) ** 2 - 1))
    assert found.sane
    assert (found.minima, found.force_flips, found.inflections) == (1, 1, 1)
    assert abs(found.r_e - 2.0) < 1e-3
    assert abs(found.depth + 1.0) < 1e-3
    assert (found.spearman_inside, found.spearman_outside) == (-1.0, 1.0)


def test_wiggles_and_holes_are_counted():
    wiggly = pair_sanity(curve_of(lambda x: (1 - np.exp(-1.8 * (x - 2.0))) ** 2 - 1 + 0.2 * np.sin(6 * x)))
    assert wiggly.minima > 1
    assert wiggly.force_flips > 1
    assert not wiggly.sane
    hole = pair_sanity(curve_of(lambda x: -1.0 / x))
    assert not hole.repulsive_core
    assert not hole.sane


def test_refits_improve_and_converge_to_the_full_fit(system):
    fits = body_order_fits(system, solver=QR(ridge=1e-3))
    assert [f.bodies for f in fits] == [2, 3, 4]
    errors = [f.fit.rmse["train"]["total"]["energy"] for f in fits]
    assert errors[0] > errors[1] > errors[2]
    full = lace.solve(system, solver=QR(ridge=1e-3))
    np.testing.assert_allclose(fits[-1].fit.coefficients, full.coefficients, rtol=1e-6, atol=1e-8)
    outer = fits[0].curves["Si–Si"].r >= 0.75 * fits[0].curves["Si–Si"].nearest_neighbour
    step = (fits[0].curves["Si–Si"].energy - fits[1].curves["Si–Si"].energy)[outer]
    assert abs(fits[0].drift["Si–Si"] - np.sqrt(np.mean(step**2))) < 1e-12
    assert not fits[-1].drift


def test_energy_shares_are_those_of_the_structures(system, frames):
    """Against predictions of potentials with one order switched on at a time."""
    fit = lace.solve(system)
    shares = energy_shares(system, fit)
    assert abs(sum(share for share, _ in shares.values()) - 1.0) < 1e-10
    orders = np.array([f.correlation_order for f in system.functions])
    parts = {}
    for order in (1, 2, 3):
        potential = lace.Potential(system.basis, np.where(orders == order, fit.coefficients, 0.0), [0.0])
        parts[order] = np.array([potential.predict(f).energy / len(f.numbers) for f in frames])
    whole = sum(parts.values())
    for order, (share, rms) in shares.items():
        assert abs(share - parts[order] @ whole / (whole @ whole)) < 1e-8
        assert abs(rms - np.sqrt(np.mean(parts[order] ** 2))) < 1e-8


def test_shares_of_bodies_do_not_depend_on_the_basis_of_the_fit(system, frames):
    """In a purified basis orders are bodies; a standard potential is rewritten before it is split."""
    pure = system.basis.purified()
    rng = np.random.default_rng(1)
    potential = lace.Potential(pure, rng.normal(size=pure.n_functions), [0.0])
    orders = np.array([f.correlation_order for f in pure.columns])
    parts = [
        np.array([
            lace.Potential(pure, np.where(orders == k, potential.coefficients, 0.0), [0.0]).predict(f).energy
            / len(f.numbers)
            for f in frames
        ])
        for k in (1, 2, 3)
    ]  # fmt: skip
    whole = np.sum(parts, axis=0)
    found = body_shares(potential, frames)
    for k, part in enumerate(parts, 2):
        assert abs(found[k][0] - part @ whole / (whole @ whole)) < 1e-8
    standard = body_shares(lace.solve(system).potential(), frames)
    assert abs(sum(share for share, _ in standard.values()) - 1.0) < 1e-10
    assert body_shares(potential, []) is None


def test_shares_need_energies(system):
    bare = system.select(lambda key: key.kind in ("forces", "virial"))
    with pytest.raises(LacemakerError, match="need energies"):
        energy_shares(bare, lace.solve(bare, e0={"Si": 0.0}))


def test_dimers_of_the_data_are_found(frames):
    found = dimers_in(frames)
    curve = found["Si", "Si"]
    assert len(curve.r) == 9
    assert abs(curve.energy.min() + 3.52) < 0.01  # README of the data set
    alone = next(f.energy for f in frames if f.is_isolated_atom)
    dimer = next(f for f in frames if f.config_type == "dimer")
    length = np.linalg.norm(dimer.positions[1] - dimer.positions[0])
    assert abs(np.interp(length, curve.r, curve.energy) - (dimer.energy - 2 * alone)) < 1e-10
    assert dimers_in([f for f in frames if not f.is_isolated_atom]) == {}
    assert ("Si", "Si") in dimers_in([f for f in frames if not f.is_isolated_atom], {"Si": alone})


def test_crystals_of_two_atoms_are_no_dimers(frames):
    crystals = [f for f in frames if len(f.numbers) in (1, 2) and f.config_type != "dimer"]
    assert len(crystals) > 10
    assert dimers_in(crystals) == {}


def test_bundled_curves_are_read():
    pairs = bundled_pairs()
    assert pairs == [("C", "C"), ("Si", "Si")]
    assert bundled_curve("Xe", "Si") is None
    carbon = bundled_curve("C", "C")
    assert (np.diff(carbon.r) > 0).all()
    assert carbon.provenance["method"].startswith("UKS PBE")
    assert len(carbon.state) == len(carbon.r)
    # independent values of the same level (UKS-PBE/def2-TZVP, triplet), two digits
    at = {round(float(r), 3): float(e) for r, e in zip(carbon.r, carbon.energy, strict=True)}
    for r, energy in ((1.2, -6.43), (1.3, -6.90), (1.4, -6.72), (1.6, -5.49)):
        assert abs(at[r] - energy) < 0.03
    assert abs(carbon.energy[-1]) < 0.1


def test_the_bundled_silicon_is_that_of_the_data_set(frames):
    bundled, found = bundled_curve("Si", "Si"), dimers_in(frames)["Si", "Si"]
    np.testing.assert_allclose(bundled.r, found.r, atol=1e-6)
    np.testing.assert_allclose(bundled.energy, found.energy, atol=1e-4)


def test_silicon_has_a_second_curve_with_a_tail():
    """PySCF in a small basis against GPAW where both are; a larger basis where it was computed."""
    plane_waves, found = bundled_curves("Si", "Si")
    assert found.provenance["code"].startswith("PySCF")
    assert found.energy[-1] > -0.2
    assert (found.r[0], found.r[-1]) == (1.65, 5.0)
    assert found.energy[0] > 0.5
    assert set(found.state) == {"broken-symmetry", "triplet", "quintet"}
    inside = (found.r >= 1.8) & (found.r <= 2.9)
    at = CubicSpline(plane_waves.r, plane_waves.energy)(found.r[inside])
    assert inside.sum() >= 3
    np.testing.assert_allclose(found.energy[inside], at, atol=0.1)
    larger = found.provenance["larger_basis"]
    for r, energy in zip(larger["r_A"], larger["energy_eV"], strict=True):
        assert abs(energy - float(found.energy[np.argmin(np.abs(found.r - r))])) < 0.16


def test_a_curve_from_a_file(tmp_path):
    path = tmp_path / "curve.json"
    path.write_text(json.dumps({"pair": ["Si", "O"], "r_A": [2.0, 1.5], "energy_eV": [-1.0, -4.0]}))
    curve = read_curve(path)
    assert curve.r.tolist() == [1.5, 2.0]
    assert curve.energy.tolist() == [-4.0, -1.0]
    path.write_text(json.dumps({"pair": ["Si", "O"], "r_A": [2.0, 1.5], "energy_eV": [-1.0]}))
    with pytest.raises(DataError, match="one finite energy per distance"):
        read_curve(path)
    path.write_text("{}")
    with pytest.raises(DataError, match="holds no dimer curve"):
        read_curve(path)


def test_the_report_of_a_fit(report):
    assert report.check.passed
    assert report.basis == "standard"
    pair = report.pairs[0]
    assert pair.references[0].source == "dimers in the data"
    assert pair.reference_rmse[0] is not None
    statuses = [s for s, _, _ in pair.ranges]
    assert statuses[0] == "prior"  # the deep core
    assert "data" in statuses
    assert [f.bodies for f in report.fits] == [2, 3, 4]
    assert all("validation" in f.fit.rmse for f in report.fits)
    assert len(report.observables) == 4 * 8
    table = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert table["fits"][2]["pairs"]["Si–Si"]["depth_eV"] < 0
    assert set(table["fits"][2]["energy_by_bodies"]) == {"2", "3", "4"}
    text = str(report)
    assert "shares of 2, 3, … bodies" in text
    assert "beyond 4 bodies vanish" in text
    levels = [level for level, _ in report.advice]
    assert levels == sorted(levels, key=["bad", "warn", "good"].index)


def test_the_page_is_complete(report):
    page = bodies_page(report, source="si <run>")
    assert "si &lt;run&gt;" in page
    assert page.count("<svg viewBox") >= 6
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "nan" not in page.split("<main>")[1].lower().replace("nance", "")


def test_any_calculator_with_a_reference():
    ghost = PairReference(("Cu", "Cu"), np.array([2.0, 2.5, 3.0]), np.array([-1.0, -2.0, -1.0]), "by hand")
    report = body_order_report(EMT(), [ghost, EMT()], elements=["Cu"])
    assert report.check is None
    assert not report.fits
    pair = report.pairs[0]
    assert [r.source for r in pair.references] == ["by hand", "EMT"]
    assert pair.reference_rmse[0] > 0.1
    assert pair.reference_rmse[1] < 1e-12
    np.testing.assert_allclose(report.triples[0].reference, report.triples[0].value, atol=1e-10)
    assert any("of fitted potentials only" in note for note in report.notes)
    assert "EMT for Cu" in bodies_page(report)


def test_a_calculator_needs_elements():
    with pytest.raises(EvaluationError, match="elements of a calculator"):
        body_order_report(EMT())


def test_a_pair_part_is_a_pair_part(system):
    """In the purified basis a dimer is the ν = 1 and pair blocks alone; in the standard one it is not."""
    basis = system.basis.purified()
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=basis.n_functions)
    orders = np.array([f.correlation_order for f in basis.columns])
    from lacemaker.analysis.clusters import interaction

    dimer = np.array([[0.0, 0, 0], [0, 0, 2.4]])
    for space, equal in ((basis, True), (system.basis, False)):
        values = [
            interaction(lace.Potential(space, c, [0.0]), ["Si", "Si"], dimer)[0]
            for c in (coefficients, np.where(orders == 1, coefficients, 0.0))
        ]
        assert (abs(values[0] - values[1]) < 1e-9 * max(1.0, abs(values[0]))) is equal


def test_restricting_leaves_the_data_alone(system):
    assert isinstance(BodyOrder(2).restrict(system), TriangularSystem)
    assert BodyOrder(2).restrict(system).n_rows == system.n_rows
