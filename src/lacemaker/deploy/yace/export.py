"""Export of linear potentials to ``.yace`` files that unmodified ML-PACE reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import lacemaker
from lacemaker.basis.elements import ATOMIC_NUMBERS
from lacemaker.basis.repulsion import zbl_energy
from lacemaker.deploy.yace.fitting import BondFit, Window, fit_basis, nodes, windows
from lacemaker.deploy.yace.messages import bad
from lacemaker.deploy.yace.model import Bond, Embedding, Terms, YaceModel
from lacemaker.deploy.yace.products import complex_terms
from lacemaker.deploy.yace.writing import MAX_MEGABYTES, write_yace

if TYPE_CHECKING:
    from lacemaker.potential import Potential

__all__ = ["ExportReport", "export_yace", "to_yace"]


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how well it agrees with the potential.

    Attributes
    ----------
    path : str
    n_bytes : int
    n_radial : int
        ChebPow functions per bond.
    n_functions, n_products : int
        Function records and weighted products.
    r_min : mapping of "A-B" to float
        Å; the file stands for the potential where no two atoms are nearer.
    radial_error : float
        Largest deviation of a radial function, relative to its maximum.
    pair_error : float
        Largest deviation of a folded pair energy, eV.
    energy_error, force_error : float
        Largest deviation from our evaluator on random structures within the domain, eV/atom and eV/Å.
    """

    path: str
    n_bytes: int
    n_radial: int
    n_functions: int
    n_products: int
    r_min: Mapping[str, float]
    radial_error: float
    pair_error: float
    energy_error: float
    force_error: float

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)

    def __str__(self) -> str:
        bonds = ", ".join(f"{name} {value:.3g}" for name, value in self.r_min.items())
        return (
            f"{self.path}: {self.n_bytes / 1e6:.2f} MB, {self.n_functions} functions, {self.n_products} "
            f"products, {self.n_radial} radial functions per bond\n"
            f"valid where no atoms are nearer than (Å): {bonds}; below, the energy goes over "
            "to a core repulsion\n"
            f"deviation from lacemaker: radial functions {self.radial_error:.1e} of their size, pair "
            f"energies {self.pair_error:.1e} eV;\n  on random structures {self.energy_error:.1e} eV/atom, "
            f"{self.force_error:.1e} eV/Å"
        )


def export_yace(
    potential: Potential,
    path: str | os.PathLike[str],
    *,
    r_min: float | Mapping[str, float] | None = None,
    tolerance: float = 1e-11,
    max_megabytes: float = MAX_MEGABYTES,
) -> ExportReport:
    """Write a potential as a ``.yace`` file (ACE C-tilde basis with ChebPow radial functions).

    Parameters
    ----------
    potential : Potential
    path : path
    r_min : float or mapping such as {"Si-O": 1.1}, optional
        Å; from there on the file agrees with the potential. By default where the ZBL core ends, or half the
        bond length without one. With a smaller value than the core's end, the core is folded into the pair
        functions, which needs a larger tolerance.
    tolerance : float
        Largest deviation of a radial function relative to its maximum, and of a pair energy relative to the
        functions it is summed from, to its maximum or to 1 eV, whichever is largest.
    max_megabytes : float
        A larger file is refused; LAMMPS reads files of 35 to 100 MB slowly, and some users' runs crashed.

    Returns
    -------
    ExportReport

    Raises
    ------
    FileFormatError
        If the potential has no such form within the tolerance, or the file cannot be written.
    """
    from lacemaker.deploy.yace.deviation import deviation

    model, fits, pair_error = to_yace(potential, r_min=r_min, tolerance=tolerance)
    limits = {pair: fit.window.r_min for pair, fit in fits.items()}
    energy_error, force_error = deviation(potential, model, limits)
    symbols = potential.elements
    report = ExportReport(
        path=os.fspath(path),
        n_bytes=0,
        n_radial=next(iter(model.bonds.values())).n_functions,
        n_functions=sum(_n_records(terms) for centre in model.terms for terms in centre),
        n_products=model.n_terms,
        r_min={f"{symbols[i]}-{symbols[j]}": r for (i, j), r in limits.items() if i <= j},
        radial_error=max(fit.error for fit in fits.values()),
        pair_error=pair_error,
        energy_error=energy_error,
        force_error=force_error,
    )
    text = str(replace(report, path=Path(path).name)).replace("Å", "A")  # plain ASCII for any reader
    comments = (f"lacemaker {lacemaker.__version__}", *text.splitlines()[1:])
    n_bytes = write_yace(replace(model, comments=comments), path, max_megabytes=max_megabytes)
    return replace(report, n_bytes=n_bytes)


