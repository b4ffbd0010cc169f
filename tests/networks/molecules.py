"""Small nasty structures for the networks."""

from types import SimpleNamespace

import numpy as np
import torch

from lacemaker.networks.graphs import Batch, Graph

ORDER = {1: 0, 6: 1, 7: 2, 8: 3}


def structure(numbers, positions, cell=None, pbc=False):
    return SimpleNamespace(
        numbers=np.array(numbers),
        positions=np.array(positions, dtype=float),
        cell=np.zeros((3, 3)) if cell is None else np.array(cell, dtype=float),
        pbc=np.array(np.broadcast_to(pbc, 3)),
    )


def ethanol(seed=0):
    from ase.build import molecule

    atoms = molecule("CH3CH2OH")
    shaken = atoms.positions + np.random.default_rng(seed).normal(0, 0.05, (9, 3))
    return structure(atoms.numbers, shaken)


def small_crystal(seed=1):
    """Three atoms in a skewed cell smaller than the cutoff: atoms interact with their own images."""
    cell = [[3.1, 0, 0], [0.8, 3.3, 0], [-0.4, 0.7, 3.6]]
    fractions = np.array([[0.1, 0.2, 0.1], [0.6, 0.4, 0.55], [1.2, -0.3, 0.8]])
    return structure([6, 8, 7], fractions @ np.array(cell), cell, True)


def graph(s, cutoff=6.0):
    return Graph.of(s, np.array([ORDER[z] for z in s.numbers]), cutoff)


def batch(*structures, cutoff=6.0, dtype=torch.float64):
    return Batch.of([graph(s, cutoff) for s in structures], dtype)
