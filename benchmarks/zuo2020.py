"""Accuracy on Zuo et al. 2020 (Li, Mo, Si, Ge, Cu, Ni) with the published settings.

The table repeats the settings of the published linear-ACE fits: order 3, degrees [20,16,12], [25,21,17] and
[28,24,20], Bayesian ridge with shared noise, algebraic prior p = 4, weights E 30 / F 1, no virials, no E0, and the
given split. Beside each figure stands the ratio to the value it should reproduce.

    python benchmarks/zuo2020.py                    # all elements, the three published models (about 6 min on one core)
    python benchmarks/zuo2020.py --elements Si Mo --models 319 1041
    python benchmarks/zuo_resplits.py              # lacemaker's own settings, with intervals: a script of its own
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np

import lacemaker as lace
from common import R0, data_folder, header
from lacemaker.analysis.errors import error_table
from lacemaker.structures import Frames

DEGREES = {"319": (20, 16, 12), "1041": (25, 21, 17), "2029": (28, 24, 20)}

# Test MAE: meV/atom, eV/Å (dense BLR fits of an independent implementation, within 1 % of the published figures).
REFERENCE = {
    "Ni": {"319": (0.409, 0.0180), "1041": (0.334, 0.0146), "2029": (0.300, 0.0136)},
    "Cu": {"319": (0.294, 0.0071), "1041": (0.222, 0.0054), "2029": (0.157, 0.0049)},
    "Li": {"319": (0.233, 0.0062), "1041": (0.167, 0.0048), "2029": (0.168, 0.0044)},
    "Mo": {"319": (2.39, 0.1220), "1041": (2.88, 0.0964), "2029": (1.93, 0.0942)},
    "Si": {"319": (3.52, 0.0855), "1041": (2.29, 0.0654), "2029": (2.14, 0.0617)},
    "Ge": {"319": (2.68, 0.0634), "1041": (2.19, 0.0506), "2029": (2.01, 0.0471)},
}


@dataclass(frozen=True)
class Score:
    """Test errors of one fit and what it cost."""

    energy_mae: float  # meV/atom
    forces_mae: float  # eV/Å
    cpu_seconds: float


def published_basis(element: str, degrees: tuple[int, ...]) -> lace.ACEBasis:
    """Basis of the published fits: cutoff 2.5 r0 for the many-body and the pair part."""
    cutoff = 2.5 * R0[element]
    return lace.ACEBasis([element], 3, list(degrees), cutoff=cutoff, repulsion=None)


def frames_of(element: str) -> tuple[Frames, Frames]:
    folder = data_folder("zuo2020") / element
    return lace.read(folder / "train.xyz.xz"), lace.read(folder / "test.xyz.xz")


def score(potential: lace.Potential, test: Frames, cpu_seconds: float) -> Score:
    total = error_table(potential, test).to_dict()["total"]
    return Score(total["energy_mae_meV_per_atom"], total["forces_mae_eV_per_A"], cpu_seconds)


def published_fit(element: str, model: str) -> Score:
    """Fit with the published settings and test on the published split."""
    train, test = frames_of(element)
    begin = time.process_time()
    weights = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
    system = lace.assemble(published_basis(element, DEGREES[model]), train, weights=weights)
    fit = lace.solve(system, solver=lace.BLR(), prior=lace.AlgebraicPrior(p=4), e0="zero")
    return score(fit.potential(), test, time.process_time() - begin)


def published_table(elements: list[str], models: list[str]) -> None:
    print(f"{'':3s} {'model':>5s}  {'E MAE':>8s} {'ratio':>6s}  {'F MAE':>8s} {'ratio':>6s}  {'CPU s':>6s}")
    for element in elements:
        for model in models:
            result = published_fit(element, model)
            energy, forces = REFERENCE[element][model]
            print(
                f"{element:3s} {model:>5s}  {result.energy_mae:8.3f} {result.energy_mae / energy:6.3f}  "
                f"{result.forces_mae:8.4f} {result.forces_mae / forces:6.3f}  {result.cpu_seconds:6.1f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=list(REFERENCE))
    parser.add_argument("--models", nargs="+", default=list(DEGREES))
    arguments = parser.parse_args()
    np.set_printoptions(precision=4)
    header("Zuo 2020, test MAE: energies meV/atom, forces eV/Å")
    published_table(arguments.elements, arguments.models)


if __name__ == "__main__":
    main()
