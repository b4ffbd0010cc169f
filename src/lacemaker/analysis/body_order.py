"""The body-order report: what a model says about pairs, triples and quadruples of atoms, and how it knows.

See docs/body_order.md. Any ASE calculator gets its interactions by inclusion-exclusion and the judgement of
its pair curves; a fit with its assembled system also the refits per body order and the support of every
curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.body_expansion import (
    LEGS,
    OrderCheck,
    QuadrupleSample,
    TripleMap,
    check_orders,
    pair_curves,
    quadruple_samples,
    triangle,
    triple_map,
)
from lacemaker.analysis.body_refits import BodyFit, body_order_fits, distance_grid, reference_error
from lacemaker.analysis.diatomics import PairSanity, pair_sanity
from lacemaker.analysis.pair_references import (
    bundled_references,
    calculator_references,
    dimers_in,
    interacting_pairs,
)
from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.analysis.dimers import DimerCurve
    from lacemaker.analysis.identifiability import Identifiability, Support
    from lacemaker.analysis.supported_observables import SupportedObservable
    from lacemaker.datasets.dimers import PairReference
    from lacemaker.potential import Potential
    from lacemaker.regression import Fit, TriangularSystem

__all__ = ["BodyOrderReport", "PairFinding", "TripleFinding", "body_order_report"]

DEFAULT_CUTOFF = 6.0  # Å, for calculators that do not tell theirs
MOST_TRIPLES = 6
MOST_SPLIT = 60  # structures over which energies are split by number of bodies
FINE_ANGLES = np.arange(50.0, 181.0, 5.0)  # degrees
TRIPLE_LEGS = (1.0, 1.25)  # of the bond length: the angle curves with a band
CALCULATOR_START = 0.5  # of the bond length: how near atoms of a foreign calculator come


@dataclass(frozen=True, eq=False)
class PairFinding:
    """The effective pair interaction V_2(r) = E_dimer - 2 E_1 of one pair of elements.

    Attributes
    ----------
    curve : DimerCurve
    sanity : PairSanity
    references : tuple of PairReference
    reference_rmse : tuple of float or None
        eV, from 0.75 bond lengths on, one per reference.
    support : Support or None
        Of the fitted part, point by point of the curve.
    """

    curve: DimerCurve
    sanity: PairSanity
    references: tuple[PairReference, ...]
    reference_rmse: tuple[float | None, ...]
    support: Support | None

    @property
    def ranges(self) -> list[tuple[str, float, float]]:
        """Status ("data", "extrapolated", "prior") and the range of distances (Å) it holds over."""
        if self.support is None:
            return []
        status, r = self.support.status(), self.curve.r
        starts = np.flatnonzero(np.append(True, status[1:] != status[:-1]))
        ends = np.append(starts[1:], len(r) - 1)
        return [(str(status[a]), float(r[a]), float(r[b])) for a, b in zip(starts, ends, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the curve."""
        support = self.support
        return {
            "pair": self.curve.name,
            "r_A": self.curve.r.tolist(),
            "V2_eV": self.curve.energy.tolist(),
            "force_eV_per_A": self.curve.force.tolist(),
            "sanity": self.sanity.to_dict(),
            "verdict": self.curve.verdict,
            "references": [
                {**reference.to_dict(), "rmse_eV": rmse}
                for reference, rmse in zip(self.references, self.reference_rmse, strict=True)
            ],
            "support": None
            if support is None
            else {
                "std_eV": support.std.tolist(),
                "leverage": support.leverage.tolist(),
                "prior_share": support.prior_share.tolist(),
                "ranges": [{"status": s, "from_A": a, "to_A": b} for s, a, b in self.ranges],
            },
        }


@dataclass(frozen=True, eq=False)
class TripleFinding:
    """V_3 of one triple of elements: a map, and angle curves with what supports them.

    Attributes
    ----------
    map : TripleMap
    legs : (n,) array, Å
        Both legs of the angle curves.
    angle : (m,) array, degrees
    value : (n, m) array, eV
    support : tuple of Support, or empty
        One per leg.
    reference : (n, m) array or None
        Of the reference calculator.
    """

    map: TripleMap
    legs: np.ndarray
    angle: np.ndarray
    value: np.ndarray
    support: tuple[Support, ...]
    reference: np.ndarray | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            **self.map.to_dict(),
            "angle_curves": {
                "legs_A": self.legs.tolist(),
                "angle_deg": self.angle.tolist(),
                "V3_eV": self.value.tolist(),
                "std_eV": [s.std.tolist() for s in self.support],
                "status": [s.status().tolist() for s in self.support],
                "reference_eV": None if self.reference is None else self.reference.tolist(),
            },
        }


