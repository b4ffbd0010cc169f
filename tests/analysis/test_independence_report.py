"""What `lace check --independence` says: ranks, redundancy, and the loss at symmetric sites."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from lacemaker.analysis.independence import measured_costs, report
from lacemaker.basis import ACEBasis
from lacemaker.cli import main
from lacemaker.errors import BasisError
from lacemaker.potential import Potential


@pytest.fixture(scope="module")
def basis() -> ACEBasis:
    return ACEBasis("Si", 3, 12)


@pytest.fixture(scope="module")
def silicon() -> Atoms:
    return bulk("Si", cubic=True)


def potential_of(basis: ACEBasis, used=None) -> Potential:
    values = np.random.default_rng(0).normal(size=basis.n_functions)
    if used is not None:
        values[: basis.n_many_body][~used] = 0.0
    return Potential(basis, values, [0.0])


def test_a_full_basis_is_redundant_and_its_optimal_part_is_not(basis):
    full, part = report(basis), report(basis.optimal())
    assert (full.centres[0].n_functions, full.centres[0].rank, full.redundant) == (211, 52, 159)
    assert (part.centres[0].n_functions, part.redundant) == (52, 0)
    assert full.centres[0].bound == 75 - 3
    assert full.centres[0].kept_by_order == (12, 29, 11)
    assert full.n_pair == 12
    assert "159" in str(full)


def test_a_sparse_potential_is_judged_by_the_functions_it_uses(basis):
    used = np.random.default_rng(1).random(basis.n_many_body) < 0.2
    found = report(potential_of(basis, used))
    assert found.active_only
    assert found.centres[0].n_functions == used.sum()
    assert found.centres[0].rank == basis.subset(used).optimal().n_many_body < used.sum()
    assert report(potential_of(basis)).centres[0].rank == 52
    with pytest.raises(BasisError, match="no many-body function"):
        report(potential_of(basis, np.zeros(basis.n_many_body, dtype=bool)))


def test_products_are_redundant(basis):
    with_products = basis.optimal().with_products(2, 4)
    found = report(with_products)
    assert found.arithmetic == "float64"
    assert found.centres[0].rank == 52
    assert found.redundant == with_products.n_many_body - 52


def test_generic_environments_have_the_generic_rank_and_symmetric_ones_less(basis, silicon):
    rattled = silicon.repeat(2)
    rattled.rattle(0.1, seed=0)
    assert {site.rank for site in report(basis, rattled).sites} == {52}
    (site,) = report(basis, silicon).sites  # eight equivalent atoms are listed once
    assert site.generic == 52
    assert site.rank < 20
    assert site.vanishing == (1, 2)


@pytest.mark.parametrize(
    ("crystal", "lowest"),
    [(bulk("Si", "fcc", a=3.8), 4), (bulk("Si", "bcc", a=3.1), 4), (bulk("Si", "sc", a=2.6), 4)],
)
def test_cubic_sites_with_inversion_have_no_density_below_l_4(basis, crystal, lowest):
    """The lowest cubic harmonic after l = 0 is l = 4; odd ones vanish by inversion."""
    (site,) = report(basis, crystal).sites
    l_max = int(basis.many_body[0].channels[:, 2].max())
    expected = [ell for ell in range(1, l_max + 1) if ell % 2 or ell < lowest]
    assert list(site.vanishing) == expected
    assert site.silent_by_order[0] == 0


def test_tetrahedral_sites_keep_l_3_and_lose_l_1_2_5(silicon):
    """Invariants of the tetrahedral group T_d exist for l = 0, 3, 4, 6, 7, … and for no other l below 8."""
    basis = ACEBasis("Si", 2, 20)
    assert basis.many_body[0].channels[:, 2].max() == 6
    (site,) = report(basis, silicon).sites
    assert site.vanishing == (1, 2, 5)


def test_silent_functions_do_not_change_with_any_displacement(basis, silicon):
    """The chain rule: no gradient by the densities, none by the atoms. Checked with the NumPy oracle."""
    from lacemaker.basis import reference
    from lacemaker.structures import neighbour_list

    pairs = neighbour_list(silicon.positions, np.array(silicon.cell), silicon.pbc, basis.cutoff)
    _, others, vectors = next(reference.environments(silicon.positions, np.array(silicon.cell), pairs))
    value, gradient = reference.site(basis, 0, vectors, np.zeros(len(others), dtype=int))
    size = np.abs(gradient[: basis.n_many_body]).max(axis=(1, 2))
    flat = size < 1e-9 * size.max()
    (site,) = report(basis, silicon).sites
    order = basis.many_body[0].order
    assert np.bincount(order[flat], minlength=4)[1:].tolist() == list(site.silent_by_order)
    assert np.abs(value[: basis.n_many_body][flat]).max() < 1e-9


def test_an_atom_without_neighbours_keeps_the_scalars(basis):
    (site,) = report(basis, Atoms("Si", cell=[30] * 3, pbc=True)).sites
    assert (site.n_neighbours, site.rank) == (0, 12)


def test_foreign_elements(basis):
    with pytest.raises(BasisError, match="Ge"):
        report(basis, bulk("Ge"))


def test_the_command(basis, silicon, tmp_path, capsys):
    potential_of(basis).save(tmp_path / "si.lace")
    silicon.write(tmp_path / "si.xyz")
    command = ["check", "--independence", str(tmp_path / "si.lace"), "--json", str(tmp_path / "found.json")]
    assert main([*command, str(tmp_path / "si.xyz")]) == 0
    shown = capsys.readouterr().out
    assert "redundant" in shown
    assert "vanishing" in shown
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["redundant"] == 159
    assert found["sites"][0]["generic"] == 52
    assert main(command) == 0
    assert main(["check"]) == 2


def test_the_command_reads_a_configuration(tmp_path, capsys):
    (tmp_path / "fit.yaml").write_text(
        "data: {train: [none.xyz]}\nbasis: {elements: [Si], correlation_order: 3, max_degree: 12}\n"
    )
    assert main(["check", "--independence", str(tmp_path / "fit.yaml")]) == 0
    assert "211" in capsys.readouterr().out


def test_measured_costs_order_the_basis(basis):
    cost = measured_costs(basis, n_atoms=64, repeats=1)
    assert cost.shape == (basis.n_many_body,)
    assert (cost > 0).all()
    found = basis.optimal(order_by=cost)
    assert found.n_many_body == 52
    assert found.spec()["selection"]["order_by"] == "user: values"
