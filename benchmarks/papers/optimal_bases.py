"""Optimal (functionally independent) ACE bases on Zuo 2020: where they help and where not.

    python benchmarks/papers/optimal_bases.py sizes                      # N_opt against N_full: 10 s
    python benchmarks/papers/optimal_bases.py fit --elements Si Mo       # half a CPU minute per element
    python benchmarks/papers/optimal_bases.py table                      # of everything finished
    python benchmarks/papers/optimal_bases.py summary                    # ratios to the full basis
    python benchmarks/papers/optimal_bases.py figures                    # PNG beside the results

Families, all with the same pair block, weights (E 30, F 1), algebraic prior p = 4, fitted E0, and a Bayesian
ridge chosen by evidence on the training part alone; errors are those of the published test part:

    full        all functions up to degree D, correlation order 3
    optimal     the functionally independent ones of `full`, degree first
    body_order  the same, correlation order first
    nu2         correlation order 1 and 2 only, higher degree
    random      as many functions as an optimal set, drawn from the full basis (three draws)
    path        optimal functions first, then the rest by degree: an ordering for nested models
    readout     an optimal set and products of its functions up to a degree and correlation order
    asp, omp    sparse selection from the full basis; asp-opt, omp-opt: from its optimal part

Rows are made once per element and kept as triangular systems; every fit is a line of results.jsonl and is not
repeated. Compare at equal size and at equal µs per atom, never by name.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import lacemaker as lace
from common import R0, data_folder, header
from lacemaker.analysis.speed import evaluation_speed
from lacemaker.basis import PairBasis
from lacemaker.regression import TriangularSystem

WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
LARGEST = 18  # degree of the full basis
DEGREES = (8, 10, 12, 14, 16, 18)
QUANTITIES = ("forces", "energy")
PATH_SIZES = (160, 220, 300, 420, 600)
SPARSE_SIZES = (52, 84, 127, 183, 250, 350)
READOUT = (4, 4, 14)  # factors, correlation order, degree of all products made
# degree of the optimal set, then correlation order and degree of the products (not above the former)
READOUTS = [(8, 3, 8), (10, 3, 10), (12, 3, 8), (12, 3, 10), (14, 3, 10), (18, 3, 10), (18, 3, 12),
            (10, 4, 10), (12, 4, 10), (12, 4, 12), (14, 4, 12), (18, 4, 12), (18, 4, 14)]  # fmt: skip


@dataclass(frozen=True)
class Model:
    """Some columns of one of the two assembled bases."""

    family: str
    label: str
    basis: str  # "full" or "products"
    columns: np.ndarray


def degrees_of(basis: lace.ACEBasis) -> np.ndarray:
    """(n_many_body,) n + 3/2 l summed over the channels."""
    return np.array(
        [sum(n + 1.5 * ell for _, n, ell in f.channels) for f in basis.columns[: basis.n_many_body]]
    )


def orders_of(basis: lace.ACEBasis) -> np.ndarray:
    return np.array([f.correlation_order for f in basis.columns[: basis.n_many_body]])


def bases_of(element: str) -> dict[str, lace.ACEBasis]:
    full = lace.ACEBasis([element], 3, LARGEST, cutoff=2.5 * R0[element], pair=PairBasis(max_degree=12))
    factors, order, degree = READOUT
    return {"full": full, "products": full.optimal().with_products(factors, order, degree)}


def systems_of(element: str, work: Path) -> dict[str, dict[str, TriangularSystem]]:
    """Training and test systems of both bases, from disk where they are."""
    found: dict[str, dict[str, TriangularSystem]] = {}
    for name, basis in bases_of(element).items():
        found[name] = {}
        for part in ("train", "test"):
            path = work / f"{element}-{name}-{part}-{basis.digest[:12]}.system"
            if not path.exists():
                begin = time.process_time()
                frames = lace.read(data_folder("zuo2020") / element / f"{part}.xyz.xz")
                system = lace.assemble(basis, frames, weights=WEIGHTS, group_by=lambda frame: "default")
                system.save(path)
                print(f"{element} {name} {part}: {basis.n_functions} columns, "
                      f"{time.process_time() - begin:.0f} CPU s", flush=True)  # fmt: skip
            found[name][part] = TriangularSystem.load(path)
    return found


def models_of(bases: dict[str, lace.ACEBasis]) -> Iterator[Model]:
    """All models but the sparse ones."""
    full, products = bases["full"], bases["products"]
    degree, order = degrees_of(full), orders_of(full)
    kept = full.independent_functions()
    for largest in DEGREES:
        inside = degree <= largest
        yield Model("full", f"D={largest}", "full", np.flatnonzero(inside))
        yield Model("optimal", f"D={largest}", "full", np.flatnonzero(inside & kept.mask))
        body = full.subset(np.flatnonzero(inside)).independent_functions("body_order")
        yield Model("body_order", f"D={largest}", "full", np.flatnonzero(inside)[body.mask])
        yield Model("nu2", f"D={largest}", "full", np.flatnonzero(inside & (order <= 2)))
        if largest in (12, 14, 16, 18):
            size = int((inside & kept.mask).sum())
            for seed in range(3):
                drawn = np.random.default_rng(seed).choice(np.flatnonzero(inside), size, replace=False)
                yield Model("random", f"D={largest} #{seed}", "full", np.sort(drawn))
    ordering = kept.ordering
    for size in PATH_SIZES:
        yield Model("path", f"n={size}", "full", np.sort(ordering[:size]))
    p_degree, p_order = degrees_of(products), orders_of(products)
    single = products.full_columns[: products.n_many_body] >= 0
    for largest, nu, highest in READOUTS:
        chosen = np.where(single, p_degree <= largest, (p_degree <= highest) & (p_order <= nu))
        yield Model("readout", f"opt {largest}, nu {nu}, D={highest}", "products", np.flatnonzero(chosen))


def sparse_models(
    bases: dict[str, lace.ACEBasis], systems: dict[str, dict[str, TriangularSystem]]
) -> Iterator[Model]:
    """Supports found by OMP and ASP, from the full basis and from its optimal part; refitted like all."""
    try:
        from lacemaker.regression.solvers.asp import ASP
        from lacemaker.regression.solvers.omp import OMP
    except ImportError:
        return
    full = bases["full"]
    n, total = full.n_many_body, full.n_functions
    kept = np.concatenate([full.independent_functions().columns, np.arange(n, total)])
    sizes = tuple(s + total - n for s in SPARSE_SIZES)
    for suffix, pool in (("", np.arange(total)), ("-opt", kept)):
        system = systems["full"]["train"].restrict(pool)
        for name, kind in (("asp", ASP), ("omp", OMP)):
            wanted = tuple(s for s in sizes if s < len(pool))
            solver = kind(sizes=wanted, max_functions=max(wanted), refit="none")
            path = lace.solve(system, solver=solver, prior="algebraic")
            for model in path:
                used = np.sort(pool[model.support])
                yield Model(name + suffix, f"n={len(used)}", "full", used)


def fit_one(element: str, model: Model, bases: dict, systems: dict) -> dict[str, object]:
    """Fit by evidence on the training part; errors of the test part; measured cost."""
    basis, pair = systems[model.basis], bases[model.basis]
    n = pair.n_many_body
    columns = model.columns
    if not (columns >= n).any():
        columns = np.concatenate([columns, np.arange(n, pair.n_functions)])
    begin = time.process_time()
    fit = lace.solve(
        basis["train"].restrict(columns), prior="algebraic", validation=basis["test"].restrict(columns)
    )
    seconds = time.process_time() - begin
    values = np.zeros(pair.n_functions)
    values[columns] = fit.coefficients
    potential = lace.Potential(pair, values, fit.e0)
    speed = evaluation_speed(potential, 512, repeats=5)
    errors = {part: fit.rmse[name]["total"] for part, name in (("train", "train"), ("test", "validation"))}
    return {
        "element": element, "family": model.family, "label": model.label, "n": int((columns < n).sum()),
        "products": len(potential.program.arrays["term_weight"]),
        "us_per_atom": speed.cpu_us_per_atom, "neighbours": speed.neighbours, "isa": speed.isa,
        "fit_cpu_s": seconds, "condition": fit.condition,
        **{f"{part}_{q}_rmse": value for part, row in errors.items() for q, value in row.items()},
    }  # fmt: skip


def results_in(path: Path) -> dict[tuple[str, str, str], dict]:
    """Finished fits; a line cut short by a kill is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[row["element"], row["family"], row["label"]] = row
    return found


