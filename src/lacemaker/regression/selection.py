"""How far to trust a selection: K-fold errors along a path, and stability over resampled data.

Both work on the folds of a triangular system: leaving structures out, or counting them twice, merges the
factors of the folds with other weights and never touches the data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import ConfigError
from lacemaker.regression.factor import Factor
from lacemaker.regression.path import ModelPath
from lacemaker.regression.solvers import parse_solver
from lacemaker.regression.solvers.path_base import PathSolver
from lacemaker.regression.solvers.supports import Supports
from lacemaker.regression.solving import solve
from lacemaker.regression.triangular import EVERY_FOLD, Group, TriangularSystem

__all__ = ["FoldErrors", "Stability", "cross_validate", "resampled", "stability_selection"]

Vector = NDArray[np.float64]
Advance = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class FoldErrors:
    """Validation errors along a path, by fold.

    Attributes
    ----------
    sizes : (s,) int array
    errors : (folds, s) array
        Root mean square of the weighted residuals of the fold left out.
    """

    sizes: NDArray[np.int64]
    errors: Vector

    @property
    def mean(self) -> Vector:
        """Root mean square over folds, (s,)."""
        root: Vector = np.sqrt(np.mean(self.errors**2, axis=0))
        return root

    @property
    def standard_error(self) -> Vector:
        """Standard error of the mean over folds, (s,)."""
        spread: Vector = np.std(self.errors, axis=0, ddof=1) / np.sqrt(len(self.errors))
        return spread

    @property
    def best(self) -> int:
        """The size of least error."""
        return int(self.sizes[np.argmin(self.mean)])

    def within_noise(self) -> int:
        """The smallest size whose paired excess over the best is below one standard error of that excess."""
        lowest = int(np.argmin(self.mean))
        excess = self.errors - self.errors[:, [lowest]]
        noise = np.std(excess, axis=0, ddof=1) / np.sqrt(len(excess))
        return int(self.sizes[np.argmax(np.mean(excess, axis=0) <= noise)])


def cross_validate(
    system: TriangularSystem, solver: PathSolver, *, advance: Advance | None = None, **options: Any
) -> FoldErrors:
    """Trace the path without each fold in turn and score it on that fold.

    Parameters
    ----------
    system : TriangularSystem
        Assembled with ``folds=k``.
    solver : PathSolver
        Its sizes are those compared.
    **options
        For :func:`lacemaker.solve`: prior, e0, weights.
    """
    folds = _folds(system)
    rows: list[dict[int, float]] = []
    for done, fold in enumerate(folds, 1):
        path = solve(system, solver=solver, validation=fold, **options)
        rows.append({model.size: float(model.validation_error or 0.0) for model in path})
        if advance is not None:
            advance(done, len(folds))
    sizes = sorted(set.intersection(*(set(row) for row in rows)))
    return FoldErrors(np.array(sizes), np.array([[row[size] for size in sizes] for row in rows]))


@dataclass(frozen=True, eq=False)
class Stability:
    """How often functions are selected from resampled data.

    Attributes
    ----------
    frequencies : (K,) array
        Share of the draws in which a function was among the selected.
    size : int
        Functions selected per draw.
    n_draws : int
    """

    frequencies: Vector
    size: int
    n_draws: int

    def support(self, threshold: float = 0.6) -> NDArray[np.int64]:
        """Functions selected in at least this share of the draws, most frequent first."""
        order = np.argsort(-self.frequencies, kind="stable")
        chosen: NDArray[np.int64] = order[self.frequencies[order] >= threshold]
        return chosen

    def path(self, system: TriangularSystem, sizes: tuple[int, ...], **options: Any) -> ModelPath:
        """Models of the most frequent functions, refitted by evidence."""
        order = np.argsort(-self.frequencies, kind="stable")
        supports = tuple(tuple(order[:size].tolist()) for size in sizes)
        return solve(system, solver=Supports(supports=supports), **options)


def stability_selection(
    system: TriangularSystem,
    solver: PathSolver | str | Mapping[str, Any],
    *,
    size: int,
    n_draws: int = 20,
    sample: str = "bootstrap",
    seed: int = 0,
    advance: Advance | None = None,
    **options: Any,
) -> Stability:
    """Select from many resamples of the structures and count.

    Meinshausen and Bühlmann, J. R. Stat. Soc. B 72, 417 (2010).

    Parameters
    ----------
    system : TriangularSystem
        Assembled with many folds (20 or more); folds are drawn as wholes.
    solver : OMP, ASP, name or table
    size : int
        Functions to select per draw.
    n_draws : int
    sample : {"bootstrap", "halves"}
        Folds with replacement, or random halves without.
    seed : int
    **options
        For :func:`lacemaker.solve`: prior, e0, weights.
    """
    method = parse_solver(solver)
    if not isinstance(method, PathSolver):
        raise ConfigError(
            f"Stability selection needs a solver that selects. Found {method.kind!r}. Use OMP or ASP."
        )
    method = method.model_copy(update={"sizes": (size,), "max_functions": size, "refit": "none"})
    folds, counts = _folds(system), np.zeros(system.n_functions)
    rng = np.random.default_rng(seed)
    for draw in range(n_draws):
        multiplicities = _multiplicities(rng, len(folds), sample)
        drawn = resampled(system, dict(zip(folds, multiplicities.tolist(), strict=True)))
        counts[solve(drawn, solver=method, **options).final.support] += 1.0
        if advance is not None:
            advance(draw + 1, n_draws)
    return Stability(counts / n_draws, size, n_draws)


def resampled(system: TriangularSystem, multiplicities: Mapping[int, int]) -> TriangularSystem:
    """The system with each fold counted as often as given (0 leaves it out)."""
    groups = []
    for group in system.groups:
        count = 1 if group.key.fold == EVERY_FOLD else multiplicities.get(group.key.fold, 1)
        if count == 1:
            groups.append(group)
        elif count > 1:
            array = np.sqrt(count) * group.factor.array
            factor = Factor(np.asfortranarray(array), count * group.factor.n_rows)
            groups.append(Group(group.key, factor, count * group.square_sum))
    return replace(system, groups=tuple(groups))


def _multiplicities(rng: np.random.Generator, count: int, sample: str) -> NDArray[np.int64]:
    if sample == "halves":
        chosen: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        chosen[rng.permutation(count)[: (count + 1) // 2]] = 1
        return chosen
    if sample != "bootstrap":
        raise ConfigError(f"Unknown resampling {sample!r}. Known: bootstrap, halves. Choose one of them.")
    return np.bincount(rng.integers(count, size=count), minlength=count)


def _folds(system: TriangularSystem) -> tuple[int, ...]:
    if len(system.folds) < 2:
        raise ConfigError(
            f"Resampling structures needs folds. Found {len(system.folds)}. Assemble with folds=10 or more."
        )
    return system.folds
