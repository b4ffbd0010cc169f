"""Parts of the studies: linear solves, relaxation, defects, crystals, slopes, references."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sparse
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import BFGS
from hypothesis import given, settings
from hypothesis import strategies as st

from lacemaker.errors import ConfigError, SolverError
from lacemaker.studies.balls import ball
from lacemaker.studies.clusters import SlopesConfig, slopes_config
from lacemaker.studies.config import StudyConfig, study_config
from lacemaker.studies.crystals import (
    Crystal,
    irreducible_displacements,
    make_crystal,
    mixed_strained_cells,
    strained_cells,
)
from lacemaker.studies.defects import defect_cell
from lacemaker.studies.equilibria import load_equilibrium, newton, relax_reference
from lacemaker.studies.estimator import estimate
from lacemaker.studies.linear import bond_hessian, conjugate_gradients, positive_solver
from lacemaker.studies.observations import Observations
from lacemaker.studies.references import Reference, make_reference, potential_file
from lacemaker.studies.relaxation import relax
from lacemaker.studies.slopes import fit_slope
from lacemaker.studies.training import core_samples


@pytest.fixture(scope="module")
def copper():
    """Copper under ASE's EMT: a reference without Hessian and without files."""
    return Reference("EMT", "EMT of ASE", EMT)


@pytest.fixture(scope="module")
def fcc(copper):
    return make_crystal("fcc", "Cu", copper.calculator, None)


def random_positive(n, density, seed):
    rng = np.random.default_rng(seed)
    root = sparse.random(n, n, density=density, random_state=seed, data_rvs=rng.standard_normal)
    return (root @ root.T + sparse.identity(n)).tocsr()


@pytest.mark.parametrize("density", [0.01, 0.5])  # sparse and dense factorisations
def test_positive_solver_solves(density):
    matrix = random_positive(90, density, 1)
    solve, shift = positive_solver(matrix)
    right = np.random.default_rng(2).normal(size=90)
    assert np.allclose((matrix + shift * sparse.identity(90)) @ solve(right), right, atol=1e-9)


def test_positive_solver_shifts_an_indefinite_matrix_and_refuses_a_hopeless_one():
    matrix = random_positive(60, 0.05, 3).tolil()
    matrix[0, 0] = -0.5
    solve, shift = positive_solver(matrix.tocsr())
    assert shift > 0.5
    v = np.random.default_rng(0).normal(size=60)
    assert v @ solve(v) > 0
    with pytest.raises(SolverError, match="positive definite"):
        positive_solver(sparse.diags([1.0] * 59 + [-1e6]).tocsr() + sparse.identity(60) * 2e4)


def test_iterations_agree_with_the_factorisation(monkeypatch):
    matrix = random_positive(300, 0.01, 5)
    right = np.random.default_rng(1).normal(size=300)
    direct = positive_solver(matrix)[0](right)
    monkeypatch.setattr("lacemaker.studies.linear.DIRECT", 10)
    iterated = positive_solver(matrix, tolerance=1e-10)[0](right)
    assert np.allclose(iterated, direct, atol=1e-7)


def test_conjugate_gradients_report_negative_curvature():
    matrix = np.diag([1.0, 2.0, -3.0])
    assert conjugate_gradients(lambda v: matrix @ v, np.ones(3), lambda v: v).curvature <= 0
    scale = np.array([1.0, 2.0, 3.0])
    x, curvature, converged = conjugate_gradients(
        lambda v: v * scale, np.ones(3), lambda v: v, tolerance=1e-12
    )
    assert np.allclose(x, [1, 0.5, 1 / 3])
    assert curvature > 0
    assert converged


def test_bond_hessian_knows_translations_and_is_positive(fcc):
    atoms = fcc.supercell(2)
    matrix = bond_hessian(atoms, 5.0)
    assert np.allclose(matrix @ np.tile([1.0, 2.0, 3.0], len(atoms)), 0.0, atol=1e-10)
    assert np.linalg.eigvalsh(matrix.toarray()).min() > -1e-10


