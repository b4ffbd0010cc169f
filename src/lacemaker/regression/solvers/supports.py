"""Supports chosen elsewhere: a path of given models, refitted."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from lacemaker.errors import ConfigError
from lacemaker.regression.problem import Problem
from lacemaker.regression.solvers.path_base import PathPoint, PathSolver

__all__ = ["Supports"]


class Supports(PathSolver):
    """Refit given supports: to move a path found on part of the data to all of it, or to other weights.

    Parameters
    ----------
    supports : sequence of sequences of int
        Positions among the system's functions.
    """

    kind: Literal["supports"] = "supports"
    supports: tuple[tuple[int, ...], ...] = Field(default=(), exclude=True, repr=False)

    def trace(self, problem: Problem) -> Iterator[PathPoint]:
        """See :class:`PathSolver`."""
        for support in sorted(self.supports, key=len):
            columns = np.array(support, dtype=np.int64)
            bad = np.any((columns < 0) | (columns >= problem.n_columns))
            if bad or len(set(support)) < len(support) or not len(support):
                raise ConfigError(
                    f"A support does not fit the system: {len(support)} functions between "
                    f"{min(support, default=0)} and {max(support, default=0)}. Found {problem.n_columns} "
                    "functions in the system. Give distinct positions of its columns."
                )
            yield PathPoint(columns, least_squares(problem, columns), float("nan"))


def least_squares(problem: Problem, columns: np.ndarray) -> np.ndarray:
    """Coefficients (n,) of least norm."""
    solution: np.ndarray = np.linalg.lstsq(problem.R[:, columns], problem.z, rcond=None)[0]
    return solution
