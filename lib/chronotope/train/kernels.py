"""How much each known step of a user says to a query: by age, by hour, by what came before it, by where.

A kernel is a number from 0 to 1 between a query and one earlier step; summed over the steps at an item it becomes a
memory feature of that item (`chronotope.train.memory`). None of them has a learned parameter.

Letters: Q queries, L steps, P kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chronotope.train.inputs import Batch

DAY_S = 86_400.0
AGE_DAYS = (0.1, 0.5, 7.0, 30.0)  # half-lives: this visit, this day, this week, this month
AGE_STEPS = (6.0, 30.0)  # half-lives in steps, for users who are rarely seen
HOURS = (0.4, 1.0, 3.0)  # standard deviations around the hour of the day: a timetable, a habit, a part of the day
SATURDAY_H = 120  # hour of the week at which the weekend begins
OTHER_HALF = 0.3  # what a working day says about a weekend day and the other way round
FADING_DAYS = 14.0  # half-life of the kernels that ask for two things at once
FOLLOWS_S = DAY_S  # a step within a day of the one before follows it
SAME_GAP = 0.7  # standard deviation of the logarithm of seconds: gaps within a factor of two are alike
SHORTEST_GAP_S = 60.0
NEAR_M = 500.0  # metres from where another step started at which starting there says 1/e

# Kernel: the named part of the score that its features belong to.
KERNELS = {
    "count": "habit",
    **{f"age_{days:g}d": "recent" for days in AGE_DAYS},
    **{f"age_{steps:g}_steps": "recent" for steps in AGE_STEPS},
    **{f"hour_{hours:g}h": "this_time" for hours in HOURS},
    "weekday": "this_time",
    "hour_lately": "this_time",
    "after": "next",
    "after_gap": "next",
    "hour_gap": "next",
    "after_near": "near",
    "after_near_hour": "near",
    "region": "near",
}


@dataclass(frozen=True)
class Before:
    """What each step followed, [B, L] each: -2 where it followed nothing, which equals no item."""

    item: Tensor
    place: Tensor  # [B, L, 3] metres, NaN where it followed nothing or the place is unknown


def before(batch: Batch) -> Before:
    """What the steps of a batch followed."""
    follows = batch.gap_s.nan_to_num(nan=float("inf")) <= FOLLOWS_S
    item = shifted(batch.item, -2).masked_fill(~follows, -2)
    item = item.masked_fill(item == -1, -2)
    return Before(
        item=item,
        place=shifted(batch.place, float("nan")).masked_fill(~follows[..., None], float("nan")),
    )


def shifted(steps: Tensor, first: float) -> Tensor:
    """Each step's value taken from the step before it [B, L, ...]; `first` for a user's first step."""
    moved = torch.roll(steps, 1, dims=1)
    moved[:, 0] = first
    return moved


def kernels(batch: Batch, earlier: Before, rows: Tensor, n_steps: int) -> Tensor:
    """How much each of the first `n_steps` steps says to the chosen queries: [Q, P, L], zero for unknown steps.

    Args:
        batch: users and queries.
        earlier: what the steps followed.
        rows: [Q] which queries of the batch.
        n_steps: L, at least what any of these queries knows.

    """
    user = batch.user[rows]
    item = batch.item[user, :n_steps]
    known = batch.knows(rows, n_steps) & (item >= 0)  # [Q, L]
    at_s, asked_s = batch.at_s[user, :n_steps], batch.asked_s[rows, None]
    age_days = ((asked_s - at_s).clamp(min=0) / DAY_S).float()
    steps_ago = batch.steps_ago(rows, n_steps)
    clock, asked = batch.clock_h[user, :n_steps], batch.asked_clock_h[rows, None]
    kind = alike(clock, asked)
    hour = [bell(around(asked - clock, 24.0), hours) * kind for hours in HOURS]
    weekday = (torch.floor(clock / 24) == torch.floor(asked / 24)).float()
    fading = torch.exp2(-age_days / FADING_DAYS)
    previous = batch.previous[rows]
    told = (previous >= 0)[:, None]
    last = (batch.known[rows] - 1).clamp(min=0)
    follows = (earlier.item[user, :n_steps] == previous[:, None]) & told
    after = follows.float()
    apart = (earlier.place[user, :n_steps] - batch.place[user, last][:, None]).pow(2).sum(dim=-1).sqrt()
    after_near = torch.exp(-apart / NEAR_M).nan_to_num(nan=0.0) * told
    gap_s = (batch.asked_s[rows] - batch.at_s[user, last]).float()[:, None]
    gap = bell(log_gap(gap_s) - log_gap(batch.gap_s[user, :n_steps]), SAME_GAP) * told
    region = batch.asked_region[rows, None]
    here = (batch.region[user, :n_steps] == region) & (region >= 0)
    values = [
        torch.ones_like(age_days),
        *[torch.exp2(-age_days / days) for days in AGE_DAYS],
        *[torch.exp2(-steps_ago / half) for half in AGE_STEPS],
        *hour,
        weekday * hour[2],
        hour[1] * fading,
        after,
        after * gap,
        hour[1] * gap,
        after_near,
        after_near * hour[1],
        here.float(),
    ]
    return torch.stack(values, dim=1).nan_to_num(nan=0.0) * known[:, None, :]


def around(hours: Tensor, period: float) -> Tensor:
    """How far apart two clocks are whose hands differ by `hours`.

    >>> around(torch.tensor([23.0, -1.0]), 24.0).tolist()
    [1.0, 1.0]
    """
    return (hours - period * torch.round(hours / period)).abs()


def alike(clock: Tensor, asked: Tensor) -> Tensor:
    """1 for two working days or two weekend days, else `OTHER_HALF`."""
    return torch.where((clock >= SATURDAY_H) == (asked >= SATURDAY_H), 1.0, OTHER_HALF)


def bell(apart: Tensor, width: float) -> Tensor:
    """Gaussian kernel, 1 at zero."""
    return torch.exp(-0.5 * (apart / width) ** 2)


def log_gap(gap_s: Tensor) -> Tensor:
    """The logarithm of a gap; shorter ones than `SHORTEST_GAP_S` are alike."""
    return gap_s.clamp(min=SHORTEST_GAP_S).log()
