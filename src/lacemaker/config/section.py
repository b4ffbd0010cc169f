"""What all sections of a configuration share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["NonNegative", "PerPair", "Positive", "Section", "StringOrList"]


class Section(BaseModel):
    """Immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


StringOrList = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
PerPair = Positive | dict[str, Positive]
"""One number, or one for each pair such as ``{Si-O: 1.6}``, in Å."""
