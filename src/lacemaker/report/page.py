"""The page as data, and its rendering into one file that asks for nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

__all__ = [
    "Advice",
    "AdviceList",
    "Card",
    "Figure",
    "FigureRow",
    "Page",
    "Section",
    "Table",
    "Text",
    "render",
]


@dataclass(frozen=True)
class Card:
    """A key figure at the top of the page."""

    value: str
    label: str
    unit: str = ""


@dataclass(frozen=True)
class Advice:
    """One judgement in words; `level` is ``good``, ``warn`` or ``bad``."""

    level: str
    text: str


@dataclass(frozen=True)
class AdviceList:
    """Judgements, most worrying first."""

    items: Sequence[Advice]
    kind: str = "advice"


@dataclass(frozen=True)
class Figure:
    """A titled chart; `html` comes from :meth:`lacemaker.report.svg.Chart.render`."""

    title: str
    html: str


@dataclass(frozen=True)
class FigureRow:
    """Figures side by side; they wrap on a narrow screen."""

    figures: Sequence[Figure]
    kind: str = "figures"


@dataclass(frozen=True)
class Table:
    """A table; `groups` spans columns with a second heading line, `classes` styles columns."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    groups: Sequence[tuple[str, int]] = ()
    classes: Sequence[str] = ()
    total: bool = False
    kind: str = "table"

    def __post_init__(self) -> None:
        if not self.classes:
            object.__setattr__(self, "classes", [""] * len(self.header))


@dataclass(frozen=True)
class Text:
    """A foldable block of preformatted text."""

    title: str
    text: str
    open: bool = False
    kind: str = "text"


@dataclass(frozen=True)
class Section:
    """A section with its parts in the order shown."""

    anchor: str
    title: str
    lead: str = ""
    parts: Sequence[AdviceList | FigureRow | Table | Text] = ()


@dataclass(frozen=True)
class Page:
    """Everything the template shows."""

    title: str
    lead: str
    version: str
    cards: Sequence[Card] = ()
    sections: Sequence[Section] = field(default_factory=list)
    footer: str = ""


def render(page: Page) -> str:
    """The page as one self-contained HTML text."""
    from jinja2 import Environment
    from markupsafe import Markup

    folder = resources.files("lacemaker.report")

    def part(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(part("page.html.j2"))
    return template.render(page=page, style=Markup(part("style.css")), script=Markup(part("hover.js")))
