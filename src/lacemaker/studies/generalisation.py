"""How far a fitted potential can be trusted for defects of a crystal, measured against its reference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.studies.crystals import Crystal
from lacemaker.studies.defects import defect_cell
from lacemaker.studies.equilibria import load_equilibrium, relax_reference
from lacemaker.studies.measures import defect_errors
from lacemaker.studies.quiet import quiet
from lacemaker.studies.references import Reference, make_reference
from lacemaker.studies.verdict import ADVICE, Judgement, Terms, dominant
from lacemaker.workflow.outputs import plain
from lacemaker.workflow.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from lacemaker.analysis.defects import LatticeErrors
    from lacemaker.structures import Frame

__all__ = ["GeneralisationReport", "generalisation_report"]


@dataclass(frozen=True, eq=False)
class GeneralisationReport:
    """What :func:`generalisation_report` found.

    Attributes
    ----------
    reference : str
    crystal : Crystal
        At the reference's lattice constant.
    data : mapping or None
        Error table of the user's labelled frames.
    lattice : LatticeErrors
        Force constants, virials, Δa₀, elastic constants (Born and relaxed), phonons.
    defects : mapping
        By defect and cell size: estimate, radial profile, relaxed errors (see
        :func:`lacemaker.studies.measures.defect_errors`).
    extrapolated : mapping
        By defect: formation energies of reference and model extrapolated in 1/volume, eV (two sizes or more).
    verdict : list of Judgement
    """

    reference: str
    crystal: Crystal
    data: Mapping[str, Any] | None
    lattice: LatticeErrors
    defects: Mapping[str, Mapping[int, Mapping[str, Any]]]
    extrapolated: Mapping[str, Mapping[str, float | None]]
    verdict: list[Judgement]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return plain(
            {
                "reference": self.reference,
                "lattice_constant_A": self.crystal.lattice_constant,
                "data": self.data,
                "lattice": self.lattice.to_dict(),
                "defects": self.defects,
                "extrapolated": self.extrapolated,
                "verdict": [{"level": item.level, "text": item.text} for item in self.verdict],
            }
        )

    def __str__(self) -> str:
        lattice = self.lattice
        lines = [
            f"lattice: ε^FC {lattice.force_constants.relative:.1e} (relative), ε^V "
            f"{lattice.virial.virial_rms:.1e} eV/atom, Δa0 {lattice.delta_a:.1e} Å, relaxed C11 C12 C44 "
            f"{_triple(lattice.elastic_model)} GPa (reference {_triple(lattice.elastic)})"
        ]
        for name, sizes in self.defects.items():
            for size, found in sizes.items():
                guess = found.get("estimate") or {}
                lines.append(
                    f"{name}, {size}³ cells: foretold {_short(guess.get('geometry_A'))} Å, relaxed "
                    f"{_short(found.get('geometry_A'))} Å ({found['outcome']}), formation energy off by "
                    f"{_short(found.get('formation_energy_error_eV'))} eV"
                )
        return "\n".join([*lines, *(f"[{item.level}] {item.text}" for item in self.verdict)])


def _triple(constants: Any) -> str:
    return " ".join(f"{value:.1f}" for value in constants.cubic)


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"


def generalisation_report(
    model: Any,
    reference: Any,
    crystal: str | Crystal,
    defects: Sequence[str],
    *,
    element: str | None = None,
    sizes: Sequence[int] = (2, 3),
    core_radius: float | None = None,
    frames: Sequence[Frame] | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> GeneralisationReport:
    """Measure a potential on automatically built lattice and defect data.

    Parameters
    ----------
    model : Potential, ASE calculator or path of a .lace file
    reference : Reference, or what :func:`make_reference` takes, or an ASE calculator
    crystal : Crystal or str
        A crystal of :func:`make_crystal`, or a name such as "diamond" with `element`, or a structure file.
    defects : sequence of str
        See :data:`lacemaker.studies.defects.DEFECTS`.
    sizes : sequence of int
        Conventional cells along the edges of the test cells; two sizes allow the extrapolation of E_f.
    core_radius : float, optional
        Å; what the residual forces within count as core. Default: half the smallest test cell's edge.
    frames : sequence of Frame, optional
        The user's labelled data; their errors are added.
    folder : path, optional
        Keeps reference equilibria between calls.

    Raises
    ------
    ConfigError, SolverError
    """
    show = progress or SilentProgress()
    source, calculator = _reference(reference), _calculator(model)
    with quiet():
        lattice_crystal = crystal if isinstance(crystal, Crystal) else source.crystal(crystal, element, None)
    with show.stage("lattice"), quiet():
        from lacemaker.analysis.defects import lattice_errors

        lattice = lattice_errors(calculator, source.calculator, lattice_crystal.cell, repeat=2)
    radius = core_radius or 0.5 * min(sizes) * lattice_crystal.lattice_constant
    with tempfile.TemporaryDirectory() as scratch, show.stage("defects", "cells") as advance, quiet():
        home = Path(folder) if folder is not None else Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        found: dict[str, dict[int, Any]] = {name: {} for name in defects}
        jobs = [(name, size) for name in defects for size in sizes]
        for done, (name, size) in enumerate(jobs):
            advance(done, len(jobs))
            found[name][size] = _test(name, size, lattice_crystal, source, calculator, radius, home)
    return GeneralisationReport(
        source.name,
        lattice_crystal,
        None if frames is None else _data_errors(calculator, frames),
        lattice,
        found,
        {name: _extrapolate(table) for name, table in found.items()},
        _judge(lattice, found, lattice_crystal),
    )


def _reference(reference: Any) -> Reference:
    if isinstance(reference, Reference):
        return reference
    if isinstance(reference, str):
        return make_reference(reference)
    name = type(reference).__name__
    return Reference(name, f"{name} {id(reference)}", lambda: reference)


def _calculator(model: Any) -> Any:
    from lacemaker.calculators import Calculator
    from lacemaker.potential import Potential

    return Calculator(model) if isinstance(model, (str, Path, Potential)) else model


def _test(
    name: str, size: int, crystal: Crystal, reference: Reference, calculator: Any, radius: float, home: Path
) -> dict[str, Any]:
    from lacemaker.studies.config import TestConfig

    path = relax_reference(defect_cell(name, crystal, size, reference.calculator), reference, folder=home)
    equilibrium = load_equilibrium(path)
    exact = equilibrium.energy - equilibrium.bulk_energy(reference.calculator, crystal.energy)
    errors = defect_errors(calculator, equilibrium, crystal, TestConfig(), radius, exact)
    return {**errors, "volume_A3": float(equilibrium.atoms.get_volume())}


def _extrapolate(table: Mapping[int, Mapping[str, Any]]) -> dict[str, float | None]:
    """E_f of the infinite crystal from a straight line in 1/volume (elastic images)."""
    import numpy as np

    result: dict[str, float | None] = {}
    keys = {"reference_eV": "reference_formation_energy_eV", "model_eV": "formation_energy_eV"}
    for name, key in keys.items():
        points = [(1.0 / row["volume_A3"], row[key]) for row in table.values() if row.get(key) is not None]
        result[name] = None
        if len(points) >= 2:
            x, y = np.array(points).T
            result[name] = float(np.polynomial.Polynomial.fit(x, y, 1)(0.0))
    return result


def _data_errors(calculator: Any, frames: Sequence[Frame]) -> Mapping[str, Any] | None:
    from lacemaker.analysis import error_table

    potential = getattr(calculator, "potential", None)
    if potential is None:
        return None
    return error_table(potential, frames).to_dict()


def _judge(
    lattice: LatticeErrors, defects: Mapping[str, Mapping[int, Mapping[str, Any]]], crystal: Crystal
) -> list[Judgement]:
    stress = abs(lattice.delta_a) / crystal.lattice_constant
    verdict = []
    for name, sizes in defects.items():
        size, found = max(sizes.items())
        guess = found.get("estimate")
        if guess is None or not guess["stable"]:
            verdict.append(
                Judgement("bad", f"{name}: the model is unstable at the reference equilibrium. Add forces of "
                          "rattled defect cells.")
            )  # fmt: skip
            continue
        unit = crystal.nearest_neighbour
        terms = Terms(guess["core_A"] / unit, guess["far_A"] / unit, stress)
        which = dominant(terms)
        level = "good" if max(terms) < 5e-3 else "warn"
        verdict.append(
            Judgement(level, f"{name}, {size}³ cells: {which} dominates (strains: core {terms.core:.1e}, far "
                      f"field {terms.far:.1e}, residual stress {terms.stress:.1e}). Next: {ADVICE[which]}.")
        )  # fmt: skip
    return verdict
