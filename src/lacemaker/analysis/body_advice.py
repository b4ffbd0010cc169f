"""A body-order report in words: the table for a terminal, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.analysis.tables import align

if TYPE_CHECKING:
    from lacemaker.analysis.body_findings import BodyOrderReport, PairFinding

__all__ = ["body_advice", "body_text"]

FAR = 5.0  # standard deviations: a reference further off contradicts the model, not the noise
NEAR_CORE = 0.75  # of the bond length
DRIFTS = 0.1  # eV: pair interactions that change more from one body order to the next have not converged
CANCELS = 1.5  # share of the energy beyond which parts of opposite sign are large
CLOSE = 0.1  # eV: agreement with a reference
_ORDER = {"bad": 0, "warn": 1, "good": 2}


def body_advice(report: BodyOrderReport) -> list[tuple[str, str]]:
    """Judgements (level, text), most worrying first."""
    found = [*_check(report), *_sanity(report), *_support(report), *_convergence(report), *_how(report)]
    return sorted(found, key=lambda item: _ORDER[item[0]])


def _check(report: BodyOrderReport) -> Iterator[tuple[str, str]]:
    check = report.check
    if check is None:
        return
    sizes = ", ".join(str(n) for n, _, _ in check.largest)
    if check.passed:
        yield "good", f"Interactions of {sizes} atoms vanish: this is a potential of {check.bodies} bodies."
    else:
        worst = max(check.largest, key=lambda item: item[2])
        yield (
            "bad",
            f"A potential of {check.bodies} bodies has an interaction of {worst[0]} atoms, "
            f"{worst[1]:.1e} eV, {worst[2]:.1e} of what it is a difference of. The evaluation is wrong; "
            "please report it.",
        )


def _sanity(report: BodyOrderReport) -> Iterator[tuple[str, str]]:
    for pair in report.pairs:
        sanity, name = pair.sanity, pair.curve.name
        if not sanity.repulsive_core:
            yield (
                "bad",
                f"{name}: no repulsive core below {pair.curve.repulsive_down_to:.2f} Å. Put a ZBL core under "
                "the fit (repulsion), or add close dimers.",
            )
        elif sanity.sane:
            yield (
                "good",
                f"{name}: repulsive core and one minimum ({sanity.depth:.2f} eV at {sanity.r_e:.2f} Å).",
            )
        else:
            yield (
                "warn",
                f"{name}: minima {sanity.minima}, changes of the force's sign {sanity.force_flips}, where a "
                "physical pair has one of each. A separate pair part, a smoother prior or dimers would help.",
            )


def _support(report: BodyOrderReport) -> Iterator[tuple[str, str]]:
    for pair in report.pairs:
        if pair.support is not None:
            unsupported = [
                f"{a:.2f}–{b:.2f} Å ({status})"
                for status, a, b in _beyond_core(pair)
                if status != "data" and b - a > 0.1
            ]
            if unsupported:
                yield (
                    "warn",
                    f"{pair.curve.name}: at {', '.join(unsupported)} the data hold less about the dimer than "
                    "one direct calculation would. Read the curve there as an effective interaction.",
                )
        yield from _against_references(pair)
    poor = sum(o.status != "data" for o in report.observables)
    if poor:
        yield (
            "warn",
            f"{poor} of {len(report.observables)} properties of simple crystals are not settled by the data "
            "(see the table): if they matter, add such structures.",
        )


def _beyond_core(pair: PairFinding) -> list[tuple[str, float, float]]:
    start = NEAR_CORE * pair.curve.nearest_neighbour
    return [(status, max(a, start), b) for status, a, b in pair.ranges if b > start]


def _against_references(pair: PairFinding) -> Iterator[tuple[str, str]]:
    for reference, rmse in zip(pair.references, pair.reference_rmse, strict=True):
        if rmse is None:
            continue
        if rmse < CLOSE:
            yield "good", f"{pair.curve.name}: within {rmse:.3f} eV (RMSE) of {reference.source}."
            continue
        text = f"{pair.curve.name}: {rmse:.2f} eV (RMSE) away from {reference.source}."
        far = _deviations(pair, reference.r, reference.energy)
        if far is not None and far > FAR:
            text += (
                f" That is {far:.0f} posterior standard deviations (median): no lack of data of this kind, "
                "but interactions of more bodies folded into the pair. Only dimers in the data, a pair part "
                "anchored to them, or more body orders can change it."
            )
        yield "warn", text


def _deviations(pair: PairFinding, r: np.ndarray, energy: np.ndarray) -> float | None:
    """Median distance from a reference in standard deviations, beyond the core."""
    if pair.support is None:
        return None
    r, energy = np.asarray(r), np.asarray(energy)
    used = (r >= NEAR_CORE * pair.curve.nearest_neighbour) & (r <= 0.9 * pair.curve.r[-1])
    std = np.interp(r[used], pair.curve.r, pair.support.std)
    value = np.interp(r[used], pair.curve.r, pair.curve.energy)
    usable = std > 0.0
    if not usable.any():
        return None
    return float(np.median(np.abs(value - energy[used])[usable] / std[usable]))


def _convergence(report: BodyOrderReport) -> Iterator[tuple[str, str]]:
    if len(report.fits) < 2:
        return
    last, highest = report.fits[-2], report.fits[-1]
    for name, drift in last.drift.items():
        if drift > DRIFTS:
            yield (
                "warn",
                f"{name}: V_2 still changes by {drift:.2f} eV (RMS) from {last.bodies} to {highest.bodies} "
                "bodies: the low orders absorb what the higher ones would say, and their values have no "
                "meaning of their own.",
            )
        else:
            yield (
                "good",
                f"{name}: V_2 changes by {drift:.3f} eV (RMS) from {last.bodies} to {highest.bodies} bodies.",
            )
    shares = highest.body_shares
    if shares is not None and max(abs(share) for share, _ in shares.values()) > CANCELS:
        listed = ", ".join(f"{n} bodies {100 * share:.0f} %" for n, (share, _) in shares.items())
        yield (
            "warn",
            f"Energies of different numbers of bodies cancel: {listed}. Large parts of opposite sign are "
            "fitted together; none of them means much alone.",
        )


def _how(report: BodyOrderReport) -> Iterator[tuple[str, str]]:
    wrong = [
        pair.curve.name
        for pair in report.pairs
        if any(rmse is not None and rmse >= CLOSE for rmse in pair.reference_rmse) or not pair.sanity.sane
    ]
    if not wrong or report.check is None:
        return
    yield (
        "warn",
        f"If physical dimers of {', '.join(wrong)} are wanted: take one-body energies from isolated atoms; "
        "give the model an explicit pair part, fitted or anchored to dimers or a ZBL core; and never "
        "regularise order 1 as strongly as the high orders. If only condensed matter counts, none of this is "
        "needed.",
    )


def body_text(report: BodyOrderReport) -> str:
    """The report for a terminal."""
    lines = [f"body orders of the {report.model}" + (f" ({report.basis} basis)" if report.basis else "")]
    if report.check is not None:
        largest = ", ".join(f"|V_{n}| ≤ {v:.1e} eV" for n, v, _ in report.check.largest)
        verdict = "vanish, as they must" if report.check.passed else "DO NOT VANISH"
        lines.append(f"interactions beyond {report.check.bodies} bodies {verdict}: {largest}")
    lines += ["", *_pair_table(report)]
    if report.fits:
        lines += ["", f"refits from the assembled system, {report.basis} basis", *_fit_table(report)]
    lines += ["", *(f"[{level}] {text}" for level, text in report.advice)]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def pair_rows(report: BodyOrderReport) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of pair curves."""
    header = ["pair", "depth eV", "r_e Å", "minima", "force flips", "inflections", "ρ in", "ρ out", "core"]
    header += ["reference", "RMSE eV"]
    rows = []
    for pair in report.pairs:
        s = pair.sanity
        first = zip(pair.references, pair.reference_rmse, strict=True)
        listed = [(r.source, _number(e, 3)) for r, e in first] or [("–", "–")]
        for k, (source, rmse) in enumerate(listed):
            own = [
                pair.curve.name, _number(s.depth, 3), _number(s.r_e, 3), str(s.minima), str(s.force_flips),
                str(s.inflections), _number(s.spearman_inside, 2), _number(s.spearman_outside, 2),
                "repulsive" if s.repulsive_core else "HOLE",
            ]  # fmt: skip
            rows.append([*(own if k == 0 else [""] * len(own)), source, rmse])
    return header, rows


