"""LAMMPS with pair style lace gives what the ASE calculator gives."""

import numpy as np
import pytest
from lammps_engine import voigt_to_matrix

import lacemaker as lace

NAMES = ["tiny cell", "small skewed", "large", "large skewed", "slab", "cluster", "one atom"]
ENERGY, FORCE = 1e-10, 1e-9  # eV/atom, eV/Å


def assert_same(result, prediction, n_atoms):
    """The promise of the pair style: 1e-10 eV per atom, 1e-9 eV/Å; virials to 1e-9 eV per atom."""
    assert abs(result.energy - prediction.energy) < ENERGY * n_atoms
    np.testing.assert_allclose(result.energies, prediction.energies, rtol=0, atol=ENERGY)
    np.testing.assert_allclose(result.forces, prediction.forces, rtol=0, atol=FORCE)
    virial = voigt_to_matrix(prediction.virial)
    np.testing.assert_allclose(result.virial, virial, rtol=1e-9, atol=1e-9 * n_atoms)


def pair_commands(path, elements="Si O", options=""):
    """Types in the order Si, O: not that of the potential, which is O, Si."""
    return f"pair_style lace {options}\npair_coeff * * {path} {elements}"


@pytest.mark.parametrize("name", NAMES)
def test_energy_forces_virial_agree_with_ase(engine, rough, rough_file, structures, name):
    atoms = structures[name]
    prediction = rough.predict(atoms)
    fast = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"], per_atom=False)
    assert_same(fast, prediction, len(atoms))
    slow = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"])
    assert_same(slow, prediction, len(atoms))


def test_purified_potentials(engine, structures, tmp_path):
    basis = lace.ACEBasis(["O", "Si"], 4, [6, 5, 5, 6], cutoff=3.8, level_rule="ace1").purified()
    values = 0.2 * np.random.default_rng(4).normal(size=basis.n_functions)
    potential = lace.Potential(basis, values, [-1.25, -2.5])
    potential.save(tmp_path / "pure.lace")
    for name in ("small skewed", "cluster"):
        found = engine.evaluate(structures[name], pair_commands(tmp_path / "pure.lace"), ["Si", "O"])
        assert_same(found, potential.predict(structures[name]), len(structures[name]))


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("name", ["tiny cell", "large skewed", "slab", "one atom"])
def test_any_number_of_ranks(engine, rough, rough_file, structures, name, ranks):
    atoms = structures[name]
    result = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"], ranks=ranks)
    assert_same(result, rough.predict(atoms), len(atoms))


def test_ranks_without_atoms(engine, rough, rough_file, structures):
    atoms = structures["cluster"].copy()
    atoms.set_cell([60, 20, 20])
    before = "processors 4 1 1"  # atoms fill a twelfth of the box
    result = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"], ranks=4, before=before)
    assert_same(result, rough.predict(atoms), len(atoms))


@pytest.mark.parametrize("skin", [0.0, 0.3, 4.0])
def test_the_skin_does_not_matter(engine, rough, rough_file, structures, skin):
    atoms = structures["small skewed"]
    result = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"], skin=skin, per_atom=False)
    assert_same(result, rough.predict(atoms), len(atoms))


def test_every_instruction_set_is_in_the_plugin(engine, rough, rough_file, structures):
    from lacemaker import _core

    atoms = structures["small skewed"]
    for isa in _core.isas():
        pair = pair_commands(rough_file, options=f"isa {isa}")
        assert_same(engine.evaluate(atoms, pair, ["Si", "O"]), rough.predict(atoms), len(atoms))


def test_atom_virials_sum_to_the_virial(engine, rough, rough_file, structures):
    atoms = structures["large skewed"]
    result = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"])
    for virials in (result.atom_virials, result.centroid_virials):
        np.testing.assert_allclose(virials.sum(axis=0), result.virial, rtol=1e-9, atol=1e-9 * len(atoms))


