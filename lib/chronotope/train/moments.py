"""When the next step comes: how likely each gap is, where a query is not told its own time.

The gap is one of `N_GAPS`, from minutes to a day and a half. A small network tells them apart by the state, the hour,
and the gaps that the user's own steps had at such hours and after such items (item and time from one state as in Du et
al., "Recurrent marked temporal point processes: embedding event history to vector", KDD 2016, section 4, with time in
classes). It learns beside the model and changes nothing in it: the state is read, not shaped.

Letters: Q queries, L steps, G gaps, H size of the encoder's state.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from chronotope.train.inputs import Batch
from chronotope.train.kernels import SATURDAY_H, alike, around, bell, shifted
from chronotope.train.layers import Vectors
from chronotope.train.memory import LEAST, shares

# Finest where gaps are short and common; later two to six hours, which a part of the day does not tell apart.
MINUTES = (0, 5, 15, 30, 60, 120, 180, 240, 360, 480, 600, 720, 900, 1080, 1260, 1440, 1800, 2160)
EDGES_S = tuple(60.0 * minutes for minutes in MINUTES)
N_GAPS = len(EDGES_S) - 1
SHORTEST_S = 120.0  # below it all gaps are alike
# What stands for the gaps between two edges: their geometric mean.
GAPS_S = tuple((max(start, SHORTEST_S) * end) ** 0.5 for start, end in pairwise(EDGES_S))
HOURS = 2.0  # standard deviation around the hour of the day at which own gaps began
HOURS_OF_DAY = 24
UNITS = 32


class Moments(nn.Module):
    """The distribution over gaps."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.usual = Vectors(2 * HOURS_OF_DAY, N_GAPS)
        self.first = nn.Linear(hidden + 4 * N_GAPS, UNITS)
        self.last = nn.Linear(UNITS, N_GAPS)

    def forward(self, batch: Batch, state: Tensor, own: Tensor) -> Tensor:
        """The logarithms of the gaps' probabilities [Q, G].

        Args:
            batch: the queries; what they are told of their own time is not read.
            state: [Q, H] of the encoder.
            own: [Q, 2, G] of `own_gaps`.

        """
        told = torch.cat([torch.log1p(own / LEAST), shares(own, own.sum(dim=-1, keepdim=True))], dim=1)
        units = functional.gelu(self.first(torch.cat([state.detach(), told.flatten(1)], dim=1)))
        clock = batch.at_last(batch.clock_h)
        hour = torch.where(clock.isnan(), -1, clock % HOURS_OF_DAY + HOURS_OF_DAY * (clock >= SATURDAY_H)).long()
        return functional.log_softmax(self.usual(hour) + self.last(units), dim=1)


def own_gaps(batch: Batch) -> Tensor:
    """How often the user's known steps came after each gap from another known step, [Q, 2, G].

    Steps count by how much the hour at which their gap began is like that of the last known step: all of them, and
    those alone that followed the item of the last known step.
    """
    rows, n_steps = torch.arange(len(batch.user), device=batch.user.device), batch.item.shape[1]
    gap_s = batch.gap_s[batch.user]  # [Q, L]
    clock, began = batch.at_last(batch.clock_h)[:, None], shifted(batch.clock_h, float("nan"))[batch.user]
    weight = bell(around(clock - began, float(HOURS_OF_DAY)), HOURS) * alike(began, clock)
    knows = batch.knows(rows, n_steps).float()
    weight = weight.nan_to_num(nan=0.0) * knows * shifted(knows, 0.0) * (gap_s < EDGES_S[-1])
    previous = batch.previous[:, None]
    same = (shifted(batch.item, -1)[batch.user] == previous) & (previous >= 0)
    place = gap_of(gap_s)
    sums = weight.new_zeros(len(rows), 2, N_GAPS)
    sums[:, 0].scatter_add_(1, place, weight)
    sums[:, 1].scatter_add_(1, place, weight * same)
    return sums


def gap_of(gap_s: Tensor) -> Tensor:
    """Which gap a number of seconds belongs to: [...]; the last one for longer and unknown ones.

    >>> gap_of(torch.tensor([0.0, 300.0, 1e9, float("nan")])).tolist()
    [0, 1, 16, 16]
    """
    edges = torch.tensor(EDGES_S[1:-1], device=gap_s.device)
    return torch.bucketize(gap_s.nan_to_num(nan=float("inf")), edges, right=True)


def foreseen(batch: Batch) -> Tensor:
    """The queries that the moments are learned from: those that know when they are and what was before.

    A gap beyond the longest is not learned.
    """
    return torch.nonzero(batch.previous_known & batch.slot_known & (gaps_s(batch) < EDGES_S[-1])).flatten()


def gaps_s(batch: Batch) -> Tensor:
    """The seconds from each query's last known step to the moment it asks about, [Q]."""
    return (batch.asked_s - batch.at_last(batch.at_s)).float()


def surprise(log_p: Tensor, batch: Batch) -> Tensor:
    """The mean of what the gaps that came cost in nats; NaN for no query.

    Args:
        log_p: [Q, G] of `Moments`.
        batch: the queries, of those that are `foreseen`.

    """
    return -log_p.gather(1, gap_of(gaps_s(batch))[:, None]).mean()