def fit_rows(report: BodyOrderReport) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of refits, one row per body order and pair."""
    header = ["bodies", "functions", "E meV/atom", "F eV/Å", "val. E", "val. F", "condition"]
    header += [share_title(report), "pair", "depth eV", "r_e Å", "RMSE eV", "drift eV"]
    rows = []
    for body in report.fits:
        train = body.fit.rmse.get("train", {}).get("total", {})
        held = body.fit.rmse.get("validation", {}).get("total", {})
        errors = [_number(1e3 * t["energy"] if "energy" in t else None, 2) for t in (train, held)]
        forces = [_number(t.get("forces"), 3) for t in (train, held)]
        split = body.shares if body.body_shares is None else body.body_shares
        shares = " ".join(f"{100 * share:.0f} %" for share, _ in split.values())
        own = [str(body.bodies), str(len(body.fit.coefficients)), errors[0], forces[0], errors[1], forces[1]]
        own += [f"{body.fit.condition:.1e}", shares]
        for k, (name, s) in enumerate(body.sanity.items()):
            pair = [name, _number(s.depth, 3), _number(s.r_e, 3)]
            pair += [_number(body.reference_rmse.get(name), 3), _number(body.drift.get(name), 3)]
            rows.append([*(own if k == 0 else [""] * len(own)), *pair])
    return header, rows


def share_title(report: BodyOrderReport) -> str:
    """What the shares of the table are shares of."""
    pure = all(body.body_shares is not None for body in report.fits)
    return "shares of 2, 3, … bodies" if pure else "shares of order 1, 2, … (not bodies)"


def _pair_table(report: BodyOrderReport) -> list[str]:
    return align(*pair_rows(report))


def _fit_table(report: BodyOrderReport) -> list[str]:
    return align(*fit_rows(report))


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
