"""Rows of a real basis: kernel = NumPy oracle, rows x coefficients = potential, fits find their teacher."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from lacemaker.basis import ZBL, ACEBasis
from lacemaker.errors import ConfigError, DataError
from lacemaker.regression import BLR, QR, BasisRows, TriangularSystem, assemble, solve
from lacemaker.structures import Frame

BASIS = ACEBasis(["C", "H"], 2, [5, 4], cutoff=4.0, repulsion=ZBL(inner=0.8, outer=1.9))
E0 = np.array([-4.0, -1.5])


def teacher_coefficients(basis: ACEBasis) -> np.ndarray:
    from lacemaker.priors import AlgebraicPrior

    rng = np.random.default_rng(1)
    return rng.standard_normal(basis.n_functions) / AlgebraicPrior(p=2).gamma(basis.columns)


def geometry(seed: int) -> dict[str, np.ndarray]:
    """A few atoms in a small skewed cell, some nearer than the core repulsion reaches."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    cell = np.diag([3.2, 3.6, 4.1]) + 0.3 * rng.standard_normal((3, 3))
    grid = np.array([[i, j, k] for i in (0, 0.5) for j in (0, 0.5) for k in (0, 0.5)])
    positions = (grid[rng.permutation(8)[:n]] + 0.06 * rng.standard_normal((n, 3))) @ cell
    numbers = rng.choice([1, 6], size=n)
    return {"numbers": numbers, "positions": positions, "cell": cell, "pbc": np.array([True, True, False])}


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Structures labelled by the rows of known coefficients, core repulsion and E0."""
    source, theta, frames = BasisRows(BASIS), teacher_coefficients(BASIS), []
    for seed in range(80):
        fields = geometry(seed)
        n = len(fields["numbers"])
        design = source.design(Frame(**fields))
        label = design.rows @ theta + design.baseline
        energy = label[0] + E0 @ [np.sum(fields["numbers"] == 6), np.sum(fields["numbers"] == 1)]
        frames.append(
            Frame(
                **fields, energy=energy, forces=label[1 : 1 + 3 * n].reshape(n, 3), virial=label[1 + 3 * n :]
            )
        )
    return frames


def test_kernel_and_reference_rows_agree_including_the_core():
    kernel, reference = BasisRows(BASIS), BasisRows(BASIS, engine="reference")
    for seed in range(4):
        frame = Frame(**geometry(seed))
        ours, plain = kernel.design(frame), reference.design(frame)
        scale = np.abs(plain.rows).max(axis=0) + 1e-12
        np.testing.assert_allclose(ours.rows / scale, plain.rows / scale, atol=1e-11)
        np.testing.assert_allclose(
            ours.baseline, plain.baseline, atol=1e-9 * (1 + np.abs(plain.baseline).max())
        )
        assert np.abs(plain.baseline).max() > 0


@pytest.mark.parametrize("solver", [QR(ridge=1e-9), BLR()])
def test_a_fit_recovers_the_potential_that_made_its_labels(frames, solver):
    fit = solve(assemble(BASIS, frames), solver=solver)
    np.testing.assert_allclose(fit.e0, E0, atol=1e-3)
    for kind, value in fit.rmse["train"]["total"].items():
        assert value < 1e-4, kind
    potential = fit.potential()
    for frame in frames[:5]:
        prediction = potential.predict(frame.to_atoms())
        assert prediction.energy == pytest.approx(frame.energy, abs=1e-3)
        np.testing.assert_allclose(prediction.forces, frame.forces, atol=1e-3)


def test_the_potential_of_a_fit_predicts_its_rows_times_coefficients(frames):
    fit = solve(assemble(BASIS, frames[:30]), solver=QR(ridge=0.1))
    source, potential = BasisRows(BASIS), fit.potential()
    for frame in frames[30:34]:
        design = source.design(frame)
        n = len(frame.numbers)
        expected = design.rows @ fit.coefficients + design.baseline
        expected[0] += fit.e0 @ [np.sum(frame.numbers == 6), np.sum(frame.numbers == 1)]
        prediction = potential.predict(frame.to_atoms())
        assert prediction.energy == pytest.approx(expected[0], rel=1e-10)
        np.testing.assert_allclose(np.ravel(prediction.forces), expected[1 : 1 + 3 * n], rtol=1e-8, atol=1e-8)


def test_threads_give_the_same_bits_and_processes_the_same_triangles(frames, monkeypatch):
    monkeypatch.setattr("lacemaker.regression.chunks.MIN_ROWS", 150)
    monkeypatch.setattr("lacemaker.regression.chunks.ROWS_PER_COLUMN", 1)
    here, threads = assemble(BASIS, frames), assemble(BASIS, frames, n_threads=3)
    assert here.metadata["n_chunks"] > 5
    for one, other in zip(here.groups, threads.groups, strict=True):
        np.testing.assert_array_equal(one.factor.array, other.factor.array)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        there = assemble(BASIS, frames, executor=executor)
    for one, other in zip(here.groups, there.groups, strict=True):  # singular: triangles differ
        gram, same = (group.factor.array.T @ group.factor.array for group in (one, other))
        np.testing.assert_allclose(gram, same, rtol=0, atol=1e-13 * np.abs(gram).max())


def test_row_sources_travel_and_are_rebuilt_once():
    source = BasisRows(BASIS)
    text = pickle.dumps(source)
    assert pickle.loads(text) is pickle.loads(text)
    assert pickle.loads(text).fingerprint() == source.fingerprint()
    assert BasisRows(ACEBasis(["C", "H"], 2, [5, 3], cutoff=4.0)).fingerprint() != source.fingerprint()


def test_a_saved_system_of_a_basis_makes_the_same_potential(frames, tmp_path):
    system = assemble(BASIS, frames[:20])
    system.save(tmp_path / "system.safetensors")
    loaded = TriangularSystem.load(tmp_path / "system.safetensors")
    assert loaded.basis == BASIS
    first, second = solve(system), solve(loaded)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
    np.testing.assert_array_equal(second.potential().coefficients, second.coefficients)


def test_a_basis_restricted_to_some_functions_makes_a_potential_of_those(frames):
    from lacemaker.analysis import error_table

    chosen = [7, 3, 11, 40]
    fit = solve(assemble(BASIS, frames[:20]).restrict(chosen))
    potential = fit.potential()
    np.testing.assert_array_equal(potential.coefficients[chosen], fit.coefficients)
    assert np.count_nonzero(potential.coefficients) == 4
    rmse = error_table(potential, frames[:20]).total.forces_rmse_eV_per_A
    assert rmse == pytest.approx(fit.rmse["train"]["total"]["forces"], rel=1e-9)


def test_elements_outside_the_basis_are_named():
    frame = Frame(numbers=[8, 1], positions=np.eye(3)[:2], cell=np.zeros((3, 3)), pbc=[False] * 3, energy=0.0,
                  source="water.xyz frame 3")  # fmt: skip
    with pytest.raises(
        DataError, match=r"water\.xyz frame 3.*Found O; the basis knows C, H.*Add the elements"
    ):
        assemble(BASIS, [frame])
    with pytest.raises(ConfigError, match="Unknown row engine 'fast'"):
        BasisRows(BASIS, engine="fast")
