"""DFT dimers by PySCF: spin states, restart, known energies (skipped without PySCF; H2 takes a second)."""

import json

import numpy as np
import pytest

from lacemaker.datasets.dimers import read_curve
from lacemaker.datasets.dimers_pyscf import compute_dimer, default_distances, spin_states


def test_all_multiplicities_two_atoms_allow():
    assert spin_states((2, 2)) == {"singlet": 0, "triplet": 2, "quintet": 4, "broken-symmetry": 0}
    assert spin_states((2, 1)) == {"doublet": 1, "quartet": 3, "broken-symmetry": 1}
    assert spin_states((0, 0)) == {"singlet": 0}


def test_grids_ascend_to_six_ångström():
    for pair in (("C", "C"), ("Si", "Si"), ("Si", "C")):
        grid = default_distances(*pair)
        assert (np.diff(grid) > 0).all()
        assert grid[-1] == 6.0
        assert len(grid) > 15


def test_hydrogen_dissociates_into_atoms_and_restarts(tmp_path):
    """H2 at 0.74 Å is bound by 4.5 eV in PBE; far apart the restricted singlet is wrong, others reach 0."""
    pytest.importorskip("pyscf")
    cache, lines = tmp_path / "points.json", []
    curve = compute_dimer("H", "H", [5.0, 0.74], basis="def2-svp", cache=cache, progress=lines.append)
    assert curve["r_A"] == [0.74, 5.0]
    assert -4.9 < curve["energy_eV"][0] < -4.0
    assert abs(curve["energy_eV"][1]) < 0.02
    restricted = curve["states_eV"]["singlet"][1]
    assert restricted is None or restricted > 1.0  # far too high where it converges at all
    assert curve["state"][0] in ("singlet", "broken-symmetry")
    assert len(lines) == 2
    stored = cache.read_text()
    assert (
        compute_dimer("H", "H", [0.74, 5.0], basis="def2-svp", cache=cache)["energy_eV"] == curve["energy_eV"]
    )
    assert cache.read_text() == stored
    with pytest.raises(RuntimeError, match="another level of theory"):
        compute_dimer("H", "H", [0.74], basis="sto-3g", cache=cache)
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(curve))
    assert read_curve(path).source == "UKS PBE (singlet: RKS), def2-svp"
