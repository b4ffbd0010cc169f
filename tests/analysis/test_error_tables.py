"""Error tables are the plain definitions: MAE and RMSE by group, per atom or component."""

import numpy as np
import pytest

from lacemaker.analysis import ErrorTable, Predictions, error_table, errors_markdown, errors_text
from lacemaker.analysis.errors import EV_PER_CUBIC_ANGSTROM_IN_GPA, errors_from_dict
from lacemaker.structures import Frame

SUMMARY_KEYS = [
    "n_frames",
    "n_atoms",
    "n_energies",
    "n_forces",
    "n_virials",
    "energy_mae_meV_per_atom",
    "energy_rmse_meV_per_atom",
    "forces_mae_eV_per_A",
    "forces_rmse_eV_per_A",
    "virial_mae_meV_per_atom",
    "virial_rmse_meV_per_atom",
    "stress_mae_GPa",
    "stress_rmse_GPa",
]


def make_frame(n_atoms, config_type, rng, *, energy=True, forces=True, virial=True):
    return Frame(
        numbers=np.full(n_atoms, 14),
        positions=rng.uniform(0, 5, (n_atoms, 3)),
        cell=np.diag([5.0, 6.0, 7.0]),
        pbc=np.ones(3, dtype=bool),
        energy=float(rng.normal()) if energy else None,
        forces=rng.normal(size=(n_atoms, 3)) if forces else None,
        virial=rng.normal(size=6) if virial else None,
        config_type=config_type,
    )


def shifted(frames, rng):
    """Predictions a random step away from the labels, and the steps."""
    steps = [(rng.normal(), rng.normal(size=(len(f), 3)), rng.normal(size=6)) for f in frames]
    predictions = Predictions(
        energy=np.array([(f.energy or 0.0) + s[0] for f, s in zip(frames, steps, strict=True)]),
        forces=tuple(
            (np.zeros((len(f), 3)) if f.forces is None else f.forces) + s[1]
            for f, s in zip(frames, steps, strict=True)
        ),
        virial=np.array(
            [
                (np.zeros(6) if f.virial is None else f.virial) + s[2]
                for f, s in zip(frames, steps, strict=True)
            ]
        ),
    )
    return predictions, steps


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_errors_are_the_definitions(rng):
    frames = [make_frame(n, "bulk", rng) for n in (2, 5, 3)]
    predictions, steps = shifted(frames, rng)
    row = error_table(None, frames, predictions)["bulk"]
    energy = np.array([s[0] / len(f) for f, s in zip(frames, steps, strict=True)])
    forces = np.concatenate([s[1].ravel() for s in steps])
    virial = np.concatenate([s[2] / len(f) for f, s in zip(frames, steps, strict=True)])
    stress = np.concatenate([s[2] / 210.0 for s in steps])
    assert row.energy_mae_meV_per_atom == pytest.approx(1000 * np.mean(np.abs(energy)), rel=1e-12)
    assert row.energy_rmse_meV_per_atom == pytest.approx(1000 * np.sqrt(np.mean(energy**2)), rel=1e-12)
    assert row.forces_mae_eV_per_A == pytest.approx(np.mean(np.abs(forces)), rel=1e-12)
    assert row.forces_rmse_eV_per_A == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-12)
    assert row.virial_mae_meV_per_atom == pytest.approx(1000 * np.mean(np.abs(virial)), rel=1e-12)
    assert row.virial_rmse_meV_per_atom == pytest.approx(1000 * np.sqrt(np.mean(virial**2)), rel=1e-12)
    assert row.stress_mae_GPa == pytest.approx(160.21766 * np.mean(np.abs(stress)), rel=1e-6)
    assert (row.n_frames, row.n_atoms, row.n_energies, row.n_forces, row.n_virials) == (3, 10, 3, 30, 3)


def test_unit_of_stress_is_that_of_ase():
    from ase.units import GPa

    assert pytest.approx(1.0 / GPa, rel=1e-7) == EV_PER_CUBIC_ANGSTROM_IN_GPA


def test_total_is_the_mean_over_groups_weighted_by_their_counts(rng):
    frames = [make_frame(int(n), t, rng) for n, t in zip(rng.integers(1, 9, 12), "aabbbcabcacb", strict=True)]
    table = error_table(None, frames, shifted(frames, rng)[0])
    assert list(table) == ["a", "b", "c", "total"]
    groups = [table[name] for name in "abc"]
    for value, count in (
        ("energy_mae_meV_per_atom", "n_energies"),
        ("forces_mae_eV_per_A", "n_forces"),
        ("virial_mae_meV_per_atom", "n_virials"),
    ):
        weights = [getattr(g, count) for g in groups]
        mean = np.average([getattr(g, value) for g in groups], weights=weights)
        assert getattr(table.total, value) == pytest.approx(mean, rel=1e-12)


