"""Random models for the compiled kernels, and what they should yield, in slow NumPy.

Nothing here shares a recursion with the kernels: harmonics come from SciPy, polynomials from
numpy.polynomial, neighbours from brute force. A model is any polynomial of the A functions (products need
not be rotation-invariant).
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from scipy.special import sph_harm_y

from lacemaker import _core

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""xx yy zz yz xz xy"""


@dataclass(frozen=True)
class Structure:
    """Atoms with a neighbour list, as the kernels take them."""

    positions: np.ndarray  # (n, 3) Å
    cell: np.ndarray  # (3, 3) Å
    pbc: tuple[bool, bool, bool]
    species: np.ndarray  # (n,) int32
    cutoff: float  # Å, of the list

    def neighbours(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """first, index, shift by brute force over images."""
        return self._list

    @cached_property
    def _list(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(self.positions)
        reach = [0, 0, 0]
        if any(self.pbc):
            spread = np.ptp(self.positions, axis=0).max() if n else 0.0
            periodic = [k for k in range(3) if self.pbc[k]]
            basis = self.cell[periodic]
            heights = 1 / np.linalg.norm(np.linalg.pinv(basis), axis=0)
            for k, height in zip(periodic, heights, strict=True):
                reach[k] = int(np.ceil((self.cutoff + 2 * spread) / height))
        shifts = np.array(list(product(*(range(-r, r + 1) for r in reach))))
        images = self.positions[:, None] + shifts @ self.cell  # (n, n_shifts, 3)
        home = (shifts == 0).all(axis=1)
        first, index, shift = [0], [], []
        for i in range(n):
            keep = np.linalg.norm(images - self.positions[i], axis=2) < self.cutoff
            keep[i] &= ~home
            j, s = np.nonzero(keep)
            index.append(j)
            shift.append(shifts[s])
            first.append(first[-1] + len(j))
        return (
            np.array(first, np.int64),
            np.concatenate([*index, np.zeros(0)]).astype(np.int32),
            np.concatenate([*shift, np.zeros((0, 3))]).astype(np.int32),
        )

    def arguments(self) -> tuple[np.ndarray, ...]:
        """Positional arguments of Evaluator.evaluate."""
        return (self.positions, self.cell, self.species, *self.neighbours())

    def moved(self, positions: np.ndarray, cell: np.ndarray | None = None) -> "Structure":
        return replace(self, positions=positions, cell=self.cell if cell is None else cell)


@dataclass(frozen=True)
class Model:
    """Keyword arguments of _core.Tables and _core.Evaluator."""

    tables: dict[str, Any]
    terms: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def evaluator(self, **options: Any) -> Any:
        return _core.Evaluator(_core.Tables(**self.tables), **self.terms, **{**self.options, **options})

    def term_list(self, centre: int) -> list[tuple[np.ndarray, float]]:
        """Products of one centre: A indices and weight."""
        t = self.terms
        begin, end = t["term_centre"][centre], t["term_centre"][centre + 1]
        return [
            (t["term_index"][t["term_first"][k] : t["term_first"][k + 1]], t["term_weight"][k])
            for k in range(begin, end)
        ]


def radial_parameters(rng: np.random.Generator, nz: int, transform: int, cutoff: float) -> np.ndarray:
    """Different rin, r0, rcut for every pair, in both directions."""
    out = np.zeros((nz, nz, 5))
    out[..., 0] = rng.uniform(0.0, 0.4, (nz, nz))
    out[..., 1] = rng.uniform(1.8, 2.6, (nz, nz))
    out[..., 2] = rng.uniform(0.8, 1.0, (nz, nz)) * cutoff
    out[..., 3:] = {0: (2, 4), 1: (2, 0), 2: (0, 0), 3: (1.3, 0)}[transform]
    return out


def random_tables(
    rng: np.random.Generator,
    *,
    nz: int = 2,
    n_max: int = 4,
    l_max: int = 3,
    n_pair: int = 4,
    cutoff: float = 4.0,
    transform: int = 0,
    envelope: int = 1,
    pair_transform: int = 0,
    pair_envelope: int = 2,
    symmetric: bool = False,
    zbl: bool = False,
) -> dict[str, Any]:
    """Arguments of _core.Tables; per centre about two thirds of the possible A, in random order."""
    spec, first = [], [0]
    every = [(z, n, ell, m) for z in range(nz) for n in range(1, n_max + 1)
             for ell in range(l_max + 1) for m in range(-ell, ell + 1)]  # fmt: skip
    for _ in range(nz):
        chosen = rng.permutation(len(every))[: 2 * len(every) // 3]
        spec += [every[k] for k in chosen]
        first.append(len(spec))
    numbers = rng.integers(1, 30, nz)
    tables: dict[str, Any] = {"n_species": nz}
    for name, n, t, e in (
        ("mb", n_max, transform, envelope),
        ("pair", n_pair, pair_transform, pair_envelope),
    ):
        tables |= {
            f"{name}_transform": t,
            f"{name}_transform_params": radial_parameters(rng, nz, t, cutoff),
            f"{name}_envelope": e,
            f"{name}_envelope_params": np.array([2.0, 2.0]) if e < 3 else np.array([1.0, 0.0]),
            f"{name}_beta": np.zeros(n) if symmetric else rng.uniform(-0.2, 0.2, n),
            f"{name}_gamma": rng.uniform(0.2, 0.3, n),
            f"{name}_norm": rng.uniform(0.5, 2.0, n),
        }
    tables["zbl"] = np.zeros((nz, nz, 3))
    tables["zbl"][...] = (0, 1.0, 2.0)
    if zbl:
        tables["zbl"][..., 0] = np.multiply.outer(numbers, numbers)
    tables["zbl_a"] = rng.uniform(0.1, 0.2, (nz, nz))
    tables["a_first"] = np.array(first, np.int32)
    tables["a_spec"] = np.array(spec, np.int32).reshape(-1, 4)
    return tables


def random_model(
    rng: np.random.Generator, *, orders: tuple[int, ...] = (1, 2, 3), n_terms: int = 60, **options: Any
) -> Model:
    """n_terms random products of each order on every centre, some of them equal to one another."""
    tables = random_tables(rng, **options)
    nz = tables["n_species"]
    index, first, weight, centre = [], [0], [], [0]
    for c in range(nz):
        n_a = int(np.diff(tables["a_first"])[c])
        for order in orders:
            for _ in range(n_terms):
                index += rng.integers(0, n_a, order).tolist()
                first.append(len(index))
                weight.append(rng.normal() * 0.1)
        centre.append(len(weight))
    n_pair = len(tables["pair_norm"])
    terms = {
        "term_centre": np.array(centre, np.int32),
        "term_first": np.array(first, np.int64),
        "term_index": np.array(index, np.int32),
        "term_weight": np.array(weight, float),
        "pair_coefficients": rng.normal(size=(nz, nz, n_pair)) * 0.1,
        "e0": rng.normal(size=nz),
    }
    return Model(tables, terms)


# ------------------------------------------------------------------------------------- slow evaluation


def raw_transform(kind: int, r: np.ndarray, rin: float, r0: float, p: float, q: float) -> np.ndarray:
    if kind == 0:
        s = np.maximum(r - rin, 0) / (r0 - rin)
        a = (-2 * q + p * (4 * q - 2)) / (p + p**2 + q + q**2)
        return 1 / (1 + a * s**q / (1 + s ** (q - p)))
    if kind == 1:
        return ((1 + r0) / (1 + r)) ** p
    return np.exp(-p * (r / r0 - 1)) if kind == 3 else r


def radial_values(tables: dict[str, Any], name: str, i: int, j: int, r: np.ndarray) -> np.ndarray:
    """(n_max, len(r)) R_n(r) of centre species i, neighbour species j."""
    rin, r0, rcut, p, q = tables[f"{name}_transform_params"][i, j]
    kind, (e1, e2) = tables[f"{name}_transform"], tables[f"{name}_envelope_params"]
    y, lo, hi = (raw_transform(kind, np.asarray(v, float), rin, r0, p, q) for v in (r, rin, rcut))
    x = np.clip(-1 + 2 * (y - lo) / (hi - lo), -1, 1)
    s, sc = r / r0, rcut / r0
    envelope = {
        0: lambda: np.ones_like(r),
        1: lambda: (x + 1) ** e1 * (1 - x) ** e2,
        2: lambda: s**-e1 - sc**-e1 + e1 * sc ** (-e1 - 1) * (s - sc),
        3: lambda: ((r / rcut) ** -e1 - 1) * (1 - r / rcut),
    }[tables[f"{name}_envelope"]]()
    envelope = np.where(r < rcut, envelope, 0.0)
    beta, gamma, norm = (tables[f"{name}_{key}"] for key in ("beta", "gamma", "norm"))
    polynomials = [Polynomial([0.0]), Polynomial([1.0])]
    for k in range(len(norm) - 1):
        polynomials.append(Polynomial([-beta[k], 1.0]) * polynomials[-1] - gamma[k] * polynomials[-2])
    values = [c * envelope * f(x) for c, f in zip(norm, polynomials[1 : len(norm) + 1], strict=True)]
    return np.array(values).reshape(len(norm), len(r))


def harmonic(ell: int, m: int, d: np.ndarray) -> np.ndarray:
    """Real orthonormal Y_lm of the vectors d (n, 3), no Condon-Shortley sign."""
    theta = np.arccos(np.clip(d[:, 2] / np.linalg.norm(d, axis=1), -1, 1))
    value = (-1) ** abs(m) * sph_harm_y(ell, abs(m), theta, np.arctan2(d[:, 1], d[:, 0]))
    return np.sqrt(2) * (value.real if m > 0 else value.imag) if m else value.real


def zbl(charges: float, inner: float, outer: float, a: float, r: np.ndarray) -> np.ndarray:
    """Universal screened repulsion, switched off between inner and outer. eV."""
    phi = sum(c * np.exp(-k * r / a) for c, k in
              ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162)))  # fmt: skip
    t = np.clip((r - inner) / (outer - inner), 0, 1)
    return 14.399645 * charges / r * phi * (1 - 10 * t**3 + 15 * t**4 - 6 * t**5)


def site_energies(model: Model, structure: Structure) -> np.ndarray:
    """(n_atoms,) eV."""
    tables, terms, species = model.tables, model.terms, structure.species
    first, index, shift = structure.neighbours()
    out = np.zeros(len(species))
    for i, c in enumerate(species):
        of_i = slice(first[i], first[i + 1])
        d = structure.positions[index[of_i]] + shift[of_i] @ structure.cell - structure.positions[i]
        r, z = np.linalg.norm(d, axis=1), species[index[of_i]]
        spec = tables["a_spec"][tables["a_first"][c] : tables["a_first"][c + 1]]
        A = np.zeros(len(spec))
        energy = terms["e0"][c]
        for j in range(tables["n_species"]):
            at = z == j
            R = radial_values(tables, "mb", c, j, r[at])
            for ell, m in {(ell, m) for z_v, _, ell, m in spec if z_v == j}:
                rows = np.flatnonzero((spec[:, [0, 2, 3]] == (j, ell, m)).all(axis=1))
                A[rows] = R[spec[rows, 1] - 1] @ harmonic(ell, m, d[at])
            energy += (terms["pair_coefficients"][c, j] @ radial_values(tables, "pair", c, j, r[at])).sum()
            energy += 0.5 * zbl(*tables["zbl"][c, j], tables["zbl_a"][c, j], r[at]).sum()
        out[i] = energy + sum(w * np.prod(A[v]) for v, w in model.term_list(c))
    return out


# ------------------------------------------------------------------------------------------ structures


def structures(rng: np.random.Generator, nz: int, cutoff: float = 4.0) -> dict[str, Structure]:
    """Small nasty structures; atoms keep about 1.5 Å apart."""
    skewed = np.array([[3.1, 0.2, -0.4], [1.4, 2.9, 0.3], [-0.8, 1.1, 3.3]])
    box = np.diag([6.0, 7.0, 30.0])

    def scattered(n: int, size: tuple[float, float, float]) -> np.ndarray:
        kept: list[np.ndarray] = []
        while len(kept) < n:
            x = rng.uniform(0, 1, 3) * size
            if all(np.linalg.norm(x - y) > 1.5 for y in kept):
                kept.append(x)
        return np.array(kept)

    def make(positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, bool, bool]) -> Structure:
        kinds = rng.integers(0, nz, len(positions)).astype(np.int32)
        return Structure(np.ascontiguousarray(positions), cell, pbc, kinds, cutoff)

    return {
        "skewed cell smaller than the cutoff": make(
            np.array([[0.1, 0.2, 0.3], [1.5, 1.9, 1.4]]), skewed, (True,) * 3
        ),
        "one atom seeing its images": make(np.zeros((1, 3)), 0.9 * skewed, (True,) * 3),
        "slab": make(scattered(9, (4.8, 5.8, 4.0)), box, (True, True, False)),
        "wire": make(scattered(5, (2.0, 2.0, 4.0)), np.diag([0.0, 0.0, 5.5]), (False, False, True)),
        "molecule": make(scattered(11, (5.0, 4.0, 4.0)), np.zeros((3, 3)), (False,) * 3),
        "atoms outside the cell": make(
            scattered(4, (3.5, 3.5, 3.5)) + rng.integers(-2, 3, (4, 1)) * np.diag([5.0, 5.0, 5.0])[0],
            np.diag([5.0, 5.0, 5.0]),
            (True,) * 3,
        ),
        "isolated atom": make(np.full((1, 3), 7.0), np.zeros((3, 3)), (False,) * 3),
    }
