"""What purification does to a basis: its size, its space, and how well its functions can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.tables import align
from lacemaker.errors import BasisError

if TYPE_CHECKING:
    from lacemaker.basis import ACEBasis
    from lacemaker.basis.centre import CentreBasis

__all__ = ["CentreGrowth", "OrderConditioning", "PurificationReport", "report", "site_values"]


VANISHED = 1e-11
"""Length of a column, relative to that of the standard function, that is round-off."""

TINY = 1e-200


@dataclass(frozen=True)
class CentreGrowth:
    """Sizes of the functions of one centre element, each (standard, purified).

    Attributes
    ----------
    element : str
    n_a, n_products, n_entries : (int, int)
        Density coefficients A, products of them, entries of the coupling matrix. The first two set the cost
        of evaluating, the last that of design rows.
    l_max, n_max : (int, int)
    n_outside : int
        Invariants of lower order in the purified functions that the standard basis does not hold. With none
        of them both bases span the same space.
    """

    element: str
    n_a: tuple[int, int]
    n_products: tuple[int, int]
    n_entries: tuple[int, int]
    l_max: tuple[int, int]
    n_max: tuple[int, int]
    n_outside: int


@dataclass(frozen=True)
class OrderConditioning:
    """How distinct the functions of one centre and order are on given sites, each (standard, purified).

    Attributes
    ----------
    element : str
    order, n_functions : int
    vanishing : (int, int)
        Functions that are zero, up to round-off, on all sites; the figures below are without them.
    own : (float, float)
        Condition number of the functions of this order, columns scaled to unit length. The Gramian's is its
        square.
    up_to : (float, float)
        The same for all orders up to this one.
    explained : (float, float)
        Mean share of a function's squared length that functions of lower order account for; NaN at order 1.
    """

    element: str
    order: int
    n_functions: int
    vanishing: tuple[int, int]
    own: tuple[float, float]
    up_to: tuple[float, float]
    explained: tuple[float, float]


@dataclass(frozen=True)
class PurificationReport:
    """Standard and purified basis side by side; print it.

    Attributes
    ----------
    kind : str
    growth : tuple of CentreGrowth
    conditioning : tuple of OrderConditioning
        Empty without structures.
    """

    kind: str
    growth: tuple[CentreGrowth, ...]
    conditioning: tuple[OrderConditioning, ...]

    @property
    def same_space(self) -> bool:
        """Whether both bases span the same space exactly."""
        return not any(c.n_outside for c in self.growth)

    def to_dict(self) -> dict[str, Any]:
        """All numbers as plain JSON types."""
        return {
            "kind": self.kind,
            "same_space": self.same_space,
            "growth": [asdict(c) for c in self.growth],
            "conditioning": [asdict(c) for c in self.conditioning],
        }

    def __str__(self) -> str:
        header = ["centre", "A", "AA", "coupling entries", "l max", "n max", "outside"]
        names = ("n_a", "n_products", "n_entries", "l_max", "n_max")
        rows = [
            [c.element, *("{} → {}".format(*getattr(c, n)) for n in names), str(c.n_outside)]
            for c in self.growth
        ]
        space = "spans the same space as" if self.same_space else "does not span the space of"
        lines = [f"purification '{self.kind}': {space} the standard basis", "", *align(header, rows)]
        if self.conditioning:
            header = [
                "centre",
                "order",
                "functions",
                "vanishing",
                "condition",
                "of all up to it",
                "explained by lower",
            ]
            rows = [
                [
                    c.element,
                    str(c.order),
                    str(c.n_functions),
                    "{} → {}".format(*c.vanishing),
                    _pair(c.own),
                    _pair(c.up_to),
                    _pair(c.explained, ".2f"),
                ]
                for c in self.conditioning
            ]
            lines += ["", *align(header, rows)]
        return "\n".join(lines)


def _pair(values: tuple[float, float], form: str = ".1e") -> str:
    return " → ".join("–" if np.isnan(v) else format(v, form) for v in values)


def report(
    purified: ACEBasis, frames: Sequence[Any] | None = None, *, max_sites: int = 2000
) -> PurificationReport:
    """Compare a purified basis with its standard form.

    Parameters
    ----------
    purified : ACEBasis
        From `ACEBasis.purified`.
    frames : sequence of Frame or Atoms, optional
        Structures whose atoms are the samples of the condition numbers.
    max_sites : int
        At most this many atoms per element, the first ones. Use several times as many as there are functions;
        with fewer the condition numbers say nothing and are NaN.

    Raises
    ------
    BasisError
        When the basis is not purified, or structures hold other elements.
    """
    if purified.specification.purification is None:
        raise BasisError(
            f"There is nothing to compare: the basis is not purified. Found {purified!r}. "
            "Pass basis.purified() or basis.purified('pair')."
        )
    standard = purified.standard
    growth = tuple(
        _growth(purified, symbol, *centres)
        for symbol, *centres in zip(purified.elements, standard.many_body, purified.many_body, strict=True)
    )
    found: list[OrderConditioning] = []
    if frames is not None:
        both = [site_values(basis, frames, max_sites) for basis in (standard, purified)]
        for i, symbol in enumerate(purified.elements):
            found += _conditioning(symbol, purified.many_body[i].order, [values[i] for values in both])
    return PurificationReport(purified.specification.purification.kind, growth, tuple(found))


def _growth(basis: ACEBasis, element: str, standard: CentreBasis, pure: CentreBasis) -> CentreGrowth:
    from lacemaker.basis.purification import centre_expansion

    kind = basis.specification.purification.kind  # type: ignore[union-attr]
    expansion = centre_expansion(standard, basis.n_elements, basis.radial, kind)
    channel = [tuple(c) for c in standard.channels.tolist()]
    known = {
        (tuple(channel[c] for c in row if c >= 0), copy)
        for row, copy in zip(standard.function_channels.tolist(), standard.multiplicity.tolist(), strict=True)
    }
    return CentreGrowth(
        element=element,
        n_a=(len(standard.a_spec), len(pure.a_spec)),
        n_products=(standard.n_products, pure.n_products),
        n_entries=(len(standard.row_product), len(pure.row_product)),
        l_max=(int(standard.a_spec[:, 2].max()), int(pure.a_spec[:, 2].max())),
        n_max=(int(standard.a_spec[:, 1].max()), int(pure.a_spec[:, 1].max())),
        n_outside=sum(invariant not in known for invariant in expansion.invariants),
    )


def site_values(basis: ACEBasis, frames: Sequence[Any], max_sites: int = 2000) -> list[np.ndarray]:
    """Many-body functions of the atoms of some structures: per centre element (n_sites, n_functions)."""
    rows: list[list[np.ndarray]] = [[] for _ in basis.elements]
    for species, vectors, others in _sites(basis, frames):
        if len(rows[species]) < max_sites and len(vectors):
            rows[species].append(_values(basis, species, vectors, others))
    return [
        np.array(found).reshape(-1, centre.n_functions)
        for found, centre in zip(rows, basis.many_body, strict=True)
    ]


def _sites(basis: ACEBasis, frames: Iterable[Any]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Element index, neighbour vectors (n, 3) Å and neighbours' element indices (n,) of every atom."""
    from lacemaker.analysis.independence import environments_of

    for frame in frames:
        for _, species, vectors, others in environments_of(basis, frame):
            yield species, vectors, others


