"""What to compute next: structures for DFT that pin the terms of the error bound, and weights to go with.

The geometry error of a defect is bounded by ε^F (core, from rattled defect cells) + (ε^FC + ε^V) L^(-3/2)
(far field, from displaced and strained bulk cells), the energy error by ε^E and the residual stress times
the relaxation volume. Each proposal pins one of these numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.studies.config import StudyConfig, study_config
from lacemaker.studies.crystals import (
    Crystal,
    irreducible_displacements,
    strained_cells,
)
from lacemaker.studies.defects import defect_cell
from lacemaker.studies.equilibria import load_equilibrium, relax_reference
from lacemaker.studies.observations import FORCE_CONSTANTS, STRAINED, core_name
from lacemaker.studies.quiet import quiet
from lacemaker.studies.references import Reference, make_reference
from lacemaker.studies.scoring import Uncertainty, posterior_of_calculator, reason_of_posterior, uncertainty
from lacemaker.studies.training import core_samples
from lacemaker.studies.verdict import dominant, terms_of
from lacemaker.workflow.outputs import output_folder, write_text
from lacemaker.workflow.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.potential import Potential

__all__ = ["Proposal", "Suggestions", "balanced_weights", "compare", "suggest", "write_suggestions"]


@dataclass(frozen=True, eq=False)
class Proposal:
    """Structures that pin one term.

    Attributes
    ----------
    config_type : str
    purpose : str
        Which term, in words.
    structures : list of ase.Atoms
    labels : str
        What the calculation must give.
    quantity : str
        A key of :data:`lacemaker.studies.scoring.WANTED`.
    uncertainty : Uncertainty or None
        Posterior standard deviation of these labels, where the starting potential tells it.
    """

    config_type: str
    purpose: str
    structures: list[Atoms]
    labels: str
    quantity: str
    uncertainty: Uncertainty | None = None

    def scored(self, potential: Potential) -> Proposal:
        """With posterior standard deviations, the most uncertain structures first (± pairs stay together)."""
        found = uncertainty(potential, self.quantity, self.structures)
        order = np.argsort(-found.each, kind="stable")
        structures = [self.structures[k] for k in order]
        return replace(self, structures=structures, uncertainty=found._replace(each=found.each[order]))


@dataclass(frozen=True, eq=False)
class Suggestions:
    """Proposals, most useful first, and weights for the fit."""

    proposals: list[Proposal]
    weights: dict[str, dict[str, float]]
    reason: str

    @property
    def n_structures(self) -> int:
        """Of all proposals."""
        return sum(len(proposal.structures) for proposal in self.proposals)

    def __str__(self) -> str:
        lines = [self.reason]
        for rank, proposal in enumerate(self.proposals, 1):
            sizes = sorted({len(atoms) for atoms in proposal.structures})
            atoms = " or ".join(map(str, sizes))
            lines.append(
                f"{rank}. {proposal.config_type}: {len(proposal.structures)} structures of {atoms} atoms, "
                f"for {proposal.labels}: {proposal.purpose}"
            )
            if proposal.uncertainty is not None:
                lines.append(f"   posterior standard deviation {proposal.uncertainty}")
        return "\n".join(lines)


def balanced_weights(config: StudyConfig, size: int) -> dict[str, dict[str, float]]:
    """Weights by config type for training cells of `size`³ cells, virials and force constants ∝ L^(-3/2).

    A ± pair of force rows of weight w equals a row of force constants (their difference over 2h) of weight
    √2 h w and a row of the mean force; hence w = w_FC/(√2 h), with which any fit of forces serves. With
    ``data: {displaced_pairs: force_constants}`` they are force constants, and the weight of these counts.
    """
    base = config.weights.model_copy(update={"balance": True}).balanced(size)
    return {
        core_name(size): {"energy": base.energy, "forces": base.forces},
        STRAINED: {"energy": 0.0, "virial": base.virial, "forces": base.forces},
        FORCE_CONSTANTS: {
            "energy": 0.0,
            "forces": base.force_constants / (math.sqrt(2.0) * config.bulk.displacement),
            "force_constants": base.force_constants,
        },
    }


def suggest(
    source: StudyConfig | Mapping[str, Any] | str | Path,
    *,
    size: int | None = None,
    start: Any = None,
    progress: Progress | None = None,
) -> Suggestions:
    """Propose structures for a crystal and its defects.

    Parameters
    ----------
    source : StudyConfig, mapping or path
        Of a study; its crystal, defects, samples, rattles and bulk settings are used.
    size : int, optional
        Conventional cells along the edge of the defect cells; default: the largest of the configuration.
    start : ASE calculator, optional
        Relaxes the crystal and the defects before they are rattled (a potential fitted so far); default: the
        configuration's reference.
    progress : Progress, optional

    Notes
    -----
    If the configuration's output folder holds a finished study (study.json), the term that dominates its best
    fit comes first and gets twice the structures. If `start` carries posterior samples, proposals and
    structures are ordered by the posterior standard deviation of their labels over the accuracy wanted.

    Raises
    ------
    ConfigError, SolverError
    """
    config, show = study_config(source), progress or SilentProgress()
    n = size or config.sizes[-1]
    if start is None:
        given = config.reference
        reference = make_reference(given.kind, file=given.file, arguments=given.arguments)
    else:
        reference = Reference(type(start).__name__, repr(start), lambda: start)
    focus, reason = _focus(Path(config.output) / "study.json")
    scratch = output_folder(config.output) / "work" / "equilibria"
    with show.stage("crystal"), quiet():
        where = config.crystal
        crystal = reference.crystal(where.structure, where.element, where.lattice_constant)
    relaxed = []
    with show.stage("defects", "cells") as advance, quiet():
        for done, name in enumerate(config.defects):
            advance(done, len(config.defects))
            defect = defect_cell(name, crystal, n, reference.calculator)
            path = relax_reference(defect, reference, folder=scratch, with_hessian=n == config.test.size)
            relaxed.append(load_equilibrium(path).atoms)
    proposals = _proposals(config, crystal, n, relaxed, focus)
    potential = posterior_of_calculator(start)
    if potential is not None:
        with show.stage("posterior standard deviations"):
            proposals = [proposal.scored(potential) for proposal in proposals]
        proposals.sort(key=_score, reverse=True)
        reason = ((reason if focus else "") + reason_of_posterior(_score(proposals[0]))).strip()
    return Suggestions(proposals, balanced_weights(config, n), reason)


def _proposals(
    config: StudyConfig, crystal: Crystal, n: int, relaxed: Sequence[Atoms], focus: str
) -> list[Proposal]:
    samples = config.samples * (2 if focus == "core" else 1)
    core = Proposal(
        core_name(n),
        "the core term ε^F and, through total energies, the formation energy",
        core_samples(crystal.supercell(n), relaxed, samples, config.rattle, config.seed),
        "energy and forces",
        "forces",
    )
    strains = [config.bulk.strain * k for k in ((1, 2) if focus == "residual stress" else (1,))]
    strained = Proposal(
        STRAINED,
        "ε^V: lattice constant, elastic constants, residual stress",
        [atoms for strain in strains for atoms in strained_cells(crystal.cell, strain)],
        "stress and forces (converge the stress; no relaxation)",
        "virial",
    )
    bulk = config.bulk.size + (1 if focus == "far field" else 0)
    displaced = Proposal(
        FORCE_CONSTANTS,
        "ε^FC: the far field and phonons",
        _displaced(crystal.supercell(bulk), config.bulk.displacement),
        "forces of the ± pairs (converge them tightly)",
        "force constants",
    )
    order = {"core": [core, strained, displaced], "far field": [displaced, strained, core]}
    return order.get(focus, [strained, core, displaced])


def _score(proposal: Proposal) -> float:
    return 0.0 if proposal.uncertainty is None else proposal.uncertainty.score


def _displaced(supercell: Atoms, step: float) -> list[Atoms]:
    """± pairs that say in their info which atom was moved where."""
    found = []
    for atom, direction in irreducible_displacements(supercell):
        for sign in (1.0, -1.0):
            moved = supercell.copy()
            moved.positions[atom] += sign * step * direction
            moved.info["displaced_atom"] = int(atom)
            moved.info["displacement"] = sign * step * np.asarray(direction)
            found.append(moved)
    return found


def _focus(path: Path) -> tuple[str, str]:
    """The dominating term of a finished study's best fit, and why."""
    if not path.is_file():
        return "", "No finished study: the usual order (stress first, it is cheapest and always needed)."
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = [row for row in data["rows"] if row["converged"]]
    if not rows:
        return "core", "In the study no model converged: the cores come first."
    best = min(rows, key=lambda row: row["geometry_A"])
    length = data["crystal"]["lattice_constant_A"]
    terms = terms_of(best, data["crystal"]["nearest_neighbour_A"], length)
    which = dominant(terms) if terms else "core"
    return which, (
        f"In the study's best fit ({best['observations']}, {best['size']}³ cells) the {which} dominates: it "
        "comes first and gets twice the data."
    )


