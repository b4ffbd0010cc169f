"""Scans of real potentials agree with what the potentials are made of."""

import numpy as np
import pytest

from lacemaker.analysis import dimer_curves, error_table, predict, short_md, volume_scans
from lacemaker.analysis.predictions import SinglePoint, nearest_neighbour_distance
from lacemaker.analysis.speed import medians, rattled_silicon, sizes_from
from lacemaker.basis import ZBL, ACEBasis
from lacemaker.basis.repulsion import zbl_energy
from lacemaker.errors import ConfigError
from lacemaker.potential import Potential
from lacemaker.structures import Frame, Frames


@pytest.fixture(scope="module")
def core_only():
    """Nothing but the ZBL core: every coefficient is zero."""
    basis = ACEBasis(["O", "Ti"], 2, [4, 3], cutoff=5.0, repulsion=ZBL(inner=1.0, outer=2.5))
    return Potential(basis, np.zeros(basis.n_functions), [-3.0, -7.0])


@pytest.fixture(scope="module")
def repulsive_silicon():
    """A ZBL core reaching out to 4 Å: any crystal of it is held by its cell alone."""
    basis = ACEBasis("Si", 2, [4, 3], cutoff=5.0, repulsion=ZBL(inner=1.5, outer=4.0))
    return Potential(basis, np.zeros(basis.n_functions), [0.0])


def test_dimer_of_a_core_is_its_formula(core_only):
    curves = {curve.pair: curve for curve in dimer_curves(core_only, n_points=80)}
    assert list(curves) == [("O", "O"), ("O", "Ti"), ("Ti", "Ti")]
    numbers = {"O": 8, "Ti": 22}
    for (a, b), curve in curves.items():
        energy, slope = zbl_energy(curve.r, numbers[a], numbers[b], 1.0, 2.5)
        assert np.allclose(curve.energy, energy, rtol=1e-9, atol=1e-9)
        assert np.allclose(curve.force, -slope, rtol=1e-7, atol=1e-7)
        assert curve.repulsive
        assert curve.minima == ()
        assert curve.r[-1] > core_only.cutoff
        assert curve.energy[-1] == pytest.approx(0.0, abs=1e-12)


def test_scale_of_the_verdicts_is_the_bond_length_of_the_basis(core_only):
    assert nearest_neighbour_distance(core_only, "O", "Ti") == core_only.basis.r0[0][1]
    assert nearest_neighbour_distance(core_only, "Ti", "O") == core_only.basis.r0[1][0]


def test_isolated_atoms_have_the_one_body_energy(core_only):
    single_point = SinglePoint(core_only)
    assert single_point.isolated("O") == pytest.approx(-3.0, abs=1e-12)
    assert single_point.isolated("Ti") == pytest.approx(-7.0, abs=1e-12)


def test_volume_scan_of_a_core_is_a_lattice_sum(repulsive_silicon):
    from ase.build import bulk
    from ase.neighborlist import neighbor_list

    cell = bulk("Si", "fcc", a=3.9)
    (scan,) = volume_scans(repulsive_silicon, {"fcc": cell}, n_points=15)
    for volume, energy in zip(scan.volume, scan.energy, strict=True):
        scaled = cell.copy()
        scaled.set_cell(cell.cell * (volume / cell.get_volume()) ** (1 / 3), scale_atoms=True)
        distances = neighbor_list("d", scaled, 4.0)
        expected = 0.5 * zbl_energy(distances, 14, 14, 1.5, 4.0)[0].sum()
        assert energy == pytest.approx(expected, rel=1e-8, abs=1e-9)
    assert "does not bind" in scan.verdict


def test_default_structures_cover_elements_and_pairs(core_only):
    scans = volume_scans(core_only, n_points=6)
    assert [scan.name for scan in scans] == ["O fcc", "Ti fcc", "OTi rocksalt", "OTi cesiumchloride"]
    assert len(volume_scans(core_only, n_points=6, most=2)) == 2


def test_predictions_follow_the_order_of_the_frames_whatever_the_threads(repulsive_silicon):
    rng = np.random.default_rng(3)
    frames = Frames(
        Frame(np.full(n, 14), rng.uniform(0, 9, (n, 3)), 9 * np.eye(3), np.ones(3, bool), energy=0.0)
        for n in rng.integers(1, 6, 150)
    )
    seen = []
    one = predict(
        repulsive_silicon, frames, n_threads=1, advance=lambda done, total: seen.append((done, total))
    )
    two = predict(repulsive_silicon, frames, n_threads=2)
    assert seen == [(64, 150), (128, 150), (150, 150)]
    assert np.array_equal(one.energy, two.energy)
    for k in (0, 77, 149):
        assert one.energy[k] == repulsive_silicon.predict(frames[k]).energy
    labelled = Frames(
        Frame(f.numbers, f.positions, f.cell, f.pbc, e, g, w)
        for f, e, g, w in zip(frames, one.energy, one.forces, one.virial, strict=True)
    )
    perfect = error_table(repulsive_silicon, labelled).total
    assert perfect.energy_rmse_meV_per_atom == 0.0
    assert perfect.forces_rmse_eV_per_A == 0.0
    assert perfect.stress_rmse_GPa == 0.0
    records = one.records()
    assert records[3]["energy"] == one.energy[3]
    assert set(records[3]) == {"energy", "forces", "virial"}


def test_short_dynamics_conserves_energy_and_momentum(repulsive_silicon):
    from ase.build import bulk

    atoms = bulk("Si", "diamond", a=5.2, cubic=True)
    before = atoms.positions.copy()
    snapshots = []
    summary = short_md(
        repulsive_silicon,
        atoms,
        temperature=100.0,
        n_steps=60,
        timestep=0.5,
        trajectory=lambda a: snapshots.append(a.copy()),
    )
    assert np.array_equal(atoms.positions, before)
    assert summary.survived
    assert abs(summary.drift_meV_per_atom) < 0.1
    assert len(snapshots) == 7
    assert np.allclose(snapshots[-1].get_momenta().sum(axis=0), 0.0, atol=1e-8)
    assert "60 steps of 0.5 fs, 8 atoms from 100 K: stable" in summary.verdict
    assert summary.to_dict()["n_atoms"] == 8


def test_a_run_that_blows_up_is_called_unstable(core_only):
    from ase import Atoms

    dimer = Atoms("O2", positions=[[0, 0, 0], [0, 0, 0.7]], cell=[8, 8, 8], pbc=True)
    summary = short_md(core_only, dimer, temperature=300.0, n_steps=30)
    assert not summary.survived
    assert "UNSTABLE" in summary.verdict


def test_medians_measure_time():
    import time

    cpu, wall = medians(lambda: time.sleep(0.01), 2)
    assert 0.009 < wall < 1.0
    assert cpu < wall


def test_benchmark_structures_have_the_size_asked_for():
    assert [len(rattled_silicon(n).numbers) for n in (8, 64, 500)] == [8, 64, 512]
    assert sizes_from("8, 64,") == [8, 64]
    with pytest.raises(ConfigError, match="write for example 64,512,4096"):
        sizes_from("eight")
