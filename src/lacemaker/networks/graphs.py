"""Structures as flat pair lists: one graph per frame, made once, and batches of graphs of any sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lacemaker.structures import neighbour_list

if TYPE_CHECKING:
    from lacemaker.structures import NeighbourList

__all__ = ["Batch", "Graph"]


@dataclass(frozen=True, eq=False)
class Graph:
    """One structure: species and all directed pairs within the cutoff, sorted by their first atom.

    Attributes
    ----------
    species : (n_atoms,) int64
        Indices into the elements of the network.
    first : (n_atoms + 1,) int64
        The pairs of atom i are ``first[i]`` … ``first[i + 1] - 1``.
    neighbour : (n_pairs,) int64
    vectors : (n_pairs, 3) float64 Å
        From the first to the second atom.
    """

    species: np.ndarray
    first: np.ndarray
    neighbour: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, structure: Any, species: np.ndarray, cutoff: float) -> Graph:
        """From a frame or ase.Atoms, with a neighbour list made for it."""
        cell = np.asarray(structure.cell, dtype=np.float64)
        neighbours = neighbour_list(structure.positions, cell, structure.pbc, cutoff)
        return cls.from_list(species, structure.positions, cell, neighbours, cutoff)

    @classmethod
    def from_list(
        cls,
        species: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray,
        neighbours: NeighbourList,
        cutoff: float,
    ) -> Graph:
        """From a list that may reach farther than the cutoff; pairs beyond it are left out."""
        vectors = neighbours.vectors(positions, cell)
        near = np.einsum("ij,ij->i", vectors, vectors) < cutoff**2
        centre = neighbours.centre[near]
        first = np.searchsorted(centre, np.arange(len(species) + 1)).astype(np.int64)
        index = neighbours.index[near].astype(np.int64)
        return cls(np.asarray(species, dtype=np.int64), first, index, vectors[near])


@dataclass(frozen=True, eq=False)
class Batch:
    """Several graphs as one, on a device.

    Attributes
    ----------
    species, structure : (n_atoms,) int64
        Species index and number of the structure of each atom.
    first : (n_atoms + 1,) int64
    centre, neighbour : (n_pairs,) int64
    vectors : (n_pairs, 3) Å
    n_structures : int
    """

    species: Tensor
    structure: Tensor
    first: Tensor
    centre: Tensor
    neighbour: Tensor
    vectors: Tensor
    n_structures: int

    @classmethod
    def of(cls, graphs: Sequence[Graph], dtype: torch.dtype = torch.float64, device: str = "cpu") -> Batch:
        """Join graphs in their order; `device` is one that `choose_device` gave."""
        sizes = np.array([len(g.species) for g in graphs])
        offsets = np.concatenate([[0], np.cumsum(sizes)])[:-1]
        counts = np.concatenate([np.diff(g.first) for g in graphs])
        arrays = (
            np.concatenate([g.species for g in graphs]),
            np.repeat(np.arange(len(graphs)), sizes),
            np.concatenate([[0], np.cumsum(counts)]),
            np.repeat(np.arange(len(counts)), counts),
            np.concatenate([g.neighbour + o for g, o in zip(graphs, offsets, strict=True)]),
        )
        tensors = [torch.from_numpy(np.ascontiguousarray(a, dtype=np.int64)).to(device) for a in arrays]
        vectors = torch.from_numpy(np.concatenate([g.vectors for g in graphs])).to(device, dtype)
        species, structure, first_pair, centre, neighbour = tensors
        return cls(species, structure, first_pair, centre, neighbour, vectors, len(graphs))

    @property
    def n_atoms(self) -> int:
        """Atoms of all structures together."""
        return len(self.species)

    def with_lone_atoms(self, n_species: int) -> Batch:
        """The batch and, after it, an atom of each species without neighbours, each a structure."""
        each = torch.arange(n_species, device=self.species.device)
        ends = self.first[-1:].expand(n_species)
        return Batch(
            torch.cat([self.species, each]),
            torch.cat([self.structure, self.n_structures + each]),
            torch.cat([self.first, ends]),
            self.centre,
            self.neighbour,
            self.vectors,
            self.n_structures + n_species,
        )

    def per_structure(self, values: Tensor) -> Tensor:
        """Sum atomic values (n_atoms, …) over each structure, (n_structures, …)."""
        total = values.new_zeros((self.n_structures, *values.shape[1:]))
        return total.index_add(0, self.structure, values)
