"""Saved networks and their ASE calculator behave as those of linear potentials."""

import copy
import json
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training_data  # noqa: E402
from ase import Atoms, units  # noqa: E402
from ase.md.verlet import VelocityVerlet  # noqa: E402

import lacemaker as lace  # noqa: E402
from lacemaker import _core  # noqa: E402
from lacemaker.analysis import error_table  # noqa: E402
from lacemaker.calculators import StressNotDefinedError  # noqa: E402
from lacemaker.errors import ConfigError, EvaluationError, FileFormatError  # noqa: E402
from lacemaker.networks import NetworkCalculator, NetworkOptions, NetworkPotential  # noqa: E402
from lacemaker.networks.network import Network  # noqa: E402
from lacemaker.structures import read  # noqa: E402


@pytest.fixture(scope="module")
def potential():
    torch.manual_seed(0)
    network = Network(NetworkOptions(**training_data.SMALL_NETWORK), 2).double()
    return NetworkPotential(network, ["Al", "Cu"], [-1.5, -3.0], {"note": "a test"})


@pytest.fixture
def atoms():
    return training_data.alloy(2)[1] * (2, 1, 1)


def test_a_saved_network_predicts_the_same(potential, atoms, tmp_path):
    potential.save(tmp_path / "n.lace")
    again = NetworkPotential.load(tmp_path / "n.lace")
    assert again.to_bytes() == potential.to_bytes()
    assert again.metadata["note"] == "a test"
    a, b = potential.predict(atoms), again.predict(atoms)
    assert a.energy == b.energy
    assert np.array_equal(a.forces, b.forces)
    assert np.array_equal(pickle.loads(pickle.dumps(potential)).predict(atoms).forces, a.forces)


def test_damaged_edited_and_foreign_files_are_refused(potential, tmp_path):
    data = potential.to_bytes()
    edited = bytearray(data)
    edited[-9] ^= 1
    newer = data.replace(b'\\"version\\": 1', b'\\"version\\": 9', 1)
    cases = {
        "truncated": data[:-100],
        "edited": bytes(edited),
        "version 9": newer,
        "not a network": b"hello" * 9,
    }
    assert newer != data
    for content in cases.values():
        (tmp_path / "x.lace").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"found:.*\n.*to do:"):
            NetworkPotential.load(tmp_path / "x.lace")
    with pytest.raises(FileFormatError, match="cannot be read"):
        NetworkPotential.load(tmp_path / "absent.lace")


@pytest.mark.parametrize(
    ("elements", "e0"),
    [(["Al", "Al"], None), (["Al", "Xx"], None), (["Al", "Cu"], [1.0]), (["Al", "Cu"], [1.0, np.nan])],
)
def test_elements_and_energies_are_checked(potential, elements, e0):
    with pytest.raises(FileFormatError, match="elements and their energies do not fit together"):
        NetworkPotential(potential.network, elements, e0)


def test_many_predictions_are_those_of_one_by_one(potential):
    frames = read(training_data.alloy(7))
    for one, many in zip(map(potential.predict, frames), potential.predict_many(frames), strict=True):
        assert many.energy == pytest.approx(one.energy, abs=1e-12)
        assert np.allclose(many.forces, one.forces, atol=1e-12)
        assert np.allclose(many.virial, one.virial, atol=1e-11)


def test_error_tables_are_those_of_linear_potentials(potential):
    frames = read(training_data.alloy(5))
    table = error_table(potential, frames)
    predicted = np.array([potential.predict(f).energy for f in frames])
    mae = np.mean([abs(p - f.energy) / len(f) for p, f in zip(predicted, frames, strict=True)])
    assert table.total.energy_mae_meV_per_atom == pytest.approx(1000 * mae)
    json.dumps(table.to_dict())


def test_the_calculator_gives_energy_forces_and_stress(potential, atoms):
    atoms.calc = NetworkCalculator(potential)
    h = 1e-5
    forces, stress = atoms.get_forces(), atoms.get_stress()
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())
    moved = [atoms.copy() for _ in range(2)]
    for sign, copy_ in zip((1, -1), moved, strict=True):
        copy_.positions[1, 2] += sign * h
        copy_.calc = NetworkCalculator(potential)
    slope = (moved[0].get_potential_energy() - moved[1].get_potential_energy()) / (2 * h)
    assert -slope == pytest.approx(forces[1, 2], abs=1e-7)
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell * [1 + sign * h, 1, 1], scale_atoms=True)
        strained.calc = NetworkCalculator(potential)
        energies.append(strained.get_potential_energy())
    assert (energies[0] - energies[1]) / (2 * h) / atoms.get_volume() == pytest.approx(stress[0], abs=1e-8)


def test_lists_with_a_skin_last_and_change_nothing(potential):
    atoms = training_data.alloy(2)[1] * (2, 2, 2)
    runs = []
    for skin in (0.0, 0.6):
        moving = atoms.copy()
        moving.calc = NetworkCalculator(potential, skin=skin)
        moving.set_momenta(np.random.default_rng(0).normal(0, 1.5, (len(moving), 3)))
        VelocityVerlet(moving, 2 * units.fs).run(12)
        runs.append((moving.positions.copy(), moving.calc.n_neighbour_builds))
    assert np.allclose(runs[0][0], runs[1][0], atol=1e-9)
    assert runs[1][1] < runs[0][1] / 3


def test_the_calculator_can_be_copied_and_pickled(potential, atoms):
    calc = NetworkCalculator(potential)
    for other in (copy.deepcopy(calc), pickle.loads(pickle.dumps(calc))):
        assert other.get_potential_energy(atoms) == calc.get_potential_energy(atoms)


