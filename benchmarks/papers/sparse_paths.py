"""Sparse models of Zuo et al. 2020: ASP, OMP, ARD and dense fits from one pool, errors against size and cost.

Protocol of the sparse-solver paper (arXiv 2504.16418; its own tables are not public): order 3, degrees
[28,24,20] (2029 functions) or 25 (5317), algebraic prior p = 4, weights E 30 / F 1, no virials, no E0, the
given split. Paths and supports are found on 85 % of the training structures; "all" entries are refitted by
evidence on all of them. The test set is touched once per entry. Figures in brackets come from an independent
implementation.

    python benchmarks/papers/sparse_paths.py --elements Si Mo     # 2 min of one core per element
    python benchmarks/papers/sparse_paths.py --resplits 10        # paired intervals, 6 min per element
    python benchmarks/papers/sparse_paths.py --pool 5317          # the long run: about 1 h per element
    python benchmarks/papers/sparse_paths.py --ours               # fitted E0, virials, prior by evidence

Every finished entry is kept in ``--folder``; the same command continues where it was stopped.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lacemaker as lace
from common import R0, header
from lacemaker.analysis.errors import error_table
from lacemaker.regression import TriangularSystem
from lacemaker.regression.path import ModelPath
from lacemaker.regression.solvers.ard import ARD
from lacemaker.regression.solvers.asp import ASP
from lacemaker.regression.solvers.omp import OMP
from lacemaker.regression.solvers.path_base import PathSolver
from lacemaker.regression.solvers.rrqr import RRQR
from lacemaker.structures import fold_numbers
from zuo2020 import DEGREES, frames_of, published_basis

POOLS = {**DEGREES, "5317": (25, 25, 25)}
SIZES = (30, 50, 100, 200, 300, 500, 700, 1000)
FORCES_AND_ENERGIES = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}

# Test MAE (meV/atom, eV/Å) by element, entry and number of functions: independent NumPy implementation.
REFERENCE: dict[str, dict[str, dict[int, tuple[float, float]]]] = {
    "Si": {
        "ASP, Lasso": {100: (3.50, 0.0961), 300: (3.05, 0.0749), 1000: (2.27, 0.0630)},
        "ASP, TSVD": {100: (3.24, 0.0912), 300: (2.66, 0.0736), 1000: (2.41, 0.0632)},
        "ASP, all": {100: (3.08, 0.0908), 300: (2.44, 0.0728), 1000: (2.29, 0.0624)},
        "OMP": {100: (2.62, 0.0937), 300: (2.98, 0.0718), 1000: (2.10, 0.0636)},
        "dense": {319: (3.52, 0.0855), 1041: (2.29, 0.0654), 2029: (2.14, 0.0617)},
    },
    "Mo": {
        "ASP, Lasso": {100: (3.31, 0.1366), 300: (2.49, 0.1058), 1000: (2.22, 0.0956)},
        "ASP, TSVD": {100: (3.53, 0.1310), 300: (2.66, 0.1032), 1000: (1.99, 0.0982)},
        "ASP, all": {100: (3.72, 0.1316), 300: (2.56, 0.1031), 1000: (2.37, 0.0960)},
        "OMP": {100: (3.89, 0.1295), 300: (2.47, 0.1028), 1000: (2.28, 0.0976)},
        "dense": {319: (2.39, 0.1220), 1041: (2.88, 0.0964), 2029: (1.93, 0.0942)},
    },
    "Ge": {
        "ASP, Lasso": {100: (2.66, 0.0777), 300: (1.89, 0.0557), 1000: (1.60, 0.0472)},
        "ASP, TSVD": {100: (5.29, 0.0956), 300: (1.98, 0.0539), 1000: (1.78, 0.0492)},
        "ASP, all": {100: (2.99, 0.0708), 300: (2.19, 0.0544), 1000: (1.93, 0.0477)},
        "OMP": {100: (2.18, 0.0683), 300: (1.75, 0.0540), 1000: (1.68, 0.0472)},
        "dense": {319: (2.68, 0.0634), 1041: (2.19, 0.0506), 2029: (2.01, 0.0471)},
    },
    "Li": {
        "ASP, Lasso": {100: (0.378, 0.0094), 300: (0.252, 0.0059), 1000: (0.187, 0.0047)},
        "ASP, TSVD": {100: (0.329, 0.0088), 300: (0.244, 0.0057), 1000: (0.183, 0.0046)},
        "ASP, all": {100: (0.310, 0.0088), 300: (0.229, 0.0057), 1000: (0.184, 0.0046)},
        "OMP": {100: (0.366, 0.0089), 300: (0.257, 0.0059), 1000: (0.185, 0.0046)},
        "dense": {319: (0.233, 0.0062), 1041: (0.167, 0.0048), 2029: (0.168, 0.0044)},
    },
    "Ni": {
        "ASP, Lasso": {100: (0.996, 0.0253), 300: (0.426, 0.0167), 1000: (0.405, 0.0142)},
        "ASP, TSVD": {100: (0.965, 0.0240), 300: (0.345, 0.0162), 1000: (0.440, 0.0142)},
        "ASP, all": {100: (0.759, 0.0241), 300: (0.361, 0.0162), 1000: (0.288, 0.0141)},
        "OMP": {100: (0.565, 0.0223), 300: (0.388, 0.0159), 1000: (0.315, 0.0143)},
        "dense": {319: (0.409, 0.0180), 1041: (0.334, 0.0146), 2029: (0.300, 0.0136)},
    },
    "Cu": {
        "ASP, Lasso": {100: (1.01, 0.0160), 300: (0.250, 0.0076), 1000: (0.176, 0.0053)},
        "ASP, TSVD": {100: (0.765, 0.0152), 300: (0.218, 0.0071), 1000: (0.176, 0.0052)},
        "ASP, all": {100: (0.609, 0.0152), 300: (0.237, 0.0071), 1000: (0.169, 0.0052)},
        "OMP": {100: (0.865, 0.0160), 300: (0.246, 0.0077), 1000: (0.156, 0.0052)},
        "dense": {319: (0.294, 0.0071), 1041: (0.222, 0.0054), 2029: (0.157, 0.0049)},
    },
}
Rows = list[dict[str, Any]]


class Study:
    """One element, one pool: a system that is assembled once, entries that are kept when done."""

    def __init__(self, element: str, pool: str, folder: Path, *, ours: bool) -> None:
        self.element, self.pool, self.ours = element, pool, ours
        self.options: dict[str, Any] = {"prior": lace.AlgebraicPrior(p=4), "e0": "zero"}
        if ours:
            self.options = {"prior": "evidence", "e0": "fit"}
        self.train, self.test = frames_of(element)
        self._file = folder / f"{element}-{pool}{'-ours' if ours else ''}"
        self._results = Path(f"{self._file}.json")
        self.done: dict[str, Rows] = {}
        if self._results.exists():
            self.done = json.loads(self._results.read_text())
        self._system: TriangularSystem | None = None

    @property
    def system(self) -> TriangularSystem:
        """Fold 0 is 15 % of the structures, fold 1 the rest."""
        if self._system is None:
            stored = Path(f"{self._file}.safetensors")
            if not stored.exists():
                self._assemble().save(stored)
            self._system = TriangularSystem.load(stored)
        return self._system

    def _assemble(self) -> TriangularSystem:
        parts = np.asarray(fold_numbers(self.train, 20, seed=1))
        weights = None if self.ours else FORCES_AND_ENERGIES
        basis = published_basis(self.element, POOLS[self.pool])
        folds = np.where(parts < 0, parts, np.where(parts < 3, 0, 1))
        system = lace.assemble(
            basis, self.train, folds=folds, group_by=lambda frame: "all", weights=weights, n_threads=1
        )
        if self.ours:
            return system
        return system.select(lambda key: not key.kind.startswith("virial"))

    def entry(self, name: str, work: Callable[[], Rows]) -> Rows:
        """Results of one entry, computed or read back."""
        if name not in self.done:
            self.done[name] = work()
            self._results.write_text(json.dumps(self.done, indent=1))
        return self.done[name]

    def path(self, name: str, solver: PathSolver, *, refit_all: bool) -> Rows:
        def work() -> Rows:
            begin = time.process_time()
            path = lace.solve(self.system, solver=solver, validation=0, **self.options)
            if refit_all:
                path = path.refitted(self.system, **self.options)
            return self.rows(path, time.process_time() - begin)

        return self.entry(name, work)

    def rows(self, path: ModelPath, seconds: float) -> Rows:
        tested = path.measured().tested("test", self.test)
        return [
            {
                "size": m.size,
                "energy": m.mae["test"]["energy"],
                "forces": m.mae["test"]["forces"],
                "cost": m.cost,
                "seconds": seconds,
            }
            for m in tested
        ]

    def dense(self, name: str, solver: Any, columns: np.ndarray) -> Rows:
        def work() -> Rows:
            begin = time.process_time()
            fit = lace.solve(self.system.restrict(columns), solver=solver, **self.options)
            seconds = time.process_time() - begin
            potential = fit.potential()
            from lacemaker.potential.speed import measure_speed

            total = error_table(potential, self.test).total
            return [
                {
                    "size": int(np.count_nonzero(fit.coefficients)),
                    "energy": total.energy_mae_meV_per_atom,
                    "forces": total.forces_mae_eV_per_A,
                    "cost": measure_speed(potential, n_cells=3).microseconds_per_atom,
                    "seconds": seconds,
                }
            ]

        return self.entry(name, work)

    def nested(self, model: str) -> np.ndarray:
        """Columns of a smaller published basis within the pool."""
        wanted = {key(f) for f in published_basis(self.element, POOLS[model]).columns}
        return np.array([i for i, f in enumerate(self.system.functions) if key(f) in wanted])

    def run(self) -> None:
        sizes = SIZES
        for model in ("319", "1041", self.pool):
            self.dense(f"dense {model}", lace.BLR(), self.nested(model))
        self.dense(f"RRQR {self.pool}", RRQR(), self.nested(self.pool))
        self.path("OMP", OMP(sizes=sizes, refit="none"), refit_all=False)
        self.path("OMP, all", OMP(sizes=sizes), refit_all=True)
        self.path("OMP, cost", OMP(sizes=sizes, cost_weight=0.5), refit_all=True)
        self.path("ASP, Lasso", ASP(sizes=sizes, refit="none"), refit_all=False)
        self.path("ASP, TSVD", ASP(sizes=sizes, refit="tsvd"), refit_all=False)
        self.path("ASP, all", ASP(sizes=sizes), refit_all=True)
        for threshold in (10.0, 100.0, 1000.0):
            self.dense(f"ARD {threshold:g}", ARD(threshold=threshold), np.arange(self.system.n_functions))

    def report(self) -> None:
        reference = REFERENCE[self.element]
        title = "test MAE, meV/atom | eV/Å   (reference)   µs/atom   CPU s of the path"
        print(f"\n{self.element}, pool {self.pool}: {title}")
        for name, rows in self.done.items():
            family = "dense" if name.startswith("dense") else name
            for row in rows:
                expected = reference.get(family, {}).get(row["size"])
                beside = f"({expected[0]:.2f} | {expected[1]:.4f})" if expected and not self.ours else ""
                errors = f"{row['energy']:6.3f} | {row['forces']:.4f}"
                print(
                    f"  {name:12s} {row['size']:5d}  {errors}  {beside:17s} "
                    f"{row['cost']:6.2f}  {row['seconds']:6.1f}"
                )
        self._verdict()

    def _verdict(self) -> None:
        dense = self.done["dense 319"][0]["forces"]
        for name in ("ASP, all", "OMP", "OMP, all"):
            for row in self.done.get(name, ()):
                if row["size"] == 300:
                    ratio = row["forces"] / dense
                    print(f"  {name} 300 / dense 319, force MAE: {ratio:.3f} (aim for Mo, Si, Ge: 0.90)")


def key(function: Any) -> tuple[Any, ...]:
    """Identity of a function across bases."""
    return function.kind, function.centre, tuple(sorted(function.channels)), function.multiplicity


def resplits(element: str, pool: str, folder: Path, count: int) -> None:
    """Every fold is the test set once: sparse 300 and 1000 over dense 319, paired on the same cells."""
    store = folder / f"{element}-{pool}-resplits.json"
    done: dict[str, dict[str, list[float]]] = json.loads(store.read_text()) if store.exists() else {}
    train, test = frames_of(element)
    frames = train + test
    folds = np.asarray(fold_numbers(frames, count, seed=0))
    study = Study(element, pool, folder, ours=False)
    if len(done) < count:
        whole = lace.assemble(
            published_basis(element, POOLS[pool]), frames, folds=folds, group_by=lambda frame: "all",
            weights=FORCES_AND_ENERGIES,
        )  # fmt: skip
        whole = whole.select(lambda group: not group.kind.startswith("virial"))
        study._system = whole
        small = study.nested("319")
    for fold in range(count):
        if str(fold) in done:
            continue
        held_out = frames.subset(folds == fold)
        part = whole.without_fold(fold)
        models = {"dense 319": lace.solve(part.restrict(small), **study.options).potential()}
        for name, solver in (("OMP", OMP(sizes=(300, 1000))), ("ASP", ASP(sizes=(300, 1000)))):
            path = lace.solve(part, solver=solver, validation=(fold + 1) % count, **study.options)
            path = path.refitted(part, **study.options)
            models |= {f"{name} {model.size}": model.potential() for model in path}
        models["dense pool"] = lace.solve(part, **study.options).potential()
        tables = {name: error_table(model, held_out).total for name, model in models.items()}
        done[str(fold)] = {
            name: [float(t.energy_mae_meV_per_atom or 0), float(t.forces_mae_eV_per_A or 0)]
            for name, t in tables.items()
        }
        store.write_text(json.dumps(done, indent=1))
    print(f"\n{element}: {count} re-splits, mean test MAE; paired force MAE over dense 319 [95 % interval]")
    values = {name: np.array([done[k][name] for k in sorted(done, key=int)]) for name in done["0"]}
    for name, table in values.items():
        ratios = table[:, 1] / values["dense 319"][:, 1]
        draws = np.random.default_rng(0).choice(ratios, size=(4000, len(ratios))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        energy, forces = table.mean(axis=0)
        interval = f"{ratios.mean():.3f} [{low:.3f}, {high:.3f}]"
        print(f"  {name:12s} {energy:6.3f} | {forces:.4f}   {interval}")


def figure(studies: list[Study], folder: Path) -> None:
    """Force MAE against functions and against µs/atom."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawing, axes = plt.subplots(len(studies), 2, figsize=(9, 3.4 * len(studies)), squeeze=False)
    for study, row in zip(studies, axes, strict=True):
        for axis, quantity in zip(row, ("size", "cost"), strict=True):
            for name in ("OMP, all", "OMP, cost", "ASP, Lasso", "ASP, all"):
                rows = study.done[name]
                axis.loglog([r[quantity] for r in rows], [r["forces"] for r in rows], "o-", ms=3, label=name)
            dense = [r for name, rows in study.done.items() if name.startswith("dense") for r in rows]
            x, y = [r[quantity] for r in dense], [r["forces"] for r in dense]
            axis.loglog(x, y, "ks--", ms=4, label="dense")
            axis.set_xlabel("functions" if quantity == "size" else "µs/atom, one core")
            axis.set_ylabel(f"{study.element} test force MAE, eV/Å")
        row[0].legend(fontsize=7)
    drawing.tight_layout()
    drawing.savefig(folder / "sparse_paths.svg")
    print(f"\nfigure: {folder / 'sparse_paths.svg'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=list(R0))
    parser.add_argument("--pool", default="2029", choices=["1041", "2029", "5317"])
    parser.add_argument("--folder", type=Path, default=Path("sparse-paths"))
    parser.add_argument("--resplits", type=int, default=0)
    parser.add_argument("--ours", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("Zuo 2020, sparse models")
    begin = time.process_time()
    if arguments.resplits:
        for element in arguments.elements:
            resplits(element, arguments.pool, arguments.folder, arguments.resplits)
    else:
        studies = [
            Study(e, arguments.pool, arguments.folder, ours=arguments.ours) for e in arguments.elements
        ]
        for study in studies:
            study.run()
            study.report()
        figure(studies, arguments.folder)
    print(f"\nCPU time {time.process_time() - begin:.0f} s")


if __name__ == "__main__":
    main()
