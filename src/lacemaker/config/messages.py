"""From a pydantic validation error to sentences: where, what is wrong, what was found, what to do."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from lacemaker.config.yamlfile import YamlDocument
from lacemaker.errors import ConfigError

__all__ = ["config_error", "keys_allowed_at"]

MOST = 6  # messages shown at once
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # of models and of dataclasses


def _fields(model: Any) -> dict[str, Any]:
    """Fields of a pydantic model or a dataclass; none for other types."""
    if not isinstance(model, type):
        return {}
    if issubclass(model, BaseModel):
        return dict(model.model_fields)
    return (
        {field.name: field for field in dataclasses.fields(model)} if dataclasses.is_dataclass(model) else {}
    )


def _models_in(annotation: Any) -> Iterator[type]:
    """Every model or dataclass inside Optional, Union, Annotated, dict and tuple annotations."""
    if _fields(annotation):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _types_of(field: Any) -> Iterator[type]:
    yield from _models_in(getattr(field, "annotation", None) or getattr(field, "type", None))
    for extra in getattr(field, "metadata", ()):
        yield from _models_in(extra)


def _tag_of(model: type) -> str | None:
    field = _fields(model).get("kind")
    return None if field is None else str(field.default)


def _step(models: list[type], part: str | int, value: Any) -> list[type]:
    inner: list[type] = []
    for model in models:
        if part in _fields(model):
            field = _fields(model)[str(part)]
            inner += [
                *_models_in(field.annotation),
                *(m for extra in field.metadata for m in _models_in(extra)),
            ]
    kind = value.get("kind") if isinstance(value, dict) else None
    tagged = [model for model in inner if kind is not None and _tag_of(model) == kind]
    return tagged or inner or models


def keys_allowed_at(root: type[BaseModel], path: Sequence[str | int], data: Any) -> list[str]:
    """Names of the keys allowed in the mapping at `path` of the configuration `data`."""
    models: list[type] = [root]
    node = data
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        models = _step(models, part, node)
    return list(dict.fromkeys(name for model in models for name in _fields(model)))


def _homes_of(root: type[BaseModel], key: str) -> list[str]:
    """Sections in which `key` would be right, as ``section.key``."""
    homes = [key] if key in root.model_fields else []
    for name, field in root.model_fields.items():
        if any(key in _fields(model) for model in _types_of(field)):
            homes.append(f"{name}.{key}")
    return homes


def _path_in_data(location: Sequence[str | int], data: Any, names_a_key: bool) -> list[str | int]:
    """Drop the union tags pydantic puts into a location; the last part stays if it names an absent key."""
    path: list[str | int] = []
    node = data
    for k, part in enumerate(location):
        try:
            node = node[part]
            path.append(part)
        except (KeyError, IndexError, TypeError):
            if names_a_key and k == len(location) - 1:
                path.append(part)
    return path


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text or "the configuration"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _unknown_key(root: type[BaseModel], path: list[str | int], data: Any, value: Any) -> str:
    key = str(path[-1])
    allowed = keys_allowed_at(root, path[:-1], data)
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
    homes = [home for home in _homes_of(root, key) if home != _dotted(path)]
    if near:
        advice = f"did you mean `{near[0]}`?"
    elif homes:
        advice = f"write it as `{homes[0]}`."
    else:
        advice = "remove it."
    listed = ", ".join(allowed)
    return f"is not a known key. Found: {_short(value)}. To do: {advice} Keys allowed here: {listed}."


def _sentence(root: type[BaseModel], error: dict[str, Any], path: list[str | int], data: Any) -> str:
    kind, value = error["type"], error.get("input")
    if kind in _UNKNOWN:
        return _unknown_key(root, path, data, value)
    if kind == "missing":
        return (
            "is missing. Found: no such key. To do: add it; `lace init` writes a template that explains all."
        )
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = str(error.get("ctx", {}).get("expected_tags", "")).replace("'", "")
        return f"names an unknown kind. Found: {_short(value)}. To do: choose one of: {expected}."
    reason = str(error.get("ctx", {}).get("error", "")) or str(error["msg"])
    reason = " ".join(reason.split())
    reason = reason[:1].lower() + reason[1:]
    return f"has an unusable value. Found: {_short(value)}. To do: {reason.rstrip('.')}."


def config_error(error: ValidationError, document: YamlDocument, root: type[BaseModel]) -> ConfigError:
    """One ConfigError that lists every problem with its place in the file."""
    lines: list[str] = []
    seen: set[tuple[str | int, ...]] = set()
    for item in error.errors(include_url=False):
        path = _path_in_data(item["loc"], document.data, item["type"] in (*_UNKNOWN, "missing"))
        line = document.line(path)
        where = document.name if line is None else f"{document.name}, line {line}"
        if path in [list(p) for p in seen] and item["type"] not in _UNKNOWN:
            continue  # the other arms of a union repeat the same complaint
        seen.add(tuple(path))
        lines.append(f"{where}: {_dotted(path)} {_sentence(root, dict(item), path, document.data)}")
    more = len(lines) - MOST
    if more > 0:
        lines = [*lines[:MOST], f"… and {more} more."]
    return ConfigError("\n".join(lines))
