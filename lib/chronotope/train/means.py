"""Long and short-term interest as means: what a user's steps were about, newer ones weighing more.

Letters: L steps, U distinct items of a user, Q queries, N items, E size of the vectors.
"""

from __future__ import annotations

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