def to_yace(
    potential: Potential, *, r_min: float | Mapping[str, float] | None = None, tolerance: float = 1e-11
) -> tuple[YaceModel, dict[tuple[int, int], BondFit], float]:
    """The model of a potential, the fits of its radial functions, the largest pair energy error in eV."""
    basis = potential.basis
    fits = fit_basis(basis, windows(basis, r_min), tolerance)
    many = [_many_body(potential, s) for s in range(len(potential.elements))]
    used = _used_functions(many)
    singles, errors = zip(
        *(_pair_terms(potential, s, fits, tolerance) for s in range(len(many))), strict=True
    )
    linear = Embedding("FinnisSinclair", np.ones(1), np.ones(1))
    bonds = {pair: _bond(potential.elements, pair, fit, used) for pair, fit in fits.items()}
    terms = tuple((single, *products) for single, products in zip(singles, many, strict=True))
    terms = tuple(tuple(t for t in centre if len(t.factors)) for centre in terms)
    model = YaceModel(potential.elements, np.array(potential.e0), (linear,) * len(many), bonds, terms)
    return model, fits, max(errors)


def _n_records(terms: Terms) -> int:
    channels = terms.factors[:, :, :3].reshape(len(terms.factors), -1)
    return 1 + int((channels[1:] != channels[:-1]).any(axis=1).sum())


