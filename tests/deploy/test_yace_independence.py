"""Functional rank of `.yace` files: that of the basis they came from, also at symmetric sites."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from lacemaker.analysis.independence import report
from lacemaker.basis import ACEBasis
from lacemaker.cli import main
from lacemaker.deploy.yace import Bond, Embedding, Terms, YaceModel, export_yace, read_yace
from lacemaker.deploy.yace.independence import independence_report
from lacemaker.errors import BasisError
from lacemaker.potential import Potential


@pytest.fixture(scope="module")
def potential():
    """Functions of order 2 and 3 alone: an export turns order 1 into rank 1 of raw radial functions."""
    basis = ACEBasis("Si", 3, 8, pair=None)
    basis = basis.subset(basis.many_body[0].order > 1)
    return Potential(basis, np.random.default_rng(0).normal(size=basis.n_functions), [0.0])


@pytest.fixture(scope="module")
def exported(potential, tmp_path_factory):
    path = tmp_path_factory.mktemp("yace") / "si.yace"
    export_yace(potential, path)
    return path


def without_singles(path) -> YaceModel:
    model = read_yace(path)
    return replace(model, terms=tuple(tuple(t for t in terms if t.rank > 1) for terms in model.terms))


def test_an_exported_potential_has_the_ranks_of_its_basis(potential, exported):
    """Export adds up the couplings of equal channels; this basis has one of each."""
    centre = potential.basis.many_body[0]
    assert len(np.unique(centre.function_channels, axis=0)) == centre.n_functions
    found = independence_report(without_singles(exported)).centres[0]
    theirs = report(potential).centres[0]
    assert (found.n_functions, found.rank) == (theirs.n_functions, theirs.rank)
    assert (found.n_components, found.bound) == (theirs.n_components, theirs.bound)
    assert found.functions_by_order == theirs.functions_by_order


def test_symmetric_sites_lose_rank_as_in_the_basis(potential, exported):
    crystal = bulk("Si", cubic=True)
    (ours,) = report(potential, crystal).sites
    (theirs,) = independence_report(without_singles(exported), crystal).sites
    assert (theirs.rank, theirs.n_neighbours, theirs.vanishing) == (
        ours.rank, ours.n_neighbours, ours.vanishing
    )  # fmt: skip
    rattled = crystal.repeat(2)
    rattled.rattle(0.1, seed=1)
    found = independence_report(without_singles(exported), rattled)
    assert {site.rank for site in found.sites} == {found.centres[0].rank}


def scalar_model(*, square: bool) -> YaceModel:
    """Rank 1: g_1, g_2. Rank 2: the square of R_10 = g_1 - 2 g_2, or the norm of a vector."""
    coefficients = np.zeros((1, 2, 2))
    coefficients[0, 0] = 1.0, -2.0
    coefficients[0, 1] = 0.5, 1.0
    single = Terms(np.array([[[0, 1, 0, 0]], [[0, 2, 0, 0]]]), np.array([[1.0], [0.7]]))
    if square:
        double = Terms(np.array([[[0, 1, 0, 0]] * 2]), np.array([[0.3]]))
    else:
        factors = [[[0, 1, 1, -1], [0, 1, 1, 1]], [[0, 1, 1, 0], [0, 1, 1, 0]]]
        double = Terms(np.array(factors), np.array([[-2.0], [1.0]]))
    one = Embedding("FinnisSinclair", np.ones(1), np.ones(1))
    bond = Bond("ChebPow", 2.0, 5.0, 0.5, coefficients)
    return YaceModel(("Si",), np.zeros(1), (one,), {(0, 0): bond}, ((single, double),))


def test_the_square_of_a_sum_of_rank_one_functions_is_redundant_and_the_norm_of_a_vector_is_not():
    found = independence_report(scalar_model(square=True))
    assert (found.centres[0].n_functions, found.centres[0].rank) == (3, 2)
    found = independence_report(scalar_model(square=False))
    assert (found.centres[0].n_functions, found.centres[0].rank, found.centres[0].bound) == (3, 3, 3)


def test_several_densities_count_apart(potential, exported):
    model = without_singles(exported)
    doubled = tuple(Terms(t.factors, np.hstack([t.weights, 0.5 * t.weights])) for t in model.terms[0])
    two = Embedding("FinnisSinclair", np.ones(2), np.array([1.0, 0.5]))
    twice = YaceModel(model.elements, model.e0, (two,), model.bonds, (doubled,))
    one, both = independence_report(model).centres[0], independence_report(twice).centres[0]
    assert both.n_functions == 2 * one.n_functions
    assert both.rank == one.rank


def test_the_command_and_foreign_elements(exported, tmp_path, capsys):
    bulk("Si").write(tmp_path / "si.xyz")
    assert main(["check", "--independence", str(exported), str(tmp_path / "si.xyz")]) == 0
    assert "redundant" in capsys.readouterr().out
    with pytest.raises(BasisError, match="Ge"):
        independence_report(read_yace(exported), bulk("Ge"))
