"""Memory features m(u, i): what the user's own known steps, and everybody's, say about single items.

All of them are computed from a query's known steps only, by kernels between the query and each step that are summed
over the user's distinct items; nothing of the size [queries, steps, items] ever exists.

Letters: L steps, U distinct items of a user, Q queries, S successors, M neighbours, F features, P kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chronotope.train.inputs import Batch, ItemTables

DAY_S = 86_400.0
HOUR_WIDTH = 1.5  # hours: standard deviation of the time-of-day kernels; habits keep to about the hour
OTHER_HALF = 0.3  # what a working day says about a weekend day and the other way round
STEPS_HALF_LIFE = 5.0  # steps until one counts half, in the kernel that counts steps and not time
NEAR_M = (300.0, 3000.0)  # metres at which the two distance kernels fall to 1/e: a walk, a ride
SHARE_SCALE = 20.0  # shares of a few percent then move log1p

# Kernel: the named part of the score that its features belong to.
KERNELS = {
    "count": "habit",
    "long": "recent",
    "short": "recent",
    "steps": "recent",
    "hour": "this_time",
    "week": "this_time",
    "after": "next",
    "last": "recent",
    "region": "near",
}
OWN_PARTS = ("habit", *KERNELS.values(), *KERNELS.values())  # seen or not, the sums, the shares
BLOCKS = (OWN_PARTS, ("next", "next"), ("near", "near"), ("near", "near"))  # as `memory` returns them
FEATURES = sum(len(parts) for parts in BLOCKS)


@dataclass(frozen=True)
class Block:
    """Features of some items of each query, and the named part of the score that each belongs to."""

    parts: tuple[str, ...]  # F names
    columns: Tensor  # [Q, W] items, -1 for none
    features: Tensor  # [Q, W, F], zero where there is no item

    def rows(self, part: slice) -> Block:
        """The block of some of the queries."""
        return Block(self.parts, self.columns[part], self.features[part])


@dataclass(frozen=True)
class Followers:
    """How often the previous item was followed, by what: counts of its successors [Q, S], and of all of them [Q]."""

    counts: Tensor
    total: Tensor


@dataclass(frozen=True)
class Whole:
    """Whole histories behind training windows, with what was counted as a transition."""

    row: Tensor  # [B] row of each window's user
    item: Tensor  # [R, L]
    before: Tensor  # [R, L] the item before in the same session; -2 where the step started one
    at_s: Tensor  # [R, L]; padding is infinitely early


def memory(batch: Batch, tables: ItemTables, half_lives_days: tuple[float, float], followed: Followers) -> list[Block]:
    """The blocks of `BLOCKS`, in that order: habits, followers of the previous item, own and any items near it.

    Args:
        batch: users and queries.
        tables: successors, neighbours and places of the items.
        half_lives_days: of the long and the short recency kernel.
        followed: the successors of the previous item, as far as each query may know them.

    """
    own = batch.own[batch.user]  # [Q, U]
    sums = summed(kernels(batch, half_lives_days), batch.turn[batch.user], own.shape[1])
    sums = sums.masked_fill((own < 0)[:, None, :], 0.0)
    habit = habit_features(sums)
    seen = habit[..., 0] > 0
    previous, known = batch.previous.clamp(min=0), batch.previous >= 0
    successor = tables.successor[previous].masked_fill(~known[:, None], -1)
    neighbour = tables.neighbour[previous].masked_fill(~known[:, None], -1)
    nexts = next_features(followed) * (successor >= 0)[..., None]
    near_own = near_features(metres_to(batch, tables, own)) * seen[..., None]
    near_any = near_features(tables.distance_m[previous]) * (neighbour >= 0)[..., None]
    columns, features = (own, successor, own, neighbour), (habit, nexts, near_own, near_any)
    return [Block(*block) for block in zip(BLOCKS, columns, features, strict=True)]


def kernels(batch: Batch, half_lives_days: tuple[float, float]) -> Tensor:
    """How much each known step says to each query, by the kernels of `KERNELS`: [Q, P, L], zero for unknown steps."""
    steps = torch.arange(batch.item.shape[1], device=batch.item.device)
    known = (steps < batch.known[:, None]) & (batch.item[batch.user] >= 0)  # [Q, L]
    age_days = ((batch.asked_s[:, None] - batch.at_s[batch.user]).clamp(min=0) / DAY_S).float()
    steps_ago = (batch.known[:, None] - 1 - steps).clamp(min=0)
    slot = batch.slot[batch.user]
    before = torch.roll(batch.item, 1, dims=1)
    before[:, 0] = -2  # equals no item, not even an unknown one
    after = (before[batch.user] == batch.previous[:, None]) & (batch.previous >= 0)[:, None]
    here = (batch.region[batch.user] == batch.asked_region[:, None]) & (batch.asked_region >= 0)[:, None]
    hour, week = slot_kernels(batch.item.device)
    stacked = [
        torch.ones_like(age_days),
        torch.exp2(-age_days / half_lives_days[0]),
        torch.exp2(-age_days / half_lives_days[1]),
        torch.exp2(-steps_ago / STEPS_HALF_LIFE),
        hour[batch.asked_slot[:, None], slot],
        week[batch.asked_slot[:, None], slot],
        after.float(),
        ((steps_ago == 0) & batch.previous_known[:, None]).float(),
        here.float(),
    ]
    return torch.stack(stacked, dim=1) * known[:, None, :]


def slot_kernels(device: torch.device) -> tuple[Tensor, Tensor]:
    """How alike two hours of the week are, [168, 168] each: by the hour of the day, and by the hour of the week.

    By the hour of the day, a working day tells less about the weekend (`OTHER_HALF`) than about a working day.
    """
    slot = torch.arange(168, device=device)
    apart = (slot[:, None] - slot).abs()
    weekend = slot >= 120
    alike = torch.where(weekend[:, None] == weekend, 1.0, OTHER_HALF)
    return alike * bell(torch.minimum(apart % 24, 24 - apart % 24)), bell(torch.minimum(apart, 168 - apart))


def bell(hours: Tensor) -> Tensor:
    """Gaussian kernel of width `HOUR_WIDTH`, 1 at zero."""
    return torch.exp(-0.5 * (hours / HOUR_WIDTH) ** 2)


def summed(values: Tensor, turn: Tensor, size: int) -> Tensor:
    """Sums of the steps' values [Q, P, L] over the item that each step is of: [Q, P, U]."""
    out: Tensor = values.new_zeros(values.shape[0], values.shape[1], size)
    out.scatter_add_(2, turn[:, None, :].expand(values.shape), values)
    return out


