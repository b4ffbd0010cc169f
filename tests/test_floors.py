"""The house has floors: no room imports, when it is loaded, from a room above it."""

import ast
from pathlib import Path

import lacemaker

SOURCE = Path(lacemaker.__file__).parent
FLOORS = (
    ("errors",),
    ("families", "structures", "basis", "datasets"),
    ("priors",),
    ("regression",),
    ("potential",),
    ("uncertainty",),
    ("calculators",),
    ("analysis",),
    ("deploy",),
    ("config",),
    ("workflow",),
    ("studies",),
    ("report",),
    ("networks",),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room(path):
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(tree):
    """Rooms imported outside functions and outside ``if TYPE_CHECKING``."""
    pending = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lacemaker"):
            parts = node.module.split(".")[1:2] or [alias.name for alias in node.names]
            yield from ((node.lineno, part) for part in parts)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif isinstance(node, ast.ClassDef | ast.If | ast.Try | ast.With):
            pending += list(ast.iter_child_nodes(node))


def test_nothing_imports_upwards_when_loaded():
    upwards = [
        f"{path.relative_to(SOURCE)}:{line} imports {other}"
        for path in sorted(SOURCE.rglob("*.py"))
        if (here := room(path)) in FLOOR
        for line, other in imported_rooms(ast.parse(path.read_text(encoding="utf-8")))
        if other in FLOOR and FLOOR[other] >= FLOOR[here] and other != here
    ]
    assert not upwards


def test_every_room_has_a_floor():
    rooms = {room(path) for path in SOURCE.rglob("*.py")}
    assert rooms - {"__init__", "_core"} == set(FLOOR)
