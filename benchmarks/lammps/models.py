"""A silicon potential of about 850 functions that survives molecular dynamics, fitted in seconds."""

from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.calculators.tersoff import Tersoff, TersoffParameters

import lacemaker as lace

# J. Tersoff, Phys. Rev. B 39, 5566 (1989), silicon
TERSOFF = TersoffParameters(
    m=3.0, gamma=1.0, lambda3=0.0, c=1.0039e5, d=16.217, h=-0.59825, n=0.78734, beta=1.1e-6,
    lambda2=1.7322, B=471.18, R=2.85, D=0.15, lambda1=2.4799, A=1830.8,
)  # fmt: skip


def silicon(path: Path, degree: int = 17) -> lace.Potential:
    """Order 3, total degree 17, cutoff 5.5 Å: 885 functions (model d17 of the comparison with ML-PACE)."""
    if path.is_file():
        return lace.Potential.load(path)
    calculator, rng, frames = Tersoff({("Si", "Si", "Si"): TERSOFF}), np.random.default_rng(1), []
    for amplitude in np.linspace(0.02, 0.25, 60):
        atoms = bulk("Si", a=5.432, cubic=True).repeat((2, 1, 1))
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
        atoms.calc = calculator
        labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        frames.append(atoms)
    basis = lace.ACEBasis("Si", 3, degree, cutoff=5.5)
    fit = lace.solve(lace.assemble(basis, lace.read(frames)), prior=lace.AlgebraicPrior(p=4))
    fit.potential().save(path)
    return lace.Potential.load(path)
