"""A potential is the sum of its parts by body order, and each part is what inclusion and exclusion gives."""

from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from lacemaker.analysis.body_parts import order_parts, purified_form
from lacemaker.basis import ZBL, ACEBasis, REnvelope, XEnvelope
from lacemaker.errors import BasisError
from lacemaker.potential import Potential

BASES = {
    "alloy with a core": lambda: ACEBasis(["Ti", "Al"], 3, [6, 5, 6], cutoff=4.4, repulsion=ZBL()),
    "other rule, other envelope": lambda: ACEBasis(
        ["Ti", "Al"], 3, 6, cutoff=4.4, level_rule="ace1", envelope=XEnvelope(1, 2), pair=None
    ),
    "order 4": lambda: ACEBasis("Al", 4, [5, 5, 5, 8], cutoff=4.4),
    "a selection": lambda: ACEBasis("Al", 3, 9, cutoff=4.4).optimal(),
    "purified already": lambda: ACEBasis("Al", 3, 8, cutoff=4.4).purified("pair"),
}


@pytest.fixture(scope="module", params=BASES)
def potential(request) -> Potential:
    basis = BASES[request.param]()
    rng = np.random.default_rng(1)
    return Potential(basis, rng.normal(size=basis.n_functions), rng.normal(size=basis.n_elements))


def crystal(symbols) -> Atoms:
    atoms = bulk("Al", "fcc", a=4.1, cubic=True).repeat((2, 1, 1))
    rng = np.random.default_rng(2)
    atoms.positions += 0.2 * rng.normal(size=atoms.positions.shape)
    atoms.symbols = rng.choice(symbols, len(atoms))
    return atoms


def test_the_same_potential(potential):
    pure, atoms = purified_form(potential), crystal(potential.elements)
    one, other = potential.predict(atoms), pure.predict(atoms)
    scale = np.abs(one.forces).max()
    np.testing.assert_allclose(other.energies, one.energies, rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(other.forces, one.forces, rtol=0, atol=1e-11 * scale)
    assert pure.basis.specification.purification.kind == "full"


def test_parts_add_up_and_stop_at_their_number_of_bodies(potential):
    parts, atoms = order_parts(potential), crystal(potential.elements)
    assert list(parts) == [str(n) for n in range(1, potential.basis.correlation_order + 2)]
    whole = potential.predict(atoms)
    total = sum(part.predict(atoms).forces for part in parts.values())
    np.testing.assert_allclose(total, whole.forces, rtol=0, atol=1e-11 * np.abs(whole.forces).max())
    cluster = atoms[[0, 1, 2, 3]]
    cluster.pbc = False
    for n, part in ((int(k), p) for k, p in parts.items()):
        for size in range(1, n):
            assert abs(part.predict(cluster[:size]).energy) < 1e-11 * np.abs(whole.energies).max()


def test_parts_are_the_body_ordered_energies_of_clusters(potential):
    """Inclusion and exclusion over all subsets of a tetramer, with the standard potential alone."""
    atoms = crystal(potential.elements)[[0, 1, 2, 5]]
    atoms.pbc = False
    energy = {
        chosen: potential.predict(atoms[list(chosen)]).energy
        for n in range(1, 5)
        for chosen in combinations(range(4), n)
    }
    for n, part in ((int(k), p) for k, p in order_parts(potential).items() if int(k) <= 4):
        expected = sum(
            (-1) ** (n - len(inner)) * value
            for chosen in combinations(range(4), n)
            for inner, value in energy.items()
            if set(inner) <= set(chosen)
        )
        np.testing.assert_allclose(part.predict(atoms).energy, expected, rtol=1e-10, atol=1e-9)


def test_what_has_no_parts_is_refused():
    basis = ACEBasis("Al", 2, 5, envelope=REnvelope(2))
    with pytest.raises(BasisError, match="residual"):
        purified_form(Potential(basis, np.ones(basis.n_functions), [0.0]))
    basis = ACEBasis("Al", 2, 5).with_products()
    with pytest.raises(BasisError, match="readout"):
        purified_form(Potential(basis, np.ones(basis.n_functions), [0.0]))
