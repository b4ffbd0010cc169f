"""Cost of pair style lace: against the bare kernel, against built-in styles, with size, with ranks.

    python benchmarks/lammps/pair_lace.py [--sizes 1000,8000,64000,1000000] [--ranks 2] [--repeats 5] [--work FOLDER]

NVE of silicon at 300 K in the installed LAMMPS, skin 1 Å. Medians of CPU times (loop time × "% CPU use", so
that a busy machine does little harm). "Bare kernel" is the evaluator alone on the first structure with a list
without skin, timed in turns with LAMMPS. On several ranks waiting counts as CPU time: use an idle machine, or
look at the time of the forces alone (slowest rank). Bytes per atom hold lists, ghosts and all of LAMMPS.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from ase.build import bulk
from models import silicon

from common import processor
from lacemaker.deploy.lammps_build import build_plugin
from lacemaker.deploy.lammps_installation import find_lammps
from lacemaker.deploy.lammps_run import command, environment

INPUT = """
units metal
atom_style atomic
lattice diamond 5.432
region r block 0 {x} 0 {y} 0 {z}
create_box 1 r
create_atoms 1 box
mass 1 28.085
{pair}
velocity all create 600 4711 mom yes loop geom
timestep 0.001
neighbor 1.0 bin
fix 1 all nve
thermo 1000000
run {warm}
run {steps}
info memory
"""


class Bench:
    def __init__(self, work: Path) -> None:
        self.work, self.lammps = work, find_lammps()
        self.environment = environment(self.lammps, build_plugin(self.lammps))
        self.potential = silicon(work / "d17.lace")
        potentials = self.lammps.executable.parent / "share" / "lammps" / "potentials"
        self.styles = {
            "lace": f"pair_style lace\npair_coeff * * {work / 'd17.lace'} Si",
            "sw": f"pair_style sw\npair_coeff * * {potentials / 'Si.sw'} Si",
            "tersoff": f"pair_style tersoff\npair_coeff * * {potentials / 'Si.tersoff'} Si",
        }

    def step(self, style: str, cells: tuple[int, int, int], steps: int, ranks: int = 1) -> dict[str, float]:
        """CPU and wall µs per atom and step, MiB per rank as LAMMPS counts and as the C library does (rank 0)."""
        x, y, z = cells
        text = INPUT.format(x=x, y=y, z=z, pair=self.styles[style], warm=max(1, steps // 10), steps=steps)
        (self.work / "in.bench").write_text(text)
        run = command(self.lammps, ["-in", "in.bench", "-log", "none"], n_ranks=ranks)
        done = subprocess.run(run, cwd=self.work, env=self.environment, stdout=subprocess.PIPE, text=True)
        said = done.stdout
        if done.returncode:
            raise SystemExit(f"LAMMPS failed:\n{said[-2000:]}")
        seconds, atoms = re.findall(r"Loop time of (\S+) on \d+ procs for \d+ steps with (\d+) atoms", said)[
            -1
        ]
        cpu = float(re.findall(r"([\d.]+)% CPU use", said)[-1]) / 100
        memory = float(re.findall(r"Per MPI rank memory allocation .* = \S+ \| (\S+) \|", said)[-1])
        allocated = float(re.findall(r"Total dynamically allocated memory: (\S+) Mbyte", said)[-1])
        pair = float(re.findall(r"^Pair +\|[^|]+\|[^|]+\| (\S+)", said, re.MULTILINE)[-1])  # slowest rank
        each = 1e6 / (steps * int(atoms))
        return {
            "cpu": each * float(seconds) * cpu,
            "wall": each * float(seconds),
            "pair": each * pair,
            "atoms": int(atoms),
            "rank_mib": memory,
            "allocated_mib": allocated,
        }

    def bare(self, cells: tuple[int, int, int]) -> float:
        """CPU µs per atom of energy and forces alone."""
        atoms = bulk("Si", a=5.432, cubic=True).repeat(cells)
        atoms.positions += np.random.default_rng(0).normal(0, 0.08, atoms.positions.shape)
        evaluator = self.potential.evaluator(n_threads=1)
        species, positions, cell, pbc = evaluator.prepare(atoms)
        pairs = evaluator.neighbours(positions, cell, pbc)
        evaluator.evaluate(species, positions, cell, pbc, pairs)
        start, rounds = time.process_time(), 0
        while time.process_time() - start < 0.5:
            evaluator.evaluate(species, positions, cell, pbc, pairs)
            rounds += 1
        return 1e6 * (time.process_time() - start) / (rounds * len(atoms))


def near_cube(atoms: int) -> tuple[int, int, int]:
    """Cells of 8 atoms in each direction."""
    cells = [1, 1, 1]
    while 8 * cells[0] * cells[1] * cells[2] < atoms:
        cells[cells.index(min(cells))] += 1
    return cells[0], cells[1], cells[2]


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--sizes", default="1000,8000,64000,1000000")
    parse.add_argument("--ranks", type=int, default=2)
    parse.add_argument("--repeats", type=int, default=5)
    parse.add_argument("--work", type=Path, default=Path("bench-lammps"))
    options = parse.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.work.resolve())
    found = bench.lammps
    print(f"{processor()}; LAMMPS {found.version} {found.update}; {len(bench.potential.columns)} functions")
    cells = (4, 4, 4)
    bare, steps = [], {style: [] for style in bench.styles}
    for _ in range(options.repeats):
        bare.append(bench.bare(cells))
        for style in bench.styles:
            steps[style].append(bench.step(style, cells, 200 if style == "lace" else 1000)["cpu"])
    kernel = statistics.median(bare)
    cost = {style: statistics.median(times) for style, times in steps.items()}
    print(f"bare kernel, 512 atoms      {kernel:7.3f} µs/atom")
    for style, value in cost.items():
        print(f"pair_style {style:8s} 512 atoms {value:7.3f} µs/atom/step")
    print(f"lace / bare kernel          {cost['lace'] / kernel:7.3f}   (at most 1.3)")
    print(f"lace / sw                   {cost['lace'] / cost['sw']:7.2f}   (at most 10)")
    print(f"67.6 / lace                 {67.6 / cost['lace']:7.1f}   (ML-PACE, equal basis: at least 12)")
    print("     atoms  CPU µs/atom/step  B/atom (LAMMPS)  B/atom (allocated)")
    base = bench.step("lace", (1, 1, 1), 10)
    for size in map(int, options.sizes.split(",")):
        n = max(5, min(200, 1_000_000 // size))
        r = bench.step("lace", near_cube(size), n)
        lammps_bytes = 2**20 * (r["rank_mib"] - base["rank_mib"]) / r["atoms"]
        allocated = 2**20 * (r["allocated_mib"] - base["allocated_mib"]) / r["atoms"]
        print(f"{r['atoms']:10d}  {r['cpu']:16.3f}  {lammps_bytes:15.0f}  {allocated:18.0f}")
    if options.ranks > 1:
        for style in ("lace", "sw"):  # what the machine grants a built-in style is the measure
            one, many = [], []
            for _ in range(options.repeats):
                one.append(bench.step(style, (8, 8, 8), 300))
                many.append(bench.step(style, (8, 8, 8), 300, options.ranks))
            for clock, what in (("pair", "forces alone"), ("wall", "wall time")):
                a, b = (statistics.median(r[clock] for r in runs) for runs in (one, many))
                print(f"{style}, {options.ranks} ranks, 4096 atoms: {a / b:.2f} times one rank ({what})")


if __name__ == "__main__":
    main()
