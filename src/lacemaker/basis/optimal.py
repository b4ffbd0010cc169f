"""The functionally independent ("optimal") subset of a basis.

Every function of the full basis is, near a generic environment, a function of the ones that are kept, and
none of those is a function of the others. Which ones survive depends on the order in which they are offered;
their number does not. See `lacemaker.basis.independence` for the mathematics.

For a *linear* model this shrinks the function space: squares and products of kept functions are dropped
although a linear fit needs them. `lacemaker.basis.optimal_readout` gives them back, up to a degree.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.independence import (
    FloatJacobian,
    Orthonormal,
    completeness_bound,
    exact_order,
    greedy,
)
from lacemaker.basis.messages import basis_error
from lacemaker.basis.optimal_order import OrderBy, function_orders, order_name

if TYPE_CHECKING:
    from lacemaker.basis.ace import ACEBasis

Arithmetic = Literal["exact", "float64"]
SEEDS = (20250330, 2503)


@dataclass(frozen=True, eq=False)
class IndependentSet:
    """Which many-body functions of a basis are independent.

    Attributes
    ----------
    mask
        (n_many_body,) bool: kept.
    order
        (n_many_body,) columns in the order in which they were offered.
    rank, bound, n_components
        Per centre element: functional rank, largest possible rank, number of A in use.
    order_by, arithmetic
        The key and "exact" (two primes, two random points) or "float64" (two random points).
    agreed
        Whether all random points gave the same set. They always did; if not, the largest ranks were taken.
    margin
        (smallest kept, largest dropped) residual of a unit row, float64 only.
    """

    mask: np.ndarray
    order: np.ndarray
    rank: tuple[int, ...]
    bound: tuple[int, ...]
    n_components: tuple[int, ...]
    order_by: str
    arithmetic: Arithmetic
    agreed: bool
    margin: tuple[float, float] | None = None

    @property
    def columns(self) -> np.ndarray:
        """(n_kept,) kept columns, ascending."""
        return np.flatnonzero(self.mask)

    @property
    def ordering(self) -> np.ndarray:
        """(n_many_body,) columns, independent ones first, each part in the order of the key."""
        first = self.mask[self.order]
        return np.concatenate([self.order[first], self.order[~first]])

    def to_dict(self) -> dict[str, Any]:
        """Sizes as plain JSON types."""
        return {
            "functions": len(self.mask),
            "kept": int(self.mask.sum()),
            "rank": list(self.rank),
            "bound": list(self.bound),
            "components": list(self.n_components),
            "order_by": self.order_by,
            "arithmetic": self.arithmetic,
            "agreed": self.agreed,
        }


def independent_functions(
    basis: "ACEBasis", order_by: OrderBy = "degree", arithmetic: Arithmetic = "exact"
) -> IndependentSet:
    """Prune by the rank of the Jacobian with respect to the density coefficients, per centre element.

    Parameters
    ----------
    basis
        Any `ACEBasis`; pair functions do not take part (each has a variable of its own).
    order_by
        "degree" (then body order), "body_order" (then degree), "cost" (multiplications), a function of a
        `Function`, or one number per many-body function. Lower comes first; greedy selection is optimal for
        the sum of any such number.
    arithmetic
        "exact": modulo two primes near 2^31, each with its own random point; "independent" is then proven.
        "float64": the same with orthogonal projections, threshold 1e-9.

    Raises
    ------
    BasisError
        for unknown arguments, and for exact arithmetic on products of functions or purified functions.
    """
    if arithmetic not in ("exact", "float64"):
        raise basis_error("unknown arithmetic", repr(arithmetic), 'choose "exact" or "float64"')
    if arithmetic == "exact" and basis.specification.readout is not None:
        raise basis_error(
            "products of functions have no exact couplings",
            "a basis with a polynomial readout",
            'prune before adding the readout, or use arithmetic="float64"',
        )
    if arithmetic == "exact" and basis.specification.purification is not None:
        raise basis_error(
            "purified functions have no exact couplings",
            repr(basis),
            'prune first and purify then, basis.standard.optimal().purified(), or use arithmetic="float64"',
        )
    orders = function_orders(basis, order_by)
    done: dict[tuple[int, bytes], tuple[np.ndarray, bool, tuple[float, float] | None]] = {}
    masks, columns, agreed, margins, start = [], [], True, [], 0
    for centre, order in zip(basis.many_body, orders, strict=True):
        key = id(centre), order.tobytes()  # centres with the same functions share the answer
        if key not in done:
            done[key] = _exact(centre, order) if arithmetic == "exact" else _float64(centre, order)
        new, agree, margin = done[key]
        mask = np.zeros(centre.n_functions, dtype=bool)
        mask[order[new]] = True
        masks.append(mask)
        columns.append(order + start)
        margins += [margin] if margin else []
        agreed &= agree
        start += centre.n_functions
    return IndependentSet(
        mask=np.concatenate(masks),
        order=np.concatenate(columns),
        rank=tuple(int(mask.sum()) for mask in masks),
        bound=tuple(completeness_bound(c) for c in basis.many_body),
        n_components=tuple(len(c.a_spec) for c in basis.many_body),
        order_by=order_name(order_by),
        arithmetic=arithmetic,
        agreed=agreed,
        margin=(min(m[0] for m in margins), max(m[1] for m in margins)) if margins else None,
    )


def _exact(centre: CentreBasis, order: np.ndarray) -> tuple[np.ndarray, bool, None]:
    return *exact_order(centre, order, SEEDS), None


def _float64(centre: CentreBasis, order: np.ndarray) -> tuple[np.ndarray, bool, tuple[float, float]]:
    """Two random real points; the set of the larger rank counts."""
    runs, spaces = [], []
    for seed in SEEDS:
        point = np.random.default_rng(seed).normal(size=len(centre.a_spec))
        spaces.append(Orthonormal(len(point)))
        runs.append(greedy(FloatJacobian(centre, point), spaces[-1], order, completeness_bound(centre)))
    best = int(np.argmax([run.sum() for run in runs]))
    margin = min(s.smallest_kept for s in spaces), max(s.largest_dropped for s in spaces)
    return runs[best], all(np.array_equal(runs[0], run) for run in runs[1:]), margin
