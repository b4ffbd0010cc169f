"""The ACE basis: which functions of an atomic environment a linear potential is made of."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lacemaker.basis import tables
from lacemaker.basis.centre import CentreBasis
from lacemaker.basis.envelopes import Envelope, XEnvelope
from lacemaker.basis.messages import basis_error
from lacemaker.basis.optimal import Arithmetic, IndependentSet, independent_functions
from lacemaker.basis.optimal_order import OrderBy
from lacemaker.basis.optimal_subset import (
    PART_FIELDS,
    build_many_body,
    parent_columns,
    product_spec,
    selection_spec,
)
from lacemaker.basis.pair import PairBasis, PairColumns, pair_columns
from lacemaker.basis.purification import purification_spec
from lacemaker.basis.purify_terms import Kind
from lacemaker.basis.radial import Jacobi, RadialBasis
from lacemaker.basis.repulsion import ZBL
from lacemaker.basis.sizes import BasisCounts, count_basis
from lacemaker.basis.transforms import Agnesi, Transform
from lacemaker.basis.truncation import truncated_columns, truncated_spec

if TYPE_CHECKING:
    from lacemaker.basis.spec import BasisSpec


@dataclass(frozen=True, slots=True)
class Function:
    """One basis function (one coefficient), identified by its quantum numbers.

    Attributes
    ----------
    kind
        "many-body" or "pair".
    centre
        Centre element, as an index into the basis's elements (for shared pair functions the first of the
        two).
    channels
        One (z, n, l) per factor: neighbour element index, radial index from 1, angular momentum.
    multiplicity
        Number of the function among those with the same channels.
    """

    kind: Literal["many-body", "pair"]
    centre: int
    channels: tuple[tuple[int, int, int], ...]
    multiplicity: int = 0

    @property
    def correlation_order(self) -> int:
        """Number of factors; body order minus one."""
        return len(self.channels)


class ACEBasis:
    """Linear ACE basis: many-body functions of a centre atom's neighbours plus a separate pair block.

    Parameters
    ----------
    elements
        Chemical symbols (or atomic numbers). Their order fixes the order of the coefficients, and under the
        0.8 rule also the selected functions.
    correlation_order
        Largest number of neighbours in one product, 1 to 6 (3 is usual: four-body terms).
    max_degree
        Degree D of the selection rule: one number, a list with one number per correlation order such as
        [20, 16, 12], or a mapping element -> those (for the centre atom).
    cutoff
        Å: number, mapping such as {"Si-Ge": 5.5}, or symmetric matrix. Default: 2.5 times the largest r0.
    level_rule
        "acepotentials-0.8" or "ace1": see `lacemaker.basis.levels`. They agree for a single element.
    wl
        Weight of l against n in the level n + wl l. Exact: 1.5, "1.5" and "3/2" are the same.
    r0
        Å: typical bond length of each pair, where the transform resolves best. Default: tabulated, pairs by
        mean.
    rin
        Å: distance below which radial functions do not vary any more (default 0).
    transform, envelope, polynomials
        Radial functions: see `lacemaker.basis.radial`. Defaults: Agnesi(2, 4), XEnvelope(2, 2), Jacobi().
    pair
        The pair block, or None for none.
    repulsion
        `ZBL()` puts a fixed repulsive core under the fit; None (default) does not.

    Raises
    ------
    BasisError
        when the arguments do not describe a basis; the message says what to change.

    Examples
    --------
    >>> basis = ACEBasis("Si", 3, [20, 16, 12])
    >>> basis.n_functions
    319
    """

    def __init__(
        self,
        elements: str | int | Sequence[str | int],
        correlation_order: int,
        max_degree: float | str | Fraction | Sequence[Any] | Mapping[Any, Any],
        *,
        cutoff: Any = None,
        level_rule: str = "acepotentials-0.8",
        wl: float | str | Fraction = 1.5,
        r0: Any = None,
        rin: Any = 0.0,
        transform: Transform = Agnesi(2, 4),  # noqa: B008  (frozen)
        envelope: Envelope = XEnvelope(2, 2),  # noqa: B008
        polynomials: Jacobi = Jacobi(),  # noqa: B008
        pair: PairBasis | None = PairBasis(),  # noqa: B008
        repulsion: ZBL | None = None,
    ) -> None:
        from lacemaker.basis.arguments import resolve  # imports pydantic

        self._set(
            resolve(
                elements, correlation_order, max_degree, cutoff=cutoff, level_rule=level_rule, wl=wl, r0=r0,
                rin=rin, transform=transform, envelope=envelope, polynomials=polynomials, pair=pair,
                repulsion=repulsion,
            )
        )  # fmt: skip

    def _set(self, spec: "BasisSpec", full: tuple[CentreBasis, ...] | None = None) -> None:
        self.__dict__.update(specification=spec, many_body=build_many_body(spec, full))

    specification: "BasisSpec"
    many_body: tuple[CentreBasis, ...]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"ACEBasis is frozen: build a new one instead of setting {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return ACEBasis.from_spec, (self.spec(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ACEBasis) and self.specification == other.specification

    def __hash__(self) -> int:
        return hash(self._spec_text)

    def __repr__(self) -> str:
        spec = self.specification
        degrees = [list(row) for row in spec.max_degree]
        return (
            f"ACEBasis({'-'.join(self.elements)}, correlation_order={spec.correlation_order}, "
            f"max_degree={degrees[0] if len(set(spec.max_degree)) == 1 else degrees}, "
            f"cutoff={self.cutoff:g}, n_functions={self.n_functions}"
            f"{', selection' if spec.selection else ''}{', polynomial readout' if spec.readout else ''}"
            f"{f', {spec.purification.kind} purification' if spec.purification else ''})"
        )

    def spec(self) -> dict[str, Any]:
        """The complete specification as plain JSON types; `from_spec` gives the identical basis back."""
        return json.loads(self._spec_text)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "ACEBasis":
        """The basis of a stored specification.

        Raises
        ------
        BasisError
            when the specification is incomplete, altered beyond sense or from a newer version.
        """
        from lacemaker.basis.spec import read_spec

        basis = cls.__new__(cls)
        basis._set(read_spec(spec))
        return basis

    @cached_property
    def _spec_text(self) -> str:
        return self.specification.text()

    @cached_property
    def digest(self) -> str:
        """sha256 over specification and quantum numbers of all columns: equal digests, equal meaning."""
        text = [
            self._spec_text,
            *(repr((f.kind, f.centre, f.channels, f.multiplicity)) for f in self.columns),
        ]
        return hashlib.sha256("\n".join(text).encode()).hexdigest()

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols in the order of the species indices."""
        return self.specification.elements

    @property
    def n_elements(self) -> int:
        """Number of elements NZ."""
        return len(self.elements)

    @property
    def correlation_order(self) -> int:
        """Largest correlation order."""
        spec = self.specification
        return max(spec.correlation_order, spec.readout.max_order if spec.readout else 0)

    @cached_property
    def n_many_body(self) -> int:
        """Number of many-body columns; they come first."""
        return sum(c.n_functions for c in self.many_body)

    @cached_property
    def n_functions(self) -> int:
        """Number of coefficients: many-body and pair columns. One-body energies are not included."""
        return self.n_many_body + len(self.pair_columns.owners)

    @cached_property
    def cutoffs(self) -> np.ndarray:
        """(NZ, NZ) Å, the larger of many-body and pair cutoff of each pair of elements."""
        spec = self.specification
        many_body = np.array(spec.cutoff)
        return many_body if spec.pair is None else np.maximum(many_body, np.array(spec.pair.cutoff))

    @cached_property
    def cutoff(self) -> float:
        """Largest cutoff in Å: the range of the neighbour list."""
        return float(self.cutoffs.max())

    @property
    def r0(self) -> tuple[tuple[float, ...], ...]:
        """(NZ, NZ) bond lengths in Å."""
        return self.specification.r0

    def lengths(self, i: int, j: int) -> tuple[float, float, float]:
        """(rin, r0, rcut) in Å of the many-body radial functions between two elements."""
        spec = self.specification
        return spec.rin[i][j], spec.r0[i][j], spec.cutoff[i][j]

    def pair_lengths(self, i: int, j: int) -> tuple[float, float, float]:
        """(rin, r0, rcut) in Å of the pair functions between two elements."""
        spec = self.specification
        cutoff = spec.cutoff if spec.pair is None else spec.pair.cutoff
        return spec.rin[i][j], spec.r0[i][j], cutoff[i][j]

    @cached_property
    def radial(self) -> RadialBasis:
        """Radial functions of the many-body block."""
        spec = self.specification
        n_max = max(int(c.channels[:, 1].max()) for c in self.many_body)
        return RadialBasis(spec.transform, spec.envelope, spec.polynomials, n_max)

    @cached_property
    def pair_radial(self) -> RadialBasis | None:
        """Radial functions of the pair block, or None without one."""
        pair = self.specification.pair
        if pair is None:
            return None
        return RadialBasis(pair.transform, pair.envelope, pair.polynomials, max(pair.max_degree))

    @cached_property
    def pair_columns(self) -> PairColumns:
        """Which columns belong to the pair functions."""
        pair = self.specification.pair
        if pair is None:
            return pair_columns((0,) * self.n_elements, False, self.n_many_body)
        return pair_columns(pair.max_degree, pair.symmetric, self.n_many_body)

    @cached_property
    def columns(self) -> tuple[Function, ...]:
        """The functions in the order of the coefficients: many-body by centre, then pairs by centre."""
        found = []
        for centre, part in enumerate(self.many_body):
            channel = [tuple(c) for c in part.channels.tolist()]
            for order, numbers, copy in zip(
                part.order.tolist(), part.function_channels.tolist(), part.multiplicity.tolist(), strict=True
            ):
                found.append(Function("many-body", centre, tuple(channel[c] for c in numbers[:order]), copy))
        for centre, neighbour, n in self.pair_columns.owners.tolist():
            found.append(Function("pair", centre, ((neighbour, n, 0),)))
        return tuple(found)

    def independent_functions(
        self, order_by: OrderBy = "degree", arithmetic: Arithmetic = "exact"
    ) -> IndependentSet:
        """Which many-body functions are functionally independent; see `lacemaker.basis.optimal`."""
        return independent_functions(self, order_by, arithmetic)

    def optimal(self, order_by: OrderBy = "degree", arithmetic: Arithmetic = "exact") -> "ACEBasis":
        """The functionally independent part of this basis: no function of it is a function of the others.

        Parameters
        ----------
        order_by
            Which of several dependent functions survives: "degree", "body_order", "cost", a function of a
            `Function`, or one number per many-body function; lower is kept first. Stored with the basis.
        arithmetic
            "exact" (modulo two primes) or "float64".

        Notes
        -----
        A linear model on it misses products of its functions; see `with_products`. Pair functions stay.

        Raises
        ------
        BasisError
            for unknown arguments.
        """
        found = independent_functions(self, order_by, arithmetic)
        return self._part(selection_spec(self, found.mask, order_by=found.order_by, arithmetic=arithmetic))

    def subset(self, functions: Any) -> "ACEBasis":
        """The basis with some of its many-body functions, by mask or column numbers. Pair functions stay.

        Raises
        ------
        BasisError
            when a number does not exist or a centre element is left without functions.
        """
        return self._part(selection_spec(self, functions))

    def with_products(
        self,
        max_factors: int = 2,
        max_order: int | None = None,
        max_degree: float | str | Fraction | None = None,
    ) -> "ACEBasis":
        """Polynomial readout: products of up to `max_factors` many-body functions join the basis.

        Parameters
        ----------
        max_order
            Largest correlation order of a product, up to 6; default: that of the basis, so that the program
            stays in its class of cost.
        max_degree
            Largest total degree of a product; default: the largest degree of the basis.

        Raises
        ------
        BasisError
            when the basis has products already or there would be far too many.
        """
        return self._part(product_spec(self, max_factors, max_order, max_degree))

    def purified(self, kind: Kind = "full", remove: int = 0) -> "ACEBasis":
        """The same functions with self-interactions taken off: sums over distinct neighbours only.

        Parameters
        ----------
        kind
            "full": a function of correlation order N vanishes unless the centre has N neighbours. "pair":
            only the value for a single neighbour is taken off; cheaper, and dimers belong to order 1 and the
            pair block alone.
        remove
            Leave out many-body functions up to this correlation order; 1 for a basis whose dimers are
            described by the pair block alone (ACE1's ``delete2b``; its ``pure2b`` is "pair").

        Notes
        -----
        Functions keep their place, quantum numbers and prior; lower-order terms with larger n (and l) join
        their couplings. See `lacemaker.basis.purification` and docs/purification.md.

        Raises
        ------
        BasisError
            when products of the radial functions are not radial functions (envelopes in r), the basis is
            purified already or has a polynomial readout, or nothing would remain.
        """
        basis = self
        if remove:
            basis = self.subset([f.kind == "pair" or f.correlation_order > remove for f in self.columns])
        return basis._part(purification_spec(basis, kind))

    def truncated(self, order: int) -> "ACEBasis":
        """The functions of correlation order 1 to `order` (body order minus one) as a basis of their own.

        Its columns are those of this basis, in the same order; pair functions (order 1) and a ZBL core stay.

        Raises
        ------
        BasisError
            when the order is not one of the basis, or a selection has no functions as low as that.
        """
        basis = ACEBasis.__new__(ACEBasis)
        basis._set(truncated_spec(self, order))
        expected = tuple(self.columns[k] for k in truncated_columns(self, order))
        if basis.columns != expected:
            raise basis_error(
                "the low orders of this basis are not a basis of their own",
                f"{basis.n_functions} functions where {len(expected)} were expected",
                "restrict the columns of the system instead, or report this",
            )
        return basis

    def _part(self, spec: "BasisSpec") -> "ACEBasis":
        purified = self.specification.purification
        basis = ACEBasis.__new__(ACEBasis)
        basis._set(spec, self.full.many_body if purified is None else None)
        if spec.purification == purified:
            basis.__dict__["full"] = self.full
        return basis

    @cached_property
    def standard(self) -> "ACEBasis":
        """The same functions without purification."""
        if self.specification.purification is None:
            return self
        return ACEBasis.from_spec({k: v for k, v in self.spec().items() if k != "purification"})

    @cached_property
    def full(self) -> "ACEBasis":
        """The basis this one is a part of: without selection and products (but purified if this one is)."""
        spec = self.specification
        if spec.selection is None and spec.readout is None:
            return self
        return ACEBasis.from_spec({k: v for k, v in self.spec().items() if k not in PART_FIELDS})

    @cached_property
    def full_columns(self) -> np.ndarray:
        """(n_functions,) column of each function in the `full` basis, -1 for products of functions."""
        return parent_columns(self, self.full)

    def counts(self) -> BasisCounts:
        """Sizes per centre element and body order; print it."""
        return count_basis(self.elements, self.many_body, self.pair_columns.owners, self.correlation_order)

    def kernel_tables(self) -> dict[str, Any]:
        """Arguments of ``_core.Tables``."""
        return tables.kernel_tables(self)

    def design_tables(self) -> dict[str, Any]:
        """Arguments of ``_core.DesignRows``."""
        return tables.design_tables(self)

    def contract(self, coefficients: np.ndarray, e0: np.ndarray) -> dict[str, Any]:
        """Arguments of ``_core.Evaluator`` for a model.

        Parameters
        ----------
        coefficients
            (n_functions,) in the order of `columns`, eV. Zeros shorten the program.
        e0
            (n_elements,) one-body energies, eV.

        Raises
        ------
        BasisError
            when an array has the wrong length or holds NaN or infinities.
        """
        c, one_body = np.asarray(coefficients, dtype=float), np.asarray(e0, dtype=float)
        if c.shape != (self.n_functions,) or one_body.shape != (self.n_elements,):
            raise basis_error(
                "coefficients do not fit the basis",
                f"shapes {c.shape} and {one_body.shape}",
                f"pass {self.n_functions} coefficients and {self.n_elements} one-body energies",
            )
        if not (np.isfinite(c).all() and np.isfinite(one_body).all()):
            raise basis_error("coefficients hold NaN or infinity", "non-finite values", "repeat the fit")
        return tables.contract(self, c, one_body)
