"""Force constants from phonopy's files: ``phonopy*.yaml`` with its forces, FORCE_SETS or FORCE_CONSTANTS."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import DataError
from lacemaker.structures._messages import data_error
from lacemaker.structures.force_constants import ForceConstants
from lacemaker.structures.frame import Frame

__all__ = ["is_phonopy_file", "read_phonopy"]

Array = NDArray[np.float64]
_BESIDE = ("FORCE_SETS", "FORCE_CONSTANTS", "force_constants.hdf5")
_STEP = 0.01  # Å; phonopy's usual displacement, behind force constants that do not tell theirs


def is_phonopy_file(path: Path) -> bool:
    """Whether a file is phonopy's by its name: ``phonopy.yaml``, ``phonopy_params.yaml`` and the like."""
    name = path.name.lower()
    return name.startswith("phonopy") and name.removesuffix(".xz").endswith((".yaml", ".yml"))


def read_phonopy(
    path: str | os.PathLike[str],
    *,
    force_sets: str | os.PathLike[str] | None = None,
    force_constants: str | os.PathLike[str] | None = None,
    config_type: str = "phonons",
) -> Frame:
    """Read a supercell with the force constants that phonopy's files hold.

    Parameters
    ----------
    path : path
        ``phonopy_params.yaml``, ``phonopy_disp.yaml`` or ``phonopy.yaml``, which says what the supercell is.
    force_sets, force_constants : path, optional
        FORCE_SETS, or FORCE_CONSTANTS (also force_constants.hdf5). Default: what the YAML file itself holds,
        else such a file beside it. Displacements and forces are preferred: a fit takes the same differences,
        and pairs of opposite displacements become central ones.
    config_type : str

    Returns
    -------
    Frame
        The perfect supercell, labelled with `force_constants` alone, in eV and Å whatever code made them.

    Raises
    ------
    DataError
        If phonopy is missing, or the files hold no forces of single displaced atoms.
    """
    path = Path(path)
    phonon = _load(path, force_sets, force_constants)
    length, force = _units(phonon)
    cell = phonon.supercell
    dataset = phonon.dataset or {}
    moved = [d for d in dataset.get("first_atoms", ()) if "forces" in d]
    if moved:
        label = _from_displacements(moved, length, force)
    elif phonon.force_constants is not None:
        label = _from_constants(phonon, force / length)
    else:
        random = "displacements" in dataset
        raise data_error(
            f"{path}: no force constants for a fit",
            "displacements of all atoms at once" if random else "neither forces nor force constants",
            "read those cells as structures with forces" if random else "put FORCE_SETS beside it or name it",
        )
    return Frame(
        numbers=cell.numbers,
        positions=np.asarray(cell.positions) * length,
        cell=np.asarray(cell.cell) * length,
        pbc=np.ones(3, dtype=bool),
        force_constants=label,
        config_type=config_type,
        source=str(path),
        label_keys={"force_constants": "phonopy"},
    )


def _load(path: Path, force_sets: Any, force_constants: Any) -> Any:
    try:
        import phonopy
    except ImportError as error:
        raise data_error(
            f"{path}: phonopy is needed to read its files",
            "no module of that name",
            "pip install 'lacemaker[validate]'",
        ) from error
    found = {name: path.parent / name for name in _BESIDE if (path.parent / name).is_file()}
    named = force_sets is not None or force_constants is not None
    options: dict[str, Any] = {"produce_fc": False, "symmetrize_fc": False, "is_nac": False, "log_level": 0}
    try:
        if not named:
            phonon = phonopy.load(path, **options)
            if phonon.force_constants is not None or _has_forces(phonon):
                return phonon
            force_sets = found.get("FORCE_SETS")
            if force_sets is None:
                force_constants = found.get("FORCE_CONSTANTS") or found.get("force_constants.hdf5")
        return phonopy.load(
            path, force_sets_filename=force_sets, force_constants_filename=force_constants, **options
        )
    except DataError:
        raise
    except Exception as error:  # phonopy raises errors of many kinds
        raise data_error(
            f"{path} cannot be read by phonopy", f"{type(error).__name__}: {error}", "check the files"
        ) from error


def _has_forces(phonon: Any) -> bool:
    dataset = phonon.dataset or {}
    return "forces" in dataset or any("forces" in d for d in dataset.get("first_atoms", ()))


def _units(phonon: Any) -> tuple[float, float]:
    """Å and eV/Å per unit of length and force."""
    from phonopy.interface import calculator

    units = getattr(calculator, "get_calculator_physical_units", None)
    if units is not None:
        found = units(phonon.calculator)
        return float(found.distance_to_A), float(found.force_to_eVperA)
    old = calculator.get_default_physical_units(phonon.calculator)
    return float(old["distance_to_A"]), float(old.get("force_to_eVperA") or 1.0)


def _from_displacements(moved: Sequence[Any], length: float, force: float) -> ForceConstants:
    """Rows of type-I displacements; opposite ones of an atom are joined."""
    left = [
        (int(d["number"]), np.asarray(d["displacement"]) * length, np.asarray(d["forces"]) * force)
        for d in moved
    ]
    rows: ForceConstants | None = None
    while left:
        atom, step, plus = left.pop(0)
        opposite = [k for k, (a, s, _) in enumerate(left) if a == atom and np.abs(s + step).max() < 1e-6]
        minus = left.pop(opposite[0])[2] if opposite else None
        size = float(np.linalg.norm(step))
        row = ForceConstants.from_forces(atom, step, size, plus, minus)
        rows = row if rows is None else rows.joined(row)
    assert rows is not None
    return rows


def _from_constants(phonon: Any, factor: float) -> ForceConstants:
    """Rows of a full or compact matrix (n, N, 3, 3)."""
    constants = np.asarray(phonon.force_constants) * factor
    n, size = constants.shape[:2]
    atoms = np.arange(size) if n == size else np.asarray(phonon.primitive.p2s_map)
    values = constants.transpose(0, 2, 1, 3).reshape(3 * n, size, 3)
    return ForceConstants(np.repeat(atoms, 3), np.tile(np.eye(3), (n, 1)), np.full((3 * n, 2), _STEP), values)
