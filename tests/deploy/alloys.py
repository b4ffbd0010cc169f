"""Random structures of oxygen and silicon."""

import numpy as np
from ase import Atoms


def random_alloy(rng, edge, *, skew=0.0, n_cells=1):
    """Rattled simple cubic lattice of O and Si at random in a cell skewed by up to `skew` times its edges."""
    cell = edge * n_cells * (np.eye(3) + rng.uniform(-skew, skew, (3, 3)))
    grid = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3, indexing="ij"), -1).reshape(-1, 3) / n_cells
    atoms = Atoms(rng.choice(["O", "Si"], len(grid)), cell=cell, scaled_positions=grid, pbc=True)
    atoms.positions += rng.normal(0, 0.06 * edge, atoms.positions.shape)
    return atoms
