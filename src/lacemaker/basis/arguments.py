"""From what a user writes to the explicit `BasisSpec`."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from lacemaker.basis.elements import bond_length, shortest_bond, symbol_of
from lacemaker.basis.envelopes import REnvelope, XEnvelope
from lacemaker.basis.levels import LEVEL_RULES, exact
from lacemaker.basis.messages import basis_error
from lacemaker.basis.pair import PairBasis
from lacemaker.basis.pair_matrices import Matrix, pair_matrix
from lacemaker.basis.radial import Jacobi
from lacemaker.basis.repulsion import INNER, OUTER, ZBL
from lacemaker.basis.spec import MAX_ORDER, BasisSpec, PairSpec, ZBLSpec, build_spec, plain_fraction

CUTOFF_IN_R0 = 2.5


def resolve(
    elements: str | int | Sequence[str | int],
    correlation_order: int,
    max_degree: Any,
    *,
    cutoff: Any,
    level_rule: str,
    wl: float | str | Fraction,
    r0: Any,
    rin: Any,
    transform: Any,
    envelope: Any,
    polynomials: Jacobi,
    pair: PairBasis | None,
    repulsion: ZBL | None,
) -> BasisSpec:
    """Fill in defaults and check everything; arguments as in `lacemaker.basis.ace.ACEBasis`."""
    symbols = _elements(elements)
    order = _order(correlation_order)
    if level_rule not in LEVEL_RULES:
        raise basis_error("unknown level rule", repr(level_rule), f"choose one of {list(LEVEL_RULES)}")
    degrees = _degrees(max_degree, order, symbols)
    r0_matrix = pair_matrix(r0, symbols, lambda a, b: 0.5 * (bond_length(a) + bond_length(b)), "r0")
    largest = CUTOFF_IN_R0 * max(x for row in r0_matrix for x in row)
    cutoffs = pair_matrix(cutoff, symbols, lambda a, b: largest, "cutoff")
    core = _repulsion(repulsion, symbols, r0_matrix)
    return build_spec(
        elements=symbols,
        correlation_order=order,
        max_degree=tuple(tuple(plain_fraction(d) for d in row) for row in degrees),
        level_rule=level_rule,
        wl=plain_fraction(_number(wl, "wl")),
        rin=pair_matrix(rin, symbols, lambda a, b: 0.0, "rin"),
        r0=r0_matrix,
        cutoff=cutoffs,
        transform=transform,
        envelope=envelope,
        polynomials=polynomials.resolved(envelope),
        pair=None if pair is None else _pair(pair, symbols, degrees, cutoffs, core is not None),
        repulsion=core,
    )


def _elements(elements: str | int | Sequence[str | int]) -> tuple[str, ...]:
    given = [elements] if isinstance(elements, str | int) else list(elements)
    symbols = tuple(symbol_of(e) for e in given)
    if not symbols or len(set(symbols)) != len(symbols):
        raise basis_error(
            "elements must be distinct chemical elements", given, "name each element exactly once"
        )
    return symbols


def _order(order: int) -> int:
    if isinstance(order, bool) or int(order) != order or not 1 <= order <= MAX_ORDER:
        raise basis_error(
            f"correlation_order must be an integer from 1 to {MAX_ORDER}",
            repr(order),
            "3 is usual (four-body)",
        )
    return int(order)


def _number(value: Any, name: str) -> Fraction:
    try:
        return exact(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise basis_error(
            f"{name} must be a number", repr(value), 'write it as 1.5, "1.5" or "3/2"'
        ) from None


def _degrees(max_degree: Any, order: int, symbols: tuple[str, ...]) -> tuple[tuple[Fraction, ...], ...]:
    """D[nu] for each centre element."""
    if not isinstance(max_degree, Mapping):
        return (_degree_list(max_degree, order),) * len(symbols)
    by_symbol = {symbol_of(key): _degree_list(value, order) for key, value in max_degree.items()}
    if set(by_symbol) != set(symbols):
        raise basis_error(
            "max_degree as a mapping must name every element of the basis",
            f"{sorted(by_symbol)} for elements {list(symbols)}",
            "give one entry per element, or a single number or list for all",
        )
    return tuple(by_symbol[symbol] for symbol in symbols)


def _degree_list(value: Any, order: int) -> tuple[Fraction, ...]:
    if isinstance(value, int | float | str | Fraction):
        return (_number(value, "max_degree"),) * order
    try:
        items = list(value)
    except TypeError:
        raise basis_error(
            "max_degree must be a number or a list", repr(value), "e.g. 16 or [20, 16, 12]"
        ) from None
    return tuple(_number(item, "max_degree") for item in items)


def _pair(
    pair: PairBasis,
    symbols: tuple[str, ...],
    degrees: tuple[tuple[Fraction, ...], ...],
    cutoffs: Matrix,
    has_core: bool,
) -> PairSpec:
    envelope = pair.envelope
    if envelope is None:
        envelope = XEnvelope(0, 2) if has_core else REnvelope(2)
    numbers = tuple(
        ceil(max(row, default=Fraction(0))) if pair.max_degree is None else pair.max_degree for row in degrees
    )
    if min(numbers) < 1:
        raise basis_error(
            "the pair basis needs a degree of at least 1", pair.max_degree, "raise it, or pass pair=None"
        )
    if pair.symmetric and len(set(numbers)) > 1:
        raise basis_error(
            "a symmetric pair basis needs the same degree for every centre element",
            numbers,
            "set pair max_degree to one number, or symmetric=False",
        )
    position = {symbol: i for i, symbol in enumerate(symbols)}
    return PairSpec(
        max_degree=numbers,
        cutoff=pair_matrix(
            pair.cutoff, symbols, lambda a, b: cutoffs[position[a]][position[b]], "pair cutoff"
        ),
        transform=pair.transform,
        envelope=envelope,
        polynomials=pair.polynomials.resolved(envelope),
        symmetric=pair.symmetric,
    )


def _repulsion(repulsion: ZBL | None, symbols: tuple[str, ...], r0: Matrix) -> ZBLSpec | None:
    if repulsion is None:
        return None
    position = {symbol: i for i, symbol in enumerate(symbols)}

    def scaled(factor: float) -> Any:
        return lambda a, b: factor * shortest_bond(a, b, r0[position[a]][position[b]])

    return ZBLSpec(
        inner=pair_matrix(repulsion.inner, symbols, scaled(INNER), "ZBL inner"),
        outer=pair_matrix(repulsion.outer, symbols, scaled(OUTER), "ZBL outer"),
    )
