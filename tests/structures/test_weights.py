"""User pain 10: weights by config_type, frame, quantity and atom, with one formula."""

import math

import numpy as np
import pytest
from structure_files import frame, labelled_copper

from lacemaker.errors import DataError
from lacemaker.structures import WeightTable, read, row_multipliers

TABLE = {"default": {"energy": 30, "forces": 1, "virial": 1}, "liq": {"energy": 10}}


def test_a_config_type_inherits_what_it_does_not_state():
    table = WeightTable(TABLE)
    assert table.weight("liq", "energy") == 10
    assert table.weight("liq", "forces") == 1
    assert table.weight("crystal", "energy") == 30


def test_defaults_hold_where_nothing_is_stated():
    assert WeightTable.of(None).weight("any", "energy") == 30
    assert WeightTable.of(None).weight("any", "forces") == 1
    assert WeightTable.of({"default": {"energy": 5}}).weight("any", "virial") == 1
    assert WeightTable.of(WeightTable(TABLE)).to_dict() == WeightTable(TABLE).to_dict()


def test_a_sigma_is_the_inverse_of_a_weight():
    table = WeightTable(sigmas={"default": {"energy": 0.002}, "liq": {"forces": 0.1}})
    assert table.weight("x", "energy") == pytest.approx(500)
    assert table.weight("liq", "forces") == pytest.approx(10)
    mixed = WeightTable({"liq": {"energy": 7}}, {"liq": {"forces": 0.5}})
    assert mixed.to_dict() == {"liq": {"energy": 7.0, "forces": 2.0}}


@pytest.mark.parametrize(
    ("weights", "sigmas", "message"),
    [
        ({"default": {"enrgy": 1}}, {}, r"unknown quantity 'enrgy'(.|\n)*did you mean 'energy'"),
        ({"default": {"dipole": 1}}, {}, "unknown quantity 'dipole'"),
        ({"default": {"energy": -1}}, {}, "must be a non-negative number"),
        ({"default": {"energy": math.nan}}, {}, "must be a non-negative number"),
        ({"default": {"energy": True}}, {}, "must be a non-negative number"),
        ({}, {"default": {"energy": 0}}, "the sigma of energy for 'default' must be a positive"),
        ({"liq": 3}, {}, "must be given by quantity"),
        ({"liq": {"energy": 1}}, {"liq": {"energy": 1}}, "both a weight and a sigma for energy of 'liq'"),
    ],
)
def test_tables_that_make_no_sense_are_refused(weights, sigmas, message):
    with pytest.raises(DataError, match=message):
        WeightTable(weights, sigmas)


def test_unknown_config_type_lists_the_known():
    frames = [frame(2, config_type="liquid"), frame(2, config_type="crystal")]
    WeightTable({"default": {"energy": 1}, "liquid": {}}).check(frames)
    with pytest.raises(DataError, match=r"'liqiud'(.|\n)*crystal, liquid(.|\n)*did you mean 'liquid'"):
        WeightTable({"liqiud": {"energy": 1}}).check(frames)


def test_rows_are_scaled_by_frame_atom_and_size():
    f = frame(4, weights={"energy": 3.0, "virial": 0.5}, force_weights=[1, 0, 2, 1])
    m = row_multipliers(f)
    assert m["energy"] == pytest.approx(3.0 / 2)
    assert m["virial"] == pytest.approx(0.5 / 2)
    np.testing.assert_array_equal(m["forces"], [1, 0, 2, 1])
    assert m["force_constants"] == 1.0


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, (1, 1, 1)),
        ({"energy_weight": 2}, (2, 1, 1)),
        ({"forces_weight": 3, "virial_weight": 0}, (1, 3, 0)),
        ({"config_weight": 4}, (2, 2, 2)),
        ({"config_weight": 4, "config_energy_weight": 9}, (6, 2, 2)),
        ({"config_stress_weight": 0.25, "config_forces_weight": 16}, (1, 4, 0.5)),
        ({"energy_sigma": 0.01, "forces_sigma": 0.1, "virial_sigma": 2}, (100, 10, 0.5)),
        ({"energy_weight": 2, "energy_sigma": 0.5}, (4, 1, 1)),
    ],
)
def test_weights_in_files_multiply_as_documented(info, expected):
    atoms = labelled_copper(0.0)
    atoms.info |= info
    (found,) = read(atoms)
    assert [found.weights[q] for q in ("energy", "forces", "virial")] == pytest.approx(expected)


def test_force_weights_of_atoms_are_read():
    atoms = labelled_copper(0.0)
    atoms.arrays["force_weights"] = np.array([1, 0, 1, 1])
    np.testing.assert_array_equal(read(atoms)[0].force_weights, [1.0, 0.0, 1.0, 1.0])
