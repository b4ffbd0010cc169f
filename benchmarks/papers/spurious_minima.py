"""Spurious minima with and without priors, with and without repulsion (experiment 3).

Every model is fitted to a few random cells of Zuo et al. 2020 (E 30 / F 1) and then looked at by
`lacemaker.analysis.minima`: dimers and trimers, the crystal under compression to 60 % of its volume, and random
8-atom cells (volumes of 0.8 to 1.3 of the crystal's, atoms at least 0.7 bond lengths apart) relaxed with their
cells. "core": our defaults, ZBL and the weak restraint; "bare": the fit alone. E0 is zero as in the published
fits: the energies are relative to free atoms, none of which is in the data. --e0 fit lets the fit choose.

    python benchmarks/papers/spurious_minima.py                  # Si and Mo, 319 functions; estimated: 8 min
    python benchmarks/papers/spurious_minima.py --cells 10 50 --seeds 1 --random-cells 20   # about 1 min
    python benchmarks/papers/spurious_minima.py --elements Si --models 1041 --cells 10 --random-cells 200

Finished models are kept in the output folder (results.json); the same command continues where it was stopped.
"""

import argparse
import json
import sys
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lacemaker as lace
from common import R0, header
from lacemaker.analysis.minima import SpuriousMinima, spurious_minima
from lacemaker.basis import RepulsionRestraint
from lacemaker.priors import AlgebraicPrior, EvidencePrior, NoPrior, Prior, SOAPPrior
from zuo2020 import DEGREES, frames_of

FAULTS = (
    "below the crystal",
    "fallen apart to below the crystal",
    "with atoms too close",
    "broke the calculator",
    "not finite",
)
PRIORS: dict[str, Prior] = {
    "none": NoPrior(),
    "algebraic 2": AlgebraicPrior(p=2),
    "algebraic 4": AlgebraicPrior(p=4),
    "gaussian 1.0": SOAPPrior(sigma=1.0, form="closed"),
    "evidence": EvidencePrior(),
}


def system_of(element: str, model: str, n_cells: int, seed: int, repulsion: str, virial: float = 0.0) -> Any:
    """Rows of `n_cells` random training structures, with our default repulsion or bare."""
    frames, _ = frames_of(element)
    chosen = frames.subset(np.sort(np.random.default_rng(seed).permutation(len(frames))[:n_cells]))
    core = {} if repulsion == "core" else {"repulsion": None}
    basis = lace.ACEBasis([element], 3, list(DEGREES[model]), cutoff=2.5 * R0[element], **core)
    restraint = RepulsionRestraint() if repulsion == "core" else None
    weights = {"default": {"energy": 30.0, "forces": 1.0, "virial": virial}}
    return lace.assemble(basis, chosen, weights=weights, restraint=restraint)


def facts(found: SpuriousMinima) -> dict[str, Any]:
    (dimer,), (trimer,) = found.dimers, found.trimers
    return {
        **found.to_dict(),
        "dimer_minima": len(dimer.minima),
        "dimer_repulsive": dimer.repulsive,
        "trimer_minima": len(trimer.minima),
        "compression_sane": found.compression.sane,
        "faults": found.faults,
        "curve": [list(dimer.r / found.bond_length), list(dimer.energy)],
    }


def run(arguments: argparse.Namespace, done: dict[str, Any], store: Path) -> None:
    from ase.build import bulk

    for element, model, n_cells, seed, repulsion in product(
        arguments.elements, arguments.models, arguments.cells, range(arguments.seeds), ("bare", "core")
    ):
        todo = [p for p in PRIORS if key(element, model, n_cells, repulsion, p, seed) not in done]
        if not todo:
            continue
        system = system_of(element, model, n_cells, seed, repulsion, arguments.virial)
        for prior in todo:
            potential = lace.solve(system, prior=PRIORS[prior], e0=arguments.e0).potential()
            found = spurious_minima(
                lace.Calculator(potential, n_threads=1),
                bulk(element),
                n_cells=arguments.random_cells,
                seed=seed,
            )
            done[key(element, model, n_cells, repulsion, prior, seed)] = facts(found)
            store.write_text(json.dumps(done))


def key(element: str, model: str, n_cells: int, repulsion: str, prior: str, seed: int) -> str:
    return " | ".join(map(str, (element, model, n_cells, repulsion, prior, seed)))


