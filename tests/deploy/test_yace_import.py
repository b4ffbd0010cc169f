"""Reading ``.yace``: our evaluation against an independent reader, its derivatives, and damaged files."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from yace_cases import linear, oracle, random_model, structure, two_atoms

from lacemaker.deploy.yace import (
    Embedding,
    Terms,
    YaceCalculator,
    YaceEvaluator,
    YaceModel,
    parse_yace,
    read_yace,
    write_yace,
    yace_text,
)
from lacemaker.deploy.yace.text import load_tree
from lacemaker.errors import FileFormatError

FAMILIES = ("ChebExpCos", "ChebPow", "ChebLinear", "SBessel")
EMBEDDINGS = {
    "linear, two densities": Embedding("FinnisSinclair", np.array([1.0, -0.4]), np.ones(2)),
    "square root": Embedding("FinnisSinclair", np.array([1.0, 0.3]), np.array([1.0, 0.5])),
    "shifted and scaled": Embedding(
        "FinnisSinclairShiftedScaled", np.array([1.0, 0.7]), np.array([1.0, 0.5])
    ),
    "other exponents": Embedding(
        "FinnisSinclairShiftedScaled", np.array([0.5, 0.7, -0.2]), np.array([1.7, 0.8, 2])
    ),
}


def written(model, tmp_path):
    path = tmp_path / "model.yace"
    write_yace(model, path)
    return path


def agreement(model, tmp_path, atoms):
    """Largest difference of site energies between our reader and the independent one."""
    path = written(model, tmp_path)
    other = oracle()
    theirs = other.site_energies(
        other.load(path), atoms.get_chemical_symbols(), atoms.positions, atoms.cell[:], atoms.pbc
    )
    ours = YaceEvaluator(read_yace(path)).predict(atoms).energies
    assert np.abs(theirs - model.e0[0]).max() > 1e-2  # the model says something
    return np.abs(ours - theirs).max()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("inner", ["density", "distance"])
def test_each_radial_family_gives_the_energies_of_the_independent_reader(family, inner, tmp_path):
    rng = np.random.default_rng(4)
    model = random_model(rng, families=(family,), inner=inner)
    assert agreement(model, tmp_path, two_atoms(rng)) < 1e-10


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_each_embedding_gives_the_energies_of_the_independent_reader(name, tmp_path):
    rng = np.random.default_rng(5)
    model = random_model(rng, families=FAMILIES, embedding=EMBEDDINGS[name])
    assert agreement(model, tmp_path, two_atoms(rng)) < 1e-10


def test_many_body_energy_fades_where_the_core_is_strong(tmp_path):
    rng = np.random.default_rng(6)
    soft = Embedding("FinnisSinclair", np.ones(1), np.ones(1), core_limit=1.0, core_width=0.95)
    model = random_model(rng, embedding=soft, inner="density", core=(60.0, 1.0))
    atoms = two_atoms(rng)
    assert agreement(model, tmp_path, atoms) < 1e-10
    never = random_model(np.random.default_rng(6), inner="density", core=(60.0, 1.0))
    ours, plain = (YaceEvaluator(m).predict(atoms).energy for m in (model, never))
    assert abs(ours - plain) > 1e-3


@pytest.mark.parametrize("inner", ["density", "distance", "zbl"])
@pytest.mark.parametrize("name", ["square root", "shifted and scaled"])
def test_forces_and_stress_are_derivatives_of_the_energy(inner, name):
    rng = np.random.default_rng(7)
    model = random_model(rng, families=FAMILIES, embedding=EMBEDDINGS[name], inner=inner, core=(1.0, 1.5))
    evaluator, atoms, step = YaceEvaluator(model), structure(rng), 1e-5
    found = evaluator.predict(atoms)

    def slope(change):
        return (evaluator.predict(change(step)).energy - evaluator.predict(change(-step)).energy) / (2 * step)

    def moved(k, axis):
        def change(h):
            copy = atoms.copy()
            copy.positions[k, axis] += h
            return copy

        return change

    def strained(a, b):
        def change(h):
            copy, strain = atoms.copy(), np.eye(3)
            strain[a, b] += h / 2
            strain[b, a] += h / 2
            copy.set_cell(atoms.cell[:] @ strain, scale_atoms=True)
            return copy

        return change

    scale = np.abs(found.forces).max()
    assert scale > 0.1
    for k, axis in [(0, 0), (3, 1), (6, 2)]:
        assert -slope(moved(k, axis)) == pytest.approx(found.forces[k, axis], abs=2e-7 * scale)
    for component, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        assert -slope(strained(a, b)) == pytest.approx(found.virial[component], abs=2e-6 * scale)


def test_deep_inside_the_zbl_cutoff_only_half_the_nuclear_repulsion_is_left():
    from lacemaker.basis.repulsion import zbl_energy

    model = random_model(np.random.default_rng(8), inner="zbl", core=(1.0, 1.0))
    site = YaceEvaluator(model).predict(Atoms("OSi", [[0, 0, 0], [0, 0, 0.8]])).energies - model.e0
    bare = 0.5 * zbl_energy(np.array(0.8), 8, 14, 9.0, 10.0)[0]
    assert site == pytest.approx([bare, bare], rel=2e-2)  # brought to zero at the cutoff by a small shift


def test_half_and_full_m_sets_and_repeated_functions_mean_the_same():
    model = random_model(np.random.default_rng(9))
    halves = []
    for centre in model.terms:
        parts = []
        for terms in centre:
            mirrored = terms.factors * [1, 1, 1, -1]
            parts.append(Terms(np.concatenate([terms.factors, mirrored]), np.tile(terms.weights, (2, 1)) / 2))
        halves.append(tuple(parts))
    full = YaceModel(model.elements, model.e0, model.embeddings, model.bonds, tuple(halves))
    atoms = structure(np.random.default_rng(1))
    ours, theirs = (YaceEvaluator(m).predict(atoms) for m in (model, full))
    assert theirs.energies == pytest.approx(ours.energies, abs=1e-12)
    assert np.abs(theirs.forces - ours.forces).max() < 1e-11


def test_writing_and_reading_keeps_every_number():
    model = random_model(np.random.default_rng(10), families=FAMILIES, embedding=EMBEDDINGS["square root"])
    again = parse_yace(yace_text(model))
    assert yace_text(again) == yace_text(model)
    assert again.linear == model.linear
    for pair, bond in model.bonds.items():
        np.testing.assert_array_equal(again.bonds[pair].coefficients, bond.coefficients)


def test_any_yaml_layout_is_read():
    """Comments, block style, other indentation: what the quick reader does not know, YAML's reads."""
    from io import StringIO

    from ruamel.yaml import YAML

    text = yace_text(random_model(np.random.default_rng(11)))
    tree, out = load_tree(text, "the text"), StringIO()
    blocks = {name: tree[name] for name in ("elements", "E0", "embeddings", "functions")}
    YAML(typ="safe", pure=True).dump(blocks, out)
    bonds = text[text.index("bonds:") : text.index("functions:")]
    other = (
        "# by hand\n"
        + out.getvalue()
        + bonds.replace("    [", "   [").replace("nradmax: 3,", "nradmax: 3 ,\n     ")
    )
    assert yace_text(parse_yace(other)).split("bonds:")[1] == text.split("bonds:")[1]


