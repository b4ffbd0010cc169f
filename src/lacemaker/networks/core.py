"""A ZBL core under the network: screened nuclear repulsion where no data reach.

    V(r) = 14.399645 Z_i Z_j / r φ(r/a) w(r),    w = 1 - 10 t³ + 15 t⁴ - 6 t⁵,  t = (r - r_in)/(r_out - r_in)

as in `lacemaker.basis.repulsion`, whose constants and hand-over distances (0.4 and 0.8 of the pair's shortest
usual bond) it shares. Half of it goes to each atom of a pair. The network learns labels minus core.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lacemaker.basis.elements import ATOMIC_NUMBERS, bond_length, shortest_bond
from lacemaker.basis.repulsion import COULOMB, INNER, OUTER, SCREENING, screening_length
from lacemaker.networks.graphs import Batch

__all__ = ["Core"]


class Core(nn.Module):
    """Energies of the core; zero until it knows its elements.

    Parameters
    ----------
    n_species : int
    """

    charges: Tensor  # (Z, Z) 14.399645 Z_i Z_j, eV Å
    lengths: Tensor  # (3, Z, Z) Å: screening length, inner, outer

    def __init__(self, n_species: int) -> None:
        super().__init__()
        self.register_buffer("charges", torch.zeros(n_species, n_species))
        self.register_buffer("lengths", torch.ones(3, n_species, n_species))

    def set_elements(self, elements: Sequence[str]) -> None:
        """Take charges and distances of these elements, in the order of the network's inputs."""
        for i, a in enumerate(elements):
            for j, b in enumerate(elements):
                bond = shortest_bond(a, b, 0.5 * (bond_length(a) + bond_length(b)))
                z = ATOMIC_NUMBERS[a], ATOMIC_NUMBERS[b]
                self.charges[i, j] = COULOMB * z[0] * z[1]
                known = (screening_length(*z), INNER * bond, OUTER * bond)
                self.lengths[:, i, j] = torch.tensor(known, dtype=self.lengths.dtype)

    def forward(self, batch: Batch, r: Tensor) -> Tensor:
        """Energy of each atom (n_atoms,) eV at the distances (n_pairs,) Å of all pairs."""
        centre, i, j = batch.centre, batch.species[batch.centre], batch.species[batch.neighbour]
        if r.device.type == "cpu":  # few pairs are so close; on a GPU it would cost more to ask which
            near = (r < self.lengths[2, i, j]).nonzero().squeeze(1)
            centre, i, j, r = centre[near], i[near], j[near], r[near]
        a, inner, outer = self.lengths[:, i, j]
        screening = sum(c * torch.exp(-d * r / a) for c, d in SCREENING)
        t = ((r - inner) / (outer - inner)).clamp(0, 1)
        energy = 0.5 * self.charges[i, j] / r * screening * (1 - t**3 * (10 - 15 * t + 6 * t.square()))
        return r.new_zeros(batch.n_atoms).index_add(0, centre, energy)