def test_relaxation_finds_ases_minimum(copper, fcc, tmp_path):
    """Against ASE's BFGS: the same energy and geometry of a vacancy."""
    defect = defect_cell("vacancy", fcc, 2)
    state = load_equilibrium(relax_reference(defect, copper, folder=tmp_path, tolerance=1e-4))
    oracle = defect.atoms.copy()
    oracle.calc = EMT()
    BFGS(oracle, logfile=None).run(fmax=1e-4, steps=200)
    assert state.energy == pytest.approx(oracle.get_potential_energy(), abs=1e-6)
    assert state.strain_norms(oracle.positions - state.atoms.positions)[0] < 1e-3
    assert not state.exact_hessian


def test_clamped_atoms_stay(copper, fcc):
    defect = defect_cell("vacancy", fcc, 3)
    free = defect.distances() < 4.0
    found = newton(defect.atoms, copper, free, 1e-3)
    assert found.converged
    assert np.array_equal(found.positions[~free], defect.atoms.positions[~free])
    assert np.abs(found.positions[free] - defect.atoms.positions[free]).max() > 1e-3


def test_a_model_without_equilibrium_is_a_result(fcc):
    """Repulsive springs push atoms apart without end: not converged, and no exception."""

    class Repulsive(EMT):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            self.results["energy"] *= -1.0
            self.results["forces"] *= -1.0

    atoms = fcc.supercell(2)
    atoms.rattle(0.05, seed=1)
    found = relax(atoms, Repulsive(), positive_solver(bond_hessian(atoms, 5.0))[0], max_calls=60)
    assert not found.converged
    assert found.message != "converged"


def test_estimate_is_exact_for_a_small_change_of_the_model(copper, fcc, tmp_path):
    """The model EMT + springs to shifted places: H⁻¹F foretells where its relaxation goes."""
    state = load_equilibrium(
        relax_reference(defect_cell("vacancy", fcc, 2), copper, folder=tmp_path, tolerance=1e-4)
    )
    n = len(state.atoms)
    push = np.random.default_rng(4).normal(size=(n, 3)) * 0.02
    push -= push.mean(axis=0)

    class Pushed(EMT):
        def calculate(self, atoms=None, *arguments, **options):
            super().calculate(atoms, *arguments, **options)
            self.results["forces"] = self.results["forces"] + push
            self.results["energy"] -= float((push * atoms.positions).sum())
            self.results["free_energy"] = self.results["energy"]

    guess = estimate(Pushed(), state, radius=3.0)
    found = relax(state.atoms, Pushed(), state.solve, tolerance=1e-4)
    assert found.converged
    true = state.strain_norms(found.positions - state.atoms.positions)[0]
    assert guess.stable
    assert guess.geometry == pytest.approx(true, rel=0.1)
    assert guess.residual == pytest.approx(np.linalg.norm(push), rel=0.02)
    assert guess.core > 0
    assert guess.far > 0
    assert guess.profile.count.sum() == n


@pytest.mark.parametrize(
    ("structure", "element", "name", "change"),
    [
        ("diamond", "Si", "vacancy", -1),
        ("diamond", "Si", "divacancy", -2),
        ("diamond", "Si", "interstitial-tetrahedral", 1),
        ("diamond", "Si", "interstitial-hexagonal", 1),
        ("diamond", "Si", "dumbbell-110", 1),
        ("bcc", "W", "interstitial-octahedral", 1),
        ("bcc", "W", "dumbbell-111", 1),
        ("fcc", "Cu", "interstitial-octahedral", 1),
        ("fcc", "Cu", "dumbbell-100", 1),
        ("fcc", "Cu", "interstitial-0.25,0.25,0.25", 1),
    ],
)
def test_defects_have_the_right_atoms_and_enough_room(structure, element, name, change):
    from lacemaker.studies.crystals import Crystal

    cell = bulk(element, structure, cubic=True)
    nearest = cell.repeat(2).get_distances(0, range(1, 8 * len(cell)), mic=True).min()
    crystal = Crystal(cell, structure, float(nearest), 0.0)
    found = defect_cell(name, crystal, 3)
    assert len(found.atoms) == 27 * len(cell) + change
    distances = found.atoms.get_all_distances(mic=True)
    assert distances[~np.eye(len(found.atoms), dtype=bool)].min() > 0.4 * nearest
    assert found.distances().min() < 1.5 * nearest
    middle = 0.5 * found.atoms.cell.array.sum(axis=0)
    assert np.linalg.norm(found.core - middle) < 1.5 * cell.cell.lengths()[0]


