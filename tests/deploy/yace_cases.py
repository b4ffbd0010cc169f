"""Random ``.yace`` models of every kind, structures, and the independent reader."""

import importlib.util
from pathlib import Path

import numpy as np
from ase import Atoms

from lacemaker.deploy.yace import Bond, Embedding, Terms, YaceModel

_ORACLE = Path(__file__).parents[1] / "oracles" / "yace_reader.py"


def oracle():
    """The module tests/oracles/yace_reader.py."""
    spec = importlib.util.spec_from_file_location("yace_reader", _ORACLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def linear(n=1):
    return Embedding("FinnisSinclair", np.ones(n), np.ones(n))


def random_model(
    rng, *, families=("ChebPow",), embedding=None, inner="distance", core=(40.0, 1.5), density=1
):
    """Two elements, ranks 1 to 4, every ordered bond with its own family, cutoff and coefficients."""
    bonds = {}
    for k, pair in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        bonds[pair] = Bond(
            families[k % len(families)], 1.0 + 0.7 * k, 3.6 + 0.1 * k, 0.6, rng.normal(size=(3, 3, 5)) * 0.4,
            *core, 1.7 if inner != "density" else 0.0, 0.5, inner,
        )  # fmt: skip
    embedding = embedding or linear(density)
    terms = tuple(_random_terms(rng, len(embedding.weights)) for _ in range(2))
    return YaceModel(("O", "Si"), rng.normal(size=2), (embedding,) * 2, bonds, terms)


def _random_terms(rng, density):
    singles = np.array([[[mu, n, 0, 0]] for mu in (0, 1) for n in range(1, 6)])
    found = [Terms(singles, rng.normal(size=(len(singles), density)))]
    for rank in (2, 3, 4):
        factors = np.zeros((12, rank, 4), dtype=np.int64)
        factors[:, :, 0] = rng.integers(0, 2, (12, rank))
        factors[:, :, 1] = rng.integers(1, 4, (12, rank))
        factors[:, :, 2] = rng.integers(1, 3, (12, rank))
        for row in factors:
            while True:
                row[:, 3] = [rng.integers(-ell, ell + 1) for ell in row[:, 2]]
                if row[:, 3].sum() == 0:
                    break
        found.append(Terms(factors, 0.05 * rng.normal(size=(12, density))))
    return tuple(found)


def structure(rng, edge=2.1, n=2, symbols=("O", "Si")):
    """A rattled, skewed cell of n³ atoms."""
    cell = n * edge * (np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3)))
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3) / n
    atoms = Atoms(rng.choice(symbols, len(grid)), cell=cell, scaled_positions=grid, pbc=True)
    atoms.positions += rng.normal(0, 0.07 * edge, atoms.positions.shape)
    return atoms


def two_atoms(rng, symbols=("O", "Si")):
    """A small skewed periodic cell: every atom sees many images."""
    cell = 2.9 * np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))
    return Atoms(symbols, [[0, 0, 0], [1.4, 1.5, 1.3]], cell=cell, pbc=True)
