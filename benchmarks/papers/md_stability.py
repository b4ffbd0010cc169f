"""Molecular dynamics that survives: fits with and without a prior, many fits, many temperatures.

First row: silicon, 64 atoms, 1041 functions fitted to 10 random cells of Zuo et al. 2020 (E 30 / F 1, no
core), Langevin at 3000 K, 1500 steps of 1 fs from the crystal, nine independent fits each. An independent
implementation found no prior 2/9, algebraic p = 2 6/9, p = 4 9/9, Gaussian sigma = 1 Å 9/9. With --hard all
runs start 20 % compressed.

Experiment 4 proper is the second command: dense and sparse models (300 functions chosen from the same pool by
OMP or ASP), 300 K, melting and twice melting, 21 ps in all per model.

    python benchmarks/papers/md_stability.py        # first row: 45 runs, about 3 min on one core
    python benchmarks/papers/md_stability.py --element Si --melting --ps 7 --fits 3 --e0 fit \\
        --priors none "algebraic 4" --variants dense omp asp --no-reference-limits --out md-Si   # 10 s per model
    python benchmarks/papers/md_stability.py --element Mo --cells 20 --prune 1e-3

Finished runs are kept in the output folder (results.json); the same command continues where it was stopped.
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
from common import R0, header
from lacemaker.analysis.stability import Limits, survive
from lacemaker.priors import AlgebraicPrior, EvidencePrior, NoPrior, Prior, SOAPPrior
from lacemaker.regression.solvers.asp import ASP
from lacemaker.regression.solvers.omp import OMP
from lacemaker.structures import Frames
from zuo2020 import DEGREES, frames_of, published_basis

PRIORS: dict[str, Prior] = {
    "none": NoPrior(),
    "algebraic 2": AlgebraicPrior(p=2),
    "algebraic 4": AlgebraicPrior(p=4),
    "gaussian 1.0": SOAPPrior(sigma=1.0, form="closed"),
    "evidence": EvidencePrior(),
}
WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
REFERENCE = {"none": "2/9", "algebraic 2": "6/9", "algebraic 4": "9/9", "gaussian 1.0": "9/9"}
MELTING = {"Li": 453.7, "Mo": 2896.0, "Si": 1687.0, "Ge": 1211.0, "Cu": 1358.0, "Ni": 1728.0}  # K, experiment
VARIANTS = {"dense": None, "omp": OMP, "asp": ASP}
SHORTEST = 1.5 / 2.3517  # of the bond length of silicon, as in the reference


def crystal(element: str, compressed: float) -> Any:
    """64 atoms or a few less of the element's crystal at its experimental volume."""
    from ase.build import bulk

    atoms = bulk(element, cubic=True)
    atoms = atoms.repeat(max(1, round((64 / len(atoms)) ** (1 / 3))))
    atoms.set_cell(atoms.cell * (1.0 - compressed) ** (1 / 3), scale_atoms=True)
    return atoms


def fitted(
    system: Any, prior: Prior, prune: float, e0: str, variant: str = "dense", functions: int = 300
) -> lace.Potential:
    """The potential; ``prune`` drops functions with a scaled coefficient below that share."""
    solver = VARIANTS[variant]
    if solver is not None:
        return lace.solve(system, solver=solver(sizes=(functions,)), prior=prior, e0=e0).final.potential()
    fit = lace.solve(system, prior=prior, e0=e0)
    if prune > 0.0:
        from lacemaker.priors import parse_prior

        chosen = parse_prior(fit.settings["prior"])
        gamma = chosen.gamma(system.functions, basis=system.basis)
        size = np.abs(gamma * fit.coefficients)
        kept = np.flatnonzero(size >= prune * size.max())
        if isinstance(prior, EvidencePrior):  # the same likelihood, the choice made
            chosen = EvidencePrior(candidates=(chosen,), likelihood_power=prior.likelihood_power)
        small = lace.solve(system.restrict(kept), prior=chosen, e0=e0)
        coefficients = np.zeros(system.n_functions)
        coefficients[kept] = small.coefficients
        return lace.Potential(system.basis, coefficients, small.e0)
    return fit.potential()


def subset(frames: Frames, n: int, seed: int) -> Frames:
    if n <= 0 or n >= len(frames):
        return frames
    return frames.subset(np.sort(np.random.default_rng(seed).permutation(len(frames))[:n]))


def run(arguments: argparse.Namespace, done: dict[str, Any], out: Path) -> None:
    frames, _ = frames_of(arguments.element)
    basis = published_basis(arguments.element, DEGREES[arguments.model])
    start = crystal(arguments.element, 0.2 if arguments.hard else 0.0)
    bond = crystal(arguments.element, 0.0).get_all_distances(mic=True)
    bond_length = float(bond[bond > 0].min())
    for seed in range(arguments.fits):
        todo = [
            (name, variant, T)
            for name in arguments.priors
            for variant in arguments.variants
            for T in arguments.temperatures
            if key(arguments, name, variant, T, seed) not in done
        ]
        if not todo:
            continue
        system = lace.assemble(basis, subset(frames, arguments.cells, seed), weights=WEIGHTS)
        models = {
            (name, variant): fitted(
                system, PRIORS[name], arguments.prune, arguments.e0, variant, arguments.functions
            )
            for name, variant in {case[:2]: None for case in todo}
        }
        for name, variant, temperature in todo:
            found = survive(
                start,
                lace.Calculator(models[name, variant], n_threads=1),
                temperatures=[temperature],
                seeds=[seed],
                picoseconds=arguments.ps,
                limits=Limits(shortest_bond=SHORTEST, hottest=np.inf, energy_drop=np.inf)
                if arguments.reference_limits
                else Limits(),
                bond_length=bond_length,
            )
            done[key(arguments, name, variant, temperature, seed)] = asdict(found.runs[0])
            out.write_text(json.dumps(done, indent=1))


