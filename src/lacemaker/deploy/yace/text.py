"""The text of ``.yace`` files: YAML with flow-sequence keys, written directly, read quickly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lacemaker.deploy.yace.messages import bad

__all__ = ["load_tree", "number", "sequence"]

_KEYS = ("mu0", "rank", "ndensity", "num_ms_combs", "mus", "ns", "ls", "ms_combs", "ctildes")
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
        _check_end(text, source)
        return _by_yaml(text, source)


def _check_end(text: str, source: str) -> None:
    """Brackets that the last line opens and nothing closes: a copy that stopped, told without long search."""
    last = text.rstrip().rpartition("\n")[2].partition(" #")[0]
    if any(last.count(opening) > last.count(closing) for opening, closing in ("[]", "{}")):
        wrong = f"{source} is not complete: it ends within a line"
        raise bad(wrong, f"… {last[-60:]}", "copy the file again")


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
    return _DECODER.decode(_WORD.sub(r'"\1"', text))


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _records(lines: list[str]) -> list[Any]:
    """Flow values of many lines; those of the usual keys alone need no search for words."""
    text = "\n".join(lines)
    for key in _KEYS:
        text = text.replace(f" {key}:", f' "{key}":').replace(f"{{{key}:", f'{{"{key}":')
    try:
        return [_DECODER.decode(line) for line in text.split("\n")] if lines else []
    except ValueError:
        return [_flow(line) for line in lines]


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
    lists: list[list[Any]] = []
    for depth, line in _lines(text):
        if line.startswith("- "):
            if items is None:
                raise ValueError("a list outside a block")
            items.append(line[2:])
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
            lists.append(items)
            _new(block, int(key), _flow(value) if value else items)
    if not tree:
        raise ValueError("nothing in it")
    for items in lists:
        items[:] = _records(items)
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
