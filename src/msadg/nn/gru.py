"""A gated recurrent unit over long sequences, for a processor: the same numbers as torch's, in less time.

A recurrence of hundreds of steps is hundreds of tiny products, and torch takes a dozen passes over memory for each,
forwards and once again backwards, and adds up the gradient of the weights step by step. Here, a step backwards is one
product: with h_t = n_t + z_t (h_{t-1} - n_t), the gradients of all gates are that of h_t times factors that are known
for all steps at once; and so is, afterwards, the gradient of the weights.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def gru_states(gru: nn.GRU, steps: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch time hidden"]:
    """The state of a one-layer ``nn.GRU`` after each step, from a state of zeros: the first thing that it returns."""
    if not steps.is_cpu:
        states: Tensor = gru(steps)[0]
        return states
    given = F.linear(steps.transpose(0, 1), gru.weight_ih_l0, gru.bias_ih_l0)  # type: ignore[arg-type]
    states = _Recurrence.apply(given, gru.weight_hh_l0, gru.bias_hh_l0)  # type: ignore[no-untyped-call]
    return states.transpose(0, 1)


class _Recurrence(torch.autograd.Function):
    """Gates are in torch's order: reset r, update z, new n. Time is the first axis."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, given: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        time, batch, dim = given.shape[0], given.shape[1], weight.shape[1]
        states = given.new_zeros(time + 1, batch, dim)
        held = given.new_empty(time, batch, 3 * dim)  # W h + b of each step
        gates = given[..., : 2 * dim].clone()
        fresh = given[..., 2 * dim :].clone()
        transposed = weight.t()
        for state, after, w, gate, n in zip(states[:-1], states[1:], held, gates, fresh, strict=True):
            torch.addmm(bias, state, transposed, out=w)
            gate.add_(w[:, : 2 * dim]).sigmoid_()
            n.addcmul_(gate[:, :dim], w[:, 2 * dim :]).tanh_()
            torch.lerp(n, state, gate[:, dim:], out=after)
        ctx.save_for_backward(weight, states, held, gates, fresh)
        return states[1:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        weight, states, held, gates, fresh = ctx.saved_tensors
        dim = weight.shape[1]
        reset, update = gates.split(dim, dim=-1)
        # By how much each gate's sum moves the state after it.
        to_new = (1 - update) * (1 - fresh.square())
        factors = torch.stack(
            [
                to_new * held[..., 2 * dim :] * reset * (1 - reset),
                (states[:-1] - fresh) * update * (1 - update),
                to_new * reset,
            ],
            dim=2,
        )
        to_states = gradient.clone(memory_format=torch.contiguous_format)
        to_held = torch.empty_like(held)
        to_state = torch.zeros_like(states[0])
        rows = zip(to_states, to_held.view_as(factors), to_held, factors, update, strict=True)
        for here, slopes, flat, factor, kept in reversed(list(rows)):
            here.add_(to_state)
            torch.mul(factor, here[:, None], out=slopes)
            torch.addmm(here * kept, flat, weight, out=to_state)
        to_given = to_held.clone()
        torch.mul(to_states, to_new, out=to_given[..., 2 * dim :])
        to_weight = to_held.flatten(0, 1).t() @ states[:-1].flatten(0, 1)
        return to_given, to_weight, to_held.sum(dim=(0, 1))
