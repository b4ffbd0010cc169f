"""Writing ``.yace`` files that ML-PACE reads: text written directly, one line for each bond and function."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from lacemaker.deploy.yace.messages import bad
from lacemaker.deploy.yace.model import Bond, Embedding, Terms, YaceModel
from lacemaker.deploy.yace.text import number, sequence
from lacemaker.potential import disk

__all__ = ["MAX_MEGABYTES", "write_yace", "yace_text"]

MAX_MEGABYTES = 100.0  # larger files LAMMPS reads slowly, and some users' runs crashed


def yace_text(model: YaceModel) -> str:
    """The text of a model; reading it gives an equal model."""
    lines = [f"# {line}" for line in model.comments]
    lines += [
        f"elements: {sequence(list(model.elements))}", f"E0: {sequence(model.e0)}",
        f"deltaSplineBins: {number(model.spacing)}", "embeddings:",
    ]  # fmt: skip
    lines += [f"  {s}: {_embedding(embedding)}" for s, embedding in enumerate(model.embeddings)]
    lines.append("bonds:")
    lines += [f"  [{i}, {j}]: {_bond(bond)}" for (i, j), bond in sorted(model.bonds.items())]
    lines.append("functions:")
    for s, centre in enumerate(model.terms):
        records = [f"    - {text}" for terms in centre for text in _functions(s, terms)]
        lines += [f"  {s}:", *records] if records else [f"  {s}: []"]
    return "\n".join(lines) + "\n"


def write_yace(
    model: YaceModel, path: str | os.PathLike[str], *, max_megabytes: float = MAX_MEGABYTES
) -> int:
    """Write a file, completely or not at all; returns its size in bytes.

    Raises
    ------
    FileFormatError
        If it would be larger than `max_megabytes` or cannot be written.
    """
    data = yace_text(model).encode()
    if len(data) > max_megabytes * 1e6:
        bonds = sum(bond.coefficients.size for bond in model.bonds.values())
        raise bad(
            f"the file {os.fspath(path)} would be too large for LAMMPS to read comfortably",
            f"{len(data) / 1e6:.0f} MB with {len(model.bonds)} bonds ({bonds} radial coefficients) and "
            f"{model.n_terms} products; the limit is {max_megabytes:g} MB",
            "use a sparser potential, fewer elements or a lower degree; raise max_megabytes (lace export "
            "--max-megabytes); or use pair style lace, which has no such limit",
        )
    disk.write_bytes(path, data)
    return len(data)


def _embedding(e: Embedding) -> str:
    parameters = np.column_stack([e.weights, e.exponents]).ravel()
    return (
        f"{{ndensity: {len(e.weights)}, FS_parameters: {sequence(parameters)}, npoti: {e.kind}, "
        f"rho_core_cutoff: {number(e.core_limit)}, drho_core_cutoff: {number(e.core_width)}}}"
    )


def _bond(b: Bond) -> str:
    n_max, l_max, k_max = b.coefficients.shape
    return (
        f"{{nradmax: {n_max}, lmax: {l_max - 1}, nradbasemax: {k_max}, radbasename: {b.family}, "
        f"radparameters: [{number(b.parameter)}], radcoefficients: {sequence(b.coefficients)}, "
        f"prehc: {number(b.core_strength)}, lambdahc: {number(b.core_decay)}, rcut: {number(b.cutoff)}, "
        f"dcut: {number(b.width)}, rcut_in: {number(b.inner_cutoff)}, dcut_in: {number(b.inner_width)}, "
        f"inner_cutoff_type: {b.inner_kind}}}"
    )


def _functions(species: int, terms: Terms) -> Iterator[str]:
    """One record for each run of products that differ in m only."""
    channels = terms.factors[:, :, :3].reshape(len(terms.factors), -1)
    starts = np.flatnonzero(np.append(True, (channels[1:] != channels[:-1]).any(axis=1)))
    for first, last in zip(starts, [*starts[1:], len(channels)], strict=True):
        mus, ns, ls = terms.factors[first, :, :3].T
        ms, weights = terms.factors[first:last, :, 3].ravel(), terms.weights[first:last]
        yield (
            f"{{mu0: {species}, rank: {terms.rank}, ndensity: {weights.shape[1]}, "
            f"num_ms_combs: {last - first}, mus: {sequence(mus)}, "
            f"ns: {sequence(ns)}, ls: {sequence(ls)}, ms_combs: {sequence(ms)}, "
            f"ctildes: {sequence(weights.ravel())}}}"
        )
