"""Training structures of a study: defect cells of several sizes, strained cells, ± displacements.

Every size gets the same number of structures per defect, hence of sampled cores: with fewer samples of the
larger cells their models would look worse than they are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.structures import Frame
from lacemaker.structures.force_constants import ForceConstants
from lacemaker.studies.crystals import (
    Crystal,
    displaced_pairs,
    irreducible_displacements,
    mixed_strained_cells,
    strained_cells,
)
from lacemaker.studies.equilibria import structure_key
from lacemaker.studies.observations import FORCE_CONSTANTS, MIXED_STRAINS, STRAINED

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.studies.config import StudyConfig
    from lacemaker.studies.references import Reference

__all__ = ["core_samples", "label", "lattice_samples", "with_force_constants"]

Advance = Callable[[int, int], None]


def core_samples(
    perfect: Atoms, relaxed: Sequence[Atoms], samples: int, rattle: tuple[float, float], seed: int
) -> list[Atoms]:
    """The perfect cell, each relaxed defect, and rattles of the defects; `samples` structures per defect.

    Amplitudes (standard deviation of each coordinate) grow evenly from the smallest to the largest.
    """
    found = []
    for k, atoms in enumerate(relaxed):
        rng = np.random.default_rng([seed, k, len(atoms)])
        found += [perfect.copy(), atoms.copy()]
        for amplitude in np.linspace(*rattle, samples - 2):
            moved = atoms.copy()
            moved.positions += rng.normal(scale=amplitude, size=moved.positions.shape)
            found.append(moved)
    return found


def lattice_samples(crystal: Crystal, config: StudyConfig) -> list[tuple[str, Atoms]]:
    """Strained cells, and the ± pairs of displacements one after the other, with their config types."""
    strain = config.bulk.strain
    strained = [(STRAINED, atoms) for atoms in strained_cells(crystal.cell, strain)]
    strained += [(MIXED_STRAINS, atoms) for atoms in mixed_strained_cells(crystal.cell, strain)]
    pairs = displaced_pairs(crystal.supercell(config.bulk.size), config.bulk.displacement)
    return strained + [(FORCE_CONSTANTS, atoms) for pair in pairs for atoms in pair]


def with_force_constants(frames: Sequence[Frame], supercell: Atoms, step: float) -> list[Frame]:
    """Frames as they are, but each ± pair as one perfect supercell with the label ``force_constants``.

    The fit forms the same central difference of its basis functions, so that the label's truncation error
    cancels.
    """
    pairs = [frame for frame in frames if frame.config_type == FORCE_CONSTANTS]
    found = [frame for frame in frames if frame.config_type != FORCE_CONSTANTS]
    moves = irreducible_displacements(supercell)
    for (atom, direction), plus, minus in zip(moves, pairs[::2], pairs[1::2], strict=True):
        constants = ForceConstants.from_forces(atom, direction, step, plus.forces, minus.forces)
        found.append(
            Frame(
                numbers=supercell.numbers,
                positions=supercell.positions,
                cell=supercell.cell.array,
                pbc=supercell.pbc,
                force_constants=constants,
                config_type=FORCE_CONSTANTS,
            )
        )
    return found


def label(
    structures: Sequence[tuple[str, Atoms]], reference: Reference, folder: Path, advance: Advance
) -> list[Frame]:
    """Label structures with the reference; every label is on disk as soon as it is computed.

    Energy and forces of all, virials of the strained cells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for done, (config_type, atoms) in enumerate(structures):
        advance(done, len(structures))
        wants_virial = config_type in (STRAINED, MIXED_STRAINS)
        path = folder / f"{structure_key(atoms, reference.identity, wants_virial)}.npz"
        if not path.exists():
            _compute(atoms, reference, path, wants_virial)
        with np.load(path, allow_pickle=False) as file:
            frames.append(
                Frame(
                    numbers=atoms.numbers,
                    positions=atoms.positions,
                    cell=atoms.cell.array,
                    pbc=atoms.pbc,
                    energy=float(file["energy"]),
                    forces=file["forces"],
                    virial=file["virial"] if wants_virial else None,
                    config_type=config_type,
                )
            )
    advance(len(structures), len(structures))
    return frames


def _compute(atoms: Atoms, reference: Reference, path: Path, wants_virial: bool) -> None:
    probe = atoms.copy()
    probe.calc = reference.calculator
    found = {"energy": np.array(probe.get_potential_energy()), "forces": probe.get_forces()}
    if wants_virial:
        found["virial"] = -probe.get_volume() * probe.get_stress()
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, **found)
    os.replace(temporary, path)
