"""Errors of a potential against labelled frames, by config_type and in total.

Energies and virials are compared per atom, forces and stresses per component. With N atoms and volume V::

    energy   |E - E_ref| / N            one value per frame               meV/atom
    forces   |F - F_ref|                3 N values per frame              eV/Å
    virial   |W - W_ref| / N            6 values per frame                meV/atom
    stress   |W - W_ref| / V            6 values per frame                GPa
    force constants                     3 N values per displacement       eV/Å²
    energies |E_i - E_i,ref|            N values per frame                meV
    formation energy                    one value per frame with a bulk   meV

MAE is the mean and RMSE the root of the mean square of these values. A quantity without labels is None,
never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lacemaker.analysis.predictions import Predictions
    from lacemaker.potential import Potential
    from lacemaker.structures import Frame

__all__ = ["EV_PER_CUBIC_ANGSTROM_IN_GPA", "TOTAL", "ErrorTable", "GroupErrors", "error_table"]

TOTAL = "total"
EV_PER_CUBIC_ANGSTROM_IN_GPA = 160.21766208  # CODATA 2018 elementary charge, 1 eV/Å^3 in GPa
_RARE = {
    "force_constants": ("force_constants_", "n_force_constants"),
    "energies": ("energies_", "n_site_energies"),
    "formation": ("formation_energy_", "n_formation_energies"),
}
QUANTITIES = ("energy", "forces", "virial", "stress", "force_constants", "energies", "formation")


@dataclass(frozen=True)
class GroupErrors:
    """Errors of one group of frames; the field names are the keys of ``summary.json``."""

    n_frames: int
    n_atoms: int
    n_energies: int  # frames with an energy label
    n_forces: int  # force components compared
    n_virials: int  # frames with a virial or stress label
    energy_mae_meV_per_atom: float | None
    energy_rmse_meV_per_atom: float | None
    forces_mae_eV_per_A: float | None
    forces_rmse_eV_per_A: float | None
    virial_mae_meV_per_atom: float | None
    virial_rmse_meV_per_atom: float | None
    stress_mae_GPa: float | None
    stress_rmse_GPa: float | None
    n_force_constants: int = 0  # components compared
    force_constants_mae_eV_per_A2: float | None = None
    force_constants_rmse_eV_per_A2: float | None = None
    n_site_energies: int = 0
    energies_mae_meV: float | None = None
    energies_rmse_meV: float | None = None
    n_formation_energies: int = 0
    formation_energy_mae_meV: float | None = None
    formation_energy_rmse_meV: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """All fields as plain numbers; of labels that few data sets have, those that were compared."""
        rare = {"force_constants": self.n_force_constants, "energies": self.n_site_energies,
                "formation": self.n_formation_energies}  # fmt: skip
        absent = tuple(word for name, n in rare.items() if not n for word in _RARE[name])
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.name.startswith(absent)}


@dataclass(frozen=True)
class ErrorTable(Mapping[str, GroupErrors]):
    """Errors by group; the last entry, ``"total"``, covers all frames.

    Attributes
    ----------
    groups : mapping of config_type to GroupErrors, ``"total"`` last
    f_max : float or None
        Atoms with a reference force above this (eV/Å) were left out of the force errors, and frames holding
        one out of the energy, virial and stress errors.
    """

    groups: Mapping[str, GroupErrors]
    f_max: float | None = None

    def __getitem__(self, group: str) -> GroupErrors:
        return self.groups[group]

    def __iter__(self) -> Iterator[str]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def total(self) -> GroupErrors:
        """Errors over all frames."""
        return self.groups[TOTAL]

    def to_dict(self) -> dict[str, dict[str, float | int | None]]:
        """``{group: {"energy_mae_meV_per_atom": …}}``: the ``errors.train`` or ``errors.test`` block."""
        return {name: errors.to_dict() for name, errors in self.groups.items()}

    def text(self) -> str:
        """Plain table for the terminal."""
        from lacemaker.analysis.tables import errors_text

        return errors_text({"": self})

    def markdown(self) -> str:
        """Markdown table."""
        from lacemaker.analysis.tables import errors_markdown

        return errors_markdown({"": self})

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True, eq=False)
class _FrameResiduals:
    """Residuals of one frame; an empty array where there is no label."""

    n_atoms: int
    energy: np.ndarray  # (0 or 1,) eV/atom
    forces: np.ndarray  # (m,) eV/Å
    virial: np.ndarray  # (0 or 6,) eV/atom
    stress: np.ndarray  # (0 or 6,) eV/Å^3
    force_constants: np.ndarray  # (m,) eV/Å^2
    energies: np.ndarray  # (0 or n_atoms,) eV
    formation: np.ndarray  # (0 or 1,) eV


_NOTHING = np.zeros(0)


def _residuals(frame: Frame, predictions: Predictions, i: int, f_max: float | None) -> _FrameResiduals:
    energy, forces, virial = predictions.energy[i], predictions.forces[i], predictions.virial[i]
    n_atoms = len(frame.numbers)
    keep = np.ones(n_atoms, dtype=bool)
    if f_max is not None and frame.forces is not None:
        keep = np.linalg.norm(frame.forces, axis=1) <= f_max
    whole = bool(keep.all())
    delta_forces = _NOTHING if frame.forces is None else (forces - frame.forces)[keep].ravel()
    delta_energy = (
        _NOTHING if frame.energy is None or not whole else np.array([(energy - frame.energy) / n_atoms])
    )
    usable = frame.virial is not None and whole and bool(np.isfinite(virial).all())
    delta_virial = virial - frame.virial if usable else _NOTHING
    delta_stress = delta_virial / frame.volume if frame.volume > 0.0 else _NOTHING
    return _FrameResiduals(
        n_atoms, delta_energy, delta_forces, delta_virial / n_atoms, delta_stress,
        *_further(frame, predictions, i),
    )  # fmt: skip


def _further(frame: Frame, predictions: Predictions, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals of force constants, site energies and formation energy, as far as labelled and predicted."""
    constants = energies = formation = _NOTHING
    found = predictions.force_constants[i] if predictions.force_constants else None
    if frame.force_constants is not None and found is not None:
        constants = (found - frame.force_constants.values).ravel()
    if frame.energies is not None and predictions.energies:
        energies = predictions.energies[i] - frame.energies
    if frame.formation_energy is not None and predictions.formation_energy is not None:
        formation = predictions.formation_energy[i : i + 1] - frame.formation_energy
    return constants, energies, formation


