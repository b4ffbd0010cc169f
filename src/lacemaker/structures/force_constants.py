"""The label `force_constants`: rows of the Hessian, with the displacements that made them.

A row belongs to one displaced atom a and one direction e; it holds the 3 N numbers::

    Φ_jβ = -[F_jβ(x + h₊ e) - F_jβ(x - h₋ e)] / (h₊ + h₋)        eV/Å²

h₊ = h₋ = h is a central difference, h₋ = 0 a one-sided one, h₊ = h₋ = 0 the derivative itself. A fit forms
the same difference of its basis functions, so that a finite-displacement reference is matched without any
error of truncation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import data_error

__all__ = ["ForceConstants", "from_file", "to_file"]

Array = NDArray[np.float64]
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
DERIVATIVE_STEP = 0.01  # Å: h of the differences x ± h, x ± 2h that stand for derivatives
KEYS = ("displaced_atom", "direction", "displacement")


@dataclass(frozen=True, eq=False)
class ForceConstants:
    """M rows of the Hessian of a structure of N atoms; arrays are read-only.

    Attributes
    ----------
    atoms : (M,) int
        The displaced atom of each row.
    directions : (M, 3)
        Unit vectors.
    steps : (M, 2) Å
        h₊ and h₋ of the differences; both 0 for the derivative itself.
    values : (M, N, 3) eV/Å²

    Raises
    ------
    DataError
        On shapes that do not fit, impossible directions or steps.
    """

    atoms: NDArray[np.int64]
    directions: Array
    steps: Array
    values: Array

    def __post_init__(self) -> None:
        atoms = np.array(self.atoms, dtype=np.int64).reshape(-1)
        m = len(atoms)
        values = np.array(self.values, dtype=np.float64)
        directions = np.array(self.directions, dtype=np.float64).reshape(-1, 3)
        steps = np.array(self.steps, dtype=np.float64).reshape(-1, 2)
        if values.ndim != 3 or values.shape[0] != m or values.shape[2] != 3 or len(directions) != m:
            raise data_error(
                "force_constants has the wrong shape",
                f"values {values.shape}, {m} displaced atoms, {len(directions)} directions",
                "give (3 n_atoms, 3 n_atoms), or one block (n_atoms, 3) per displaced atom and direction",
            )
        if len(steps) != m or not np.all((steps >= 0) & (steps < 1.0)):
            raise data_error(
                "displacements of force constants are impossible",
                f"{steps.tolist()[:3]} Å for {m} rows",
                "give half-widths in Å such as 0.01, or 0 for derivatives",
            )
        if m and (atoms.min() < 0 or atoms.max() >= values.shape[1]):
            raise data_error(
                "displaced_atom names an atom that does not exist",
                f"{atoms.tolist()[:5]} for {values.shape[1]} atoms",
                "count atoms from 0",
            )
        norms = np.linalg.norm(directions, axis=1, keepdims=True)
        if not (np.isfinite(values).all() and np.isfinite(directions).all() and np.all(norms > 1e-8)):
            raise data_error(
                "force constants hold numbers that are not finite, or a direction without length",
                f"{m} rows",
                "remove the label, or correct it",
            )
        directions /= norms
        for name, array in (
            ("atoms", atoms), ("directions", directions), ("steps", steps), ("values", values)
        ):  # fmt: skip
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def full(cls, hessian: Any, *, step: float = 0.0) -> ForceConstants:
        """All rows of a Hessian (3 N, 3 N) or (N, N, 3, 3), eV/Å²; `step` is the half-width behind it."""
        matrix = np.asarray(hessian, dtype=np.float64)
        if matrix.ndim == 4:
            matrix = matrix.transpose(0, 2, 1, 3).reshape(3 * matrix.shape[0], -1)
        n = matrix.shape[0] // 3
        if matrix.shape != (3 * n, 3 * n):
            raise data_error(
                "force_constants has the wrong shape",
                f"{matrix.shape}",
                "give a square Hessian (3 n_atoms, 3 n_atoms)",
            )
        return cls(
            np.repeat(np.arange(n), 3), np.tile(np.eye(3), (n, 1)), np.full((3 * n, 2), step),
            matrix.reshape(3 * n, n, 3),
        )  # fmt: skip

    @classmethod
    def from_forces(
        cls, atom: int, direction: Any, step: float, plus: Any, minus: Any | None = None
    ) -> ForceConstants:
        """One row from the forces (N, 3) at +step and at -step Å (or, one-sided, of a force-free start)."""
        plus = np.asarray(plus, dtype=np.float64)
        back = 0.0 if minus is None else step
        before = np.zeros_like(plus) if minus is None else np.asarray(minus, dtype=np.float64)
        steps = np.array([[step, back]], dtype=np.float64)
        values = -(plus - before)[None] / (step + back)
        return cls(np.array([atom]), np.array([direction], dtype=np.float64), steps, values)

    def joined(self, other: ForceConstants) -> ForceConstants:
        """The rows of both."""
        names = ("atoms", "directions", "steps", "values")
        return ForceConstants(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def __len__(self) -> int:
        return len(self.atoms)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.atoms, self.directions, self.steps, self.values)

    def tobytes(self) -> bytes:
        """Everything, for hashes."""
        return b"".join(
            (np.asarray(a) + 0).tobytes() for a in (self.atoms, self.directions, self.steps, self.values)
        )

    def geometries(self, row: int, positions: Array) -> list[tuple[float, Array]]:
        """Positions and weights w of a row: Φ = -Σ w F(positions). Derivatives: fourth order, h = 0.01 Å."""
        forward, backward = self.steps[row]
        if forward + backward == 0.0:
            h = DERIVATIVE_STEP
            parts = [(2 * h, -1 / (12 * h)), (h, 8 / (12 * h)), (-h, -8 / (12 * h)), (-2 * h, 1 / (12 * h))]
        else:
            width = forward + backward
            parts = [(forward, 1 / width), (-backward, -1 / width)]
        out = []
        for step, weight in parts:
            moved = positions.copy()
            moved[self.atoms[row]] += step * self.directions[row]
            out.append((weight, moved))
        return out


def from_file(array: Any, info: Mapping[str, Any], source: str, n_atoms: int) -> ForceConstants:
    """The label from a per-atom array (N, 3 M) and ``displaced_atom``, ``direction``, ``displacement``.

    ``direction`` is x, y or z, or three numbers, per row; ``displacement`` the half-width h of central
    differences in Å (one for all rows, one per row, or two per row: h₊ h₋), by default 0: derivatives.
    """
    values = np.asarray(array, dtype=np.float64)
    missing = [key for key in KEYS[:2] if key not in info]
    if missing or values.ndim != 2 or values.shape[1] % 3:
        raise data_error(
            f"{source}: force constants are incomplete",
            f"columns {values.shape}, comment line without {', '.join(missing) or 'nothing'}",
            "give columns force_constants:R:3 and displaced_atom=0 direction=x displacement=0.01",
        )
    m = values.shape[1] // 3
    atoms = np.asarray(info["displaced_atom"], dtype=np.float64).reshape(-1)
    directions = _directions(info["direction"], source)
    steps = np.asarray(info.get("displacement", 0.0), dtype=np.float64).reshape(-1)
    if len(steps) in (1, m):
        steps = np.repeat(np.broadcast_to(steps, (m,)), 2)
    if len(atoms) != m or len(directions) != m or len(steps) != 2 * m or np.any(atoms % 1 != 0):
        raise data_error(
            f"{source}: force constants do not say which atoms moved",
            f"{m} blocks of columns, {len(atoms)} displaced atoms, {len(directions)} directions",
            "give one displaced_atom (counted from 0) and one direction per three columns",
        )
    blocks = values.reshape(n_atoms, m, 3).transpose(1, 0, 2)
    try:
        return ForceConstants(atoms.astype(np.int64), directions, steps.reshape(m, 2), blocks)
    except Exception as error:
        raise type(error)(f"{source}: {error}") from error


def to_file(constants: ForceConstants) -> tuple[dict[str, Any], Array]:
    """Comment-line entries and the array (N, 3 M) that `from_file` reads."""
    info = {
        "displaced_atom": constants.atoms.astype(float),
        "direction": constants.directions.ravel(),
        "displacement": constants.steps.ravel(),
    }
    m, n, _ = constants.values.shape
    return info, constants.values.transpose(1, 0, 2).reshape(n, 3 * m)


def _directions(value: Any, source: str) -> Array:
    if isinstance(value, str):
        words = value.split()
        if all(word in _AXES for word in words):
            return np.array([_AXES[word] for word in words])
    elif isinstance(value, (list, tuple, np.ndarray)) and all(str(v) in _AXES for v in np.ravel(value)):
        return np.array([_AXES[str(v)] for v in np.ravel(value)])
    try:
        array = np.asarray(value.split() if isinstance(value, str) else value, dtype=np.float64).ravel()
    except ValueError:
        array = np.zeros(1)
    if len(array) % 3 or not len(array):
        raise data_error(
            f"{source}: direction must be x, y, z or three numbers per displaced atom",
            repr(value)[:60],
            'write direction=x or direction="0.7071 0.7071 0"',
        )
    return array.reshape(-1, 3)
