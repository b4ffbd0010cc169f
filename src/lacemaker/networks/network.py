"""The network: features of atoms, block by block, and a hierarchy of energies read from them.

    E = Σ_i Σ_b (w_b · z_i^(b) + e_b)

b = 0 acts on the one-hot species (energies of the elements, no bias). With `lone_atoms: e0` the same of an
atom of that element without neighbours is subtracted from each term. A repulsive core may be added.

Hierarchicality of an atom, which training keeps small: Σ_b E_b² / (E_b² + E_{b-1}²).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lacemaker.networks.blocks import Block, squares
from lacemaker.networks.core import Core
from lacemaker.networks.graphs import Batch
from lacemaker.networks.interactions import Geometry
from lacemaker.networks.options import NetworkOptions
from lacemaker.networks.sensitivity import cutoff_function
from lacemaker.networks.tensors import pair_tensors

__all__ = ["Network", "Result", "count_parameters"]


@dataclass(frozen=True, eq=False)
class Result:
    """What a network says about a batch.

    Attributes
    ----------
    energy : (n_structures,) eV
    site_energies : (n_atoms,) eV
    levels : (n_heads, n_atoms) eV
        Contributions of the heads to the site energies.
    pair_gradient : (n_pairs, 3) eV/Å or None
        Derivative of the energy with respect to the pair vectors.
    """

    batch: Batch
    energy: Tensor
    site_energies: Tensor
    levels: Tensor
    pair_gradient: Tensor | None = None

    def forces(self) -> Tensor:
        """(n_atoms, 3) eV/Å; a pair vector is x_neighbour - x_centre."""
        gradient, batch = self.pair_gradient, self.batch
        assert gradient is not None, "evaluate with forces=True"
        total = gradient.new_zeros((batch.n_atoms, 3)).index_add(0, batch.centre, gradient)
        return total.index_add(0, batch.neighbour, -gradient)

    def virial(self) -> Tensor:
        """(n_structures, 3, 3) eV, minus the derivative of the energy with respect to strain."""
        gradient, batch = self.pair_gradient, self.batch
        assert gradient is not None, "evaluate with forces=True"
        if batch.n_structures == 1:
            total = (gradient.T @ batch.vectors).unsqueeze(0)
        else:
            outer = gradient.unsqueeze(2) * batch.vectors.unsqueeze(1)
            total = gradient.new_zeros((batch.n_structures, 3, 3))
            total = total.index_add(0, batch.structure[batch.centre], outer)
        return (total + total.transpose(1, 2)) / -2

    def hierarchicality(self, kind: str = "atom") -> Tensor:
        """By structure (``atom``: sum over atoms, ``structure``: ratio of sums) or one number."""
        e2 = self.levels.square()
        if len(e2) < 2:
            return self.energy.new_zeros(() if kind == "batch" else self.energy.shape)
        if kind == "batch":
            e2 = e2.sum(1, keepdim=True)
        elif kind == "structure":
            e2 = self.batch.per_structure(e2.T).T
        tiny = torch.finfo(e2.dtype).tiny  # 0/0 where both energies vanish
        ratio = (e2[1:] / (e2[1:] + e2[:-1] + tiny)).sum(0)
        if kind == "atom":
            return self.batch.per_structure(ratio)
        return ratio.sum() if kind == "batch" else ratio


class Network(nn.Module):
    """HIP-NN, HIP-NN-TS or HIP-HOP-NN.

    Parameters
    ----------
    options : NetworkOptions
    n_species : int
        Elements of the network; no embedding, one input per element.
    """

    blocks: Any  # ModuleLists: their entries have types of their own
    heads: Any

    def __init__(self, options: NetworkOptions, n_species: int) -> None:
        super().__init__()
        self.options, self.n_species = options, n_species
        widths = [n_species] + [options.features] * options.interactions
        self.blocks = nn.ModuleList(Block(options, n) for n in widths[:-1])
        kept = widths[1:] if options.first_is_interacting else widths
        biased = [options.first_is_interacting] + [True] * (len(kept) - 1)
        self.core = Core(n_species) if options.repulsion == "zbl" else None
        self.heads = nn.ModuleList(nn.Linear(n, 1, bias=b) for n, b in zip(kept, biased, strict=True))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        dtype: torch.dtype = self.heads[-1].weight.dtype
        return dtype

    def regularisation(self) -> Tensor:
        """Sum of squares of interaction, own, on-site, residual and adjust weights."""
        return squares([weight for block in self.blocks for weight in block.regularised()])

    def geometry(self, batch: Batch) -> Geometry:
        """Distances, envelope and tensors of all pairs."""
        options = self.options
        r = torch.linalg.vector_norm(batch.vectors, dim=1)
        tensors = pair_tensors(batch.vectors / r.unsqueeze(1), options.degree)
        return Geometry(batch, r, cutoff_function(r, options.cutoff, options.cutoff_function), tensors)

    def features(self, geometry: Geometry) -> list[Tensor]:
        """[one-hot species, features of block 1, …], each (n_atoms, width)."""
        one_hot = torch.eye(self.n_species, dtype=geometry.r.dtype, device=geometry.r.device)
        z = [one_hot[geometry.batch.species]]
        for block in self.blocks:
            z.append(block(z[-1], geometry))
        return z

    def forward(self, batch: Batch) -> Result:
        """Energies only."""
        consistent = self.options.lone_atoms == "e0"
        geometry = self.geometry(batch.with_lone_atoms(self.n_species) if consistent else batch)
        levels = self._levels(geometry)
        if consistent:
            levels, alone = levels[:, : batch.n_atoms], levels[:, batch.n_atoms :]
            levels = levels - alone[:, batch.species]
        site = levels.sum(0)
        if self.core is not None:
            site = site + self.core(batch, geometry.r)
        return Result(batch, batch.per_structure(site), site, levels)

    def _levels(self, geometry: Geometry) -> Tensor:
        """What each head gives each atom, (n_heads, n_atoms)."""
        z = self.features(geometry)
        z = z[1:] if self.options.first_is_interacting else z
        return torch.cat([head(x) for head, x in zip(self.heads, z, strict=True)], dim=1).T

    def evaluate(self, batch: Batch, *, forces: bool = True, training: bool = False) -> Result:
        """Energies and, on request, pair gradients; `training` keeps the graph for a loss of forces."""
        if not forces:
            with torch.set_grad_enabled(training):
                return self(batch)
        vectors = batch.vectors.detach().requires_grad_()
        moving = Batch(**{**batch.__dict__, "vectors": vectors})
        with torch.enable_grad():
            result = self(moving)
            if len(vectors):
                (gradient,) = torch.autograd.grad(result.energy.sum(), vectors, create_graph=training)
            else:
                gradient = torch.zeros_like(vectors)
        return Result(moving, result.energy, result.site_energies, result.levels, gradient)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters, energies of the elements included."""
    return sum(p.numel() for p in network.parameters())
