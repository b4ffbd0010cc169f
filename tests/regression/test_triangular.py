"""Weights, folds and selections on the factors equal doing the same to the rows and assembling again."""

import numpy as np
import pytest
from regression_helpers import SyntheticRows, labelled, make_frame, row_weights, stack
from safetensors.numpy import save_file

from lacemaker.errors import ConfigError, DataError, FileFormatError
from lacemaker.regression import TriangularSystem, assemble

SOURCE = SyntheticRows()
FRAMES = labelled(SOURCE, 40, coefficients=np.linspace(-1, 1, 12), e0=np.array([-2.0, 3.0]))
STACKED = stack(SOURCE, FRAMES)


def gram(rows: np.ndarray) -> np.ndarray:
    return rows.T @ rows


def whole(weights: np.ndarray, keep: np.ndarray | slice = slice(None)) -> np.ndarray:
    rows = np.column_stack([STACKED.one_body, STACKED.basis, STACKED.target])
    return (rows * weights[:, None])[keep]


@pytest.fixture(scope="module")
def system() -> TriangularSystem:
    return assemble(SOURCE, FRAMES, folds=np.arange(40) % 3)


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"default": {"energy": 2.0, "forces": 0.5, "virial": 3.0}},
        {"default": {"virial": 0.0}, "liquid": {"energy": 7.0, "virial": 0.25}},
    ],
)
def test_reweighting_equals_weighting_the_rows(system, weights):
    factor = system.weighted(weights)
    np.testing.assert_allclose(
        gram(factor.array), gram(whole(row_weights(STACKED, weights))), rtol=1e-11, atol=1e-9
    )
    assert factor.n_rows == np.count_nonzero(row_weights(STACKED, weights))


def test_weights_of_the_system_are_the_default(system):
    weights = {"liquid": {"forces": 5.0}}
    np.testing.assert_array_equal(
        system.with_weights(weights).weighted().array, system.weighted(weights).array
    )
    with pytest.raises(ConfigError, match=r"'liqid'.*no structure has.*Did you mean 'liquid'"):
        system.with_weights({"liqid": {"forces": 5.0}})


def test_a_fold_left_out_equals_assembling_the_others(system):
    kept = [frame for i, frame in enumerate(FRAMES) if i % 3 != 1]
    expected = assemble(SOURCE, kept).weighted()
    left = system.without_fold(1)
    np.testing.assert_allclose(gram(left.weighted().array), gram(expected.array), rtol=1e-11, atol=1e-9)
    assert left.n_rows + system.only_fold(1).n_rows == system.n_rows == len(STACKED.target)
    with pytest.raises(DataError, match=r"Fold 7 does not exist.*\[0, 1, 2\]"):
        system.without_fold(7)


def test_folds_by_number_partition_every_structure():
    folded = assemble(SOURCE, FRAMES, folds=4, seed=3)
    assert folded.folds == (0, 1, 2, 3)
    assert sum(folded.only_fold(k).n_rows for k in range(4)) == len(STACKED.target)


def test_restricting_columns_equals_a_smaller_basis(system):
    chosen = [11, 2, 5]
    small = system.restrict(chosen)
    rows = np.column_stack([STACKED.one_body, STACKED.basis[:, chosen], STACKED.target])
    np.testing.assert_allclose(
        gram(small.weighted().array), gram(rows * row_weights(STACKED, {})[:, None]), rtol=1e-11, atol=1e-9
    )
    assert small.functions == tuple(SOURCE.functions[i] for i in chosen)
    assert small.restrict([1]).columns.tolist() == [2]
    with pytest.raises(DataError, match=r"distinct and lie in 0\.\.11"):
        system.restrict([3, 3])


def test_joining_systems_equals_assembling_all_frames(system):
    first, second = assemble(SOURCE, FRAMES[:15]), assemble(SOURCE, FRAMES[15:])
    joined = first.joined(second)
    np.testing.assert_allclose(
        gram(joined.weighted().array), gram(system.weighted().array), rtol=1e-11, atol=1e-9
    )
    assert joined.n_rows == system.n_rows
    gas = assemble(SOURCE, [make_frame(0, energy=1.0, config_type="gas")])
    assert first.joined(gas).known_config_types == ("gas", "liquid", "solid")
    with pytest.raises(DataError, match="columns differ"):
        first.joined(assemble(SyntheticRows(5), FRAMES))


