"""A small labelled set: rattled copper-aluminium cells with EMT's energies, forces and stresses."""

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

import lacemaker as lace


def alloy(n=24, seed=0, stress=True):
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n):
        atoms = bulk("Cu", "fcc", a=3.7 + 0.2 * rng.random(), cubic=True)
        if k % 2:
            atoms.symbols[rng.integers(4)] = "Al"
        if k % 5 == 0:
            atoms = atoms * (2, 1, 1)
        atoms.rattle(0.08, seed=int(rng.integers(10**6)))
        atoms.calc = EMT()
        energy, forces, sigma = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
        atoms.calc = None
        atoms.info.update(REF_energy=energy, **({"REF_stress": sigma} if stress else {}))
        atoms.new_array("REF_forces", forces)
        frames.append(atoms)
    return frames


def write_atoms(path, atoms):
    from ase.io import write as write_xyz

    write_xyz(path, atoms, format="extxyz")


def write(path, **options):
    write_atoms(path, alloy(**options))


SMALL_NETWORK = {
    "features": 6, "sensitivities": 5, "interactions": 1, "atom_layers": 1, "l_max": 2, "n_max": 3,
    "r_soft_min": 1.5, "r_soft_max": 3.5, "cutoff": 4.0,
}  # fmt: skip


def config(folder, **changes):
    data = {"train": str(folder / "train.xyz"), "test_fraction": 0.2}
    base = {
        "data": data,
        "network": SMALL_NETWORK,
        "e0": "zero",
        "loss": {"virial": 0.1, "energy_per_atom": True, "hierarchy_kind": "batch"},
        "schedule": {
            "learning_rate": 0.01,
            "batch_size": 4,
            "max_batch_size": 8,
            "max_epochs": 6,
            "patience": 1,
        },
        "output": str(folder / "out"),
        "threads": 1,
        "device": "cpu",
    }
    return {**base, **changes}


assert lace.__name__  # the package under test
