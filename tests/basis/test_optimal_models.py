"""Optimal bases and polynomial readouts in fits, kernels and files."""

import numpy as np
import pytest
from ase.build import bulk

from lacemaker.basis import ZBL, ACEBasis, reference
from lacemaker.potential import Potential
from lacemaker.regression import assemble, solve
from lacemaker.structures import Frame, Frames, neighbour_list

CUTOFF = 4.2


def silicon_frame(seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    atoms = bulk("Si", cubic=True)
    return Frame(
        numbers=atoms.numbers,
        positions=atoms.positions + 0.15 * rng.normal(size=(8, 3)),
        cell=np.array(atoms.cell),
        pbc=np.ones(3, dtype=bool),
        energy=float(rng.normal()),
        forces=rng.normal(size=(8, 3)),
        virial=rng.normal(size=6),
    )


@pytest.fixture(scope="module")
def bases() -> dict[str, ACEBasis]:
    full = ACEBasis("Si", 3, 9, cutoff=CUTOFF, repulsion=ZBL())
    optimal = full.optimal()
    return {"optimal": optimal, "cubic": optimal.with_products(3, 3), "quintic": optimal.with_products(3, 5)}


@pytest.mark.parametrize("name", ["optimal", "cubic", "quintic"])
def test_compiled_rows_and_energies_are_those_of_the_oracle(bases, name):
    from lacemaker import _core

    basis, frame = bases[name], silicon_frame(0)
    pairs = neighbour_list(frame.positions, frame.cell, frame.pbc, basis.cutoff)
    species = np.zeros(8, dtype=np.int32)
    rows = reference.design(basis, frame.positions, frame.cell, frame.pbc, species, pairs)
    out = np.zeros((31, basis.n_functions))
    kernel = _core.DesignRows(_core.Tables(**basis.kernel_tables()), **basis.design_tables())
    kernel.rows(frame.positions, frame.cell, species, pairs.first, pairs.index, pairs.shift, out)
    expected = np.concatenate([rows.energy[None], rows.forces, rows.virial])
    scale = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(out / scale, expected / scale, rtol=0, atol=1e-10)

    coefficients = np.random.default_rng(1).normal(size=basis.n_functions) / scale
    model = Potential(basis, coefficients, [0.0])
    bare = Potential(basis, 0 * coefficients, [0.0])
    found, core = model.predict(frame), bare.predict(frame)
    np.testing.assert_allclose(found.energy - core.energy, rows.energy @ coefficients, rtol=1e-9)
    np.testing.assert_allclose(
        (found.forces - core.forces).ravel(), rows.forces @ coefficients, rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("name", ["optimal", "quintic"])
def test_files_bring_the_basis_back(bases, name, tmp_path):
    basis = bases[name]
    model = Potential(basis, np.random.default_rng(1).normal(size=basis.n_functions), [0.5])
    model.save(tmp_path / "si.lace")
    again = Potential.load(tmp_path / "si.lace")
    assert again.basis == basis
    assert again.basis_spec["selection"]["order_by"] == "degree"
    assert again.to_bytes() == model.to_bytes()


def test_one_assembly_serves_every_selection(bases):
    """The rows of a selection are columns of the full rows: restricting is the same as assembling anew."""
    basis = bases["optimal"]
    frames = Frames([silicon_frame(seed) for seed in range(4)])
    alone = assemble(basis, frames)
    restricted = assemble(basis.full, frames).restrict(basis.full_columns)
    one, other = solve(alone), solve(restricted)
    np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-5, atol=1e-9)
    assert one.potential().basis == basis


def test_a_readout_fits_what_the_optimal_set_cannot(bases):
    """A target that is the square of a kept function lies in the readout and not in the optimal set."""
    kept, readout = bases["optimal"], bases["cubic"]
    square = next(
        k
        for k, f in enumerate(readout.columns)
        if readout.full_columns[k] < 0 and f.channels == ((0, 1, 0), (0, 1, 0))
    )
    coefficients = np.zeros(readout.n_functions)
    coefficients[square] = 1.0
    truth = Potential(readout, coefficients, [0.0])
    frames = []
    for seed in range(6):
        frame = silicon_frame(seed)
        found = truth.predict(frame)
        fields = {name: getattr(frame, name) for name in ("numbers", "positions", "cell", "pbc")}
        frames.append(Frame(**fields, energy=found.energy, forces=found.forces, virial=found.virial))
    errors = {}
    for name, basis in (("kept", kept), ("readout", readout)):
        fit = solve(assemble(basis, Frames(frames)), solver="qr", prior=None)
        errors[name] = fit.rmse["train"]["total"]["forces"]
    assert errors["readout"] < 1e-4 * errors["kept"]
