"""With and without each prior: test errors in and out of distribution, dimers, evidence (experiment 2).

Every fit of an element and basis comes from ONE assembly: the training structures are dealt into folds of
ten, so that a random subset of N structures is a merge of triangular factors, and a prior rescales columns.
Errors are exact: rows of the test structures are made once.

    python benchmarks/papers/priors.py                              # Si and Mo, 319; about 4 min on one core
    python benchmarks/papers/priors.py --elements Si Mo Ge --models 122 319 1041 --seeds 5  # 1.5 h
    python benchmarks/papers/priors.py --elements Si --leave-out AIMD-NVT Surface  # out of distribution
    python benchmarks/papers/priors.py --elements Si Mo Ge --cells 20 0 --seeds 2 \\
        --leave-out hot strained AIMD-NVT Elastic Surface Vacancy --out ood    # estimated: 5 min
    python benchmarks/papers/priors.py --elements TiAl --models two --cells 50 100 0 --leave-out "" TiAl_T5000

--leave-out hot and strained train on the cold frames alone (dynamics at 300 K, for Si and Ge also at half of
melting, and the crystal at rest) and test on the hottest dynamics or on cells strained by 6 % and more; a
config_type is left out of training and is the test. TiAl (ACEpotentials' tutorial set) is the set with two
elements, for which "two" stands for the degrees [10, 8, 6].

Finished cases are kept in the output folder (results.json); the same command continues where it was stopped.
"""

import argparse
import json
import lzma
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lacemaker as lace
from common import R0, data_folder, header
from lacemaker.analysis import dimer_curves
from lacemaker.priors import (
    AlgebraicPrior,
    EvidencePrior,
    ExponentialPrior,
    GaussianPrior,
    NoPrior,
    Prior,
    SOAPPrior,
)
from lacemaker.regression import BasisRows, TriangularSystem
from lacemaker.structures import Frames
from zuo2020 import DEGREES, frames_of, published_basis

WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
SIZES = {"two": (10, 8, 6), "122": (16, 12, 8), **DEGREES}
FOLD = 10  # structures
TIAL_R0 = 2.9  # Å
HOT = {"Si": 3000.0, "Ge": 2000.0, "Mo": 6000.0, "Li": 600.0, "Cu": 2000.0, "Ni": 2500.0}  # K and above
Vector = NDArray[np.float64]


def priors(element: str) -> dict[str, Prior]:
    """The priors of protocol T2. Darby: sigma_n = (2/r_c)^2, sigma_l = 0.2 (2/r_nn)^2, from a script of 2023."""
    table: dict[str, Prior] = {"none": NoPrior(), "alg 2": AlgebraicPrior(p=2), "alg 4": AlgebraicPrior(p=4)}
    table |= {f"exp {a}": ExponentialPrior(wn=1 / a, wl=1 / (1.5 * a)) for a in (0.25, 0.5)}
    table |= {f"gauss {s}": SOAPPrior(sigma=s, form="closed") for s in (0.25, 0.5, 1.0, 1.5)}
    table |= {f"soap {s}": SOAPPrior(sigma=s) for s in (0.25, 0.5, 1.0, 1.5)}
    cutoff, bond = 2.5 * R0.get(element, TIAL_R0), R0.get(element, TIAL_R0)
    table["Darby 2"] = GaussianPrior(wn=cutoff / 2, wl=bond / (2 * 0.2**0.5))
    return {**table, "evidence": EvidencePrior()}


def load(element: str) -> tuple[Frames, Frames, list[str]]:
    """Training frames, test frames, and what each training frame is: cold, hot, strained or nothing of it."""
    if element != "TiAl":
        train, test = frames_of(element)
        with lzma.open(data_folder("zuo2020") / element / "train.xyz.xz", "rt") as stream:
            comments = [line for line in stream if "Lattice=" in line]
        return train, test, [kind(comment, HOT[element]) for comment in comments]
    frames = lace.read(data_folder("tial_tutorial") / "train.xyz.xz")
    tested = np.arange(len(frames)) % 5 == 4
    return frames.subset(~tested), frames.subset(tested), [""] * int((~tested).sum())


def kind(comment: str, hot: float) -> str:
    """By the description of a frame: "… at 300 K", "… strain 0.1"."""
    if found := re.search(r"at (\d+) K", comment):
        kelvin = float(found[1])
        return "cold" if kelvin < 1000.0 else "hot" if kelvin >= hot else ""
    if found := re.search(r"strain (-?[\d.]+)", comment):
        return "strained" if abs(float(found[1])) >= 0.06 else ""
    return "cold" if "Ground state" in comment else ""


