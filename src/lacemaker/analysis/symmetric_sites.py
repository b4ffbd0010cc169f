"""The rank of a basis at given environments, where symmetry makes densities and gradients vanish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lacemaker.basis.independence import FloatJacobian, Jacobian, Orthonormal
from lacemaker.basis.messages import basis_error

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis

__all__ = ["BasisVariables", "SiteRank", "Variables", "environments_of", "site_ranks"]

VANISHED = 1e-7
"""Size below which a density or a gradient of unit scale is zero: positions in files have 7 or 8 digits."""

SITE_THRESHOLD = 1e-8
"""Residual of a row of unit scale that still counts as independent at a given environment."""


@dataclass(frozen=True)
class SiteRank:
    """Rank at one environment.

    Attributes
    ----------
    name : str
        Structure and atom.
    element : str
    n_neighbours : int
    rank, generic : int
        Independent gradients by A here and at a generic environment.
    vanishing : tuple of int
        Angular momenta of which every density vanishes here.
    silent_by_order : tuple of int
        Functions without first-order change here, by correlation order: they and their gradients vanish.
    """

    name: str
    element: str
    n_neighbours: int
    rank: int
    generic: int
    vanishing: tuple[int, ...]
    silent_by_order: tuple[int, ...]


class Variables(Protocol):
    """Functions of sums over neighbours: what a rank is taken of. Centres are numbered as `elements`."""

    @property
    def elements(self) -> tuple[str, ...]: ...
    @property
    def cutoff(self) -> float: ...
    @property
    def scalable(self) -> bool:
        """Whether every function is homogeneous, so that variables may be scaled."""

    def order(self, centre: int) -> np.ndarray:
        """(n_functions,) correlation orders."""

    def labels(self, centre: int) -> np.ndarray:
        """(n_variables, 3) rows (neighbour, radial number, l)."""

    def contributions(self, centre: int, vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(n_variables, n) parts that n neighbours at vectors (n, 3) Å add to the variables."""

    def jacobian(self, centre: int, point: np.ndarray) -> Jacobian:
        """Gradients of the functions by the variables at a point (n_variables,)."""


class BasisVariables:
    """The density coefficients A of an `ACEBasis`."""

    def __init__(self, basis: ACEBasis) -> None:
        self.basis = basis
        self.elements, self.cutoff = tuple(basis.elements), basis.cutoff
        self.scalable = basis.specification.purification is None  # purified functions mix orders

    def order(self, centre: int) -> np.ndarray:
        return self.basis.many_body[centre].order

    def labels(self, centre: int) -> np.ndarray:
        return self.basis.many_body[centre].a_spec[:, :3]

    def contributions(self, centre: int, vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
        from lacemaker.basis.reference import one_particle

        return one_particle(self.basis, centre, vectors, others)[0]

    def jacobian(self, centre: int, point: np.ndarray) -> Jacobian:
        return FloatJacobian(self.basis.many_body[centre], point)


def site_ranks(functions: Variables, environments: Any, generic: Sequence[int]) -> tuple[SiteRank, ...]:
    """Rank of the Jacobian at every distinct atom of some structures.

    Variables are scaled by the size of those of equal element and n, so that ranks do not depend on units
    or on the decay of the radial functions.

    Parameters
    ----------
    environments : Frame, Atoms or a sequence of them
    generic
        Rank at a generic environment, by centre element.

    Raises
    ------
    BasisError
        When the structures hold other elements.
    """
    found: dict[tuple[Any, ...], SiteRank] = {}
    for number, structure in enumerate(_structures(environments)):
        for atom, species, vectors, others in environments_of(functions, structure):
            name = f"{getattr(structure, 'source', '') or f'structure {number}'}, atom {atom}"
            site = _site(functions, name, species, vectors, others, generic)
            found.setdefault((number, site.element, *_measures(site)), site)
    return tuple(found.values())


def _measures(site: SiteRank) -> tuple[Any, ...]:
    return site.n_neighbours, site.rank, site.vanishing, site.silent_by_order


def _structures(given: Any) -> Iterable[Any]:
    return [given] if hasattr(given, "positions") else given


def environments_of(functions: Any, structure: Any) -> Iterable[tuple[int, int, np.ndarray, np.ndarray]]:
    """Atom number, element index, neighbour vectors (n, 3) Å and neighbours' element indices (n,)."""
    from lacemaker.basis.elements import symbol_of
    from lacemaker.basis.reference import environments
    from lacemaker.structures import neighbour_list

    positions, cell = np.asarray(structure.positions), np.asarray(structure.cell)
    symbols = [symbol_of(int(z)) for z in structure.numbers]
    unknown = sorted(set(symbols) - set(functions.elements))
    if unknown:
        raise basis_error(
            "an environment holds elements the basis does not know",
            ", ".join(unknown),
            f"give structures of {', '.join(functions.elements)}",
        )
    species = np.array([functions.elements.index(symbol) for symbol in symbols])
    pairs = neighbour_list(positions, cell, structure.pbc, functions.cutoff)
    for atom, others, vectors in environments(positions, cell, pairs):  # type: ignore[arg-type]
        yield atom, int(species[atom]), vectors, species[others]


def _site(
    functions: Variables, name: str, species: int, vectors: np.ndarray, others: np.ndarray,
    generic: Sequence[int],
) -> SiteRank:  # fmt: skip
    labels, order = functions.labels(species), functions.order(species)
    point = np.zeros(len(labels))
    if len(vectors):
        values = functions.contributions(species, vectors, others)
        point = _scaled(labels, values) if functions.scalable else values.sum(axis=1)
    rows = functions.jacobian(species, point).rows(np.arange(len(order)))
    size = np.abs(rows).max(axis=1)
    silent = size < VANISHED
    space = Orthonormal(rows.shape[1], SITE_THRESHOLD)
    space.add(np.where(silent[:, None], 0.0, rows))
    ell = labels[:, 2]
    gone = [int(k) for k in np.unique(ell) if np.abs(point[ell == k]).max(initial=0.0) < VANISHED]
    return SiteRank(
        name=name,
        element=functions.elements[species],
        n_neighbours=len(vectors),
        rank=space.rank,
        generic=generic[species],
        vanishing=tuple(gone),
        silent_by_order=tuple(np.bincount(order[silent], minlength=int(order.max()) + 1)[1:].tolist()),
    )


def _scaled(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n_variables,) sums of the neighbours' values, of size about one where none vanishes."""
    total = values.sum(axis=1)
    point = np.zeros(len(total))
    for z, n in np.unique(labels[:, :2], axis=0):
        mine = (labels[:, 0] == z) & (labels[:, 1] == n)
        size = np.sqrt(
            (values[mine] ** 2).sum() / max(mine.sum(), 1)
        )  # what they add up to with random signs
        point[mine] = total[mine] / size if size > 0 else 0.0
    return point
