"""A potential: basis, coefficients, one-body energies and where they come from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import BasisError, EvaluationError, problem
from lacemaker.potential import disk, file
from lacemaker.potential.arguments import e0_in_order, jsonable, vector, versions
from lacemaker.potential.columns import ColumnTable
from lacemaker.potential.evaluator import Evaluator, Prediction, Structure
from lacemaker.potential.hessian import HessianEvaluator
from lacemaker.potential.program import COLUMN_ARRAYS, PROGRAM_ARRAYS, Program, check_arrays, freeze
from lacemaker.potential.threads import default_threads

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lacemaker.basis import ACEBasis

__all__ = ["Potential"]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Potential:
    """A fitted linear ACE potential, immutable.

    Parameters
    ----------
    basis : ACEBasis
        The basis of K functions.
    coefficients : array (K,)
        eV, in the order of ``basis.columns``.
    e0 : array (n_elements,) or mapping of symbol to float
        Energy of the isolated atoms, eV, in the order of ``basis.elements``.
    metadata : mapping, optional
        Provenance, anything JSON holds. Known keys, all optional: ``versions``, ``created``, ``data`` (names,
        hashes), ``errors`` (tables by train/test), ``fit`` (solver, prior, weights), ``licence``,
        ``citation``. Versions are filled in; NaN becomes null.

    Attributes
    ----------
    coefficients, e0 : ndarray
    columns : ColumnTable
        Quantum numbers of the functions, in the order of the coefficients.
    program : Program
        The arrays the kernel evaluates. Stored in the file, so a potential means the same in every version.
    metadata : Mapping

    Raises
    ------
    BasisError
        If lengths or elements do not agree with the basis.
    EvaluationError
        If a coefficient or one-body energy is NaN or infinite.

    Examples
    --------
    >>> potential.save("si.lace")                               # doctest: +SKIP
    >>> Potential.load("si.lace").predict(atoms).energy         # doctest: +SKIP
    """

    coefficients: np.ndarray
    columns: ColumnTable
    program: Program
    metadata: Mapping[str, Any]
    basis_spec: Mapping[str, Any]
    extras: Mapping[str, np.ndarray]
    _cache: dict[Any, Any] = field(default_factory=dict)

    def __init__(
        self,
        basis: ACEBasis,
        coefficients: Sequence[float] | np.ndarray,
        e0: Sequence[float] | np.ndarray | Mapping[str, float],
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        values = vector("coefficients", coefficients, basis.n_functions, "function")
        one_body = vector("e0", e0_in_order(e0, basis.elements), len(basis.elements), "element")
        details = {"versions": versions(), **jsonable(metadata or {})}
        self._set(
            program=Program.from_basis(basis, values, one_body),
            coefficients=values,
            columns=ColumnTable.from_basis(basis),
            metadata=details,
            basis_spec=jsonable(basis.spec()),
            extras={},
        )
        try:
            check_arrays(self._arrays(), {**PROGRAM_ARRAYS, **COLUMN_ARRAYS})
        except ValueError as error:
            raise problem(
                BasisError,
                "basis and coefficients do not make a potential",
                f"{error}; largest coefficient {np.abs(values).max(initial=0):.3g}",
                "check the fit (overflow?); if the numbers are sensible, please report it",
            ) from error
        self._cache["basis"] = basis

    def _set(self, **fields: Any) -> None:
        freeze({"coefficients": fields["coefficients"], **fields["columns"].arrays(), **fields["extras"]})
        for name in ("metadata", "basis_spec", "extras"):
            fields[name] = MappingProxyType(dict(fields[name]))
        for name, value in {**fields, "_cache": {}}.items():
            object.__setattr__(self, name, value)

    # -- what it is --

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols, in the order of `e0`."""
        return self.program.elements

    @property
    def e0(self) -> np.ndarray:
        """Energy of the isolated atoms, (n_elements,) eV."""
        return self.program.arrays["e0"]

    @property
    def cutoff(self) -> float:
        """Largest interaction distance, Å."""
        return self.program.cutoff

    @property
    def numbers(self) -> np.ndarray:
        """(n_elements,) atomic numbers, in the order of `elements`."""
        return self.program.arrays["elements"]

    @property
    def bond_lengths(self) -> np.ndarray:
        """(n_elements, n_elements) Å: r0 by which the basis scales the distances of two elements."""
        return self.program.arrays["mb_transform_params"][..., 1]

    @property
    def basis(self) -> ACEBasis:
        """The basis, rebuilt from its specification on first use; only needed to fit again.

        Raises
        ------
        BasisError
            If the installed version builds other functions from this specification; evaluating is not
            affected.
        """
        if "basis" not in self._cache:
            from lacemaker.potential.rebuild import rebuilt_basis

            self._cache["basis"] = rebuilt_basis(self)
        return self._cache["basis"]

    def with_metadata(self, **changes: Any) -> Potential:
        """The same potential with some entries of the metadata replaced."""
        return self._replace(metadata={**self.metadata, **jsonable(changes)})

    def with_extras(self, **arrays: np.ndarray) -> Potential:
        """The same potential with further arrays (float64, int64 or int32) that travel in its file.

        Raises
        ------
        FileFormatError
            If an array is of another type.
        """
        copies = {name: np.array(array, order="C") for name, array in arrays.items()}
        file.check_extras(copies)
        return self._replace(extras={**self.extras, **copies})

    def _replace(self, **changes: Any) -> Potential:
        names = ("coefficients", "columns", "program", "metadata", "basis_spec", "extras")
        new = object.__new__(type(self))
        new._set(**{name: getattr(self, name) for name in names} | changes)
        new._cache.update(self._cache)
        return new

    # -- evaluation --

    def evaluator(self, isa: str = "auto", dtype: str = "float64", n_threads: int | None = None) -> Evaluator:
        """The compiled evaluator, made on first use and kept."""
        key = ("evaluator", isa, dtype, n_threads or default_threads())
        if key not in self._cache:
            self._cache[key] = Evaluator(self.program, isa=isa, dtype=dtype, n_threads=n_threads)
        return self._cache[key]

    def predict(self, structure: Structure, *, forces: bool = True) -> Prediction:
        """Energy (eV), forces (eV/Å), virial (eV) and stress (eV/Å³) of a Frame or ASE Atoms."""
        return self.evaluator().predict(structure, forces=forces)

    def hessian_evaluator(self, isa: str = "auto", n_threads: int | None = None) -> HessianEvaluator:
        """The compiled second derivatives, made on first use and kept."""
        key = ("hessian", isa, n_threads or default_threads())
        if key not in self._cache:
            evaluator = self.evaluator(isa, n_threads=n_threads)
            self._cache[key] = HessianEvaluator(evaluator, self.program, isa=isa)
        return self._cache[key]

    def hessian(self, structure: Structure) -> csr_array:
        """Second derivatives of the energy (3 n_atoms, 3 n_atoms), eV/Å², sparse."""
        return self.hessian_evaluator().sparse(structure)

    def hessian_product(self, structure: Structure, displacement: np.ndarray) -> np.ndarray:
        """Hessian times displacement (n_atoms, 3) or (3 n_atoms,), exact, without forming the Hessian."""
        return self.hessian_evaluator().product(structure, displacement)

    def predict_many(
        self, structures: Iterable[Structure], *, n_threads: int | None = None, forces: bool = True
    ) -> list[Prediction]:
        """Predictions in the order of `structures`; the threads share out the structures.

        Raises
        ------
        EvaluationError
            As `predict`; the message begins with the position of the structure.
        """
        evaluator = self.evaluator()

        def one(item: tuple[int, Structure]) -> Prediction:
            position, structure = item
            try:
                return evaluator.predict(structure, forces=forces, n_threads=1)
            except EvaluationError as error:
                name = getattr(structure, "source", "")
                raise EvaluationError(
                    f"Structure {position}{f' ({name})' if name else ''}: {error}"
                ) from error

        threads = n_threads or default_threads()
        if threads == 1:
            return [one(item) for item in enumerate(structures)]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, enumerate(structures)))

    # -- files --

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.lace`` file, completely or not at all; equal potentials give equal bytes.

        Raises
        ------
        FileFormatError
            If the file cannot be written; an older file of that name is then unchanged.
        """
        disk.write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Potential:
        """Read a ``.lace`` file. Runs no code from the file and builds no basis.

        Raises
        ------
        FileFormatError
            If the file is missing, truncated, edited, from a newer version, or no potential at all.
        """
        return cls.from_bytes(disk.read_bytes(path), source=os.fspath(path))

    def to_bytes(self) -> bytes:
        """The contents of the ``.lace`` file."""
        extras = dict(self.extras)
        return file.encode(file.Contents(self._arrays(), extras, dict(self.basis_spec), dict(self.metadata)))

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "the potential") -> Potential:
        """Inverse of `to_bytes`; `source` names the data in messages."""
        contents = file.decode(data, source)
        arrays = freeze(contents.arrays)
        potential = object.__new__(cls)
        potential._set(
            coefficients=arrays["coefficients"],
            columns=ColumnTable(
                kind=arrays["column_kind"],
                centre=arrays["column_centre"],
                first=arrays["column_first"],
                channels=arrays["column_channels"],
                multiplicity=arrays["column_multiplicity"],
            ),
            program=Program({name: arrays[name] for name in PROGRAM_ARRAYS}),
            metadata=contents.metadata,
            basis_spec=contents.basis,
            extras=contents.extras,
        )
        return potential

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self.program.arrays, "coefficients": self.coefficients, **self.columns.arrays()}

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_bytes, (self.to_bytes(),))

    def __deepcopy__(self, memo: dict[int, Any]) -> Potential:
        return self  # immutable

    # -- words --

    def describe(self, *, measure_speed: bool = False) -> str:
        """A page about the potential for people; `measure_speed` adds the time per atom on this machine."""
        from lacemaker.potential.describe import describe

        return describe(self, measure_speed=measure_speed)

    def __str__(self) -> str:
        return self.describe()

    def __repr__(self) -> str:
        return (
            f"<Potential {'-'.join(self.elements)}, {len(self.columns)} functions, cutoff {self.cutoff:g} Å>"
        )
