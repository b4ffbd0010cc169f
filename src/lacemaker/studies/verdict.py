"""What a study means, in words: the dominating term of the error, and what to add next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lacemaker.studies.observations import Observations
from lacemaker.studies.results import estimator_accuracy, rows_of, slopes_of

if TYPE_CHECKING:
    from lacemaker.studies.run import StudyResult

__all__ = ["Judgement", "Terms", "dominant", "judge_study", "terms_of"]

BIG_STRESS = 5e-4  # strain of the lattice from which residual stress is a concern of its own
WIDE = 2.0  # half-width of a slope from which it says nothing
BIG_ENERGY = 0.1  # eV: a formation energy this wrong is useless


class Judgement(NamedTuple):
    """One finding; `level` is good, warn or bad."""

    level: str
    text: str


class Terms(NamedTuple):
    """Contributions to a model's error, as strains of the crystal (dimensionless)."""

    core: float
    far: float
    stress: float


def terms_of(row: Mapping[str, Any], nearest: float, lattice_constant: float) -> Terms | None:
    """Core and far field from the estimator (Å over the nearest-neighbour distance), stress as Δa₀/a₀."""
    if row["predicted_core_A"] is None:
        return None
    stress = abs(row["lattice_constant_error_A"]) / lattice_constant
    return Terms(row["predicted_core_A"] / nearest, row["predicted_far_A"] / nearest, stress)


def dominant(terms: Terms) -> str:
    """``core``, ``far field`` or ``residual stress``: the largest of the terms."""
    names = ("core", "far field", "residual stress")
    return names[max(range(3), key=lambda k: terms[k])]


ADVICE = {
    "core": "raise the degree; then add rattled defect cells (more cores before larger cells)",
    "far field": "add force constants of the bulk and virials of strained cells, or a larger training cell",
    "residual stress": "add virials of strained bulk cells",
}


def judge_study(result: StudyResult) -> list[Judgement]:
    """All findings, most worrying first."""
    rows = rows_of(result)
    found = _traps(result)
    top = max(row["size"] for row in rows)
    last = [row for row in rows if row["size"] == top and row["knob"] == "size"]
    for row in last:
        found.append(_of_row(row, result))
    found += _energies_alone(rows)
    found += _failures(last)
    found += _knobs(result, rows)
    found += _estimator(rows)
    order = {"bad": 0, "warn": 1, "good": 2}
    return sorted(found, key=lambda item: order[item.level])


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['observations']} on {row['size']}³ cells, {row['defect']}"


def _of_row(row: Mapping[str, Any], result: StudyResult) -> Judgement:
    crystal = result.crystal
    terms = terms_of(row, crystal.nearest_neighbour, crystal.lattice_constant)
    if terms is None and not row["lattice_found"]:
        return Judgement("bad", f"{_name(row)}: the model has no lattice constant within 5 % of the "
                         f"reference's. Next: {ADVICE['residual stress']}.")  # fmt: skip
    if terms is None:
        return Judgement("bad", f"{_name(row)}: the model cannot be evaluated at the reference equilibrium.")
    if row["converged"] and not row["prediction_stable"]:
        return Judgement("bad", f"{_name(row)}: the model is soft or unstable at the reference equilibrium. "
                         f"Next: {ADVICE['core']}.")  # fmt: skip
    shares = f"core {terms.core:.1e}, far field {terms.far:.1e}, residual stress {terms.stress:.1e}"
    which = dominant(terms)
    if not row["converged"]:
        text = f"no equilibrium near the reference's ({row['outcome']}). To do: "
        missing = _advice(which, row)
        return Judgement("bad", f"{_name(row)}: {text}{missing}.")
    level = "good" if max(terms) < 5e-3 and terms.stress < BIG_STRESS else "warn"
    level = "bad" if max(terms) > 0.1 else level
    text = f"{_name(row)}: {which} dominates (strains: {shares}). Next: {_advice(which, row)}."
    return Judgement(level, text)


def _advice(which: str, row: Mapping[str, Any]) -> str:
    """What to add, if it is not there already."""
    seen = Observations.parse(row["observations"])
    if not seen.forces:
        return "add forces"
    if which == "far field" and seen.virial and seen.force_constants:
        return "larger training cells, a higher degree, or more weight on virials and force constants"
    if which == "far field" and seen.virial:
        return "add force constants of the bulk, or larger training cells"
    if which == "residual stress" and seen.virial:
        return "more weight on virials"
    return ADVICE[which]


