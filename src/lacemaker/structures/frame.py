"""One labelled structure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacemaker.structures._messages import data_error
from lacemaker.structures.elements import SYMBOLS
from lacemaker.structures.force_constants import ForceConstants
from lacemaker.structures.geometry import cell_volume, check_cell, is_isolated_name

if TYPE_CHECKING:
    import ase

__all__ = ["QUANTITIES", "Frame"]

QUANTITIES = ("energy", "forces", "virial", "force_constants", "energies", "formation_energy")
"""Quantities a frame may be labelled with, in the order of their rows."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure and what a reference calculation says about it; a missing label is None.

    Arrays are converted to float64 (numbers to int64), made C-contiguous and read-only.

    Parameters
    ----------
    numbers : (n_atoms,) int
        Atomic numbers.
    positions : (n_atoms, 3) Å
    cell : (3, 3) Å
        Lattice vectors in rows; zeros where absent.
    pbc : (3,) bool
    energy : float or None
        Total energy, eV.
    forces : (n_atoms, 3) eV/Å or None
    virial : (6,) eV or None
        xx yy zz yz xz xy of W = -dE/d(strain) = -V·stress (ASE's stress): positive when compressed.
    force_constants : ForceConstants, (3 n_atoms, 3 n_atoms) eV/Å^2 or None
        Rows of the Hessian; a full matrix is turned into all its rows.
    config_type : str
        Group for weights and error tables.
    weights : mapping
        Multipliers of this frame's residuals by quantity; a missing quantity means 1. See `weights.py`.
    source : str
        Where it came from, e.g. ``"train.xyz frame 12 (line 830)"``, for messages.
    force_weights : (n_atoms,) or None
        Further multipliers of the force residuals of each atom; 0 leaves an atom's forces out.
    group : str or None
        Frames of one group are relatives (say one trajectory), which splits keep together.
    split : str or None
        The part a data set's author assigned this frame to, e.g. ``"train"`` or ``"test"``.
    energies : (n_atoms,) eV or None
        Site energies, where the reference has them; they sum to the energy.
    reference : Frame or None
        Bulk cell of a defect cell; see `with_formation_energies`.
    label_keys : mapping
        The key each label was read from, by quantity.

    Raises
    ------
    DataError
        On wrong shapes, numbers that are not finite, dummy atoms or a periodic cell without volume.
    """

    numbers: NDArray[np.int64]
    positions: Array
    cell: Array
    pbc: NDArray[np.bool_]
    energy: float | None = None
    forces: Array | None = None
    virial: Array | None = None
    force_constants: ForceConstants | None = None
    config_type: str = "default"
    weights: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    force_weights: Array | None = None
    group: str | None = None
    split: str | None = None
    label_keys: Mapping[str, str] = field(default_factory=dict)
    energies: Array | None = None
    reference: Frame | None = None

    def __post_init__(self) -> None:
        numbers = self._array("numbers", (None,), np.int64)
        n = len(numbers)
        self._array("positions", (n, 3))
        self._array("cell", (3, 3))
        self._array("pbc", (3,), np.bool_)
        self._array("forces", (n, 3))
        self._array("virial", (6,))
        self._array("energies", (n,))
        self._constants(n)
        self._array("force_weights", (n,))
        self._set("energy", None if self.energy is None else self._finite("energy", self.energy))
        self._set("weights", MappingProxyType({k: float(v) for k, v in self.weights.items()}))
        self._set("label_keys", MappingProxyType(dict(self.label_keys)))
        self._check_numbers()
        check_cell(self.cell, self.pbc, self.source)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _where(self) -> str:
        return f"{self.source}: " if self.source else ""

    def _finite(self, name: str, value: Any) -> Any:
        array = np.asarray(value, dtype=np.float64)
        if not np.all(np.isfinite(array)):
            first = tuple(np.argwhere(~np.isfinite(array))[0])
            at = f" at atom {first[0]}" if name in ("positions", "forces", "force_weights") else ""
            raise data_error(
                f"{self._where()}{name} holds numbers that are not finite",
                f"{array[first]}{at}",
                "remove this frame, or leave the label out: a missing label is fine, NaN is not",
            )
        return float(array) if array.ndim == 0 else value

    def _array(self, name: str, shape: tuple[int | None, ...], dtype: Any = np.float64) -> Any:
        value = getattr(self, name)
        if value is None:
            return None
        array = np.array(value, dtype=dtype, order="C")  # always a copy: the caller's array stays theirs
        fits = array.ndim == len(shape) and all(
            s in (None, a) for s, a in zip(shape, array.shape, strict=True)
        )
        if not fits:
            wanted = "(" + ", ".join("n_atoms" if s is None else str(s) for s in shape) + ")"
            raise data_error(
                f"{self._where()}{name} has the wrong shape",
                f"{array.shape}, where {wanted} belongs",
                "give one value per atom and component, in the order of the atoms",
            )
        if dtype is np.float64:
            self._finite(name, array)
        array.flags.writeable = False
        self._set(name, array)
        return array

    def _constants(self, n: int) -> None:
        given = self.force_constants
        if given is None:
            return
        constants = given if isinstance(given, ForceConstants) else ForceConstants.full(given)
        if constants.values.shape[1] != n:
            raise data_error(
                f"{self._where()}force_constants has the wrong shape",
                f"rows of {constants.values.shape[1]} atoms for a structure of {n}",
                "give one block of three columns per displaced atom and direction",
            )
        self._set("force_constants", constants)

    def _check_numbers(self) -> None:
        numbers = self.numbers
        if len(numbers) == 0:
            raise data_error(
                f"{self._where()}the structure has no atoms", "0 atoms", "remove this frame from the data"
            )
        if numbers.min() < 1 or numbers.max() >= len(SYMBOLS):
            i = int(np.argmax((numbers < 1) | (numbers >= len(SYMBOLS))))
            raise data_error(
                f"{self._where()}an atom is not a chemical element",
                f"atomic number {numbers[i]} at atom {i} (0 is the dummy atom X)",
                "remove dummy atoms or give the element",
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        # through the constructor, so that arrays are read-only on the other side too
        fields = [getattr(self, name) for name in self.__dataclass_fields__]
        return type(self), tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in fields)

    def __repr__(self) -> str:
        labels = " ".join(q for q in QUANTITIES if getattr(self, q) is not None) or "no labels"
        return f"<Frame {self.formula}, {self.config_type}, {labels}{', ' * bool(self.source)}{self.source}>"

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of each atom."""
        return [SYMBOLS[z] for z in self.numbers]

    @property
    def formula(self) -> str:
        """Composition ordered by atomic number, e.g. ``"O2Ti"``."""
        values, counts = np.unique(self.numbers, return_counts=True)
        return "".join(SYMBOLS[z] + (str(c) if c > 1 else "") for z, c in zip(values, counts, strict=True))

    @property
    def volume(self) -> float:
        """Volume of the cell, Å^3; zero where it has none."""
        return cell_volume(self.cell)

    @property
    def formation_energy(self) -> float | None:
        """Energy minus that of as many atoms of the reference cell, eV, or None without one."""
        bulk = self.reference
        if bulk is None or self.energy is None or bulk.energy is None:
            return None
        return self.energy - len(self) / len(bulk) * bulk.energy

    @property
    def is_isolated_atom(self) -> bool:
        """Whether this is one atom whose config_type says that it is alone."""
        return len(self.numbers) == 1 and is_isolated_name(self.config_type)

    def has(self, quantity: str) -> bool:
        """Whether the frame is labelled with a quantity of `QUANTITIES`."""
        return getattr(self, quantity) is not None

    def content_hash(self) -> str:
        """Return the SHA-256 hex digest of everything that enters a fit.

        Structure, labels, config_type and weights do; where the frame came from does not.
        """
        digest = hashlib.sha256(b"lacemaker frame 1")
        for name in ("numbers", "positions", "cell", "pbc", "energy", "forces", "virial",
                     "force_constants", "force_weights", "energies"):  # fmt: skip
            value = getattr(self, name)
            if name == "energies" and value is None:
                continue  # frames without them keep the digest they always had
            digest.update(f"|{name}:".encode())
            if isinstance(value, ForceConstants):
                digest.update(value.tobytes())
            elif value is not None:
                array = np.asarray(value)
                # adding zero turns -0.0 into 0.0, which mean the same
                digest.update(np.asarray(array + 0 if array.dtype.kind == "f" else array).tobytes())
        if self.reference is not None:
            digest.update(f"|reference:{self.reference.content_hash()}".encode())
        weights = sorted((k, v) for k, v in self.weights.items() if v != 1.0)
        digest.update(f"|{self.config_type}|{weights!r}".encode())
        return digest.hexdigest()

    def structure_hash(self) -> str:
        """Return a digest of the structure alone, with positions rounded to 1e-5 Å.

        Two frames with the same digest show the same atoms in the same order, whatever their labels.
        """
        digest = hashlib.sha256(self.numbers.tobytes() + self.pbc.tobytes())
        relative = self.positions - self.positions[0]
        for array in (relative, self.cell * self.pbc[:, None]):
            digest.update((np.round(array, 5) + 0.0).tobytes())
        return digest.hexdigest()

    def to_atoms(self) -> ase.Atoms:
        """Return an `ase.Atoms` with labels under ``REF_*`` in info and arrays, and no calculator.

        ``REF_virial`` is nine numbers: other shapes do not survive extended XYZ.
        """
        from ase import Atoms

        from lacemaker.structures.writing import frame_arrays, frame_info

        atoms = Atoms(numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=self.pbc)
        atoms.info.update(frame_info(self))
        for name, array in frame_arrays(self).items():
            atoms.new_array(name, array)
        return atoms
