"""The ACE basis in plain NumPy: values and gradients, written to be read. The oracle of every kernel.

    A_v(i)  = sum_j delta(z_v, z_j) R_n(r_ij) Y_lm(r_ij / |r_ij|)
    B_k(i)  = sum_p C_kp prod_t A_{p_t}(i)
    pair    : sum_j delta(z, z_j) R^pair_n(r_ij)

Harmonics come from derivatives of Legendre polynomials, not from the recursions of the kernels. Atoms are
taken one at a time, so memory is one environment; expect milliseconds per atom, not microseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import factorial, pi, sqrt
from typing import Protocol

import numpy as np
from numpy.polynomial import Polynomial, legendre

from lacemaker.basis.ace import ACEBasis
from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.basis.repulsion import zbl_energy

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""xx yy zz yz xz xy"""


class Neighbours(Protocol):
    """What is read of a `lacemaker.structures.NeighbourList`."""

    first: np.ndarray
    index: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Rows:
    """Design rows of one structure (K columns: many-body, then pair).

    Attributes
    ----------
    energy
        (K,) sum of the site functions.
    forces
        (3 N, K) minus the derivatives by the positions, 1/Å.
    virial
        (6, K) minus the derivatives by the strain (xx yy zz yz xz xy).
    """

    energy: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


@cache
def _legendre_derivative(ell: int, m: int) -> Polynomial:
    """Normalised d^m/dz^m of the Legendre polynomial P_l."""
    norm = sqrt((2 * ell + 1) / (4 * pi) * factorial(ell - m) / factorial(ell + m) * (2 if m else 1))
    return Polynomial(norm * legendre.leg2poly([0] * ell + [1])).deriv(m)


