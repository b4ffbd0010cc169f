"""Imported ``.yace`` potentials: kernels against NumPy, and against the evaluator of the same potential.

CPU time of one thread, energy + forces, neighbour lists excluded, medians. "own" is the potential the file was made
from, with its three-term recurrence; "yace" the file on the kernels with tabulated radial functions. The last rows
give the file random radial coefficients for every l, and a second density under a square root, as files of other
codes have them.

    taskset -c 1 python benchmarks/yace.py
"""

from dataclasses import replace

import numpy as np

from common import header, median_cpu
from lacemaker.analysis.speed import STANDARD_MODELS, rattled_silicon, standard_model
from lacemaker.deploy.yace import Embedding, Terms, YaceEvaluator, YaceModel, to_yace


def call(evaluator, atoms):
    """Energy and forces of `atoms` with a list made beforehand."""
    species, positions, cell, pbc = evaluator.prepare(atoms)
    pairs = evaluator.neighbours(positions, cell, pbc)
    lists = pairs.first, pairs.index, pairs.shift
    return lambda: evaluator.kernel.evaluate(positions, cell, species, *lists)


def foreign(model: YaceModel) -> YaceModel:
    """Radial functions that differ with l, and two densities."""
    rng = np.random.default_rng(0)
    bonds = {
        pair: replace(b, coefficients=b.coefficients * rng.uniform(0.5, 1.5, (*b.coefficients.shape[:2], 1)))
        for pair, b in model.bonds.items()
    }
    terms = tuple(
        tuple(Terms(t.factors, np.column_stack([t.weights, 0.1 * t.weights])) for t in centre)
        for centre in model.terms
    )
    embedding = Embedding("FinnisSinclairShiftedScaled", np.ones(2), np.array([1.0, 0.5]))
    return replace(model, bonds=bonds, terms=terms, embeddings=(embedding,) * len(terms))


def main() -> None:
    print(header("Imported .yace potentials"))
    atoms, few = rattled_silicon(512), rattled_silicon(64)
    print(
        f"{'model':32s} {'K':>5s} {'own':>8s} {'yace':>8s} {'NumPy':>9s} {'yace/own':>9s} {'NumPy/yace':>10s} {'max dF':>9s}   µs/atom"
    )
    for name in list(STANDARD_MODELS):
        potential = standard_model(name)
        model = to_yace(potential)[0]
        own = call(potential.evaluator(n_threads=1), atoms)
        for label, each, compare in ((name, model, True), ("  per l, two densities", foreign(model), False)):
            fast = call(YaceEvaluator(each, backend="kernels", n_threads=1), atoms)
            slow = call(YaceEvaluator(each, backend="numpy"), few)
            times = [
                1e6 * median_cpu(f, minimum=1.0) / len(a.numbers) for f, a in ((own, atoms), (fast, atoms))
            ]
            slowest = 1e6 * median_cpu(slow, repeats=3) / len(few.numbers)
            deviation = f"{np.abs(own()[1] - fast()[1]).max():9.1e}" if compare else f"{'':9s}"
            print(
                f"{label:32s} {potential.basis.n_functions:5d} {times[0]:8.2f} {times[1]:8.2f} {slowest:9.1f} "
                f"{times[1] / times[0]:9.2f} {slowest / times[1]:10.1f} {deviation}",
                flush=True,
            )


if __name__ == "__main__":
    main()
