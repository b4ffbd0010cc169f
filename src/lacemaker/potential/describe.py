"""A potential in words: what ``lace info`` and ``print(potential)`` show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lacemaker.potential.model import Potential

__all__ = ["describe", "provenance_rows", "summary"]

_ERROR_UNITS = (
    ("energy_mae_meV_per_atom", "E", "meV/atom"),
    ("forces_mae_eV_per_A", "F", "eV/Å"),
    ("virial_mae_meV_per_atom", "V", "meV/atom"),
)
_TOTAL = "total"
_PURIFIED = {
    "full": "fully: a function of order N vanishes with fewer than N neighbours",
    "pair": "two-body: functions of order 2 and more vanish for dimers",
}


def summary(potential: Potential, *, measure_speed: bool = False) -> dict[str, Any]:
    """The facts of `describe` as plain data.

    Keys: elements, cutoff_A, e0_eV, functions (total, nonzero, by_element), purified (null, full or pair),
    program, uncertainty, file_bytes, metadata; also speed if `measure_speed`.
    """
    counts: dict[str, dict[str, int]] = {symbol: {} for symbol in potential.elements}
    for (centre, label), count in sorted(potential.columns.counts().items()):
        counts[potential.elements[centre]][label] = count
    arrays = potential.program.arrays
    facts: dict[str, Any] = {
        "elements": list(potential.elements),
        "cutoff_A": potential.cutoff,
        "e0_eV": dict(zip(potential.elements, potential.e0.tolist(), strict=True)),
        "functions": {
            "total": len(potential.columns),
            "nonzero": int((potential.coefficients != 0).sum()),
            "by_element": counts,
        },
        "purified": (potential.basis_spec.get("purification") or {}).get("kind"),
        "program": {"a_functions": len(arrays["a_spec"]), "products": len(arrays["term_weight"])},
        "uncertainty": _uncertainty(potential),
        "file_bytes": len(potential.to_bytes()),
        "metadata": json.loads(json.dumps(dict(potential.metadata))),
    }
    if measure_speed:
        from lacemaker.potential.speed import measure_speed as measure

        facts["speed"] = measure(potential).to_dict()
    return facts


def describe(potential: Potential, *, measure_speed: bool = False) -> str:
    """A page of text about `potential`; `measure_speed` adds the time per atom on this machine."""
    facts = summary(potential)
    lines = [f"lacemaker potential for {', '.join(facts['elements'])}", ""]
    lines += [f"  {name:<12} {text}" for name, text in _rows(facts)]
    if measure_speed:
        from lacemaker.potential.speed import measure_speed as measure

        lines.append(f"  {'speed':<12} {measure(potential)}")
    return "\n".join(lines)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metadata, functions = facts["metadata"], facts["functions"]
    yield "cutoff", f"{facts['cutoff_A']:g} Å"
    pruned = functions["total"] - functions["nonzero"]
    yield (
        "functions",
        f"{functions['total']}" + (f" ({functions['nonzero']} with a coefficient)" if pruned else ""),
    )
    for symbol, counts in functions["by_element"].items():
        orders = [f"order {label}: {n}" for label, n in counts.items() if label != "pair"]
        pair = [f"pair: {counts['pair']}"] if "pair" in counts else []
        yield f"  {symbol}", ", ".join(orders + pair) or "none"
    if facts["purified"]:
        yield "purified", _PURIFIED[facts["purified"]]
    yield "program", f"{facts['program']['a_functions']} A functions, {facts['program']['products']} products"
    yield "E0", ", ".join(f"{symbol} {value:.6g} eV" for symbol, value in facts["e0_eV"].items())
    yield from provenance_rows(metadata)
    yield "uncertainty", facts["uncertainty"] or "none stored"
    yield "file size", f"{facts['file_bytes'] / 1024:.1f} kB"


def provenance_rows(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Errors, data, fit, licence and versions, each with its name."""
    for part, table in _tables(metadata.get("errors")):
        yield f"{part} MAE", table
    for key in ("data", "fit"):
        if metadata.get(key):
            yield key, _inline(metadata[key])
    for key in ("licence", "citation", "created"):
        if key in metadata or key != "created":
            yield key, str(metadata.get(key) or "not stated")
    yield "versions", _inline(metadata.get("versions", {}))


def _uncertainty(potential: Potential) -> str:
    """What the file holds for standard deviations and extrapolation grades; see `lacemaker.uncertainty`."""
    extras, found = potential.extras, []
    if "committee.coefficients" in extras:
        found.append(f"committee of {len(extras['committee.coefficients'])}")
    if "posterior.factor" in extras:
        found.append("posterior")
    if "grade.inverse" in extras:
        found.append("extrapolation grade")
    return ", ".join(found)


def _tables(errors: Any) -> Iterator[tuple[str, str]]:
    """The total row of each error table, e.g. ("train", "E 1.2 meV/atom, F 0.05 eV/Å")."""
    for part, groups in errors.items() if isinstance(errors, Mapping) else ():
        total = groups.get(_TOTAL) if isinstance(groups, Mapping) else None
        if isinstance(total, Mapping):
            known = [(label, total.get(key), unit) for key, label, unit in _ERROR_UNITS]
            found = [
                f"{label} {value:.4g} {unit}"
                for label, value, unit in known
                if isinstance(value, float | int)
            ]
            yield part, ", ".join(found) or "not measured"


def _inline(value: Any) -> str:
    """Nested tables on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inline(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return " ".join(map(_inline, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
