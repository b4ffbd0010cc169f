"""Evaluator and design rows, and ace-jax (if installed) on bases of equal functions in the same run.

CPU time of one thread, medians, neighbour lists excluded for the kernels. ace-jax is measured in the two forms its
users have: the ASE calculator with default settings (list reused through its skin, so the list is excluded there
too, Python overhead included) and its compiled C++ kernel with a radial table. The bases share order, total degree,
wL, cutoff and structure: the counts of functions are printed beside the times.

    taskset -c 1 python benchmarks/kernels.py
    taskset -c 1 python benchmarks/kernels.py --ace-jax
    python benchmarks/kernels.py --threads          # wall time of one against two threads
"""

import argparse
from functools import partial
from types import SimpleNamespace

import numpy as np

import lacemaker as lace
from ace_jax_kernel import ace_jax_times
from common import header, median_cpu
from lacemaker.analysis.speed import (
    STANDARD_MODELS,
    evaluation_speed,
    rattled_silicon,
    row_speed,
    standard_model,
)
from lacemaker.structures import neighbour_list

# name, correlation order, total degree, cutoff (Å); wL = 1.5, the selection both codes share.
SHARED = [
    ("order 3, D 13", 3, 13, 5.5),
    ("order 3, D 17", 3, 17, 5.5),
    ("order 4, D 12", 4, 12, 5.5),
    ("order 4, D 16", 4, 16, 5.5),
]
# Zen 5 targets: µs/atom for energy + forces with AVX-512 (general radial basis included), s per 1000 atoms for rows.
TARGETS = {
    "order 3, 44 neighbours, small": (1.6, 0.04),
    "order 3, 44 neighbours, large": (3.2, 0.13),
    "order 3, 140 neighbours, large": (7.5, None),
}


def random_potential(basis: lace.ACEBasis) -> lace.Potential:
    """Every function in use, so that the program is as long as it can be."""
    coefficients = 1e-3 * np.random.default_rng(0).normal(size=basis.n_functions)
    return lace.Potential(basis, coefficients, np.zeros(basis.n_elements))


def own_table(isas: list[str]) -> None:
    print(
        f"{'model':32s} {'ISA':9s} {'K':>5s} {'n_A':>4s} {'AA':>6s} {'nb':>6s} {'f64 µs/atom':>12s} {'f32':>7s} {'rows s/1000':>12s}"
    )
    for name in STANDARD_MODELS:
        potential = standard_model(name)
        basis = potential.basis
        size = basis.counts().centres[0]
        for isa in isas:
            double = evaluation_speed(potential, 512, isa=isa)
            single = evaluation_speed(potential, 512, isa=isa, dtype="float32")
            rows = row_speed(potential, basis, 512, isa=isa)
            print(
                f"{name:32s} {isa:9s} {basis.n_functions:5d} {size.n_a:4d} {size.n_products:6d} {double.neighbours:6.1f} "
                f"{double.cpu_us_per_atom:12.2f} {single.cpu_us_per_atom:7.2f} {rows.cpu_s_per_1000_atoms:12.4f}",
                flush=True,
            )
        if name in TARGETS:
            print(
                f"{'  target, Zen 5 core':32s} {'avx512':9s} {'':30s} {TARGETS[name][0]:12.2f} {'':7s} {TARGETS[name][1] or '':>12}"
            )


def several_species(isas: list[str]) -> None:
    """A random alloy on the silicon positions: the cost of species at equal neighbours."""
    print(
        f"\n{'random alloy, order 3, 44 neighbours':38s} {'ISA':9s} {'K/centre':>8s} {'n_A':>4s} {'AA':>6s} {'µs/atom':>8s}"
    )
    solid = rattled_silicon(512)
    for symbols, degree in ((["Si"], 17), (["Si", "Ge"], 11), (["C", "Si", "Ge", "Sn"], 8)):
        basis = lace.ACEBasis(symbols, 3, degree, cutoff=6.0, r0=2.35)
        numbers = np.random.default_rng(1).choice(
            [{"C": 6, "Si": 14, "Ge": 32, "Sn": 50}[s] for s in symbols], 512
        )
        structure = SimpleNamespace(
            positions=solid.positions, cell=solid.cell, pbc=solid.pbc, numbers=numbers
        )
        for isa in isas:
            evaluator = random_potential(basis).evaluator(isa=isa, n_threads=1)
            species, positions, cell, pbc = evaluator.prepare(structure)
            pairs = evaluator.neighbours(positions, cell, pbc)
            seconds = median_cpu(
                partial(evaluator.evaluate, species, positions, cell, pbc, pairs, n_threads=1)
            )
            size = basis.counts().centres[0]
            print(
                f"{'-'.join(symbols):38s} {isa:9s} {basis.n_functions // len(symbols):8d} {size.n_a:4d} "
                f"{size.n_products:6d} {1e6 * seconds / 512:8.2f}"
            )


def against_ace_jax() -> None:
    print(
        f"\n{'rattled Si, 512 atoms':16s} {'K ours':>6s} {'K peer':>6s} {'nb':>5s} {'ours':>7s} {'peer kernel':>12s} {'ratio':>6s} {'calculator':>11s} {'ratio':>6s}"
    )
    solid = rattled_silicon(512)
    for name, order, degree, cutoff in SHARED:
        basis = lace.ACEBasis(["Si"], order, degree, cutoff=cutoff, repulsion=None)
        evaluator = random_potential(basis).evaluator(n_threads=1)
        species, positions, cell, pbc = evaluator.prepare(solid)
        pairs = evaluator.neighbours(positions, cell, pbc)
        call = partial(evaluator.evaluate, species, positions, cell, pbc, pairs, n_threads=1)
        ours = 1e6 * median_cpu(call) / 512
        neighbours = neighbour_list(positions, cell, pbc, cutoff)
        peer = ace_jax_times(solid, neighbours, order, degree, cutoff)
        print(
            f"{name:16s} {basis.n_functions:6d} {peer.n_functions:6d} {neighbours.n_pairs / 512:5.1f} {ours:7.2f} "
            f"{peer.kernel:12.2f} {peer.kernel / ours:6.1f} {peer.calculator:11.1f} {peer.calculator / ours:6.1f}",
            flush=True,
        )


def two_threads() -> None:
    potential = standard_model("order 3, 44 neighbours, large")
    one = evaluation_speed(potential, 4096, n_threads=1).wall_us_per_atom
    two = evaluation_speed(potential, 4096, n_threads=2).wall_us_per_atom
    print(f"wall µs/atom, 4096 atoms: one thread {one:.2f}, two threads {two:.2f}, speed-up {one / two:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ace-jax", action="store_true", help="also measure ace-jax (PyPI: ace-jax)")
    parser.add_argument("--threads", action="store_true", help="wall time of one against two threads only")
    arguments = parser.parse_args()
    header("Kernels: CPU µs/atom, energy + forces, one thread")
    if arguments.threads:
        two_threads()
        return
    from lacemaker import _core

    own_table(_core.isas())
    several_species(_core.isas()[-1:])
    if arguments.ace_jax:
        against_ace_jax()


if __name__ == "__main__":
    main()
