"""Rows of the least-squares problem, one structure at a time.

A row source turns a structure into its design: the derivative of every observable with respect to every
basis coefficient, and the baseline (core repulsion) already known. :func:`row_blocks` scales the design and
pairs it with the structure's labels:

    energy  Σ_i B_k(i) / √N,   forces  -dB_k/dx,   virial  -dB_k/dε / √N   (the scaling of ACEpotentials)

times the frame's own multipliers (:func:`lacemaker.structures.row_multipliers`). One-body columns hold the
number of atoms of each element; targets are label - baseline, with E0 *not* subtracted.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import ConfigError, DataError
from lacemaker.structures import Frame, row_multipliers
from lacemaker.structures.elements import SYMBOLS, atomic_number

__all__ = ["BasisRows", "Design", "RowBlock", "RowSource", "row_blocks"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """Design of one structure of N atoms.

    Attributes
    ----------
    rows : (1 + 3N + 6, K) array
        Energy, forces (atom by atom, x y z), virial (xx yy zz yz xz xy). May be a buffer that the next call
        of the source overwrites.
    baseline : (1 + 3N + 6,) array
        The same observables of what is not fitted (ZBL core), eV and eV/Å.
    """

    rows: Matrix
    baseline: Matrix


@runtime_checkable
class RowSource(Protocol):
    """Anything that makes designs; must pickle, and may be called from several threads at once."""

    @property
    def elements(self) -> tuple[str, ...]: ...
    @property
    def functions(self) -> tuple[Any, ...]: ...
    @property
    def n_functions(self) -> int: ...
    @property
    def basis(self) -> Any: ...
    def fingerprint(self) -> str:
        """Text that changes whenever the designs do."""
        ...

    def design(self, frame: Frame) -> Design: ...


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Rows of one kind of one structure, as the column blocks [one_body | basis | target]."""

    kind: str
    one_body: Matrix  # (m, NZ)
    basis: Matrix  # (m, K)
    target: Matrix  # (m, 1)
    square_sum: float  # sum of the squared multipliers over the rows


def row_blocks(frame: Frame, design: Design, elements: tuple[str, ...]) -> Iterator[RowBlock]:
    """Scaled rows of every label the frame has; see the module's head for the formulas.

    Raises
    ------
    DataError
        When a row or target is not finite.
    """
    n_atoms = len(frame.numbers)
    counts = np.array([np.sum(frame.numbers == atomic_number(symbol)) for symbol in elements], dtype=float)
    parts = {
        "energy": slice(0, 1),
        "forces": slice(1, 1 + 3 * n_atoms),
        "virial": slice(1 + 3 * n_atoms, None),
    }
    multipliers = row_multipliers(frame)
    for kind, label in _labels(frame).items():
        rows, target = design.rows[parts[kind]], label - design.baseline[parts[kind]]
        if not np.isfinite(rows.sum() + target.sum()):
            raise DataError(
                f"{frame.source or 'A structure'}: its {kind} rows hold NaN or infinite numbers. This "
                "happens when two atoms lie on top of each other. Remove the structure; `lace check` finds "
                "such atoms."
            )
        one_body = counts[None, :] if kind == "energy" else np.zeros((len(target), len(counts)))
        if kind != "forces":
            per_atom = np.full(len(target), 1.0 / n_atoms)
            yield _block(f"{kind}_per_atom", one_body, rows, target, per_atom, float(len(target)))
        scale = _row_scale(multipliers[kind], len(target))
        size = 1.0 if kind == "forces" else float(n_atoms)
        yield _block(kind, one_body, rows, target, scale, size * float(scale @ scale))


def _row_scale(multiplier: float | Matrix, n_rows: int) -> Matrix:
    """One multiplier per row, from one number or one number per atom."""
    if np.ndim(multiplier) == 0:
        return np.full(n_rows, float(multiplier))
    return np.repeat(np.asarray(multiplier), 3)


