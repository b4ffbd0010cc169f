"""What supports a prediction: against dense algebra, and in cases with a known answer."""

import numpy as np
import pytest

import lacemaker as lace
from lacemaker.analysis.identifiability import Identifiability, Support, interaction_rows
from lacemaker.analysis.supported_observables import STEP, crystal_observables
from lacemaker.basis import ACEBasis
from lacemaker.datasets import load_silicon
from lacemaker.errors import EvaluationError
from lacemaker.regression import BLR, QR
from lacemaker.structures import Frame

R = np.linspace(1.8, 4.2, 9)
DIMERS = [(("Si", "Si"), np.array([[0.0, 0, 0], [0, 0, x]])) for x in R]


@pytest.fixture(scope="module")
def frames():
    return [f for f in lace.read(load_silicon("train")) if len(f.numbers) <= 8]


@pytest.fixture(scope="module")
def basis():
    return ACEBasis(["Si"], 2, [9, 7], cutoff=4.5)


def assembled(basis, frames, without=("dimer",)):
    kept = [f for f in frames if f.config_type not in without]
    return lace.assemble(basis, kept, weights={"default": {"energy": 30.0, "forces": 1.0, "virial": 1.0}})


@pytest.fixture(scope="module")
def system(basis, frames):
    return assembled(basis, frames)


@pytest.mark.parametrize("tempered", [False, True])
@pytest.mark.parametrize("e0", ["fit", {"Si": -0.8472}])
@pytest.mark.parametrize("solver", [BLR(), BLR(noise="per_quantity"), QR(ridge=0.05)])
def test_variance_and_share_are_those_of_dense_algebra(system, basis, e0, solver, tempered):
    """Precision = data + prior with the prior's diagonal Γ²/σ₀², on its own path through the algebra."""
    prior = "evidence" if tempered else lace.AlgebraicPrior()
    fit = lace.solve(system, solver=solver, e0=e0, prior=prior)
    found = Identifiability(fit, system).interactions(DIMERS)
    chosen = fit.settings["prior"]
    assert chosen["kind"] == "algebraic"
    gamma = lace.AlgebraicPrior(**chosen).gamma(system.functions, basis=basis)
    n_one = fit.posterior.n_one_body
    prior = np.diag(np.concatenate([np.zeros(n_one), (gamma / fit.prior_scale) ** 2]))
    precision = fit.posterior.precision_factor.T @ fit.posterior.precision_factor
    rows = np.hstack([np.zeros((len(R), n_one)), interaction_rows(basis, DIMERS)])
    pulled = np.linalg.solve(precision, rows.T)
    variance = np.einsum("ij,ji->i", rows, pulled)
    shrinking = np.einsum("ji,jk,ki->i", pulled, prior, pulled)
    np.testing.assert_allclose(found.std**2, variance, rtol=1e-5)
    np.testing.assert_allclose(found.prior_share, shrinking / variance, rtol=1e-3, atol=1e-4)
    power = fit.settings["prior_choice"]["likelihood_power"] if tempered else 1.0
    noise = fit.noise["energy"] / 30.0 / np.sqrt(power)
    np.testing.assert_allclose(found.leverage, variance / (2 * noise**2), rtol=1e-5)


def test_a_sparse_posterior_knows_nothing_of_what_was_left_out(system, basis):
    """Coefficients that are zero for certain add neither to the variance nor to the share."""
    from dataclasses import replace

    fit = lace.solve(system, solver=BLR(), e0={"Si": -0.8472})
    kept = np.arange(0, basis.n_functions, 2)
    precision = fit.posterior.precision_factor.T @ fit.posterior.precision_factor
    part = precision[np.ix_(kept, kept)]
    sparse = replace(fit.posterior, precision_factor=np.linalg.cholesky(part).T, active=kept)
    found = Identifiability(replace(fit, posterior=sparse), system).interactions(DIMERS)
    rows = interaction_rows(basis, DIMERS)[:, kept]
    variance = np.einsum("ij,ji->i", rows, np.linalg.solve(part, rows.T))
    np.testing.assert_allclose(found.std**2, variance, rtol=1e-8)
    assert ((found.prior_share >= 0) & (found.prior_share <= 1)).all()


def test_values_are_those_of_the_potential(system, basis):
    from lacemaker.analysis.clusters import interaction

    fit = lace.solve(system)
    found = Identifiability(fit, system).interactions(DIMERS)
    potential = fit.potential()
    expected = [interaction(potential, *dimer)[0] for dimer in DIMERS]
    np.testing.assert_allclose(found.value, expected, atol=1e-9)