def run_fits(elements: list[str], work: Path, sparse: bool) -> None:
    work.mkdir(parents=True, exist_ok=True)
    path = work / "results.jsonl"
    done = results_in(path)
    for element in elements:
        bases, systems = bases_of(element), systems_of(element, work)
        models = list(models_of(bases)) + (list(sparse_models(bases, systems)) if sparse else [])
        for model in models:
            if (element, model.family, model.label) in done:
                continue
            row = fit_one(element, model, bases, systems)
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print_row(row)


def print_row(row: dict) -> None:
    print(f"{row['element']:3s} {row['family']:11s} {row['label']:22s} {row['n']:5d} {row['products']:6d} "
          f"{row['us_per_atom']:7.2f}  {1000 * row['test_energy_rmse']:8.2f} {row['test_forces_rmse']:8.4f}"
          f"   {1000 * row['train_energy_rmse']:8.2f} {row['train_forces_rmse']:8.4f}",
          flush=True)  # fmt: skip


def print_table(work: Path) -> None:
    print("el. family      model                      n  terms µs/atom  E meV/at  F eV/Å     (train)")
    for _, row in sorted(
        results_in(work / "results.jsonl").items(), key=lambda item: (*item[0][:2], item[1]["n"])
    ):
        print_row(row)


def print_summary(work: Path) -> None:
    """Error divided by that of `full` at equal size and at equal measured cost, geometric mean per family.

    The errors of `full` are interpolated in the logarithms; models outside its range are left out.
    """
    rows = list(results_in(work / "results.jsonl").values())
    print("ratio to full           equal size: F      E    equal µs/atom: F      E")
    logs: dict[str, list[list[float]]] = defaultdict(list)
    for element in sorted({row["element"] for row in rows}):
        mine = [row for row in rows if row["element"] == element]
        full = sorted((row for row in mine if row["family"] == "full"), key=lambda row: row["n"])
        for family in sorted({row["family"] for row in mine} - {"full"}):
            chosen = [row for row in mine if row["family"] == family]
            ratios = [
                _ratio(chosen, full, x, f"test_{q}_rmse") for x in ("n", "us_per_atom") for q in QUANTITIES
            ]
            logs[family].append(ratios)
            _print_ratios(element, family, ratios)
    for family, values in sorted(logs.items()):
        _print_ratios("all", family, np.exp(np.mean(np.log(values), axis=0)).tolist())


