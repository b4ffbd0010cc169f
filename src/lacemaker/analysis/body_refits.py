"""One potential per body order from one assembled system, and how its pair interaction converges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lacemaker.analysis.body_expansion import pair_curves
from lacemaker.analysis.diatomics import PairSanity, pair_sanity
from lacemaker.errors import BasisError, LacemakerError

if TYPE_CHECKING:
    from lacemaker.analysis.dimers import DimerCurve
    from lacemaker.potential import Potential
    from lacemaker.regression import Fit, TriangularSystem
    from lacemaker.structures import Frame

__all__ = ["BodyFit", "body_order_fits", "distance_grid", "energy_shares"]

WINDOW = 0.75  # of the bond length: where comparisons of pair curves begin
GRID_START, GRID_POINTS = 0.3, 160

Reference = Callable[[str, str], "tuple[np.ndarray, np.ndarray] | None"]
"""Maps a pair of symbols to distances (Å) and V_2 (eV), or None where it has none."""


@dataclass(frozen=True, eq=False)
class BodyFit:
    """The refit of one body order.

    Attributes
    ----------
    bodies : int
        K; correlation order K - 1.
    fit : Fit
    potential : Potential
        The truncated potential, a short program of its own.
    curves : mapping of pair name to DimerCurve
    sanity : mapping of pair name to PairSanity
    shares : mapping of correlation order to (share, RMS in eV/atom)
        Contribution of each order to the predicted interaction energies of the training structures; shares
        are signed and add up to 1.
    body_shares : mapping of number of bodies to (share, RMS in eV/atom), or None
        The same for the sums over distinct neighbours, exact whatever the basis of the fit; None where the
        potential cannot be split, or no structures were given.
    reference_rmse : mapping of pair name to float
        eV, from 0.75 bond lengths to the cutoff; where a reference was given.
    drift : mapping of pair name to float
        Root mean square of V_2^(K) - V_2^(K+1) in eV over the same range; empty for the last K.
    """

    bodies: int
    fit: Fit
    potential: Potential
    curves: Mapping[str, DimerCurve]
    sanity: Mapping[str, PairSanity]
    shares: Mapping[int, tuple[float, float]]
    reference_rmse: Mapping[str, float]
    body_shares: Mapping[int, tuple[float, float]] | None = None
    drift: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without curves."""
        return {
            "bodies": self.bodies,
            "n_functions": len(self.fit.coefficients),
            "condition": self.fit.condition if np.isfinite(self.fit.condition) else None,
            "rank": self.fit.rank,
            "rmse": {name: dict(table.get("total", {})) for name, table in self.fit.rmse.items()},
            "pairs": {
                name: {
                    "depth_eV": s.depth,
                    "r_e_A": s.r_e,
                    "reference_rmse_eV": self.reference_rmse.get(name),
                    "drift_eV": self.drift.get(name),
                    "sane": s.sane,
                }
                for name, s in self.sanity.items()
            },
            "energy_by_order": {
                str(order): {"share": share, "rms_eV_per_atom": rms}
                for order, (share, rms) in self.shares.items()
            },
            "energy_by_bodies": None
            if self.body_shares is None
            else {
                str(n): {"share": share, "rms_eV_per_atom": rms}
                for n, (share, rms) in self.body_shares.items()
            },
        }


def body_order_fits(
    system: TriangularSystem,
    *,
    bodies: Sequence[int] | None = None,
    reference: Reference | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    frames: Sequence[Frame] = (),
    advance: Callable[[int, int], None] | None = None,
    **options: Any,
) -> tuple[BodyFit, ...]:
    """Refit for K = 2, 3, … bodies from one assembled system; seconds, no look at the data.

    Parameters
    ----------
    system : TriangularSystem
        Of an ACE basis.
    bodies : sequence of int, optional
        Default: 2 to the highest of the basis.
    reference : callable, optional
        Maps a pair of symbols to (distances in Å, V_2 in eV), or None.
    pairs : sequence of (symbol, symbol), optional
        Default: all.
    frames : sequence of Frame, optional
        Structures over which the energy is split by number of bodies; some dozens are enough.
    **options
        Passed to :func:`lacemaker.solve`: solver, prior, e0, weights, validation.

    Raises
    ------
    ConfigError
        When a body order has no functions.
    SolverError
    """
    from itertools import combinations_with_replacement

    from lacemaker.regression import BodyOrder, solve

    chosen = tuple(bodies or range(2, max(len(f.channels) for f in system.functions) + 2))
    wanted = list(pairs or combinations_with_replacement(system.elements, 2))
    held_out = options.pop("validation", None)
    if isinstance(held_out, int):
        system, held_out = system.without_fold(held_out), system.only_fold(held_out)
    found: list[BodyFit] = []
    for done, k in enumerate(chosen, 1):
        low = BodyOrder(k)
        validation = None if held_out is None else low.restrict(held_out)
        restricted = low.restrict(system)
        fit = solve(restricted, validation=validation, **options)
        fit = fit if hasattr(fit, "coefficients") else fit.select().fit
        found.append(_body_fit(k, fit, restricted, wanted, reference, frames))
        if advance is not None:
            advance(done, len(chosen))
    for this, following in pairwise(found):
        for name, curve in this.curves.items():
            outer = curve.r >= WINDOW * curve.nearest_neighbour
            step = curve.energy[outer] - following.curves[name].energy[outer]
            this.drift[name] = float(np.sqrt(np.mean(step**2)))
    return tuple(found)