def real_harmonics(l_max: int, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Real orthonormal spherical harmonics without Condon-Shortley sign.

    Parameters
    ----------
    unit
        (n, 3) unit vectors.

    Returns
    -------
    values
        (n, (l_max + 1)^2), element l^2 + l + m.
    gradients
        (n, (l_max + 1)^2, 3), tangential: multiply by 1/r for the gradient by the vector.
    """
    x, y, z = unit.T
    values = np.empty((len(unit), (l_max + 1) ** 2))
    gradients = np.empty((len(unit), (l_max + 1) ** 2, 3))
    for m in range(l_max + 1):
        power = (x + 1j * y) ** m
        by_x = m * (x + 1j * y) ** max(m - 1, 0)
        for ell in range(m, l_max + 1):
            p, dp = _legendre_derivative(ell, m)(z), _legendre_derivative(ell, m).deriv()(z)
            for sign, part in ((1, np.real), (-1, np.imag))[: 2 if m else 1]:
                k = ell * ell + ell + sign * m
                values[:, k] = p * part(power)
                gradients[:, k] = np.stack([p * part(by_x), p * part(1j * by_x), dp * part(power)], axis=1)
    radial = np.einsum("nkc,nc->nk", gradients, unit)
    return values, gradients - radial[:, :, None] * unit[:, None, :]


def one_particle(
    basis: ACEBasis, centre: int, vectors: np.ndarray, species: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R_n Y_lm of every neighbour, for each row of the centre's A spec.

    Parameters
    ----------
    vectors
        (n, 3) Å from the centre to its neighbours.
    species
        (n,) element index of each neighbour.

    Returns
    -------
    values (n_A, n) and gradients (n_A, n, 3) by the neighbours' positions.
    """
    z, n, ell, m = basis.many_body[centre].a_spec.T
    r = np.linalg.norm(vectors, axis=1)
    unit = vectors / r[:, None]
    radial, slope = np.zeros((2, basis.radial.n_max, len(r)))
    for s in range(basis.n_elements):
        radial[:, species == s], slope[:, species == s] = basis.radial.evaluate(
            r[species == s], *basis.lengths(centre, s)
        )
    harmonics, tangent = real_harmonics(int(ell.max()), unit)
    y, dy = harmonics.T[ell * ell + ell + m], tangent.transpose(1, 0, 2)[ell * ell + ell + m]
    mine = z[:, None] == species
    value = mine * radial[n - 1] * y
    gradient = (slope[n - 1] * y)[..., None] * unit + (radial[n - 1] / r)[..., None] * dy
    return value, mine[..., None] * gradient


def _padded_products(centre: CentreBasis) -> np.ndarray:
    """(n_products, nu_max) A numbers, n_A where a product has fewer factors."""
    lengths = centre.product_order
    padded = np.full((centre.n_products, int(lengths.max())), len(centre.a_spec))
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = centre.product_index
    return padded


def many_body(centre: CentreBasis, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Functions B (K,) and derivatives dB/dA (K, n_A) from the densities `a` (n_A,)."""
    from scipy.sparse import csr_array

    index = _padded_products(centre)
    factors = np.append(a, 1.0)[index]
    coupling = centre.coupling
    by_a = np.zeros((centre.n_functions, len(a) + 1))
    rows = np.arange(len(index))
    for t in range(index.shape[1]):
        others = np.delete(factors, t, axis=1).prod(axis=1)
        scatter = csr_array((others, (rows, index[:, t])), shape=(len(index), len(a) + 1))
        by_a += (coupling @ scatter).toarray()
    return coupling @ factors.prod(axis=1), by_a[:, :-1]


def site(
    basis: ACEBasis, centre: int, vectors: np.ndarray, species: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All columns of one environment: values (K,) and gradients (K, n, 3) by the neighbours' positions."""
    value, gradient = np.zeros(basis.n_functions), np.zeros((basis.n_functions, len(vectors), 3))
    if len(vectors) == 0:
        return value, gradient
    start = sum(c.n_functions for c in basis.many_body[:centre])
    mine = slice(start, start + basis.many_body[centre].n_functions)
    phi, dphi = one_particle(basis, centre, vectors, species)
    value[mine], by_a = many_body(basis.many_body[centre], phi.sum(axis=1))
    gradient[mine] = np.tensordot(by_a, dphi, axes=1)
    if basis.pair_radial is not None:
        r = np.linalg.norm(vectors, axis=1)
        for s in range(basis.n_elements):
            of_s = np.flatnonzero(species == s)
            column = basis.pair_columns.column[centre, s]
            column = column[column >= 0]
            radial, slope = basis.pair_radial.evaluate(r[of_s], *basis.pair_lengths(centre, s))
            value[column] = radial[: len(column)].sum(axis=1)
            gradient[np.ix_(column, of_s)] = slope[: len(column), :, None] * vectors[of_s] / r[of_s, None]
    return value, gradient


def environments(
    positions: np.ndarray, cell: np.ndarray, neighbours: Neighbours
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Atom number, neighbour numbers (n,) and vectors (n, 3) Å of every atom."""
    for i in range(len(positions)):
        pairs = slice(int(neighbours.first[i]), int(neighbours.first[i + 1]))
        j = neighbours.index[pairs]
        yield i, j, positions[j] + neighbours.shift[pairs] @ cell - positions[i]


def evaluate(
    basis: ACEBasis,
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    species: np.ndarray,
    neighbours: Neighbours,
) -> np.ndarray:
    """Site functions (n_atoms, K) of every atom.

    Parameters
    ----------
    positions
        (n_atoms, 3) Å.
    cell
        (3, 3) Å, rows are lattice vectors.
    pbc
        (3,) not used: the neighbour list says it all.
    species
        (n_atoms,) element indices into ``basis.elements``.
    neighbours
        Full directed list with a cutoff of at least ``basis.cutoff``.
    """
    values = np.zeros((len(positions), basis.n_functions))
    for i, j, vectors in environments(positions, cell, neighbours):
        values[i], _ = site(basis, int(species[i]), vectors, species[j])
    return values


def design(
    basis: ACEBasis,
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    species: np.ndarray,
    neighbours: Neighbours,
) -> Rows:
    """Energy, force and virial rows; arguments as in `evaluate`. Without ZBL and one-body energies."""
    n, k = len(positions), basis.n_functions
    energy, by_position, by_strain = np.zeros(k), np.zeros((n, 3, k)), np.zeros((3, 3, k))
    for i, j, vectors in environments(positions, cell, neighbours):
        value, gradient = site(basis, int(species[i]), vectors, species[j])
        energy += value
        by_strain += np.einsum("na,knb->abk", vectors, gradient)
        by_position[i] -= gradient.sum(axis=1).T
        for neighbour, g in zip(j.tolist(), gradient.transpose(1, 2, 0), strict=True):
            by_position[neighbour] += g
    symmetric = 0.5 * (by_strain + by_strain.transpose(1, 0, 2))
    return Rows(energy, -by_position.reshape(3 * n, k), -np.stack([symmetric[a, b] for a, b in VOIGT]))


def core_repulsion(
    basis: ACEBasis, positions: np.ndarray, cell: np.ndarray, species: np.ndarray, neighbours: Neighbours
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ZBL baseline: site energies (n_atoms,) eV, forces (n_atoms, 3) eV/Å and virial (6,) eV."""
    sites, forces, by_strain = np.zeros(len(positions)), np.zeros((len(positions), 3)), np.zeros((3, 3))
    core = basis.specification.repulsion
    if core is None:
        return sites, forces, np.zeros(6)
    numbers = [ATOMIC_NUMBERS[e] for e in basis.elements]
    for i, js, vectors in environments(positions, cell, neighbours):
        for j, d in zip(js.tolist(), vectors, strict=True):
            a, b = int(species[i]), int(species[j])
            r = float(np.linalg.norm(d))
            v, dv = zbl_energy(np.array(r), numbers[a], numbers[b], core.inner[a][b], core.outer[a][b])
            sites[i] += 0.5 * v
            gradient = 0.5 * dv * d / r
            forces[i] += gradient
            forces[j] -= gradient
            by_strain += np.outer(d, gradient)
    return sites, forces, -np.array([by_strain[a, b] for a, b in VOIGT])
