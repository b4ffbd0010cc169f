"""Structures for tests: a rattled copy, and cells that break naive codes."""

import numpy as np
from ase import Atoms


def rattled(atoms, rng, amplitude, strain):
    """A copy, strained and with every atom displaced (standard deviations in Å and relative)."""
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell[:] @ (np.eye(3) + rng.normal(0, strain, (3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
    return atoms


def nasty_structures():
    """Named structures of O and Si that break naive codes."""
    rng = np.random.default_rng(7)
    skewed = [[3.1, 0, 0], [2.9, 2.4, 0], [-1.4, 1.7, 3.3]]
    slab = Atoms(
        "OSiOSi", rng.uniform(0, 3.5, (4, 3)) * [1, 1, 2], cell=[3.6, 3.9, 30], pbc=(True, True, False)
    )
    wire = Atoms(
        "OSiO", [[0, 0, 0], [0.3, 0.2, 1.6], [1.5, 0.1, 0.7]], cell=[0, 0, 2.9], pbc=(False, False, True)
    )
    return {
        "cell smaller than the cutoff": Atoms("Si", cell=[2.2, 2.3, 2.4], pbc=True),
        "skewed": Atoms("OSi", [[0, 0, 0], [1.3, 1.2, 1.1]], cell=skewed, pbc=True),
        "left-handed": Atoms("OSi", [[0, 0, 0], [1.3, 1.2, 1.1]], cell=skewed[::-1], pbc=True),
        "slab": slab,
        "wire without a volume": wire,
        "cluster": Atoms("O2Si2", [[0, 0, 0], [1.6, 0, 0], [0.2, 1.7, 0.1], [0.4, 0.3, 1.8]]),
        "cluster in a box": Atoms("OSi", [[0, 0, 0], [1.6, 0, 0]], cell=[2, 2, 2], pbc=False),
        "one atom": Atoms("O"),
        "atoms far outside the cell": Atoms(
            "OSi", [[-7.0, 9.1, 12.2], [21.0, 0.2, -4.5]], cell=[3.1, 3.3, 3.5], pbc=True
        ),
    }  # fmt: skip
