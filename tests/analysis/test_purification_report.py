"""What the purification report says about sizes, spaces and condition numbers."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from lacemaker.analysis.independence import report as independence_report
from lacemaker.analysis.purification import report, site_values
from lacemaker.basis import ACEBasis, reference
from lacemaker.errors import BasisError


def clusters(n: int, n_atoms: int) -> list[Atoms]:
    """Atoms on an fcc grid, displaced: one neighbour and more, never on top of each other."""
    grid = bulk("Al", "fcc", a=4.0, cubic=True).repeat(2).positions
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(len(grid))[:n_atoms] for _ in range(n)]
    return [Atoms("Si" * n_atoms, grid[c] + 0.2 * rng.normal(size=(n_atoms, 3))) for c in chosen]


@pytest.fixture(scope="module")
def stepped() -> ACEBasis:
    return ACEBasis("Si", 3, [12, 9, 6], cutoff=6.0)


def test_site_values_are_those_of_the_oracle(stepped):
    basis, atoms = stepped.purified(), clusters(1, 5)[0]
    (values,) = site_values(basis, [atoms])
    for i in range(5):
        vectors = np.delete(atoms.positions - atoms.positions[i], i, axis=0)
        expected, _ = reference.site(basis, 0, vectors, np.zeros(4, dtype=int))
        np.testing.assert_allclose(values[i], expected[: basis.n_many_body], rtol=0, atol=1e-13)
    assert len(site_values(basis, [atoms] * 3, max_sites=7)[0]) == 7


def test_stepped_degrees_keep_the_space_and_the_sizes(stepped):
    found = report(stepped.purified())
    (growth,) = found.growth
    assert found.same_space
    assert growth.n_outside == 0
    assert not found.conditioning
    assert growth.n_products[0] == growth.n_products[1] == stepped.many_body[0].n_products
    assert growth.n_entries[1] > growth.n_entries[0]
    assert "spans the same space" in str(found)


def test_one_step_less_leaves_the_space():
    found = report(ACEBasis("Si", 3, [11, 9, 6], cutoff=6.0).purified())  # 2 instead of 3 = p1 + p2 - 1
    assert not found.same_space
    assert "does not span" in str(found)
    assert report(ACEBasis("Si", 2, [9, 6]).purified("pair")).same_space


def test_few_neighbours_are_what_purified_functions_tell_apart(stepped):
    """On pairs and triples of atoms higher orders are functions of lower ones, or exactly zero."""
    structures = clusters(150, 3)
    found = report(stepped.purified(), structures)
    one, two, three = found.conditioning
    assert [o.n_functions for o in (one, two, three)] == np.bincount(stepped.many_body[0].order)[1:].tolist()
    assert one.own[0] == one.own[1]
    assert np.isnan(one.explained).all()
    assert three.explained[0] > 0.5  # standard: products of three factors look like those of two
    assert three.vanishing == (0, three.n_functions)  # purified: nothing there
    assert two.vanishing[1] < two.n_functions
    assert np.isnan(three.own[1])
    text = json.loads(json.dumps(found.to_dict(), allow_nan=True))
    assert text["conditioning"][1]["order"] == 2
    assert "explained by lower" in str(found)


def test_too_few_sites_say_nothing(stepped):
    found = report(stepped.purified(), clusters(1, 4))
    assert all(np.isnan(o.up_to).all() for o in found.conditioning)


def test_plain_bases_are_refused(stepped):
    with pytest.raises(BasisError, match=r"not purified(.|\n)*purified\(\)"):
        report(stepped)


def test_the_independence_report_takes_purified_bases(stepped):
    pure = stepped.purified()
    found = independence_report(pure, [clusters(1, 6)[0]])
    assert found.arithmetic == "float64"
    assert found.centres[0].rank == independence_report(stepped).centres[0].rank