def _mae(values: np.ndarray, scale: float) -> float | None:
    return float(np.mean(np.abs(values)) * scale) if values.size else None


def _rmse(values: np.ndarray, scale: float) -> float | None:
    return float(np.sqrt(np.mean(values**2)) * scale) if values.size else None


def _summarise(residuals: Iterable[_FrameResiduals]) -> GroupErrors:
    rows = list(residuals)
    joined = {name: np.concatenate([_NOTHING, *(getattr(r, name) for r in rows)]) for name in QUANTITIES}
    milli, gpa = 1000.0, EV_PER_CUBIC_ANGSTROM_IN_GPA
    return GroupErrors(
        n_frames=len(rows),
        n_atoms=sum(r.n_atoms for r in rows),
        n_energies=joined["energy"].size,
        n_forces=joined["forces"].size,
        n_virials=joined["virial"].size // 6,
        energy_mae_meV_per_atom=_mae(joined["energy"], milli),
        energy_rmse_meV_per_atom=_rmse(joined["energy"], milli),
        forces_mae_eV_per_A=_mae(joined["forces"], 1.0),
        forces_rmse_eV_per_A=_rmse(joined["forces"], 1.0),
        virial_mae_meV_per_atom=_mae(joined["virial"], milli),
        virial_rmse_meV_per_atom=_rmse(joined["virial"], milli),
        stress_mae_GPa=_mae(joined["stress"], gpa),
        stress_rmse_GPa=_rmse(joined["stress"], gpa),
        n_force_constants=joined["force_constants"].size,
        force_constants_mae_eV_per_A2=_mae(joined["force_constants"], 1.0),
        force_constants_rmse_eV_per_A2=_rmse(joined["force_constants"], 1.0),
        n_site_energies=joined["energies"].size,
        energies_mae_meV=_mae(joined["energies"], milli),
        energies_rmse_meV=_rmse(joined["energies"], milli),
        n_formation_energies=joined["formation"].size,
        formation_energy_mae_meV=_mae(joined["formation"], milli),
        formation_energy_rmse_meV=_rmse(joined["formation"], milli),
    )


def error_table(
    potential: Potential | None,
    frames: Sequence[Frame],
    predictions: Predictions | None = None,
    *,
    f_max: float | None = None,
    n_threads: int = 1,
) -> ErrorTable:
    """Errors of a potential on labelled frames, grouped by config_type.

    Parameters
    ----------
    potential : Potential or None
        May be None when `predictions` are given.
    frames : Frames
        Labelled structures; any label may be missing.
    predictions : Predictions, optional
        Results of :func:`lacemaker.analysis.predict` on the same frames, to save the evaluation.
    f_max : float, optional
        In eV/Å: leave atoms with a larger reference force out of the force errors, and frames that hold one
        out of the other errors.
    n_threads : int
        Threads of the evaluation.

    Returns
    -------
    ErrorTable
        One row per config_type in order of first appearance, then ``"total"``.

    Raises
    ------
    ValueError
        If predictions and frames differ in number, or neither potential nor predictions are given.
    """
    from lacemaker.analysis.predictions import predict

    if predictions is None:
        if potential is None:
            raise ValueError("error_table needs something to compare: give a potential or predictions")
        predictions = predict(potential, frames, n_threads=n_threads)
    if len(predictions.energy) != len(frames):
        raise ValueError(
            f"predictions do not belong to these frames: {len(predictions.energy)} predictions for "
            f"{len(frames)} frames; call predict() on the same Frames object"
        )
    by_group: dict[str, list[_FrameResiduals]] = {}
    everything: list[_FrameResiduals] = []
    for i, frame in enumerate(frames):
        row = _residuals(frame, predictions, i, f_max)
        group = frame.config_type if frame.config_type != TOTAL else f"{TOTAL} (config_type)"
        by_group.setdefault(group, []).append(row)
        everything.append(row)
    groups = {name: _summarise(rows) for name, rows in by_group.items()}
    return ErrorTable({**groups, TOTAL: _summarise(everything)}, f_max)


def errors_from_dict(block: Mapping[str, Mapping[str, Any]]) -> ErrorTable:
    """Rebuild an ErrorTable from the ``errors.train`` or ``errors.test`` block of ``summary.json``."""
    return ErrorTable({name: GroupErrors(**values) for name, values in block.items()})