def split(element: str, left_out: str) -> tuple[Frames, Frames]:
    """Training and test frames."""
    train, test, kinds = load(element)
    if left_out in ("hot", "strained"):
        return (
            train.subset(np.array([k == "cold" for k in kinds])),
            train.subset(np.array([k == left_out for k in kinds])),
        )
    if left_out:
        keep = np.array([f.config_type != left_out for f in train])
        return train.subset(keep), train.subset(~keep)
    return train, test


def basis_of(element: str, model: str) -> lace.ACEBasis:
    if element == "TiAl":
        return lace.ACEBasis(["Ti", "Al"], 3, list(SIZES[model]), cutoff=2.5 * TIAL_R0, repulsion=None)
    return published_basis(element, SIZES[model])


class TestRows:
    """Rows and labels of held-out structures: errors of any coefficients by one product."""

    def __init__(self, basis: lace.ACEBasis, frames: Frames) -> None:
        source = BasisRows(basis)
        energy, forces, labels = [], [], []
        for frame in frames:
            rows, n = np.array(source.design(frame).rows), len(frame.numbers)
            share = [np.mean(np.asarray(frame.symbols) == symbol) for symbol in basis.elements]
            energy.append(np.concatenate([share, rows[0] / n, [frame.energy / n]]))
            forces.append(rows[1 : 1 + 3 * n])
            labels.append(frame.forces.ravel())
        self.energy, self.forces, self.labels = (
            np.array(energy),
            np.concatenate(forces),
            np.concatenate(labels),
        )

    def mae(self, theta: Vector, e0: Vector) -> tuple[float, float]:
        """meV/atom, eV/Å."""
        predicted = self.energy[:, :-1] @ np.concatenate([e0, theta])
        energy = 1000.0 * np.abs(predicted - self.energy[:, -1]).mean()
        return float(energy), float(np.abs(self.forces @ theta - self.labels).mean())


def n_minima(potential: lace.Potential) -> int:
    """Minima of the dimer curves deeper than 20 meV; a sound potential has one per pair."""
    from scipy.signal import find_peaks

    count = 0
    for curve in dimer_curves(potential):
        inside = curve.r > 0.5 * curve.nearest_neighbour
        count += len(find_peaks(-curve.energy[inside], prominence=0.02)[0])
    return count


