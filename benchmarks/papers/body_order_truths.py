"""Classical silicons of known body order, structures to label with them, and fits that must or cannot follow.

Stillinger-Weber is exactly three-body; Kumagai's bond-order potential holds every body order. Data sets: *bulk*
(rattled diamond), *diverse* (diamond, simple cubic, bcc, fcc and random packings, strained and rattled) and
*clusters* of given sizes. No set but the clusters has a dimer.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.build import bulk as crystal

import lacemaker as lace
from lacemaker.analysis.clusters import cluster
from lacemaker.regression import QR, BodyOrder, TriangularSystem
from lacemaker.structures import Frames

BOND = 2.35  # Å
CONSTANTS = {"diamond": 5.43, "sc": 2.55, "bcc": 3.10, "fcc": 3.90}  # Å, near their minima in Si
WINDOW = (2.0, 3.7)  # Å: where pair curves are compared
WEIGHTS = {"default": {"energy": 10.0, "forces": 1.0, "virial": 0.0}}
CLOSEST = 1.9  # Å: no structure has atoms nearer than that
TRUTHS = ("Stillinger-Weber", "Kumagai")


class DimerError(NamedTuple):
    """A fit's pair interaction against the truth."""

    rmse: float  # eV over WINDOW
    depth: float  # eV
    r_e: float  # Å


def calculator(truth: str) -> Any:
    """The matscipy calculator of a truth."""
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import Kumagai, StillingerWeber
    from matscipy.calculators.manybody.explicit_forms.kumagai import Kumagai_Comp_Mat_Sci_39_Si
    from matscipy.calculators.manybody.explicit_forms.stillinger_weber import Stillinger_Weber_PRB_31_5262_Si

    if truth == "Stillinger-Weber":
        return Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))
    return Manybody(**Kumagai(Kumagai_Comp_Mat_Sci_39_Si))


def rattled(lattice: str, rng: np.random.Generator, strain: float, amplitude: float) -> Atoms:
    """Eight or so atoms of a lattice, scaled by up to `strain`, sheared and rattled (Å)."""
    start = crystal("Si", lattice, a=CONSTANTS[lattice], cubic=True)
    start = start if len(start) >= 4 else start.repeat(2)
    while True:
        atoms = start.copy()
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.03, (3, 3))), scale_atoms=True)
        atoms.set_cell(atoms.cell.array * (1 + rng.uniform(-strain, 1.6 * strain)), scale_atoms=True)
        atoms.positions += rng.normal(0, rng.uniform(0, amplitude), atoms.positions.shape)
        if nearest(atoms) > CLOSEST:
            return atoms


def nearest(atoms: Atoms) -> float:
    """Shortest distance (Å), images included."""
    from ase.neighborlist import neighbor_list

    return float(min(neighbor_list("d", atoms, 3.5), default=np.inf))


def random_packing(rng: np.random.Generator) -> Atoms:
    """Six to ten atoms in a skewed box."""
    while True:
        n = int(rng.integers(6, 11))
        volume = n * rng.uniform(15.0, 45.0)  # Å^3
        cell = volume ** (1 / 3) * (np.eye(3) + rng.normal(0, 0.1, (3, 3)))
        atoms = Atoms("Si", positions=[[0, 0, 0]], cell=cell, pbc=True)
        for _ in range(400):
            trial = atoms + Atoms("Si", positions=[rng.random(3) @ cell])
            if nearest(trial) > CLOSEST:
                atoms = trial
            if len(atoms) == n:
                return atoms


def bulk_set(n: int, seed: int = 0) -> list[Atoms]:
    """Rattled diamond."""
    rng = np.random.default_rng(seed)
    return [rattled("diamond", rng, 0.08, 0.25) for _ in range(n)]


def diverse_set(n: int, seed: int = 1) -> list[Atoms]:
    """Half crystals of four lattices, half random packings."""
    rng = np.random.default_rng(seed)
    lattices = list(CONSTANTS)
    return [rattled(lattices[k // 2 % 4], rng, 0.12, 0.3) if k % 2 else random_packing(rng) for k in range(n)]


def cluster_set(sizes: Sequence[int], n: int, seed: int = 2) -> list[Atoms]:
    """`n` random clusters of each size in a large box."""
    rng = np.random.default_rng(seed)
    found = []
    for size in sizes:
        for _ in range(n):
            points = cluster("random", size, rng.uniform(1.9, 3.4), int(rng.integers(2**31)))
            found.append(Atoms(["Si"] * size, positions=points + 15.0, cell=np.full(3, 30.0), pbc=False))
    return found


def labelled(structures: Sequence[Atoms], truth: Any, config_type: str) -> Frames:
    """Frames with the energies and forces of a calculator."""
    done = []
    for atoms in structures:
        copied = atoms.copy()
        copied.calc = truth
        energy, forces = copied.get_potential_energy(), copied.get_forces()
        copied.calc = None
        copied.info.update(REF_energy=float(energy), config_type=config_type)
        copied.arrays["REF_forces"] = forces
        done.append(copied)
    return lace.read(done)


def basis_of(bodies: int, degrees: Sequence[int] = (12, 16)) -> lace.ACEBasis:
    """A basis of two or three bodies without a separate pair block, as far as Stillinger-Weber reaches."""
    return lace.ACEBasis("Si", bodies - 1, list(degrees[: bodies - 1]), cutoff=4.0, r0=BOND, pair=None)


def ridge_fit(system: TriangularSystem, relative: float, bodies: int | None = None) -> Any:
    """Ridge regression without a prior, λ = `relative` · largest singular value of the weighted rows."""
    low = system if bodies is None else BodyOrder(bodies).restrict(system)
    rows = low.weighted().array[:, len(low.elements) : -1]
    return lace.solve(low, solver=QR(ridge=relative * float(np.linalg.norm(rows, 2))), prior=None, e0="zero")


def dimer_error(potential: Any, truth: Any) -> DimerError:
    """Pair interaction of a fit (or calculator) against the truth."""
    from lacemaker.analysis.body_expansion import pair_curves
    from lacemaker.analysis.diatomics import pair_sanity

    fine = np.linspace(WINDOW[0] - 0.3, 4.1, 240)
    curves = [
        pair_curves(model, [("Si", "Si")], grid=lambda a, b: fine, bond=lambda a, b: BOND)[0]
        for model in (potential, truth)
    ]
    inside = (fine >= WINDOW[0]) & (fine <= WINDOW[1])
    difference = curves[0].energy - curves[1].energy
    sanity = pair_sanity(curves[0])
    lowest = int(np.argmin(np.where(inside, curves[0].energy, np.inf)))
    depth = sanity.depth if sanity.depth is not None else float(curves[0].energy[lowest])
    r_e = sanity.r_e if sanity.r_e is not None else float(fine[lowest])
    return DimerError(float(np.sqrt(np.mean(difference[inside] ** 2))), depth, r_e)


def energy_rmse(potential: Any, frames: Frames) -> float:
    """meV/atom."""
    errors = [(potential.predict(f).energy - f.energy) / len(f.numbers) for f in frames]
    return 1e3 * float(np.sqrt(np.mean(np.square(errors))))
