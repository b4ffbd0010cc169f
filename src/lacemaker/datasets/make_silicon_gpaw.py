"""Make the bundled silicon data set: structures, GPAW labels, one compressed file.

Runs where GPAW (22.8 or later, plane-wave mode) and its PAW setups are installed; lacemaker
itself never imports this file. Three steps, each restartable:

    python make_silicon_gpaw.py structures WORK     # seeded structures  -> WORK/queue.xyz
    python make_silicon_gpaw.py label WORK          # GPAW, appends to   -> WORK/labelled.xyz
    python make_silicon_gpaw.py pack WORK OUT.xz    # checks, sorts, compresses

Molecular dynamics for the disordered cells uses the Stillinger-Weber potential below: it only
proposes positions; every label is DFT.
"""

from __future__ import annotations

import argparse
import io
import lzma
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk, diamond100, diamond111
from ase.calculators.calculator import Calculator, all_changes
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.neighborlist import neighbor_list
from ase.optimize import FIRE

LATTICE_CONSTANT = 5.47  # Å, PBE diamond silicon
VOLUME = LATTICE_CONSTANT**3 / 8  # Å³ per atom
PLANE_WAVE_CUTOFF = 250.0  # eV
K_SPACING = {"gapped": 0.32, "metallic": 0.24}  # 1/Å, 2π included
K_SPACING_SMALL = {1: 0.16, 2: 0.20}  # cells of one and two atoms
SMEARING = 0.1  # eV, Fermi-Dirac
MOLECULE_SMEARING = 0.01  # eV: whole electrons, degenerate levels do not flip
CLOSEST_APPROACH = 1.75  # Å, frames (dimers aside) with shorter bonds are not proposed


# --------------------------------------------------------------------------------------
# A classical silicon to propose positions


