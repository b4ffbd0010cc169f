"""One case of the table: fit with some observations at one size and degree, then measure."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.errors import LacemakerWarning
from lacemaker.studies.crystals import Crystal
from lacemaker.studies.observations import FORCE_CONSTANTS, STRAINED, Observations, core_name

if TYPE_CHECKING:
    from lacemaker.regression import TriangularSystem
    from lacemaker.studies.config import StudyConfig

__all__ = ["Case", "Laboratory", "cases_of", "code_fingerprint", "positions_within", "run_case"]


@dataclass(frozen=True)
class Case:
    """Which fit: training size, observations, degree; and what to change in the weights."""

    size: int
    observations: str
    degree: int  # position in the configuration's list
    knob: str = "size"

    @property
    def name(self) -> str:
        """For progress lines and tables."""
        return f"L={self.size} {self.observations} degree[{self.degree}]"


@dataclass(frozen=True, eq=False)
class Laboratory:
    """What all cases of a study share; small, so that it travels to worker processes.

    Attributes
    ----------
    config : StudyConfig
    folder : str
        With system.safetensors, lattice frames and equilibria.
    equilibria : tuple of (defect, file, formation energy of the reference in eV)
    crystal : Crystal
    columns : tuple of int tuples
        Basis functions of each degree.
    identity : str
        Hash of everything a case's result depends on, besides the case.
    """

    config: StudyConfig
    folder: str
    equilibria: tuple[tuple[str, str, float], ...]
    crystal: Crystal
    columns: tuple[tuple[int, ...], ...]
    lattice: tuple[Any, ...]
    identity: str

    def result_file(self, case: Case) -> Path:
        """Where the case's result is kept."""
        text = json.dumps([self.identity, case.size, case.observations, case.degree])
        return Path(self.folder) / "cases" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def cases_of(config: StudyConfig) -> list[Case]:
    """Every size with every observation set at the highest degree, then the degrees at the largest size."""
    top, largest = len(config.degrees) - 1, config.sizes[-1]
    found = [Case(size, name, top) for size in config.sizes for name in config.observations]
    richest = max(config.observations, key=lambda name: sum(Observations.parse(name)))
    plain = [name for name in ("EF", richest) if name in config.observations] or [richest]
    found += [Case(largest, name, degree, "degree") for name in dict.fromkeys(plain) for degree in range(top)]
    return found


def positions_within(basis: Any, smaller: Any) -> tuple[int, ...]:
    """Positions of the functions of a smaller basis among those of a larger one, by quantum numbers."""
    place = {function: k for k, function in enumerate(basis.columns)}
    return tuple(place[function] for function in smaller.columns)


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """SHA-256 of the package's version and of the sources behind a case's numbers.

    Cases found with other code are made again; labels and equilibria of the reference, which may have cost a
    lot, do not depend on it.
    """
    import lacemaker

    home = Path(lacemaker.__file__).parent
    digest = hashlib.sha256(lacemaker.__version__.encode())
    for room in ("studies", "analysis", "potential", "calculators", "regression"):
        for path in sorted((home / room).rglob("*.py")) or [home / f"{room}.py"]:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=2)
def _system(path: str, changed: float) -> TriangularSystem:
    from lacemaker.regression import TriangularSystem

    return TriangularSystem.load(path)


@lru_cache(maxsize=8)
def _equilibrium(path: str) -> Any:
    from lacemaker.studies.equilibria import load_equilibrium

    return load_equilibrium(Path(path))


def fit_case(laboratory: Laboratory, case: Case) -> Any:
    """Solve the study's triangular system with the case's weights and columns; no row is made again."""
    from lacemaker.regression import solve

    config = laboratory.config
    path = Path(laboratory.folder) / "system.safetensors"
    system = _system(str(path), path.stat().st_mtime)
    kept = {core_name(case.size), STRAINED, FORCE_CONSTANTS}
    base = config.weights.balanced(case.size)
    table = Observations.parse(case.observations).weights(config.sizes, base)
    chosen = system.select(lambda key: key.config_type in kept)
    chosen = chosen.restrict(laboratory.columns[case.degree])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LacemakerWarning)
        return solve(chosen, solver=config.solver, prior=config.prior, weights=table)


def run_case(laboratory: Laboratory, case: Case) -> dict[str, Any]:
    """Fit and measure, or read the result of an earlier run."""
    from lacemaker.workflow.outputs import write_json

    path = laboratory.result_file(case)
    if path.exists():
        return {**json.loads(path.read_text(encoding="utf-8")), **asdict(case)}
    begin = time.process_time()
    fit = fit_case(laboratory, case)
    result = {**asdict(case), "fit": _fit_summary(fit, case), **_measure(laboratory, case, fit)}
    result["code"] = code_fingerprint()
    result["cpu_s"] = time.process_time() - begin
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return json.loads(path.read_text(encoding="utf-8"))


def _fit_summary(fit: Any, case: Case) -> dict[str, Any]:
    errors = fit.rmse["train"].get(core_name(case.size), {})
    return {
        "n_functions": len(fit.coefficients),
        "rank": fit.rank,
        "condition": fit.condition,
        "forces_rmse_eV_per_A": errors.get("forces"),
        "energy_rmse_eV_per_atom": errors.get("energy"),
        "largest_coefficient_eV": float(np.abs(fit.coefficients).max(initial=0.0)),
    }


def _measure(laboratory: Laboratory, case: Case, fit: Any) -> dict[str, Any]:
    from lacemaker.calculators import Calculator
    from lacemaker.studies.measures import defect_errors, lattice_errors

    config, crystal = laboratory.config, laboratory.crystal
    potential = fit.potential()
    calculator = Calculator(potential)
    radius = 0.5 * case.size * crystal.lattice_constant
    lattice = lattice_errors(potential, calculator, laboratory.lattice, crystal, config.bulk.strain)
    scale: float | None = 1.0
    if config.test.lattice == "model":
        found = 1.0 + lattice["lattice_constant_A"] / crystal.lattice_constant
        scale = found if lattice["lattice_found"] else None
    defects = {
        name: defect_errors(calculator, _equilibrium(path), crystal, config.test, radius, exact, scale)
        for name, path, exact in laboratory.equilibria
    }
    return {"lattice": lattice, "defects": defects}
