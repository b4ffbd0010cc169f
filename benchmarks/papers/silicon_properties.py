"""Silicon along the path: lattice, elastic constants, vacancy, surfaces against functions (experiment 5).

Sparse models (OMP, ASP) of a pool of 1041 functions and dense ones, trained on energies, forces and virials of

- zuo: silicon of Zuo et al. 2020 (PBE). Its own labels give the DFT values: lattice constant of its bulk, elastic
  constants (shear: clamped atoms) from its strained cells, surface energies of its (100) 2 x 1, (110) and (111)
  slabs, relaxed by each model from the DFT geometry. Strained cells and slabs are in the training set. It has no
  relaxed vacancy: that is compared with GAP-18's DFT (PW91), 3.673 eV.
- gap18: the 53 small frames of GAP-18's training set (PW91): diamond, beta-tin, two liquids. DFT: the
  silicon-testing-framework. Vacancy and surfaces are extrapolation there. With --file another file of that level
  of theory, such as the whole set.

    python benchmarks/papers/silicon_properties.py            # both sets; estimated: 1 min; OMP alone 28 s
    python benchmarks/papers/silicon_properties.py --sets gap18 --file gp_iter6_sparse9k.xml.xyz

Finished models are kept in the output folder (results.json); the same command continues where it was stopped.
"""

import argparse
import io
import json
import lzma
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lacemaker as lace
from common import data_folder, header
from lacemaker.analysis.elasticity import elastic_constants, equilibrium
from lacemaker.analysis.vacancies_and_surfaces import J_PER_M2, slab_energy, surface_energy, vacancy_energy
from lacemaker.errors import LacemakerError
from lacemaker.potential.speed import measure_speed
from lacemaker.regression.solvers.asp import ASP
from lacemaker.regression.solvers.omp import OMP
from zuo2020 import DEGREES

GAP18_DFT = {  # CASTEP PW91: libAtoms/silicon-testing-framework
    "a0": 5.4610, "B": 88.60, "C11": 153.29, "C12": 56.25, "C44": 72.18, "vacancy": 3.673, "(100)": 2.17,
}  # fmt: skip
SIZES = (50, 100, 200, 300, 700)
DENSE = [(16, 12, 8), DEGREES["319"], DEGREES["1041"]]
POOL = DEGREES["1041"]
FACES = {"(100)": "(1_0_0)_reconstructed", "(110)": "(1_1_0)_reconstructed", "(111)": "(1_1_1)"}
UNITS = {"a0": "Å", "vacancy": "eV", **dict.fromkeys(FACES, "J/m²")}
WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 1.0}}


class Zuo:
    """Training frames of Zuo et al., and what their DFT says about crystal and slabs."""

    def __init__(self) -> None:
        from ase.io import read

        file = data_folder("zuo2020") / "Si" / "train.xyz.xz"
        self.frames, self.e0 = lace.read(file), "fit"
        self.slabs: dict[str, Any] = {}
        with lzma.open(file, "rt") as stream:
            atoms = read(io.StringIO(stream.read()), ":", format="extxyz")
        strained = [a for a in atoms if a.info["config_type"] == "Elastic"]
        (rest,) = [a for a in atoms if a.info.get("description") == "Ground state crystal"]
        bulk = rest.get_potential_energy() / len(rest)
        self.dft = {"a0": float(rest.cell.lengths()[0]) / 2}
        self.dft |= self._elastic(strained)
        for face, name in FACES.items():
            (found,) = [a for a in atoms if a.info.get("description", "").endswith(name)]
            self.slabs[face] = found
            area = np.linalg.norm(np.cross(found.cell[0], found.cell[1]))
            cost = (found.get_potential_energy() - len(found) * bulk) / (2 * area)
            self.dft[face] = float(cost * J_PER_M2)
        self.dft["vacancy"] = GAP18_DFT["vacancy"]

    def _elastic(self, strained: list[Any]) -> dict[str, float]:
        """Stress against strain between -0.04 and 0.04: the linear part of a cubic."""
        tables: dict[str, list[tuple[float, float]]] = {"C11": [], "C12": [], "C44": []}
        for atoms in strained:
            mode, strain = _mode(atoms)
            if abs(strain) > 0.065 or strain == 0.0:
                continue
            virial = np.reshape(atoms.info["virial"], (3, 3)) / atoms.get_volume() * 160.2176634
            if mode <= 2:
                axis = int(np.argmax(np.abs(atoms.cell.lengths() / (2 * self.dft["a0"]) - 1.0)))
                other = [k for k in range(3) if k != axis]
                tables["C11"].append((strain, -virial[axis, axis]))
                tables["C12"].append(
                    (strain, -0.5 * (virial[other[0], other[0]] + virial[other[1], other[1]]))
                )
            else:
                off = np.abs(np.triu(virial, 1)).max()
                tables["C44"].append((2.0 * strain, np.sign(strain) * off))
        return {
            f"{name} clamped" if name == "C44" else name: float(np.polyfit(*np.transpose(pairs), 3)[2])
            for name, pairs in tables.items()
        }