@pytest.mark.parametrize("ranks", [2, 4])
def test_atom_virials_do_not_depend_on_ranks(engine, rough_file, structures, ranks):
    one, many = (
        engine.evaluate(structures["large skewed"], pair_commands(rough_file), ["Si", "O"], ranks=n)
        for n in (1, ranks)
    )
    np.testing.assert_allclose(many.atom_virials, one.atom_virials, rtol=0, atol=1e-9)
    np.testing.assert_allclose(many.centroid_virials, one.centroid_virials, rtol=0, atol=1e-9)


def test_atom_virials_follow_from_the_site_energies(engine, rough, rough_file, structures):
    """With d = x_j - x_i, f = -dE_i/dx_j by central differences: centroid W_j = sum_i d ⊗ f, that of the heat
    flux; stress/atom gives half of each d ⊗ f, made symmetric, to i and to j. A cluster has no images.

    Fan et al., Phys. Rev. B 92, 094301 (2015), eqs 20 and 21.
    """
    atoms, step = structures["cluster"], 1e-4
    n = len(atoms)
    force = np.zeros((n, n, 3))  # of site i on atom j
    for j in range(n):
        for b in range(3):
            energies = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[j, b] += sign * step
                energies.append(rough.predict(moved, forces=False).energies)
            force[:, j, b] = -(energies[0] - energies[1]) / (2 * step)
    d = atoms.positions[None, :] - atoms.positions[:, None]
    pairs = np.einsum("ija,ijb->ijab", d, force)
    halves = 0.5 * (pairs.sum(axis=0) + pairs.sum(axis=1))
    result = engine.evaluate(atoms, pair_commands(rough_file), ["Si", "O"])
    np.testing.assert_allclose(result.centroid_virials, pairs.sum(axis=0), rtol=1e-5, atol=1e-5)
    symmetric = 0.5 * (halves + halves.transpose(0, 2, 1))
    np.testing.assert_allclose(result.atom_virials, symmetric, rtol=1e-5, atol=1e-5)


def test_released_files_stay_readable(engine, shared_release):
    path, atoms, energies = shared_release
    result = engine.evaluate(atoms, pair_commands(path, "O Si"), ["O", "Si"], per_atom=False)
    np.testing.assert_allclose(result.energies, energies, rtol=0, atol=1e-9)


@pytest.fixture(params=["0.1.0"])
def shared_release(request):
    """A potential as a released version wrote it, with energies of an independent reader."""
    import json
    from pathlib import Path

    from ase import Atoms

    path = Path(__file__).parents[1] / "potential" / "released" / f"{request.param}.lace"
    expected = json.loads(path.with_suffix(".json").read_text())
    atoms = Atoms(
        *(expected[key] for key in ("numbers", "positions")), cell=expected["cell"], pbc=expected["pbc"]
    )
    return path.resolve(), atoms, np.array(expected["energies"])


def test_odd_headers_extra_arrays_and_empty_parts_are_read(engine, rough, structures):
    """Escapes and other scripts in the provenance, arrays of the future, and a potential of bare atoms."""
    atoms, path = structures["small skewed"], engine.folder / "odd.lace"
    odd = rough.with_metadata(citation='"\\ Å 硅 🙂 \n\t/', data={"sha256": "f" * 64, "version": 3})
    odd.with_extras(committee=np.ones((3, 2)), flags=np.zeros(0, dtype=np.int32)).save(path)
    result = engine.evaluate(atoms, pair_commands(path), ["Si", "O"], per_atom=False)
    assert_same(result, rough.predict(atoms), len(atoms))
    bare = lace.Potential(rough.basis, np.zeros(rough.basis.n_functions), rough.e0)
    bare.save(path)
    result = engine.evaluate(atoms, pair_commands(path), ["Si", "O"])
    assert_same(result, bare.predict(atoms), len(atoms))


def test_python_calculator_and_lammps_share_the_file(rough_file, rough, structures):
    atoms = structures["small skewed"].copy()
    atoms.calc = lace.Calculator(rough_file)
    assert abs(atoms.get_potential_energy() - rough.predict(atoms).energy) < ENERGY