def test_tetrahedral_site_of_diamond_has_four_neighbours_opposite_the_bonds():
    from lacemaker.studies.crystals import Crystal

    cell = bulk("Si", "diamond", a=5.431, cubic=True)
    found = defect_cell("interstitial-tetrahedral", Crystal(cell, "diamond", 2.3517, 0.0), 3)
    others = found.atoms[:-1]
    others.append("X")
    others.positions[-1] = found.core
    lengths = np.sort(others.get_distances(-1, range(len(others) - 1), mic=True))
    assert np.allclose(lengths[:4], 2.3517, atol=1e-3)
    assert lengths[4] > 2.6


def test_ball_is_centred_round_and_finite(fcc):
    found = ball("vacancy", fcc, 6.0, 4.0)
    assert not found.atoms.pbc.any()
    assert found.distances().max() <= 10.0 + 1e-9
    perfect = 4.0 / 3.0 * np.pi * 10.0**3 / (fcc.lattice_constant**3 / 4)
    assert len(found.atoms) == pytest.approx(perfect, rel=0.1)


def test_equal_numbers_of_core_samples_for_every_size(fcc):
    counts = {
        n: len(core_samples(fcc.supercell(n), [defect_cell("vacancy", fcc, n).atoms], 12, (0.01, 0.05), 0))
        for n in (1, 2, 3)
    }
    assert set(counts.values()) == {12}


def test_strains_are_symmetric_and_have_their_size(fcc):
    cells = strained_cells(fcc.cell, 0.005)
    assert len(cells) == 13
    for strained in cells[1:]:
        deformation = np.linalg.inv(fcc.cell.cell.array) @ strained.cell.array - np.eye(3)
        assert np.allclose(deformation, deformation.T, atol=1e-12)
        assert np.abs(deformation).sum() == pytest.approx(0.005)
    mixed = mixed_strained_cells(fcc.cell, 0.005)
    assert len(mixed) == 30  # both signs of 15 pairs, none twice
    assert len({np.round(strained.cell.array, 8).tobytes() for strained in [*cells, *mixed]}) == 43


@pytest.mark.parametrize(("structure", "element"), [("diamond", "Si"), ("bcc", "W"), ("fcc", "Cu")])
def test_one_displacement_is_enough_for_cubic_elements(structure, element):
    pytest.importorskip("phonopy")
    assert len(irreducible_displacements(bulk(element, structure, cubic=True).repeat(2))) == 1


@settings(max_examples=25, deadline=None)
@given(st.floats(-4, 4), st.floats(-3, 3))
def test_slope_of_an_exact_power_law(slope, intercept):
    x = np.array([1.0, 2.0, 3.0, 5.0])
    found = fit_slope(list(x), list(np.exp(intercept) * x**slope))
    assert found.slope == pytest.approx(slope, abs=1e-9)
    assert found.half_width < 1e-6


def test_confidence_interval_covers_the_true_slope_95_percent_of_the_time():
    rng, x, hits = np.random.default_rng(0), np.array([1.0, 2, 3, 4, 6, 8]), 0
    for _ in range(400):
        found = fit_slope(list(x), list(x**-1.5 * np.exp(rng.normal(scale=0.3, size=6))))
        hits += abs(found.slope + 1.5) <= found.half_width
    assert 0.92 < hits / 400 < 0.98


def test_slopes_leave_out_what_has_no_number():
    assert fit_slope([1, 2, 3], [None, 0.0, 4.0]) is None
    assert fit_slope([1, 2, 3], [1.0, None, 9.0]).slope == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E", (True, False, False, False)),
        ("EFV", (True, True, False, True)),
        ("EF+FC", (True, True, True, False)),
        ("EF+FC+V", (True, True, True, True)),
        ("EFFC", (True, True, True, False)),
    ],
)
def test_observation_sets_are_read(text, expected):
    assert Observations.parse(text) == expected


@pytest.mark.parametrize("text", ["", "V", "FC", "EE", "EFX"])
def test_impossible_observation_sets_are_refused(text):
    with pytest.raises(ValueError, match="observations"):
        Observations.parse(text)


