"""The text of ``.yace`` files: YAML with flow-sequence keys, written directly, read quickly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lacemaker.deploy.yace.messages import bad

__all__ = ["load_tree", "number", "sequence"]

_WORD = re.compile(r"(?<![\w.+-])([A-Za-z_][\w.*+-]*)")
_KEY = re.compile(r"^\[\s*(\d+)\s*,\s*(\d+)\s*\]\s*:\s*(.+)$")
_NUMBERED = re.compile(r"^(\d+)\s*:\s*(.*)$")
_NAMED = re.compile(r"^([A-Za-z_]\w*)\s*:\s*(.*)$")


def number(value: float) -> str:
    """Shortest text that reads back as the same number; with a point, as YAML 1.1 demands."""
    text = "0" if value == 0 else repr(float(value))
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def sequence(values: Any) -> str:
    """A flow sequence, nested like the array."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    return "[" + ", ".join(sequence(v) if isinstance(v, list) else _scalar(v) for v in values) + "]"


def _scalar(value: Any) -> str:
    return str(value) if isinstance(value, (int, str)) else number(value)


def load_tree(text: str, source: str) -> dict[str, Any]:
    """The tree of a file; bond keys are tuples.

    The line layout that potential writers use is read by the JSON parser, in seconds for 100 MB; any other
    YAML by ruamel.yaml, slowly.

    Raises
    ------
    FileFormatError
        If it is no YAML mapping.
    """
    try:
        return _by_lines(text)
    except (ValueError, RecursionError):
        return _by_yaml(text, source)


def _by_yaml(text: str, source: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise bad(
            f"{source} is not a .yace file: it is not valid YAML", first, "copy the file again"
        ) from error
    if not isinstance(tree, dict):
        raise bad(
            f"{source} is not a .yace file", type(tree).__name__, "give a file with `elements:` and `bonds:`"
        )
    return tree


def _flow(text: str) -> Any:
    """A flow value: words quoted, then JSON. ValueError if that is not enough."""
    return json.loads(_WORD.sub(r'"\1"', text), parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Indentation and contents of each line that says something."""
    for line in text.splitlines():
        bare = line.split(" #")[0].rstrip() if "#" in line else line.rstrip()
        if bare.strip() and not bare.lstrip().startswith("#") and bare != "---":
            yield len(bare) - len(bare.lstrip()), bare.lstrip()


def _by_lines(text: str) -> dict[str, Any]:
    """Top-level keys with flow values, or blocks of numbered or bond keys with flow values or lists."""
    tree: dict[str, Any] = {}
    block: dict[Any, Any] = {}
    items: list[Any] | None = None
    for depth, line in _lines(text):
        if line.startswith("- "):
            if items is None:
                raise ValueError("a list outside a block")
            items.append(_flow(line[2:]))
        elif depth == 0:
            name, value = _matched(_NAMED, line).groups()
            block = {}
            _new(tree, name, _flow(value) if value else block)
            items = None
        elif bond := _KEY.match(line):
            _new(block, (int(bond[1]), int(bond[2])), _flow(bond[3]))
        else:
            key, value = _matched(_NUMBERED, line).groups()
            items = []
            _new(block, int(key), _flow(value) if value else items)
    if not tree:
        raise ValueError("nothing in it")
    return tree


def _matched(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    found = pattern.match(line)
    if found is None:
        raise ValueError(line[:60])
    return found


def _new(mapping: dict[Any, Any], key: Any, value: Any) -> None:
    if key in mapping:
        raise ValueError(f"{key} twice")
    mapping[key] = value
