"""The pair basis: radial functions of single neighbours, with their own cutoff, transform and envelope."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lacemaker.basis.envelopes import Envelope
from lacemaker.basis.messages import check_integer
from lacemaker.basis.radial import Jacobi
from lacemaker.basis.transforms import STRICT, Agnesi, Transform


@dataclass(frozen=True)
class PairBasis:
    """What to put into the pair block of an `ACEBasis`.

    Site energy: sum_j sum_n c[z_i, z_j, n] R_n(r_ij), n = 1..degree for each neighbour element.

    Attributes
    ----------
    max_degree
        Number of radial functions per neighbour element; None takes the largest degree of the many-body
        block.
    cutoff
        Å: number, per-pair mapping, or None for the many-body cutoffs.
    envelope
        None takes the repulsive ``REnvelope(2)``, or ``XEnvelope(0, 2)`` when a ZBL core is switched on.
    polynomials
        Orthonormal Legendre polynomials unless said otherwise.
    symmetric
        True shares the functions of the pairs (a, b) and (b, a), as ACE1 does; False lets the site energies
        differ.
    """

    max_degree: int | None = None
    cutoff: Any = None
    transform: Transform = Agnesi(1, 3)  # noqa: RUF009  (frozen)
    envelope: Envelope | None = None
    polynomials: Jacobi = Jacobi(0.0, 0.0)  # noqa: RUF009
    symmetric: bool = False
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if self.max_degree is not None:
            check_integer("the degree of the pair basis", self.max_degree, 1, 200)


@dataclass(frozen=True)
class PairColumns:
    """Where the pair functions stand among all columns.

    Attributes
    ----------
    column
        (NZ, NZ, n_pair) int32: global column of (centre, neighbour, n), -1 where there is none.
    owners
        (n_columns, 3) centre, neighbour, n (from 1) of each pair column in order.
    """

    column: np.ndarray
    owners: np.ndarray


def pair_columns(degrees: tuple[int, ...], symmetric: bool, first: int) -> PairColumns:
    """Number the pair functions from `first` on, centre by centre.

    Parameters
    ----------
    degrees
        Number of radial functions for each centre element.
    """
    n_elements = len(degrees)
    column = np.full((n_elements, n_elements, max(degrees, default=0)), -1, dtype=np.int32)
    owners: list[tuple[int, int, int]] = []
    for centre in range(n_elements):
        for neighbour in range(n_elements):
            if symmetric and neighbour < centre:
                column[centre, neighbour] = column[neighbour, centre]
                continue
            for n in range(degrees[centre]):
                column[centre, neighbour, n] = first + len(owners)
                owners.append((centre, neighbour, n + 1))
    return PairColumns(column, np.array(owners, dtype=np.int64).reshape(-1, 3))
