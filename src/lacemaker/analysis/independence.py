"""How many of a basis's functions are independent, how far it is from complete, and where it loses rank.

The functional rank (see `lacemaker.basis.independence`) counts independent many-body functions at a generic
environment. At a symmetric site densities vanish, gradients vanish with them, and the rank drops: there
functions that differ elsewhere say the same, to first order in any displacement. A basis that is complete
at generic environments need not be *flexible*, that is complete at such sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.basis.independence import FloatJacobian, Orthonormal
from lacemaker.basis.messages import basis_error
from lacemaker.basis.optimal import Arithmetic, IndependentSet, independent_functions

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis
    from lacemaker.basis.centre import CentreBasis
    from lacemaker.potential import Potential

__all__ = ["CentreRank", "IndependenceReport", "SiteRank", "measured_costs", "report", "site_ranks"]

VANISHED = 1e-7
"""Size below which a density or a gradient of unit scale is zero: positions in files have 7 or 8 digits."""

SITE_THRESHOLD = 1e-8
"""Residual of a row of unit scale that still counts as independent at a given environment."""


@dataclass(frozen=True)
class CentreRank:
    """Functional rank of the many-body functions of one centre element.

    Attributes
    ----------
    element : str
    n_functions, rank : int
    n_components, bound : int
        Density coefficients A in use, and the largest possible rank: A less the dimension of rotations.
    kept_by_order, functions_by_order : tuple of int
        By correlation order 1, 2, …, in the order degree first.
    """

    element: str
    n_functions: int
    rank: int
    n_components: int
    bound: int
    kept_by_order: tuple[int, ...]
    functions_by_order: tuple[int, ...]

    @property
    def redundant(self) -> int:
        """Functions that are functions of the others."""
        return self.n_functions - self.rank


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


@dataclass(frozen=True)
class IndependenceReport:
    """Functional rank of a basis; print it.

    Attributes
    ----------
    centres : tuple of CentreRank
    sites : tuple of SiteRank
        One per distinct environment given.
    n_pair : int
        Pair functions; each has a variable of its own and they are always independent.
    arithmetic : str
    active_only : bool
        Whether only functions with a coefficient other than zero were looked at.
    """

    centres: tuple[CentreRank, ...]
    sites: tuple[SiteRank, ...]
    n_pair: int
    arithmetic: str
    active_only: bool

    @property
    def redundant(self) -> int:
        """Redundant functions of all centre elements."""
        return sum(centre.redundant for centre in self.centres)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        centres = [asdict(c) | {"redundant": c.redundant} for c in self.centres]
        return {
            "arithmetic": self.arithmetic,
            "active_only": self.active_only,
            "redundant": self.redundant,
            "n_pair": self.n_pair,
            "centres": centres,
            "sites": [asdict(site) for site in self.sites],
        }

    def __str__(self) -> str:
        from lacemaker.analysis.tables import align

        which = "functions with a coefficient" if self.active_only else "functions"
        lines = [f"functional independence of the many-body {which} ({self.arithmetic})"]
        header = ["centre", "functions", "rank", "redundant", "A", "bound", "kept of each order 1, 2, …"]
        rows = [
            [c.element, *map(str, (c.n_functions, c.rank, c.redundant, c.n_components, c.bound)),
             "  ".join(f"{k}/{n}" for k, n in zip(c.kept_by_order, c.functions_by_order, strict=True))]
            for c in self.centres
        ]  # fmt: skip
        lines += align(header, rows)
        lines.append(
            "rank: functions none of which is a function of the others; bound: the largest rank there can be"
        )
        if self.sites:
            header = [
                "environment",
                "centre",
                "neighbours",
                "rank",
                "generic",
                "vanishing l",
                "silent of order 1, 2, …",
            ]
            rows = [
                [s.name, s.element, str(s.n_neighbours), str(s.rank), str(s.generic),
                 " ".join(map(str, s.vanishing)) or "–", " ".join(map(str, s.silent_by_order))]
                for s in self.sites
            ]  # fmt: skip
            lines += ["", *align(header, rows)]
            lines.append("silent: value and first derivatives by the densities vanish at this environment")
        return "\n".join(lines)


def report(
    basis_or_potential: ACEBasis | Potential,
    environments: Any = None,
    *,
    arithmetic: Arithmetic | None = None,
) -> IndependenceReport:
    """Functional rank, redundant functions, completeness bound, and the rank at given environments.

    Parameters
    ----------
    basis_or_potential : ACEBasis or Potential
        Of a potential, the functions with a coefficient other than zero are looked at.
    environments : Frame, Atoms or a sequence of them, optional
        Structures whose atoms are looked at one by one; equivalent atoms are listed once.
    arithmetic : "exact" or "float64", optional
        Exact by default, float64 for bases with products of functions and purified ones.

    Returns
    -------
    IndependenceReport

    Raises
    ------
    BasisError
        When the structures hold other elements than the basis.
    """
    basis, active = _active_basis(basis_or_potential)
    if arithmetic is None:
        spec = basis.specification
        plain = spec.readout is None and spec.purification is None
        arithmetic = "exact" if plain else "float64"
    found = independent_functions(basis, "degree", arithmetic)
    ranks, start = [], 0
    for i, centre in enumerate(basis.many_body):
        mask = found.mask[start : start + centre.n_functions]
        start += centre.n_functions
        ranks.append(_centre_rank(basis.elements[i], centre, mask, found, i))
    sites = () if environments is None else site_ranks(basis, environments, found.rank)
    return IndependenceReport(
        centres=tuple(ranks),
        sites=sites,
        n_pair=len(basis.pair_columns.owners),
        arithmetic=arithmetic,
        active_only=active,
    )


def _active_basis(given: Any) -> tuple[ACEBasis, bool]:
    """The basis, without the many-body functions whose coefficients are zero; whether any was left out."""
    if not hasattr(given, "coefficients"):
        return given, False
    basis = given.basis
    used = given.coefficients[: basis.n_many_body] != 0
    if used.all() or basis.specification.readout is not None:
        return basis, False
    start = 0
    for element, centre in zip(basis.elements, basis.many_body, strict=True):
        if not used[start : start + centre.n_functions].any():
            raise basis_error(
                "there is nothing to say about this potential",
                f"no many-body function of {element} has a coefficient",
                "check the basis instead: report(potential.basis)",
            )
        start += centre.n_functions
    return basis.subset(used), True


def _centre_rank(
    element: str, centre: CentreBasis, mask: np.ndarray, found: IndependentSet, i: int
) -> CentreRank:
    n_orders = int(centre.order.max())
    return CentreRank(
        element=element,
        n_functions=centre.n_functions,
        rank=int(mask.sum()),
        n_components=found.n_components[i],
        bound=found.bound[i],
        kept_by_order=tuple(np.bincount(centre.order[mask], minlength=n_orders + 1)[1:].tolist()),
        functions_by_order=tuple(np.bincount(centre.order, minlength=n_orders + 1)[1:].tolist()),
    )


def site_ranks(basis: ACEBasis, environments: Any, generic: Sequence[int]) -> tuple[SiteRank, ...]:
    """Rank of the A-Jacobian at every distinct atom of some structures.

    Densities are scaled by the size of those of equal element and n, so that ranks do not depend on units
    or on the decay of the radial functions.
    """
    found: dict[tuple[Any, ...], SiteRank] = {}
    for number, structure in enumerate(_structures(environments)):
        for atom, species, vectors, others in environments_of(basis, structure):
            name = f"{getattr(structure, 'source', '') or f'structure {number}'}, atom {atom}"
            site = _site(basis, name, species, vectors, others, generic)
            found.setdefault((number, site.element, *_measures(site)), site)
    return tuple(found.values())


def _measures(site: SiteRank) -> tuple[Any, ...]:
    return site.n_neighbours, site.rank, site.vanishing, site.silent_by_order


def _structures(given: Any) -> Iterable[Any]:
    return [given] if hasattr(given, "positions") else given


def environments_of(basis: ACEBasis, structure: Any) -> Iterable[tuple[int, int, np.ndarray, np.ndarray]]:
    """Atom number, element index, neighbour vectors (n, 3) Å and neighbours' element indices (n,)."""
    from lacemaker.basis.elements import symbol_of
    from lacemaker.basis.reference import environments
    from lacemaker.structures import neighbour_list

    positions, cell = np.asarray(structure.positions), np.asarray(structure.cell)
    symbols = [symbol_of(int(z)) for z in structure.numbers]
    unknown = sorted(set(symbols) - set(basis.elements))
    if unknown:
        raise basis_error(
            "an environment holds elements the basis does not know",
            ", ".join(unknown),
            f"give structures of {', '.join(basis.elements)}",
        )
    species = np.array([basis.elements.index(symbol) for symbol in symbols])
    pairs = neighbour_list(positions, cell, structure.pbc, basis.cutoff)
    for atom, others, vectors in environments(positions, cell, pairs):  # type: ignore[arg-type]
        yield atom, int(species[atom]), vectors, species[others]


