"""Liquid water (H, O; PBE0+TS, 64 molecules): the path of a two-element pool, and 20 ps of dynamics (experiment 6).

Pool of 1668 functions (order 3, degrees [14, 12, 10], cutoff 5 Å; our default core and restraint), trained on 40
frames, tested on 20 others of the same ab-initio trajectories (energies are stored to 0.01 meV/atom there). Then
NVT dynamics at 300 K from a test structure: 20 ps with steps of 0.5 fs, with and without a prior, and the O-O and
O-H distributions beside those of the data.

    python benchmarks/papers/water.py                        # estimated: 4 min on one core
    python benchmarks/papers/water.py --frames 40 --degrees 12 10 8 --sizes 50 100 200 400 --md   # 9 s: errors
    python benchmarks/papers/water.py --frames 240 --md      # more data, errors only

Finished entries are kept in the output folder (results.json); the same command continues where it was stopped.
"""

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lacemaker as lace
from common import data_folder, header
from lacemaker.analysis.distribution import radial_distribution
from lacemaker.analysis.errors import error_table
from lacemaker.analysis.stability import survive
from lacemaker.basis import RepulsionRestraint
from lacemaker.potential.speed import measure_speed
from lacemaker.priors import AlgebraicPrior, EvidencePrior, NoPrior, Prior
from lacemaker.regression.solvers.asp import ASP
from lacemaker.regression.solvers.omp import OMP

PRIORS: dict[str, Prior] = {
    "none": NoPrior(),
    "algebraic 4": AlgebraicPrior(p=4),
    "evidence": EvidencePrior(),
}
SIZES = (50, 100, 200, 400, 800)
PATHS = (("OMP", "algebraic 4"), ("ASP", "algebraic 4"), ("OMP", "none"), ("OMP", "evidence"))
PEAKS = {("O", "O"): (2.4, 3.3), ("O", "H"): (0.8, 1.3)}
XTICKS = {"size": (50, 100, 200, 400, 800, 1600), "cost": (4, 6, 8, 10, 15, 20, 30)}
YTICKS = (40, 60, 80, 100, 150, 200, 300)  # meV/Å
OH_BOND = 0.97  # Å: limits of the dynamics are shares of it


class Water:
    """Frames, and a system that is assembled at most once."""

    def __init__(self, n_frames: int, degrees: list[int], folder: Path) -> None:
        source = data_folder("water_pbe0ts_64")
        train, test = lace.read(source / "train.xyz.xz"), lace.read(source / "test.xyz.xz")
        self.train = train.subset(np.linspace(0, len(train) - 1, n_frames).astype(int))
        self.test = test.subset(np.arange(0, len(test), 4))
        self.all_test = test
        self.degrees = degrees
        self.stored = folder / f"water-{n_frames}-{'-'.join(map(str, degrees))}.safetensors"
        self._system: Any = None

    @property
    def system(self) -> Any:
        if self._system is None:
            if not self.stored.exists():
                basis = lace.ACEBasis(["H", "O"], 3, self.degrees, cutoff=5.0)
                rows = lace.assemble(basis, self.train, restraint=RepulsionRestraint(), n_threads=1)
                rows.save(self.stored)
            self._system = lace.regression.TriangularSystem.load(self.stored)
        return self._system


def entry(potential: lace.Potential, water: Water) -> dict[str, Any]:
    total = error_table(potential, water.test).total
    return {
        "size": int(np.count_nonzero(potential.coefficients)),
        "energy": total.energy_mae_meV_per_atom,
        "forces": total.forces_mae_eV_per_A,
        "cost": measure_speed(potential, n_cells=2).microseconds_per_atom,
    }


def paths(water: Water, sizes: list[int], done: dict[str, Any], out: Path) -> None:
    for kind, prior in PATHS:
        if all(f"{kind} | {prior} | {size}" in done for size in sizes):
            continue
        solver = OMP(sizes=tuple(sizes)) if kind == "OMP" else ASP(sizes=tuple(sizes))
        begin = time.process_time()
        path = lace.solve(water.system, solver=solver, prior=PRIORS[prior], e0="fit")
        seconds = time.process_time() - begin
        for size in sizes:
            potential = path.by_size(size).potential()
            potential.save(out / f"{kind}-{prior.replace(' ', '')}-{size}.lace")
            done[f"{kind} | {prior} | {size}"] = {**entry(potential, water), "seconds": seconds}
            keep(done, out)
    for prior in PRIORS:
        if f"dense | {prior} | {water.degrees}" not in done:
            begin = time.process_time()
            potential = lace.solve(water.system, prior=PRIORS[prior], e0="fit").potential()
            found = {**entry(potential, water), "seconds": time.process_time() - begin}
            potential.save(out / f"dense-{prior.replace(' ', '')}.lace")
            done[f"dense | {prior} | {water.degrees}"] = found
            keep(done, out)