def test_a_missing_label_is_none_and_never_zero(rng):
    frames = [make_frame(4, "e", rng, forces=False, virial=False), make_frame(4, "f", rng, energy=False)]
    table = error_table(None, frames, shifted(frames, rng)[0])
    assert table["e"].forces_mae_eV_per_A is None
    assert table["e"].stress_rmse_GPa is None
    assert table["f"].energy_mae_meV_per_atom is None
    assert table.total.n_energies == 1
    assert table.total.n_forces == 12
    assert "–" in table.text()


def test_a_structure_without_volume_has_virial_but_no_stress_error(rng):
    molecule = Frame(
        numbers=np.array([1, 1]),
        positions=np.array([[0.0, 0, 0], [0, 0, 0.8]]),
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
        energy=-1.0,
        virial=np.ones(6),
    )
    row = error_table(None, [molecule], shifted([molecule], rng)[0]).total
    assert row.virial_mae_meV_per_atom is not None
    assert row.stress_mae_GPa is None


def test_f_max_leaves_out_large_forces_and_the_energies_of_their_frames(rng):
    calm, wild = make_frame(3, "a", rng), make_frame(3, "a", rng)
    forces = np.array(wild.forces)
    forces[1] = [0.0, 50.0, 0.0]
    wild = Frame(
        wild.numbers, wild.positions, wild.cell, wild.pbc, wild.energy, forces, wild.virial, config_type="a"
    )
    predictions, _ = shifted([calm, wild], rng)
    row = error_table(None, [calm, wild], predictions, f_max=20.0).total
    assert (row.n_energies, row.n_forces, row.n_virials) == (1, 15, 1)
    assert error_table(None, [calm, wild], predictions).total.n_forces == 18


def test_keys_of_the_summary_are_stable(rng):
    frames = [make_frame(2, "bulk", rng)]
    block = error_table(None, frames, shifted(frames, rng)[0]).to_dict()
    assert list(block) == ["bulk", "total"]
    assert list(block["total"]) == SUMMARY_KEYS
    assert errors_from_dict(block).to_dict() == block


def test_a_group_named_total_does_not_hide_the_total(rng):
    frames = [make_frame(2, "total", rng), make_frame(2, "b", rng)]
    table = error_table(None, frames, shifted(frames, rng)[0])
    assert list(table) == ["total (config_type)", "b", "total"]
    assert table.total.n_frames == 2


def test_predictions_of_other_frames_are_refused(rng):
    frames = [make_frame(2, "a", rng)] * 2
    with pytest.raises(ValueError, match="1 predictions for 2 frames"):
        error_table(None, frames, shifted(frames[:1], rng)[0])
    with pytest.raises(ValueError, match="give a potential or predictions"):
        error_table(None, frames)


def test_tables_put_train_beside_test(rng):
    frames = [make_frame(2, "bulk", rng), make_frame(3, "liquid", rng, virial=False)]
    train = error_table(None, frames, shifted(frames, rng)[0])
    test = error_table(None, frames[:1], shifted(frames[:1], rng)[0])
    text = errors_text({"train": train, "test": test})
    blocks = text.split("\n\n")
    assert [block.split()[0] for block in blocks] == ["MAE", "RMSE"]
    header, total = blocks[0].splitlines()[1], blocks[0].splitlines()[-1]
    assert header.split() == [
        "config_type",
        "n",
        "train",
        "n",
        "test",
        "E",
        "train",
        "E",
        "test",
        "F",
        "train",
        "F",
        "test",
        "V",
        "train",
        "V",
        "test",
        "σ",
        "train",
        "σ",
        "test",
    ]
    assert total.split()[:3] == ["TOTAL", "2", "1"]
    assert total.split()[3] == f"{train.total.energy_mae_meV_per_atom:.2f}"
    assert total.split()[4] == f"{test.total.energy_mae_meV_per_atom:.2f}"
    markdown = errors_markdown({"train": train, "test": test}).splitlines()
    assert markdown[3].startswith("| --- | ---: |")
    assert len({line.count("|") for line in markdown if line.startswith("|")}) == 1
    assert isinstance(str(ErrorTable(train.groups)), str)
