"""Means over each domain's clips of a batch, all domains at once; a domain that has no clip there has no row."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def domains_present(domain: Int[Tensor, " batch"]) -> Int[Tensor, " domain"]:
    """The domains that have a clip in the batch, ascending: what the rows below stand for."""
    present: Tensor = torch.unique(domain)
    return present


def members_by_domain(domain: Int[Tensor, " batch"]) -> Bool[Tensor, "domain batch"]:
    """Which clips are of which domain.

    Example:
        >>> members_by_domain(torch.tensor([2, 0, 2])).int().tolist()
        [[0, 1, 0], [1, 0, 1]]
    """
    return domains_present(domain)[:, None] == domain[None]


def mean_over_members(
    values: Float[Tensor, "batch ..."], members: Bool[Tensor, "domain batch"]
) -> Float[Tensor, "domain ..."]:
    """Mean of each row's clips; 0 for a row without any."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    weight = members.to(values.dtype)
    weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(1)
    # Not by a matrix product, which mixed precision would round: what is compared are small differences of means.
    return (weight.reshape(*weight.shape, *[1] * (values.ndim - 1)) * values).sum(dim=1)


def halves_of(members: Bool[Tensor, "domain batch"]) -> Bool[Tensor, "half domain batch"]:
    """Each domain's first, third, fifth ... clip, and the others.

    Example:
        >>> halves_of(torch.tensor([[True, False, True, True]])).int().tolist()
        [[[1, 0, 0, 1]], [[0, 0, 1, 0]]]
    """
    is_odd = members.cumsum(dim=1) % 2 == 1
    return torch.stack([members & is_odd, members & ~is_odd])
