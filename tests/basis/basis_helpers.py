"""Small environments and neighbour lists shared by the tests of the basis room."""

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class BruteForceNeighbours:
    """All images within the cutoff, by looking at every one: slow, obvious, any cell."""

    first: np.ndarray
    index: np.ndarray
    shift: np.ndarray


def brute_force_neighbours(positions, cell, pbc, cutoff) -> BruteForceNeighbours:
    reach = [0, 0, 0]
    if any(pbc):
        heights = 1 / np.linalg.norm(np.linalg.pinv(cell), axis=0)
        spread = np.ptp(positions @ np.linalg.pinv(cell), axis=0)
        reach = [
            int(np.ceil(cutoff / h + s)) if p else 0 for h, s, p in zip(heights, spread, pbc, strict=True)
        ]
    first, index, shift = [0], [], []
    for i in range(len(positions)):
        for j in range(len(positions)):
            for s in product(*(range(-n, n + 1) for n in reach)):
                d = np.linalg.norm(positions[j] + np.array(s) @ cell - positions[i])
                if 1e-9 < d < cutoff:
                    index.append(j)
                    shift.append(s)
        first.append(len(index))
    return BruteForceNeighbours(
        np.array(first), np.array(index, dtype=np.int32), np.array(shift, dtype=np.int32).reshape(-1, 3)
    )


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A proper rotation."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def random_environment(rng, n_neighbours: int, n_elements: int, low: float = 1.5, high: float = 4.5):
    """Vectors (n, 3) in Å and element indices (n,) of a random environment."""
    unit = rng.normal(size=(n_neighbours, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    return unit * rng.uniform(low, high, size=(n_neighbours, 1)), rng.integers(0, n_elements, n_neighbours)
