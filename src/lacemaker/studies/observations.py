"""Observation sets: which kinds of data a fit of the study sees, as weights of one triangular system."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["FORCE_CONSTANTS", "MIXED_STRAINS", "STRAINED", "Observations", "core_name"]

STRAINED = "strained"
MIXED_STRAINS = "strained-mixed"  # for tests only
FORCE_CONSTANTS = "force_constants"


def core_name(size: int) -> str:
    """Config type of the defect cells of n³ conventional cells."""
    return f"core-{size}"


class Observations(NamedTuple):
    """A set such as EF+FC+V."""

    energy: bool
    forces: bool
    force_constants: bool
    virial: bool

    @staticmethod
    def parse(text: str) -> Observations:
        """Read E, F, V and FC joined with or without plus signs.

        Raises
        ------
        ValueError
        """
        rest, found = text.replace("+", " "), set()
        for word in rest.split():
            while word:
                part = "FC" if word.startswith("FC") else word[0]
                if part not in ("E", "F", "FC", "V") or part in found:
                    raise ValueError(f"observations {text!r}: combine E, F, FC and V, such as EF+FC+V")
                found.add(part)
                word = word[len(part) :]
        if not found & {"E", "F"}:
            raise ValueError(f"observations {text!r}: at least E or F is needed, such as EF+FC+V")
        return Observations("E" in found, "F" in found, "FC" in found, "V" in found)

    def weights(self, sizes: tuple[int, ...], base: Any) -> dict[str, dict[str, float]]:
        """Row weights by config type.

        Strained cells bring their forces along: these tie the internal strain of crystals with a basis.
        """
        nothing = {"energy": 0.0, "forces": 0.0, "virial": 0.0}
        core = {
            **nothing,
            "energy": base.energy * self.energy,
            "forces": base.forces * self.forces,
        }
        strained = {
            **nothing,
            "virial": base.virial * self.virial,
            "forces": base.forces * self.virial,
        }
        constants = {**nothing, "force_constants": base.force_constants * self.force_constants}
        table = {core_name(size): dict(core) for size in sizes}
        return {**table, STRAINED: strained, FORCE_CONSTANTS: constants}
