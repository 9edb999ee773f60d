"""Long and short-term interest as means: what a user's steps were about, newer ones weighing more.

Letters: B users, L steps, U distinct items of a user, Q queries, N items, E size of the vectors, n half-lives.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from chronotope.train.inputs import Batch
from chronotope.train.kernels import DAY_S
from chronotope.train.memory import summed


def decayed_means(batch: Batch, vectors: Tensor, half_lives_days: tuple[float, ...]) -> Tensor:
    """Means of the item vectors [N, E] over each query's known steps, one per half-life side by side: [Q, n E].

    `mean = sum_s 2^(-(t_last - t_s)/half_life) x_s / sum_s 2^(-(t_last - t_s)/half_life)`, over the known steps s of
    items that the catalogue knows; zeros where there is none. Ages count from the last known step, so that the newest
    weighs 1 and long absences leave the mean as it is.
    """
    everyone = torch.arange(len(batch.user), device=batch.item.device)
    known = batch.knows(everyone, batch.item.shape[1]) & (batch.item[batch.user] >= 0)
    age_days = ((batch.at_last(batch.at_s)[:, None] - batch.at_s[batch.user]).clamp(min=0) / DAY_S).float()
    weights = torch.stack([torch.exp2(-age_days / days) * known for days in half_lives_days], dim=1)
    own = batch.own[batch.user].clamp(min=0)
    shares = summed(weights, batch.turn[batch.user], own.shape[1])
    shares = shares / shares.sum(dim=2, keepdim=True).clamp(min=1e-30)
    means = [
        functional.embedding_bag(own, vectors, per_sample_weights=shares[:, n].contiguous(), mode="sum")
        for n in range(len(half_lives_days))
    ]
    return torch.cat(means, dim=-1)


def step_means(met: Tensor, known: Tensor, half_lives_steps: Sequence[float], reach: int) -> Tensor:
    """Means of what was met in the newest steps up to each step, one per half-life side by side: [B, L, n E].

    `mean_t = sum_s 2^(-(t - s)/half_life) x_s / sum_s 2^(-(t - s)/half_life)`, over the `reach` steps s up to t, those
    of them whose item is known; zeros where there is none. Ages are counted in steps: of what comes in bursts, days say
    little.

    Args:
        met: [B, L, E] vectors, zero where the item is not known.
        known: [B, L] whether it is.
        half_lives_steps: at least 1.
        reach: steps, at least 1: who trains on windows of so many must not be asked about more.

    """
    if not half_lives_steps:
        return met[..., :0]
    counted = torch.cat([met, known[..., None].to(met.dtype)], dim=-1)
    sums = [decayed_sums(counted, half_life, reach) for half_life in half_lives_steps]
    return torch.cat([total[..., :-1] / total[..., -1:].clamp(min=1e-37) for total in sums], dim=-1)


def decayed_sums(values: Tensor, half_life_steps: float, reach: int) -> Tensor:
    """Sums of the newest `reach` of the values [B, L, X] up to each step; each counts half as much after so many steps.

    Steps are taken in blocks of `reach`, so that a sum is of its own block and the one before, and a product each.

    >>> decayed_sums(torch.tensor([[[4.0], [0.0], [1.0], [0.0]]]), 1.0, 3).flatten().tolist()
    [4.0, 2.0, 2.0, 0.5]
    """
    n_users, n_steps, size = values.shape
    reach = min(reach, n_steps)
    padded = functional.pad(values, (0, 0, 0, -n_steps % reach))
    blocks = padded.reshape(n_users, padded.shape[1] // reach, reach, size)
    step = torch.arange(reach, device=values.device)
    ago = (step[:, None] - step) % reach  # above the diagonal: steps of the block before
    weight = torch.exp2(-ago / half_life_steps)
    sums: Tensor = weight.tril() @ blocks
    if blocks.shape[1] > 1:
        sums = sums + functional.pad(weight.triu(1) @ blocks[:, :-1], (0, 0, 0, 0, 1, 0))
    return sums.flatten(1, 2)[:, :n_steps]
