"""`lace train`: from a configuration to a trained network, error tables, learning curves and a report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lacemaker.networks import checkpoint
from lacemaker.networks.backend import choose_device, deterministic
from lacemaker.networks.config import TrainingConfig, training_config
from lacemaker.networks.evaluator import running
from lacemaker.networks.folder import (
    CHECKPOINT,
    EFFECTIVE,
    NETWORK,
    REPORT,
    SUMMARY,
    take_up,
    write_effective,
)
from lacemaker.networks.labels import warn_of_lone_atoms, warn_of_unused_labels
from lacemaker.networks.network import count_parameters
from lacemaker.networks.potential import NetworkPotential
from lacemaker.networks.preparation import Parts, beginning, one_body, split
from lacemaker.networks.training import fingerprint, initial_state, train_network
from lacemaker.structures import ReferenceEnergies
from lacemaker.workflow.data import load_sets
from lacemaker.workflow.fitting import collect_warnings
from lacemaker.workflow.outputs import output_folder, peak_memory_mib, versions, write_json, write_text
from lacemaker.workflow.progress import Progress, SilentProgress, StageTimer

if TYPE_CHECKING:
    from lacemaker.analysis import ErrorTable

__all__ = ["TrainingResult", "report_of_training", "train"]

SUMMARY_FORMAT = 1


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training left behind.

    Attributes
    ----------
    folder : Path
        Holds network.lace, summary.json, report.html, config.effective.yaml and the last checkpoint.
    potential : NetworkPotential
    errors : mapping of "train", "validation" and "test" to ErrorTable
    history : list of mapping
        Learning curves, one row per epoch.
    summary : mapping
        The contents of summary.json.
    """

    folder: Path
    potential: NetworkPotential
    errors: Mapping[str, ErrorTable]
    history: list[dict[str, Any]]
    summary: Mapping[str, Any]


def train(
    config: TrainingConfig | Mapping[str, Any] | str | Path, *, progress: Progress | None = None
) -> TrainingResult:
    """Train a network as a configuration says and write the results to its output folder.

    Parameters
    ----------
    config : path, mapping or TrainingConfig
        A YAML file, or the same as a dictionary.
    progress : Progress, optional
        Where to show progress; silent by default.

    Raises
    ------
    ConfigError, DataError, SolverError
        Nothing is lost by running again: a killed run continues from its last epoch, with the same result.
    """
    settings = training_config(config)
    device = choose_device(settings.device)  # before anything is read or written
    shown = progress or SilentProgress()
    timer = StageTimer(shown)
    with running("auto", settings.threads), collect_warnings(shown.warn) as warnings:
        folder = output_folder(settings.output)
        with timer.stage("reading structures"):
            sets = load_sets(settings.data, with_validation=True)
            parts = split(sets, settings)
        for name, frames in parts.items():
            shown.note(f"{name}: {len(frames)} structures, {frames.n_atoms} atoms")
        warn_of_unused_labels(sets.train)
        e0, inner = one_body(parts.train, sets.train, settings)
        shown.note(str(e0))
        potential, history = _trained(parts, e0, inner, settings, device, folder, timer, shown)
        warn_of_lone_atoms(potential, e0)
        potential = potential.with_metadata(data=_facts(parts), e0=e0.to_dict())
        potential.save(folder / NETWORK)
        return _finish(folder, potential, parts, history, settings, timer, warnings)


def _trained(
    parts: Parts,
    e0: ReferenceEnergies,
    inner: np.ndarray | None,
    config: TrainingConfig,
    device: str,
    folder: Path,
    timer: StageTimer,
    progress: Progress,
) -> tuple[NetworkPotential, list[dict[str, Any]]]:
    with timer.stage("neighbour lists"):
        start = beginning(parts, e0, inner, config)
    hashes = (parts.train.content_hash(), parts.validation.content_hash())
    identity = fingerprint(config, start.elements, start.e0, inner, *hashes)
    state = initial_state(start.network, config, device=device, identity=identity)
    take_up(folder, state, config.resume, progress.note)
    write_effective(folder, config)
    options, n_parameters = start.network.options, count_parameters(start.network)
    progress.note(f"{options.label}: {n_parameters} parameters, {device}")
    with timer.stage("training", "epochs") as advance, deterministic(device):

        def each_epoch(row: dict[str, Any]) -> None:
            checkpoint.write(folder / CHECKPOINT, state)
            advance(row["epoch"], config.schedule.max_epochs)
            if row["epoch"] == row["best_epoch"] or row["epoch"] % 10 == 0:
                progress.note(_line(row, config.loss.energy_unit))

        network = train_network(
            state, start.train, start.validation, config, device=device, each_epoch=each_epoch
        )
    return NetworkPotential(network.cpu(), start.elements, start.e0), state.history


