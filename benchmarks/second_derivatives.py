"""Cost of second derivatives against forces: Hessian-vector products, the sparse Hessian, force-constant rows.

    python benchmarks/second_derivatives.py

Prints ratios to one force call (potential) and to one design block (rows), one thread, best of several.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ase.build import bulk

import lacemaker as lace
from lacemaker import _core
from lacemaker.priors import AlgebraicPrior
from lacemaker.regression import BasisRows
from lacemaker.regression.second_order import force_constant_design
from lacemaker.structures import ForceConstants, Frame


def best(function: Callable[[], object], repeats: int = 9) -> float:
    """Shortest of several times, seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def potentials() -> None:
    """Hessian-vector product and sparse Hessian in units of force calls."""
    cases = {
        "Si, order 3": (lace.ACEBasis(["Si"], 3, [20, 16, 12], cutoff=5.5), bulk("Si", cubic=True).repeat(3)),
        "Si, order 4": (
            lace.ACEBasis(["Si"], 4, [16, 14, 12, 10], cutoff=5.5),
            bulk("Si", cubic=True).repeat(3),
        ),
        "CuAu, order 3": (
            lace.ACEBasis(["Cu", "Au"], 3, [12, 9, 8], cutoff=5.5),
            bulk("Cu", cubic=True).repeat(4),
        ),
    }
    rng = np.random.default_rng(0)
    for name, (basis, atoms) in cases.items():
        atoms.rattle(0.05, seed=0)
        if basis.n_elements == 2:
            atoms.numbers[::2] = 79
        potential = lace.Potential(basis, rng.normal(size=basis.n_functions), np.zeros(basis.n_elements))
        for isa in _core.isas():
            evaluator = potential.evaluator(isa=isa, n_threads=1)
            second = potential.hessian_evaluator(isa=isa, n_threads=1)
            species, positions, cell, pbc = evaluator.prepare(atoms)
            pairs = evaluator.neighbours(positions, cell, pbc)
            arguments = (positions, cell, species, pairs.first, pairs.index, pairs.shift)
            v = rng.normal(size=positions.shape)
            force = best(lambda e=evaluator, a=arguments: e.kernel.evaluate(*a))
            product = best(lambda s=second, a=arguments, v=v: s.kernel.product(*a, v))
            sparse = best(lambda s=second, a=arguments: s.kernel.sparse(*a), 2)
            n = len(atoms)
            print(
                f"{name:14s} {isa:9s} force {1e6 * force / n:6.2f} µs/atom   product {product / force:5.2f}   "
                f"sparse Hessian {1e3 * sparse / n:6.2f} ms/atom = {sparse / force / n:5.2f} force calls per atom "
                "(differences: 6)"
            )


def rows() -> None:
    """Force-constant rows in units of design blocks, and how far a difference is from the derivative."""
    basis = lace.ACEBasis(["Si"], 3, [20, 16, 12], cutoff=5.5)
    atoms = bulk("Si", cubic=True).repeat(3)
    atoms.rattle(0.02, seed=0)
    frame = Frame(atoms.numbers, atoms.positions, atoms.cell[:], atoms.pbc)
    coefficients = np.random.default_rng(0).normal(size=basis.n_functions) / AlgebraicPrior(p=4).gamma(
        basis.columns
    )
    exact = lace.Potential(basis, coefficients, [0.0]).hessian(frame)[[0]].toarray().ravel()
    source = BasisRows(basis)
    block = best(lambda: source.design(frame))
    for step in (0.0, 0.001, 0.01, 0.03):
        label = ForceConstants([0], [[1, 0, 0]], [[step, step]], np.zeros((1, len(frame), 3)))
        labelled = replace(frame, force_constants=label)
        seconds = best(lambda f=labelled: force_constant_design(source, f, 0), 5)
        matrix, _ = force_constant_design(source, labelled, 0)
        error = np.abs(matrix @ coefficients - exact).max() / np.abs(exact).max()
        print(f"rows h = {step:5.3f} Å: {seconds / block:4.2f} design blocks of {1e3 * block:.1f} ms, "
              f"distance from the analytic Hessian {error:.1e}")  # fmt: skip


if __name__ == "__main__":
    potentials()
    rows()
