"""Committee uncertainties and extrapolation grades per atom in LAMMPS: those of Python, and their use."""

import numpy as np
import pytest
from alloys import random_alloy
from ase import Atoms
from lammps_engine import data_file, triangular

import lacemaker as lace
from lacemaker.basis import ZBL
from lacemaker.potential.file import encode
from lacemaker.uncertainty import Committee, ExtrapolationGrade, attach_extrapolation_grade
from lacemaker.uncertainty.functions import attach_functions

FIELDS = ("gamma", "energy_std", "forces_std")


@pytest.fixture(scope="module")
def uncertain():
    """Two elements, orders 1 to 3, pair functions, a core; committee, active sets of random structures."""
    rng = np.random.default_rng(5)
    cutoffs = {"O-O": 3.4, "O-Si": 3.8, "Si-Si": 4.2}
    basis = lace.ACEBasis(["O", "Si"], 3, [5, 4, 4], cutoff=cutoffs, repulsion=ZBL())
    n = basis.n_functions
    potential = lace.Potential(basis, 0.1 * rng.normal(size=n), [-1.25, -2.5])
    members = {
        "committee.coefficients": 1e-3 * rng.normal(size=(5, n)),
        "committee.e0": 1e-3 * rng.normal(size=(5, 2)),
    }
    frames = lace.read([bare(random_alloy(rng, 2.5, skew=0.2, n_cells=2)) for _ in range(100)])
    return attach_extrapolation_grade(potential.with_extras(**members), frames)


def bare(atoms):
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((len(atoms), 3)))
    return atoms


@pytest.fixture(scope="module")
def uncertain_file(uncertain, tmp_path_factory):
    path = tmp_path_factory.mktemp("uncertain") / "uncertain.lace"
    uncertain.save(path)
    return path


SCRIPT = """
units metal
atom_style atomic
boundary {boundary}
box tilt large
read_data x.data
mass * 1.0
pair_style {style}
pair_coeff * * {coeff}
neighbor 1.0 bin
fix u all pair 1 lace gamma {trigger} energy_std {trigger} forces_std {trigger}
dump d all custom 1 out.dump id f_u[1] f_u[2] f_u[3] {more}
dump_modify d sort id format float %.17g
run 0
"""


def in_lammps(engine, path, atoms, *, ranks=1, trigger=0, style="lace", coeff="{path} Si O"):
    """(n_atoms, 3) gamma, energy_std, forces_std."""
    data_file(engine.folder / "x.data", atoms, ["Si", "O"])
    text = SCRIPT.format(
        boundary=" ".join("p" if p else "f" for p in atoms.pbc), more="", trigger=trigger,
        style=style, coeff=coeff.format(path=path),
    )  # fmt: skip
    engine.script(text, ranks=ranks)
    return np.loadtxt((engine.folder / "out.dump").read_text().splitlines()[9:], ndmin=2)[:, 1:]


def in_python(potential, atoms):
    spread = Committee(potential).predict(atoms)
    grades = ExtrapolationGrade(potential).predict(atoms)
    return np.column_stack([grades, spread.energies_std, spread.forces_std_norm])


def assert_same(found, expected):
    """Grades are float64 in both; committees are float32 sums in another order of neighbours."""
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", ["tiny cell", "large skewed", "slab", "cluster", "one atom"])
def test_each_atom_has_the_values_of_python(engine, uncertain, uncertain_file, structures, name, ranks):
    atoms = structures[name]
    expected = in_python(uncertain, atoms)
    assert_same(in_lammps(engine, uncertain_file, atoms, ranks=ranks), expected)


def test_ranks_without_atoms(engine, uncertain, uncertain_file, structures):
    atoms = structures["cluster"].copy()
    atoms.set_cell([60, 20, 20])
    assert_same(in_lammps(engine, uncertain_file, atoms, ranks=4), in_python(uncertain, atoms))


def test_triggers_of_fix_pair_change_nothing(engine, uncertain_file, structures):
    """In other pair styles the grade stays zero without the trigger, a trap (lammps/lammps#3966)."""
    atoms = structures["small skewed"]
    lazy, eager = (in_lammps(engine, uncertain_file, atoms, trigger=trigger) for trigger in (0, 1))
    np.testing.assert_array_equal(lazy, eager)
    assert lazy.min() > 0