def write_suggestions(suggestions: Suggestions, folder: str | Path) -> tuple[Path, Path]:
    """Write suggested.xyz (extended XYZ, with config_type) and weights.yaml; returns their paths."""
    from ase.io import write

    from lacemaker.config.yamlfile import dump_yaml

    home = output_folder(folder)
    structures = []
    for proposal in suggestions.proposals:
        for k, atoms in enumerate(proposal.structures):
            copy = atoms.copy()
            if proposal.uncertainty is not None:
                copy.info["posterior_std"] = float(proposal.uncertainty.each[k])
            copy.info["config_type"] = proposal.config_type
            copy.info["wanted"] = proposal.labels.split(" (")[0].replace(" ", "_")
            structures.append(copy)
    path = home / "suggested.xyz"
    temporary = home / ".suggested.xyz"
    write(temporary, structures, format="extxyz")
    temporary.replace(path)
    header = (
        "Weights for lace fit, balanced by the error bounds: virials and force constants ∝ L^(-3/2).\n"
        "With `data: {displaced_pairs: force_constants}` the ± pairs are fitted as force constants."
    )
    write_text(home / "weights.yaml", dump_yaml({"weights": suggestions.weights}, header))
    return path, home / "weights.yaml"


def compare(source: StudyConfig | Mapping[str, Any] | str | Path, *, progress: Progress | None = None) -> Any:
    """The proposals tried in silico: defect cells alone (EF) against all proposals (EF+FC+V, balanced).

    Returns the :class:`lacemaker.studies.run.StudyResult` of both, at the highest degree.
    """
    from lacemaker.studies.run import study_defects

    config = study_config(source)
    weights = config.weights.model_copy(update={"balance": True})
    changes = {
        "observations": ("EF", "EF+FC+V"),
        "degrees": config.degrees[-1:],
        "weights": weights,
        "output": str(Path(config.output) / "suggest-check"),
    }
    return study_defects(config.model_copy(update=changes), progress=progress)
