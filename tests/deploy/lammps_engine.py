"""Run structures through LAMMPS' own program and read back what it says, in the frame of the given atoms."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lacemaker.deploy.lammps_build import Plugin
from lacemaker.deploy.lammps_installation import Installation
from lacemaker.deploy.lammps_run import command, environment

BAR = 1 / 1.6021765e6  # eV/Å³ with LAMMPS' rounded constant (nktv2p of units metal; the SI has …76634)
DUMPED = "id fx fy fz c_pe " + " ".join(f"c_st[{k}]" for k in range(1, 7)) + " "
DUMPED += " ".join(f"c_cst[{k}]" for k in range(1, 10))
PLAIN = "id fx fy fz c_pe"
COMPUTES = """
compute pe all pe/atom
compute st all stress/atom NULL virial
compute cst all centroid/stress/atom NULL virial
"""
VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # LAMMPS: xx yy zz xy xz yz
NINE = (*VOIGT, (1, 0), (2, 0), (2, 1))


@dataclass(frozen=True)
class Result:
    """One structure: eV, eV/Å, and virials in eV, sign of lacemaker (minus the strain derivative)."""

    energy: float
    energies: np.ndarray  # (n_atoms,)
    forces: np.ndarray  # (n_atoms, 3)
    virial: np.ndarray  # (3, 3)
    atom_virials: np.ndarray | None  # (n_atoms, 3, 3), symmetric
    centroid_virials: np.ndarray | None  # (n_atoms, 3, 3), first index: distance


def triangular(atoms):
    """The lower triangular cell LAMMPS wants, and the rotation Q with vectors_given = vectors_lammps @ Q."""
    cell = atoms.cell[:]
    assert np.linalg.det(cell) > 0
    q, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    return (r * signs[:, None]).T, (q * signs).T


def data_file(path, atoms, symbols):
    """Write atoms as a LAMMPS data file whose types are numbered as in `symbols`."""
    cell, rotation = triangular(atoms)
    positions = atoms.positions @ rotation.T
    lines = ["structure", "", f"{len(atoms)} atoms", f"{len(symbols)} atom types", ""]
    lines += [f"0 {float(cell[k, k])!r} {axis}lo {axis}hi" for k, axis in enumerate("xyz")]
    lines += [f"{float(cell[1, 0])!r} {float(cell[2, 0])!r} {float(cell[2, 1])!r} xy xz yz", "", "Atoms", ""]
    for k, (symbol, x) in enumerate(zip(atoms.symbols, positions, strict=True)):
        lines.append(f"{k + 1} {symbols.index(symbol) + 1} {' '.join(repr(float(v)) for v in x)}")
    Path(path).write_text("\n".join(lines) + "\n")


class Engine:
    """LAMMPS with the plugin; every call is a fresh process in `folder`."""

    def __init__(self, lammps: Installation, plugin: Plugin, folder: Path):
        self.lammps, self.plugin, self.folder = lammps, plugin, folder

    def script(self, text, *, ranks=1, check=True):
        """Run a script; returns the finished process, with stdout and stderr as text."""
        (self.folder / "in.test").write_text(text)
        variables = environment(self.lammps, self.plugin, {**os.environ, "OMP_NUM_THREADS": "1"})
        done = subprocess.run(
            command(self.lammps, ["-in", "in.test", "-log", "none"], n_ranks=ranks),
            cwd=self.folder, env=variables, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"LAMMPS failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def evaluate(
        self, atoms, pair, symbols, *, ranks=1, skin=1.0, per_atom=True, before="", computes=COMPUTES
    ):
        """Energy, forces, virials of `atoms`; `pair` are the pair commands, `symbols` names the types."""
        if isinstance(atoms, list):
            return [self.evaluate(one, pair, symbols, ranks=ranks) for one in atoms]
        data_file(self.folder / "x.data", atoms, symbols)
        boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
        dumped = DUMPED if per_atom else PLAIN
        computes = computes if per_atom else "compute pe all pe/atom\n"
        text = f"""
units metal
atom_style atomic
boundary {boundary}
{before}
box tilt large
read_data x.data
mass * 1.0
{pair}
neighbor {skin} bin
{computes}
thermo_style custom pe pxx pyy pzz pxy pxz pyz
thermo_modify norm no format float %.17g
dump d all custom 1 out.dump {dumped}
dump_modify d sort id format float %.17g
run 0
"""
        said = self.script(text, ranks=ranks).stdout.splitlines()
        at = next(k for k, line in enumerate(said) if line.split()[:2] == ["PotEng", "Pxx"])
        energy, *pressure = map(float, said[at + 1].split())
        table = np.loadtxt((self.folder / "out.dump").read_text().splitlines()[9:], ndmin=2)
        return _result(atoms, energy, pressure, table)


def _result(atoms, energy, pressure, table):
    _, rotation = triangular(atoms)
    turn = lambda tensor: rotation.T @ tensor @ rotation  # noqa: E731
    n = len(atoms)
    centroid = symmetric = None
    if table.shape[1] > 5:
        symmetric, centroid = np.zeros((n, 3, 3)), np.zeros((n, 3, 3))
        for k, (a, b) in enumerate(VOIGT):
            symmetric[:, a, b] = symmetric[:, b, a] = (
                -BAR * table[:, 5 + k]
            )  # LAMMPS: minus the virial, bar Å³
        for k, (a, b) in enumerate(NINE):
            centroid[:, a, b] = -BAR * table[:, 11 + k]
        symmetric = np.array([turn(w) for w in symmetric])
        centroid = np.array([turn(w) for w in centroid])
    virial = np.zeros((3, 3))
    for value, (a, b) in zip(pressure, VOIGT, strict=True):
        virial[a, b] = virial[b, a] = value * BAR * atoms.get_volume()
    return Result(energy, table[:, 4], table[:, 1:4] @ rotation, turn(virial), symmetric, centroid)


def voigt_to_matrix(v):
    """(6,) xx yy zz yz xz xy to (3, 3)."""
    xx, yy, zz, yz, xz, xy = v
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
