"""Times of the PyPI package ace-jax: its ASE calculator and its compiled kernel on a given neighbour list."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from common import median_cpu


@dataclass(frozen=True)
class PeerTimes:
    """Size and cost of one ace-jax model."""

    n_functions: int
    calculator: float  # µs/atom, ASE calculator with default settings
    kernel: float  # µs/atom, compiled kernel


def ace_jax_times(solid: Any, pairs: Any, order: int, degree: int, cutoff: float) -> PeerTimes:
    """Energy and forces of `solid` with a random ace-jax model of the given selection."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from ace_jax.basis.model import build_model

    built = build_model(["Si"], order, degree, wL=1.5, rcut=cutoff, seed=0)
    model, n_functions = _with_coefficients(built)
    calculator = _calculator_time(model, built.meta, solid)
    kernel = _kernel_time(model, solid, pairs, cutoff)
    return PeerTimes(n_functions, calculator, kernel)


def _with_coefficients(built: Any) -> tuple[Any, int]:
    """The model with random coefficients for every many-body and pair function."""
    import dataclasses

    import jax.numpy as jnp
    from ace_jax.eval.model import fold_readout

    model = built.model
    rng = np.random.default_rng(0)
    new = {
        name: jnp.asarray(1e-3 * rng.normal(size=np.shape(getattr(model, name)))) for name in ("WB", "Wpair")
    }
    replaced = fold_readout(dataclasses.replace(model, **new, folded=False))
    return replaced, int(sum(np.size(value) for value in new.values()))


def _calculator_time(model: Any, meta: Any, solid: Any) -> float:
    from ace_jax import ACECalculator
    from ase import Atoms

    atoms = Atoms(numbers=solid.numbers, positions=solid.positions, cell=solid.cell, pbc=True)
    atoms.calc = ACECalculator(model, meta)
    rng = np.random.default_rng(2)

    def step() -> None:
        atoms.positions += 1e-6 * rng.normal(size=atoms.positions.shape)
        atoms.get_forces()

    return 1e6 * median_cpu(step, repeats=5) / len(atoms)


def _kernel_time(model: Any, solid: Any, pairs: Any, cutoff: float) -> float:
    import jax
    import jax.numpy as jnp
    from ace_jax.eval import ffi
    from ace_jax.eval.model import lean, with_radial_table

    ffi.register(ffi.library())
    table, _ = with_radial_table(lean(model), 4000)
    positions, species, graph = _neighbour_matrix(solid, pairs)
    energy, force = ffi.lammps_fns(table, 1, [0], cutoff)
    del energy
    run = jax.jit(lambda x: force(x, species, graph))
    positions = jnp.asarray(positions)
    return 1e6 * median_cpu(lambda: run(positions).block_until_ready(), repeats=11) / len(solid.positions)


def _neighbour_matrix(solid: Any, pairs: Any) -> tuple[Any, Any, Any]:
    """Local atoms first, then one ghost per periodic image that occurs; neighbours as a (K, rows) matrix."""
    from types import SimpleNamespace

    import jax.numpy as jnp

    n = len(solid.positions)
    images: dict[tuple[int, ...], int] = {}
    ghosts: list[np.ndarray] = []
    columns = np.diff(pairs.first)
    matrix = np.zeros((int(columns.max()), n), dtype=np.int32)
    for i in range(n):
        for slot, p in enumerate(range(pairs.first[i], pairs.first[i + 1])):
            j, shift = int(pairs.index[p]), tuple(int(s) for s in pairs.shift[p])
            if any(shift):
                key = (j, *shift)
                if key not in images:
                    images[key] = n + len(ghosts)
                    ghosts.append(solid.positions[j] + np.array(shift) @ solid.cell)
                j = images[key]
            matrix[slot, i] = j
    positions = np.concatenate([solid.positions, np.array(ghosts)])
    species = jnp.zeros(len(positions), jnp.int32)
    graph = SimpleNamespace(neighbors=jnp.asarray(matrix), num_neighbors=jnp.asarray(columns, jnp.int32))
    return positions, species, graph
