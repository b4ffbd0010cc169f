"""lacemaker's defaults against the published settings on re-splits of Zuo et al. 2020, with confidence intervals.

The energy MAE of one 25-structure test set is mostly noise. Here all structures are dealt into ten folds; each fold is
a test set of the published size once, and the other nine train. Every fit comes from ONE assembled system: leaving a
fold out, adding virials, fitting E0 and changing the core are merges of triangular factors.

Published settings: E 30 / F 1, no virials, E0 = 0, algebraic prior p = 4, no core. Defaults: E 30 / F 1 / V 1, fitted
E0, the prior chosen by evidence, ZBL core and restraint. The paired column is the force MAE of the defaults over that
of the published settings on the same atoms.

    python benchmarks/zuo_resplits.py --elements Si Mo --models 319 1041
"""

import argparse
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import lacemaker as lace
from common import R0, header
from lacemaker.analysis.errors import error_table
from lacemaker.basis import RepulsionRestraint
from lacemaker.structures import Frames, fold_numbers
from zuo2020 import DEGREES, frames_of, published_basis

FORCES_ONLY_CORE = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
DEFAULT_WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 1.0}}


@dataclass(frozen=True)
class Errors:
    """Test errors per fold, each of shape (n_folds,)."""

    energy: NDArray[np.float64]  # meV/atom
    forces: NDArray[np.float64]  # eV/Å
    virial: NDArray[np.float64]  # meV/atom


def default_basis(element: str, degrees: tuple[int, ...]) -> lace.ACEBasis:
    """The published functions with lacemaker's default core."""
    return lace.ACEBasis([element], 3, list(degrees), cutoff=2.5 * R0[element])


def cross_validate(system: object, frames: Frames, folds: NDArray[np.int64], **options: object) -> Errors:
    rows = []
    for fold in range(int(folds.max()) + 1):
        fit = lace.solve(system.without_fold(fold), **options)
        total = error_table(fit.potential(), frames.subset(folds == fold)).to_dict()["total"]
        rows.append(
            [
                total[f"{name}"]
                for name in ("energy_mae_meV_per_atom", "forces_mae_eV_per_A", "virial_mae_meV_per_atom")
            ]
        )
    energy, forces, virial = np.array(rows, dtype=float).T
    return Errors(energy, forces, virial)


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float, float]:
    """Mean and bootstrap 95 % interval over folds."""
    draws = np.random.default_rng(seed).choice(values, size=(4000, len(values))).mean(axis=1)
    return float(values.mean()), float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def show(values: NDArray[np.float64], digits: int) -> str:
    mean, low, high = interval(values)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def compare(element: str, model: str, n_folds: int) -> None:
    train, test = frames_of(element)
    frames = train + test
    folds = np.asarray(fold_numbers(frames, n_folds, seed=0))
    plain = lace.assemble(published_basis(element, DEGREES[model]), frames, folds=folds)
    published = cross_validate(plain, frames, folds, prior="algebraic", e0="zero", weights=FORCES_ONLY_CORE)
    del plain
    basis = default_basis(element, DEGREES[model])
    core = lace.assemble(basis, frames, folds=folds, restraint=RepulsionRestraint())
    ours = cross_validate(core, frames, folds, e0="fit", weights=DEFAULT_WEIGHTS)
    for name, errors in (("published", published), ("defaults", ours)):
        print(
            f"{element:3s} {model:>5s} {name:10s} E {show(errors.energy, 3):24s} F {show(errors.forces, 4):26s} "
            f"V {show(errors.virial, 1)}",
            flush=True,
        )
    print(f"{element:3s} {model:>5s} {'paired F':10s} {show(ours.forces / published.forces, 3)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=list(R0))
    parser.add_argument("--models", nargs="+", default=["319", "1041"])
    parser.add_argument("--folds", type=int, default=10)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", lace.errors.LacemakerWarning)
    header("Zuo 2020, ten re-splits: mean test MAE [95 % interval]; meV/atom, eV/Å, meV/atom")
    for element in arguments.elements:
        for model in arguments.models:
            compare(element, model, arguments.folds)


if __name__ == "__main__":
    main()