def subset(system: TriangularSystem, n: int, seed: int) -> TriangularSystem:
    """About n random structures: whole folds; 0 is all of them."""
    folds = system.folds
    count = len(folds) if n == 0 else min(len(folds), max(1, n // FOLD))
    rng = np.random.default_rng(100 * seed + count)
    chosen = {seed % len(folds)} if count == 1 else set(rng.permutation(folds)[:count].tolist())
    return system.select(lambda key: key.fold in chosen)


def case(system: TriangularSystem, prior: Prior, test: TestRows) -> dict[str, Any]:
    begin = time.process_time()
    fit = lace.solve(system, prior=prior)
    seconds = time.process_time() - begin
    energy, forces = test.mae(fit.coefficients, fit.e0)
    return {
        "energy": energy,
        "forces": forces,
        "evidence": fit.log_evidence,
        "minima": n_minima(fit.potential()),
        "seconds": seconds,
        "prior": fit.settings["prior"],
    }


def run(arguments: argparse.Namespace, done: dict[str, Any], store: Path) -> None:
    for element in arguments.elements:
        table = {name: p for name, p in priors(element).items() if name in arguments.priors}
        for left_out in arguments.leave_out or [""]:
            inside, test = split(element, left_out)
            for model in arguments.models:
                keys = {
                    (name, n, seed): " | ".join(map(str, (element, model, left_out, n, name, seed)))
                    for n in arguments.cells
                    for seed in range(1 if n == 0 else arguments.seeds)
                    for name in table
                }
                if all(key in done for key in keys.values()):
                    show(arguments, done, element, model, left_out)
                    continue
                basis = basis_of(element, model)
                folds = np.random.default_rng(1).permutation(len(inside)) // FOLD
                folds = np.minimum(folds, len(inside) // FOLD - 1)
                system = lace.assemble(basis, inside, weights=WEIGHTS, folds=folds)
                rows = TestRows(basis, test)
                for (name, n, seed), key in keys.items():
                    if key not in done:
                        done[key] = case(subset(system, n, seed), table[name], rows)
                        store.write_text(json.dumps(done))
                show(arguments, done, element, model, left_out)


def show(
    arguments: argparse.Namespace, done: dict[str, Any], element: str, model: str, left_out: str
) -> None:
    """One table: rows are priors, columns training sizes."""
    where = f", test = {left_out}, left out of training" if left_out else ""
    print(f"\n{element}, {model} functions{where}: F MAE, eV/Å (E MAE, meV/atom; dimer minima)")
    print(f"{'':10s}" + "".join(f"{('N = ' + str(n)) if n else 'all':>24s}" for n in arguments.cells))
    best: dict[int, float] = {}
    means: dict[tuple[str, int], float] = {}
    for name in arguments.priors:
        line = f"{name:10s}"
        for n in arguments.cells:
            found = [
                done[" | ".join(map(str, (element, model, left_out, n, name, seed)))]
                for seed in range(1 if n == 0 else arguments.seeds)
            ]
            forces = float(np.mean([f["forces"] for f in found]))
            means[name, n] = forces
            if name != "evidence":
                best[n] = min(best.get(n, np.inf), forces)
            energy, minima = np.median([f["energy"] for f in found]), np.mean([f["minima"] for f in found])
            line += f"{forces:10.4f} ({energy:6.2f}; {minima:3.1f})"
        print(line)
    for other in ("best", "none") if "evidence" in arguments.priors else ():
        ratios = [
            means["evidence", n] / (best[n] if other == "best" else means["none", n]) for n in arguments.cells
        ]
        print(f"evidence / {other}: " + ", ".join(f"{ratio:.3f}" for ratio in ratios), flush=True)


def draw(arguments: argparse.Namespace, done: dict[str, Any], path: Path) -> None:
    """Force errors relative to no prior, against the number of structures: a row per test, a column per case."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cases = [(e, m) for e in arguments.elements for m in arguments.models]
    tests = arguments.leave_out or [""]
    size = (3.2 * len(cases), 2.6 * len(tests) + 0.4)
    figure, axes = plt.subplots(
        len(tests), len(cases), squeeze=False, sharex=True, sharey="row", figsize=size
    )
    for left_out, row in zip(tests, axes, strict=True):
        for panel, (element, model) in zip(row, cases, strict=True):
            for name in arguments.priors:
                if name != "none":
                    ratios = [
                        mean_forces(arguments, done, (element, model, left_out, n, name))
                        / mean_forces(arguments, done, (element, model, left_out, n, "none"))
                        for n in arguments.cells
                    ]
                    labels = [str(n) if n else "all" for n in arguments.cells]
                    panel.plot(
                        labels, ratios, marker="o", ms=3, label=name, lw=2.5 if name == "evidence" else 1
                    )
            panel.axhline(1.0, color="0.6", lw=0.8)
            panel.set_title(
                f"{element}, {model}" + (f": test {left_out}" if left_out else ""), fontsize="small"
            )
        row[0].set_ylabel("force MAE / no prior")
    for panel in axes[-1]:
        panel.set_xlabel("training structures")
    axes[0, -1].legend(frameon=False, fontsize="x-small")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def mean_forces(arguments: argparse.Namespace, done: dict[str, Any], case: tuple[Any, ...]) -> float:
    """Mean over the random subsets."""
    seeds = range(1 if case[3] == 0 else arguments.seeds)
    return float(np.mean([done[" | ".join(map(str, (*case, seed)))]["forces"] for seed in seeds]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=["Si", "Mo"], choices=[*R0, "TiAl"])
    parser.add_argument("--models", nargs="+", default=["319"], choices=list(SIZES))
    parser.add_argument("--cells", nargs="+", type=int, default=[10, 20, 50, 0], help="0: all")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--priors", nargs="+", default=list(priors("Si")), choices=list(priors("Si")))
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        help="test on hot, strained or these config_types, train on the rest",
    )
    parser.add_argument("--out", type=Path, default=Path("priors"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("Priors: Zuo 2020, E 30 / F 1, fitted E0, no core")
    arguments.out.mkdir(parents=True, exist_ok=True)
    store = arguments.out / "results.json"
    done = json.loads(store.read_text()) if store.exists() else {}
    begin = time.process_time()
    run(arguments, done, store)
    draw(arguments, done, arguments.out / "priors.png")
    print(f"# {time.process_time() - begin:.0f} CPU s; figure {arguments.out / 'priors.png'}")


if __name__ == "__main__":
    main()
