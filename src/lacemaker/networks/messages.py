"""The message sum, the costly part of every interaction layer.

    M_ica = Σ_{j} t_c(u_ij) Σ_ν s_ν(r_ij) y_jνa,      y_jνa = Σ_b V_νab z_jb

Because the interaction weights V are shared by all multipoles, features are multiplied by V *before* they
are sent: a pair costs (n_ν + C) F multiplications and an atom n_ν F², where the usual order (sum s t z over
neighbours, then multiply by V) costs n_ν C F and n_ν C F²; C = 16 at l_max = 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lacemaker.networks import fused
from lacemaker.networks.fused import Grads
from lacemaker.networks.graphs import Batch

__all__ = ["chunked_messages", "messages", "plain_messages"]

LARGEST = 1 << 24
"""Numbers in the largest array of a chunk: 64 MiB in float32."""


def plain_messages(s: Tensor, t: Tensor, y: Tensor, batch: Batch) -> Tensor:
    """The sum above in plain PyTorch, the oracle of the others; stores pairs × n_ν × F numbers.

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


def chunked_messages(s: Tensor, t: Tensor, y: Tensor, batch: Batch) -> Tensor:
    """As `plain_messages`, a chunk of pairs at a time in all derivatives, on any device.

    With w_p = Σ_ν s_pν y_jν, g_p = Σ_c t_pc G_ic, dw = s dy + ds y and dg = Σ_c dt_c G_ic, the derivatives of
    Σ G·M are y·g by s, G·w by t and s g by y; those of their sum with directions (ds, dt, dy) are t dw + dt w
    by G, dg·y + g·dy by s, G·dw by t and ds g + s dg by y.
    """
    return _Messages.apply(s, t, y, batch.centre, batch.neighbour)


def messages(s: Tensor, t: Tensor, y: Tensor, batch: Batch) -> Tensor:
    """As `plain_messages`, by the fused kernel of the core where it can be used, else in chunks."""
    if fused.usable(y):
        return fused.messages(s, t, y, batch.first, batch.neighbour)
    return chunked_messages(s, t, y, batch)


def _chunks(t: Tensor, y: Tensor) -> Iterator[slice]:
    """Pairs in turn, so that no array (pairs, n_ν or C, F) has more than `LARGEST` numbers."""
    (n_pairs, n_c), (_, n_s, width) = t.shape, y.shape
    size = max(1, LARGEST // (max(n_s, n_c) * width))
    return (slice(start, start + size) for start in range(0, n_pairs, size))


def _weighted(a: Tensor, b: Tensor) -> Tensor:
    """Σ_k a_pk b_pkf, (p, F)."""
    return torch.bmm(a.unsqueeze(1), b).squeeze(1)


def _along(b: Tensor, x: Tensor) -> Tensor:
    """Σ_f b_pkf x_pf, (p, k)."""
    return torch.bmm(b, x.unsqueeze(2)).squeeze(2)


def _outer(a: Tensor, x: Tensor) -> Tensor:
    """a_pk x_pf, (p, k, F)."""
    return a.unsqueeze(2) * x.unsqueeze(1)


class _Messages(Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, t: Tensor, y: Tensor, centre: Tensor, neighbour: Tensor) -> Tensor:
        ctx.save_for_backward(s, t, y, centre, neighbour)
        out = y.new_zeros((y.shape[0], t.shape[1], y.shape[2]))
        for k in _chunks(t, y):
            out.index_add_(0, centre[k], _outer(t[k], _weighted(s[k], y[neighbour[k]])))
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Grads:
        by_s, by_t, by_y = _MessagesBackward.apply(g, *ctx.saved_tensors, ctx.needs_input_grad[2])
        return by_s, by_t, by_y, None, None


class _MessagesBackward(Function):
    @staticmethod
    def forward(
        ctx: Any,
        big_g: Tensor,
        s: Tensor,
        t: Tensor,
        y: Tensor,
        centre: Tensor,
        neighbour: Tensor,
        want_y: bool,
    ) -> Grads:
        ctx.save_for_backward(big_g, s, t, y, centre, neighbour)
        ctx.set_materialize_grads(False)
        by_s, by_t, by_y = torch.empty_like(s), torch.empty_like(t), torch.zeros_like(y) if want_y else None
        for k in _chunks(t, y):
            received, sent = big_g[centre[k]], y[neighbour[k]]
            g = _weighted(t[k], received)
            by_s[k], by_t[k] = _along(sent, g), _along(received, _weighted(s[k], sent))
            if by_y is not None:
                by_y.index_add_(0, neighbour[k], _outer(s[k], g))
        return by_s, by_t, by_y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, ds: Tensor | None, dt: Tensor | None, dy: Tensor | None) -> Grads:
        big_g, s, t, y, centre, neighbour = ctx.saved_tensors
        ds = torch.zeros_like(s) if ds is None else ds
        dt = torch.zeros_like(t) if dt is None else dt
        by_g, by_s, by_t = torch.zeros_like(big_g), torch.empty_like(s), torch.empty_like(t)
        by_y = torch.zeros_like(y) if ctx.needs_input_grad[3] else None
        for k in _chunks(t, y):
            received, sent = big_g[centre[k]], y[neighbour[k]]
            g, dg = _weighted(t[k], received), _weighted(dt[k], received)
            w, dw = _weighted(s[k], sent), _weighted(ds[k], sent)
            by_s[k] = _along(sent, dg)
            if dy is not None:
                turned = dy[neighbour[k]]
                dw += _weighted(s[k], turned)
                by_s[k] += _along(turned, g)
            by_t[k] = _along(received, dw)
            by_g.index_add_(0, centre[k], _outer(t[k], dw) + _outer(dt[k], w))
            if by_y is not None:
                by_y.index_add_(0, neighbour[k], _outer(ds[k], g) + _outer(s[k], dg))
        return by_g, by_s, by_t, by_y, None, None, None
