"""Cost of uncertainties: committee standard deviations and extrapolation grades against a force call.

    taskset -c 0 python benchmarks/uncertainty.py [--models 319 1041 2029] [--members 8] [--rounds 15]

Silicon bases of Zuo et al. 2020 (cutoff 2.5 r0), random coefficients and a random inverse of the active set:
the cost does not depend on their values. 512 atoms of rattled diamond, one thread, neighbour list excluded. CPU
times (process clock), medians over rounds in which the three calls take turns; the ratio is of the medians.
"committee" is the committee call alone; "with call" adds the force call, as a calculator makes both.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from ase.build import bulk

import lacemaker as lace
from common import header
from lacemaker.uncertainty import Committee
from lacemaker.uncertainty.extrapolation import ExtrapolationGrade
from lacemaker.uncertainty.functions import attach_functions
from lacemaker.uncertainty.storage import Deviations
from zuo2020 import DEGREES, published_basis


def potential_of(model: str) -> lace.Potential:
    basis, rng = published_basis("Si", DEGREES[model]), np.random.default_rng(0)
    n = basis.n_functions
    potential = attach_functions(lace.Potential(basis, rng.normal(size=n), [0.0]))
    sets = {
        "grade.first": np.array([0, n], dtype=np.int32),
        "grade.column": np.arange(n, dtype=np.int32),
        "grade.inverse": rng.normal(size=n * n),
        "grade.environment": np.zeros((n, 2), dtype=np.int32),
    }
    return potential.with_extras(**sets)


def turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each call."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            times[name].append(time.process_time() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(model: str, members: int, rounds: int, isa: str) -> dict[str, float]:
    """µs per atom."""
    potential, rng = potential_of(model), np.random.default_rng(1)
    atoms = bulk("Si", a=5.432, cubic=True).repeat(4)
    atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
    n = len(potential.coefficients)
    samples = Deviations(1e-3 * rng.normal(size=(members, n)), np.zeros((members, 1)))
    evaluator, committee = potential.evaluator(isa, n_threads=1), Committee(potential, samples, isa=isa)
    grade = ExtrapolationGrade(potential, isa=isa)
    species, positions, cell, pbc = evaluator.prepare(atoms)
    pairs = evaluator.neighbours(positions, cell, pbc)
    found = turns(
        {
            "forces": lambda: evaluator.evaluate(species, positions, cell, pbc, pairs),
            "committee": lambda: committee.spread(species, positions, cell, pbc, pairs),
            "grade": lambda: grade.grades(species, positions, cell, pairs),
        },
        rounds,
    )
    return {name: 1e6 * seconds / len(atoms) for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(DEGREES), choices=list(DEGREES))
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--isa", default="auto")
    options = parser.parse_args()
    header(f"Committee of {options.members} and extrapolation grade, µs per atom, {options.isa}")
    print(f"{'model':>6s} {'forces':>8s} {'committee':>10s} {'with call':>10s} {'grade':>8s} {'ratio':>7s}")
    for model in options.models:
        t = measure(model, options.members, options.rounds, options.isa)
        ratio = 1 + t["committee"] / t["forces"]
        print(
            f"{model:>6s} {t['forces']:8.2f} {t['committee']:10.2f} {ratio:9.2f}x {t['grade']:8.2f} "
            f"{t['grade'] / t['forces']:6.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    main()