def test_balanced_weights_fall_with_the_cell():
    weights = StudyConfig().weights.model_copy(update={"balance": True})
    assert weights.balanced(4).virial == pytest.approx(weights.virial / 8)
    assert weights.balanced(4).forces == weights.forces


def test_eam_files_are_recognised_by_their_element_names(tmp_path, monkeypatch):
    """Files such as Zhou's carry atomic number 1 throughout; the names on line 4 count."""
    matscipy = pytest.importorskip("matscipy.calculators.eam")
    n = 200
    r = np.arange(n) * 0.03
    lines = ["", "", "", "1 Cu", f"{n} 0.05 {n} 0.03 5.0", "1 63.5 3.6 fcc"]
    inside = np.clip(5.0 - r, 0.0, None)
    for values in (-np.sqrt(np.arange(n) * 0.05), inside**4 / 1e3, r * inside**3 / 50):
        lines += [f"{v:.12e}" for v in values]
    path = tmp_path / "odd.eam.alloy"
    path.write_text("\n".join(lines) + "\n")
    assert matscipy.EAM is not None
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(tmp_path))
    assert potential_file("odd.eam.alloy") == path
    reference = make_reference("eam", file="odd.eam.alloy")
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=0)
    atoms.calc = reference.calculator
    forces, h = atoms.get_forces(), 1e-4
    atoms.positions[0, 0] += h
    up = atoms.get_potential_energy()
    atoms.positions[0, 0] -= 2 * h
    assert forces[0, 0] == pytest.approx(-(up - atoms.get_potential_energy()) / (2 * h), abs=1e-4)


def test_a_file_that_is_no_eam_is_named(tmp_path):
    pytest.importorskip("matscipy")
    path = tmp_path / "x.eam.alloy"
    path.write_text("nothing\n" * 6)
    with pytest.raises(ConfigError, match="line 4"):
        _ = make_reference("eam", file=str(path)).calculator


def test_configurations_refuse_unknown_keys():
    with pytest.raises(ConfigError, match="radii"):
        slopes_config({"radius": [1, 2]})
    with pytest.raises(ConfigError, match="small to large"):
        slopes_config({"radii": [5, 4]})
    assert isinstance(slopes_config({}), SlopesConfig)
    assert study_config({}).sizes == (1, 2, 3)


def test_hessian_of_other_atoms_than_those_seen_last():
    """matscipy sizes its arrays by the atoms of the last calculation."""
    pytest.importorskip("matscipy")
    reference = make_reference("stillinger-weber")
    crystal = reference.crystal("diamond", "Si", None)  # eight atoms were seen last
    matrix = reference.hessian(crystal.cell.repeat((2, 1, 1)))
    assert matrix.shape == (48, 48)
    assert np.allclose(matrix @ np.tile([1.0, 0.0, 0.0], 16), 0.0, atol=1e-8)
    assert reference.has_hessian


def test_a_quadrupole_keeps_the_density_and_measures_across_the_lines(monkeypatch):
    pytest.importorskip("matscipy", reason="dislocations are matscipy's")
    tungsten = SimpleNamespace(cubic=(522.0, 204.0, 161.0))
    monkeypatch.setattr("lacemaker.analysis.elasticity.elastic_constants", lambda *a: tungsten)
    cell = bulk("W", "bcc", a=3.165, cubic=True)
    crystal = Crystal(cell, "bcc", 2.741, -8.76)
    sizes = {}
    for separation in (4, 8):
        defect = defect_cell("quadrupole-BCCEdge100Dislocation", crystal, separation)
        sizes[separation] = len(defect.atoms)
        assert defect.atoms.get_volume() / len(defect.atoms) == pytest.approx(3.165**3 / 2)
        assert defect.core.shape == (2, 3)  # two lines of opposite Burgers vectors
        shifted = replace(defect, core=defect.core + np.array([0.0, 0.0, 1.1]))
        np.testing.assert_allclose(shifted.distances(), defect.distances(), atol=1e-9)
        assert defect.distances().max() > 0.2 * separation * 3.165
    assert sizes == {4: 64, 8: 256}