def show(arguments: argparse.Namespace, done: dict[str, Any]) -> None:
    for element, model in product(arguments.elements, arguments.models):
        print(f"\n{element}, {model} functions, mean of {arguments.seeds} fits")
        print(
            f"{'cells':>5s} {'':5s}{'prior':14s} dimer minima  with a hole  trimer minima  compression falls  "
            "random cells unphysical (below crystal, fallen apart, too close, broken)"
        )
        for n_cells, repulsion, prior in product(arguments.cells, ("bare", "core"), PRIORS):
            rows = [done[key(element, model, n_cells, repulsion, prior, s)] for s in range(arguments.seeds)]
            n = arguments.seeds * arguments.random_cells
            faults = {kind: sum(r["faults"].get(kind, 0) for r in rows) for kind in FAULTS}
            broken = faults[FAULTS[3]] + faults[FAULTS[4]]
            print(
                f"{n_cells:5d} {repulsion:5s}{prior:14s} {np.mean([r['dimer_minima'] for r in rows]):12.1f}"
                f"{sum(not r['dimer_repulsive'] for r in rows):10d}/{len(rows)}"
                f"{np.mean([r['trimer_minima'] for r in rows]):15.1f}"
                f"{sum(not r['compression_sane'] for r in rows):17d}/{len(rows)}"
                f"{sum(r['n_unphysical'] for r in rows):10d}/{n} "
                f"({faults[FAULTS[0]]}, {faults[FAULTS[1]]}, {faults[FAULTS[2]]}, {broken})"
            )


def draw(arguments: argparse.Namespace, done: dict[str, Any], path: Path) -> None:
    """Dimer curves of the first fit, and the share of unphysical relaxations."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    model, n_cells = arguments.models[0], arguments.cells[0]
    figure, axes = plt.subplots(
        len(arguments.elements), 3, squeeze=False, figsize=(10, 3 * len(arguments.elements))
    )
    for element, row in zip(arguments.elements, axes, strict=True):
        for panel, repulsion in zip(row[:2], ("bare", "core"), strict=True):
            for prior in PRIORS:
                r, energy = done[key(element, model, n_cells, repulsion, prior, 0)]["curve"]
                panel.plot(r, energy, label=prior)
            panel.set(
                ylim=(-6, 12), title=f"{element} dimer, {n_cells} cells, {repulsion}", xlabel="r / r_nn"
            )
        row[0].set_ylabel("energy, eV")
        width = 0.8 / len(PRIORS)
        for k, prior in enumerate(PRIORS):
            for repulsion, hatch in (("bare", ""), ("core", "//")):
                share = [
                    np.mean(
                        [
                            done[key(element, model, n, repulsion, prior, s)]["n_unphysical"]
                            for s in range(arguments.seeds)
                        ]
                    )
                    / arguments.random_cells
                    for n in arguments.cells
                ]
                place = 2 * np.arange(len(share)) + (repulsion == "core") * 0.9 + k * width
                row[2].bar(place, share, width, color=f"C{k}", hatch=hatch, alpha=0.9)
        row[2].set(title="unphysical cells (hatched: core)", xlabel="training cells", ylim=(0, 1))
        row[2].set_xticks(2 * np.arange(len(arguments.cells)) + 0.75, [str(n) for n in arguments.cells])
    axes[0, 0].legend(frameon=False, fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=["Si", "Mo"], choices=["Si", "Mo", "Ge", "Cu", "Ni"])
    parser.add_argument("--models", nargs="+", default=["319"], choices=list(DEGREES))
    parser.add_argument("--cells", nargs="+", type=int, default=[10, 20, 50], help="training structures")
    parser.add_argument("--seeds", type=int, default=3, help="random training sets")
    parser.add_argument("--random-cells", type=int, default=50)
    parser.add_argument("--virial", type=float, default=0.0, help="weight (another --out for another value)")
    parser.add_argument("--e0", default="zero", choices=["zero", "fit"], help="(another --out for another)")
    parser.add_argument("--out", type=Path, default=Path("spurious_minima"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header(f"Spurious minima: Zuo 2020, E 30 / F 1 / V {arguments.virial:g}, E0 {arguments.e0}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    store = arguments.out / "results.json"
    done = json.loads(store.read_text()) if store.exists() else {}
    begin = time.process_time()
    run(arguments, done, store)
    show(arguments, done)
    draw(arguments, done, arguments.out / "spurious_minima.png")
    print(f"# {time.process_time() - begin:.0f} CPU s; figure {arguments.out / 'spurious_minima.png'}")


if __name__ == "__main__":
    main()
