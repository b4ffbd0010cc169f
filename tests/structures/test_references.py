"""User pain 8: reference energies are found, printed and checked, whatever the data hold."""

import numpy as np
import pytest
from structure_files import frame

from lacemaker.errors import DataError, LacemakerWarning
from lacemaker.structures import Frame, Frames, reference_energies


def atom(
    symbol: str, energy: float | None, name: str = "IsolatedAtom", source: str = "iso.xyz frame 0"
) -> Frame:
    return frame(1, symbol=symbol, energy=energy, config_type=name, pbc=[False] * 3, source=source)


def compound(n_ti: int, n_o: int, energy: float) -> Frame:
    numbers = [22] * n_ti + [8] * n_o
    positions = np.arange(len(numbers))[:, None] * [2.0, 0, 0]
    return Frame(numbers, positions, np.eye(3) * 30, [True] * 3, energy=energy)


@pytest.mark.parametrize("name", ["IsolatedAtom", "isolated_atom", "isolated", "ISOLATED-ATOM"])
def test_isolated_atoms_give_their_energies_by_any_usual_name(name):
    frames = Frames([atom("Si", -0.8, name), frame(4, energy=-20.0)])
    found = reference_energies(frames, ["Si"], "isolated_atoms")
    assert found.values == {"Si": -0.8}
    assert found.residual_per_atom == pytest.approx((-20.0 + 4 * 0.8) / 4)
    assert "Si -0.8 eV" in str(found)
    assert reference_energies(frames, ["Si"]).method == "isolated_atoms"


def test_a_larger_cell_is_never_an_isolated_atom():
    assert not frame(2, config_type="IsolatedAtom").is_isolated_atom
    assert not frame(1, config_type="bulk").is_isolated_atom


def test_isolated_atoms_can_be_left_out_of_the_rows():
    frames = Frames([atom("Si", -0.8), frame(4)])
    assert [len(f) for f in frames.without_isolated_atoms()] == [4]
    assert [len(f) for f in frames.isolated_atoms()] == [1]


def test_missing_element_gives_three_lines_to_paste(tmp_path):
    frames = [atom("Ti", -5.0), compound(1, 2, -30.0)]
    with pytest.raises(DataError, match=r"no reference energy of O(.|\n)*these three lines") as caught:
        reference_energies(frames, ["O", "Ti"], "isolated_atoms")
    lines = str(caught.value).splitlines()
    at = next(i for i, line in enumerate(lines) if line == "1")
    from lacemaker.structures import read

    (tmp_path / "iso.xyz").write_text("\n".join(lines[at : at + 3]).replace("…", "-430.5") + "\n")
    (pasted,) = read(tmp_path / "iso.xyz", require=["energy"])
    assert pasted.is_isolated_atom
    assert (pasted.symbols, pasted.energy) == (["O"], -430.5)


def test_given_energies_are_taken_as_they_are():
    found = reference_energies([compound(1, 2, -15.0)], ["O", "Ti"], {"O": -4, "Ti": -5.0, "H": 1.0})
    assert found.values == {"O": -4.0, "Ti": -5.0}
    assert found.method == "given"
    np.testing.assert_array_equal(found.array(["Ti", "O"]), [-5.0, -4.0])
    with pytest.raises(DataError, match=r"no reference energy of Ti(.|\n)*e0: \{O: …, Ti: …\}"):
        reference_energies([compound(1, 2, -15.0)], ["O", "Ti"], {"O": -4})
    with pytest.raises(DataError, match="E0 of O is not a number"):
        reference_energies([compound(1, 2, -15.0)], ["O"], {"O": "low"})


def test_least_squares_recovers_energies_that_depend_on_composition_alone():
    frames = [compound(t, o, 3.0 * o - 7.0 * t) for t, o in [(1, 2), (2, 2), (1, 4), (3, 0)]]
    with pytest.warns(LacemakerWarning, match="estimated by least_squares(.|\n)*add isolated-atom frames"):
        found = reference_energies(frames, ["O", "Ti"], "least_squares")
    np.testing.assert_allclose(found.array(["O", "Ti"]), [3.0, -7.0], atol=1e-10)
    assert found.residual_per_atom == pytest.approx(0.0, abs=1e-10)
    assert found.messages