def test_every_instruction_set(engine, uncertain, uncertain_file, structures):
    from lacemaker import _core

    atoms = structures["small skewed"]
    for isa in _core.isas():
        found = in_lammps(engine, uncertain_file, atoms, style=f"lace isa {isa}")
        assert_same(found, in_python(uncertain, atoms))


def test_within_a_hybrid_style(engine, uncertain, uncertain_file, structures):
    atoms = structures["small skewed"]
    found = in_lammps(
        engine, uncertain_file, atoms, ranks=2, style="hybrid/overlay lace zero 3.0",
        coeff="lace {path} Si O\npair_coeff * * zero",
    )  # fmt: skip
    assert_same(found, in_python(uncertain, atoms))


def molecule(distance):
    """O and Si at a distance in a large box."""
    return Atoms("OSi", [[8, 8, 8], [8 + distance, 8, 8]], cell=[16, 16, 16], pbc=True)


STOP = """
units metal
atom_style atomic
read_data x.data
mass * 28.0
pair_style lace
pair_coeff * * {path} Si O
neighbor 1.0 bin
fix gamma all pair {every} lace gamma 0
compute largest all reduce max f_gamma
variable largest equal c_largest
dump odd all custom {every} odd.dump id type x y z f_gamma
dump_modify odd sort id thresh f_gamma > {limit} first no
fix stop all halt {every} v_largest > {limit} error {mode} message yes
thermo_style custom step c_largest
thermo {every}
group mobile id 2
velocity mobile set {speed} 0 0
fix move mobile move linear {speed} 0 0
run 60
print "the end"
"""


def test_run_stops_and_dumps_above_a_threshold(engine, uncertain, uncertain_file):
    """Atoms driven into each other leave the training data: the run halts and the odd atoms are on file."""
    start, speed, every = 2.6, -20.0, 5  # Å, Å/ps, steps of 1 fs
    data_file(engine.folder / "x.data", molecule(start), ["Si", "O"])
    path = [molecule(start + speed * 1e-3 * every * k) for k in range(13)]
    largest = [ExtrapolationGrade(uncertain).predict(atoms).max() for atoms in path]
    limit = np.sqrt(largest[2] * max(largest))
    stops = next(k for k, grade in enumerate(largest) if grade > limit)
    assert 0 < stops < 12
    text = STOP.format(path=uncertain_file, every=every, limit=limit, speed=speed, mode="soft")
    said = engine.script(text, ranks=2).stdout
    assert "the end" in said
    rows = [line.split() for line in said.splitlines() if len(line.split()) == 2 and "." in line]
    grades = {int(a): float(b) for a, b in rows if a.isdigit()}
    assert max(grades) == stops * every
    np.testing.assert_allclose(grades[stops * every], largest[stops], rtol=1e-5)
    snapshots = (engine.folder / "odd.dump").read_text().split("ITEM: TIMESTEP\n")[1:]
    dumped = {int(lines[0]): int(lines[2]) for lines in map(str.splitlines, snapshots)}  # step: atoms
    assert dumped[stops * every] > 0
    assert not any(dumped[step] for step in dumped if step < stops * every)
    hard = engine.script(text.replace("error soft", "error hard"), check=False)
    assert hard.returncode != 0
    assert "Fix halt condition for fix-id stop met" in hard.stdout + hard.stderr


def test_fix_pair_made_between_runs_after_atoms_are_gone(engine, uncertain, uncertain_file, structures):
    """The list of the last run is stale then; the next run makes a new one."""
    atoms = structures["large"]
    data_file(engine.folder / "x.data", atoms, ["Si", "O"])
    text = SCRIPT.format(boundary="p p p", more="", trigger=0, style="lace", coeff=f"{uncertain_file} Si O")
    again = "undump d\nunfix u\ngroup odd id > 150\ndelete_atoms group odd compress no\n"
    again += "\n".join(line for line in text.splitlines() if line.split()[:1] in (["fix"], ["dump"], ["run"]))
    engine.script(text + again + "\n")
    found = np.loadtxt((engine.folder / "out.dump").read_text().splitlines()[9:])
    left = atoms[:150]
    np.testing.assert_allclose(found[np.argsort(found[:, 0]), 1], in_python(uncertain, left)[:, 0], rtol=1e-5)