def test_dimers_in_the_data_settle_dimers(basis, frames):
    """Without dimers they are extrapolated; with dimers the same distances come from data."""
    without, with_dimers = assembled(basis, frames), assembled(basis, frames, without=())
    lengths = [1.6, 1.75, 1.9, 2.05, 2.2, 2.3, 2.45, 2.65, 2.9]  # of the bundled set
    clusters = [(("Si", "Si"), np.array([[0.0, 0, 0], [0, 0, x]])) for x in lengths]
    verdicts = []
    for system in (without, with_dimers):
        fit = lace.solve(system, solver=BLR(), e0={"Si": -0.8472})
        verdicts.append(Identifiability(fit, system).interactions(clusters))
    assert (verdicts[1].leverage < 1.0).all()
    assert (verdicts[1].status() == "data").all()
    assert (verdicts[0].leverage > verdicts[1].leverage).all()
    assert verdicts[0].leverage[0] > 20 * verdicts[1].leverage[0]  # at 1.6 Å, closer than any crystal


def test_one_more_label_divides_the_variance_by_one_plus_leverage(basis, system):
    """The leverage's meaning, checked by adding the label."""
    fit = lace.solve(system, e0={"Si": 0.0})
    symbols, positions = DIMERS[4]
    before = Identifiability(fit, system).interactions([DIMERS[4]])
    power = fit.settings["prior_choice"]["likelihood_power"]  # a row of the fit counts for half a row
    scale = np.sqrt(power) * 30.0 / np.sqrt(2.0) / fit.noise["energy"]
    row = scale * interaction_rows(basis, [(symbols, positions)])
    precision = fit.posterior.precision_factor.T @ fit.posterior.precision_factor + row.T @ row
    after = float(row[0] @ np.linalg.solve(precision, row[0])) / scale**2
    assert abs(before.std[0] ** 2 / after - (1.0 + before.leverage[0])) < 1e-6 * (1.0 + before.leverage[0])


def test_far_from_all_data_the_prior_decides(basis, frames):
    """A handful of dense crystals says nothing of atoms 1.2 Å apart."""
    few = [f for f in frames if f.config_type == "diamond"][:4]
    system = lace.assemble(basis, few)
    found = Identifiability(lace.solve(system, e0={"Si": -0.8472}), system).interactions(
        [(("Si", "Si"), np.array([[0.0, 0, 0], [0, 0, 1.2]]))]
    )
    assert found.prior_share[0] > 0.5
    assert found.status()[0] == "prior"


def test_the_three_verdicts():
    support = Support(
        value=np.zeros(4),
        std=np.array([0.5, 0.5, 0.5, 0.001]),
        leverage=np.array([9.0, 9.0, 0.1, 9.0]),
        prior_share=np.array([0.9, 0.1, 0.1, 0.9]),
    )
    assert support.status().tolist() == ["prior", "extrapolated", "data", "data"]


def test_crystal_rows_are_derivatives_of_the_energy(system):
    """Pressure by a finite difference of E(V), force constant by one of forces."""
    from ase.build import bulk

    fit = lace.solve(system)
    potential = fit.potential()
    atoms = bulk("Si", "diamond", a=5.43)
    table = {
        (o.structure, o.quantity): o
        for o in crystal_observables(Identifiability(fit, system), potential, {"Si": atoms})
    }

    def energy(scale):
        frame = Frame(
            numbers=atoms.numbers,
            positions=scale * atoms.positions,
            cell=scale * atoms.cell.array,
            pbc=atoms.pbc,
        )
        return potential.predict(frame).energy

    step = 1e-4
    volume = atoms.get_volume()
    slope = (energy(1 + step) - energy(1 - step)) / (volume * ((1 + step) ** 3 - (1 - step) ** 3))
    pressure = table["Si, at bond length", "pressure"]
    assert abs(pressure.value + slope * 160.21766208) < 1e-3 * abs(slope * 160.2)
    assert abs(table["Si, at bond length", "energy"].value - energy(1.0) / 2) < 1e-8
    wide = atoms.repeat(2)
    moved = wide.positions.copy()
    forces = []
    for sign in (1, -1):
        moved[0] = wide.positions[0] + [sign * STEP, 0, 0]
        frame = Frame(numbers=wide.numbers, positions=moved, cell=wide.cell.array, pbc=wide.pbc)
        forces.append(potential.predict(frame).forces[0, 0])
    constant = table["Si, at bond length", "force constant"]
    assert abs(constant.value + (forces[0] - forces[1]) / (2 * STEP)) < 1e-6
    assert all(o.std > 0.0 for o in table.values())


def test_a_fit_without_posterior_is_refused(system):
    with pytest.raises(EvaluationError, match="no posterior"):
        Identifiability(lace.solve(system, solver=QR(), prior=None).__class__(
            **{**lace.solve(system, solver=QR(ridge=0.1)).__dict__, "posterior": None}
        ), system)  # fmt: skip
