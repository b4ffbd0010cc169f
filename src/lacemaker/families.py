"""Families of classes that a configuration finds by their ``kind``, as solvers and priors are."""

from abc import ABC
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from lacemaker.errors import ConfigError

__all__ = ["Family"]


class Family(BaseModel, ABC):
    """Base class of a family's base class, which adds its own empty ``registry``.

    A new member is one class: its parameters are fields, ``kind`` (a ``Literal`` with a default) is its name
    in the configuration. Defining it enters it into the registry; nothing else needs an edit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: ClassVar[dict[str, Any]]

    kind: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = cls.model_fields["kind"].default
        if isinstance(name, str):
            cls.registry[name] = cls

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """Names of the members there are."""
        return tuple(sorted(cls.registry))

    @classmethod
    def member(cls, value: Any, *, example: str) -> Self:
        """A member from its name, a table with ``kind``, or itself.

        Parameters
        ----------
        value : str, mapping or member
        example : str
            A table that the message on an unknown kind shows.

        Raises
        ------
        ConfigError
            On an unknown kind. Unknown or impossible parameters raise pydantic's ``ValidationError``, a
            ``ValueError`` that names the field.
        """
        if isinstance(value, cls):
            return value
        table = {"kind": value} if isinstance(value, str) else dict(value)
        kind = str(table.get("kind", "")).lower()
        if kind not in cls.registry:
            raise ConfigError(
                f"Unknown {cls.__name__.lower()} {table.get('kind')!r}. Known: {', '.join(cls.kinds())}. "
                f"Write for example {example}."
            )
        found: Self = cls.registry[kind].model_validate({**table, "kind": kind})
        return found
