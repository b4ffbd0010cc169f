"""Reading YAML 1.2 with line numbers, and writing it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lacemaker.errors import ConfigError

__all__ = ["YamlDocument", "dump_yaml", "parse_yaml", "read_yaml"]


class YamlDocument:
    """Plain data of a YAML file plus the line on which each key stands.

    Attributes
    ----------
    data : dict
        Ordinary dictionaries, lists, strings and numbers.
    name : str
        File name for messages.
    """

    def __init__(self, tree: Any, name: str) -> None:
        self._tree: Any = tree
        self.data: dict[str, Any] = _plain(tree)
        self.name = name

    def line(self, path: Sequence[str | int]) -> int | None:
        """Line (from 1) of the key at `path`, or of its closest parent that is in the file."""
        found: int | None = None
        node: Any = self._tree
        for part in path:
            try:
                find = node.lc.key if hasattr(node, "keys") else node.lc.item
                position = find(part)
                found = position[0] + 1
                node = node[part]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return found


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def parse_yaml(text: str, name: str = "configuration") -> YamlDocument:
    """Parse YAML 1.2 text.

    Raises
    ------
    ConfigError
        If the text is not valid YAML, holds a key twice, is empty or is not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        found = (error.problem or "a syntax error").strip()
        hint = "indent with spaces, put a space after each colon, close every bracket and quote"
        if "duplicate" in found:
            hint = "remove one of the two entries"
        raise ConfigError(f"{where}: this is not valid YAML. Found: {found}. To do: {hint}.") from error
    except YAMLError as error:
        raise ConfigError(
            f"{name}: this is not valid YAML. Found: {error}. To do: save the file as UTF-8 text."
        ) from error
    if tree is None:
        raise ConfigError(
            f"{name}: the configuration is empty. Found: no keys. To do: write a template with `lace init`."
        )
    if not isinstance(tree, Mapping):
        raise ConfigError(
            f"{name}: the configuration is not a mapping of keys to values. Found: a {_kind_of(tree)}. "
            "To do: start from the template of `lace init`."
        )
    return YamlDocument(tree, name)


def _kind_of(tree: Any) -> str:
    return "list" if isinstance(tree, list) else type(tree).__name__


def read_yaml(path: str | Path) -> YamlDocument:
    """Read a YAML file; see :func:`parse_yaml`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        hint = f"YAML files there: {', '.join(near[:5])}" if near else "write a template with `lace init`"
        raise ConfigError(
            f"{path}: there is no such configuration file. Found: {hint}. To do: check the path."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: the configuration cannot be read. Found: {error}. To do: check that it is UTF-8 "
            "text and that you may read it."
        ) from error
    return parse_yaml(text, str(path))


def dump_yaml(data: Mapping[str, Any], header: str = "") -> str:
    """YAML text of plain data, with comment lines `header` on top."""
    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None  # innermost collections on one line
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 100
    stream = io.StringIO()
    writer.dump(_plain(data), stream)
    comments = "".join(f"# {line}\n" for line in header.splitlines())
    return comments + stream.getvalue()
