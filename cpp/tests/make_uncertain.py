"""Write ``uncertain.lace``: a small potential with committee and active sets, for the fuzzer to spoil.

    python cpp/tests/make_uncertain.py
"""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import lacemaker as lace
from lacemaker.uncertainty import attach_extrapolation_grade


def structure(rng: np.random.Generator) -> Atoms:
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3) * 2.3
    atoms = Atoms(rng.choice(["O", "Si"], 8), grid + rng.normal(0, 0.2, (8, 3)), cell=[4.6] * 3, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((8, 3)))
    return atoms


def main() -> None:
    rng = np.random.default_rng(0)
    basis = lace.ACEBasis(["O", "Si"], 3, [3, 3, 3], cutoff=3.8)
    n = basis.n_functions
    potential = lace.Potential(basis, rng.normal(size=n), [-1.5, -3.0], {"licence": "CC0-1.0"})
    members = {
        "committee.coefficients": 0.01 * rng.normal(size=(3, n)),
        "committee.e0": 0.01 * rng.normal(size=(3, 2)),
    }
    frames = lace.read([structure(rng) for _ in range(12)])
    attach_extrapolation_grade(potential.with_extras(**members), frames).save(
        Path(__file__).with_name("uncertain.lace")
    )


if __name__ == "__main__":
    main()