def refusal(engine, path, before=""):
    """What LAMMPS says when it is asked for uncertainties a file does not have; its exit code is not zero."""
    (engine.folder / "x.data").unlink(missing_ok=True)
    data_file(engine.folder / "x.data", molecule(2.5), ["Si", "O"])
    text = SCRIPT.format(boundary="p p p", more="", trigger=0, style="lace", coeff=f"{path} Si O")
    done = engine.script(text, check=False)
    assert done.returncode > 0, done.returncode
    said = " ".join((done.stdout + done.stderr).split())
    assert "ERROR" in said
    return said


def test_potentials_without_the_data_say_how_to_get_them(engine, rough, rough_file):
    said = refusal(engine, rough_file)
    assert "has no extrapolation grade" in said
    assert "extrapolation_grade: true" in said
    path = engine.folder / "old.lace"
    n = len(rough.coefficients)
    extras = {"committee.coefficients": np.ones((2, n)), "committee.e0": np.zeros((2, 2))}
    rough.with_extras(**extras).save(path)
    data_file(engine.folder / "x.data", molecule(2.5), ["Si", "O"])
    text = SCRIPT.format(boundary="p p p", more="", trigger=0, style="lace", coeff=f"{path} Si O")
    done = engine.script(text.replace("gamma 0 ", "").replace(" f_u[3]", ""), check=False)
    assert done.returncode > 0
    assert "samples without the table of functions" in " ".join((done.stdout + done.stderr).split())


def damages(extras):
    """Named changes of one array each that must be noticed when the file is read."""
    inverse, column, first = extras["grade.inverse"], extras["grade.column"], extras["grade.first"]
    yield "inverse cut short", "grade.inverse", inverse[:-1], "instead of"
    yield (
        "inverse not finite",
        "grade.inverse",
        np.where(inverse == inverse.max(), np.nan, inverse),
        "not finite",
    )
    yield "column beyond the basis", "grade.column", column + 10**6, "an active function that its centre"
    yield "column below zero", "grade.column", column - 1, "an active function"
    yield "columns of another centre", "grade.column", column[::-1].copy(), "an active function"
    yield "ranges that fall", "grade.first", first[::-1].copy(), "ranges of active functions"
    yield "ranges too long", "grade.first", first * 1000, "ranges of active functions"
    for name in ("product_index", "row_product", "product_centre", "row_centre", "pair_column"):
        array = extras[f"functions.{name}"]
        yield f"{name} too large", f"functions.{name}", array + 10**7, ""
        yield f"{name} negative", f"functions.{name}", array - 10**7, ""
    yield "row_first falls", "functions.row_first", extras["functions.row_first"][::-1].copy(), "row_first"
    yield "missing factor", "functions.product_index", extras["functions.product_index"][:-1], ""
    yield "members of another basis", "committee.coefficients", extras["committee.coefficients"][:, 1:], ""


def test_damaged_active_sets_are_lammps_errors_never_crashes(engine, uncertain):
    """The digest is right, so the checks behind it must notice."""
    for what, name, array, message in damages(uncertain.extras):
        path = engine.folder / "bad.lace"
        uncertain.with_extras(**{name: array}).save(path)
        said = refusal(engine, path)
        assert "bad.lace cannot be run" in said, what
        assert message in said, what


def test_active_sets_without_their_functions(engine, uncertain):
    extras = {k: v for k, v in uncertain.extras.items() if not k.startswith("functions.")}
    from lacemaker.potential.file import Contents

    contents = Contents(uncertain._arrays(), extras, dict(uncertain.basis_spec), dict(uncertain.metadata))
    (engine.folder / "half.lace").write_bytes(encode(contents))
    assert "active sets without the functions" in refusal(engine, engine.folder / "half.lace")


def test_table_of_functions_holds_those_in_use_only(uncertain):
    full = uncertain.extras["functions.row_coefficient"]
    thinned = np.where(np.arange(len(uncertain.coefficients)) % 4 == 0, uncertain.coefficients, 0.0)
    sparse = attach_functions(lace.Potential(uncertain.basis, thinned, uncertain.e0))
    assert len(sparse.extras["functions.row_coefficient"]) < 0.5 * len(full)


def test_rotation_of_the_cell_does_not_matter(uncertain, structures):
    """LAMMPS turns the cell; the comparison above relies on values that do not care."""
    atoms = structures["small skewed"]
    cell, rotation = triangular(atoms)
    turned = Atoms(atoms.numbers, atoms.positions @ rotation.T, cell=cell, pbc=True)
    np.testing.assert_allclose(in_python(uncertain, turned), in_python(uncertain, atoms), rtol=1e-4)