def _body_fit(
    bodies: int,
    fit: Fit,
    system: TriangularSystem,
    pairs: Iterable[tuple[str, str]],
    reference: Reference | None,
    frames: Sequence[Frame],
) -> BodyFit:
    from lacemaker.analysis.predictions import nearest_neighbour_distance

    potential = fit.potential()

    def bond(a: str, b: str) -> float:
        return nearest_neighbour_distance(potential, a, b)

    cutoff = float(system.basis.cutoff)
    wanted = list(pairs)
    curves = pair_curves(potential, wanted, grid=lambda a, b: distance_grid(bond(a, b), cutoff), bond=bond)
    rmse = {}
    for curve in curves:
        known = None if reference is None else reference(*curve.pair)
        error = None if known is None else reference_error(curve, potential, *known)
        if error is not None:
            rmse[curve.name] = error
    return BodyFit(
        bodies=bodies,
        fit=fit,
        potential=potential,
        curves={curve.name: curve for curve in curves},
        sanity={curve.name: pair_sanity(curve) for curve in curves},
        shares=energy_shares(system, fit),
        reference_rmse=rmse,
        body_shares=body_shares(potential, frames),
    )


def reference_error(
    curve: DimerCurve, model: Any, r: np.ndarray, energy: np.ndarray, cutoff: float | None = None
) -> float | None:
    """Root mean square of V_2 minus a reference (eV) at its distances from 0.75 bond lengths on."""
    end = float(curve.r[-1]) if cutoff is None else cutoff
    inside = (r >= WINDOW * curve.nearest_neighbour) & (r <= end)
    if not inside.any():
        return None
    at = pair_curves(
        model, [curve.pair], grid=lambda a, b: r[inside], bond=lambda a, b: curve.nearest_neighbour
    )[0]
    return float(np.sqrt(np.mean((at.energy - energy[inside]) ** 2)))


def distance_grid(bond: float, cutoff: float, n_points: int = GRID_POINTS) -> np.ndarray:
    """Distances (Å) from 0.3 bond lengths to just beyond the cutoff."""
    return np.linspace(GRID_START * bond, 1.02 * cutoff, n_points)


def energy_shares(system: TriangularSystem, fit: Fit) -> dict[int, tuple[float, float]]:
    """Share and RMS (eV/atom) of each correlation order in the fitted energies of the data, exact.

    The predicted interaction energy per atom of the structures is a vector E = Σ_ν E_ν. The share of order ν
    is E_ν·E / E·E (signed, adding up to 1), the RMS that of E_ν. In a basis with self-interactions large
    shares of opposite sign cancel; only in a purified basis do the orders mean numbers of bodies.

    Raises
    ------
    LacemakerError
        When the data hold no energies.
    """
    from lacemaker.regression.factor import merge

    groups = [g for g in system.groups if g.key.kind == "energy_per_atom"]
    if not groups:
        raise LacemakerError(
            "Energy shares need energies. Found a data set without. Give energies, or leave this out."
        )
    factor = merge([(g.factor, 1.0) for g in groups], system.n_columns)
    rows = factor.array[:, len(system.elements) : -1]
    orders = np.array([len(f.channels) for f in system.functions])
    parts = {
        int(order): rows[:, orders == order] @ fit.coefficients[orders == order]
        for order in np.unique(orders)
    }
    return _shares(parts, float(sum(g.square_sum for g in groups)))


def body_shares(potential: Potential, frames: Sequence[Frame]) -> dict[int, tuple[float, float]] | None:
    """Share and RMS (eV/atom) of two, three, … bodies in the interaction energies of some structures.

    Whatever the basis of the fit, the potential is rewritten in purified functions first (exact, see
    :func:`lacemaker.analysis.body_parts.order_parts`), so that the parts are sums over distinct neighbours.
    None where that is impossible or there are no structures.
    """
    from lacemaker.analysis.body_parts import order_parts

    if not len(frames):
        return None
    try:
        parts = order_parts(potential)
    except BasisError:
        return None
    structures: list[Any] = list(frames)
    sizes = np.array([len(frame.numbers) for frame in structures])
    energies = {}
    for bodies, part in parts.items():
        if int(bodies) > 1:
            predictions = part.predict_many(structures, n_threads=1, forces=False)
            energies[int(bodies)] = np.array([p.energy for p in predictions]) / sizes
    return _shares(energies, float(len(frames)))


def _shares(parts: Mapping[int, np.ndarray], count: float) -> dict[int, tuple[float, float]]:
    whole = np.sum(list(parts.values()), axis=0)
    square = float(whole @ whole) or 1.0
    return {
        order: (float(part @ whole) / square, float(np.linalg.norm(part) / np.sqrt(count)))
        for order, part in parts.items()
    }