def _print_ratios(element: str, family: str, r: list[float]) -> None:
    print(f"{element:3s} {family:20s} {r[0]:12.2f} {r[1]:6.2f} {r[2]:17.2f} {r[3]:6.2f}")


def _ratio(rows: list[dict], full: list[dict], x: str, y: str) -> float:
    """Geometric mean of error over that of `full` at equal x."""
    at = np.log([row[x] for row in full])
    best = np.minimum.accumulate(np.log([row[y] for row in full]))
    order = np.argsort(at)
    inside = [row for row in rows if at.min() <= np.log(row[x]) <= at.max()]
    if not inside:
        return float("nan")
    expected = np.interp(np.log([row[x] for row in inside]), at[order], best[order])
    return float(np.exp(np.mean(np.log([row[y] for row in inside]) - expected)))


def print_sizes() -> None:
    """N_opt against N_full, and the exponent of N_opt ~ N_full^p (paper: 0.75)."""
    print("nu   wL   D    full  optimal  by order            A  bound  CPU s")
    pooled: dict[tuple[int, float], list[tuple[int, int]]] = defaultdict(list)
    for nu, degrees in ((3, (8, 10, 12, 14, 16, 18, 20)), (4, (8, 10, 12, 14, 16, 18, 20))):
        for wl in (1.0, 1.5, 2.0, 3.0):
            for degree in degrees:
                basis = lace.ACEBasis("Si", nu, degree, wl=wl, pair=None)
                if basis.n_functions > 9000:
                    continue
                begin = time.process_time()
                found = basis.independent_functions()
                seconds = time.process_time() - begin
                split = np.bincount(basis.many_body[0].order[found.mask], minlength=nu + 1)[1:].tolist()
                pooled[nu, wl].append((basis.n_functions, found.rank[0]))
                print(f"{nu:2d} {wl:5.1f} {degree:3d} {basis.n_functions:7d} {found.rank[0]:8d}  "
                      f"{split!s:18s} {found.n_components[0]:4d} {found.bound[0]:5d} {seconds:6.2f}",
                      flush=True)  # fmt: skip
    everything = []
    for (nu, wl), pairs in pooled.items():
        everything += pairs
        x, y = np.log(np.array(pairs, dtype=float)).T
        local = np.diff(y) / np.diff(x)
        slope = np.polyfit(x, y, 1)[0]
        print(f"nu {nu}, wL {wl}: exponent {slope:.2f}, local {local[0]:.2f} to {local[-1]:.2f}")
    x, y = np.log(np.array(everything, dtype=float)).T
    print(f"all: exponent {np.polyfit(x, y, 1)[0]:.2f} (published: 0.75)")
    print("The exponent falls with the degree: never extrapolate.")