class Gap18:
    """The published training set of GAP-18, or its small excerpt."""

    def __init__(self, file: Path | None) -> None:
        frames = lace.read(file or data_folder("si_gap18_tiny") / "train.xyz")
        self.frames, self.e0 = frames, {"Si": -158.54496821}
        self.slabs: dict[str, Any] = {}
        self.dft = dict(GAP18_DFT)


def _mode(atoms: Any) -> tuple[int, float]:
    """Mode (0 to 2 along an axis, 3 to 5 shear) and strain; no strain for a crystal at rest."""
    found = re.search(r"mode (\d), strain (-?[\d.]+)", atoms.info.get("description", ""))
    return (int(found[1]), float(found[2])) if found else (0, 0.0)


def properties(potential: lace.Potential, data: Any) -> dict[str, Any]:
    """All properties of one model; what it cannot give (no crystal, …) is missing."""
    from ase.build import bulk

    calculator = lace.Calculator(potential, n_threads=1)
    found: dict[str, Any] = {"cost": measure_speed(potential, n_cells=3).microseconds_per_atom}
    try:
        primitive = equilibrium(calculator, bulk("Si", a=data.dft["a0"]))
        a0 = float((4.0 * primitive.get_volume()) ** (1 / 3))
        cube = equilibrium(calculator, bulk("Si", a=a0, cubic=True))
        constants = elastic_constants(calculator, primitive)
        found |= {"a0": a0, "B": constants.bulk_modulus, "C44 clamped": constants.cubic_born[2]}
        found |= dict(zip(("C11", "C12", "C44"), constants.cubic, strict=True))
        hole = vacancy_energy(calculator, cube)
        found |= {"vacancy": hole.relaxed, "vacancy at rest": hole.converged}
        per_atom = cube.get_potential_energy() / len(cube)
        for face, miller in {"(100)": (1, 0, 0), "(110)": (1, 1, 0), "(111)": (1, 1, 1)}.items():
            plain = surface_energy(calculator, cube, miller)
            found[f"{face} 1x1"] = plain.relaxed * J_PER_M2
            if face in data.slabs:
                energy = slab_energy(calculator, data.slabs[face], per_atom)
                found[face] = energy.relaxed * J_PER_M2
            else:
                found[face] = found[f"{face} 1x1"]
    except LacemakerError as error:
        found["failure"] = str(error)
    return found


def run(
    name: str, data: Any, sizes: list[int], solvers: list[str], done: dict[str, Any], store: Path
) -> None:
    def keep(label: str, size: int, potential: lace.Potential) -> None:
        done[f"{name} | {label} | {size}"] = {"size": size, **properties(potential, data)}
        store.write_text(json.dumps(done, indent=1))

    pool = lace.ACEBasis(["Si"], 3, list(POOL), cutoff=6.0)
    options = {"prior": lace.AlgebraicPrior(p=4), "e0": data.e0}
    system = None
    for label in solvers:
        if all(f"{name} | {label} | {size}" in done for size in sizes):
            continue
        solver = {"OMP": OMP, "ASP": ASP}[label](sizes=tuple(sizes))
        system = system or lace.assemble(pool, data.frames, weights=WEIGHTS)
        path = lace.solve(system, solver=solver, **options)
        for size in sizes:
            if f"{name} | {label} | {size}" not in done:
                keep(label, size, path.by_size(size).potential())
    for degrees in DENSE:
        basis = lace.ACEBasis(["Si"], 3, list(degrees), cutoff=6.0)
        if f"{name} | dense | {basis.n_functions}" not in done:
            rows = lace.assemble(basis, data.frames, weights=WEIGHTS)
            keep("dense", basis.n_functions, lace.solve(rows, **options).potential())