def _values(basis: ACEBasis, species: int, vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    from lacemaker.basis.reference import one_particle

    centre = basis.many_body[species]
    densities = one_particle(basis, species, vectors, others)[0].sum(axis=1)
    factors = densities[centre.product_index]
    return centre.coupling @ np.multiply.reduceat(factors, centre.product_first[:-1])


def _conditioning(element: str, order: np.ndarray, both: list[np.ndarray]) -> Iterator[OrderConditioning]:
    lengths = [np.linalg.norm(values, axis=0) for values in both]
    there = [size > VANISHED * lengths[0].clip(min=TINY) for size in lengths]
    scaled = [
        values / np.where(kept, size, 1.0) for values, size, kept in zip(both, lengths, there, strict=True)
    ]
    for nu in range(1, int(order.max()) + 1):
        if not (order == nu).any():
            continue
        columns = [
            (s[:, kept & (order == nu)], s[:, kept & (order < nu)], s[:, kept & (order <= nu)])
            for s, kept in zip(scaled, there, strict=True)
        ]
        own, lower, up_to = zip(*columns, strict=True)
        n = int((order == nu).sum())
        yield OrderConditioning(
            element=element,
            order=nu,
            n_functions=n,
            vanishing=(n - own[0].shape[1], n - own[1].shape[1]),
            own=(_condition(own[0]), _condition(own[1])),
            up_to=(_condition(up_to[0]), _condition(up_to[1])),
            explained=(_explained(own[0], lower[0]), _explained(own[1], lower[1])),
        )


def _condition(columns: np.ndarray) -> float:
    if len(columns) < columns.shape[1] or columns.shape[1] == 0:
        return float("nan")
    values = np.linalg.svd(columns, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")


def _explained(functions: np.ndarray, lower: np.ndarray) -> float:
    """Mean squared length of unit columns within the space of others."""
    if 0 in (lower.shape[1], functions.shape[1]) or len(lower) < lower.shape[1]:
        return float("nan")
    space, _ = np.linalg.qr(lower)
    return float((np.linalg.norm(space.T @ functions, axis=0) ** 2).mean())
