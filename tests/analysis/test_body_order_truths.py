"""What fits can and cannot know of pairs, on truths of known body order (benchmarks/papers/body_order.py).

1. A truth of K bodies is recovered by exact least squares, even without a single dimer in the data.
2. Mild regularisation alone spoils the dimer, while the potential looks usable.
3. A truth of more bodies than the model never converges: the low orders absorb the rest, and clusters repair
   the dimer only at the cost of condensed matter.
"""

import sys
from pathlib import Path

import pytest

import lacemaker as lace
from lacemaker.analysis.body_refits import body_order_fits
from lacemaker.regression import QR

PAPERS = Path(__file__).resolve().parents[2] / "benchmarks" / "papers"
if not PAPERS.is_dir():
    pytest.skip("the experiments are not part of an installed copy", allow_module_level=True)
pytest.importorskip("matscipy")
sys.path.insert(0, str(PAPERS))
from body_order_truths import (  # noqa: E402
    WEIGHTS,
    basis_of,
    bulk_set,
    calculator,
    cluster_set,
    dimer_error,
    diverse_set,
    energy_rmse,
    labelled,
    ridge_fit,
)

SMALL = (12, 14)  # degrees


@pytest.fixture(scope="module")
def stillinger_weber():
    truth = calculator("Stillinger-Weber")
    diverse = labelled(diverse_set(60), truth, "diverse")
    test = labelled(diverse_set(20, 9), truth, "diverse")
    return truth, lace.assemble(basis_of(3, SMALL), diverse, weights=WEIGHTS), test, diverse


@pytest.fixture(scope="module")
def kumagai():
    truth = calculator("Kumagai")
    diverse = labelled(diverse_set(60), truth, "diverse")
    clusters = labelled(cluster_set((2, 3, 4, 5), 12), truth, "clusters")
    test = labelled(diverse_set(20, 9), truth, "diverse")
    basis = basis_of(3, SMALL)
    return truth, *(lace.assemble(basis, f, weights=WEIGHTS) for f in (diverse, clusters)), test


def test_the_truths_are_the_published_ones(stillinger_weber, kumagai):
    """Depth and distance of the dimers of the two published potentials."""
    for truth, depth, r_e in ((stillinger_weber[0], -2.168, 2.352), (kumagai[0], -3.576, 2.215)):
        found = dimer_error(truth, truth)
        assert abs(found.depth - depth) < 2e-3
        assert abs(found.r_e - r_e) < 3e-3


def test_a_three_body_truth_is_recovered_without_dimers(stillinger_weber):
    truth, system, test, _ = stillinger_weber
    exact = ridge_fit(system, 1e-10).potential()
    found = dimer_error(exact, truth)
    assert found.rmse < 0.03
    assert abs(found.depth + 2.168) < 0.03
    assert energy_rmse(exact, test) < 15.0
    # while pairs alone cannot
    pairs = ridge_fit(system, 1e-10, bodies=2).potential()
    assert dimer_error(pairs, truth).rmse > 0.5
    assert energy_rmse(pairs, test) > 200.0


def test_regularisation_alone_spoils_the_dimer(stillinger_weber):
    truth, system, test, _ = stillinger_weber
    errors, energies = [], []
    for ridge in (1e-10, 3e-3, 1e-2):
        potential = ridge_fit(system, ridge).potential()
        errors.append(dimer_error(potential, truth).rmse)
        energies.append(energy_rmse(potential, test))
    assert errors[1] > max(0.05, 10 * errors[0])
    assert energies[1] < 200.0  # the energies of the test set spread over 1700
    assert errors[2] > max(0.15, 2 * errors[1])


def test_bulk_data_alone_know_less(stillinger_weber):
    truth, system, test, _ = stillinger_weber
    bulk = lace.assemble(basis_of(3, SMALL), labelled(bulk_set(40), truth, "bulk"), weights=WEIGHTS)
    narrow, wide = (ridge_fit(s, 1e-4).potential() for s in (bulk, system))
    assert energy_rmse(narrow, test) > 5 * energy_rmse(wide, test)
    assert dimer_error(narrow, truth).rmse > dimer_error(wide, truth).rmse


def test_a_many_body_truth_does_not_converge(kumagai):
    truth, system, _, test = kumagai
    potential = ridge_fit(system, 1e-10).potential()
    found = dimer_error(potential, truth)
    assert found.rmse > 0.5  # eV
    assert found.depth > -3.0  # the truth: -3.58
    assert energy_rmse(potential, test) > 30.0


def test_clusters_repair_the_dimer_at_a_price(kumagai):
    truth, diverse, clusters, test = kumagai
    alone, joined, only = (
        ridge_fit(s, 1e-10).potential() for s in (diverse, diverse.joined(clusters), clusters)
    )
    errors = [dimer_error(p, truth).rmse for p in (alone, joined, only)]
    prices = [energy_rmse(p, test) for p in (alone, joined, only)]
    assert errors[0] > errors[1] > errors[2]
    assert prices[0] < prices[1] < prices[2]


def test_drift_tells_the_truths_apart(stillinger_weber):
    """From K = 3 on a three-body truth has nothing left to say, and V_2 stands still."""
    frames = stillinger_weber[3]
    basis = lace.ACEBasis("Si", 3, [12, 12, 6], cutoff=4.0, r0=2.35, pair=None)
    fits = body_order_fits(
        lace.assemble(basis, frames, weights=WEIGHTS), solver=QR(ridge=1e-6), prior=None, e0="zero"
    )
    first, second = (f.drift["Si–Si"] for f in fits[:2])
    assert first > 0.5
    assert second < 0.1 * first