def quantities(data: Any) -> list[str]:
    names = ["a0", "B", "C11", "C12", "C44", "C44 clamped", "vacancy", "(100)", "(110)", "(111)"]
    dft = {**data.dft, "B": data.dft.get("B", (data.dft["C11"] + 2 * data.dft["C12"]) / 3)}
    data.dft = dft
    return names


def show(name: str, data: Any, done: dict[str, Any]) -> None:
    names = quantities(data)
    print(f"\n{name}: values, and in brackets the error in % of DFT (a0 in Å, GPa, eV, J/m²)")
    print(f"{'model':12s} {'µs/atom':>8s}" + "".join(f"{q:>16s}" for q in names))
    print(
        f"{'DFT':21s}"
        + "".join(f"{data.dft[q]:10.3f}{'':6s}" if q in data.dft else f"{'–':>16s}" for q in names)
    )
    for row_name, row in rows_of(name, done):
        line = f"{row_name:12s} {row['cost']:8.2f}"
        for q in names:
            error = f"({100 * (row[q] / data.dft[q] - 1):+.1f})" if q in row and q in data.dft else ""
            line += f"{row[q]:9.3f} {error:>6s}" if q in row else f"{'–':>16s}"
        print(line + ("  " + row["failure"] if "failure" in row else ""))


def rows_of(name: str, done: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [(key.split(" | ")[1], row) for key, row in done.items() if key.startswith(f"{name} | ")]
    order = {"OMP": 0, "ASP": 1, "dense": 2}
    found.sort(key=lambda item: (order[item[0]], item[1]["size"]))
    return [(f"{label} {row['size']}", row) for label, row in found]


def draw(sets: dict[str, Any], done: dict[str, Any], path: Path) -> None:
    """Error of each property against the number of functions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(sets), 3, squeeze=False, figsize=(11, 3.1 * len(sets)), sharex=True)
    groups = (("a0", "B"), ("C11", "C12", "C44", "C44 clamped"), ("vacancy", "(100)", "(110)", "(111)"))
    for (name, data), line in zip(sets.items(), axes, strict=True):
        for panel, group in zip(line, groups, strict=True):
            for k, q in enumerate(g for g in group if g in data.dft):
                for label, style in (("OMP", "o-"), ("ASP", "s--"), ("dense", "x:")):
                    rows = [r for title, r in rows_of(name, done) if title.startswith(label) and q in r]
                    x = [r["size"] for r in rows]
                    y = [100 * abs(r[q] / data.dft[q] - 1) for r in rows]
                    panel.loglog(x, y, style, color=f"C{k}", ms=3, lw=1, label=q if label == "OMP" else None)
            panel.legend(frameon=False, fontsize="x-small")
            panel.set_title(f"{name}: |error|, %", fontsize="small")
        line[0].set_ylabel("%")
    for panel in axes[-1]:
        panel.set_xlabel("functions (o OMP, s ASP, x dense)")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=["zuo", "gap18"], choices=["zuo", "gap18"])
    parser.add_argument("--file", type=Path, help="training file for gap18")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--solvers", nargs="+", default=["OMP", "ASP"], choices=["OMP", "ASP"])
    parser.add_argument("--out", type=Path, default=Path("silicon_properties"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("Silicon properties along the path: E 30 / F 1 / V 1, default repulsion core")
    arguments.out.mkdir(parents=True, exist_ok=True)
    store = arguments.out / "results.json"
    done = json.loads(store.read_text()) if store.exists() else {}
    begin = time.process_time()
    sets = {name: Zuo() if name == "zuo" else Gap18(arguments.file) for name in arguments.sets}
    for name, data in sets.items():
        run(name, data, arguments.sizes, arguments.solvers, done, store)
        show(name, data, done)
    draw(sets, done, arguments.out / "silicon_properties.png")
    print(f"# {time.process_time() - begin:.0f} CPU s; figure {arguments.out / 'silicon_properties.png'}")


if __name__ == "__main__":
    main()
