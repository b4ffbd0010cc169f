"""How far a ``.yace`` model is from the potential it came from, measured on random structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lacemaker.deploy.yace.evaluator import YaceEvaluator
from lacemaker.deploy.yace.model import YaceModel

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.potential import Potential

__all__ = ["deviation", "random_structures"]

_MARGIN = 1.02


def deviation(
    potential: Potential, model: YaceModel, r_min: Mapping[tuple[int, int], float], *, seed: int = 0
) -> tuple[float, float]:
    """Largest deviation of energies (eV/atom) and forces (eV/Å) on structures with no bond below `r_min`."""
    ours, theirs = potential.evaluator(), YaceEvaluator(model, backend="numpy")
    energy = force = 0.0
    for atoms in random_structures(potential.elements, r_min, potential.cutoff, seed):
        a, b = ours.predict(atoms), theirs.predict(atoms)
        energy = max(energy, abs(a.energy - b.energy) / len(atoms))
        force = max(force, float(np.abs(np.asarray(a.forces) - np.asarray(b.forces)).max()))
    return energy, force


def random_structures(
    elements: tuple[str, ...], r_min: Mapping[tuple[int, int], float], cutoff: float, seed: int = 0
) -> list[Atoms]:
    """Two periodic cells, dense and loose, and a dimer of every pair just above r_min."""
    from ase import Atoms

    rng = np.random.default_rng(seed)
    longest = max(r_min.values())
    found = []
    for spacing in (1.5 * longest, 0.55 * cutoff):
        grid = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3) * spacing
        step = max(0.0, spacing / longest - _MARGIN) * longest / 2 / np.sqrt(3)
        kinds = [elements[k % len(elements)] for k in rng.permutation(8)]
        moved = grid + rng.uniform(-step, step, grid.shape)
        found.append(Atoms(kinds, moved, cell=2 * spacing * np.eye(3), pbc=True))
    for (i, j), r in r_min.items():
        if i <= j:
            found.append(Atoms([elements[i], elements[j]], [[0, 0, 0], [0.6 * r, 0, 0.8 * r * _MARGIN]]))
    return found