def _line(row: Mapping[str, Any], unit: str) -> str:
    shown = {"energy": ("E", unit), "forces": ("F", "eV/Å"), "virial": ("W", unit)}
    maes = [(*text, row[f"validation_{name}_mae"]) for name, text in shown.items()]
    errors = ", ".join(f"{k} MAE {value:.4f} {unit}" for k, unit, value in maes if value is not None)
    return (
        f"epoch {row['epoch']}: loss {row['train_loss']:.5f}, validation {errors}; "
        f"batch {row['batch_size']}, rate {row['learning_rate']:.2g}, {row['seconds']:.1f} s"
    )


def _facts(parts: Parts) -> dict[str, Any]:
    return {
        name: {
            "n_frames": len(f),
            "n_atoms": f.n_atoms,
            "sha256": f.content_hash(),
            "labels": f.labels.to_dict(),
        }
        for name, f in parts.items()
    }


def _finish(
    folder: Path,
    potential: NetworkPotential,
    parts: Parts,
    history: list[dict[str, Any]],
    config: TrainingConfig,
    timer: StageTimer,
    warnings: list[str],
) -> TrainingResult:
    """Error tables, summary and report; the network is already on disk."""
    from lacemaker.analysis import predict
    from lacemaker.report.labelled import LabelledSet

    labelled, potential = [], potential.to(config.device)
    with timer.stage("errors", "structures") as advance:
        for name, frames in parts.items():
            predictions = predict(potential, frames, n_threads=torch.get_num_threads(), advance=advance)  # type: ignore[arg-type]
            labelled.append(LabelledSet.of(name, potential, frames, predictions))  # type: ignore[arg-type]
    errors = {s.name: s.errors for s in labelled}
    best = history[-1]["best_epoch"] if history else 0
    summary = {
        "format": SUMMARY_FORMAT,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {**versions(), "torch": torch.__version__},
        "potential": NETWORK,
        "elements": list(potential.elements),
        "cutoff_A": potential.cutoff,
        "network": {**potential.options.model_dump(mode="json"), "n_parameters": potential.n_parameters},
        "e0_eV": dict(zip(potential.elements, potential.e0.tolist(), strict=True)),
        "training": {
            "epochs": len(history),
            "best_epoch": best,
            "seed": config.seed,
            "energy_unit": config.loss.energy_unit,
            "history": history,
        },
        "data": potential.metadata["data"],
        "errors": {name: table.to_dict() for name, table in errors.items()},
        "warnings": list(warnings),
    }
    potential = potential.with_metadata(errors=summary["errors"])
    potential.save(folder / NETWORK)
    if config.report:
        from lacemaker.networks.report import network_report

        with timer.stage("report"):
            text = (folder / EFFECTIVE).read_text(encoding="utf-8")
            unit = config.loss.energy_unit
            text = network_report(potential, labelled, history, text, timer.to_dict(), warnings, unit)
            write_text(folder / REPORT, text)
    summary |= {"timings": timer.to_dict(), "peak_memory_MiB": peak_memory_mib()}
    write_json(folder / SUMMARY, summary)
    return TrainingResult(folder, potential, errors, history, summary)


def report_of_training(folder: Path) -> str:
    """The report of a finished training, its data read again from where the effective configuration says.

    Raises
    ------
    ConfigError, DataError
        If the configuration or the data are gone.
    """
    import json

    from lacemaker.networks.report import remade_report

    settings = training_config(folder / EFFECTIVE)
    known = json.loads((folder / SUMMARY).read_text(encoding="utf-8")) if (folder / SUMMARY).is_file() else {}
    parts = split(load_sets(settings.data, with_validation=True), settings)
    text = (folder / EFFECTIVE).read_text(encoding="utf-8")
    return remade_report(NetworkPotential.load(folder / NETWORK), dict(parts.items()), known, text)