def _site(
    basis: ACEBasis, name: str, species: int, vectors: np.ndarray, others: np.ndarray, generic: Sequence[int]
) -> SiteRank:
    centre = basis.many_body[species]
    point = np.zeros(len(centre.a_spec))
    if len(vectors):
        from lacemaker.basis.reference import one_particle

        values, _ = one_particle(basis, species, vectors, others)
        mixed = basis.specification.purification is not None  # orders mix: no scale per n to choose
        point = values.sum(axis=1) if mixed else _scaled(centre, values)
    rows = FloatJacobian(centre, point).rows(np.arange(centre.n_functions))
    size = np.abs(rows).max(axis=1)
    silent = size < VANISHED
    space = Orthonormal(rows.shape[1], SITE_THRESHOLD)
    space.add(np.where(silent[:, None], 0.0, rows))
    ell = centre.a_spec[:, 2]
    gone = [int(k) for k in np.unique(ell) if np.abs(point[ell == k]).max(initial=0.0) < VANISHED]
    return SiteRank(
        name=name,
        element=basis.elements[species],
        n_neighbours=len(vectors),
        rank=space.rank,
        generic=generic[species],
        vanishing=tuple(gone),
        silent_by_order=tuple(
            np.bincount(centre.order[silent], minlength=int(centre.order.max()) + 1)[1:].tolist()
        ),
    )


