"""The body-order report: what a model says about pairs, triples and quadruples of atoms, and how it knows.

See docs/body_order.md. Any ASE calculator gets its interactions by inclusion-exclusion and the judgement of
its pair curves; a fit with its assembled system also the refits per body order and the support of every
curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.body_expansion import (
    LEGS,
    check_orders,
    pair_curves,
    quadruple_samples,
    triangle,
    triple_map,
)
from lacemaker.analysis.body_findings import BodyOrderReport, PairFinding, TripleFinding
from lacemaker.analysis.body_refits import BodyFit, body_order_fits, reference_error
from lacemaker.analysis.body_subject import References, Subject
from lacemaker.analysis.diatomics import pair_sanity
from lacemaker.analysis.pair_references import interacting_pairs
from lacemaker.errors import EvaluationError

if TYPE_CHECKING:
    from lacemaker.analysis.identifiability import Supporter
    from lacemaker.analysis.supported_observables import SupportedObservable
    from lacemaker.potential import Potential
    from lacemaker.regression import Fit, TriangularSystem

__all__ = ["BodyOrderReport", "PairFinding", "TripleFinding", "body_order_report"]

MOST_TRIPLES = 6
MOST_SPLIT = 60  # structures over which energies are split by number of bodies
FINE_ANGLES = np.arange(50.0, 181.0, 5.0)  # degrees
TRIPLE_LEGS = (1.0, 1.25)  # of the bond length: the angle curves with a band


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
        The fit of `system` behind the potential: adds the support of every curve. Without it, the uncertainty
        that a potential carries gives bands and leverage.
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
    subject = Subject.of(model, elements, cutoff)
    notes: list[str] = []
    steps = _Steps(advance, 5 if system is None else 6)
    known = References(subject, reference, frames)
    ident = _supporter(fit, system, subject.potential, notes)
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


def _some_matter(frames: Sequence[Any]) -> list[Any]:
    """At most some dozens of structures of two atoms and more, evenly through the set."""
    listed = [frame for frame in frames if len(frame.numbers) > 1]
    return listed[:: max(1, len(listed) // MOST_SPLIT)][:MOST_SPLIT]


def _supporter(
    fit: Fit | None, system: TriangularSystem | None, potential: Potential | None, notes: list[str]
) -> Supporter | None:
    from lacemaker.analysis.identifiability import Identifiability
    from lacemaker.analysis.stored_support import StoredSupport

    try:
        if fit is not None and system is not None:
            return Identifiability(fit, system)
        if potential is None:
            notes.append("What supports the curves can be told of fitted potentials only.")
            return None
        stored = StoredSupport(potential)
    except EvaluationError as error:
        notes.append(str(error))
        return None
    notes.append(
        f"The bands come from {stored.source}. The share of the prior and refits per body order need the "
        "data: give the output folder of the fit."
    )
    return stored


def _pair_finding(
    subject: Subject, pair: tuple[str, str], known: References, ident: Supporter | None
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
    subject: Subject, symbols: tuple[str, str, str], reference: Any, ident: Supporter | None
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
