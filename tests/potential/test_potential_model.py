"""A potential is immutable, refuses what has no meaning, and knows its functions by quantum numbers."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from matter import nasty_structures

import lacemaker as lace
from lacemaker.errors import BasisError, EvaluationError
from lacemaker.potential import Evaluator, Potential, migrate
from lacemaker.potential.columns import ColumnTable
from lacemaker.potential.program import Program
from lacemaker.potential.rebuild import programs_agree


def test_too_few_coefficients(silicon_basis):
    with pytest.raises(BasisError, match=r"(?s)coefficients do not fit.*\(3,\).*one value per function"):
        Potential(silicon_basis, np.zeros(3), [0.0])


def test_one_body_energies_of_the_wrong_number(silicon_basis):
    with pytest.raises(BasisError, match="e0 do not fit the basis"):
        Potential(silicon_basis, np.zeros(silicon_basis.n_functions), [0.0, 1.0])


def test_one_body_energies_by_name():
    basis = lace.ACEBasis(["O", "Si"], 1, 2, cutoff=3.0)
    potential = Potential(basis, np.zeros(basis.n_functions), {"Si": -2.0, "O": -1.0})
    assert potential.e0.tolist() == [-1.0, -2.0]
    with pytest.raises(BasisError, match=r"values for Si, none for O"):
        Potential(basis, np.zeros(basis.n_functions), {"Si": -2.0})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coefficients_that_are_not_finite(silicon_basis, bad):
    values = np.zeros(silicon_basis.n_functions)
    values[4] = bad
    with pytest.raises(EvaluationError, match=r"(?s)coefficients are not finite.*1 NaN or infinite"):
        Potential(silicon_basis, values, [0.0])


def test_products_that_overflow(silicon_basis):
    class Overflowing(Shuffled):
        def contract(self, coefficients, e0):
            tables = self.basis.contract(coefficients, e0)
            return tables | {"term_weight": tables["term_weight"] * np.inf}

    basis = Overflowing(silicon_basis, 0)
    with pytest.raises(BasisError, match=r"(?s)do not make a potential.*'term_weight' holds.*coefficient 3"):
        Potential(basis, np.full(silicon_basis.n_functions, 3.0), [0.0])


def test_energy_that_overflows(silicon_basis, diamond):
    huge = Potential(silicon_basis, np.full(silicon_basis.n_functions, 1e37), [0.0])
    with pytest.raises(
        EvaluationError, match=r"(?s)no finite energy for these atoms\n  found: .*atom \d and"
    ):
        huge.evaluator(dtype="float32").predict(diamond)


def test_potential_is_immutable(silicon):
    with pytest.raises(AttributeError):
        silicon.coefficients = None
    with pytest.raises(ValueError, match="read-only"):
        silicon.coefficients[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        silicon.e0[0] = 1.0
    with pytest.raises(TypeError):
        silicon.metadata["licence"] = "other"


def test_callers_arrays_stay_theirs(silicon_basis):
    values = np.ones(silicon_basis.n_functions)
    potential = Potential(silicon_basis, values, [0.0])
    values[:] = 7.0
    assert (potential.coefficients == 1.0).all()


def test_metadata_of_any_kind_survives(silicon_basis):
    table = {
        "train": {"total": {"energy_mae_meV_per_atom": np.float64(1.5), "virial_mae_meV_per_atom": np.nan}}
    }
    potential = Potential(
        silicon_basis,
        np.zeros(silicon_basis.n_functions),
        [0.0],
        {"errors": table, "shape": (np.int64(3), None)},
    )
    total = Potential.from_bytes(potential.to_bytes()).metadata["errors"]["train"]["total"]
    assert total == {"energy_mae_meV_per_atom": 1.5, "virial_mae_meV_per_atom": None}
    assert potential.metadata["shape"] == [3, None]
    assert "E 1.5 meV/atom" in potential.describe()


def test_pickle_and_deepcopy(rough, nasty):
    for twin in (pickle.loads(pickle.dumps(rough)), copy.deepcopy(rough)):
        assert twin.to_bytes() == rough.to_bytes()
        assert twin.predict(nasty).energy == rough.predict(nasty).energy


def test_prediction_is_consistent(rough, nasty):
    prediction = rough.predict(nasty)
    assert prediction.energy == pytest.approx(prediction.energies.sum(), rel=1e-14)
    np.testing.assert_allclose(
        prediction.forces.sum(axis=0), 0, atol=1e-9 * max(1, np.abs(prediction.forces).max())
    )
    if nasty.pbc.any() and nasty.cell.rank == 3:
        np.testing.assert_array_equal(prediction.stress, -prediction.virial / nasty.get_volume())
    else:
        assert prediction.stress is None
    assert rough.predict(nasty, forces=False).energy == pytest.approx(prediction.energy, rel=1e-13)


def test_prediction_of_frames_and_atoms_alike(rough, nasty):
    frame = SimpleNamespace(
        numbers=nasty.numbers, positions=nasty.positions, cell=nasty.cell[:], pbc=nasty.pbc
    )
    assert rough.predict(frame).energy == rough.predict(nasty).energy


def test_many_structures_keep_their_order_on_any_number_of_threads(rough):
    structures = list(nasty_structures().values()) * 3
    alone = [rough.predict(structure).energy for structure in structures]
    for n_threads in (1, 4):
        together = rough.predict_many(structures, n_threads=n_threads)
        assert [prediction.energy for prediction in together] == alone


def test_one_evaluator_serves_concurrent_threads(silicon):
    from ase.build import bulk

    crystal = bulk("Si", a=5.4, cubic=True).repeat(2)
    crystal.rattle(0.1, seed=1)
    expected = silicon.predict(crystal)
    with ThreadPoolExecutor(4) as pool:
        for prediction in pool.map(silicon.predict, [crystal] * 16):
            np.testing.assert_array_equal(prediction.forces, expected.forces)


def test_failure_names_the_structure(rough):
    from ase import Atoms

    with pytest.raises(EvaluationError, match=r"(?s)Structure 1: .*does not know the element H"):
        rough.predict_many([Atoms("O"), Atoms("OH", [[0, 0, 0], [0, 0, 1]])])


def test_isolated_atoms_have_their_one_body_energy(rough):
    from ase import Atoms

    assert rough.predict(Atoms("Si")).energy == -2.5
    assert rough.predict(Atoms("O2", [[0, 0, 0], [0, 0, 9.0]])).energies.tolist() == [-1.25, -1.25]


def test_no_atoms_have_no_energy(rough):
    from ase import Atoms

    prediction = rough.predict(Atoms(cell=[3, 3, 3], pbc=True))
    assert prediction.energy == 0.0
    assert prediction.forces.shape == (0, 3)
    assert prediction.stress.tolist() == [0.0] * 6


def test_precisions_and_instruction_sets_agree(silicon, diamond):
    from lacemaker import _core

    expected = silicon.predict(diamond)
    for isa in _core.isas():
        found = silicon.evaluator(isa).predict(diamond)
        np.testing.assert_allclose(found.forces, expected.forces, rtol=0, atol=1e-11)
        single = silicon.evaluator(isa, "float32").predict(diamond)
        np.testing.assert_allclose(single.forces, expected.forces, rtol=0, atol=2e-4)


def test_evaluators_are_kept(silicon):
    assert silicon.evaluator(n_threads=1) is silicon.evaluator(n_threads=1)
    assert silicon.evaluator(dtype="float32") is not silicon.evaluator()


def test_impossible_evaluators(silicon):
    with pytest.raises(
        EvaluationError, match=r"(?s)instruction set cannot be used here.*isa='sse9'.*baseline"
    ):
        silicon.evaluator("sse9")
    with pytest.raises(EvaluationError, match=r"dtype='float16'"):
        silicon.evaluator(dtype="float16")
    with pytest.raises(EvaluationError, match=r"n_threads=-1"):
        silicon.evaluator(n_threads=-1)


def test_programs_the_kernel_refuses(rough):
    arrays = dict(rough.program.arrays)
    arrays["mb_envelope_params"] = np.array([2.5, 2.0])
    with pytest.raises(EvaluationError, match=r"(?s)kernel cannot run this potential\n  found: .*integer"):
        Evaluator(Program(arrays))


def test_sparse_coefficients_make_a_shorter_program(silicon_basis):
    rng = np.random.default_rng(0)
    values = rng.normal(size=silicon_basis.n_functions)
    sparse = np.where(rng.random(len(values)) < 0.1, values, 0.0)
    full, short = (Potential(silicon_basis, c, [0.0]) for c in (values, sparse))
    assert len(short.program.arrays["term_weight"]) < 0.5 * len(full.program.arrays["term_weight"])


# -- back to a basis --


def test_basis_comes_back_with_the_same_columns(rough):
    loaded = Potential.from_bytes(rough.to_bytes())
    assert loaded.basis == rough.basis
    assert loaded.basis.columns == rough.basis.columns
    again = Potential(loaded.basis, loaded.coefficients, loaded.e0, loaded.metadata)
    assert again.to_bytes() == rough.to_bytes()


class Shuffled:
    """An ACE basis that orders its functions differently, as a later version might."""

    def __init__(self, basis, seed):
        self.basis = basis
        self.order = np.random.default_rng(seed).permutation(basis.n_functions)
        self.columns = tuple(basis.columns[k] for k in self.order)

    def __getattr__(self, name):
        return getattr(self.basis, name)

    def contract(self, coefficients, e0):
        own = np.empty_like(coefficients)
        own[self.order] = coefficients
        return self.basis.contract(own, e0)


class Redefined(Shuffled):
    """An ACE basis whose function 3 is now twice as large."""

    def __init__(self, basis):
        super().__init__(basis, 0)
        self.order = np.arange(basis.n_functions)
        self.columns = basis.columns

    def contract(self, coefficients, e0):
        return self.basis.contract(coefficients * np.where(self.order == 3, 2.0, 1.0), e0)


def test_another_order_of_functions_is_noticed_and_migrated(rough, monkeypatch, nasty):
    basis = rough.basis
    loaded = Potential.from_bytes(rough.to_bytes())
    monkeypatch.setattr(lace.ACEBasis, "from_spec", lambda spec: Shuffled(basis, 4))
    with pytest.raises(BasisError, match=r"(?s)orders the functions of this basis differently.*migrate"):
        _ = loaded.basis
    moved = migrate(loaded)
    assert ColumnTable.from_basis(moved.basis).keys() == moved.columns.keys()
    assert moved.columns.keys() != loaded.columns.keys()
    assert dict(zip(moved.columns.keys(), moved.coefficients, strict=True)) == dict(
        zip(loaded.columns.keys(), loaded.coefficients, strict=True)
    )
    assert moved.predict(nasty).energy == pytest.approx(loaded.predict(nasty).energy, rel=1e-12)


def test_another_definition_of_a_function_is_noticed(rough, monkeypatch, nasty):
    basis = rough.basis
    loaded = Potential.from_bytes(rough.to_bytes())
    monkeypatch.setattr(lace.ACEBasis, "from_spec", lambda spec: Redefined(basis))
    with pytest.raises(
        BasisError,
        match=r"(?s)cannot rebuild.*same quantum numbers with other values.*evaluate the potential",
    ):
        _ = loaded.basis
    assert loaded.predict(nasty).energy == rough.predict(nasty).energy


def test_other_functions_are_noticed(rough, monkeypatch):
    other = lace.ACEBasis(["O", "Si"], 2, 4, cutoff=4.0)
    loaded = Potential.from_bytes(rough.to_bytes())
    monkeypatch.setattr(lace.ACEBasis, "from_spec", lambda spec: other)
    with pytest.raises(BasisError, match=r"found: other functions \(the file was written by lacemaker"):
        _ = loaded.basis


def test_programs_agree_only_if_they_mean_the_same(rough):
    basis, e0 = rough.basis, rough.e0
    nudged = rough.coefficients.copy()
    nudged[0] *= 1 + 1e-6
    same = Program.from_basis(basis, rough.coefficients * (1 + 1e-14), e0)
    assert programs_agree(rough.program, same)
    assert not programs_agree(rough.program, Program.from_basis(basis, nudged, e0))


# -- words --


def test_description_tells_the_essentials(rough):
    text = rough.with_metadata(
        licence="CC-BY-4.0", citation="Someone 2026", data={"train.xyz": "abc123"},
        errors={"test": {"total": {"energy_mae_meV_per_atom": 1.25, "forces_mae_eV_per_A": 0.031}}},
    ).describe()  # fmt: skip
    for part in (
        "potential for O, Si", "cutoff       4 Å", f"functions    {len(rough.columns)}", "order 4:", "pair:",
        "Si -2.5 eV", "test MAE     E 1.25 meV/atom, F 0.031 eV/Å", "CC-BY-4.0", "Someone 2026", "abc123",
        "kB", "lacemaker ",
    ):  # fmt: skip
        assert part in text, part
    assert str(rough) == rough.describe()


def test_description_counts_functions_like_the_basis(rough):
    from lacemaker.potential.describe import summary

    facts = summary(rough)
    by_element = facts["functions"]["by_element"]
    assert sum(sum(counts.values()) for counts in by_element.values()) == rough.basis.n_functions
    for symbol, counts in by_element.items():
        for label, count in counts.items():
            found = [
                c for c in rough.basis.columns
                if rough.elements[c.centre] == symbol
                and label == ("pair" if c.kind == "pair" else str(c.correlation_order))
            ]  # fmt: skip
            assert len(found) == count


def test_speed_is_measured_when_asked(silicon):
    from lacemaker.potential.speed import measure_speed, random_solid

    speed = measure_speed(silicon, n_cells=2, repeats=1)
    assert speed.n_atoms == 32
    assert speed.microseconds_per_atom > 0
    solid = random_solid(silicon, 3)
    # 8 atoms in a cube of 5.43 Å: the density of silicon
    assert len(solid.positions) / np.linalg.det(solid.cell) == pytest.approx(8 / 5.43**3, rel=1e-3)
    assert "µs/atom" in silicon.describe(measure_speed=True)
