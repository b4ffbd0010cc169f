"""The format's description suffices: a reader written from it alone gives the energies of the kernel."""

import lace_reader
import numpy as np
import pytest

import lacemaker as lace
from lacemaker.basis import Agnesi, CoulombEnvelope, Identity, Morse, One, Polynomial, REnvelope


@pytest.fixture
def reread(request, tmp_path):
    potential = request.getfixturevalue(request.param)
    potential.save(tmp_path / "model.lace")
    return potential, lace_reader.read(tmp_path / "model.lace")


@pytest.mark.parametrize("reread", ["rough"], indirect=True)
def test_second_reader_gives_the_kernels_site_energies(reread, nasty):
    potential, (_, arrays) = reread
    near = nasty.copy()
    near.wrap()  # the reader looks only at the nearest images
    expected = lace_reader.site_energies(arrays, near.numbers, near.positions, near.cell[:], near.pbc)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(potential.predict(nasty).energies, expected, rtol=0, atol=1e-11 * scale)


RADIALS = {
    "polynomial, one": {"transform": Polynomial(2), "envelope": One()},
    "identity, r": {"transform": Identity(), "envelope": REnvelope(2)},
    "Morse, Coulomb": {"transform": Morse(1.5), "envelope": CoulombEnvelope()},
    "Agnesi (2, 2), rin": {"transform": Agnesi(2, 2), "rin": 0.6},
    "per pair": {
        "cutoff": {"Si-Si": 4.2, "O-Si": 3.4, "O-O": 2.9},
        "r0": {"Si-Si": 2.4, "O-Si": 1.6, "O-O": 1.4},
    },
}


@pytest.mark.parametrize("options", RADIALS.values(), ids=RADIALS.keys())
def test_every_documented_radial_function(options, tmp_path):
    basis = lace.ACEBasis(["O", "Si"], 2, 5, **({"cutoff": 4.0} | options))
    potential = lace.Potential(basis, np.random.default_rng(1).normal(size=basis.n_functions), [-1.0, 2.0])
    potential.save(tmp_path / "model.lace")
    _, arrays = lace_reader.read(tmp_path / "model.lace")
    positions = np.random.default_rng(2).uniform(0, 4, (4, 3))
    atoms = lace_reader_atoms(positions)
    expected = lace_reader.site_energies(arrays, atoms.numbers, positions, atoms.cell[:], atoms.pbc)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(potential.predict(atoms).energies, expected, rtol=0, atol=1e-11 * scale)


def lace_reader_atoms(positions):
    from ase import Atoms

    return Atoms("OSiSiO", positions, cell=np.diag([4.5, 4.7, 4.9]), pbc=True)


@pytest.mark.parametrize("reread", ["rough"], indirect=True)
def test_functions_carry_their_quantum_numbers(reread):
    potential, (_, a) = reread
    columns = potential.basis.columns
    for k in (0, 1, len(columns) // 2, len(columns) - 1):
        channels = a["column_channels"][a["column_first"][k] : a["column_first"][k + 1]]
        assert sorted(map(tuple, channels.tolist())) == sorted(columns[k].channels)
        assert a["column_centre"][k] == columns[k].centre
        assert ["many-body", "pair"][a["column_kind"][k]] == columns[k].kind
    assert len(a["coefficients"]) == len(columns)


@pytest.mark.parametrize("reread", ["silicon"], indirect=True)
def test_header_says_what_a_person_wants_to_know(reread):
    _, (header, arrays) = reread
    assert header["format"] == "lacemaker potential"
    assert header["units"] == {"energy": "eV", "length": "Å"}
    assert header["metadata"]["licence"] == "CC0-1.0"
    assert "lacemaker" in header["metadata"]["versions"]
    assert arrays["elements"].tolist() == [14]
