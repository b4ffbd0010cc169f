"""Error tables as aligned text and as markdown, data sets (train, test) side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lacemaker.analysis.errors import TOTAL, ErrorTable, GroupErrors

__all__ = ["ERROR_COLUMNS", "align", "errors_markdown", "errors_text", "number"]

# heading, unit, key stem, decimals
ERROR_COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("E", "meV/atom", "energy_{}_meV_per_atom", 2),
    ("F", "eV/Å", "forces_{}_eV_per_A", 4),
    ("V", "meV/atom", "virial_{}_meV_per_atom", 1),
    ("σ", "GPa", "stress_{}_GPa", 3),
    ("Φ", "eV/Å²", "force_constants_{}_eV_per_A2", 3),
    ("Eᵢ", "meV", "energies_{}_meV", 2),
    ("E_f", "meV", "formation_energy_{}_meV", 1),
)


def align(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Pad columns to equal width; the first `left` columns flush left, the others flush right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[k]) for row in table) for k in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [
            c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [line(table[0]), "─" * (sum(widths) + 2 * (len(widths) - 1)), *[line(row) for row in table[1:]]]


def number(value: float | None, decimals: int) -> str:
    """A cell of a table; a dash where there is nothing."""
    return "–" if value is None else f"{value:.{decimals}f}"


def _group_names(tables: Mapping[str, ErrorTable]) -> list[str]:
    names = dict.fromkeys(name for table in tables.values() for name in table if name != TOTAL)
    return [*names, TOTAL]


def _shown(tables: Mapping[str, ErrorTable], key: Callable[[str], str]) -> list[tuple[str, str, str, int]]:
    """Columns with at least one number in any table."""
    return [
        column
        for column in ERROR_COLUMNS
        if any(getattr(table.total, key(column[2])) is not None for table in tables.values())
    ]


def _cells(
    errors: GroupErrors | None, columns: Sequence[tuple[str, str, str, int]], measure: str
) -> list[str]:
    return [
        "–" if errors is None else number(getattr(errors, stem.format(measure)), decimals)
        for _, _, stem, decimals in columns
    ]


def _grid(tables: Mapping[str, ErrorTable], measure: str) -> tuple[list[str], list[list[str]]]:
    columns = _shown(tables, lambda stem: stem.format(measure))
    header = ["config_type", *[f"n {name}".strip() for name in tables]]
    header += [f"{symbol} {name}".strip() for symbol, *_ in columns for name in tables]
    rows = []
    for group in _group_names(tables):
        per_set = [_cells(table.get(group), columns, measure) for table in tables.values()]
        counts = [str(table[group].n_frames) if group in table else "–" for table in tables.values()]
        values = [cells[k] for k in range(len(columns)) for cells in per_set]
        rows.append([group.upper() if group == TOTAL else group, *counts, *values])
    return header, rows


def _caption(tables: Mapping[str, ErrorTable], measure: str) -> str:
    columns = _shown(tables, lambda stem: stem.format(measure))
    units = ", ".join(f"{symbol} {unit}" for symbol, unit, *_ in columns)
    limits = {table.f_max for table in tables.values()} - {None}
    note = f"; atoms with |F_ref| > {limits.pop():g} eV/Å left out" if limits else ""
    return f"{measure.upper()}  ({units}{note})"


def errors_text(tables: Mapping[str, ErrorTable], measures: Sequence[str] = ("mae", "rmse")) -> str:
    """Aligned text: one block per measure, the given sets (``{"train": …, "test": …}``) side by side."""
    blocks = []
    for measure in measures:
        header, rows = _grid(tables, measure)
        lines = align(header, rows)
        blocks.append("\n".join([_caption(tables, measure), *lines[:-1], lines[1], lines[-1]]))
    return "\n\n".join(blocks)


def errors_markdown(tables: Mapping[str, ErrorTable], measures: Sequence[str] = ("mae", "rmse")) -> str:
    """The same as GitHub-flavoured markdown."""
    blocks = []
    for measure in measures:
        header, rows = _grid(tables, measure)
        rule = ["---", *["---:"] * (len(header) - 1)]
        lines = ["| " + " | ".join(row) + " |" for row in [header, rule, *rows]]
        blocks.append("\n".join([f"**{_caption(tables, measure)}**", "", *lines]))
    return "\n\n".join(blocks)
