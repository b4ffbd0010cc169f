"""A second reader of ``.lace`` files, written from the format's description with json, struct, NumPy, SciPy.

It shares no code with lacemaker, so agreement shows that the description is complete and right.
"""

import hashlib
import json
import struct
from itertools import product as cartesian

import numpy as np
from scipy.special import sph_harm_y

TYPES = {"F64": "<f8", "I32": "<i4", "I64": "<i8"}


def read(path):
    """Header and arrays of a file; AssertionError if the digest is wrong."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    outer = json.loads(data[8 : 8 + length])
    text = outer.pop("__metadata__")["lacemaker"]
    header = json.loads(text)
    sha = hashlib.sha256(text.replace(header["sha256"], "0" * 64).encode())
    arrays = {}
    for name in sorted(outer):
        begin, end = outer[name]["data_offsets"]
        raw = data[8 + length + begin : 8 + length + end]
        shape = outer[name]["shape"]
        sha.update(f"{name}|{outer[name]['dtype']}|{','.join(map(str, shape))}|".encode() + raw)
        arrays[name] = np.frombuffer(raw, TYPES[outer[name]["dtype"]]).reshape(shape)
    assert sha.hexdigest() == header["sha256"]
    return header, arrays


def site_energies(a, numbers, positions, cell, pbc):
    """Energy of each atom by plain loops over atoms, images, products; no neighbour list."""
    species = [list(a["elements"]).index(z) for z in numbers]
    energies = []
    for i, s in enumerate(species):
        vectors, kinds = neighbours(i, species, positions, cell, pbc, reach(a))
        energy = a["e0"][s] + many_body(a, s, vectors, kinds)
        for vector, t in zip(vectors, kinds, strict=True):
            r = np.linalg.norm(vector)
            energy += a["pair_coefficients"][s, t] @ radial(a, "pair", s, t, r) + zbl(a, s, t, r) / 2
        energies.append(energy)
    return np.array(energies)


def reach(a):
    return max(
        a["mb_transform_params"][..., 2].max(),
        a["pair_transform_params"][..., 2].max(),
        a["zbl"][..., 2].max(),
    )


def neighbours(i, species, positions, cell, pbc, cutoff):
    images = [range(-4, 5) if periodic else [0] for periodic in pbc]
    vectors, kinds = [], []
    for shift in cartesian(*images):
        for j, t in enumerate(species):
            vector = positions[j] + np.array(shift) @ cell - positions[i]
            if 0 < np.linalg.norm(vector) < cutoff:
                vectors.append(vector)
                kinds.append(t)
    return vectors, kinds


def many_body(a, s, vectors, kinds):
    spec = a["a_spec"][a["a_first"][s] : a["a_first"][s + 1]]
    values = np.zeros(len(spec))
    for vector, t in zip(vectors, kinds, strict=True):
        r = np.linalg.norm(vector)
        functions = radial(a, "mb", s, t, r)
        for row, (z, n, degree, order) in enumerate(spec):
            if z == t:
                values[row] += functions[n - 1] * harmonic(degree, order, vector / r)
    energy = 0.0
    for term in range(a["term_centre"][s], a["term_centre"][s + 1]):
        factors = a["term_index"][a["term_first"][term] : a["term_first"][term + 1]]
        energy += a["term_weight"][term] * np.prod(values[factors])
    return energy


def harmonic(degree, order, u):
    """Real, orthonormal, without Condon–Shortley phase, from SciPy's complex ones (which have it)."""
    y = (
        sph_harm_y(degree, abs(order), np.arccos(np.clip(u[2], -1, 1)), np.arctan2(u[1], u[0]))
        * (-1.0) ** order
    )
    return y.real if order == 0 else np.sqrt(2) * (y.real if order > 0 else y.imag)


def radial(a, kind, s, t, r):
    rin, r0, cutoff, p, q = a[f"{kind}_transform_params"][s, t]
    n = len(a[f"{kind}_norm"])
    if r >= cutoff or not n:
        return np.zeros(n)
    y, y_in, y_cut = (transform(int(a[f"{kind}_transform"][0]), d, rin, r0, p, q) for d in (r, rin, cutoff))
    x = np.clip(2 * (y - y_in) / (y_cut - y_in) - 1, -1, 1)
    polynomials = [1.0]
    for k in range(1, n):
        before = polynomials[k - 2] if k > 1 else 0.0
        step = (x - a[f"{kind}_beta"][k - 1]) * polynomials[-1] - a[f"{kind}_gamma"][k - 1] * before
        polynomials.append(step)
    p1, p2 = a[f"{kind}_envelope_params"]
    envelope = [
        lambda: 1.0,
        lambda: (x + 1) ** p1 * (1 - x) ** p2,
        lambda: (r / r0) ** -p1 - (cutoff / r0) ** -p1 + p1 * (cutoff / r0) ** (-p1 - 1) * (r - cutoff) / r0,
        lambda: ((r / cutoff) ** -p1 - 1) * (1 - r / cutoff),
    ][int(a[f"{kind}_envelope"][0])]()
    return a[f"{kind}_norm"] * envelope * np.array(polynomials)


def transform(kind, r, rin, r0, p, q):
    if kind == 0:
        s = max(r - rin, 0.0) / (r0 - rin)
        amplitude = (p * (4 * q - 2) - 2 * q) / (p + p**2 + q + q**2)
        return 1 / (1 + amplitude * s**q / (1 + s ** (q - p)))
    return [None, ((1 + r0) / (1 + r)) ** p, r, np.exp(-p * (r / r0 - 1))][kind]


def zbl(a, s, t, r):
    charge, inner, outer = a["zbl"][s, t]
    if charge == 0 or r >= outer:
        return 0.0
    u = r / a["zbl_a"][s, t]
    screening = np.dot(
        [0.18175, 0.50986, 0.28022, 0.02817], np.exp(-u * np.array([3.19980, 0.94229, 0.40290, 0.20162]))
    )
    x = np.clip((r - inner) / (outer - inner), 0, 1)
    return 14.399645 * charge / r * screening * (1 - 10 * x**3 + 15 * x**4 - 6 * x**5)
