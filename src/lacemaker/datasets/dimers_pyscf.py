"""Dimer curves by density-functional theory, with PySCF: the lower envelope over spin states.

The ground state of a stretched bond changes its spin: C2 is closer to a singlet at its minimum, a quintet at
2.4 Å, and two atoms far apart. One spin state alone therefore ends wrong, restricted solutions by electron
volts. Each distance is computed in every multiplicity the two atoms allow and as a broken-symmetry singlet
(the spins of one atom turned over), and the lowest is taken.

Needs PySCF (``pip install lacemaker[dft]``); the curves of :mod:`lacemaker.datasets.dimers` were made with
this file, so nothing else does. As a program, one distance after the other, continuing where it was stopped:

    python -m lacemaker.datasets.dimers_pyscf C C --output dimer_C-C.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["compute_dimer", "default_distances", "spin_states"]

HARTREE = 27.211386245988  # eV, CODATA 2018
NAMES = ("singlet", "doublet", "triplet", "quartet", "quintet", "sextet", "septet", "octet", "nonet")
BROKEN = "broken-symmetry"
MAX_CYCLES = 25  # of self-consistency; states that need more are left out where another converged
_SHORT = {"C": 1.0, "Si": 1.6}  # Å, where the default grid begins
_SHELLS = (2, 6, 10, 14)  # electrons in a filled s, p, d, f shell

Level = tuple[str, str, int]  # functional, basis, grid
Pair = tuple[str, str]


def default_distances(a: str, b: str) -> np.ndarray:
    """21 distances (Å) from inside the wall to 6 Å, closest around the well."""
    start = 0.5 * (_SHORT.get(a, 1.2) + _SHORT.get(b, 1.2))
    steps = [0.1] * 9 + [0.2] * 5 + [0.35] * 3
    near = start + np.concatenate([[0.0], np.cumsum(steps)])
    far = np.linspace(near[-1], 6.0, 4)[1:].round(1)
    return np.round(np.concatenate([near, far]), 4)


def unpaired_electrons(symbol: str) -> int:
    """Unpaired electrons of a free atom by Hund's rule from its shell filling."""
    from pyscf.data.elements import CONFIGURATION, charge

    filling = CONFIGURATION[charge(symbol)]
    open_shells = [count % size for count, size in zip(filling, _SHELLS, strict=True)]
    return sum(min(n, size - n) for n, size in zip(open_shells, _SHELLS, strict=True))


def spin_states(moments: Sequence[int]) -> dict[str, int]:
    """Name and 2S of every state of two atoms with these numbers of unpaired electrons.

    The multiplicities run from |a - b| to a + b; `broken-symmetry` has 2S = |a - b| with the spins of the two
    atoms opposed.
    """
    low, high = abs(moments[0] - moments[1]), sum(moments)
    states = {NAMES[spin]: spin for spin in range(low, high + 1, 2)}
    return states | ({BROKEN: low} if high > low else {})


