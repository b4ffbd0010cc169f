"""The face every solver shows, and how the configuration finds it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from lacemaker.errors import ConfigError
from lacemaker.regression.problem import Problem, Solution

__all__ = ["Solver", "parse_solver", "solver_kinds"]


class Solver(BaseModel, ABC):
    """A way to solve a :class:`~lacemaker.regression.problem.Problem`.

    A new solver is one class in its own file of this folder: hyper-parameters are its fields, ``kind`` (a
    ``Literal`` with a default) is its name in the configuration, :meth:`solve` does the work. Nothing else
    needs an edit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: ClassVar[dict[str, type["Solver"]]] = {}

    kind: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = cls.model_fields["kind"].default
        if isinstance(name, str):
            Solver.registry[name] = cls

    @abstractmethod
    def solve(self, problem: Problem) -> Solution:
        """Solve the problem; the same problem gives the same answer to the last bit."""


def solver_kinds() -> tuple[str, ...]:
    """Names of the solvers there are."""
    return tuple(sorted(Solver.registry))


def parse_solver(value: Any) -> Solver:
    """Return a solver from its name, a table with ``kind``, or a solver.

    Raises
    ------
    ConfigError
        On an unknown kind. Unknown or impossible hyper-parameters raise pydantic's ``ValidationError``, a
        ``ValueError`` that names the field.
    """
    if isinstance(value, Solver):
        return value
    table = {"kind": value} if isinstance(value, str) else dict(value)
    kind = str(table.get("kind", "")).lower()
    if kind not in Solver.registry:
        raise ConfigError(
            f"Unknown solver {table.get('kind')!r}. Known: {', '.join(solver_kinds())}. "
            "Write for example {'kind': 'blr'}."
        )
    return Solver.registry[kind].model_validate({**table, "kind": kind})
