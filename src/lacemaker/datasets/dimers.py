"""DFT curves of dimers that travel with the package, made by us with PySCF (see `dimers_pyscf`), CC0."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lacemaker.errors import DataError

__all__ = ["PairReference", "bundled_curve", "bundled_curves", "bundled_pairs", "read_curve"]


@dataclass(frozen=True, eq=False)
class PairReference:
    """A reference for the energy of two atoms in vacuum.

    Attributes
    ----------
    pair : (str, str)
    r : (n,) array, Å, ascending
    energy : (n,) array, eV, relative to the two free atoms
    source : str
        In a few words, for legends.
    state : tuple of str
        Spin state of each point, where known.
    provenance : mapping
    """

    pair: tuple[str, str]
    r: np.ndarray
    energy: np.ndarray
    source: str
    state: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For example ``"Si–Ge"``."""
        return "–".join(self.pair)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "pair": self.name,
            "source": self.source,
            "r_A": self.r.tolist(),
            "energy_eV": self.energy.tolist(),
            "state": list(self.state),
            "provenance": dict(self.provenance),
        }


def read_curve(path: str | Path) -> PairReference:
    """Read a curve as `dimers_pyscf` writes it.

    The least a file needs: ``{"pair": ["C", "C"], "r_A": [...], "energy_eV": [...]}``.

    Raises
    ------
    DataError
        When the file is no such curve.
    """
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
        pair = _pair(table["pair"])
        r, energy = np.array(table["r_A"], dtype=float), np.array(table["energy_eV"], dtype=float)
        state = tuple(map(str, table.get("state", ())))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} holds no dimer curve. Found {type(error).__name__}: {error}. A curve is JSON with pair, "
            "r_A (Å) and energy_eV (eV, relative to the free atoms)."
        ) from error
    if r.ndim != 1 or r.shape != energy.shape or not (np.isfinite(r).all() and np.isfinite(energy).all()):
        raise DataError(
            f"{path} holds no dimer curve. Found r_A of shape {r.shape}, energy_eV of shape {energy.shape}. "
            "Give one finite energy per distance."
        )
    order = np.argsort(r)
    facts = table.get("provenance", {})
    words = [str(facts[key]) for key in ("method", "basis") if key in facts]
    return PairReference(
        pair=pair,
        r=r[order],
        energy=energy[order],
        source=", ".join(words) or Path(path).name,
        state=tuple(state[k] for k in order) if len(state) == len(r) else (),
        provenance=facts,
    )


def bundled_pairs() -> list[tuple[str, str]]:
    """Pairs of elements with a bundled curve."""
    names = (p.name for p in files(__package__).iterdir())
    found = [name[6:].split(".")[0] for name in names if name.startswith("dimer_") and name.endswith(".json")]
    return sorted({_pair(sorted(pair.split("-"))) for pair in found})


def bundled_curve(a: str, b: str) -> PairReference | None:
    """The bundled DFT curve of a pair of elements, or None where there is none; the first of several."""
    return next(iter(bundled_curves(a, b)), None)


def bundled_curves(a: str, b: str) -> list[PairReference]:
    """Every bundled DFT curve of a pair of elements: ``dimer_A-B.json``, then ``dimer_A-B.<code>.json``."""
    first, second = sorted((a, b))
    start = f"dimer_{first}-{second}."
    names = sorted(p.name for p in files(__package__).iterdir() if p.name.startswith(start))
    found = [name for name in names if name.endswith(".json")]
    found.sort(key=lambda name: name != f"{start}json")
    return [read_curve(Path(str(files(__package__) / name))) for name in found]


def _pair(symbols: Sequence[str]) -> tuple[str, str]:
    first, second = map(str, symbols)
    return first, second
