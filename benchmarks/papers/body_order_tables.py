"""The convergence tables of docs/body_order_tables.md from the results of `body_order.py`, as Markdown.

python benchmarks/papers/body_order_tables.py body_order_results/{silicon,zuo,gap18,carbon}.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

BASES = {"standard": "standard", "pair": "pair-purified", "full": "purified"}
NAMES = {
    "silicon": "Silicon, the bundled set",
    "zuo": "Silicon, Zuo et al. 2020",
    "gap18": "Silicon, GAP-18",
    "carbon": "Carbon under pressure",
    "carbon_gap17": "Carbon, C-GAP-17",
}
DATA = ("no dimers", "dimers only", "both")
COLUMNS = {
    "validation_energy_meV_per_atom": "energies of held-out structures, meV/atom",
    "validation_forces_eV_per_A": "forces of held-out structures, eV/Å",
    "dimer_rmse_eV": "V₂ against the DFT dimer, RMSE in eV",
    "drift_eV": "drift: RMS change of V₂ to the next K, eV",
}


def number(value: float | None, digits: int = 3) -> str:
    """Three figures, no exponents."""
    if value is None:
        return ""
    if abs(value) < 1e-6:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def table(name: str, rows: list[dict[str, Any]]) -> str:
    """One table per quantity: K down, data and bases across."""
    bodies = sorted({row["bodies"] for row in rows})
    found = {(row["basis"], row["data"], row["bodies"]): row for row in rows}
    bases = [basis for basis in BASES if any(row["basis"] == basis for row in rows)]
    heads = [f"{data}, {BASES[basis]}" for data in DATA for basis in bases]
    lines = [f"## {name}"]
    for key, words in COLUMNS.items():
        lines += ["", f"{words[0].upper()}{words[1:]}:", "", "| K | " + " | ".join(heads) + " |"]
        lines.append("|---" * (len(heads) + 1) + "|")
        for k in bodies:
            cells = [number(found[basis, data, k][key]) for data in DATA for basis in bases]
            if any(cells):
                lines.append(f"| {k} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print one section per file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for path in parser.parse_args().results:  # files of one name hold different bases of one experiment
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        by_name.setdefault(path.stem, []).extend(rows)
    for name, rows in by_name.items():
        print(table(NAMES.get(name, name), rows), end="\n\n")


if __name__ == "__main__":
    main()
