"""A second evaluator of ``.yace`` files: plain loops over atoms, images, terms, written from the formulas.

Shares no code with lacemaker; harmonics from SciPy, YAML by ruamel.yaml. Core type zbl is not described
well enough to be here; the test with ace-jax covers it.
"""

from itertools import product

import numpy as np
from ruamel.yaml import YAML
from scipy.special import eval_chebyt, sph_harm_y


def load(path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def site_energies(tree, symbols, positions, cell, pbc, *, table=False):
    """Energy of each atom, eV; `table` interpolates g_k as ML-PACE does, else they are analytic."""
    kinds = [tree["elements"].index(symbol) for symbol in symbols]
    radial = _table(tree) if table else lambda bond, r: g_functions(tree["bonds"][bond], r)
    images = [range(-4, 5) if periodic else [0] for periodic in pbc]
    energies = []
    for i, s in enumerate(kinds):
        around = []
        for shift in product(*images):
            for j, t in enumerate(kinds):
                vector = positions[j] + np.array(shift) @ cell - positions[i]
                r = np.linalg.norm(vector)
                if 0 < r < tree["bonds"][s, t]["rcut"]:
                    around.append((t, r, vector / r))
        energies.append(site(tree, s, around, radial))
    return np.array(energies)


def site(tree, s, around, radial):
    neighbours = []
    rho_core = 0.0
    for t, r, direction in around:
        bond = tree["bonds"][s, t]
        g = radial((s, t), r)
        mixed = np.einsum("nlk,k->nl", np.array(bond["radcoefficients"], dtype=float), g)
        neighbours.append(
            (t, g, mixed, np.arccos(np.clip(direction[2], -1, 1)), np.arctan2(direction[1], direction[0]))
        )
        rho_core += core(bond, r)
    e = tree["embeddings"][s]
    rho = np.zeros(e["ndensity"])
    known = {}

    def a(rank, mu, n, ell, m):
        key = (rank == 1, mu, n, ell, m)
        if key not in known:
            known[key] = sum(
                g[n - 1] if rank == 1 else mixed[n - 1, ell] * harmonic(ell, m, theta, phi)
                for t, g, mixed, theta, phi in neighbours
                if t == mu
            )
        return known[key]

    for f in tree["functions"].get(s) or []:
        rank = f["rank"]
        ms = np.reshape(f["ms_combs"], (-1, rank))
        for m, c in zip(ms, np.reshape(f["ctildes"], (len(ms), -1)), strict=True):
            value = 1.0
            for t in range(rank):
                value = value * a(rank, f["mus"][t], f["ns"][t], f["ls"][t], int(m[t]))
            rho += np.asarray(c, dtype=float) * np.real(value)
    w, exponents = np.reshape(e["FS_parameters"], (-1, 2)).T
    energy = sum(w[p] * embed(e["npoti"], rho[p], exponents[p]) for p in range(len(rho)))
    fade = inner(rho_core, e["rho_core_cutoff"], e["drho_core_cutoff"])
    return tree["E0"][s] + fade * energy + rho_core


def harmonic(ell, m, theta, phi):
    """Condon-Shortley phase, Y_00 = 1."""
    return np.sqrt(4 * np.pi) * sph_harm_y(ell, m, theta, phi)


def embed(kind, rho, m):
    if m == 1:
        return rho
    x = abs(rho)
    if kind == "FinnisSinclair":
        if x < 1e-10:
            return 1e6 ** (1 - m) * rho
        g = np.exp(-((1e6 * x) ** 3)) if x < 1e-5 else 0.0
        return np.sign(rho) * ((1 - g) * x**m + 1e6 ** (1 - m) * g * x)
    nu, e = 1 / m, np.exp(-x)
    return np.sign(rho) * ((nu ** (nu / (1 - nu)) * e + x) ** m - nu ** (1 / (1 - nu)) * e)


def inner(r, end, width):
    """fc of the inner cutoffs."""
    if r >= end:
        return 0.0
    if r <= end - width:
        return 1.0
    t = 1 - 2 * (1 + (r - end) / width)
    return 0.5 + 3.75 * (t / 4 - t**3 / 6 + t**5 / 20)


def core(bond, r):
    value = bond["prehc"] * np.exp(-bond["lambdahc"] * r**2) / r * (1 + np.cos(np.pi * r / bond["rcut"])) / 2
    if bond.get("inner_cutoff_type") == "distance":
        value *= inner(r, bond["rcut_in"], bond["dcut_in"])
    return value


def g_functions(bond, r):
    n, rc, u = bond["nradbasemax"], bond["rcut"], r / bond["rcut"]
    k = np.arange(1, n + 1)
    rate = bond["radparameters"][0]
    if bond["radbasename"] == "ChebExpCos":
        x = 1 - 2 * (np.exp(-rate * (u - 1)) - 1) / (np.exp(rate) - 1)
        wave = (1 + np.cos(np.pi * u)) / 2
        g = np.where(k == 1, wave, (1 - eval_chebyt(k - 1, x)) / 2 * wave)
        if r > rc - bond["dcut"]:
            g = g * (1 + np.cos(np.pi * (r - rc + bond["dcut"]) / bond["dcut"])) / 2
    elif bond["radbasename"] == "ChebPow":
        g = (1 - eval_chebyt(k, 2 * (1 - (1 - u) ** rate) - 1)) / 2
    elif bond["radbasename"] == "ChebLinear":
        g = (1 - eval_chebyt(k, 1 - u)) / 2
    else:
        g = bessel(n, rc, u)
    if bond.get("inner_cutoff_type") == "distance":
        g = g * (1 - inner(r, bond["rcut_in"], bond["dcut_in"]))
    return g


def bessel(count, rc, u):
    g, d = [], []
    for n in range(count):
        f = (
            (-1) ** n
            * np.sqrt(2)
            * np.pi
            * rc**-1.5
            * (n + 1)
            * (n + 2)
            / np.sqrt((n + 1) ** 2 + (n + 2) ** 2)
        )
        f *= np.sinc((n + 1) * u) + np.sinc((n + 2) * u)
        e = n**2 * (n + 2) ** 2 / (4 * (n + 1) ** 4 + 1)
        d.append(1 - e / d[-1] if n else 1.0)
        g.append((f + np.sqrt(e / d[n - 1]) * g[-1]) / np.sqrt(d[n]) if n else f)
    return np.array(g)


def _table(tree):
    """g_k by cubic Hermite interpolation on int(rcut / deltaSplineBins) intervals."""
    known = {}

    def knot(key, k, h):
        if (key, k) not in known:
            bond, r, step = tree["bonds"][key], k * h, 1e-3
            r = min(r, bond["rcut"] - 1e-12)
            around = [-2, -1, 1, 2] if r + 2 * step < bond["rcut"] else [-4, -3, -2, -1, 0]
            weights = [1, -8, 8, -1] if len(around) == 4 else [3, -16, 36, -48, 25]
            slope = sum(
                w * g_functions(bond, r + a * step / 10) for w, a in zip(weights, around, strict=True)
            )
            known[key, k] = g_functions(bond, r), slope / (1.2 * step)
        return known[key, k]

    def radial(key, r):
        rc = tree["bonds"][key]["rcut"]
        h = rc / int(rc / tree["deltaSplineBins"])
        k = int(r / h)
        (f0, d0), (f1, d1), t = knot(key, k, h), knot(key, k + 1, h), r / h - k
        return (
            (1 + 2 * t) * (1 - t) ** 2 * f0 + t * (1 - t) ** 2 * h * d0
            + t**2 * (3 - 2 * t) * f1 + t**2 * (t - 1) * h * d1
        )  # fmt: skip

    return radial
