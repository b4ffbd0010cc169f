"""The message sum, the costly part of every interaction layer.

    M_ica = Σ_{j} t_c(u_ij) Σ_ν s_ν(r_ij) y_jνa,      y_jνa = Σ_b V_νab z_jb

Because the interaction weights V are shared by all multipoles, features are multiplied by V *before* they
are sent: a pair
costs (n_ν + C) F multiplications and an atom n_ν F², where the usual order (sum s t z over neighbours, then
multiply by V) costs n_ν C F and n_ν C F²; C = 16 at l_max = 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lacemaker.networks import fused
from lacemaker.networks.graphs import Batch

__all__ = ["messages", "plain_messages"]


def plain_messages(s: Tensor, t: Tensor, y: Tensor, batch: Batch) -> Tensor:
    """The sum above in plain PyTorch, for GPUs and as the oracle of the fused kernel.

    Parameters
    ----------
    s : (n_pairs, n_ν) sensitivities
    t : (n_pairs, C) tensor components
    y : (n_atoms, n_ν, F) outgoing features
    batch : Batch

    Returns
    -------
    (n_atoms, C, F)
    """
    sent = torch.bmm(s.unsqueeze(1), y[batch.neighbour])  # (n_pairs, 1, F)
    total = y.new_zeros((batch.n_atoms, t.shape[1], y.shape[2]))
    return total.index_add(0, batch.centre, t.unsqueeze(2) * sent)


def messages(s: Tensor, t: Tensor, y: Tensor, batch: Batch) -> Tensor:
    """As `plain_messages`, by the fused kernel of the core where it can be used."""
    if fused.usable(y):
        return fused.messages(s, t, y, batch.first, batch.neighbour)
    return plain_messages(s, t, y, batch)
