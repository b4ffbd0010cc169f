"""Data and helpers shared by the tests of the command line."""

import numpy as np


def config_with(folder, old, new):
    """Replace text in a job's configuration."""
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


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
