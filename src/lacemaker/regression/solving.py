"""From a triangular system to a fit: weights, E0 and prior make a small problem; a solver solves it."""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from lacemaker.errors import ConfigError, LacemakerWarning, SolverError
from lacemaker.priors import EvidencePrior, Prior, parse_prior
from lacemaker.regression.elimination import OneBody, drop_one_body, eliminate_one_body, given_energies
from lacemaker.regression.factor import Factor
from lacemaker.regression.fit import Fit, Posterior
from lacemaker.regression.prior_choice import choose_prior, tempered
from lacemaker.regression.problem import Block, Problem, Solution
from lacemaker.regression.restraint import calibrated
from lacemaker.regression.solvers import BLR, Solver, parse_solver
from lacemaker.regression.solvers.path_base import PathSolver
from lacemaker.regression.triangular import TriangularSystem
from lacemaker.regression.weights import ENERGY_KINDS, Weights, check_weights, plain_weights, weight_of
from lacemaker.structures import WeightTable

__all__ = ["solve"]

if TYPE_CHECKING:
    from lacemaker.regression.path import ModelPath

Matrix = NDArray[np.float64]

UNBOUND = 0.5  # eV/atom: a fitted E0 this far below the mean energy of the data is told
BELOW_THE_DATA = "The fitted one-body energies lie below the mean energy per atom of the data"


@overload
def solve(  # type: ignore[overload-overlap]  # a PathSolver is a Solver that returns more
    system: TriangularSystem,
    *,
    solver: PathSolver,
    prior: Prior | str | Mapping[str, Any] | None = ...,
    e0: Any = ...,
    weights: Weights | WeightTable | None = ...,
    validation: TriangularSystem | int | None = ...,
) -> "ModelPath": ...
@overload
def solve(
    system: TriangularSystem,
    *,
    solver: Solver | str | Mapping[str, Any] | None = ...,
    prior: Prior | str | Mapping[str, Any] | None = ...,
    e0: Any = ...,
    weights: Weights | WeightTable | None = ...,
    validation: TriangularSystem | int | None = ...,
) -> Fit: ...
def solve(
    system: TriangularSystem,
    *,
    solver: Solver | str | Mapping[str, Any] | None = None,
    prior: Prior | str | Mapping[str, Any] | None = EvidencePrior(),  # noqa: B008  (frozen)
    e0: Any = "fit",
    weights: Weights | WeightTable | None = None,
    validation: TriangularSystem | int | None = None,
) -> "Fit | ModelPath":
    """Solve for the coefficients; takes seconds and never touches the data.

    Parameters
    ----------
    system : TriangularSystem
    solver : Solver, name or table, optional
        ``BLR()`` by default.
    prior : Prior, name, table or None
        By default ("evidence") the data choose family and shape; None is no prior.
    e0 : "fit", "zero", mapping or ReferenceEnergies
        One-body energies: fitted with the rest, unpenalised, or given in eV per atom.
    weights : mapping, optional
        By config_type and quantity; the system's own by default.
    validation : TriangularSystem or int, optional
        Held-out rows to report on (and for solvers that select by them), or a fold of ``system`` to hold out.

    Returns
    -------
    Fit
        Or, from the solvers that find a path of models (ASP, OMP), a ``ModelPath``.

    Raises
    ------
    ConfigError, SolverError
    """
    method = BLR() if solver is None else parse_solver(solver)
    belief = parse_prior(prior)
    if isinstance(validation, int):
        system, validation = system.without_fold(validation), system.only_fold(validation)
    weights = plain_weights(weights)
    if weights is not None:
        check_weights(weights, system.known_config_types)
    clock = _Clock()
    posed = _pose(system, belief, e0, weights, validation)
    clock.lap("merge")
    finish = partial(_finish, system, posed, method=method, prior=belief, validation=validation, clock=clock)
    result: Any
    if isinstance(method, PathSolver):
        from lacemaker.regression.path_solving import solve_path

        result = solve_path(posed.problem, method, finish)
    else:
        solution = method.solve(posed.problem)
        clock.lap("solve")
        result = finish(solution)
    for message in posed.messages:
        warnings.warn(message, LacemakerWarning, stacklevel=2)
    return result


@dataclass(frozen=True, eq=False)
class _Posed:
    """A problem, and what is needed to undo its transformations."""

    problem: Problem
    gamma: Matrix  # (K,)
    one_body: OneBody | None  # None where E0 was given
    e0: Matrix  # (NZ,) given energies, zeros where fitted
    settings: Mapping[str, Any]
    messages: tuple[str, ...]
    power: float = 1.0  # of the likelihood: what a row counts for

    def energies(self, coefficients: Matrix) -> Matrix:
        """E0 (..., NZ) that goes with θ (..., K)."""
        if self.one_body is None:
            return np.broadcast_to(self.e0, (*coefficients.shape[:-1], len(self.e0)))
        return self.one_body.energies(coefficients)