def test_integers_blanks_and_remarks_as_other_writers_leave_them():
    """Blanks at line ends and remarks after the functions (FitSNAP), integers for numbers (pacemaker)."""
    text = yace_text(random_model(np.random.default_rng(11)))
    other = text.replace("]\n", "] \n").replace("drho_core_cutoff: 250.0", "drho_core_cutoff: 250")
    assert other != text
    assert yace_text(parse_yace(other + "# This file was generated.\n# units metal\n")) == text


def test_calculator_offers_what_ase_asks_for(tmp_path):
    rng = np.random.default_rng(12)
    path = written(random_model(rng), tmp_path)
    atoms = structure(rng)
    atoms.calc = YaceCalculator(path)
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())
    assert atoms.get_forces().sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-10)
    before = atoms.get_potential_energy()
    atoms.rattle(0.05, seed=1)
    assert atoms.get_potential_energy() == pytest.approx(YaceEvaluator(read_yace(path)).predict(atoms).energy)
    assert atoms.get_potential_energy() != pytest.approx(before)
    assert atoms.get_stress().shape == (6,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("elements: [O, Si]", "elements: [O, Xx]", "elements that do not exist"),
        ("elements: [O, Si]", "elements: [O, O]", "different elements"),
        ("E0: [", "E0: [1.0, ", "E0 has the wrong size"),
        ("radbasename: ChebPow", "radbasename: ACE.jl.base", "another dialect, written by ACE.jl"),
        ("radbasename: ChebPow", "radbasename: Tabulated", "ace-jax"),
        ("radbasename: ChebPow", "radbasename: Fourier", "unknown radial basis"),
        ("nradbasemax: 5", "nradbasemax: 6", "radcoefficients of bond"),
        ("inner_cutoff_type: distance", "inner_cutoff_type: zbl", "disagree on inner_cutoff_type"),
        ("[1, 0]: {", "[7, 0]: {", "every ordered pair"),
        ("npoti: FinnisSinclair,", "npoti: EAM,", "unknown kind"),
        ("ndensity: 1, FS", "ndensity: 2, FS", "FS_parameters"),
        ("mus: [0]", "mus: [5]", "an element that does not exist"),
        ("ns: [1]", "ns: [99]", "a radial function that bond"),
        ("ms_combs: [0]", "ms_combs: [1]", "a spherical harmonic that does not exist"),
        ("ms_combs: [0]", "ms_combs: [0, 0]", "ms_combs of function 0"),
        ("rank: 1,", "rank: 0,", "impossible sizes"),
        ("rcut: 3.6", "rcut: -3.6", "impossible cutoff"),
        ("rcut: 3.6", "rcut: .nan", "not finite"),
        ("rcut: 3.6", "rcut: long", "not made of numbers"),
        ("rcut: 3.6, ", "", "has no 'rcut'"),
        ("functions:", "procedures:", "has no 'functions'"),
        ("E0: [", "E0: ][", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_a_clear_error(old, new, message):
    text = yace_text(random_model(np.random.default_rng(13)))
    assert old in text
    with pytest.raises(FileFormatError, match=message.replace("[", r"\[")) as error:
        parse_yace(text.replace(old, new, 1))
    assert "found:" in str(error.value)
    assert "to do:" in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_truncated_within_a_line_is_an_error(share):
    text = yace_text(random_model(np.random.default_rng(14)))
    with pytest.raises(FileFormatError):
        parse_yace(text[: int(share * len(text))])


def test_a_missing_or_binary_file_is_a_clear_error(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_yace(tmp_path / "absent.yace")
    path = Path(tmp_path / "binary.yace")
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(FileFormatError, match="not a text file"):
        read_yace(path)


def test_an_element_without_functions_has_its_one_body_energy():
    model = random_model(np.random.default_rng(15), core=(0.0, 1.0))
    bare = YaceModel(model.elements, model.e0, (linear(), linear()), model.bonds, (model.terms[0], ()))
    again = parse_yace(yace_text(bare))
    assert YaceEvaluator(again).predict(Atoms("Si2", [[0, 0, 0], [0, 0, 2.2]])).energy == 2 * model.e0[1]
