"""How large a basis is, as a table for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.basis.centre import CentreBasis


@dataclass(frozen=True)
class CentreSize:
    """Numbers for one centre element.

    Attributes
    ----------
    by_order
        Many-body functions of correlation order 1, 2, ...
    n_pair
        Pair functions (shared ones are counted at the first of the two elements).
    n_a, n_products
        Density coefficients A and distinct products of them: these set the cost.
    l_max, n_max
        Largest angular momentum and radial index in use.
    """

    element: str
    by_order: tuple[int, ...]
    n_pair: int
    n_a: int
    n_products: int
    l_max: int
    n_max: int

    @property
    def n_functions(self) -> int:
        """All functions of this centre element."""
        return sum(self.by_order) + self.n_pair


@dataclass(frozen=True)
class BasisCounts:
    """Sizes per centre element; ``print(counts)`` shows a table."""

    centres: tuple[CentreSize, ...]

    @property
    def n_functions(self) -> int:
        """Total number of coefficients (one-body energies not included)."""
        return sum(c.n_functions for c in self.centres)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        centres = [asdict(c) | {"n_functions": c.n_functions} for c in self.centres]
        return {"n_functions": self.n_functions, "centres": centres}

    def __str__(self) -> str:
        orders = len(self.centres[0].by_order)
        header = ["centre", *(f"{nu + 1}-body" for nu in range(1, orders + 1)), "pair", "total"]
        header += ["A", "AA", "l max", "n max"]
        rows: list[list[Any]] = [
            [c.element, *c.by_order, c.n_pair, c.n_functions, c.n_a, c.n_products, c.l_max, c.n_max]
            for c in self.centres
        ]
        if len(rows) > 1:
            sums = [sum(row[k] for row in rows) for k in range(1, orders + 3)]
            rows.append(["all", *sums, "", "", "", ""])
        table = [[str(x) for x in row] for row in [header, *rows]]
        widths = [max(len(row[i]) for row in table) for i in range(len(header))]
        return "\n".join(
            "  ".join(
                x.rjust(w) if i else x.ljust(w) for i, (x, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        )


def count_basis(
    elements: Sequence[str], many_body: Sequence["CentreBasis"], pair_owners: np.ndarray, n_orders: int
) -> BasisCounts:
    """Sizes of a basis from its parts; `pair_owners` (n, 3) as in `lacemaker.basis.pair.PairColumns`."""
    return BasisCounts(
        tuple(
            CentreSize(
                element=element,
                by_order=tuple(np.bincount(centre.order, minlength=n_orders + 1)[1:].tolist()),
                n_pair=int((pair_owners[:, 0] == i).sum()),
                n_a=len(centre.a_spec),
                n_products=centre.n_products,
                l_max=int(centre.channels[:, 2].max()),
                n_max=int(centre.channels[:, 1].max()),
            )
            for i, (element, centre) in enumerate(zip(elements, many_body, strict=True))
        )
    )
