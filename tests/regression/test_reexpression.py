"""Rows of the standard basis, columns combined, are rows of the purified one."""

import numpy as np
import pytest
from ase.build import bulk

from lacemaker.basis import ACEBasis, XEnvelope
from lacemaker.errors import BasisError
from lacemaker.regression import assemble, in_basis, solve
from lacemaker.structures import Frame, Frames


@pytest.fixture(scope="module")
def frames() -> Frames:
    rng = np.random.default_rng(0)
    atoms = bulk("Al", "fcc", a=4.05, cubic=True).repeat((2, 1, 1))
    found = []
    for k in range(8):
        fields = {
            "numbers": atoms.numbers,
            "positions": atoms.positions + 0.2 * rng.normal(size=(8, 3)),
            "cell": np.array(atoms.cell),
            "pbc": np.ones(3, dtype=bool),
        }
        found.append(
            Frame(
                **fields,
                energy=float(rng.normal()),
                forces=rng.normal(size=(8, 3)),
                config_type=f"type{k % 2}",
            )
        )
    return Frames(found)


@pytest.fixture(scope="module")
def wide() -> ACEBasis:
    return ACEBasis("Al", 3, [14, 10, 7], cutoff=4.5)


@pytest.fixture(scope="module")
def system(wide, frames):
    return assemble(wide, frames, weights={"default": {"energy": 10.0}}, folds=2)


@pytest.mark.parametrize(
    "make",
    [
        lambda wide: wide.purified(),
        lambda wide: wide.purified("pair", remove=1),
        lambda wide: wide.purified().subset(np.arange(0, wide.n_many_body, 2)),
        lambda wide: ACEBasis("Al", 2, [7, 6], cutoff=4.5, pair=wide_pair(wide)).purified(),
        lambda wide: wide,
    ],
    ids=["full", "pair", "part", "smaller", "itself"],
)
def test_as_if_assembled_anew(make, wide, system, frames):
    basis = make(wide)
    found = in_basis(system, basis)
    expected = assemble(basis, frames, weights={"default": {"energy": 10.0}}, folds=2)
    assert [g.key for g in found.groups] == [g.key for g in expected.groups]
    assert found.n_rows == expected.n_rows
    for one, other in zip(found.groups, expected.groups, strict=True):
        a, b = one.factor.array, other.factor.array
        gram = b.T @ b
        np.testing.assert_allclose(a.T @ a, gram, rtol=0, atol=1e-12 * np.abs(gram).max())
    first, second = (solve(s, solver={"kind": "qr", "ridge": 0.1}) for s in (found, expected))
    np.testing.assert_allclose(first.coefficients, second.coefficients, rtol=1e-5, atol=1e-9)
    assert first.potential().basis == basis


def wide_pair(wide: ACEBasis):
    from lacemaker.basis import PairBasis

    return PairBasis(max_degree=wide.specification.pair.max_degree[0])


def test_missing_functions_and_other_bases_are_refused(system, wide, frames):
    narrow = assemble(ACEBasis("Al", 3, 7, cutoff=4.5), frames)
    with pytest.raises(BasisError, match=r"lacks \d+ of the \d+ functions"):
        in_basis(narrow, narrow.basis.purified())
    with pytest.raises(BasisError, match="difference in cutoff"):
        in_basis(system, ACEBasis("Al", 3, [14, 10, 7], cutoff=4.6))
    with pytest.raises(BasisError, match="envelope"):
        in_basis(system, ACEBasis("Al", 3, [14, 10, 7], cutoff=4.5, envelope=XEnvelope(1, 2)))
    pure = in_basis(system, wide.purified())
    with pytest.raises(BasisError, match="purification"):
        in_basis(pure, wide)
    with pytest.raises(BasisError, match="lacks"):
        in_basis(system.restrict(np.arange(5)), wide.purified())