def dynamics(model: str, picoseconds: float, water: Water, done: dict[str, Any], out: Path) -> None:
    """One run at 300 K; distributions over its second half."""
    name = f"md | {model} | {picoseconds:g}"
    if name in done:
        return
    start = water.test[0].to_atoms()
    seen: list[Any] = []
    found = survive(
        start,
        lace.Calculator(lace.Potential.load(out / f"{model}.lace"), n_threads=1),
        seeds=[0],
        picoseconds=picoseconds,
        timestep=0.5,
        bond_length=OH_BOND,
        trajectory=lambda atoms: seen.append(atoms.copy()),
    )
    done[name] = {**asdict(found.runs[0]), **distributions(seen[len(seen) // 2 :: 10])}
    keep(done, out)


def distributions(structures: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair, window in PEAKS.items():
        if structures:
            g = radial_distribution(structures, pair)
            found[f"g {'-'.join(pair)}"] = g.g.tolist()
            found["r"] = g.r.tolist()
            found[f"peak {'-'.join(pair)}"] = list(g.peak(*window))
    return found


def keep(done: dict[str, Any], out: Path) -> None:
    (out / "results.json").write_text(json.dumps(done))


def show(done: dict[str, Any]) -> None:
    print(
        f"{'path':8s}{'prior':14s}{'functions':>9s}  E, meV/atom  F, meV/Å   µs/atom   CPU s of the solution"
    )
    for name, row in done.items():
        if name.startswith(("OMP", "ASP", "dense")):
            kind, prior, _ = name.split(" | ")
            print(
                f"{kind:8s}{prior:14s}{row['size']:9d}{row['energy']:13.3f}{1000 * row['forces']:9.1f}"
                f"{row['cost']:10.2f}{row['seconds']:12.1f}"
            )
    print(
        "\ndynamics, 300 K                  survived   ps  shortest Å  drift meV/atom  mean K  O-O peak  O-H peak"
    )
    for name, row in done.items():
        if name == "data":
            print(f"{'data (DFT)':57s}" + peaks(row).rjust(44))
        if name.startswith("md | "):
            print(
                f"{name.split(' | ')[1]:33s}{row['survived']!s:>8s}{row['time_ps']:6.1f}"
                f"{row['shortest_distance_A']:10.2f}{row['drift_meV_per_atom']:14.1f}"
                f"{row['mean_temperature_K']:9.0f}   {peaks(row)}   {row['failure']}"
            )


def peaks(row: dict[str, Any]) -> str:
    found = [row.get(f"peak {'-'.join(pair)}") for pair in PEAKS]
    return "  ".join(f"{p[1]:.2f} at {p[0]:.2f} Å" if p else "–" for p in found)


def draw(done: dict[str, Any], path: Path) -> None:
    """Force error against functions and cost, and the O-O distributions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.3))
    for panel, x in zip(axes[:2], ("size", "cost"), strict=True):
        for kind, prior in (*PATHS, *(("dense", prior) for prior in PRIORS)):
            rows = [row for name, row in done.items() if name.startswith(f"{kind} | {prior} | ")]
            style = "x" if kind == "dense" else "o-"
            panel.loglog(
                [r[x] for r in rows], [1000 * r["forces"] for r in rows], style, label=f"{kind}, {prior}"
            )
        for axis, ticks in ((panel.xaxis, XTICKS[x]), (panel.yaxis, YTICKS)):
            axis.set_minor_locator(NullLocator())
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_major_formatter(ScalarFormatter())
        panel.set(xlabel="functions" if x == "size" else "µs/atom", ylabel="force MAE, meV/Å")
    axes[0].legend(frameon=False, fontsize="small")
    for name, row in done.items():
        if "g O-O" in row and row.get("survived", True):
            label = "DFT" if name == "data" else name.split(" | ")[1]
            axes[2].plot(row["r"], row["g O-O"], "k--" if name == "data" else "-", label=label, lw=1.2)
    axes[2].set(xlabel="r, Å", ylabel="g, O-O", xlim=(2, 6))
    axes[2].legend(frameon=False, fontsize="x-small")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument(
        "--md", nargs="*", default=["OMP-algebraic4-400", "OMP-none-400", "OMP-algebraic4-100"],
        help="models to run, by name of their file",
    )  # fmt: skip
    parser.add_argument(
        "--degrees", nargs="+", type=int, default=[14, 12, 10], help="(another --out for others)"
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--ps", type=float, default=20.0)
    parser.add_argument("--out", type=Path, default=Path("water"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("Water, PBE0+TS")
    arguments.out.mkdir(parents=True, exist_ok=True)
    store = arguments.out / "results.json"
    done = json.loads(store.read_text()) if store.exists() else {}
    begin = time.process_time()
    water = Water(arguments.frames, arguments.degrees, arguments.out)
    paths(water, arguments.sizes, done, arguments.out)
    if "data" not in done:
        done["data"] = distributions([frame.to_atoms() for frame in water.all_test])
    for model in arguments.md:
        dynamics(model, arguments.ps, water, done, arguments.out)
    show(done)
    draw(done, arguments.out / "water.png")
    print(f"# {time.process_time() - begin:.0f} CPU s; figure {arguments.out / 'water.png'}")


if __name__ == "__main__":
    main()