def _scaled(centre: CentreBasis, values: np.ndarray) -> np.ndarray:
    """(n_A,) densities from the neighbours' (n_A, n) contributions, of size about one where none vanishes."""
    total = values.sum(axis=1)
    point = np.zeros(len(total))
    for z, n in np.unique(centre.a_spec[:, :2], axis=0):
        mine = (centre.a_spec[:, 0] == z) & (centre.a_spec[:, 1] == n)
        size = np.sqrt(
            (values[mine] ** 2).sum() / max(mine.sum(), 1)
        )  # what they add up to with random signs
        point[mine] = total[mine] / size if size > 0 else 0.0
    return point


def measured_costs(basis: ACEBasis, *, n_atoms: int = 216, repeats: int = 3) -> np.ndarray:
    """(n_many_body,) µs per atom that each function adds to a program, from timings on this machine.

    The time per product is measured for each correlation order, with a program of all products of that
    order; a function costs as much as its products. Hand it to ``basis.optimal(order_by=…)``.
    """
    from lacemaker.analysis.speed import evaluation_speed
    from lacemaker.potential import Potential

    rng = np.random.default_rng(0)
    orders = np.concatenate([c.order for c in basis.many_body])
    products = np.concatenate([np.diff(c.row_first) for c in basis.many_body])

    def seconds(mask: np.ndarray) -> float:
        coefficients = np.zeros(basis.n_functions)
        coefficients[: basis.n_many_body][mask] = 1e-3 * rng.normal(size=int(mask.sum()))
        model = Potential(basis, coefficients, np.zeros(basis.n_elements))
        return evaluation_speed(model, n_atoms, repeats=repeats).cpu_us_per_atom

    cost = np.zeros(basis.n_many_body)
    before = 0.0
    for order in range(1, basis.correlation_order + 1):
        now = seconds(orders <= order)
        number = sum(int((c.product_order == order).sum()) for c in basis.many_body)
        share = max(now - before, 1e-6) / max(number, 1) * basis.n_elements
        cost[orders == order] = share * products[orders == order]
        before = now
    return cost
