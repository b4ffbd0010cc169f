"""From a file or a dictionary to a checked Config, and back to YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lacemaker.config.messages import config_error
from lacemaker.config.models import Config
from lacemaker.config.yamlfile import YamlDocument, dump_yaml, read_yaml

__all__ = ["config_from", "effective_yaml", "json_schema", "load_config"]


def load_config(path: str | Path) -> Config:
    """Read and check a YAML configuration; its relative paths come back absolute.

    Raises
    ------
    ConfigError
        Every problem with its line, what was found and what to do.
    """
    return _checked(read_yaml(path), Path(path).resolve().parent)


def config_from(source: Config | Mapping[str, Any] | str | Path) -> Config:
    """A Config as it is, or from a dictionary (paths relative to the working directory) or a YAML file."""
    if isinstance(source, Config):
        return source
    if isinstance(source, Mapping):
        return _checked(YamlDocument(dict(source), "configuration"), Path.cwd())
    return load_config(source)


def _checked(document: YamlDocument, folder: Path) -> Config:
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        raise config_error(error, document, Config) from None
    return _with_paths(config, lambda path: os.path.normpath(folder / Path(path).expanduser()))


def _with_paths(config: Config, change: Any) -> Config:
    data = config.data.model_copy(
        update={
            name: tuple(change(path) for path in getattr(config.data, name)) for name in ("train", "test")
        }
    )
    return config.model_copy(update={"data": data, "output": change(config.output)})


def effective_yaml(config: Config, folder: Path, header: str = "") -> str:
    """The configuration in full, defaults included, with paths relative to the `folder` it will lie in."""

    def relative(path: str) -> str:
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            return path

    return dump_yaml(_with_paths(config, relative).model_dump(mode="json"), header)


def json_schema() -> dict[str, Any]:
    """JSON schema of the configuration, for editors."""
    return Config.model_json_schema()
