"""A network in words: what `lace info` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lacemaker.potential.describe import provenance_rows

if TYPE_CHECKING:
    from lacemaker.networks.potential import NetworkPotential

__all__ = ["describe"]


def describe(potential: NetworkPotential, *, measure_speed: bool = False) -> str:
    """A page of text; `measure_speed` adds the time per atom on this machine."""
    lines = [f"lacemaker network for {', '.join(potential.elements)}", ""]
    lines += [f"  {name:<12} {text}" for name, text in _rows(potential)]
    if measure_speed:
        from lacemaker.potential.speed import measure_speed as measure

        dtype = potential.evaluator().dtype_name
        lines.append(f"  {'speed':<12} {measure(potential, dtype=dtype, n_cells=3)}")  # type: ignore[arg-type]
    return "\n".join(lines)


def _rows(potential: NetworkPotential) -> Iterator[tuple[str, str]]:
    options = potential.options
    yield "network", f"{options.label}, {options.features} features, {potential.n_parameters} parameters"
    reach = options.cutoff * options.interactions
    yield "cutoff", f"{options.cutoff:g} Å, {options.interactions} interactions: an atom feels {reach:g} Å"
    yield (
        "E0",
        ", ".join(f"{s} {e:.6f} eV" for s, e in zip(potential.elements, potential.e0, strict=True)),
    )
    known = potential.metadata
    if parts := known.get("data"):
        yield "data", ", ".join(f"{name} {p['n_frames']} structures" for name, p in parts.items())
    yield from provenance_rows({name: entry for name, entry in known.items() if name != "data"})
