"""The result of a sparse solver: models from small to large, what each costs and how well it does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import SolverError
from lacemaker.regression.fit import COMMITTEE_SIZE, Fit

__all__ = ["ModelPath", "PathModel"]

Advance = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class PathModel:
    """One model of a path.

    Attributes
    ----------
    fit : Fit
        Coefficients of all K functions (zero outside the support), E0, exact RMSE by set and config_type
        (``fit.rmse["train"|"validation"|…]``), evidence, condition number.
    support : (n,) int array
        Positions of its functions among the columns of the system, in the order they were chosen.
    penalty : float
        λ (ASP), or NaN.
    training_error, validation_error : float
        Root mean square of the weighted residuals; None without validation rows.
    bic, aic : float
        Information criteria: N log(RSS/N) + n log N, and + 2 n; smaller is better.
    cost : float or None
        Measured µs/atom of energy and forces (:meth:`ModelPath.measured`).
    mae : mapping
        By set: ``{"energy": meV/atom, "forces": eV/Å, "virial": meV/atom}`` (:meth:`ModelPath.tested`).
    deviations : Deviations or None
        Posterior samples minus the coefficients, of a path read from a file.
    """

    fit: Fit
    support: NDArray[np.int64]
    penalty: float
    training_error: float
    validation_error: float | None
    bic: float
    aic: float
    cost: float | None = None
    mae: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    deviations: Any = None

    @property
    def size(self) -> int:
        """Number of functions n."""
        return len(self.support)

    @property
    def log_evidence(self) -> float | None:
        """Log marginal likelihood of the training rows; None without a refit by evidence."""
        return self.fit.log_evidence

    @property
    def condition(self) -> float:
        """Condition number of the regularised system."""
        return self.fit.condition

    def potential(self) -> Any:
        """Make the :class:`lacemaker.Potential`; its program holds only what the support needs."""
        return self.fit.potential()

    def committee(self, size: int = COMMITTEE_SIZE, seed: int = 0) -> Any:
        """Posterior samples minus the coefficients, for :func:`lacemaker.uncertainty.attach_deviations`.

        A model read from a file has the samples that were kept with it. None without a refit by evidence.
        """
        from lacemaker.uncertainty.storage import deviations_of

        if self.fit.posterior is None:
            return self.deviations
        return deviations_of(self.fit.posterior, len(self.fit.elements), size, seed)

    def to_dict(self) -> dict[str, Any]:
        """Figures as plain JSON types, without the arrays."""
        keys = ("size", "penalty", "training_error", "validation_error", "log_evidence", "bic", "aic", "cost")
        table = {key: getattr(self, key) for key in keys}
        table = {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in table.items()}
        fit = self.fit.to_dict()
        mae = {name: dict(row) for name, row in self.mae.items()}
        return {**table, "mae": mae, **{key: fit[key] for key in ("condition", "rmse", "noise")}}


@dataclass(frozen=True, eq=False)
class ModelPath(Sequence[PathModel]):
    """Models of increasing size; immutable.

    Attributes
    ----------
    models : tuple of PathModel
    elements : tuple of str
    settings : mapping
        Solver, prior, weights and E0 it was made with.

    Examples
    --------
    >>> path = lace.solve(system, solver=lace.ASP(max_functions=1000), validation=0)    # doctest: +SKIP
    >>> path.within(1.02).potential().save("si.lace")                                   # doctest: +SKIP
    """

    models: tuple[PathModel, ...]
    elements: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.models)

    @overload
    def __getitem__(self, index: int) -> PathModel: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PathModel]: ...
    def __getitem__(self, index: int | slice) -> PathModel | Sequence[PathModel]:
        return self.models[index]

    def __iter__(self) -> Iterator[PathModel]:
        return iter(self.models)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of functions, ascending."""
        return tuple(model.size for model in self.models)

    # -- choosing --

    @property
    def final(self) -> PathModel:
        """The largest model."""
        return self.models[-1]

    def by_size(self, size: int) -> PathModel:
        """The largest model of at most this many functions."""
        return self._last([m for m in self.models if m.size <= size], f"of at most {size} functions")

    def within(self, factor: float) -> PathModel:
        """The smallest model whose validation error is at most ``factor`` times the least of the path."""
        errors = self._validation("within(factor)")
        return next(m for m in self.models if (m.validation_error or 0.0) <= factor * min(errors))

    def by_cost(self, microseconds: float) -> PathModel:
        """The best model (validation error, else evidence) of at most this many measured µs/atom."""
        affordable = [model for model in self.models if self._cost(model) <= microseconds]
        self._last(affordable, f"of at most {microseconds} µs/atom (least: {min(map(self._cost, self)):.2f})")
        return min(affordable, key=self._loss)

    def by_evidence(self) -> PathModel:
        """The model of largest evidence."""
        if any(model.log_evidence is None for model in self.models):
            raise SolverError(
                "The models of this path have no evidence. Found coefficients "
                f"refitted by {self.settings.get('solver', {}).get('refit')!r}. Use refit='evidence'."
            )
        return max(self.models, key=lambda model: model.log_evidence or -np.inf)

    def pareto(self) -> tuple[PathModel, ...]:
        """Models that none beats in both error and cost (number of functions where cost is not measured)."""
        costly = all(model.cost is not None for model in self.models)
        ordered = sorted(self.models, key=lambda m: (m.cost if costly else m.size, self._loss(m)))
        front: list[PathModel] = []
        for model in ordered:
            if not front or self._loss(model) < self._loss(front[-1]):
                front.append(model)
        return tuple(front)

    def select(self, rule: str | float | None = None) -> PathModel:
        """The model a rule names: "final", "evidence", a factor for :meth:`within`, or None for the default.

        By default within 2 % of the least validation error, else of most evidence, else the largest.
        """
        if rule is None:
            validated = all(model.validation_error is not None for model in self.models)
            rule = 1.02 if validated else "evidence"
            if rule == "evidence" and any(model.log_evidence is None for model in self.models):
                rule = "final"
        if rule == "evidence":
            return self.by_evidence()
        return self.final if rule == "final" else self.within(float(rule))

    def _loss(self, model: PathModel) -> float:
        if all(m.validation_error is not None for m in self.models):
            return float(model.validation_error or 0.0)
        if all(m.log_evidence is not None for m in self.models):
            return -float(model.log_evidence or 0.0)
        return model.bic

    def _validation(self, what: str) -> list[float]:
        errors = [m.validation_error for m in self.models if m.validation_error is not None]
        if len(errors) < len(self.models):
            raise SolverError(
                f"{what} needs validation errors. Found none: the path was solved without validation rows. "
                "Pass validation=... to solve, or use by_evidence()."
            )
        return errors

    def _cost(self, model: PathModel) -> float:
        if model.cost is None:
            raise SolverError(
                "Costs are not known. Found a path that was not measured. Use path.measured().by_cost(...)."
            )
        return model.cost

    def _last(self, models: Sequence[PathModel], what: str) -> PathModel:
        if not models:
            raise SolverError(
                f"The path has no model {what}. Found {len(self)} models of {self.sizes[0]} to "
                f"{self.sizes[-1]} functions. Choose a larger limit, or solve with other sizes."
            )
        return models[-1]

    # -- measuring --

    def measured(self, *, n_cells: int = 3, repeats: int = 5, advance: Advance | None = None) -> "ModelPath":
        """The same path with the cost of every model, µs/atom on one thread of this machine."""
        from lacemaker.potential.speed import measure_speed

        def cost(model: PathModel) -> dict[str, Any]:
            speed = measure_speed(model.potential(), n_cells=n_cells, repeats=repeats)
            return {"cost": speed.microseconds_per_atom}

        return self._changed(cost, advance)

    def tested(
        self, name: str, frames: Any, *, n_threads: int = 1, advance: Advance | None = None
    ) -> "ModelPath":
        """The same path with MAE and RMSE of every model on labelled structures, under a name."""
        from lacemaker.analysis import error_table

        def errors(model: PathModel) -> dict[str, Any]:
            whole = error_table(model.potential(), frames, n_threads=n_threads).total
            found = {}
            for measure in ("mae", "rmse"):
                row = {
                    "energy": getattr(whole, f"energy_{measure}_meV_per_atom"),
                    "forces": getattr(whole, f"forces_{measure}_eV_per_A"),
                    "virial": getattr(whole, f"virial_{measure}_meV_per_atom"),
                }
                found[measure] = {key: value for key, value in row.items() if value is not None}
            per_atom = {k: v if k == "forces" else 1e-3 * v for k, v in found["rmse"].items()}  # eV
            rmse = {**model.fit.rmse, name: {"total": per_atom}}
            return {"mae": {**model.mae, name: found["mae"]}, "fit": replace(model.fit, rmse=rmse)}

        return self._changed(errors, advance)

    def _changed(self, change: Callable[[PathModel], dict[str, Any]], advance: Advance | None) -> "ModelPath":
        models = []
        for done, model in enumerate(self.models, 1):
            models.append(replace(model, **change(model)))
            if advance is not None:
                advance(done, len(self.models))
        return replace(self, models=tuple(models))

    def refitted(self, system: Any, **options: Any) -> "ModelPath":
        """The same supports with coefficients from another system, such as training and validation together.

        Validation errors (those of the coefficients before), penalties and measured costs are kept;
        ``options`` go to :func:`lacemaker.solve`.
        """
        from lacemaker.regression.solvers.supports import Supports
        from lacemaker.regression.solving import solve

        solver = Supports(supports=tuple(tuple(model.support.tolist()) for model in self.models))
        fresh = solve(system, solver=solver, **options)
        origin = self.settings.get("solver")
        models = []
        for new, old in zip(fresh, self.models, strict=True):
            seen = {name: table for name, table in old.fit.rmse.items() if name == "validation"}
            settings = {**new.fit.settings, "solver": origin}
            fit = replace(new.fit, rmse={**new.fit.rmse, **seen}, settings=settings)
            seen_error = old.validation_error
            model = replace(new, fit=fit, penalty=old.penalty, validation_error=seen_error, cost=old.cost)
            models.append(model)
        settings = {**fresh.settings, "solver": origin, "refitted": True}
        return replace(self, models=tuple(models), settings=settings)

    # -- words and files --

    def __str__(self) -> str:
        from lacemaker.regression.path_table import table_text

        return table_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without coefficients."""
        return {
            "elements": list(self.elements),
            "settings": dict(self.settings),
            "models": [model.to_dict() for model in self.models],
        }

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with everything, the basis's specification included; no pickle."""
        from lacemaker.regression.path_storage import save_path

        save_path(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "ModelPath":
        """Read what :meth:`save` wrote."""
        from lacemaker.regression.path_storage import load_path

        return load_path(Path(path))
