"""Rattled copper-gold crystals labelled by effective-medium theory."""

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

import lacemaker as lace


def made(count, seed, amplitude=0.12):
    """Rattled, strained copper-gold crystals with EMT labels."""
    rng = np.random.default_rng(seed)
    atoms_list = []
    for _ in range(count):
        atoms = bulk("Cu", a=3.85, cubic=True)
        atoms.numbers = np.where(rng.random(len(atoms)) < 0.5, 29, 79)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
        atoms.calc = EMT()
        atoms.get_potential_energy(), atoms.get_forces()
        atoms_list.append(atoms)
    return lace.read(atoms_list)
