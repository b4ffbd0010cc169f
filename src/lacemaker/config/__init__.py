"""Configuration of a fit: read from YAML, checked once at the door, written back in full."""

from lacemaker.config.loading import config_from, effective_yaml, json_schema, load_config
from lacemaker.config.models import Config

__all__ = ["Config", "config_from", "effective_yaml", "json_schema", "load_config"]