def draw(work: Path) -> None:
    """Force and energy error against size and against measured cost, one row of panels per element."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = list(results_in(work / "results.jsonl").values())
    elements = sorted({row["element"] for row in rows})
    families = sorted({row["family"] for row in rows})
    panels = [("n", "test_forces_rmse"), ("us_per_atom", "test_forces_rmse"),
              ("n", "test_energy_rmse"), ("us_per_atom", "test_energy_rmse")]  # fmt: skip
    names = {"n": "many-body functions", "us_per_atom": "µs per atom",
             "test_forces_rmse": "force RMSE (eV/Å)",
             "test_energy_rmse": "energy RMSE (eV/atom)"}  # fmt: skip
    figure, axes = plt.subplots(len(elements), 4, figsize=(16, 3.6 * len(elements)), squeeze=False)
    colours = [*plt.get_cmap("tab10").colors, "black", "gold"]
    for line, element in zip(axes, elements, strict=True):
        for axis, (x, y) in zip(line, panels, strict=True):
            for k, family in enumerate(families):
                points = sorted(
                    (r[x], r[y]) for r in rows if r["element"] == element and r["family"] == family
                )
                style = "o" if family in ("random", "readout") else "o-"
                axis.loglog(
                    *zip(*points, strict=True), style, ms=4, color=colours[k], label=family
                ) if points else None
            axis.set(xlabel=names[x], ylabel=names[y], title=element)
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(work / "optimal_bases.png", dpi=130)
    print(work / "optimal_bases.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["sizes", "fit", "table", "summary", "figures"])
    parser.add_argument("--elements", nargs="+", default=list(R0))
    parser.add_argument("--work", type=Path, default=Path("optimal_bases"))
    parser.add_argument("--no-sparse", action="store_true", help="leave ASP and OMP out")
    arguments = parser.parse_args()
    header("Optimal ACE bases")
    if arguments.what == "sizes":
        print_sizes()
    elif arguments.what == "fit":
        run_fits(arguments.elements, arguments.work, not arguments.no_sparse)
    elif arguments.what == "table":
        print_table(arguments.work)
    elif arguments.what == "summary":
        print_summary(arguments.work)
    else:
        draw(arguments.work)


if __name__ == "__main__":
    main()
