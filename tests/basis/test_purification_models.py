"""Purified bases in kernels, fits, files and configurations."""

import numpy as np
import pytest
from ase.build import bulk

from lacemaker.basis import ZBL, ACEBasis, reference
from lacemaker.config.basis import BasisConfig
from lacemaker.potential import Potential
from lacemaker.regression import assemble, solve
from lacemaker.structures import Frame, Frames, neighbour_list

CUTOFF = 4.4


def alloy_frame(seed: int, **labels) -> Frame:
    """Eight atoms, Ti and Al, in a skewed cell smaller than twice the cutoff."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Si", cubic=True)
    cell = np.array(atoms.cell) + 0.2 * rng.normal(size=(3, 3))
    positions = atoms.get_scaled_positions() @ cell + 0.15 * rng.normal(size=(8, 3))
    numbers = np.where(np.arange(8) % 3 == 0, 22, 13)
    given = {"energy": float(rng.normal()), "forces": rng.normal(size=(8, 3)), "virial": rng.normal(size=6)}
    return Frame(
        numbers=numbers, positions=positions, cell=cell, pbc=np.ones(3, dtype=bool), **(given | labels)
    )


@pytest.fixture(scope="module")
def bases() -> dict[str, ACEBasis]:
    three = ACEBasis(["Ti", "Al"], 3, [9, 8, 6], cutoff={"Ti": 4.4, "Al": 4.0}, repulsion=ZBL())
    four = ACEBasis(["Ti", "Al"], 4, [6, 6, 5, 8], cutoff=CUTOFF, level_rule="ace1")
    return {
        "three": three,
        "full": three.purified(),
        "pair": three.purified("pair", remove=1),
        "order 4": four.purified(),
        "part": three.optimal().purified(),
    }


@pytest.mark.parametrize("name", ["full", "pair", "order 4", "part"])
def test_kernels_give_what_the_oracle_gives(bases, name):
    from lacemaker import _core

    basis, frame = bases[name], alloy_frame(0)
    pairs = neighbour_list(frame.positions, frame.cell, frame.pbc, basis.cutoff)
    species = np.where(frame.numbers == 22, 0, 1).astype(np.int32)
    rows = reference.design(basis, frame.positions, frame.cell, frame.pbc, species, pairs)
    expected = np.concatenate([rows.energy[None], rows.forces, rows.virial])
    scale = np.abs(expected).max(axis=0)
    tables = _core.Tables(**basis.kernel_tables())
    for isa in _core.isas():
        out = np.zeros((31, basis.n_functions))
        kernel = _core.DesignRows(tables, **basis.design_tables(), isa=isa)
        kernel.rows(frame.positions, frame.cell, species, pairs.first, pairs.index, pairs.shift, out)
        np.testing.assert_allclose(out / scale, expected / scale, rtol=0, atol=1e-12)

        coefficients = np.random.default_rng(1).normal(size=basis.n_functions) / scale
        contracted = basis.contract(coefficients, np.zeros(2))
        evaluator = _core.Evaluator(tables, **contracted, isa=isa)
        _, forces, virial = evaluator.evaluate(
            frame.positions, frame.cell, species, pairs.first, pairs.index, pairs.shift
        )
        core = reference.core_repulsion(basis, frame.positions, frame.cell, species, pairs)
        sizes = np.abs(expected[1:] * coefficients).sum(axis=1)
        np.testing.assert_allclose(
            (forces - core[1]).ravel(), rows.forces @ coefficients, rtol=0, atol=1e-12 * sizes.max()
        )
        np.testing.assert_allclose(
            virial - core[2], rows.virial @ coefficients, rtol=0, atol=1e-12 * sizes.max()
        )


@pytest.mark.parametrize("name", ["full", "order 4"])
def test_forces_are_minus_the_gradient(bases, name):
    basis, frame = bases[name], alloy_frame(2)
    rng = np.random.default_rng(3)
    model = Potential(basis, rng.normal(size=basis.n_functions), [0.0, 0.0])
    forces, step = model.predict(frame).forces, 1e-3
    for atom, axis in ((0, 0), (3, 1), (7, 2)):
        energies = {}
        for k in (-2, -1, 1, 2):
            positions = frame.positions.copy()
            positions[atom, axis] += k * step
            moved = Frame(numbers=frame.numbers, positions=positions, cell=frame.cell, pbc=frame.pbc)
            energies[k] = model.predict(moved).energy
        slope = (8 * (energies[1] - energies[-1]) - (energies[2] - energies[-2])) / (12 * step)
        np.testing.assert_allclose(forces[atom, axis], -slope, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("name", ["full", "pair", "part"])
def test_files_bring_the_basis_back(bases, name, tmp_path):
    basis = bases[name]
    model = Potential(basis, np.random.default_rng(1).normal(size=basis.n_functions), [0.5, -1.0])
    model.save(tmp_path / "tial.lace")
    again = Potential.load(tmp_path / "tial.lace")
    assert again.basis == basis
    assert again.to_bytes() == model.to_bytes()
    assert again.predict(alloy_frame(4)).energy == model.predict(alloy_frame(4)).energy
    text = {"full": "fully", "part": "fully", "pair": "two-body"}[name]
    assert text in again.describe()
    assert "purified" not in Potential(basis.standard, model.coefficients, [0.0, 0.0]).describe()


@pytest.fixture(scope="module")
def fits():
    """Silicon-like truth inside both spaces, fitted in both without and with a prior."""
    standard = ACEBasis("Al", 3, [12, 9, 6], cutoff=CUTOFF, pair=None)
    pure = standard.purified()
    rng = np.random.default_rng(5)
    truth = Potential(standard, rng.normal(size=standard.n_functions), [0.3])
    frames = []
    for seed in range(8):
        frame = alloy_frame(seed)
        bare = Frame(numbers=np.full(8, 13), positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
        found = truth.predict(bare)
        fields = {name: getattr(bare, name) for name in ("numbers", "positions", "cell", "pbc")}
        frames.append(Frame(**fields, energy=found.energy, forces=found.forces, virial=found.virial))
    return {
        name: (assemble(basis, Frames(frames)), basis)
        for name, basis in (("standard", standard), ("pure", pure))
    }


def dimer(potential: Potential, r: np.ndarray) -> np.ndarray:
    positions = [np.array([[0.0, 0.0, 0.0], [0.0, 0.0, d]]) for d in r]
    frames = [
        Frame(numbers=np.array([13, 13]), positions=p, cell=np.zeros((3, 3)), pbc=np.zeros(3, dtype=bool))
        for p in positions
    ]
    return np.array([potential.predict(f).energy for f in frames]) - 2 * potential.e0[0]


def test_unregularised_fits_agree_and_priors_do_not(fits):
    """The space is the same, so least squares gives the same dimer; what a prior penalises is not."""
    r = np.linspace(2.2, 4.2, 30)
    plain = {n: solve(s, solver="qr", prior=None).potential() for n, (s, _) in fits.items()}
    curves = {n: dimer(p, r) for n, p in plain.items()}
    scale = np.abs(curves["standard"]).max()
    np.testing.assert_allclose(curves["pure"], curves["standard"], rtol=0, atol=1e-5 * scale)
    one_body = plain["pure"].coefficients * [f.correlation_order == 1 for f in fits["pure"][1].columns]
    two_body = Potential(fits["pure"][1], one_body, plain["pure"].e0)
    np.testing.assert_allclose(dimer(two_body, r), curves["pure"], rtol=0, atol=1e-10 * scale)
    damped = {
        n: dimer(
            solve(s, solver={"kind": "qr", "ridge": 0.1}, prior={"kind": "algebraic", "p": 4}).potential(), r
        )
        for n, (s, _) in fits.items()
    }
    assert np.abs(damped["pure"] - damped["standard"]).max() > 1e-3 * scale


def test_sparse_paths_take_purified_bases(fits):
    system, basis = fits["pure"]
    small = solve(system, solver={"kind": "omp", "max_functions": 12}, prior=None).by_size(12).potential()
    assert 0 < np.count_nonzero(small.coefficients) <= 12
    assert small.basis == basis
    whole = Potential(basis, np.ones(basis.n_functions), [0.0])
    assert len(small.program.arrays["term_weight"]) < len(whole.program.arrays["term_weight"])


@pytest.mark.parametrize(
    ("value", "kind", "remove"),
    [(True, "full", 0), ("full", "full", 0), ("pair", "pair", 0), ({"kind": "pair", "remove": 1}, "pair", 1)],
)
def test_configuration(value, kind, remove):
    config = BasisConfig.model_validate({"correlation_order": 2, "max_degree": 6, "purified": value})
    expected = ACEBasis("Si", 2, 6, repulsion=ZBL()).purified(kind, remove)
    assert config.build(["Si"], ZBL()) == expected
    assert BasisConfig.model_validate(config.model_dump()).build(["Si"], ZBL()) == expected


def test_configuration_defaults_and_slips():
    for value in (False, "none", None):
        assert BasisConfig(purified=value).purified is None
    with pytest.raises(ValueError, match="choose true"):
        BasisConfig(purified="yes")
    both = BasisConfig(correlation_order=3, max_degree=8, optimal="degree", purified=True)
    assert both.build(["Si"], None) == ACEBasis("Si", 3, 8).optimal().purified()
