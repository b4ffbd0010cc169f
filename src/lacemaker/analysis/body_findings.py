"""What a body-order report holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.analysis.body_expansion import OrderCheck, QuadrupleSample, TripleMap
    from lacemaker.analysis.body_refits import BodyFit
    from lacemaker.analysis.diatomics import PairSanity
    from lacemaker.analysis.dimers import DimerCurve
    from lacemaker.analysis.identifiability import Support
    from lacemaker.analysis.supported_observables import SupportedObservable
    from lacemaker.datasets.dimers import PairReference

__all__ = ["BodyOrderReport", "PairFinding", "TripleFinding"]


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
                "prior_share": None if support.prior_share is None else support.prior_share.tolist(),
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