class _Clock:
    """CPU seconds of consecutive stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name], self._last = now - self._last, now


def _pose(
    system: TriangularSystem,
    prior: Prior,
    e0: Any,
    weights: Weights | None,
    validation: TriangularSystem | None,
) -> _Posed:
    table = system.weights if weights is None else weights
    gamma = _gamma(system, prior)
    fitted = isinstance(e0, str) and e0 == "fit"
    given = np.zeros(len(system.elements)) if fitted else given_energies(e0, system.elements)
    one_body: OneBody | None = None
    blocks = []
    kinds = dict.fromkeys("energy" if kind in ENERGY_KINDS else kind for kind in system.kinds)
    for kind in kinds:
        factor = system.merged(kind, table)
        if factor.n_rows == 0:
            continue
        if kind == "energy" and fitted:
            factor, one_body = eliminate_one_body(factor, len(system.elements))
        else:
            factor = drop_one_body(factor, given if kind == "energy" else np.zeros_like(given))
        blocks.append(Block(kind, _scale(factor, gamma)))
    if not any(block.kind != "restraint" for block in blocks):
        raise SolverError(
            "There is nothing to fit: every row has weight 0. "
            f"Found weights {dict(table or {})}. Give at least one quantity a positive weight."
        )
    if "restraint" in system.kinds:
        blocks = calibrated(blocks)
    messages: tuple[str, ...] = ()
    if fitted:
        one_body = one_body or _no_energies(system)
        messages = _one_body_messages(system, one_body)
    chosen, power = {}, 1.0
    if isinstance(prior, EvidencePrior):
        blocks, power = tempered(blocks, prior.likelihood_power), prior.likelihood_power
        choice = choose_prior(prior, Problem(tuple(blocks)), system.functions, system.basis)
        blocks = [Block(block.kind, _scale(block.factor, choice.gamma)) for block in blocks]
        chosen = {"prior_choice": {"likelihood_power": power, **choice.to_dict()}}
        prior, gamma = choice.prior, choice.gamma
    settings = {
        "prior": prior.model_dump(),
        **chosen,
        "e0": "fit" if fitted else dict(zip(system.elements, given.tolist(), strict=True)),
        "weights": {kind: dict(row) for kind, row in (table or {}).items()},
    }
    problem = Problem(tuple(blocks), system.functions)
    posed = _Posed(problem, gamma, one_body, given, settings, messages, power)
    if validation is None:
        return posed
    return replace(posed, problem=replace(problem, validation=_validation_score(validation, posed, table)))


def _gamma(system: TriangularSystem, prior: Prior) -> Matrix:
    if isinstance(prior, EvidencePrior):  # chosen once the rows are merged
        return np.ones(system.n_functions)
    if system.functions:
        return prior.gamma(system.functions, basis=system.basis)
    if prior.kind == "none" or system.n_functions == 0:
        return np.ones(system.n_functions)
    raise ConfigError(
        f"The {prior.kind} prior needs the quantum numbers of the functions. Found a system of bare numbers. "
        "Use prior=None, or a row source with functions."
    )


def _scale(factor: Factor, gamma: Matrix) -> Factor:
    """Divide the basis columns by Γ, in place where the factor was made here."""
    array = factor.array if factor.array.flags.writeable else np.array(factor.array, order="F")
    array[:, :-1] /= gamma
    return Factor(array, factor.n_rows)


def _no_energies(system: TriangularSystem) -> OneBody:
    return OneBody(np.zeros((len(system.elements), 0)), np.zeros((0, system.n_functions)), np.zeros(0))


def _one_body_messages(system: TriangularSystem, one_body: OneBody) -> tuple[str, ...]:
    wanted = len(system.elements)
    if one_body.rank == wanted:
        return ()
    return (
        f"The one-body energies of {', '.join(system.elements)} are not all determined by the data: the "
        f"compositions fix {one_body.rank} of {wanted} combinations. The smallest energies that fit were "
        "taken; formation energies between other compositions may be wrong. Add isolated atoms, or give e0 "
        "as a table.",
    )


def _cohesion_messages(system: TriangularSystem, posed: _Posed, e0: Matrix) -> tuple[str, ...]:
    """Whether a fitted E0 says that atoms apart are bound: against the mean energy of the data, θ = 0."""
    from lacemaker.structures.cohesion import COHESIVE_ENERGIES

    if system.basis is None or posed.one_body is None or posed.one_body.rank < len(e0):
        return ()
    mean = posed.one_body.energies(np.zeros(system.n_functions))
    if not np.all(e0 < mean - UNBOUND):  # of every element: single ones may lie lower in a compound
        return ()
    found = ", ".join(
        f"{symbol} {value:.2f} (data {average:.2f})"
        for symbol, value, average in zip(system.elements, e0, mean, strict=True)
    )
    advice = ", ".join(
        f"{symbol}: {average + COHESIVE_ENERGIES[symbol]:.2f}"
        for symbol, average in zip(system.elements, mean, strict=True)
        if symbol in COHESIVE_ENERGIES
    )
    return (
        f"{BELOW_THE_DATA}, so that atoms apart are more stable than the training structures. Found {found} "
        "eV. Give E0 (the free atom's energy, computed as the labels were), add isolated atoms, or use e0: "
        f"cohesive (about {{{advice}}}).",
    )


def _validation_score(held_out: TriangularSystem, posed: _Posed, table: Weights | None) -> Any:
    """Mean squared weighted residual of scaled coefficients on held-out rows."""
    factor = held_out.weighted(table)

    def score(coefficients: Matrix) -> Matrix:
        theta = np.asarray(coefficients) / posed.gamma
        solution = np.concatenate([posed.energies(theta), theta], axis=-1)
        return factor.residual(solution) / max(factor.n_rows, 1)

    return score


def _finish(
    system: TriangularSystem,
    posed: _Posed,
    solution: Solution,
    *,
    method: Solver,
    prior: Prior,
    validation: TriangularSystem | None,
    clock: _Clock,
) -> Fit:
    theta = solution.coefficients / posed.gamma
    if not np.all(np.isfinite(theta)):
        raise SolverError(
            f"The solver {method.kind} found coefficients that are not finite. Condition number "
            f"{solution.condition:.1e}, rank {solution.rank} of {system.n_functions}. Use a prior or a ridge."
        )
    e0 = posed.energies(theta)
    rmse = {"train": _rmse(system, theta, e0)}
    if validation is not None:
        rmse["validation"] = _rmse(validation, theta, e0)
    details = dict(solution.details)
    if solution.log_evidence is not None:
        volume = 0.0 if posed.one_body is None else posed.one_body.log_volume
        log_weights = posed.power * _log_weights(system, posed.settings["weights"])
        details["log_evidence_labels"] = solution.log_evidence + log_weights - volume
    posterior = _posterior(system, posed, solution, theta, e0)
    clock.lap("report")
    return Fit(
        coefficients=theta,
        e0=np.array(e0),
        elements=system.elements,
        noise=dict(solution.noise),
        prior_scale=solution.prior_scale,
        log_evidence=solution.log_evidence,
        n_rows=posed.problem.n_rows,
        rank=solution.rank,
        condition=solution.condition,
        rmse=rmse,
        messages=(
            f"{method.kind}: {solution.message}.",
            *posed.messages,
            *_cohesion_messages(system, posed, e0),
        ),
        settings={"solver": method.model_dump(), **posed.settings},
        timings=clock.seconds,
        details=details,
        posterior=posterior,
        basis=system.basis,
        columns=system.columns,
    )


def _rmse(system: TriangularSystem, theta: Matrix, e0: Matrix) -> dict[str, dict[str, float]]:
    table = system.rmse(theta, e0)
    return {group: {kind: float(value) for kind, value in row.items()} for group, row in table.items()}


def _log_weights(system: TriangularSystem, table: Weights) -> float:
    """Log determinant of the row weights: turns densities of weighted rows into densities of rows."""
    return sum(
        group.factor.n_rows * float(np.log(weight))
        for group in system.groups
        if group.key.kind in system.kinds
        and (weight := weight_of(table, group.key.config_type, group.key.kind)) > 0.0
    )


def _posterior(
    system: TriangularSystem, posed: _Posed, solution: Solution, theta: Matrix, e0: Matrix
) -> Posterior | None:
    """Posterior of (E0, θ): the eliminated rows determine E0 given θ."""
    if solution.precision_factor is None:
        return None
    support = np.arange(len(theta)) if solution.support is None else solution.support
    lower = solution.precision_factor * posed.gamma[support]
    n_all = len(theta) if system.basis is None else system.basis.n_functions
    n_one = 0 if posed.one_body is None else posed.one_body.rank
    if posed.one_body is not None and n_one < len(e0):
        return None
    mean = np.zeros(n_one + n_all)
    mean[:n_one] = e0[:n_one]
    columns = system.columns if system.basis is not None else np.arange(len(theta))
    mean[n_one + columns] = theta
    active = np.concatenate([np.arange(n_one), n_one + columns[support]])
    kept = None if np.array_equal(active, np.arange(len(mean))) else active
    if posed.one_body is None:
        return Posterior(mean, lower, 0, kept)
    sigma = solution.noise["energy"] / np.sqrt(posed.power)
    inverse = np.linalg.inv(posed.one_body.pseudo_inverse)
    rotation, upper = np.linalg.qr(inverse / sigma)
    factor = np.zeros((len(active),) * 2, order="F")
    factor[:n_one, :n_one] = upper
    factor[:n_one, n_one:] = rotation.T @ posed.one_body.coupling[:, support] / sigma
    factor[n_one:, n_one:] = lower
    return Posterior(mean, factor, n_one, kept)
