"""From the points of a path solver to a :class:`~lacemaker.regression.path.ModelPath`."""

from collections.abc import Callable

import numpy as np

from lacemaker.errors import SolverError
from lacemaker.regression.fit import Fit
from lacemaker.regression.path import ModelPath, PathModel
from lacemaker.regression.problem import Problem, Solution
from lacemaker.regression.solvers.path_base import PathPoint, PathSolver

__all__ = ["solve_path"]


def solve_path(problem: Problem, solver: PathSolver, finish: Callable[[Solution], Fit]) -> ModelPath:
    """Trace, refit and describe every model."""
    found = solver.path(problem)
    if not found:
        raise SolverError(
            f"{solver.kind} found no model: no function is correlated with the labels. Found "
            f"{problem.n_columns} functions and {problem.n_rows} rows. Check labels, weights and E0."
        )
    validated = None
    if problem.validation is not None:
        stacked = np.array([solution.coefficients for _, solution in found])
        validated = np.sqrt(problem.validation(stacked))
    models = []
    for i, (point, solution) in enumerate(found):
        error = None if validated is None else float(validated[i])
        models.append(_model(problem, point, solution, finish(solution), error))
    first = models[0].fit
    return ModelPath(tuple(models), first.elements, {**first.settings, "solver": solver.model_dump()})


def _model(
    problem: Problem, point: PathPoint, solution: Solution, fit: Fit, validation_error: float | None
) -> PathModel:
    used = solution.coefficients[point.support]
    misfit = problem.R[:, point.support] @ used - problem.z
    square = float(misfit @ misfit) + problem.residual_squared
    rows, size = max(problem.n_rows, 1), len(point.support)
    fitness = rows * float(np.log(max(square, np.finfo(float).tiny) / rows))
    return PathModel(
        fit=fit,
        support=point.support,
        penalty=point.penalty,
        training_error=float(np.sqrt(square / rows)),
        validation_error=validation_error,
        bic=fitness + size * float(np.log(rows)),
        aic=fitness + 2.0 * size,
    )
