"""What OMP and ASP share: a pool of functions in, a path of ever larger models out."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lacemaker.errors import SolverError
from lacemaker.regression.path_problem import restricted, scattered
from lacemaker.regression.problem import Matrix, Problem, Solution
from lacemaker.regression.solvers.base import Solver
from lacemaker.regression.solvers.blr import BLR
from lacemaker.regression.solvers.tsvd import TruncatedSVD

__all__ = ["PathPoint", "PathSolver", "Selection"]

Selection = Literal["final", "evidence"] | Annotated[float, Field(ge=1.0)] | None


@dataclass(frozen=True, eq=False)
class PathPoint:
    """A model as the selection leaves it.

    Attributes
    ----------
    support : (n,) int array
        Columns, in the order of their choice.
    coefficients : (n,) array
        Scaled coefficients c before any refit: of least squares for OMP, of the Lasso for ASP.
    penalty : float
        λ of the Lasso; for OMP the largest correlation left.
    """

    support: NDArray[np.int64]
    coefficients: Matrix
    penalty: float


class PathSolver(Solver):
    """Base of solvers that find a path of models; :func:`lacemaker.solve` returns a ``ModelPath`` for them.

    Parameters
    ----------
    max_functions : int
        Where the path ends, unless ``sizes`` are given.
    n_models : int
        How many models are kept, their sizes in geometric progression.
    sizes : sequence of int, optional
        Sizes of the models to keep, instead.
    refit : {"evidence", "tsvd", "none"}
        How coefficients on a support are found: Bayesian regression (robust, the default), truncated SVD with
        validated cutoff, or as the selection left them.
    cost_weight : float
        0 ranks functions by what they explain. With α > 0 scores are divided by (marginal µs/atom)^α.
    select : "evidence", "final", float or None
        Which model a single fit takes: that of most evidence, the largest, or the smallest with a validation
        error within this factor of the least. None: within 1.02 given validation data, else by evidence.
    """

    max_functions: int = Field(default=1000, ge=1)
    n_models: int = Field(default=25, ge=1)
    sizes: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    refit: Literal["evidence", "tsvd", "none"] = "evidence"
    cost_weight: float = Field(default=0.0, ge=0.0, le=4.0)
    select: Selection = None

    @abstractmethod
    def trace(self, problem: Problem) -> Iterator[PathPoint]:
        """Yield the models kept, by increasing size, without refits."""

    def path(self, problem: Problem) -> list[tuple[PathPoint, Solution]]:
        """Trace and refit."""
        return [(point, self.refitted(problem, point)) for point in self.trace(problem)]

    def refitted(self, problem: Problem, point: PathPoint) -> Solution:
        """Coefficients on the support of a point, as a solution of all K columns."""
        small = restricted(problem, point.support)
        if self.refit == "evidence" and small.n_rows > 0:
            solution = BLR().solve(small)
        elif self.refit == "tsvd":
            solution = TruncatedSVD().solve(small)
        else:
            solution = _as_it_is(small, point)
        return scattered(solution, point.support, problem.n_columns, penalty=point.penalty)

    def solve(self, problem: Problem) -> Solution:
        """See :class:`Solver`: the model that ``select`` names."""
        found = self.path(problem)
        if not found:
            raise SolverError(
                f"{self.kind} found no model: no column is correlated with the target. Found "
                f"{problem.n_columns} functions and {problem.n_rows} rows. Check labels and weights."
            )
        solutions, sizes = [s for _, s in found], [len(p.support) for p, _ in found]
        return solutions[choose(solutions, sizes, problem, self.select)]

    def wanted_sizes(self, available: int) -> list[int]:
        """Sizes to keep, ascending."""
        if self.sizes is not None:
            return sorted({min(size, available) for size in self.sizes})
        top = min(self.max_functions, available)
        first = min(10, top)
        return sorted({round(size) for size in np.geomspace(first, top, self.n_models)})


def choose(solutions: Sequence[Solution], sizes: Sequence[int], problem: Problem, rule: Selection) -> int:
    """Position of the model a rule names."""
    evidence = [solution.log_evidence for solution in solutions]
    if rule is None:
        rule = 1.02 if problem.validation is not None else "evidence"
    if rule == "evidence" and all(value is not None for value in evidence):
        return int(np.argmax(np.array(evidence, dtype=float)))
    if rule in ("final", "evidence"):
        return int(np.argmax(sizes))
    if problem.validation is None:
        raise SolverError(
            f"select={rule} needs validation data. Found none. Pass validation=..., or select='evidence'."
        )
    scores = np.sqrt(problem.validation(np.array([solution.coefficients for solution in solutions])))
    near = np.flatnonzero(scores <= float(rule) * scores.min())
    return int(near[np.argmin(np.asarray(sizes)[near])])


def _as_it_is(problem: Problem, point: PathPoint) -> Solution:
    misfit = problem.R @ point.coefficients - problem.z
    spare = max(problem.n_rows - len(point.support), 1)
    sigma = float(np.sqrt((misfit @ misfit + problem.residual_squared) / spare))
    return Solution(
        coefficients=point.coefficients,
        noise={block.kind: sigma for block in problem.blocks},
        rank=len(point.support),
        condition=triangle_condition(problem.R),
        message="coefficients as the selection left them",
    )


def triangle_condition(triangle: Any) -> float:
    """1-norm estimate of the condition number."""
    from lacemaker.regression.lapack import reciprocal_condition

    inverse = reciprocal_condition(triangle)
    return 1.0 / inverse if inverse > 0.0 else float("inf")
