"""A report of a potential made anew, from a fit's folder or from a file and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacemaker.errors import ConfigError

if TYPE_CHECKING:
    from lacemaker.networks import NetworkPotential
    from lacemaker.potential import Potential
    from lacemaker.report.page import Section
    from lacemaker.structures import Frames

__all__ = ["report_of_folder", "report_of_potential"]


def report_of_potential(
    potential: Potential | NetworkPotential,
    sets: Mapping[str, Frames],
    *,
    config_text: str = "",
    timings: Mapping[str, Mapping[str, float]] | None = None,
    n_threads: int = 1,
    extra: Sequence[Section] = (),
) -> str:
    """The report of a potential on the given ``train`` and ``test`` structures."""
    from lacemaker.potential import Potential

    if not isinstance(potential, Potential):
        from lacemaker.networks.report import remade_report

        return remade_report(potential, sets, config_text=config_text)
    from lacemaker.analysis import dimer_curves, predict, volume_scans
    from lacemaker.potential.speed import measure_speed
    from lacemaker.report import build_report
    from lacemaker.report.labelled import LabelledSet
    from lacemaker.workflow.data import check_elements

    for name, frames in sets.items():
        check_elements(frames, potential.elements, name)
    labelled = [
        LabelledSet.of(name, potential, frames, predict(potential, frames, n_threads=n_threads))
        for name, frames in sets.items()
    ]
    return build_report(
        potential,
        labelled,
        dimers=dimer_curves(potential),
        scans=volume_scans(potential),
        speed=measure_speed(potential).to_dict(),
        timings=timings,
        config_text=config_text,
        extra=extra,
    )


def report_of_folder(folder: Path, *, n_threads: int = 1, extra: Sequence[Section] = ()) -> str:
    """The report of a finished fit or training, its data read again from where its configuration says.

    Raises
    ------
    ConfigError
        If the folder does not hold a finished fit.
    """
    import json

    from lacemaker.config import load_config
    from lacemaker.potential import Potential
    from lacemaker.workflow.data import load_sets
    from lacemaker.workflow.fitting import EFFECTIVE, POTENTIAL, SUMMARY

    if (folder / "network.lace").is_file():
        from lacemaker.networks.workflow import report_of_training

        return report_of_training(folder)
    missing = [name for name in (POTENTIAL, EFFECTIVE) if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder} does not hold a finished fit. Found: no {' and no '.join(missing)}. To do: give the "
            "output folder of `lace fit`, or a .lace file with --train and --test."
        )
    summary: dict[str, Any] = {}
    if (folder / SUMMARY).is_file():
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    config = load_config(folder / EFFECTIVE)
    sets = load_sets(config.data, config.total_energies())
    return report_of_potential(
        Potential.load(folder / POTENTIAL),
        dict(sets.items()),
        config_text=(folder / EFFECTIVE).read_text(encoding="utf-8"),
        timings=summary.get("timings"),
        n_threads=n_threads,
        extra=extra,
    )
