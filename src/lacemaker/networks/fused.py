"""The compiled operations on the CPU, as autograd functions that can be differentiated twice.

Each is one pass over pairs or atoms in the C++ core (`messages.hpp`, `messages_invariants.hpp`); the plain
versions in `messages.py` and `invariants.py` are their oracles and run where the kernels cannot: on a GPU, or
with ``LACEMAKER_NETWORK_KERNELS=plain``.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, get_num_threads
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lacemaker.networks.options import INVARIANTS, invariants_of

__all__ = ["Grads", "arrays", "empty", "invariants", "kernels", "messages", "outputs", "usable", "zeros"]

Grads = tuple[Tensor | None, ...]


@cache
def kernels() -> Any:
    """The compiled module, or None where it lacks these kernels."""
    from lacemaker import _core

    return _core if hasattr(_core, "messages_forward") else None


def usable(x: Tensor) -> bool:
    """Whether the kernels can take tensors like this one."""
    wanted = os.environ.get("LACEMAKER_NETWORK_KERNELS", "fused") != "plain"
    known = x.dtype in (torch.float32, torch.float64) and x.device.type == "cpu"
    return wanted and known and kernels() is not None


def arrays(*tensors: Tensor | None) -> list[np.ndarray | None]:
    """What the kernels read; a tensor that is not contiguous is copied."""
    return [None if x is None else x.detach().contiguous().numpy() for x in tensors]


def outputs(*tensors: Tensor | None) -> list[np.ndarray | None]:
    """What the kernels write into: the memory of the tensors, never a copy."""
    if any(x is not None and not x.is_contiguous() for x in tensors):
        raise ValueError("a kernel would write into a copy: its outputs must be contiguous")
    return [None if x is None else x.detach().numpy() for x in tensors]


def zeros(*like: Tensor) -> list[Tensor]:
    """Contiguous zeros of these shapes."""
    return [torch.zeros_like(x, memory_format=torch.contiguous_format) for x in like]


def empty(*like: Tensor) -> list[Tensor]:
    """Contiguous memory of these shapes."""
    return [torch.empty_like(x, memory_format=torch.contiguous_format) for x in like]


def messages(s: Tensor, t: Tensor, y: Tensor, first: Tensor, neighbour: Tensor) -> Tensor:
    """M_ica = Σ_p t_pc Σ_ν s_pν y_jνa; see `plain_messages`."""
    return _Messages.apply(s, t, y, first, neighbour)


class _Messages(Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, t: Tensor, y: Tensor, first: Tensor, neighbour: Tensor) -> Tensor:
        ctx.save_for_backward(s, t, y, first, neighbour)
        out = y.new_zeros((y.shape[0], t.shape[1], y.shape[2]))
        kernels().messages_forward(*arrays(s, t, y, first, neighbour), *outputs(out), get_num_threads())
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Grads:
        s, t, y, first, neighbour = ctx.saved_tensors
        by_s, by_t, by_y = _MessagesBackward.apply(g, s, t, y, first, neighbour, ctx.needs_input_grad[2])
        return by_s, by_t, by_y, None, None


class _MessagesBackward(Function):
    @staticmethod
    def forward(
        ctx: Any, g: Tensor, s: Tensor, t: Tensor, y: Tensor, first: Tensor, neighbour: Tensor, want_y: bool
    ) -> Grads:
        ctx.save_for_backward(g, s, t, y, first, neighbour)
        ctx.set_materialize_grads(False)
        outs = [*zeros(s, t), *(zeros(y) if want_y else [None])]
        given = arrays(g, s, t, y, first, neighbour)
        kernels().messages_backward(*given, *outputs(*outs), get_num_threads())
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, ds: Tensor | None, dt: Tensor | None, dy: Tensor | None) -> Grads:
        g, s, t, y, first, neighbour = ctx.saved_tensors
        ds = torch.zeros_like(s) if ds is None else ds
        dt = torch.zeros_like(t) if dt is None else dt
        outs = [*zeros(g, s, t), *(zeros(y) if ctx.needs_input_grad[3] else [None])]
        given = arrays(g, s, t, y, first, neighbour, ds, dt, dy)
        kernels().messages_double_backward(*given, *outputs(*outs), get_num_threads())
        return (*outs, None, None, None)


@cache
def _slots(l_max: int, n_max: int) -> np.ndarray:
    kept = invariants_of(l_max, n_max)
    return np.array([kept.index(k) if k in kept else -1 for k in range(len(INVARIANTS))], dtype=np.int32)


def invariants(m: Tensor, l_max: int, n_max: int) -> Tensor:
    """Messages (n_atoms, C, F) to invariants (n_atoms, K, F), l_max 2 or 3; see `plain_invariants`."""
    return _Invariants.apply(m, _slots(l_max, n_max))


class _Invariants(Function):
    @staticmethod
    def forward(ctx: Any, m: Tensor, slots: np.ndarray) -> Tensor:
        ctx.save_for_backward(m)
        ctx.slots = slots
        out = m.new_empty((m.shape[0], int((slots >= 0).sum()), m.shape[2]))
        kernels().invariants_pass(0, *arrays(m), slots, None, None, *outputs(out, None), get_num_threads())
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Grads:
        (m,) = ctx.saved_tensors
        return _InvariantsBackward.apply(m, g, ctx.slots), None


class _InvariantsBackward(Function):
    @staticmethod
    def forward(ctx: Any, m: Tensor, g: Tensor, slots: np.ndarray) -> Tensor:
        ctx.save_for_backward(m, g)
        ctx.slots = slots
        (out,) = empty(m)
        given = *arrays(m), slots, *arrays(g, None)
        kernels().invariants_pass(1, *given, *outputs(None, out), get_num_threads())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dm: Tensor) -> Grads:
        m, g = ctx.saved_tensors
        by_m, by_g = empty(m, g)
        given = *arrays(m), ctx.slots, *arrays(g, dm)
        kernels().invariants_pass(2, *given, *outputs(by_g, by_m), get_num_threads())
        return by_m, by_g, None