def test_no_isolated_atom_works_with_a_warning():
    with pytest.warns(LacemakerWarning, match="estimated by least_squares"):
        assert reference_energies([frame(4, energy=-20.0)], ["Si"]).values["Si"] == pytest.approx(-5.0)


def test_one_composition_cannot_tell_two_elements_apart():
    frames = [compound(1, 2, -30.0), compound(2, 4, -60.0)]
    with pytest.warns(LacemakerWarning, match="determine only 1 of 2 values"):
        found = reference_energies(frames, ["O", "Ti"], "least_squares")
    assert found.values["O"] == pytest.approx(found.values["Ti"]) == pytest.approx(-10.0)


def test_average_is_one_energy_for_all_and_warns():
    with pytest.warns(LacemakerWarning, match="estimated by average"):
        found = reference_energies([compound(1, 2, -30.0), compound(2, 2, -80.0)], ["O", "Ti"], "average")
    assert found.values == {"O": -15.0, "Ti": -15.0}


def test_cohesive_puts_atoms_apart_above_the_data_by_the_tabulated_energy():
    frames = [compound(t, o, 3.0 * o - 7.0 * t) for t, o in [(1, 2), (2, 2), (1, 4), (3, 0)]]
    with pytest.warns(LacemakerWarning, match="estimated by cohesive(.|\n)*good to an eV"):
        found = reference_energies(frames, ["O", "Ti"], "cohesive")
    np.testing.assert_allclose(found.array(["O", "Ti"]), [3.0 + 2.60, -7.0 + 4.85], atol=1e-10)
    with pytest.raises(DataError, match=r"needs a tabulated value(.|\n)*none of He"):
        reference_energies([frame(4, symbol="He", energy=-20.0)], ["He"], "cohesive")


def test_all_electron_labels_against_valence_atoms_are_a_plain_error():
    frames = [atom("Si", -0.8), frame(4, energy=4 * -7890.0)]
    with pytest.raises(DataError, match=r"do not belong together(.|\n)*all-electron and the other valence"):
        reference_energies(frames, ["Si"], "isolated_atoms")
    with pytest.raises(DataError, match="do not belong together"):
        reference_energies(frames, ["Si"], {"Si": -0.8})


def test_single_outlier_does_not_condemn_the_reference():
    frames = [atom("Si", -0.8), *[frame(4, energy=-20.0, seed=i) for i in range(5)], frame(4, energy=200.0)]
    assert reference_energies(frames, ["Si"], "isolated_atoms").values["Si"] == -0.8


def test_isolated_atoms_that_disagree_are_refused():
    frames = [atom("Si", -0.8), atom("Si", -0.7, source="other.xyz frame 3")]
    with pytest.raises(DataError, match=r"disagree(.|\n)*other\.xyz frame 3"):
        reference_energies(frames, ["Si"], "isolated_atoms")
    assert reference_energies([atom("Si", -0.8)] * 2, ["Si"]).values == {"Si": -0.8}


def test_zero_and_no_energies():
    assert reference_energies([frame(2)], ["Si"], "zero").values == {"Si": 0.0}
    nothing = reference_energies([frame(2, energy=None)], ["Si"], "auto")
    assert nothing.method == "zero"
    assert nothing.to_dict()["residual_per_atom"] is None
    with pytest.raises(DataError, match="by least_squares need energies"):
        reference_energies([frame(2, energy=None)], ["Si"], "least_squares")


def test_unknown_method_lists_the_known():
    with pytest.raises(DataError, match=r"unknown method(.|\n)*isolated_atoms, cohesive, least_squares"):
        reference_energies([frame(2)], ["Si"], "atoms")