def habit_features(sums: Tensor) -> Tensor:
    """Kernel sums [Q, P, U] as features [Q, U, 1 + 2P]: seen or not, log1p of each sum, log1p of its scaled share."""
    shares = sums / sums.sum(dim=2, keepdim=True).clamp(min=1e-6)
    seen = (sums[:, :1] > 0).float()
    return torch.cat([seen, sums.log1p(), (SHARE_SCALE * shares).log1p()], dim=1).transpose(1, 2)


def next_features(followed: Followers) -> Tensor:
    """Successors as features [Q, S, 2]: log1p of the count, log1p of its scaled share."""
    shares = followed.counts / (followed.total[:, None] + 1.0)
    return torch.stack([followed.counts.log1p(), (SHARE_SCALE * shares).log1p()], dim=-1)


def near_features(metres: Tensor) -> Tensor:
    """Distances as features [..., 2], one kernel per scale of `NEAR_M`; zero where the distance is unknown (NaN)."""
    return torch.stack([torch.exp(-metres / scale) for scale in NEAR_M], dim=-1).nan_to_num(nan=0.0)


def metres_to(batch: Batch, tables: ItemTables, items: Tensor) -> Tensor:
    """Metres from the place of the step just before to the items [Q, W]; NaN where either place is unknown."""
    here = batch.at_last(batch.place).masked_fill(~batch.previous_known[:, None], float("nan"))
    return (tables.place[items.clamp(min=0)] - here[:, None, :]).pow(2).sum(dim=-1).sqrt()


def followers(batch: Batch, tables: ItemTables) -> Followers:
    """The successors of each query's previous item, as the catalogue counted them; anything where it is unknown."""
    previous = batch.previous.clamp(min=0)
    return Followers(tables.followed[previous], tables.leaves[previous])


def followers_before(batch: Batch, tables: ItemTables, whole: Whole) -> Followers:
    """The same for training queries, less what their own users did from the asked moment on.

    The catalogue has counted the training period: a training query's own answer is in its counts, and so is what
    the same user did later, which no query at the end of the period could know.
    """
    known = followers(batch, tables)
    owner = whole.row[batch.user]
    later = whole.at_s[owner] >= batch.asked_s[:, None]
    query, step = torch.nonzero((whole.before[owner] == batch.previous[:, None]) & later, as_tuple=True)
    item = whole.item[owner[query], step]
    hit = tables.successor[batch.previous[query]] == item[:, None]  # [pairs, S]
    counts = known.counts.index_add(0, query, hit.float(), alpha=-1)
    total = known.total.index_add(0, query, torch.ones_like(item, dtype=torch.float32), alpha=-1)
    return Followers(counts.clamp(min=0), total.clamp(min=0))
