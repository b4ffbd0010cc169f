"""Potentials that behave like matter: fitted to Tersoff silicon and effective-medium copper-gold."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.tersoff import Tersoff, TersoffParameters
from matter import nasty_structures, rattled

import lacemaker as lace
from lacemaker.basis import ZBL
from lacemaker.structures import neighbour_list

# J. Tersoff, Phys. Rev. B 39, 5566 (1989), silicon
TERSOFF_SI = TersoffParameters(
    m=3.0, gamma=1.0, lambda3=0.0, c=1.0039e5, d=16.217, h=-0.59825, n=0.78734, beta=1.1e-6,
    lambda2=1.7322, B=471.18, R=2.85, D=0.15, lambda1=2.4799, A=1830.8,
)  # fmt: skip


def fitted(basis, frames, calculator, ridge):
    """Least squares through the reference rows: energies weighted by 30 / sqrt(N), forces by 1."""
    from lacemaker.basis import reference

    blocks, targets = [], []
    for atoms in frames:
        atoms.calc = calculator
        species = np.array([basis.elements.index(symbol) for symbol in atoms.symbols], dtype=np.int32)
        neighbours = neighbour_list(atoms.positions, atoms.cell[:], atoms.pbc, basis.cutoff)
        rows = reference.design(basis, atoms.positions, atoms.cell[:], atoms.pbc, species, neighbours)
        weight = 30 / np.sqrt(len(atoms))
        counts = [atoms.symbols.count(symbol) for symbol in basis.elements]
        blocks += [weight * np.concatenate([rows.energy, counts])[None]]
        blocks += [np.hstack([rows.forces, np.zeros((len(rows.forces), len(counts)))])]
        targets += [[weight * atoms.get_potential_energy()], atoms.get_forces().ravel()]
    matrix, target = np.concatenate(blocks), np.concatenate(targets)
    prior = np.array([sum(n + 1.5 * l for _, n, l in c.channels) ** 2 for c in basis.columns])  # noqa: E741
    penalty = ridge * np.diag(np.concatenate([prior, np.zeros(basis.n_elements)]))
    solution = np.linalg.lstsq(
        np.vstack([matrix, penalty]), np.concatenate([target, np.zeros(len(penalty))]), rcond=None
    )[0]
    return solution[: basis.n_functions], solution[basis.n_functions :]


@pytest.fixture(scope="session")
def silicon_basis():
    return lace.ACEBasis(["Si"], correlation_order=3, max_degree=[10, 9, 8], cutoff=5.0)


@pytest.fixture(scope="session")
def silicon(silicon_basis):
    """Order 3, one element, fitted to diamond silicon of Tersoff's potential."""
    rng = np.random.default_rng(1)
    diamond = bulk("Si", a=5.432, cubic=True)
    amplitudes = [0.0] * 4 + [0.08] * 14
    frames = [rattled(diamond, rng, amplitude, 0.02) for amplitude in amplitudes]
    calculator = Tersoff({("Si", "Si", "Si"): TERSOFF_SI})
    coefficients, e0 = fitted(silicon_basis, frames, calculator, 1e-3)
    return lace.Potential(silicon_basis, coefficients, e0, {"licence": "CC0-1.0"})


@pytest.fixture(scope="session")
def alloy():
    """Orders 1 to 3, two elements, pair basis with ZBL core, fitted to EMT copper–gold."""
    basis = lace.ACEBasis(["Cu", "Au"], correlation_order=3, max_degree=[8, 6, 5], cutoff=5.0)
    rng = np.random.default_rng(2)
    frames = []
    for k in range(16):
        cell = bulk("Cu", a=3.85, cubic=True)
        cell.numbers[:] = rng.choice([29, 79], 4) if k > 3 else [29, 79][k % 2]
        frames.append(rattled(cell.repeat((2, 1, 1)), rng, 0.08, 0.03))
    coefficients, e0 = fitted(basis, frames, EMT(), 1e-3)
    return lace.Potential(basis, coefficients, e0)


@pytest.fixture(scope="session")
def rough():
    """Random coefficients, orders 1 to 4, two elements, a ZBL core: no physics, every path of the kernel."""
    basis = lace.ACEBasis(
        ["O", "Si"], correlation_order=4, max_degree=[8, 6, 5, 5], cutoff=4.0, repulsion=ZBL()
    )
    rng = np.random.default_rng(3)
    return lace.Potential(basis, rng.normal(size=basis.n_functions), [-1.25, -2.5])


@pytest.fixture
def diamond():
    """Rattled diamond silicon, 8 atoms."""
    return rattled(bulk("Si", a=5.43, cubic=True), np.random.default_rng(5), 0.05, 0.01)


@pytest.fixture(params=nasty_structures().items(), ids=lambda item: item[0])
def nasty(request):
    return request.param[1].copy()