@dataclass(frozen=True, eq=False)
class BodyOrderReport:
    """Everything about the body orders of one model; print it, or see ``report.bodies_page``.

    Attributes
    ----------
    elements : tuple of str
    model : str
        In a few words.
    basis : str
        "standard", "pair purification", "full purification", or "" for a foreign calculator.
    pairs : tuple of PairFinding
    triples : tuple of TripleFinding
    quadruples : tuple of QuadrupleSample
    check : OrderCheck or None
        V_n ≡ 0 beyond the orders of the model; None for a foreign calculator.
    fits : tuple of BodyFit
        Refits per body order; empty without a system.
    observables : tuple of SupportedObservable
        Crystals; empty without a posterior.
    notes : tuple of str
        What could not be told, and why.
    advice : tuple of (level, text)
        Levels "good", "warn", "bad", most worrying first.
    """

    elements: tuple[str, ...]
    model: str
    basis: str
    pairs: tuple[PairFinding, ...]
    triples: tuple[TripleFinding, ...]
    quadruples: tuple[QuadrupleSample, ...]
    check: OrderCheck | None
    fits: tuple[BodyFit, ...]
    observables: tuple[SupportedObservable, ...]
    notes: tuple[str, ...] = ()

    @property
    def advice(self) -> tuple[tuple[str, str], ...]:
        """What to make of it, in words."""
        from lacemaker.analysis.body_advice import body_advice

        return tuple(body_advice(self))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "elements": list(self.elements),
            "model": self.model,
            "basis": self.basis,
            "check": None if self.check is None else self.check.to_dict(),
            "pairs": [pair.to_dict() for pair in self.pairs],
            "triples": [triple.to_dict() for triple in self.triples],
            "quadruples": [sample.to_dict() for sample in self.quadruples],
            "fits": [fit.to_dict() for fit in self.fits],
            "observables": [o.to_dict() for o in self.observables],
            "notes": list(self.notes),
            "advice": [{"level": level, "text": text} for level, text in self.advice],
        }

    def __str__(self) -> str:
        from lacemaker.analysis.body_advice import body_text

        return body_text(self)