def _traps(result: StudyResult) -> list[Judgement]:
    return [
        Judgement(
            "bad",
            f"{name}: the reference does not relax this defect at all (it is force-free), so its geometry "
            "error says nothing. Use an interstitial or another reference.",
        )
        for name, facts in result.defects.items()
        if facts["force_free"]
    ]


def _energies_alone(rows: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """Fits of total energies only: how well they fit, and whether any of them holds the defect."""
    alone = [row for row in rows if Observations.parse(row["observations"]) == (True, False, False, False)]
    lost = [row for row in alone if not row["converged"]]
    if not lost or any(row["energy_rmse_eV_per_atom"] is None for row in lost):
        return []
    best = 1000 * min(row["energy_rmse_eV_per_atom"] for row in lost)
    which = "at no training size" if len(lost) == len(alone) else f"in {len(lost)} of {len(alone)} fits not"
    return [
        Judgement("bad", f"Energies alone, fitted to {best:.1g} meV/atom at best, hold the defect {which}: "
                  "relaxations diverge or end in another structure. Add forces.")
    ]  # fmt: skip


def _failures(rows: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """The three classic failures: no forces, no energies, no virials."""
    found = []
    for row in rows:
        seen = Observations.parse(row["observations"])
        energy = row["formation_energy_error_eV"]
        if not seen.energy and energy is not None and abs(energy) > BIG_ENERGY:
            found.append(
                Judgement("bad", f"{_name(row)}: without total energies the formation energy is wrong by "
                          f"{abs(energy):.2f} eV, although the geometry is good to "
                          f"{row['geometry_A']:.1e} Å. Add energies.")
            )  # fmt: skip
    best = {
        has_v: min(
            (abs(r["lattice_constant_error_A"]) for r in rows
             if Observations.parse(r["observations"]).virial == has_v and _usable(r)),
            default=None,
        )
        for has_v in (True, False)
    }  # fmt: skip
    before, after = best[False], best[True]
    if before is not None and after is not None and before > 10 * after:
        found.append(
            Judgement("warn", f"Without virials the lattice constant is off by {before:.1e} Å at best, "
                      f"with them by {after:.1e} Å: invisible at fixed cell, fatal at variable cell "
                      "and for dislocations. Always add strained bulk cells.")
        )  # fmt: skip
    return found


def _usable(row: Mapping[str, Any]) -> bool:
    seen = Observations.parse(row["observations"])
    return seen.energy and seen.forces


def _knobs(result: StudyResult, rows: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    found: list[Judgement] = []
    for defect in result.defects:
        found += _slopes(slopes_of(rows, defect), f", {defect}" if len(result.defects) > 1 else "")
    return found


def _slopes(slopes: Mapping[str, Mapping[str, Any]], where: str) -> list[Judgement]:
    found = []
    for name, slope in slopes["degree"].items():
        if not slope.half_width < WIDE:
            continue
        found.append(
            Judgement("good", f"{name}{where}: geometry error ∝ (ε^F)^({slope}) as the degree rises"
                      + (": limited by the accuracy of the fit." if slope.slope > 0.7 else
                         "; a better fit no longer pays in full: larger cells or other data are next."))
        )  # fmt: skip
    sizes = slopes["size"]
    clear = {name: slope for name, slope in sizes.items() if slope.half_width < WIDE}
    for name, slope in clear.items():
        text = f"{name}{where}: geometry error ∝ L^({slope}) with the training cell."
        found.append(Judgement("good", text))
    vague = [f"{name} {slope}" for name, slope in sizes.items() if name not in clear]
    if vague:
        text = f"Too few sizes to read a power of L from{where}: {'; '.join(vague)}."
        found.append(Judgement("good", text))
    return found


def _estimator(rows: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    facts = estimator_accuracy(rows)
    if facts["n_cases"] < 3:
        return []
    return [
        Judgement(
            "good",
            f"Estimator: over {facts['n_cases']} models and {facts['decades']:.1f} decades of geometry "
            f"error, prediction over truth lies between {facts['ratio_smallest']:.2f} and "
            f"{facts['ratio_largest']:.2f} (median {facts['ratio_median']:.2f}; "
            f"{100 * facts['within_10_percent']:.0f} % within 10 %), without any relaxation.",
        )
    ]
