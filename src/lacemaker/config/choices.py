"""Solvers and priors as the configuration offers them: whatever their registries hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import BeforeValidator, Field

from lacemaker.priors import Prior as PriorBase
from lacemaker.regression.solvers import Solver as SolverBase

__all__ = ["Prior", "Solver"]


def _by_name(value: Any) -> Any:
    """`blr` means {kind: blr}; kinds are lower case."""
    table = {"kind": value} if isinstance(value, str) else value
    if isinstance(table, Mapping) and isinstance(table.get("kind"), str):
        return {**table, "kind": table["kind"].lower()}
    return table


def one_of(registry: Mapping[str, type]) -> Any:
    """The discriminated union of all classes of a registry, by their `kind`; a bare name will do."""
    classes = tuple(registry[kind] for kind in sorted(registry))
    union = Union[classes] if len(classes) > 1 else classes[0]  # noqa: UP007  (built at run time)
    tagged = Annotated[union, Field(discriminator="kind")] if len(classes) > 1 else union
    return Annotated[tagged, BeforeValidator(_by_name)]


Solver: Any = one_of(SolverBase.registry)
Prior: Any = one_of(PriorBase.registry)
