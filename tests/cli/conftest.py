"""Small data sets labelled by a Lennard-Jones solid, and a configuration that fits them in a second."""

from pathlib import Path

import numpy as np
import pytest


def labelled(atoms, config_type):
    """Label with Lennard-Jones energies, forces and, where periodic, stresses."""
    from ase.calculators.lj import LennardJones

    atoms = atoms.copy()
    atoms.calc = LennardJones(sigma=2.1, epsilon=1.0, rc=6.0, smooth=True)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    stress = atoms.get_stress() if atoms.pbc.all() else None
    atoms.calc = None
    atoms.info = {"REF_energy": energy, "config_type": config_type}
    if stress is not None:
        atoms.info["REF_stress"] = stress
    atoms.arrays["REF_forces"] = forces
    return atoms


def silicon_set(seed, per_group=8):
    """Compressed, hot and face-centred cells of "silicon", a few dimers and one atom alone."""
    from ase import Atoms
    from ase.build import bulk

    rng = np.random.default_rng(seed)
    cells = {
        "diamond": bulk("Si", "diamond", a=5.2, cubic=True),
        "fcc": bulk("Si", "fcc", a=3.3, cubic=True).repeat((2, 1, 1)),
        "bcc": bulk("Si", "bcc", a=2.7, cubic=True).repeat((2, 2, 1)),
    }
    frames = []
    for name, cell in cells.items():
        for _ in range(per_group):
            atoms = cell.copy()
            atoms.set_cell(atoms.cell * rng.uniform(0.97, 1.06), scale_atoms=True)
            atoms.rattle(0.06, rng=rng)
            frames.append(labelled(atoms, name))
    for r in rng.uniform(2.1, 3.5, 3):
        frames.append(labelled(Atoms("Si2", positions=[[0, 0, 0], [0, 0, r]]), "dimer"))
    return frames


CONFIG = """\
data: {train: train.xyz, test: test.xyz}
basis: {correlation_order: 3, max_degree: [8, 6, 4], cutoff: 5.0}
output: out
threads: 1
"""


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    """A folder with train.xyz, test.xyz and config.yaml; not to be written to."""
    from ase.io import write

    folder = tmp_path_factory.mktemp("data")
    write(folder / "train.xyz", silicon_set(0))
    write(folder / "test.xyz", silicon_set(1, per_group=3))
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def fitted(data_folder, tmp_path_factory) -> Path:
    """The folder of a finished fit; not to be written to."""
    from lacemaker.cli import main

    folder = tmp_path_factory.mktemp("fit") / "out"
    assert main(["fit", str(data_folder / "config.yaml"), "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def job(data_folder, tmp_path) -> Path:
    """A private copy of data and configuration."""
    for name in ("train.xyz", "test.xyz", "config.yaml"):
        (tmp_path / name).write_bytes((data_folder / name).read_bytes())
    return tmp_path