def test_errors_of_the_calculator_say_what_to_do(potential, atoms):
    atoms.calc = NetworkCalculator(potential)
    with pytest.raises(EvaluationError, match=r"cannot be changed\n.*\n.*NetworkCalculator\(potential, skin"):
        atoms.calc.set(skin=1.0)
    gold = Atoms("Au", calculator=NetworkCalculator(potential))
    with pytest.raises(EvaluationError, match="does not know the element Au"):
        gold.get_potential_energy()
    twins = Atoms("Cu2", positions=np.zeros((2, 3)), calculator=NetworkCalculator(potential))
    with pytest.raises(EvaluationError, match="on top of each other"):
        twins.get_potential_energy()
    free = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.4]], calculator=NetworkCalculator(potential))
    with pytest.raises(StressNotDefinedError):
        free.get_stress()
    with pytest.raises(EvaluationError, match="skin"):
        NetworkCalculator(potential, skin=-1)
    for keywords in ({"dtype": "float16"}, {"isa": "mmx"}, {"n_threads": 0}):
        ((name, value),) = keywords.items()
        with pytest.raises(EvaluationError, match=f"{name}={value!r}"):
            NetworkCalculator(potential, **keywords)
    with pytest.raises(ConfigError, match="The device 'gpu' cannot be used"):
        NetworkCalculator(potential, device="gpu")


def test_a_lone_atom_has_the_energy_of_no_neighbours(potential):
    result = potential.predict(Atoms("Cu"))
    assert np.array_equal(result.forces, np.zeros((1, 3)))
    assert result.stress is None
    far = potential.predict(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 50]]))
    assert far.energy == pytest.approx(2 * result.energy)


@pytest.mark.parametrize("as_file", [True, False])
def test_the_calculator_of_the_package_takes_networks(potential, atoms, as_file, tmp_path):
    potential.save(tmp_path / "n.lace")
    calc = lace.Calculator(tmp_path / "n.lace" if as_file else potential, isa="auto", skin=0.3)
    assert type(calc) is NetworkCalculator
    assert calc.get_potential_energy(atoms) == potential.predict(atoms).energy
    assert calc.parameters["skin"] == 0.3


@pytest.mark.parametrize("isa", _core.isas())
def test_every_instruction_set_can_be_chosen(potential, atoms, isa):
    evaluator = potential.evaluator(isa=isa)
    assert isa in evaluator.statistics()["isa"]
    assert evaluator.predict(atoms).energy == pytest.approx(potential.predict(atoms).energy, abs=1e-11)


def test_threads_are_those_asked_for_and_then_those_of_the_process(potential, atoms, monkeypatch):
    before, seen = torch.get_num_threads(), []
    evaluate = Network.evaluate

    def watched(*arguments, **keywords):
        seen.append(torch.get_num_threads())
        return evaluate(*arguments, **keywords)

    monkeypatch.setattr(Network, "evaluate", watched)
    evaluator = potential.evaluator(n_threads=2)
    assert evaluator.n_threads == 2
    evaluator.predict(atoms)
    evaluator.predict(atoms, n_threads=3)
    evaluator.predict_batch([atoms])
    potential.predict(atoms)
    assert seen == [2, 3, 2, before]
    with pytest.raises(EvaluationError, match="n_threads=0"):
        evaluator.predict(atoms, n_threads=0)
    assert "speed" in potential.describe(measure_speed=True)
    assert torch.get_num_threads() == before


def test_nothing_touches_the_random_numbers_of_the_user(potential, atoms):
    torch.manual_seed(7)
    first = torch.rand(3)
    torch.manual_seed(7)
    again = NetworkPotential.from_bytes(potential.to_bytes())
    again.predict(atoms)
    copy.deepcopy(again)
    assert torch.equal(torch.rand(3), first)


def test_predictions_within_inference_mode_are_the_same(potential, atoms):
    expected = potential.predict(atoms)
    with torch.inference_mode():
        inside = NetworkPotential.from_bytes(potential.to_bytes())
        found = inside.predict(atoms)
    assert np.array_equal(found.forces, expected.forces)
    assert np.array_equal(inside.predict(atoms).forces, expected.forces)
    assert np.array_equal(inside.hessian(atoms).toarray(), potential.hessian(atoms).toarray())


def test_errors_of_many_predictions_name_the_structure(potential, atoms, monkeypatch):
    monkeypatch.setattr("lacemaker.networks.potential.ATOMS_AT_ONCE", 10)
    twins = Atoms("Cu2", positions=np.zeros((2, 3)))
    flat = Atoms("Cu", cell=np.zeros((3, 3)), pbc=True)
    for bad, what in ((Atoms("Au"), "element Au"), (twins, "on top of each other"), (flat, "cell")):
        with pytest.raises(EvaluationError, match=f"^Structure 5: (.|\n)*{what}"):
            potential.predict_many([atoms] * 5 + [bad])


def test_structures_without_atoms(potential, atoms):
    for forces in (True, False):
        found = [potential.predict(Atoms(), forces=forces)]
        found += potential.predict_many([Atoms(), atoms, Atoms()], forces=forces)[::2]
        for nothing in found:
            assert nothing.energy == 0
            assert nothing.energies.shape == (0,)
            assert (nothing.forces is None) == (nothing.virial is None) == (not forces)
            assert nothing.forces is None or (nothing.forces.shape == (0, 3) and not nothing.virial.any())
    assert potential.predict_many([]) == []
