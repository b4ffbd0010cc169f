"""Small structures and files for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from lacemaker.structures import Frame

DIMER = "Si 0.0 0.0 0.0 0.1 0.2 0.3\nSi 0.0 0.0 2.3 -0.1 -0.2 -0.3\n"
LATTICE = 'Lattice="8 0 0 0 8 0 0 0 8"'


def xyz(path: Path, comment: str, *, forces: str | None = "forces", rows: str = DIMER, n: int = 2) -> Path:
    """Write one frame, by default a silicon dimer in a box, with forces under a name of choice."""
    columns = f":{forces}:R:3" if forces else ""
    if not forces:
        rows = "".join(" ".join(line.split()[:4]) + "\n" for line in rows.splitlines())
    path.write_text(f"{n}\n{LATTICE} Properties=species:S:1:pos:R:3{columns} {comment}\n{rows}")
    return path


def frame(n: int = 2, *, energy: float | None = -1.0, seed: int = 0, symbol: str = "Si", **fields) -> Frame:
    """A frame of n atoms in a box, far enough from each other."""
    rng = np.random.default_rng(seed)
    positions = np.arange(n)[:, None] * [2.3, 0.0, 0.0] + rng.uniform(-0.1, 0.1, (n, 3))
    numbers = Atoms(f"{symbol}{n}").numbers
    fields = {"cell": np.eye(3) * 2.5 * n, "pbc": [True] * 3} | fields
    return Frame(numbers, positions, energy=energy, **fields)


def labelled_copper(strain: float | np.ndarray, *, rattle: float = 0.0, seed: int = 0) -> Atoms:
    """Four strained copper atoms with energy, forces and stress of ASE's effective-medium theory."""
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    rng = np.random.default_rng(seed)
    atoms.positions += rattle * rng.normal(size=(4, 3))
    strain = strain * np.eye(3) if np.ndim(strain) == 0 else np.asarray(strain)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.calc = EMT()
    results = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def brute_force_pairs(x: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> dict[tuple, float]:
    """Every directed pair below a cutoff with its distance, by trying all images that could reach."""
    periodic = cell[pbc]
    reach = np.zeros(3, dtype=int)
    if len(periodic):
        dual = np.linalg.pinv(periodic)  # columns: fractional coordinates along each periodic vector
        reach[pbc] = np.ceil(cutoff * np.linalg.norm(dual, axis=0) + np.ptp(x @ dual, axis=0)) + 1
    images = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), -1).reshape(-1, 3)
    d = np.linalg.norm(x[None, :, None] + (images @ cell)[None, None] - x[:, None, None], axis=3)
    return {
        (int(i), int(j), *map(int, images[s])): float(d[i, j, s])
        for i, j, s in np.argwhere(d < cutoff)
        if i != j or images[s].any()
    }