def _products(potential: Potential, species: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of A, first entries, A numbers and weights of the products of one centre."""
    arrays = potential.program.arrays
    first, last = arrays["term_centre"][species : species + 2]
    spec = arrays["a_spec"][arrays["a_first"][species] : arrays["a_first"][species + 1]]
    starts = arrays["term_first"][first : last + 1]
    return spec, starts, arrays["term_index"], arrays["term_weight"][first:last]


def _many_body(potential: Potential, species: int) -> tuple[Terms, ...]:
    """Complex products of rank 2 and higher."""
    spec, starts, index, weights = _products(potential, species)
    ranks = np.diff(starts)
    found = []
    for rank in sorted(set(ranks.tolist()) - {1}):
        rows = np.flatnonzero(ranks == rank)
        entries = index[starts[rows][:, None] + np.arange(rank)]
        found.append(complex_terms(spec[entries].astype(np.int64), weights[rows]))
    return tuple(found)


def _used_functions(many: list[tuple[Terms, ...]]) -> np.ndarray:
    """(n_max, l_max + 1) bool: which R_nl any product uses."""
    parts = [terms.factors.reshape(-1, 4) for centre in many for terms in centre if len(terms.factors)]
    if not parts:
        return np.zeros((1, 1), dtype=bool)
    rows = np.concatenate(parts)
    used = np.zeros((int(rows[:, 1].max()), int(rows[:, 2].max()) + 1), dtype=bool)
    used[rows[:, 1] - 1, rows[:, 2]] = True
    return used


def _pair_terms(
    potential: Potential, species: int, fits: Mapping[tuple[int, int], BondFit], tolerance: float
) -> tuple[Terms, float]:
    """Pair functions, first-order many-body functions and the ZBL core beyond r_min as rank-1 products."""
    factors, weights, worst = [], [], 0.0
    for other in range(len(potential.elements)):
        fit = fits[species, other]
        energy, size = _pair_energy(potential, species, other, fit.window)
        w, error = fit.fit(energy)
        if error > tolerance * max(1.0, float(np.abs(energy).max()), size):
            raise bad(
                f"the pair energy of {potential.elements[species]}-{potential.elements[other]} cannot be "
                "written as a .yace file",
                f"a deviation of {error:.1e} eV from {fit.window.fit_min:g} Å on with {len(w)} functions",
                "leave r_min at the end of the ZBL core (it fades as no polynomial), or raise the tolerance",
            )
        kept = np.flatnonzero(w)
        rows = np.zeros((len(kept), 1, 4), dtype=np.int64)
        rows[:, 0, 0], rows[:, 0, 1] = other, kept + 1
        factors.append(rows)
        weights.append(w[kept, None])
        worst = max(worst, error)
    return Terms(np.concatenate(factors), np.concatenate(weights)), worst


def _pair_energy(potential: Potential, i: int, j: int, window: Window) -> tuple[np.ndarray, float]:
    """Energy of atom i from one neighbour j at the nodes, eV, without products; the size of what is summed.

    Where coefficients cancel, the sum cannot be truer than its parts, sum_k |c_k| max|f_k|, which `fit_basis`
    vouches for: without a core inside the domain, no coefficients make a basis unfit for export.
    """
    basis, r = potential.basis, nodes(window)
    many = basis.radial.evaluate(r, *basis.lengths(i, j))[0]
    spec, starts, index, weights = _products(potential, i)
    single = np.flatnonzero(np.diff(starts) == 1)
    rows = spec[index[starts[single]]]
    if rows[:, 2].any():
        raise bad("an order-1 function is not invariant", "l > 0", "report this")
    parts = [np.zeros_like(r)]
    for (other, n, _, _), weight in zip(rows.tolist(), weights[single], strict=True):
        if other == j:
            parts.append(weight * many[n - 1] / np.sqrt(4 * np.pi))
    if basis.pair_radial is not None:
        coefficients = potential.program.arrays["pair_coefficients"][i, j]
        functions = basis.pair_radial.evaluate(r, *basis.pair_lengths(i, j))[0]
        parts.extend(coefficients[:, None] * functions[: len(coefficients)])
    energy = np.sum(parts, axis=0)
    core = basis.specification.repulsion
    if core is not None and window.r_min < core.outer[i][j]:
        charges = ATOMIC_NUMBERS[basis.elements[i]], ATOMIC_NUMBERS[basis.elements[j]]
        energy = energy + 0.5 * zbl_energy(r, *charges, core.inner[i][j], core.outer[i][j])[0]
    return energy, float(np.abs(parts).max(axis=1).sum())


def _bond(elements: tuple[str, ...], pair: tuple[int, int], fit: BondFit, used: np.ndarray) -> Bond:
    """The bond: coefficients for the used R_nl, 0 for others; a core below r_min."""
    coefficients = fit.coefficients[: used.shape[0], None, :] * used[:, :, None]
    strength, decay = _core(elements, pair, fit.window)
    w = fit.window
    return Bond(
        "ChebPow", 1.0, w.cutoff, 0.0, coefficients, strength, decay, w.r_min, w.r_min - w.fit_min, "distance"
    )  # fmt: skip


def _core(elements: tuple[str, ...], pair: tuple[int, int], window: Window) -> tuple[float, float]:
    """prehc p and lambdahc q: p e^(-q r²)/r (1 + cos(pi r/rcut))/2 is half the ZBL energy at fit_min and
    halfway to r_min."""
    r = np.array([window.fit_min, 0.5 * (window.fit_min + window.r_min)])
    charges = ATOMIC_NUMBERS[elements[pair[0]]], ATOMIC_NUMBERS[elements[pair[1]]]
    zbl = 0.5 * zbl_energy(r, *charges, 1e3, 2e3)[0]
    logarithm = np.log(zbl * r / (0.5 * (1 + np.cos(np.pi * r / window.cutoff))))
    decay = (logarithm[0] - logarithm[1]) / (r[1] ** 2 - r[0] ** 2)
    return float(np.exp(logarithm[0] + decay * r[0] ** 2)), float(decay)
