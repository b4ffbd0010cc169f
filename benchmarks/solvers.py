"""CPU seconds, memory and accuracy of every solver on a finished triangular system; what a function costs.

Silicon of Zuo et al. 2020, pool of 2029 functions (or 1041, 5317), published settings, fold 0 (1/7) for
validation. Aims on one core: ASP path to 1000 functions < 15 s, OMP < 3 s, BLR < 5 s, ARD < 60 s. KKT: the
largest violation of the optimality conditions over every 40th ASP point, relative to λ or to round-off (see
lacemaker.regression.homotopy).

    OMP_NUM_THREADS=1 python benchmarks/solvers.py                 # about 3 min with assembly
    OMP_NUM_THREADS=1 python benchmarks/solvers.py --costs         # µs per product and per A function
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import lacemaker as lace
from common import header, peak_memory_mib
from lacemaker.potential.speed import measure_speed
from lacemaker.regression import TriangularSystem
from lacemaker.regression.homotopy import lasso_path, polished, violation
from lacemaker.regression.solvers import parse_solver
from zuo2020 import DEGREES, frames_of, published_basis

POOLS = {**DEGREES, "5317": (25, 25, 25)}
WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
SOLVERS = (
    {"kind": "blr"},
    {"kind": "omp", "sizes": [300, 1000]},
    {"kind": "asp", "sizes": [300, 1000]},
    {"kind": "rrqr"},
    {"kind": "tsvd"},
    {"kind": "lsqr"},
    {"kind": "ard", "threshold": 10.0},
    {"kind": "ard", "threshold": 100.0},
    {"kind": "ard", "threshold": 1000.0},
)


def system_of(pool: str, store: Path | None) -> TriangularSystem:
    """Assembled once; kept in ``store`` when given."""
    if store is not None and store.exists():
        return TriangularSystem.load(store)
    train, _ = frames_of("Si")
    system = lace.assemble(
        published_basis("Si", POOLS[pool]), train, folds=7, group_by=lambda frame: "all", weights=WEIGHTS
    )
    system = system.select(lambda key: not key.kind.startswith("virial"))
    if store is not None:
        system.save(store)
    return system


def solver_table(system: TriangularSystem) -> None:
    print(f"{'solver':24s} {'functions':>9s} {'CPU s':>7s} {'validation F':>12s} {'peak MiB':>9s}")
    for table in SOLVERS:
        begin = time.process_time()
        found = lace.solve(system, solver=parse_solver(table), prior="algebraic", e0="zero", validation=0)
        seconds = time.process_time() - begin
        fits = [found] if isinstance(found, lace.regression.Fit) else [model.fit for model in found]
        name = " ".join(str(value) for key, value in table.items() if key != "sizes")
        for fit in fits:
            rmse = fit.rmse["validation"]["total"]["forces"]
            count = int(np.count_nonzero(fit.coefficients))
            print(f"{name:24s} {count:9d} {seconds:7.2f} {rmse:12.4f} {peak_memory_mib():9.0f}", flush=True)


def path_certificate(system: TriangularSystem, max_active: int) -> None:
    """Time the bare homotopy and check every 20th breakpoint."""
    gamma = lace.AlgebraicPrior(p=4).gamma(system.functions)
    factor = system.without_fold(0).weighted()
    matrix = np.asfortranarray(factor.array[1:, 1:-1] / gamma)  # E0 fitted: its row and column dropped
    target = factor.array[1:, -1].copy()
    begin = time.process_time()
    path = list(lasso_path(matrix, target, max_active=max_active))
    seconds = time.process_time() - begin
    worst = max(violation(matrix, target, polished(matrix, target, p)) for p in path[1::40])
    drops = sum(point.event == "drop" for point in path)
    print(
        f"homotopy to {max_active}: {seconds:.2f} CPU s, {len(path)} steps, {drops} drops, "
        f"λ over {np.log10(path[0].penalty / path[-1].penalty):.1f} decades, KKT {worst:.1e}"
    )


def cost_table() -> None:
    """Regress measured µs/atom on the numbers of products and A functions of random sparse programs."""
    basis = published_basis("Si", POOLS["1041"])
    rng = np.random.default_rng(0)
    rows, times = [], []
    for size in (20, 40, 80, 160, 320, 640):
        for draw in range(3):
            order = rng.permutation(basis.n_functions) if draw else np.arange(basis.n_functions)
            coefficients = np.zeros(basis.n_functions)
            coefficients[order[:size]] = 1e-3
            potential = lace.Potential(basis, coefficients, np.zeros(1))
            arrays = potential.program.arrays
            used = np.unique(arrays["term_index"])
            rows.append([1.0, len(arrays["term_weight"]), len(used)])
            times.append(measure_speed(potential, n_cells=3, repeats=7).microseconds_per_atom)
    slopes, *_ = np.linalg.lstsq(np.array(rows), np.array(times), rcond=None)
    left = np.std(np.array(rows) @ slopes - times)
    print(
        f"µs/atom = {slopes[0]:.3f} + {slopes[1]:.5f} per product + {slopes[2]:.5f} per A function "
        f"(scatter {left:.3f}, range {min(times):.2f} to {max(times):.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", default="2029", choices=["1041", "2029", "5317"])
    parser.add_argument("--store", type=Path, help="file to keep the assembled system in")
    parser.add_argument("--costs", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("Sparse solvers on a finished triangular system")
    if arguments.costs:
        cost_table()
        return
    system = system_of(arguments.pool, arguments.store)
    path_certificate(system, min(1000, system.n_functions // 2))
    solver_table(system)


if __name__ == "__main__":
    sys.exit(main())