class StillingerWeber(Calculator):
    """Stillinger-Weber silicon, Phys. Rev. B 31, 5262 (1985); energy and forces."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012
    epsilon, sigma, reach = 2.1683, 2.0951, 1.80  # eV, Å, cutoff in units of sigma
    A, B, strength, gamma = 7.049556277, 0.6022245584, 21.0, 1.20

    def calculate(
        self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        # 1e-3 σ inside the cutoff every term has vanished below 1e-300
        i, j, r, vectors = neighbor_list("ijdD", self.atoms, (self.reach - 1e-3) * self.sigma)
        pair_energy, pair_gradient = self._pairs(r, vectors)
        triplet_energy, triplet_gradient = self._triplets(i, r, vectors)
        gradient = pair_gradient + triplet_gradient  # (n_pairs, 3) dE/d(r_j - r_i)
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, i, gradient)
        np.add.at(forces, j, -gradient)
        self.results = {"energy": pair_energy + triplet_energy, "forces": forces}

    def _pairs(self, r: np.ndarray, vectors: np.ndarray) -> tuple[float, np.ndarray]:
        x = r / self.sigma
        well = self.A * self.epsilon * (self.B * x**-4 - 1.0)
        slope = -4.0 * self.A * self.epsilon * self.B * x**-5
        fade = np.exp(1.0 / (x - self.reach))
        derivative = (slope - well / (x - self.reach) ** 2) * fade / self.sigma
        return 0.5 * float(well @ fade), 0.5 * (derivative / r)[:, None] * vectors

    def _triplets(self, i: np.ndarray, r: np.ndarray, vectors: np.ndarray) -> tuple[float, np.ndarray]:
        later = np.searchsorted(i, i, side="right") - np.arange(len(i)) - 1  # i is sorted
        p = np.repeat(np.arange(len(i)), later)
        q = p + 1 + np.arange(len(p)) - np.repeat(np.cumsum(later) - later, later)
        x = r / self.sigma
        fade = np.exp(self.gamma / (x - self.reach))
        fade_slope = -self.gamma / (x - self.reach) ** 2 * fade / self.sigma
        unit = vectors / r[:, None]
        cosine = np.einsum("ij,ij->i", unit[p], unit[q])
        bend = cosine + 1.0 / 3.0
        scale = self.epsilon * self.strength
        gradient = np.zeros_like(vectors)
        for a, b in ((p, q), (q, p)):
            radial = scale * bend**2 * fade_slope[a] * fade[b]
            angular = 2.0 * scale * bend * fade[a] * fade[b] / r[a]
            turn = unit[b] - cosine[:, None] * unit[a]
            np.add.at(gradient, a, radial[:, None] * unit[a] + angular[:, None] * turn)
        return float(scale * np.sum(bend**2 * fade[p] * fade[q])), gradient


def run_dynamics(
    atoms: Atoms, temperature: float, steps: int, rng: np.random.Generator, every: int = 0
) -> list[Atoms]:
    """Langevin dynamics (1 fs) in place; copies every `every` steps, else the last one only."""
    atoms.calc = StillingerWeber()
    dynamics = Langevin(atoms, 1.0 * units.fs, temperature_K=temperature, friction=0.02, fixcm=False, rng=rng)
    kept: list[Atoms] = []
    for _ in range(steps // every if every else 1):
        dynamics.run(every or steps)
        kept.append(Atoms("Si" * len(atoms), atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
    return kept


def settle(atoms: Atoms, steps: int) -> Atoms:
    """Walk downhill under Stillinger-Weber, in place."""
    atoms.calc = StillingerWeber()
    FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.1, steps=steps)
    return atoms


# --------------------------------------------------------------------------------------
# Structures: each function yields (family, atoms); relatives share a family


@dataclass(frozen=True)
class Proposal:
    """One structure to label; `family` names its relatives, which share one side of the split."""

    config_type: str
    family: str
    atoms: Atoms


Structures = Iterator[tuple[str, Atoms]]


def scaled(atoms: Atoms, volume_per_atom: float) -> Atoms:
    """Copy at another volume per atom (Å³), fractional positions kept."""
    atoms = atoms.copy()
    factor = (volume_per_atom * len(atoms) / atoms.get_volume()) ** (1 / 3)
    atoms.set_cell(atoms.cell * factor, scale_atoms=True)
    return atoms


def displaced(atoms: Atoms, amplitude: float, rng: np.random.Generator, strain: float = 0.0) -> Atoms:
    """Copy with Gaussian displacements (Å) and, on request, a random symmetric strain."""
    atoms = atoms.copy()
    noise = rng.normal(scale=strain, size=(3, 3)) if strain else np.zeros((3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.5 * (noise + noise.T)), scale_atoms=True)
    atoms.positions += rng.normal(scale=amplitude, size=(len(atoms), 3))
    return atoms


def crystal(repeat: tuple[int, int, int] = (1, 1, 1), volume: float = 1.0) -> Atoms:
    """Conventional diamond cells at `volume` times the equilibrium volume."""
    cell = bulk("Si", "diamond", a=LATTICE_CONSTANT * volume ** (1 / 3), cubic=True)
    return cell.repeat(repeat)


def diamond(rng: np.random.Generator) -> Structures:
    for family, volumes in {
        "volumes": (0.75, 0.80, 0.85, 0.90, 0.94, 0.98, 1.00, 1.02, 1.06, 1.10, 1.22, 1.35),
        "volumes_between": (0.88, 0.96, 1.04, 1.16),
    }.items():
        for volume in volumes:
            yield family, scaled(bulk("Si", "diamond", a=LATTICE_CONSTANT), volume * VOLUME)


def strained(rng: np.random.Generator) -> Structures:
    modes = {
        "uniaxial": np.diag([1.0, 0.0, 0.0]),
        "orthorhombic": np.diag([1.0, -1.0, 0.0]),
        "shear": np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0.0]]),
        "trigonal": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]]),
    }
    for name, mode in modes.items():
        for size in (-0.08, -0.03, 0.03, 0.08):
            atoms = bulk("Si", "diamond", a=LATTICE_CONSTANT)
            atoms.set_cell(atoms.cell @ (np.eye(3) + size * mode), scale_atoms=True)
            yield name, atoms
    for volume in (0.85, 1.0, 1.15):
        for _ in range(2):
            yield f"random_v{volume}", displaced(crystal(volume=volume), 0.02, rng, strain=0.05)


def rattled(rng: np.random.Generator) -> Structures:
    for amplitude in (0.05, 0.10, 0.18, 0.28):
        for volume in (0.90, 1.0, 1.12):
            for _ in range(2):
                yield f"n8_a{amplitude}_v{volume}", displaced(crystal(volume=volume), amplitude, rng)
    for amplitude in (0.08, 0.20):
        for _ in range(3):
            yield f"n16_a{amplitude}", displaced(crystal((2, 1, 1)), amplitude, rng, strain=0.02)


def md(rng: np.random.Generator) -> Structures:
    for repeat, count in (((1, 1, 1), 2), ((2, 1, 1), 1), ((2, 2, 1), 1)):
        for temperature in (300, 900, 1500):
            for volume in (1.0,) if repeat[1] == 2 else (0.93, 1.02):
                atoms = crystal(repeat, volume)
                MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
                run_dynamics(atoms, temperature, 300, rng)
                frames = run_dynamics(atoms, temperature, 200 * count, rng, every=200)
                yield from ((f"n{len(atoms)}_T{temperature}_v{volume}", a) for a in frames)
    atoms = crystal((2, 2, 2), 1.01)
    yield "n64_T900", run_dynamics(atoms, 900, 600, rng)[-1]


def random_packing(n_atoms: int, volume: float, rng: np.random.Generator) -> Atoms:
    """Random positions in a cubic cell, no two closer than 1.9 Å, then a short walk downhill."""
    cell = np.eye(3) * (n_atoms * volume * VOLUME) ** (1 / 3)
    atoms = Atoms(cell=cell, pbc=True)
    while len(atoms) < n_atoms:
        trial = atoms + Atoms("Si", positions=[rng.random(3) @ cell])
        if len(trial) == 1 or trial.get_all_distances(mic=True)[-1, :-1].min() > 1.9:
            atoms = trial
    return settle(atoms, 20)


def liquid(rng: np.random.Generator) -> Structures:
    for temperature in (1800, 2500, 4000):
        for n_atoms, volume in ((8, 0.80), (8, 0.92), (8, 1.05), (16, 0.92), (16, 1.02)):
            atoms = random_packing(n_atoms, volume, rng)
            run_dynamics(atoms, temperature, 400, rng)
            for frame in run_dynamics(atoms, temperature, 3200 // n_atoms, rng, every=200):
                yield f"n{n_atoms}_T{temperature}_v{volume}", frame
    for seed in range(2):
        atoms = random_packing(32, 1.02, rng)
        yield f"n32_{seed}", run_dynamics(atoms, 2000, 600, rng)[-1]


def amorphous(rng: np.random.Generator) -> Structures:
    for seed, (n_atoms, volume) in enumerate(((16, 1.0), (8, 1.0), (16, 0.96), (8, 1.06), (32, 1.02))):
        atoms = random_packing(n_atoms, volume, rng)
        for temperature in (2500, 1800, 1400, 1000, 600):
            run_dynamics(atoms, temperature, 500, rng)
        family = f"n{n_atoms}_{seed}"
        yield family, run_dynamics(atoms, 600, 100, rng)[-1]
        if n_atoms < 32:
            yield family, run_dynamics(atoms, 300, 300, rng)[-1]


def vacancy(rng: np.random.Generator) -> Structures:
    for repeat, n_frames in (((2, 1, 1), 2), ((2, 2, 1), 1)):
        for temperature in (100, 600, 1200)[: 3 if n_frames == 2 else 2]:
            atoms = crystal(repeat)
            del atoms[0]
            settle(atoms, 30)
            for frame in run_dynamics(atoms, temperature, 200 * n_frames, rng, every=200):
                yield f"n{len(atoms)}_T{temperature}", frame
    atoms = crystal((2, 1, 1))
    del atoms[0]
    yield "n15_unrelaxed", atoms
    yield "n15_unrelaxed", displaced(scaled(atoms, 1.06 * VOLUME), 0.1, rng)


def with_interstitial(kind: str, repeat: tuple[int, int, int]) -> Atoms:
    """Diamond plus one atom at the tetrahedral or hexagonal site, or a <110> split pair."""
    atoms = crystal(repeat)
    a = LATTICE_CONSTANT
    if kind == "split":
        half = 0.23 * a * np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
        lift = np.array([0.0, 0.0, 0.15 * a])
        atoms += Atoms("Si", positions=[atoms.positions[1] + lift + half])
        atoms.positions[1] += lift - half
        return atoms
    site = {"tetrahedral": [0.5, 0.5, 0.5], "hexagonal": [0.625, 0.625, 0.625]}[kind]
    return atoms + Atoms("Si", positions=[np.array(site) * a])


def interstitial(rng: np.random.Generator) -> Structures:
    for kind in ("tetrahedral", "split", "hexagonal"):
        yield f"n17_{kind}", displaced(settle(with_interstitial(kind, (2, 1, 1)), 8), 0.03, rng)
        for temperature in (300, 1000):
            atoms = settle(with_interstitial(kind, (2, 1, 1)), 40)
            yield f"n17_{kind}_T{temperature}", run_dynamics(atoms, temperature, 150, rng)[-1]


def slab_110(layers: int, vacuum: float) -> Atoms:
    """(1x1) slab of (110) planes, two atoms each."""
    a = LATTICE_CONSTANT
    axes = np.array([[0.5, -0.5, 0], [0, 0, 1], [layers / 4, layers / 4, 0]]) * a
    origin = np.array([a / 8, layers * a / 4 - a / 8, 0])
    big = crystal((layers, layers, 2))
    fractional = np.linalg.solve(axes.T, (big.positions - origin).T).T
    inside = np.all((fractional > -1e-6) & (fractional < 1 - 1e-6), axis=1)
    lengths = np.linalg.norm(axes, axis=1)
    atoms = Atoms(f"Si{inside.sum()}", fractional[inside] * lengths, cell=lengths, pbc=True)
    atoms.center(vacuum=vacuum, axis=2)
    return atoms


def slabs() -> dict[str, Atoms]:
    """Ideal slabs with 9 Å of vacuum: (100) 1x1 and 2x1, (110), (111)."""
    a, vacuum = LATTICE_CONSTANT, 4.5
    dimerised = diamond100("Si", (1, 2, 6), a=a, vacuum=vacuum)
    for sign, level in ((1, dimerised.positions[:, 2].max()), (-1, dimerised.positions[:, 2].min())):
        row = np.flatnonzero(np.abs(dimerised.positions[:, 2] - level) < 0.1)
        dimerised.positions[row, 2] -= 0.2 * sign
        axis = dimerised.cell[1] / np.linalg.norm(dimerised.cell[1])
        dimerised.positions[row] += np.outer([0.6, -0.6], axis)
    return {
        "111": diamond111("Si", (1, 1, 8), a=a, vacuum=vacuum),
        "100_2x1": dimerised,
        "110": slab_110(5, vacuum),
        "100_1x1": diamond100("Si", (1, 1, 8), a=a, vacuum=vacuum),
    }


def surface(rng: np.random.Generator) -> Structures:
    for name, ideal in slabs().items():
        ideal.pbc = True
        yield f"{name}_cold", displaced(ideal, 0.03, rng)
        atoms = settle(ideal.copy(), 40)
        yield f"{name}_cold", displaced(atoms, 0.01, rng)
        yield f"{name}_T300", run_dynamics(atoms.copy(), 300, 200, rng)[-1]
        hot = atoms.copy()
        yield from ((f"{name}_T900", frame) for frame in run_dynamics(hot, 900, 300, rng, every=150))


def phase(primitive: Atoms, larger: Atoms, volume: float, rng: np.random.Generator) -> Structures:
    """One dense phase: ideal at five volumes, one in between, rattled larger cells."""
    for factor in (0.82, 0.92, 1.0, 1.1, 1.25):
        yield "volumes", scaled(primitive, factor * volume)
    yield "volumes", scaled(primitive, 1.05 * volume)
    for amplitude in (0.08, 0.2):
        for factor in (0.95, 1.12):
            yield f"rattled_a{amplitude}", displaced(scaled(larger, factor * volume), amplitude, rng, 0.03)


def bcc(rng: np.random.Generator) -> Structures:
    cubic = bulk("Si", "bcc", a=3.08, cubic=True)
    yield from phase(bulk("Si", "bcc", a=3.08), cubic.repeat((2, 1, 1)), 14.7, rng)


def fcc(rng: np.random.Generator) -> Structures:
    yield from phase(bulk("Si", "fcc", a=3.86), bulk("Si", "fcc", a=3.86, cubic=True), 14.5, rng)


def hcp(rng: np.random.Generator) -> Structures:
    primitive = bulk("Si", "hcp", a=2.70, c=4.60)
    yield from phase(primitive, primitive.repeat((2, 1, 1)), 14.4, rng)


def sc(rng: np.random.Generator) -> Structures:
    primitive = bulk("Si", "sc", a=2.53)
    yield from phase(primitive, primitive.repeat((2, 2, 2)), 16.0, rng)


def beta_sn(rng: np.random.Generator) -> Structures:
    a, c = 4.81, 2.65
    positions = np.array([[0, 0, 0], [0.5, 0, 0.25], [0.5, 0.5, 0.5], [0, 0.5, 0.75]]) * [a, a, c]
    cell = Atoms("Si4", positions=positions, cell=[a, a, c], pbc=True)
    to_primitive = 0.5 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    primitive = cell[:2]
    primitive.set_cell(to_primitive @ cell.cell)
    yield from phase(primitive, cell, 15.3, rng)


def dimer(rng: np.random.Generator) -> Structures:
    for r in (1.6, 1.75, 1.9, 2.05, 2.2, 2.3, 2.45, 2.65, 2.9):  # triplet SCF fails beyond
        atoms = Atoms("Si2", positions=[[0, 0, 0], [0, 0, r]], cell=[8.0, 8.5, r + 8.0], pbc=True)
        atoms.center()
        yield "curve", atoms


def isolated_atom(rng: np.random.Generator) -> Structures:
    yield "atom", Atoms("Si", positions=[[4.5, 4.75, 5.0]], cell=[9.0, 9.5, 10.0], pbc=True)


GROUPS = (
    isolated_atom, dimer, diamond, strained, rattled, md, liquid, amorphous, vacancy,
    interstitial, surface, beta_sn, bcc, fcc, hcp, sc,
)  # fmt: skip
METALLIC = ("liquid", "amorphous", "beta_sn", "bcc", "fcc", "hcp", "sc")  # finer k-grids
TRAIN_ONLY = ("isolated_atom", "dimer")


def shortest_distance(atoms: Atoms) -> float:
    """Shortest interatomic distance (Å), periodic images included; inf beyond 3.5 Å."""
    return float(np.min(neighbor_list("d", atoms, 3.5), initial=np.inf))


def propose(seed: int = 20260) -> list[Proposal]:
    """All structures, each group from its own random stream."""
    proposals = []
    for number, group in enumerate(GROUPS):
        rng = np.random.default_rng([seed, number])
        for family, atoms in group(rng):
            if group is dimer or shortest_distance(atoms) > CLOSEST_APPROACH:
                proposals.append(Proposal(group.__name__, family, atoms))
    return proposals


def test_families(proposals: list[Proposal]) -> set[tuple[str, str]]:
    """Second family of each group and every fifth after it, in order of creation."""
    families: dict[str, list[str]] = defaultdict(list)
    for proposal in proposals:
        if proposal.family not in families[proposal.config_type]:
            families[proposal.config_type].append(proposal.family)
    return {
        (group, name) for group, names in families.items() if group not in TRAIN_ONLY for name in names[1::5]
    }


def write_queue(work: Path) -> None:
    """Write all structures in an order that lets every group grow at the same pace."""
    proposals = propose()
    tests = test_families(proposals)
    members: dict[str, list[Proposal]] = defaultdict(list)
    for proposal in proposals:
        members[proposal.config_type].append(proposal)
    queue = []
    for group, entries in members.items():
        for number, entry in enumerate(entries):
            side = "test" if (group, entry.family) in tests else "train"
            entry.atoms.info = {
                "frame_id": f"{group}-{number:03d}",
                "config_type": group,
                "family": f"{group}/{entry.family}",
                "split": side,
            }
            late = len(entry.atoms) > 16  # costly: after one round of the others
            queue.append((late + (number + 0.5) / len(entries), entry.atoms))
    queue.sort(key=lambda item: item[0])
    work.mkdir(parents=True, exist_ok=True)
    write(work / "queue.xyz", [atoms for _, atoms in queue], format="extxyz")


# --------------------------------------------------------------------------------------
# Labels


def k_grid(atoms: Atoms) -> dict:
    """Grid with |b_i|/n_i <= spacing; Gamma-centred up to four atoms, Monkhorst-Pack beyond.

    One point along the vacuum of a slab, and in all directions of a molecule's box.
    """
    group = atoms.info["config_type"]
    if group in TRAIN_ONLY:
        return {"size": (1, 1, 1), "gamma": True}
    kind = "metallic" if group in METALLIC else "gapped"
    spacing = K_SPACING_SMALL.get(len(atoms), K_SPACING[kind])
    lengths = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    size = np.maximum(1, np.ceil(lengths / spacing - 1e-6)).astype(int)
    if group == "surface":
        size[2] = 1
    size = tuple(int(n) for n in size)
    return {"size": size, "gamma": True} if len(atoms) <= 4 else {"size": size}


def gpaw_calculator(atoms: Atoms, log: str | None, mixing: float = 0.3, **changes: Any) -> Calculator:
    """GPAW at the level of the data set; `changes` override single parameters."""
    from gpaw import GPAW, PW, FermiDirac, Mixer, MixerSum

    magnetic = bool(np.any(atoms.get_initial_magnetic_moments()))
    mixer = MixerSum if magnetic else Mixer
    width = MOLECULE_SMEARING if magnetic else SMEARING
    settings = {
        "mode": PW(PLANE_WAVE_CUTOFF, dedecut="estimate"),
        "xc": "PBE",
        "kpts": k_grid(atoms),
        "occupations": FermiDirac(width, fixmagmom=magnetic),
        "nbands": 2 * len(atoms) + 4 + len(atoms) // 8,
        "mixer": mixer(mixing, 8, 1 if magnetic else 20),
        "convergence": {"density": 5e-5, "eigenstates": 4e-7, "energy": 1e-4},
        "maxiter": 80,
        "txt": log,
    }
    return GPAW(**{**settings, **changes})


def evaluate(atoms: Atoms, log: str | None = None, **changes: Any) -> dict:
    """Free energy (eV), its forces (eV/Å) and stress (eV/Å³, 3x3) of one frame."""
    for mixing in (0.3, 0.1):
        atoms = atoms.copy()
        atoms.calc = gpaw_calculator(atoms, log, mixing, **changes)
        try:
            energy = atoms.get_potential_energy(force_consistent=True)
            break
        except Exception as failure:  # GPAW's own class moved between versions
            if "onverge" not in type(failure).__name__ or mixing == 0.1:
                raise
    labels = {"energy": float(energy), "forces": atoms.get_forces()}
    if not np.any(atoms.get_initial_magnetic_moments()):
        labels["stress"] = atoms.get_stress(voigt=False)
    return labels


def evaluate_triplet(atoms: Atoms, log: str | None = None) -> dict:
    """Energy and forces of the atom or a dimer with its total moment held at two electrons."""
    atoms = atoms.copy()
    atoms.set_initial_magnetic_moments([2 / len(atoms)] * len(atoms))
    labels = evaluate(atoms, log)
    return {**labels, "moment": 2}


def label(work: Path, log: str | None = None) -> None:
    """Label every frame of the queue that is not yet in labelled.xyz, appending each at once."""
    done_file = work / "labelled.xyz"
    done = {a.info["frame_id"] for a in read(done_file, ":")} if done_file.exists() else set()
    for atoms in read(work / "queue.xyz", ":"):
        if atoms.info["frame_id"] in done:
            continue
        start = time.process_time()
        molecule = atoms.info["config_type"] in TRAIN_ONLY
        try:
            labels = evaluate_triplet(atoms, log) if molecule else evaluate(atoms, log)
        except Exception as failure:
            print(f"{atoms.info['frame_id']} failed: {failure!r}", flush=True)
            continue
        write(done_file, labelled(atoms, labels, time.process_time() - start), format="extxyz", append=True)
        print(atoms.info["frame_id"], len(atoms), labels["energy"] / len(atoms), flush=True)


def labelled(atoms: Atoms, labels: dict, seconds: float) -> Atoms:
    """Copy carrying the labels under REF_ keys and the physical periodicity."""
    atoms = atoms.copy()
    atoms.info["REF_energy"] = labels["energy"]
    atoms.arrays["REF_forces"] = labels["forces"]
    if "stress" in labels:
        atoms.info["REF_stress"] = labels["stress"]
    if "moment" in labels:
        atoms.info["magnetic_moment"] = labels["moment"]
    atoms.info["cpu_seconds"] = round(seconds, 1)
    group = atoms.info["config_type"]
    atoms.pbc = False if group in TRAIN_ONLY else (True, True, group != "surface")
    return atoms


# --------------------------------------------------------------------------------------
# Packing


def check(frames: list[Atoms]) -> None:
    """Refuse a set with missing numbers, duplicate ids or net forces above 10 meV/Å."""
    ids = [atoms.info["frame_id"] for atoms in frames]
    if len(set(ids)) != len(ids):
        raise ValueError("duplicate frame ids")
    for atoms in frames:
        forces = atoms.arrays["REF_forces"]
        if not (np.isfinite(atoms.info["REF_energy"]) and np.isfinite(forces).all()):
            raise ValueError(f"{atoms.info['frame_id']}: labels are not finite")
        if np.abs(forces.sum(axis=0)).max() > 0.01:
            raise ValueError(f"{atoms.info['frame_id']}: net force {forces.sum(axis=0)} eV/Å")


def pack(work: Path, output: Path) -> None:
    """Check, sort by id and compress what has been labelled so far."""
    frames = sorted(read(work / "labelled.xyz", ":"), key=lambda a: a.info["frame_id"])
    proposed = {a.info["frame_id"]: a.info for a in read(work / "queue.xyz", ":")}
    check(frames)
    for atoms in frames:
        atoms.info.pop("cpu_seconds", None)
        atoms.info.update(proposed[atoms.info["frame_id"]])
    text = io.StringIO()
    write(text, frames, format="extxyz")
    output.write_bytes(lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    """Command line: structures, label or pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("structures", "label", "pack"))
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=Path("silicon_gpaw.xyz.xz"))
    arguments = parser.parse_args()
    if arguments.step == "structures":
        write_queue(arguments.work)
    elif arguments.step == "label":
        label(arguments.work, log=str(arguments.work / "gpaw.log"))
    else:
        pack(arguments.work, arguments.output)


if __name__ == "__main__":
    main()
