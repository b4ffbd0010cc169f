"""From what a file says about one structure to a `Frame`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import Notices, data_error
from lacemaker.structures.force_constants import from_file
from lacemaker.structures.frame import Frame
from lacemaker.structures.geometry import cell_volume
from lacemaker.structures.keys import Choice, value_of
from lacemaker.structures.values import StressConvention, agree, to_energy, to_forces, to_voigt
from lacemaker.structures.weights import frame_multipliers
from lacemaker.structures.xyz import RawFrame

__all__ = ["to_frame"]

Array = NDArray[np.float64]


def to_frame(
    raw: RawFrame,
    results: dict[str, Any],
    chosen: dict[str, Choice],
    convention: StressConvention,
    words: tuple[str, str, str],
    notices: Notices,
) -> Frame:
    """Build a frame from raw atoms, the keys chosen for their file, and the keys of type, group and split."""
    atoms, source = raw.atoms, raw.source
    given = {q: value_of(atoms, results, c.key, q) for q, c in chosen.items()}
    given = {q: v for q, v in given.items() if v is not None}
    keys = {q: chosen[q].key for q in given}
    energy = to_energy(given["energy"], keys["energy"], source) if "energy" in given else None
    forces = to_forces(given["forces"], keys["forces"], source, len(atoms)) if "forces" in given else None
    virial, virial_key = _virial(raw, given, keys, convention, forces, notices)
    constants = energies = None
    if "force_constants" in given and _is_label(raw, chosen["force_constants"], notices):
        constants = from_file(given["force_constants"], atoms.info, source, len(atoms))
    if "energies" in given:
        energies = np.asarray(given["energies"], dtype=np.float64)
    labels = {q: keys.get(q) for q in ("energy", "forces", "force_constants", "energies")}
    if constants is None:
        labels["force_constants"] = None
    labels["virial"] = virial_key
    config_type, group, split = (raw.word(key) for key in words)
    return Frame(
        numbers=atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=atoms.pbc,
        energy=energy,
        forces=forces,
        virial=virial,
        force_constants=constants,
        energies=energies,
        config_type=config_type or "default",
        weights=frame_multipliers(atoms.info, source),
        source=source,
        force_weights=_force_weights(raw, notices),
        group=group,
        split=split,
        label_keys={q: k for q, k in labels.items() if k is not None},
    )


def _is_label(raw: RawFrame, choice: Choice, notices: Notices) -> bool:
    """Whether force constants are a label: a plain column without displaced atoms may be anything."""
    if "displaced_atom" in raw.atoms.info or choice.key != "force_constants":
        return True
    notices.add(
        "a column force_constants is not used, as it does not say which atoms moved",
        raw.source,
        "add displaced_atom=0 direction=x displacement=0.01 to the comment line to fit it",
    )
    return False


def _virial(
    raw: RawFrame,
    given: dict[str, Any],
    keys: dict[str, str],
    convention: StressConvention,
    forces: Array | None,
    notices: Notices,
) -> tuple[Array | None, str | None]:
    """Return the virial, from either label, and the key it came from; two labels must agree."""
    source = raw.source
    virial = stress = None
    if "virial" in given:
        virial = to_voigt(given["virial"], keys["virial"], source, convention.order)
        virial = _of_periodic(virial, raw, forces, notices)
    if "stress" in given:
        stress = to_voigt(given["stress"], keys["stress"], source, convention.order) * convention.factor
        stress = _with_volume(stress, raw, notices)
    volume = cell_volume(raw.atoms.cell.array)
    if virial is not None and stress is not None:
        agree(virial, stress, volume, source)
    if virial is not None:
        return virial, keys["virial"]
    if stress is not None:
        return -volume * stress, keys["stress"]
    return None, None


def _with_volume(stress: Array, raw: RawFrame, notices: Notices) -> Array | None:
    atoms = raw.atoms
    volume = cell_volume(atoms.cell.array)
    if volume > 0.0 and atoms.pbc.any():
        return stress
    if np.any(stress):
        notices.add(
            "stresses were left out, as their structures are not periodic or have no volume",
            f"{raw.source}, pbc {atoms.pbc.tolist()}, volume {volume:.4g} Å^3",
            "give the cell and pbc of the calculation, or a virial",
        )
    return None


def _of_periodic(virial: Array, raw: RawFrame, forces: Array | None, notices: Notices) -> Array | None:
    if raw.atoms.pbc.any() or _follows_from_forces(virial, raw.atoms.positions, forces):
        return virial
    if np.any(virial):
        notices.add(
            "virials were left out, as their structures are not periodic",
            f"{raw.source}, {np.round(virial, 4).tolist()} eV, which is not the sum of positions·forces",
            "give the pbc of the calculation, or remove the virial",
        )
    return None


def _follows_from_forces(virial: Array, positions: Array, forces: Array | None) -> bool:
    """Whether W = sum over atoms of r (x) f, which must hold without periodicity."""
    if forces is None:
        return False
    w = positions.T @ forces
    w = 0.5 * (w + w.T)
    expected = w[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return bool(np.abs(virial - expected).max() <= 0.02 * np.abs(expected).max() + 1e-3 * len(positions))


def _force_weights(raw: RawFrame, notices: Notices) -> Any:
    arrays = raw.atoms.arrays
    weights = arrays.get("force_weights")
    if weights is None:
        if "force_mask" in arrays or "forces_mask" in arrays:
            notices.add(
                "masks of forces are not used, as codes disagree whether T keeps or drops",
                f"a column force_mask or forces_mask in {raw.source}",
                "write a column force_weights:R:1 with 1 for atoms whose forces count and 0 for others",
            )
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 1 or not np.all(array >= 0) or not np.all(np.isfinite(array)):
        raise data_error(
            f"{raw.source}: force_weights must be one non-negative number per atom",
            f"shape {array.shape}, smallest {array.min():.3g}",
            "give 1 for atoms whose forces count fully and 0 to leave them out",
        )
    return array
