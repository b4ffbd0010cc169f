"""The demonstration: bundled DFT silicon to two potentials, a report and a short MD run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.workflow.fitting import POTENTIAL, REPORT, SUMMARY, FitResult, fit
from lacemaker.workflow.outputs import output_folder, write_json, write_text
from lacemaker.workflow.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from ase import Atoms

    from lacemaker.analysis import MDSummary
    from lacemaker.potential import Potential
    from lacemaker.report.page import Section

__all__ = ["DemoResult", "demo"]

SMALL, LARGE = [20, 16, 12], [25, 21, 17]  # 319 and 1041 functions with the pair block
TEMPERATURE = 2000.0  # K; half of it goes into potential energy
LATTICE = 5.47  # Å, PBE silicon

_CONFIG = """\
# The larger potential of `lace demo`. Change anything and run   lace fit {name}
data: {{train: data/train.xyz, test: data/test.xyz}}
basis: {{correlation_order: 3, max_degree: {degrees}}}
weights: {{default: {{energy: 30, forces: 1, virial: 1}}}}
output: {output}
report: false                     # the demo writes its own, with the MD run
"""


@dataclass(frozen=True, eq=False)
class DemoResult:
    """Both fits and the MD run."""

    folder: Path
    small: FitResult
    large: FitResult
    md: MDSummary | None


def demo(
    folder: str | Path, *, md_steps: int = 300, threads: int | None = None, progress: Progress | None = None
) -> DemoResult:
    """Fit about 320 and 1040 functions to the bundled silicon set and try the larger one in MD.

    Parameters
    ----------
    folder : path
        Receives potential.lace, summary.json, report.html, the data, the configurations and the small
        potential under small/.
    md_steps : int
        Steps of 1 fs; 0 for no MD.
    threads : int, optional
    progress : Progress, optional
    """
    show = progress or SilentProgress()
    target = output_folder(folder)
    _write_data(output_folder(target / "data"))
    small = _fit(target, "small.yaml", SMALL, "small", threads, show)
    large = _fit(target, "config.yaml", LARGE, ".", threads, show)
    md = _short_md(large.potential, md_steps, show) if md_steps else None
    with show.stage("report"):
        write_text(target / REPORT, _report(large, small, md))
    extra = {
        "report": REPORT,
        "md": md.to_dict() if md else None,
        "small": {"potential": f"small/{POTENTIAL}", "errors": small.summary["errors"]},
    }
    write_json(target / SUMMARY, {**large.summary, **extra})
    return DemoResult(target, small, large, md)


class _StagesOnly:
    """A progress display without the remarks of a fit, which the demo would show twice."""

    def __init__(self, progress: Progress) -> None:
        self.stage, self.warn = progress.stage, progress.warn

    def note(self, text: str) -> None:
        """Keep quiet."""


def _write_data(folder: Path) -> None:
    from lacemaker.datasets import load_silicon
    from lacemaker.structures import read, write

    for split in ("train", "test"):
        write(folder / f"{split}.xyz", read(load_silicon(split)))


def _fit(
    target: Path, name: str, degrees: list[int], output: str, threads: int | None, progress: Progress
) -> FitResult:
    from lacemaker.config import load_config

    write_text(target / name, _CONFIG.format(name=name, degrees=degrees, output=output))
    settings = load_config(target / name)
    settings = settings.model_copy(update={"threads": threads or settings.threads})
    result = fit(settings, progress=_StagesOnly(progress))
    functions = len(result.potential.columns)
    progress.note(f"{functions} functions, saved as {result.folder / POTENTIAL}")
    return result


def silicon_crystal(n: int = 3) -> Atoms:
    """Cubic diamond silicon of 8 n^3 atoms."""
    from ase.build import bulk

    return bulk("Si", "diamond", a=LATTICE, cubic=True).repeat((n, n, n))


def _short_md(potential: Potential, n_steps: int, progress: Progress) -> MDSummary:
    from lacemaker.analysis import short_md

    with progress.stage("molecular dynamics", "steps") as advance:
        summary = short_md(
            potential, silicon_crystal(), temperature=TEMPERATURE, n_steps=n_steps, advance=advance
        )
    progress.note(summary.verdict)
    return summary


def _report(large: FitResult, small: FitResult, md: MDSummary | None) -> str:
    from lacemaker.workflow.remake import report_of_folder

    return report_of_folder(large.folder, extra=[_comparison({"small": small, "large": large}, md)])


def _comparison(fits: dict[str, FitResult], md: MDSummary | None) -> Section:
    from lacemaker.report.page import Advice, AdviceList, Section, Table

    rows: list[list[str]] = []
    for name, result in fits.items():
        whole = result.errors["test"].total
        speed: dict[str, Any] = result.summary.get("speed", {})
        rows.append(
            [
                name,
                str(len(result.potential.columns)),
                f"{whole.energy_mae_meV_per_atom:.2f}",
                f"{whole.forces_mae_eV_per_A:.4f}",
                f"{whole.virial_mae_meV_per_atom:.1f}",
                f"{speed.get('microseconds_per_atom', float('nan')):.2f}",
            ]
        )
    header = ["model", "functions", "E  meV/atom", "F  eV/Å", "V  meV/atom", "µs/atom"]
    parts: list[Any] = [
        Table(header, rows, note="Mean absolute errors on the test set; energy and forces on one core.")
    ]
    if md is not None:
        parts.insert(0, AdviceList([Advice("good" if md.survived else "bad", f"MD: {md.verdict}.")]))
    return Section("models", "Two models and a short MD run", "", parts)