def test_rmse_is_exact_per_group_and_quantity(system):
    rng = np.random.default_rng(0)
    theta, e0 = rng.standard_normal((2, 12)), rng.standard_normal((2, 2))
    table = system.rmse(theta, e0)
    for name in ("solid", "liquid", "total"):
        for kind in ("energy", "forces", "virial"):
            errors = []
            for frame in FRAMES:
                if frame.config_type not in (name, "total") and name != "total":
                    continue
                n = len(frame.numbers)
                counts = np.array([np.sum(frame.numbers == 1), np.sum(frame.numbers == 8)])
                predicted = theta @ SOURCE.design(frame).rows.T
                predicted[:, 0] += e0 @ counts
                part = {
                    "energy": slice(0, 1),
                    "forces": slice(1, 1 + 3 * n),
                    "virial": slice(1 + 3 * n, None),
                }[kind]
                label = np.ravel(getattr(frame, kind))
                errors.append((predicted[:, part] - label) / (1 if kind == "forces" else n))
            expected = np.sqrt((np.concatenate(errors, axis=1) ** 2).mean(axis=1))
            np.testing.assert_allclose(table[name][kind], expected, rtol=1e-10)


def test_frame_multipliers_scale_rows_and_zero_drops_them():
    frames = [
        make_frame(
            1,
            energy=1.0,
            forces=np.ones((len(make_frame(1).numbers), 3)),
            weights={"energy": 3.0, "forces": 0.5},
        ),
        make_frame(2, energy=2.0, forces=np.ones((len(make_frame(2).numbers), 3)), weights={"forces": 0.0}),
    ]
    system = assemble(SOURCE, frames)
    rows = stack(SOURCE, frames)
    expected = np.column_stack([rows.one_body, rows.basis, rows.target]) * row_weights(rows, {})[:, None]
    np.testing.assert_allclose(gram(system.weighted().array), gram(expected), rtol=1e-11, atol=1e-10)
    assert system.n_rows == 2 + 3 * len(frames[0].numbers)


def test_multipliers_of_single_atoms_scale_their_forces():
    n = len(make_frame(1).numbers)
    atoms = np.linspace(0, 2, n)
    frame = make_frame(1, forces=np.ones((n, 3)), force_weights=atoms, weights={"forces": 2.0})
    factor = assemble(SOURCE, [frame]).weighted()
    scale = 2.0 * np.repeat(atoms, 3)[:, None]
    rows = scale * np.column_stack(
        [np.zeros((3 * n, 2)), SOURCE.design(frame).rows[1 : 1 + 3 * n], np.ones(3 * n)]
    )
    np.testing.assert_allclose(gram(factor.array), gram(rows), rtol=1e-11, atol=1e-11)
    assert factor.n_rows == 3 * (n - 1)


def test_a_saved_system_is_the_same_system(system, tmp_path):
    weighted = system.with_weights({"liquid": {"energy": 4.0}})
    weighted.save(tmp_path / "system.safetensors")
    loaded = TriangularSystem.load(tmp_path / "system.safetensors")
    np.testing.assert_array_equal(loaded.weighted().array, weighted.weighted().array)
    assert [group.key for group in loaded.groups] == [group.key for group in system.groups]
    assert (loaded.elements, loaded.n_rows, loaded.folds) == (system.elements, system.n_rows, system.folds)


def test_damaged_files_are_refused(system, tmp_path):
    path = tmp_path / "system.safetensors"
    system.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match="truncated or not one of ours"):
        TriangularSystem.load(path)
    system.save(path)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="changed after it was written"):
        TriangularSystem.load(path)
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(FileFormatError, match="checksum"):
        TriangularSystem.load(path)
    with pytest.raises(FileFormatError, match="not a readable"):
        TriangularSystem.load(tmp_path / "absent")


def test_files_of_a_future_format_are_refused(system, tmp_path, monkeypatch):
    path = tmp_path / "system.safetensors"
    monkeypatch.setattr("lacemaker.regression.sealed.FORMAT", 99)
    system.save(path)
    monkeypatch.undo()
    with pytest.raises(FileFormatError, match=r"Found 99, this version reads 1"):
        TriangularSystem.load(path)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"default": {"force": 1.0}}, r"unknown quantity.*Did you mean 'forces'"),
        ({"default": {"forces": -1.0}}, r"zero or positive\. Found -1\.0"),
        ({"default": {"forces": float("nan")}}, "finite"),
        ({"default": {"forces": "much"}}, "Found 'much'"),
        ({"default": 3.0}, "must be a table of quantities"),
        ({"gas": {"forces": 1.0}}, "Found: liquid, solid"),
    ],
)
def test_impossible_weights_are_named(weights, message):
    with pytest.raises(ConfigError, match=message):
        assemble(SOURCE, FRAMES, weights=weights)
