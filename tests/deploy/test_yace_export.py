"""Exported ``.yace`` files say what the potential says, to an independent reader too."""

import numpy as np
import pytest
from ase import Atoms
from yace_cases import oracle, structure, two_atoms

import lacemaker as lace
from lacemaker.basis import ZBL, PairBasis
from lacemaker.basis.envelopes import One, REnvelope, XEnvelope
from lacemaker.basis.transforms import Agnesi, Identity, Morse, Polynomial
from lacemaker.deploy.yace import (
    YaceCalculator,
    YaceEvaluator,
    check_exportable,
    export_yace,
    read_yace,
    to_yace,
    yace_text,
)
from lacemaker.errors import FileFormatError


def potential(basis, seed=3, scale=0.2):
    coefficients = scale * np.random.default_rng(seed).normal(size=basis.n_functions)
    return lace.Potential(basis, coefficients, -1.0 - np.arange(basis.n_elements))


CASES = {
    "silicon, order 3": lambda: lace.ACEBasis("Si", 3, [12, 10, 9], cutoff=5.0),
    "order 1 alone": lambda: lace.ACEBasis(["Cu", "Au"], 1, [8], cutoff=5.0),
    "no pair block": lambda: lace.ACEBasis(["Cu", "Au"], 2, [6, 5], cutoff=5.0, pair=None),
    "cutoffs by pair, core, order 4": lambda: lace.ACEBasis(
        ["O", "Si"], 4, [8, 6, 5, 5], cutoff={"O-O": 3.4, "O-Si": 3.8, "Si-Si": 4.2}, repulsion=ZBL()
    ),
    "three elements, order 5": lambda: lace.ACEBasis(
        ["H", "C", "O"], 5, [4, 4, 3, 3, 3], cutoff=4.0, repulsion=ZBL()
    ),
    "functions of products": lambda: lace.ACEBasis("Si", 2, [6, 5], cutoff=4.5).with_products(2, max_order=4),
    "purified": lambda: lace.ACEBasis(["Cu", "Au"], 3, [6, 5, 5], cutoff=4.5).purified(),
    "other transforms": lambda: lace.ACEBasis(
        "Si", 2, [8, 7], cutoff=5.0, transform=Morse(2.0), pair=PairBasis(transform=Polynomial(2))
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def exported(request, tmp_path_factory):
    """A potential, its file and the report."""
    model = potential(CASES[request.param]())
    path = tmp_path_factory.mktemp("yace") / "potential.yace"
    return model, path, export_yace(model, path)


def test_site_energies_agree_for_an_independent_reader(exported):
    model, path, _ = exported
    other, rng = oracle(), np.random.default_rng(2)
    atoms = two_atoms(rng, [model.elements[0], model.elements[-1]])
    tree = other.load(path)
    theirs = other.site_energies(
        tree, atoms.get_chemical_symbols(), atoms.positions, atoms.cell[:], atoms.pbc
    )
    ours = model.predict(atoms).energies
    assert np.abs(ours - model.e0.mean()).max() > 1e-2
    assert np.abs(theirs - ours).max() < 1e-9
    tabulated = other.site_energies(
        tree, atoms.get_chemical_symbols(), atoms.positions, atoms.cell[:], atoms.pbc, table=True
    )
    assert np.abs(tabulated - ours).max() < 1e-9  # ML-PACE interpolates on 0.001 Å


def test_a_round_trip_keeps_energies_forces_and_virials(exported):
    model, path, _ = exported
    evaluator = YaceEvaluator(read_yace(path))
    for seed in range(2):
        atoms = structure(np.random.default_rng(seed), edge=2.3, symbols=model.elements)
        ours, theirs = model.predict(atoms), evaluator.predict(atoms)
        scale = max(1.0, np.abs(ours.energies).max())
        assert np.abs(theirs.energies - ours.energies).max() < 1e-10 * scale
        assert np.abs(theirs.forces - ours.forces).max() < 1e-8 * scale
        assert np.abs(theirs.virial - ours.virial).max() < 1e-7 * scale


def test_the_report_and_the_file_state_domain_and_deviation(exported):
    model, path, report = exported
    assert report.n_bytes == path.stat().st_size
    assert report.energy_error < 1e-9
    assert report.force_error < 1e-7
    assert report.radial_error < 1e-11
    head = [line for line in path.read_text(encoding="ascii").splitlines() if line.startswith("#")]
    assert any("valid where no atoms are nearer than" in line for line in head)
    assert any("eV/atom" in line for line in head)
    core = model.basis.specification.repulsion
    for name, r_min in report.r_min.items():
        i, j = (model.elements.index(symbol) for symbol in name.split("-"))
        assert r_min == (0.5 * model.basis.r0[i][j] if core is None else core.outer[i][j])


def test_half_m_sets_are_written(exported):
    """No product comes with its reverse: that would be the complex conjugate, already counted."""
    _, path, _ = exported
    for centre in read_yace(path).terms:
        for terms in centre:
            rows = {tuple(sorted(map(tuple, row))) for row in terms.factors.tolist()}
            assert len(rows) == len(terms.factors)
            for row in rows:
                mirrored = tuple(sorted((mu, n, ell, -m) for mu, n, ell, m in row))
                assert mirrored == row or mirrored not in rows


def test_below_r_min_atoms_repel(exported):
    model, path, report = exported
    evaluator = YaceEvaluator(read_yace(path))
    for name, r_min in report.r_min.items():
        pair = name.split("-")
        i, j = (model.elements.index(symbol) for symbol in pair)
        bond = evaluator.model.bonds[i, j]
        start = bond.inner_cutoff - bond.inner_width
        energies = [
            evaluator.predict(Atoms(pair, [[0, 0, 0], [0, 0, d]])).energy
            for d in (start, 0.7 * start, 0.4 * start)
        ]
        assert energies[0] < energies[1] < energies[2], (name, r_min)
        assert energies[2] > energies[0] + 5.0


def test_the_core_is_the_zbl_core_at_the_start_and_halfway():
    """Two-point match: p e^(-q r²)/r (1 + cos(pi r/rcut))/2 times the fade is half our ZBL core."""
    model = potential(CASES["cutoffs by pair, core, order 4"](), scale=0.0)
    evaluator, spec = YaceEvaluator(to_yace(model)[0]), model.basis.specification.repulsion
    for i, j in [(0, 0), (0, 1), (1, 1)]:
        inner, outer = spec.inner[i][j], spec.outer[i][j]
        for r in (inner, 0.5 * (inner + outer)):
            atoms = Atoms([model.elements[i], model.elements[j]], [[0, 0, 0], [0, 0, r]])
            assert evaluator.predict(atoms).energy == pytest.approx(model.predict(atoms).energy, rel=1e-9)


def test_a_core_inside_the_domain_is_folded_into_the_pair_part():
    model = potential(CASES["cutoffs by pair, core, order 4"]())
    with pytest.raises(FileFormatError, match=r"pair energy of .* cannot be written"):
        to_yace(model, r_min=0.9)
    found, _, error = to_yace(model, r_min={"O-O": 0.7, "O-Si": 1.1, "Si-Si": 1.4}, tolerance=0.05)
    assert 1e-6 < error < 0.05
    atoms = Atoms("O2", [[0, 0, 0], [0, 0, 0.75]])  # inside the core, which ends at 0.96 Å
    ours = model.predict(atoms).energy
    assert abs(YaceEvaluator(found).predict(atoms).energy - ours) < 4 * error
    assert ours - potential(model.basis, scale=0.0).predict(atoms).energy != 0


def test_a_smaller_r_min_without_a_core_is_exact_further_in(tmp_path):
    model = potential(CASES["silicon, order 3"]())
    report = export_yace(model, tmp_path / "near.yace", r_min=0.8, tolerance=1e-10)
    atoms = Atoms("Si2", [[0, 0, 0], [0, 0, 0.81]])
    atoms.calc = YaceCalculator(tmp_path / "near.yace")
    ours = model.predict(atoms).energy
    assert atoms.get_potential_energy() == pytest.approx(ours, abs=1e-8 * max(1, abs(ours)))
    assert report.r_min == {"Si-Si": 0.8}


def test_no_coefficients_make_an_exportable_basis_unfit_for_export(tmp_path):
    """Where large coefficients cancel, the pair energy is as true as the functions it is summed from."""
    basis = lace.ACEBasis("Co", 1, [14], cutoff=5.5)
    check_exportable(basis)
    report = export_yace(potential(basis, scale=1.0), tmp_path / "rough.yace")
    assert 1e-10 < report.pair_error < 1e-9
    assert report.energy_error < 1e-8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"envelope": One()}, "radial functions of bond Si-Si"),
        ({"pair": PairBasis(cutoff=4.0)}, "cutoffs 5 Å many-body and 4 Å pair"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_any_fit(options, message):
    basis = lace.ACEBasis("Si", 2, [6, 5], cutoff=5.0, **options)
    with pytest.raises(FileFormatError, match=message):
        check_exportable(basis)


def test_an_impossible_r_min_is_refused():
    basis = lace.ACEBasis("Si", 2, [6, 5], cutoff=5.0, rin=1.0)
    check_exportable(basis)
    for r_min in (0.5, 5.0, -1.0):
        with pytest.raises(FileFormatError, match="shortest distance of bond Si-Si is impossible"):
            check_exportable(basis, r_min=r_min)


def test_usual_families_are_exportable():
    for transform in (Agnesi(1, 3), Agnesi(2, 2), Identity(), Morse(3.0), Polynomial(3)):
        for envelope in (XEnvelope(2, 2), XEnvelope(0, 2), REnvelope(2)):
            check_exportable(
                lace.ACEBasis("Si", 2, [8, 6], cutoff=5.0, transform=transform, envelope=envelope),
                tolerance=1e-9,
            )


def test_a_file_that_is_too_large_is_refused_and_nothing_is_written(tmp_path):
    model = potential(CASES["silicon, order 3"]())
    with pytest.raises(FileFormatError, match="too large for LAMMPS"):
        export_yace(model, tmp_path / "large.yace", max_megabytes=0.01)
    assert list(tmp_path.iterdir()) == []


def test_many_elements_stay_within_the_size_limit():
    """Ten elements: radial functions no product uses cost two bytes a coefficient."""
    elements = ["H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br"]
    basis = lace.ACEBasis(elements, 2, [4, 3], cutoff=4.0, repulsion=ZBL())
    assert len(yace_text(to_yace(potential(basis))[0])) < 10e6


def test_a_sparse_potential_makes_a_short_file(tmp_path):
    basis = CASES["silicon, order 3"]()
    coefficients = np.zeros(basis.n_functions)
    coefficients[::10] = 0.3
    sparse = lace.Potential(basis, coefficients, [0.0])
    full = export_yace(potential(basis), tmp_path / "full.yace")
    short = export_yace(sparse, tmp_path / "short.yace")
    assert short.n_products < 0.6 * full.n_products
    assert short.energy_error < 1e-10
