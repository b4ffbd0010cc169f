"""Group norm, sensitivities and tensors of pairs as compiled operations that can be differentiated twice.

PyTorch takes its own layer norm apart into some thirty operations for the second derivative, and the
sensitivities and tensors are chains of elementwise ones; here each pass is one sweep (`messages_norm.hpp`,
`messages_sensitivity.hpp`, `messages_tensors.hpp`). The plain versions stand in `interactions.py`,
`sensitivity.py` and `tensors.py`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, get_num_threads
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lacemaker.networks.fused import Grads, arrays, empty, kernels, outputs, zeros

__all__ = ["group_norm", "pair_tensors", "sensitivities"]


def group_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """x (n_atoms, K, F) normalised over its last axis, times weight plus bias, both (K, F)."""
    return _Norm.apply(x, weight, bias, eps)


class _Norm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        (out,) = empty(x)
        kernels().norm_forward(*arrays(x, weight, bias), eps, *outputs(out), get_num_threads())
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Grads:
        return *_NormBackward.apply(g, *ctx.saved_tensors, ctx.eps), None


class _NormBackward(Function):
    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, eps: float) -> Grads:
        ctx.save_for_backward(g, x, weight)
        ctx.eps = eps
        outs = [*empty(x), *zeros(weight, weight)]
        kernels().norm_backward(*arrays(g, x, weight), eps, *outputs(*outs), get_num_threads())
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dx: Tensor, dweight: Tensor, dbias: Tensor) -> Grads:
        g, x, weight = ctx.saved_tensors
        outs = [*empty(g, g), *zeros(weight)]
        given = *arrays(g, x, weight), ctx.eps, *arrays(dx, dweight, dbias)
        kernels().norm_double_backward(*given, *outputs(*outs), get_num_threads())
        return *outs, None


def sensitivities(r: Tensor, envelope: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """exp(-σ² (1/r - 1/μ)² / 2) f, (n_pairs, n_ν), of r and f (n_pairs,), μ and σ (n_ν,)."""
    return _Sensitivities.apply(r, envelope, mu, sigma)


class _Sensitivities(Function):
    @staticmethod
    def forward(ctx: Any, r: Tensor, f: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
        s, e = r.new_empty((2, len(r), len(mu)))
        kernels().sensitivity_forward(*arrays(r, f, mu, sigma), *outputs(s, e), get_num_threads())
        ctx.save_for_backward(r, f, mu, sigma, e)
        return s

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Grads:
        return _SensitivitiesBackward.apply(g, *ctx.saved_tensors)


class _SensitivitiesBackward(Function):
    @staticmethod
    def forward(ctx: Any, g: Tensor, r: Tensor, f: Tensor, mu: Tensor, sigma: Tensor, e: Tensor) -> Grads:
        ctx.save_for_backward(g, r, f, mu, sigma, e)
        outs = zeros(r, f, mu, sigma)
        given = arrays(g, r, f, mu, sigma, e)
        kernels().sensitivity_backward(*given, *outputs(*outs), get_num_threads())
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dr: Tensor, df: Tensor, dmu: Tensor, dsigma: Tensor) -> Grads:
        g, r, f, mu, sigma, e = ctx.saved_tensors
        outs = [*empty(g), *zeros(r, f, mu, sigma)]
        given = arrays(g, r, f, mu, sigma, e, dr, df, dmu, dsigma)
        kernels().sensitivity_double_backward(*given, *outputs(*outs), get_num_threads())
        return *outs, None


def pair_tensors(u: Tensor, l_max: int) -> Tensor:
    """Unit vectors (n_pairs, 3) to tensor components (n_pairs, (l_max + 1)²), l_max at least 1."""
    return _Tensors.apply(u, l_max)


class _Tensors(Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, l_max: int) -> Tensor:
        ctx.save_for_backward(u)
        ctx.l_max = l_max
        out = u.new_empty((len(u), (l_max + 1) ** 2))
        kernels().tensor_pass(0, l_max, *arrays(u, None, None), *outputs(out, None), get_num_threads())
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Grads:
        (u,) = ctx.saved_tensors
        return _TensorsBackward.apply(g, u, ctx.l_max), None


class _TensorsBackward(Function):
    @staticmethod
    def forward(ctx: Any, g: Tensor, u: Tensor, l_max: int) -> Tensor:
        ctx.save_for_backward(g, u)
        ctx.l_max = l_max
        (out,) = empty(u)
        kernels().tensor_pass(1, l_max, *arrays(u, g, None), *outputs(None, out), get_num_threads())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, du: Tensor) -> Grads:
        g, u = ctx.saved_tensors
        outs = empty(g, u)
        kernels().tensor_pass(2, ctx.l_max, *arrays(u, g, du), *outputs(*outs), get_num_threads())
        return *outs, None