def _block(
    kind: str, one_body: Matrix, rows: Matrix, target: Matrix, scale: Matrix, square_sum: float
) -> RowBlock:
    """Scale rows and drop those of scale zero."""
    if not np.all(scale == 1.0):
        used = scale != 0.0
        one_body, rows, target, scale = one_body[used], rows[used], target[used], scale[used]
        one_body, rows, target = one_body * scale[:, None], rows * scale[:, None], target * scale
    return RowBlock(kind, one_body, rows, target[:, None], square_sum)


def _labels(frame: Frame) -> dict[str, Matrix]:
    labels: dict[str, Matrix] = {}
    if frame.energy is not None:
        labels["energy"] = np.array([frame.energy], dtype=float)
    if frame.forces is not None:
        labels["forces"] = np.asarray(frame.forces, dtype=float).ravel()
    if frame.virial is not None:
        labels["virial"] = np.asarray(frame.virial, dtype=float)
    return labels


class BasisRows:
    """Rows of an :class:`lacemaker.basis.ACEBasis`.

    Parameters
    ----------
    basis : ACEBasis
    engine : {"kernel", "reference"}
        The compiled kernel, or the NumPy oracle (hundreds of times slower; for checks).
    isa : str
        Instruction set of the kernel; "auto" takes the best this machine has.
    """

    def __init__(
        self, basis: Any, *, engine: Literal["kernel", "reference"] = "kernel", isa: str = "auto"
    ) -> None:
        if engine not in ("kernel", "reference"):
            raise ConfigError(
                f"Unknown row engine {engine!r}. Known: 'kernel' (compiled) and 'reference' (NumPy). "
                "Use 'kernel'."
            )
        self._basis = basis
        self._engine = engine
        self._isa = isa
        self._make: Any = None
        self._lock = threading.Lock()
        self._local = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (json.dumps(self._basis.spec(), sort_keys=True), self._engine, self._isa)

    @property
    def basis(self) -> Any:
        """The basis."""
        return self._basis

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols, in the order of the one-body columns."""
        return tuple(self._basis.elements)

    @property
    def functions(self) -> tuple[Any, ...]:
        """Quantum numbers of the K columns."""
        return tuple(self._basis.columns)

    @property
    def n_functions(self) -> int:
        """Number of columns K."""
        return int(self._basis.n_functions)

    def fingerprint(self) -> str:
        """Hash of the basis specification and the engine."""
        text = json.dumps(self._basis.spec(), sort_keys=True) + self._engine
        return hashlib.sha256(text.encode()).hexdigest()

    def design(self, frame: Frame, *, sites: NDArray[np.bool_] | None = None) -> Design:
        """Design of one frame; the rows live in a buffer of the calling thread.

        With `sites` (n_atoms,) only these atoms keep their neighbours: forces and virial are those of their
        site energies.
        """
        species = self._species(frame)
        neighbours = self._neighbours(frame)
        if sites is not None:
            neighbours = neighbours.around(sites)
        if self._engine == "reference":
            return self._reference_design(frame, species, neighbours)
        buffer = self._buffer(7 + 3 * len(species))
        baseline = self._kernel().fill(frame, species, neighbours, buffer)
        return Design(buffer[:, : self.n_functions], baseline)

    def site_design(self, frame: Frame) -> tuple[Matrix, Matrix]:
        """Site functions (n_atoms, K) of one frame, and site energies (n_atoms,) of what is not fitted."""
        species = self._species(frame)
        neighbours = self._neighbours(frame)
        if self._engine == "reference":
            from lacemaker.basis import reference

            sites, _, _ = reference.core_repulsion(
                self._basis, frame.positions, frame.cell, species, neighbours
            )
            rows = reference.evaluate(
                self._basis, frame.positions, frame.cell, frame.pbc, species, neighbours
            )
            return rows, sites
        return self._kernel().sites(frame, species, neighbours, self._buffer(len(species)))

    def _kernel(self) -> "_Kernel":
        with self._lock:
            if self._make is None:
                self._make = _Kernel(self._basis, self._isa)
        return self._make

    def _reference_design(self, frame: Frame, species: NDArray[np.int32], neighbours: Any) -> Design:
        from lacemaker.basis import reference

        rows = reference.design(self._basis, frame.positions, frame.cell, frame.pbc, species, neighbours)
        sites, forces, virial = reference.core_repulsion(
            self._basis, frame.positions, frame.cell, species, neighbours
        )
        return Design(
            np.concatenate([rows.energy[None, :], rows.forces, rows.virial]),
            np.concatenate([[sites.sum()], forces.ravel(), virial]),
        )

    def _neighbours(self, frame: Frame) -> Any:
        from lacemaker.structures import neighbour_list

        return neighbour_list(frame.positions, frame.cell, frame.pbc, self._basis.cutoff)

    def _species(self, frame: Frame) -> NDArray[np.int32]:
        table = np.full(len(SYMBOLS), -1, dtype=np.int32)
        for index, symbol in enumerate(self.elements):
            table[atomic_number(symbol)] = index
        species = table[frame.numbers]
        if np.any(species < 0):
            missing = sorted({SYMBOLS[z] for z in frame.numbers[species < 0]})
            raise DataError(
                f"{frame.source or 'A structure'} holds elements outside the basis. "
                f"Found {', '.join(missing)}; the basis knows {', '.join(self.elements)}. "
                "Add the elements to the basis or remove the structure."
            )
        return species

    def _buffer(self, n_rows: int) -> Matrix:
        """Rows buffer of this thread: padded so that its row stride is not a multiple of 512 bytes."""
        width = -(-self.n_functions // 8) * 8
        width += 8 if width % 64 == 0 else 0
        flat = getattr(self._local, "buffer", None)
        if flat is None or flat.size < n_rows * width:
            self._local.buffer = flat = np.empty(n_rows * width)
        return flat[: n_rows * width].reshape(n_rows, width)


@lru_cache(maxsize=4)
def _rebuild(spec: str, engine: Literal["kernel", "reference"], isa: str) -> BasisRows:
    from lacemaker.basis import ACEBasis

    return BasisRows(ACEBasis.from_spec(json.loads(spec)), engine=engine, isa=isa)


class _Kernel:
    """The compiled design rows of a basis, and the baseline of its core repulsion if it has one."""

    def __init__(self, basis: Any, isa: str) -> None:
        from lacemaker import _core

        tables = _core.Tables(**basis.kernel_tables())
        self._rows = _core.DesignRows(tables, **basis.design_tables(), isa=isa)
        self._core_repulsion: Any = None
        if basis.specification.repulsion is not None:
            empty = basis.contract(np.zeros(basis.n_functions), np.zeros(len(basis.elements)))
            self._core_repulsion = _core.Evaluator(tables, **empty, isa=isa)

    def fill(self, frame: Frame, species: NDArray[np.int32], neighbours: Any, out: Matrix) -> Matrix:
        """Write the design into ``out`` and return the baseline (1 + 3N + 6,)."""
        geometry = _geometry(frame, species, neighbours)
        self._rows.rows(*geometry, out)
        if self._core_repulsion is None:
            return np.zeros(len(out))
        site_energies, forces, virial = self._core_repulsion.evaluate(*geometry)
        return np.concatenate([[np.sum(site_energies)], np.ravel(forces), virial])

    def sites(
        self, frame: Frame, species: NDArray[np.int32], neighbours: Any, out: Matrix
    ) -> tuple[Matrix, Matrix]:
        """Write the site functions into ``out``; return them (N, K) and the baseline (N,)."""
        geometry = _geometry(frame, species, neighbours)
        self._rows.site_rows(*geometry, out)
        baseline = np.zeros(len(species))
        if self._core_repulsion is not None:
            baseline = self._core_repulsion.evaluate(*geometry, forces=False)[0]
        return out[:, : self._rows.n_columns], baseline


def _geometry(
    frame: Frame, species: NDArray[np.int32], neighbours: Any
) -> tuple[Matrix, Matrix, NDArray[np.int32], Any, Any, Any]:
    """What every kernel takes."""
    positions = np.ascontiguousarray(frame.positions, dtype=np.float64)
    cell = np.ascontiguousarray(frame.cell, dtype=np.float64)
    return positions, cell, species, neighbours.first, neighbours.index, neighbours.shift
