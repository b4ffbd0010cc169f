"""Purified bases: size, construction time, evaluation, conditioning, and what changes in a fit (Zuo 2020, Si).

    python benchmarks/papers/purification.py sizes             # two minutes: construction, terms, µs per atom
    python benchmarks/papers/purification.py conditioning      # one minute: condition numbers per order
    python benchmarks/papers/purification.py fits              # two minutes: errors and dimer curves

Fits use the published settings (cutoff 6 Å, pair block, E 30, F 1, no virials) and the published split. "exact" is
least squares by QR without a ridge or prior, "prior" Bayesian ridge with the algebraic prior p = 4, "ridge" the same
prior with a ridge of 1, far more than the data ask for.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import lacemaker as lace
from common import data_folder, header
from lacemaker.analysis.purification import report
from lacemaker.analysis.speed import evaluation_speed, row_speed
from lacemaker.regression import TriangularSystem
from lacemaker.structures import Frame, Frames
from zuo2020 import score

WEIGHTS = {"default": {"energy": 30.0, "forces": 1.0, "virial": 0.0}}
CASES: dict[str, tuple[int, list[int]]] = {
    "order 3, [20, 16, 12]": (3, [20, 16, 12]),
    "order 3, [25, 21, 17]": (3, [25, 21, 17]),
    "order 3, 16": (3, [16] * 3),
    "order 4, [21, 18, 15, 12]": (4, [21, 18, 15, 12]),
    "order 4, 14": (4, [14] * 4),
    "order 5, 11": (5, [11] * 5),
}
ROUNDS = 9
DISTANCES = np.linspace(1.9, 5.9, 81)


def silicon(order: int = 3, degrees: tuple[int, ...] | list[int] = (20, 16, 12)) -> lace.ACEBasis:
    return lace.ACEBasis("Si", order, list(degrees), cutoff=6.0)


def forms(basis: lace.ACEBasis) -> dict[str, lace.ACEBasis]:
    return {"standard": basis, "pair": basis.purified("pair"), "full": basis.purified()}


def sizes() -> None:
    """Times are medians over rounds that go through the three forms in turn, with the quartiles in brackets."""
    print(
        "basis | form | functions | A | AA | coupling entries | build s | evaluate µs/atom | rows s/1000 atoms"
    )
    for name, (order, degrees) in CASES.items():
        standard = silicon(order, degrees)
        made, built = {"standard": standard}, {"standard": 0.0}
        for form in ("pair", "full"):
            begin = time.process_time()
            made[form] = standard.purified(form)
            built[form] = time.process_time() - begin
        models = {
            form: lace.Potential(basis, 1e-3 * np.random.default_rng(0).normal(size=basis.n_functions), [0.0])
            for form, basis in made.items()
        }
        cpu, rows = in_turn(models)
        for form, basis in made.items():
            part = basis.many_body[0]
            print(
                f"{name} | {form} | {basis.n_functions} | {len(part.a_spec)} | {part.n_products} | "
                f"{len(part.row_product)} | {built[form]:.2f} | {spread(cpu[form], 2)} | {spread(rows[form], 3)}",
                flush=True,
            )


def in_turn(models: dict[str, lace.Potential]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """CPU µs per atom and CPU s of rows per 1000 atoms, ROUNDS of each, every round beginning elsewhere."""
    forms = list(models)
    cpu: dict[str, list[float]] = {form: [] for form in forms}
    rows: dict[str, list[float]] = {form: [] for form in forms}
    for turn in range(ROUNDS):
        for form in forms[turn % len(forms) :] + forms[: turn % len(forms)]:
            model = models[form]
            cpu[form].append(evaluation_speed(model, 512, repeats=3).cpu_us_per_atom)
            rows[form].append(row_speed(model, model.basis, 64, repeats=1).cpu_s_per_1000_atoms)
    return cpu, rows


def spread(values: list[float], digits: int) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def cluster(rng: np.random.Generator, n_atoms: int) -> Frame:
    """Atoms at random, 1.9 Å and more apart, within 5 Å of the first."""
    positions = [np.zeros(3)]
    while len(positions) < n_atoms:
        trial = rng.normal(size=3)
        trial *= rng.uniform(1.9, 5.0) / np.linalg.norm(trial)
        if min(np.linalg.norm(trial - p) for p in positions) > 1.9:
            positions.append(trial)
    numbers = np.full(n_atoms, 14)
    return Frame(numbers=numbers, positions=np.array(positions), cell=np.zeros((3, 3)), pbc=np.zeros(3, bool))


def conditioning() -> None:
    rng = np.random.default_rng(0)
    train = lace.read(data_folder("zuo2020") / "Si" / "train.xyz.xz")
    sets = {
        "Zuo Si, 40 structures": [train[i] for i in rng.permutation(len(train))[:40]],
        "random clusters of 2 to 5 atoms": [cluster(rng, 2 + k % 4) for k in range(800)],
        "random clusters of 12 atoms": [cluster(rng, 12) for k in range(170)],
    }
    for name, frames in sets.items():
        for form in ("pair", "full"):
            print(f"\n## {name}, sites of {len(frames)} structures\n")
            print(report(silicon().purified(form), frames), flush=True)


def dimer(potential: lace.Potential) -> np.ndarray:
    found = []
    for r in DISTANCES:
        positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, r]])
        frame = Frame(
            numbers=np.array([14, 14]), positions=positions, cell=np.zeros((3, 3)), pbc=np.zeros(3, bool)
        )
        found.append(potential.predict(frame).energy - 2 * potential.e0[0])
    return np.array(found)


def conditions(system: TriangularSystem) -> str:
    """Condition numbers of the weighted rows, columns of unit length: orders 1, 2, 3 alone, and all columns."""
    columns = system.weighted().array[:, 1:-1]
    columns = columns / np.linalg.norm(columns, axis=0)
    order = np.array([0 if f.kind == "pair" else f.correlation_order for f in system.functions])
    parts = [columns[:, order == nu] for nu in range(1, order.max() + 1)] + [columns]
    return ", ".join(f"{np.linalg.cond(part):.1e}" if part.shape[1] else "-" for part in parts)


def fits() -> None:
    folder = data_folder("zuo2020") / "Si"
    train, test = lace.read(folder / "train.xyz.xz"), lace.read(folder / "test.xyz.xz")
    variants = forms(silicon()) | {"pair, remove 1": silicon().purified("pair", remove=1)}
    curves: dict[tuple[str, str], np.ndarray] = {}
    print("form | fit | E meV/atom | F eV/Å | dimer minimum | against the standard form, eV (RMS)")
    for form, basis in variants.items():
        system = lace.assemble(basis, Frames(train), weights=WEIGHTS)
        print(f"{form} | condition numbers of order 1, 2, 3 and all: {conditions(system)}")
        for fit, options in {
            "exact": {"solver": "qr", "prior": None},
            "prior": {"solver": lace.BLR(), "prior": lace.AlgebraicPrior(p=4)},
            "ridge": {"solver": {"kind": "qr", "ridge": 1.0}, "prior": lace.AlgebraicPrior(p=4)},
        }.items():
            potential = lace.solve(system, **options).potential()
            errors = score(potential, test, 0.0)
            curves[form, fit] = curve = dimer(potential)
            lowest = int(np.argmin(curve))
            apart = np.sqrt(np.mean((curve - curves["standard", fit]) ** 2))
            print(
                f"{form} | {fit} | {errors.energy_mae:.2f} | {errors.forces_mae:.4f} | "
                f"{curve[lowest]:.2f} eV at {DISTANCES[lowest]:.2f} Å | {apart:.2g}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["sizes", "conditioning", "fits"])
    what = parser.parse_args().what
    header(f"purified bases: {what}")
    {"sizes": sizes, "conditioning": conditioning, "fits": fits}[what]()


if __name__ == "__main__":
    main()
