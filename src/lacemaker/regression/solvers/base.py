"""The face every solver shows, and how the configuration finds it."""

from abc import abstractmethod
from typing import Any, ClassVar

from lacemaker.families import Family
from lacemaker.regression.problem import Problem, Solution

__all__ = ["Solver", "parse_solver", "solver_kinds"]


class Solver(Family):
    """A way to solve a :class:`~lacemaker.regression.problem.Problem`.

    A new solver is one class in its own file of this folder: hyper-parameters are its fields, ``kind`` (a
    ``Literal`` with a default) is its name in the configuration, :meth:`solve` does the work. Nothing else
    needs an edit.
    """

    registry: ClassVar[dict[str, type["Solver"]]] = {}

    @abstractmethod
    def solve(self, problem: Problem) -> Solution:
        """Solve the problem; the same problem gives the same answer to the last bit."""


def solver_kinds() -> tuple[str, ...]:
    """Names of the solvers there are."""
    return Solver.kinds()


def parse_solver(value: Any) -> Solver:
    """Return a solver from its name, a table with ``kind``, or a solver.

    Raises
    ------
    ConfigError
        On an unknown kind. Unknown or impossible hyper-parameters raise pydantic's ``ValidationError``, a
        ``ValueError`` that names the field.
    """
    return Solver.member(value, example="{'kind': 'blr'}")