def key(arguments: argparse.Namespace, prior: str, variant: str, temperature: float, seed: int) -> str:
    """Dense models have the keys of earlier results."""
    if variant != "dense":
        prior = f"{prior} | {variant} {arguments.functions}"
    start = "compressed" if arguments.hard else "crystal"
    parts = (
        arguments.element,
        arguments.model,
        arguments.cells,
        arguments.prune,
        arguments.e0,
        start,
        arguments.ps,
    )
    return " | ".join(map(str, (*parts, prior, temperature, seed)))


def show(arguments: argparse.Namespace, done: dict[str, Any]) -> None:
    print(
        f"{'prior':14s} {'model':>5s} {'T, K':>6s}  survived  reference  median ps of failures  shortest Å  "
        "drift meV/atom"
    )
    for name, variant, temperature in cases(arguments):
        runs = [done[key(arguments, name, variant, temperature, seed)] for seed in range(arguments.fits)]
        failed = [r["time_ps"] for r in runs if not r["survived"]]
        there = REFERENCE.get(name, "-") if variant == "dense" and temperature == 3000.0 else "-"
        print(
            f"{name:14s} {variant:>5s} {temperature:6.0f}  {len(runs) - len(failed):4d}/{len(runs):<3d}  "
            f"{there:>9s}  "
            f"{np.median(failed) if failed else float('nan'):21.3f}  "
            f"{min(r['shortest_distance_A'] for r in runs):10.2f}  "
            f"{np.median([r['drift_meV_per_atom'] for r in runs]):14.1f}"
        )
    for name in arguments.priors:
        for variant in arguments.variants:
            whole = [
                all(done[key(arguments, name, variant, t, seed)]["survived"] for t in arguments.temperatures)
                for seed in range(arguments.fits)
            ]
            print(f"{name}, {variant}: {sum(whole)} of {len(whole)} models survive at every temperature")


def cases(arguments: argparse.Namespace) -> list[tuple[str, str, float]]:
    return [(n, v, t) for n in arguments.priors for v in arguments.variants for t in arguments.temperatures]


def draw(arguments: argparse.Namespace, done: dict[str, Any], path: Path) -> None:
    """Survival curves, one panel per temperature."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(arguments.temperatures), sharey=True, squeeze=False, figsize=(9, 3.2))
    times = np.linspace(0.0, arguments.ps, 400)
    for panel, temperature in zip(axes[0], arguments.temperatures, strict=True):
        for k, (name, variant, _) in enumerate(c for c in cases(arguments) if c[2] == temperature):
            runs = [done[key(arguments, name, variant, temperature, seed)] for seed in range(arguments.fits)]
            ends = np.array([np.inf if r["survived"] else r["time_ps"] for r in runs])
            alive = np.mean(ends[:, None] > times, axis=0) - 0.006 * k  # so that equal curves stay visible
            style = "-" if name != "none" else ":"
            label = name if variant == "dense" else f"{name}, {variant} {arguments.functions}"
            panel.plot(times, alive, style, label=label)
        panel.set(title=f"{arguments.element}, {temperature:.0f} K", xlabel="time, ps", ylim=(-0.03, 1.03))
    axes[0, 0].set_ylabel("share of runs alive")
    axes[0, 0].legend(frameon=False, fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--element", default="Si", choices=list(R0))
    parser.add_argument("--model", default="1041", choices=list(DEGREES))
    parser.add_argument("--cells", type=int, default=10, help="training structures; 0 for all")
    parser.add_argument("--fits", type=int, default=9)
    parser.add_argument("--priors", nargs="+", default=list(PRIORS), choices=list(PRIORS))
    parser.add_argument("--temperatures", nargs="+", type=float, default=[3000.0])
    parser.add_argument("--variants", nargs="+", default=["dense"], choices=list(VARIANTS))
    parser.add_argument("--functions", type=int, default=300, help="of the sparse variants")
    parser.add_argument("--melting", action="store_true", help="300 K, melting and twice melting")
    parser.add_argument("--ps", type=float, default=1.5)
    parser.add_argument(
        "--prune", type=float, default=0.0, help="drop functions below this share of the largest"
    )
    parser.add_argument("--e0", default="zero", choices=["zero", "fit"])
    parser.add_argument("--hard", action="store_true", help="start 20 %% compressed")
    parser.add_argument("--reference-limits", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=Path("md_stability"))
    arguments = parser.parse_args()
    if arguments.melting:
        melting = MELTING[arguments.element]
        arguments.temperatures = [300.0, melting, 2.0 * melting]
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("MD survival")
    arguments.out.mkdir(parents=True, exist_ok=True)
    store = arguments.out / "results.json"
    done = json.loads(store.read_text()) if store.exists() else {}
    begin = time.process_time()
    run(arguments, done, store)
    show(arguments, done)
    draw(arguments, done, arguments.out / "survival.png")
    print(f"# {time.process_time() - begin:.0f} CPU s; figure {arguments.out / 'survival.png'}")


if __name__ == "__main__":
    main()
