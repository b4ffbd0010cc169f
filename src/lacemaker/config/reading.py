"""From a file or a dictionary to a checked model of any kind, and back to YAML."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lacemaker.config.messages import config_error
from lacemaker.config.section import Section
from lacemaker.config.yamlfile import YamlDocument, dump_yaml, read_yaml

__all__ = ["checked", "effective_yaml", "with_paths"]

Model = TypeVar("Model", bound=Section)


def checked(model: type[Model], source: Mapping[str, Any] | str | Path) -> tuple[Model, Callable[[str], str]]:
    """A configuration from a YAML file or a dictionary, and what makes its relative paths absolute.

    Paths are relative to the file's folder, or to the working directory for a dictionary.

    Raises
    ------
    ConfigError
        Every problem with its line, what was found and what to do.
    """
    if isinstance(source, Mapping):
        document, folder = YamlDocument(dict(source), "configuration"), Path.cwd()
    else:
        document, folder = read_yaml(source), Path(source).resolve().parent
    try:
        config = model.model_validate(document.data)
    except ValidationError as error:
        raise config_error(error, document, model) from None
    return config, lambda path: os.path.normpath(folder / Path(path).expanduser())


def with_paths(config: Model, change: Callable[[str], str]) -> Model:
    """A configuration with the files of ``data`` and ``output``, these paths changed."""
    parts: Any = config
    names = ("train", "test", "validation")
    sets = {name: tuple(change(path) for path in getattr(parts.data, name)) for name in names}
    data = parts.data.model_copy(update=sets)
    return config.model_copy(update={"data": data, "output": change(parts.output)})


def effective_yaml(config: Section, folder: Path, header: str = "") -> str:
    """The configuration in full, defaults included, with paths relative to the `folder` it will lie in."""

    def relative(path: str) -> str:
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            return path

    return dump_yaml(with_paths(config, relative).model_dump(mode="json"), header)
