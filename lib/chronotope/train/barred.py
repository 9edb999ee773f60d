"""Items that are not next, whatever speaks for them: where nobody comes back (`train.repeats` false), what was met.

They take no part in the softmax. A model that must learn from the log itself that a film is rated once spends on it
much of what it can learn, and ranks the other films worse.

Letters: Q queries, N items, C of them asked about, P pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from chronotope.train.inputs import Batch

NEVER = -1e4  # score of a barred item: finite, and nothing is left of its probability beside any other item's


class Barred(NamedTuple):
    """Pairs of a query and an item that cannot be its next one, queries ascending; one may be there several times."""

    query: Tensor  # [P]
    item: Tensor  # [P]

    def of_queries(self, start: int, end: int) -> Barred:
        """The pairs of the queries from `start` to before `end`, which is counted from `start`."""
        part = slice(*torch.searchsorted(self.query, torch.tensor([start, end], device=self.query.device)).tolist())
        return Barred(self.query[part] - start, self.item[part])


def nothing_barred(device: torch.device) -> Barred:
    """No pair."""
    return Barred(*torch.empty(2, 0, dtype=torch.int64, device=device))


def met_items(batch: Batch) -> Barred:
    """The items that each query knows its user to have met, once for each step."""
    everyone = torch.arange(len(batch.user), device=batch.user.device)
    query, step = batch.knows(everyone, batch.item.shape[1]).nonzero(as_tuple=True)
    item = batch.item[batch.user[query], step]
    return Barred(query[item >= 0], item[item >= 0])


@torch.no_grad()
def bar(scores: Tensor, barred: Barred, place: Tensor) -> Tensor:
    """The scores [Q, C] with `NEVER`, in place, where an item is barred; `place` [N] is its column, -1 for none.

    Autograd is not told: what has no probability has no gradient either, and no copy of all gradients need be made.
    """
    return scores.index_put_(cells(barred, place), scores.new_tensor(NEVER))


def mean_of_others(log_p: Tensor, weight: Tensor, barred: Barred, place: Tensor) -> Tensor:
    """Each query's mean of log-probabilities [Q, C] by weights [C] that sum to one, over what is not barred: [Q]."""
    is_barred = torch.zeros(log_p.shape, dtype=torch.bool, device=log_p.device)
    is_barred[cells(barred, place)] = True
    left = weight.expand(log_p.shape).masked_fill(is_barred, 0.0).sum(dim=1)
    return log_p.masked_fill(is_barred, 0.0) @ weight / left.clamp(min=1e-6)


def cells(barred: Barred, place: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the barred items that are asked about."""
    column = place[barred.item]
    return barred.query[column >= 0], column[column >= 0]