def body_order_report(
    model: Any,
    reference: Any = None,
    *,
    elements: Sequence[str] | None = None,
    system: TriangularSystem | None = None,
    fit: Fit | None = None,
    frames: Sequence[Any] = (),
    refits: Mapping[str, Any] | None = None,
    cutoff: float | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> BodyOrderReport:
    """Pair, triple and quadruple interactions of a model, their support, and refits per body order.

    Parameters
    ----------
    model : Potential or ASE calculator
    reference : Potential, ASE calculator, PairReference or a sequence of these, optional
        What the pair curves are compared with. Bundled DFT curves and dimers among `frames` join by
        themselves.
    elements : sequence of str, optional
        Of a calculator; a potential knows its own.
    system : TriangularSystem, optional
        What the potential was fitted to: adds the refits per body order.
    fit : Fit, optional
        The fit of `system` behind the potential: adds the support of every curve.
    frames : sequence of Frame, optional
        Structures whose two-atom molecules serve as reference points.
    refits : mapping, optional
        Options of the refits: solver, prior, e0, weights, validation.
    cutoff : float, optional
        Å, where curves of a calculator end; 6 by default.
    advance : callable, optional
        Called with (steps done, steps in all).

    Raises
    ------
    EvaluationError
        When the model cannot be evaluated, or a calculator comes without elements.
    """
    subject = _Subject.of(model, elements, cutoff)
    notes: list[str] = []
    steps = _Steps(advance, 5 if system is None else 6)
    known = _References(subject, reference, frames)
    ident = _identifiability(fit, system, notes)
    pairs = tuple(_pair_finding(subject, pair, known, ident) for pair in interacting_pairs(subject.elements))
    steps.next()
    chosen = _triples(subject.elements)
    if len(chosen) > MOST_TRIPLES:
        notes.append(f"Of {len(chosen)} triples of elements the first {MOST_TRIPLES} were looked at.")
    triples = tuple(_triple_finding(subject, t, known.calculator, ident) for t in chosen[:MOST_TRIPLES])
    steps.next()
    quadruples = [
        sample
        for symbol in subject.elements
        for sample in quadruple_samples(subject.energy, [symbol] * 4, subject.bond(symbol, symbol))
    ]
    steps.next()
    check = None if subject.potential is None else check_orders(subject.potential)
    steps.next()
    observables: list[SupportedObservable] = []
    if ident is not None and subject.potential is not None:
        from lacemaker.analysis.supported_observables import crystal_observables

        observables = crystal_observables(ident, subject.potential)
    steps.next()
    fits: tuple[BodyFit, ...] = ()
    if system is not None:
        chosen_frames = _some_matter(frames)
        fits = body_order_fits(system, reference=known.first, frames=chosen_frames, **dict(refits or {}))
        steps.next()
    return BodyOrderReport(
        elements=subject.elements,
        model=subject.name,
        basis=subject.basis_kind,
        pairs=pairs,
        triples=triples,
        quadruples=tuple(quadruples),
        check=check,
        fits=fits,
        observables=tuple(observables),
        notes=tuple(notes),
    )


class _Steps:
    """Reports progress in whole steps."""

    def __init__(self, advance: Callable[[int, int], None] | None, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def next(self) -> None:
        self._done += 1
        if self._advance is not None:
            self._advance(self._done, self._total)


@dataclass(frozen=True, eq=False)
class _Subject:
    """A model, and how far and near its curves reach."""

    energy: Any
    potential: Potential | None
    elements: tuple[str, ...]
    cutoff: float

    @classmethod
    def of(cls, model: Any, elements: Sequence[str] | None, cutoff: float | None) -> _Subject:
        from lacemaker.analysis.clusters import cluster_energy
        from lacemaker.potential import Potential

        energy = cluster_energy(model)
        if isinstance(model, Potential):
            return cls(energy, model, tuple(elements or model.elements), cutoff or model.cutoff)
        if not elements:
            raise EvaluationError(
                "The elements of a calculator are not known. Found a calculator without `elements`. Name "
                'them, such as elements=["Si"].'
            )
        return cls(energy, None, tuple(elements), cutoff or DEFAULT_CUTOFF)

    @property
    def name(self) -> str:
        if self.potential is not None:
            return f"{'-'.join(self.elements)} potential of {len(self.potential.columns)} functions"
        inner = getattr(self.energy, "calculator", self.energy)
        return f"{type(inner).__name__} for {'-'.join(self.elements)}"

    @property
    def basis_kind(self) -> str:
        if self.potential is None:
            return ""
        purification = self.potential.basis_spec.get("purification")
        return "standard" if purification is None else f"{purification['kind']} purification"

    def bond(self, a: str, b: str) -> float:
        """Nearest-neighbour distance, Å."""
        if self.potential is not None:
            from lacemaker.analysis.predictions import nearest_neighbour_distance

            return nearest_neighbour_distance(self.potential, a, b)
        from lacemaker.basis.elements import bond_length

        return 0.5 * (bond_length(a) + bond_length(b))

    def grid(self, a: str, b: str) -> np.ndarray:
        """Distances of the pair curve, Å."""
        grid = distance_grid(self.bond(a, b), self.cutoff)
        return grid if self.potential is not None else grid[grid >= CALCULATOR_START * self.bond(a, b)]


class _References:
    """References of every pair, the given one first, then dimers of the data, then bundled curves."""

    def __init__(self, subject: _Subject, given: Any, frames: Sequence[Any]) -> None:
        from lacemaker.datasets.dimers import PairReference

        self.calculator: Any = None
        self.by_pair: dict[frozenset[str], list[PairReference]] = {}
        pairs = interacting_pairs(subject.elements)
        listed = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
        for item in listed:
            if isinstance(item, PairReference):
                self._add({item.pair: item})
                continue
            self.calculator = self.calculator or item
            grids = {
                (a, b): grid[grid >= CALCULATOR_START * subject.bond(a, b)]
                for a, b in pairs
                for grid in [subject.grid(a, b)]
            }
            self._add(calculator_references(item, grids, _words(item)))
        e0 = {}
        if subject.potential is not None:
            e0 = dict(zip(subject.potential.elements, subject.potential.e0.tolist(), strict=True))
        self._add(dimers_in(frames, e0))
        self._add(bundled_references(pairs))

    def _add(self, found: Mapping[tuple[str, str], PairReference]) -> None:
        for pair, curve in found.items():
            known = self.by_pair.setdefault(frozenset(pair), [])
            if not any(_same_curve(curve, other) for other in known):
                known.append(curve)

    def of(self, a: str, b: str) -> tuple[PairReference, ...]:
        """All references of a pair."""
        return tuple(self.by_pair.get(frozenset((a, b)), ()))

    def first(self, a: str, b: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The reference that counts most, as the refits take it."""
        known = self.of(a, b)
        return (known[0].r, known[0].energy) if known else None


def _same_curve(one: PairReference, other: PairReference) -> bool:
    """Whether two references are one and the same, as bundled dimers and those of the bundled data set."""
    return len(one.r) == len(other.r) and bool(
        np.allclose(one.r, other.r, atol=1e-4) and np.allclose(one.energy, other.energy, atol=1e-3)
    )


def _some_matter(frames: Sequence[Any]) -> list[Any]:
    """At most some dozens of structures of two atoms and more, evenly through the set."""
    listed = [frame for frame in frames if len(frame.numbers) > 1]
    return listed[:: max(1, len(listed) // MOST_SPLIT)][:MOST_SPLIT]


def _words(item: Any) -> str:
    from lacemaker.potential import Potential

    return "reference potential" if isinstance(item, Potential) else type(item).__name__


def _identifiability(
    fit: Fit | None, system: TriangularSystem | None, notes: list[str]
) -> Identifiability | None:
    from lacemaker.analysis.identifiability import Identifiability

    if fit is None or system is None:
        notes.append(
            "What supports the curves cannot be told from a potential alone: give the output folder of the "
            "fit, or fit= and system= to body_order_report."
        )
        return None
    try:
        return Identifiability(fit, system)
    except EvaluationError as error:
        notes.append(str(error))
        return None


def _pair_finding(
    subject: _Subject, pair: tuple[str, str], known: _References, ident: Identifiability | None
) -> PairFinding:
    curve = pair_curves(subject.energy, [pair], grid=subject.grid, bond=subject.bond)[0]
    references = known.of(*pair)
    support = None
    if ident is not None:
        support = ident.interactions([(pair, np.array([[0.0, 0, 0], [0, 0, x]])) for x in curve.r])
    return PairFinding(
        curve=curve,
        sanity=pair_sanity(curve),
        references=references,
        reference_rmse=tuple(reference_error(curve, subject.energy, p.r, p.energy) for p in references),
        support=support,
    )


def _triples(elements: Sequence[str]) -> list[tuple[str, str, str]]:
    """(centre, first, second) of every distinct triple."""
    return [(c, a, b) for c in elements for a, b in combinations_with_replacement(elements, 2)]


def _triple_finding(
    subject: _Subject, symbols: tuple[str, str, str], reference: Any, ident: Identifiability | None
) -> TripleFinding:
    centre, first, second = symbols
    bonds = subject.bond(centre, first), subject.bond(centre, second)
    whole = triple_map(subject.energy, symbols, LEGS * bonds[0], LEGS * bonds[1])
    curves = [
        [(symbols, triangle(scale * bonds[0], scale * bonds[1], angle)) for angle in FINE_ANGLES]
        for scale in TRIPLE_LEGS
    ]
    return TripleFinding(
        map=whole,
        legs=np.array(TRIPLE_LEGS) * bonds[0],
        angle=FINE_ANGLES,
        value=np.array([_interactions(subject.energy, row) for row in curves]),
        support=() if ident is None else tuple(ident.interactions(row) for row in curves),
        reference=None if reference is None else _reference_triples(reference, curves),
    )


def _interactions(model: Any, clusters: Sequence[tuple[Sequence[str], np.ndarray]]) -> list[float]:
    from lacemaker.analysis.clusters import interaction

    return [interaction(model, symbols, positions)[0] for symbols, positions in clusters]


def _reference_triples(reference: Any, curves: Sequence[Any]) -> np.ndarray | None:
    try:
        return np.array([_interactions(reference, row) for row in curves])
    except EvaluationError:  # a calculator that does not know one of the elements
        return None
