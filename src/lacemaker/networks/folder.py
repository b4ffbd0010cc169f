"""The output folder of a training, and what to do with an earlier run in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from lacemaker.errors import ConfigError, LacemakerWarning, three_parts
from lacemaker.networks import checkpoint
from lacemaker.networks.checkpoint import Checkpoint
from lacemaker.networks.config import TrainingConfig, effective_yaml, training_config
from lacemaker.workflow.outputs import write_text

__all__ = ["CHECKPOINT", "EFFECTIVE", "NETWORK", "REPORT", "SUMMARY", "take_up", "write_effective"]

NETWORK, SUMMARY, REPORT = "network.lace", "summary.json", "report.html"
EFFECTIVE, CHECKPOINT = "config.effective.yaml", "checkpoint.safetensors"


def write_effective(folder: Path, config: TrainingConfig) -> str:
    """Write the configuration in full, defaults included, and return its text."""
    text = effective_yaml(config, folder, "Configuration in effect; runs with `lace train`.")
    write_text(folder / EFFECTIVE, text)
    return text


def take_up(folder: Path, state: Checkpoint, resume: bool, note: Callable[[str], None]) -> None:
    """Continue the run in the folder, or move it whole into ``old`` (``old2``, …) if it is another one.

    Parameters
    ----------
    folder : Path
    state : Checkpoint
        Filled from the file if its fingerprint is the same.
    resume : bool
        If false, whatever is there is moved.
    note : callable
        Told which epoch training continues from, or where the earlier run is now.

    Raises
    ------
    FileFormatError
        If the checkpoint is damaged.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return
    before = checkpoint.read(path, state) if resume else None
    if before is None:
        kept = _set_aside(folder)
        if not resume:
            note(f"the earlier run is now in {kept}")
            return
        message = three_parts(
            "The checkpoint in the output folder is of other settings or data: training begins anew",
            f"{path}; that run is now in {kept}",
            f"continue it with `lace train {kept / EFFECTIVE}`; give every run an output folder of its own",
        )
        warnings.warn(LacemakerWarning(message), stacklevel=2)
        return
    now = state.made_with
    changed = [f"{name} {old}, now {now[name]}" for name, old in before.items() if now.get(name, old) != old]
    limit = f"; equal to an uninterrupted run up to rounding ({'; '.join(changed)})" if changed else ""
    note(f"continues from epoch {state.controller.epoch}{limit}")


def _set_aside(folder: Path) -> Path:
    """Move the files of a run into a folder of their own, from where it can be continued."""
    k = 1
    while (kept := folder / f"old{k if k > 1 else ''}").exists():
        k += 1
    kept.mkdir()
    try:
        config = training_config(folder / EFFECTIVE)
    except (ConfigError, OSError):
        config = None  # none there, or of another version: it moves as it is
    for name in (CHECKPOINT, EFFECTIVE, NETWORK, SUMMARY, REPORT):
        if (folder / name).exists():
            (folder / name).rename(kept / name)
    if config is not None:
        write_effective(kept, config.model_copy(update={"output": str(kept), "resume": True}))
    return kept
