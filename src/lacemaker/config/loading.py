"""From a file or a dictionary to a checked Config, and back to YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lacemaker.config.models import Config
from lacemaker.config.reading import checked, effective_yaml, with_paths

__all__ = ["config_from", "effective_yaml", "json_schema", "load_config"]


def load_config(path: str | Path) -> Config:
    """Read and check a YAML configuration; its relative paths come back absolute.

    Raises
    ------
    ConfigError
        Every problem with its line, what was found and what to do.
    """
    return with_paths(*checked(Config, path))


def config_from(source: Config | Mapping[str, Any] | str | Path) -> Config:
    """A Config as it is, or from a dictionary (paths relative to the working directory) or a YAML file."""
    return source if isinstance(source, Config) else with_paths(*checked(Config, source))


def json_schema() -> dict[str, Any]:
    """JSON schema of the configuration, for editors."""
    return Config.model_json_schema()