def compute_dimer(
    a: str,
    b: str,
    r: Sequence[float] | np.ndarray | None = None,
    *,
    functional: str = "pbe",
    basis: str = "def2-tzvp",
    grid_level: int = 3,
    cache: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Energies of a dimer in all its spin states, eV relative to the two free atoms.

    Parameters
    ----------
    a, b : str
        Chemical symbols.
    r : (n,) array, optional
        Distances, Å, in the order of computing; :func:`default_distances`.
    functional, basis : str
        As PySCF names them.
    grid_level : int
        PySCF's integration grid, 0 to 9.
    cache : path, optional
        JSON file of the points done so far; read if it exists and belongs to the same level of theory, and
        written after every distance.
    progress : callable, optional
        Called with one line per distance.

    Returns
    -------
    dict
        What :func:`lacemaker.datasets.dimers.read_curve` reads: ``pair``, ``r_A``, ``energy_eV`` (the
        envelope), ``state``, ``states_eV``, ``s_squared`` and ``provenance``.

    Raises
    ------
    ImportError
        Without PySCF.
    RuntimeError
        When no state of a distance converged, or a cache is of another level of theory.
    """
    import pyscf

    distances = default_distances(a, b) if r is None else np.asarray(r, dtype=float)
    level = (functional, basis, grid_level)
    facts = {
        "code": f"PySCF {pyscf.__version__}",
        "method": f"UKS {functional.upper()} (singlet: RKS)",
        "basis": basis,
        "grid_level": grid_level,
    }
    points = _Points(None if cache is None else Path(cache), {"pair": [a, b], **facts})
    moments = (unpaired_electrons(a), unpaired_electrons(b))
    states = spin_states(moments)
    atoms = {
        symbol: points.get(f"atom {symbol}", partial(_atom, symbol, spin, level))
        for symbol, spin in zip((a, b), moments, strict=True)
    }
    free = sum(atoms[symbol]["hartree"] for symbol in (a, b))
    table: dict[str, list[float | None]] = {name: [] for name in states}
    spins: dict[str, list[float | None]] = {name: [] for name in states}
    for distance in distances:
        begun = time.time()
        found = points.get(f"{distance:.4f}", partial(_distance, (a, b), float(distance), moments, level))
        for name in states:
            point = found.get(name)
            table[name].append(None if point is None else round(HARTREE * (point["hartree"] - free), 4))
            spins[name].append(None if point is None else round(point["s_squared"], 3))
        if progress is not None:
            line = ", ".join(f"{name} {table[name][-1]}" for name in states)
            progress(f"{a}-{b} {distance:.3f} Å: {line}  ({time.time() - begun:.0f} s)")
    order = np.argsort(distances)
    distances = distances[order]
    table, spins = ({name: [v[k] for k in order] for name, v in rows.items()} for rows in (table, spins))
    envelope = _envelope(distances, table)
    return {
        "format": 1,
        "kind": "dimer curve",
        "pair": [a, b],
        "r_A": distances.tolist(),
        "energy_eV": [value for value, _ in envelope],
        "state": [name for _, name in envelope],
        "states_eV": table,
        "s_squared": spins,
        "provenance": {
            **facts,
            "states": "lowest of " + ", ".join(states),
            "atoms": {symbol: {"unpaired": m} for symbol, m in zip((a, b), moments, strict=True)},
            "zero": "two free atoms, UKS with whole electrons",
            "licence": "CC0-1.0",
        },
    }


def _envelope(r: np.ndarray, table: dict[str, list[float | None]]) -> list[tuple[float, str]]:
    rows = []
    for k, distance in enumerate(r):
        done = [(value, name) for name, values in table.items() if (value := values[k]) is not None]
        if not done:
            raise RuntimeError(
                f"no spin state converged at {distance:.3f} Å. Found {len(table)} states tried. Leave the "
                "distance out or use a smaller basis."
            )
        rows.append(min(done))
    return rows


class _Points:
    """Finished pieces of a curve in one JSON file, written after each."""

    def __init__(self, path: Path | None, level: dict[str, Any]) -> None:
        self.path, self.level, self.done = path, level, {}
        if path is not None and path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["level"] != level:
                raise RuntimeError(
                    f"{path} holds points of another level of theory. Found {stored['level']}, asked for "
                    f"{level}. Use another cache file."
                )
            self.done = stored["points"]

    def get(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if key not in self.done:
            self.done[key] = compute()
            if self.path is not None:
                part = self.path.with_name(self.path.name + ".part")
                part.write_text(json.dumps({"level": self.level, "points": self.done}), encoding="utf-8")
                part.replace(self.path)
        return self.done[key]


def _solver(
    symbols: Sequence[str], z: Sequence[float], spin: int, level: Level, restricted: bool = False
) -> Any:
    """A Kohn-Sham calculation of atoms on the z axis (Å)."""
    from pyscf import dft, gto

    functional, basis, grid = level
    atoms = [(symbol, (0.0, 0.0, height)) for symbol, height in zip(symbols, z, strict=True)]
    molecule = gto.M(atom=atoms, basis=basis, spin=spin, unit="Angstrom", verbose=0)
    field = (dft.RKS if restricted else dft.UKS)(molecule)
    field.xc, field.grids.level, field.conv_tol, field.max_cycle = functional, grid, 1e-6, MAX_CYCLES
    return field


def _converged(
    fields: Callable[[], Any], guesses: Sequence[Any], insist: bool = True
) -> dict[str, Any] | None:
    """The lowest solution reached from some densities (None is PySCF's guess); None where none converges.

    To insist is to try a second-order solver when no other guess has converged.
    """
    best: Any = None
    for last, density in enumerate(guesses, 1 - len(guesses)):
        field = fields()
        field.kernel(dm0=density)
        if insist and not field.converged and best is None and last == 0:
            second = field.newton()
            second.kernel(field.mo_coeff, field.mo_occ)
            field = second
        if field.converged and (best is None or field.e_tot < best.e_tot):
            best = field
    if best is None:
        return None
    return {
        "hartree": float(best.e_tot),
        "s_squared": float(best.spin_square()[0]),
        "density": np.asarray(best.make_rdm1()),
    }


def _stored(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "density"}


def _atom(symbol: str, spin: int, level: Level) -> dict[str, Any]:
    found = _converged(lambda: _solver([symbol], [0.0], spin, level), [None])
    if found is None:
        raise RuntimeError(
            f"the free atom {symbol} did not converge. Found {spin} unpaired electrons by Hund's rule. Use "
            "another basis or functional."
        )
    return _stored(found)


def _distance(pair: Pair, r: float, moments: Sequence[int], level: Level) -> dict[str, Any]:
    """Every state at one distance, from PySCF's guess and from the density of the highest spin."""
    found: dict[str, Any] = {}
    high: Any = None
    atoms = _side_by_side(pair, moments, level)
    for name, spin in sorted(spin_states(moments).items(), key=lambda item: (-item[1], item[0] == BROKEN)):
        fields = partial(_solver, pair, (0.0, r), spin, level, restricted=name == NAMES[0])
        if name == NAMES[0]:
            result = _converged(fields, [None], insist=False)
        elif name == BROKEN:
            turned = [_turned(fields(), dm) for dm in (high, atoms) if dm is not None]
            result = _converged(fields, turned, insist=not found)
        else:
            result = _converged(fields, [None, atoms if high is None else high], insist=not found)
        if result is not None:
            high = result["density"] if spin == sum(moments) else high
            found[name] = _stored(result)
    return found


@lru_cache(maxsize=2)
def _side_by_side(pair: Pair, moments: Sequence[int], level: Level) -> np.ndarray:
    """Density of two free atoms that do not see each other, all unpaired electrons up; (2, n, n)."""
    from scipy.linalg import block_diag

    fields = [_solver([symbol], [0.0], spin, level) for symbol, spin in zip(pair, moments, strict=True)]
    for field in fields:
        field.kernel()
    both = [field.make_rdm1() for field in fields]
    return np.array([block_diag(*(dm[spin] for dm in both)) for spin in (0, 1)])


def _turned(field: Any, density: np.ndarray) -> np.ndarray:
    """The high-spin density with up and down exchanged on the second atom."""
    first = field.mol.aoslice_by_atom()[1, 2]
    alpha, beta = density[0].copy(), density[1].copy()
    alpha[first:, first:], beta[first:, first:] = density[1][first:, first:], density[0][first:, first:]
    alpha[:first, first:] = alpha[first:, :first] = 0.0
    beta[:first, first:] = beta[first:, :first] = 0.0
    return np.array([alpha, beta])


def main() -> None:
    parser = argparse.ArgumentParser(description="DFT curve of a dimer, lower envelope over spin states")
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--output", type=Path, required=True, help="JSON file of the curve")
    parser.add_argument("--functional", default="pbe")
    parser.add_argument("--basis", default="def2-tzvp")
    parser.add_argument("--distances", type=float, nargs="+", help="Å")
    given = parser.parse_args()
    curve = compute_dimer(
        given.a,
        given.b,
        given.distances,
        functional=given.functional,
        basis=given.basis,
        cache=given.output.with_suffix(".points.json"),
        progress=lambda line: print(line, flush=True),
    )
    given.output.write_text(json.dumps(curve, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
