"""Extended XYZ text to `ase.Atoms`, frame by frame, so that every error knows its frame and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

from lacemaker.structures._messages import data_error

if TYPE_CHECKING:
    import ase

__all__ = ["RawFrame", "read_xyz_text"]

# ASE demands nine numbers under these keys and keeps six components of a stress unchecked; under
# another name it hands over what the file says.
_TENSOR = re.compile(r"(?<!\S)(virial|stress)(?=\s*=)")
_RENAMED = "lacemaker_raw_"


@dataclass(frozen=True)
class RawFrame:
    """Atoms as a file gives them, their place in it, and the comment line's words where there is one."""

    atoms: ase.Atoms
    source: str
    file: str
    comment: str | None = field(default=None, repr=False)

    def word(self, key: str) -> str | None:
        """Return an info entry as the text that stands in the file: ``T`` and ``0.10`` stay what they are."""
        value = self.atoms.info.get(key)
        if value is None:
            return None
        if not isinstance(value, str) and self.comment is not None:
            raw = re.search(rf"(?<!\S){re.escape(key)}\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|(\S+))", self.comment)
            if raw:
                return next(g for g in raw.groups() if g is not None)
        return str(value)


def read_xyz_text(text: str, name: str, index: slice) -> list[RawFrame]:
    """Read the frames of an XYZ file's text that `index` selects.

    Blank lines between frames are skipped (ASE takes the first one for the end of the file).

    Raises
    ------
    DataError
        Naming file, frame and line, where the text is not XYZ.
    """
    chunks = list(_chunks(text, name))
    return [_parse(lines, name, i, line) for i, line, lines in chunks[index]]


def _chunks(text: str, name: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield (frame number, line number of its header, its lines)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at, frame = 0, 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        n_atoms = _header(lines[at], name, frame, at + 1)
        end = at + 2 + n_atoms
        if end > len(lines) or (n_atoms and not lines[end - 1].strip()):
            raise data_error(
                f"{name} frame {frame} (line {at + 1}) is cut short",
                f"{_present(lines[at + 2 : end])} of the {n_atoms} atoms its first line announces",
                "restore the file: it was truncated, or a line with the number of atoms is wrong",
            )
        while end < len(lines) and lines[end].lstrip().startswith("VEC"):
            end += 1
        yield frame, at + 1, lines[at:end]
        at, frame = end, frame + 1


def _present(lines: list[str]) -> int:
    return sum(bool(line.strip()) for line in lines)


def _header(line: str, name: str, frame: int, number: int) -> int:
    try:
        n_atoms = int(line)
        if n_atoms < 0:
            raise ValueError
    except ValueError:
        raise data_error(
            f"{name} line {number}: frame {frame} does not begin with a number of atoms",
            repr(line[:60]),
            "give extended XYZ, or name the format with format=…; if earlier frames read well, "
            "the number of atoms of the frame before is wrong",
        ) from None
    return n_atoms


def _parse(lines: list[str], name: str, frame: int, line: int) -> RawFrame:
    from ase.io.extxyz import read_xyz

    source = f"{name} frame {frame} (line {line})"
    text = StringIO("\n".join(lines) + "\n")
    try:
        (atoms,) = read_xyz(text, index=slice(None), properties_parser=_comment_parser)
    except Exception as error:  # ASE raises whatever its parts raise; all of it means: not readable
        raise data_error(
            f"{source} cannot be read", f"{type(error).__name__}: {error}{_bad_line(lines, line)}",
            "correct the line; extended XYZ is described in ASE's manual",
        ) from error  # fmt: skip
    return RawFrame(atoms, source, name, lines[1])


def _comment_parser(line: str) -> dict[str, Any]:
    from ase.io.extxyz import key_val_str_to_dict

    info = key_val_str_to_dict(_TENSOR.sub(rf"{_RENAMED}\1", line))
    return {
        key.removeprefix(_RENAMED): value.replace(_RENAMED, "") if isinstance(value, str) else value
        for key, value in info.items()
    }


def _bad_line(lines: list[str], first: int) -> str:
    """Point to the first atom line with fewer words than the first one, if that is the trouble."""
    counts = [len(line.split()) for line in lines[2:]]
    wanted = max(counts, default=0)
    for i, count in enumerate(counts):
        if count < wanted:
            return f"; line {first + 2 + i} has {count} columns, others {wanted}"
    return ""
