"""Memory features m(u, i): what the user's own known steps, and everybody's, say about single items.

They are computed for the items that memory can speak of: the user's own, those that followed the previous item, those
near it, and what is popular or trending. Everything that is not among them has no features. Nothing of the size
[queries, steps, items] ever exists.

Letters: Q queries, L steps, S last steps, U distinct items of a user, P kernels, K kernels that are also summed by
category, C categories, M (query, item) pairs, m of them at items that the user has met, F features, O own ones, which
only these m have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from chronotope.train.barred import Barred, nothing_barred
from chronotope.train.inputs import Batch
from chronotope.train.kernels import KERNELS, Before, before, kernels
from chronotope.train.tables import ItemTables

KERNEL_STEPS = 2**19  # queries x steps (or own items) whose kernels are in memory at a time: 18 of them are 36 MiB
LEAST = 0.1  # the sum from which a feature starts to grow like a logarithm
SHARE_SCALE = 20.0  # shares of a few percent then move log1p
LOG_M = 100.0
# Kernels that are also summed over the user's steps at items of the same category.
BY_CATEGORY = ("count", "hour_1h")
PICKED = [list(KERNELS).index(name) for name in BY_CATEGORY]
NEVER_H = 24 * 366.0  # an age that stands for never, as feature of an item that was met it does not occur
FOLLOWED_STEPS = 10  # last known steps whose followers memory can speak of
FOLLOWED_DECAY = 0.8  # what a step's followers say beside those of the step after it
NOVELTY_STEPS = 30.0  # half-life of the share of new items among a user's steps
ABOUT = ("novelty", "known", "today")

EVERYBODY = {
    "popular": "popular",
    "popular_daypart": "popular",
    "following": "next",
    "following_share": "next",
    "following_lately": "next",
    "following_sum": "next",
    "distance": "near",
    "in_region": "near",
    "visits": "popular",
    "visits_of_category": "popular",
    "trending": "popular",
}
OWN = {
    **{f"{name}_sum": part for name, part in KERNELS.items()},
    **{f"{name}_share": part for name, part in KERNELS.items()},
    "seen": "habit",
    "hours_ago": "recent",
}
COMMON = {**{f"category_{name}": "taste" for name in BY_CATEGORY}, **EVERYBODY}
# Feature: the named part of the score that it belongs to; those come first that are zero where the user has not met
# the item.
FEATURES = {**OWN, **COMMON}


@dataclass(frozen=True)
class Memory:
    """M pairs of a query and an item, each once, with their features; and what is known of the queries at large."""

    query: Tensor  # [M]
    item: Tensor  # [M]
    met: Tensor  # [m] which of the pairs are at an item that the user has met, as far as the query knows; ascending
    own: Tensor  # [m, O] features of those
    common: Tensor  # [M, F - O] features of all
    about: Tensor  # [Q, A]
    barred: Barred  # what is not next

    def features(self, pairs: Tensor) -> Tensor:
        """All features of some of the pairs, [P, F]."""
        padded = functional.pad(self.own, (0, 0, 0, 1))  # its last row, which is number -1, too, has none
        return torch.cat([padded[self.place()[pairs]], self.common[pairs]], dim=1)

    def is_met(self, pairs: Tensor) -> Tensor:
        """Whether some of the pairs are at an item that the user has met: [P] bool."""
        return self.place()[pairs] >= 0

    def place(self) -> Tensor:
        """Where each pair stands among those that are `met`, [M]; -1 for none."""
        nowhere = torch.full_like(self.item, -1)
        return nowhere.index_copy(0, self.met, torch.arange(len(self.met), device=nowhere.device))


@torch.no_grad()
def memory(batch: Batch, tables: ItemTables, among: Tensor | None = None) -> Memory:
    """The features of everything that memory can speak of.

    Per kernel `log(1 + x / LEAST)` of an item's sum x over the user's known steps, and `log(1 + 20 s)` of its share s
    of the same sum over all items; then what everybody did. All are zero where they do not apply.

    Args:
        batch: users and queries.
        tables: what is known of the items.
        among: items [C] that are asked about: of the others only the user's own are there, which are what the model
            recalls; None for all.

    """
    wanted = torch.full((len(tables.category),), among is None, device=batch.item.device)
    if among is not None:
        wanted[among] = True
    earlier = before(batch)
    about = torch.zeros(len(batch.user), len(ABOUT), device=batch.item.device)
    pairs = []
    for rows, n_steps in chunks(batch):
        about[rows] = at_large(batch, rows, n_steps)
        pairs.append(pairs_of(batch, tables, earlier, rows, n_steps, wanted))
    query, item, is_met, own, common = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return Memory(query, item, is_met.nonzero()[:, 0], own, common, about, nothing_barred(query.device))


def nothing(batch: Batch) -> Memory:
    """No pair at all: the memory of a model that has none."""
    none, device = batch.user.new_empty(0), batch.item.device
    own, common = torch.empty(0, len(OWN), device=device), torch.empty(0, len(COMMON), device=device)
    about = torch.zeros(len(batch.user), len(ABOUT), device=device)
    return Memory(none, none, none, own, common, about, nothing_barred(device))


def chunks(batch: Batch) -> Iterator[tuple[Tensor, int]]:
    """Queries that know about as many steps, in groups of bounded size, and the most steps that one of them knows.

    A batch without queries is one empty group.
    """
    order = torch.argsort(batch.known, stable=True)
    if not len(order):
        yield order, 1
    end = len(order)
    while end:
        n_steps = max(1, int(batch.known[order[end - 1]]))
        start = max(0, end - max(1, KERNEL_STEPS // max(n_steps, batch.own.shape[1])))
        yield order[start:end], n_steps
        end = start


def pairs_of(
    batch: Batch, tables: ItemTables, earlier: Before, rows: Tensor, n_steps: int, wanted: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The pairs of some of the queries, each of which knows at most `n_steps` steps.

    These are queries, items and whether the user has met them [M], own features [m, O] and common ones [M, F - O]. Of
    items that are not `wanted` [N] only those stay that the user has met.
    """
    user = batch.user[rows]
    own, turn = batch.own[user], batch.turn[user, :n_steps]  # [Q, U], [Q, L]
    values = kernels(batch, earlier, rows, n_steps)
    sums = summed(values, turn, own.shape[1])  # [Q, P, U]
    sums = sums.masked_fill((own < 0)[:, None, :], 0.0)
    seen = sums[:, 0] > 0
    query, place = seen.nonzero(as_tuple=True)  # [m] of the items met, in the order of their pairs
    at, item, is_met = candidates(batch, tables, rows, (query, own[query, place]))
    kept = wanted[item] | is_met
    at, item, is_met = at[kept], item[kept], is_met[kept]
    found = sums.transpose(1, 2)[query, place]  # [m, P]
    age_h = hours_ago(batch, rows, n_steps, turn, own.shape[1])[query, place]
    of_own = [
        torch.log1p(found / LEAST),
        shares(found, sums.sum(dim=2).index_select(0, query)),
        torch.ones_like(age_h)[:, None],
        torch.log1p(age_h)[:, None],
    ]
    of_kind = by_category(sums[:, PICKED], own, tables, at, item)
    common = torch.cat([of_kind, everybody(batch, tables, rows, at, item)], dim=1)
    return rows[at], item, is_met, torch.cat(of_own, dim=1), common


def at_large(batch: Batch, rows: Tensor, n_steps: int) -> Tensor:
    """What the known steps say of their user, in the order of `ABOUT`: [Q, A].

    The share of lately known steps at items that were new then, the logarithms of the steps that are known, and of
    those of the day asked about.
    """
    user = batch.user[rows]
    knows = batch.knows(rows, n_steps).float()
    lately = torch.exp2(-batch.steps_ago(rows, n_steps) / NOVELTY_STEPS) * knows
    fresh = first_of_item(batch, rows, n_steps)
    novelty = (lately * fresh).sum(dim=1) / lately.sum(dim=1).clamp(min=1e-6)
    age_h = (batch.asked_s[rows, None] - batch.at_s[user, :n_steps]) / 3600
    today = ((age_h < batch.asked_clock_h[rows, None] % 24) * knows).sum(dim=1)
    return torch.stack([novelty, knows.sum(dim=1).log1p() / 5, today.log1p()], dim=1)


def first_of_item(batch: Batch, rows: Tensor, n_steps: int) -> Tensor:
    """Which steps are the first at their item among those that the query knows: [Q, L] bool."""
    turn, steps = batch.turn[batch.user[rows], :n_steps], torch.arange(n_steps, device=rows.device)
    known = torch.where(batch.knows(rows, n_steps), steps, n_steps)
    first = known.new_full((len(rows), batch.own.shape[1]), n_steps).scatter_reduce(1, turn, known, "amin")
    return first.gather(1, turn) == steps


def candidates(
    batch: Batch, tables: ItemTables, rows: Tensor, met: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of a query (its place among `rows`) and an item that memory can speak of, each once and in order.

    These are queries, items, and whether the pair is one of those that are `met` ([m] queries, [m] items): [M] each.
    """
    era = tables.eras(batch.asked_s[rows])
    previous = batch.previous[rows]
    told = (previous >= 0)[:, None]
    last = last_items(batch, rows)
    items = [
        tables.popular[era, 0],
        tables.popular[era, 1 + batch.asked_region[rows]],
        tables.trending[era],
    ]
    if (last >= 0).any():  # in the night no query knows its previous step
        items += [
            tables.successor[era[:, None], last.clamp(min=0)].masked_fill((last < 0)[..., None], -1).flatten(1),
            tables.neighbour[previous.clamp(min=0)].masked_fill(~told, -1),
            previous[:, None],
        ]
    columns = torch.cat(items, dim=1)  # [Q, W]
    n_items = len(tables.category)
    keys = torch.arange(len(rows), device=rows.device)[:, None] * n_items + columns
    of_met = met[0] * n_items + met[1]
    pairs = torch.unique(torch.cat([of_met, keys[columns >= 0]]))
    is_met = torch.zeros_like(pairs, dtype=torch.bool).index_fill(0, torch.searchsorted(pairs, of_met), True)
    return torch.div(pairs, n_items, rounding_mode="floor"), pairs % n_items, is_met


def last_items(batch: Batch, rows: Tensor) -> Tensor:
    """The items of the last `FOLLOWED_STEPS` known steps, newest first, -1 for none: [Q, S].

    All are -1 where the step just before is not known: in what order things will happen from there is not known then.
    """
    step = batch.known[rows, None] - 1 - torch.arange(FOLLOWED_STEPS, device=rows.device)
    hidden = (step >= batch.hidden_from[rows, None]) & (step < batch.hidden_to[rows, None])
    told = (step >= 0) & ~hidden & batch.previous_known[rows, None]
    return batch.item[batch.user[rows, None], step.clamp(min=0)].masked_fill(~told, -1)


def summed(values: Tensor, turn: Tensor, size: int) -> Tensor:
    """Sums of the steps' values [Q, P, L] over the item that each step is of: [Q, P, U]."""
    out: Tensor = values.new_zeros(values.shape[0], values.shape[1], size)
    out.scatter_add_(2, turn[:, None, :].expand(values.shape), values)
    return out


def shares(found: Tensor, totals: Tensor) -> Tensor:
    """`log(1 + 20 found / totals)`; zero where nothing adds up to anything."""
    return torch.log1p(SHARE_SCALE * found / totals.clamp(min=1e-6))


def hours_ago(batch: Batch, rows: Tensor, n_steps: int, turn: Tensor, size: int) -> Tensor:
    """Hours since each of the user's own items was met last, [Q, U]; a year for those that the query does not know."""
    age_h = ((batch.asked_s[rows, None] - batch.at_s[batch.user[rows], :n_steps]).clamp(min=0) / 3600).float()
    age_h = age_h.masked_fill(~batch.knows(rows, n_steps), NEVER_H)
    return torch.full((len(rows), size), NEVER_H, device=rows.device).scatter_reduce(1, turn, age_h, "amin")


def by_category(sums: Tensor, own: Tensor, tables: ItemTables, at: Tensor, item: Tensor) -> Tensor:
    """Shares of the sums [Q, K, U] that are at items of the same category as the pair's item: [M, K]."""
    kind = tables.category[own.clamp(min=0)]
    of_kind = summed(sums, kind, tables.n_kinds)  # [Q, K, C]
    return shares(of_kind[at, :, tables.category[item]], sums.sum(dim=2)[at])


def everybody(batch: Batch, tables: ItemTables, rows: Tensor, at: Tensor, item: Tensor) -> Tensor:
    """What all users did, as features of the pairs in the order of `EVERYBODY`: [M, F']."""
    era = tables.eras(batch.asked_s[rows])[at]
    last = last_items(batch, rows)[at]  # [M, S]
    here = batch.place[batch.user[rows], (batch.known[rows] - 1).clamp(min=0)][at]
    metres = (tables.place[item] - here).pow(2).sum(dim=1).sqrt().masked_fill(last[:, 0] < 0, float("nan"))
    daypart = batch.asked_daypart[rows][at]
    when = tables.log_daypart[era, item, daypart.clamp(min=0)] * (daypart >= 0)
    region = batch.asked_region[rows][at]
    parts = [
        tables.log_share[era, item],
        when,
        *following(tables, era, last, item),
        torch.log1p(metres / LOG_M),
        ((tables.region[item] == region) & (region >= 0)).float(),
        tables.log_visits[era, item],
        tables.log_visits_of_kind[era, tables.category[item]],
        tables.log_trending[era, item],
    ]
    return torch.stack(parts, dim=1).nan_to_num(nan=0.0)


def following(tables: ItemTables, era: Tensor, last: Tensor, item: Tensor) -> list[Tensor]:
    """The features of what followed the last items [M, S], each [M]; zero where none is told."""
    if not (last >= 0).any():
        return [torch.zeros(len(last), device=last.device)] * 4
    followed = followed_by(tables, era, last, item)
    share = followed / (tables.leaves[era[:, None], last.clamp(min=0)] + 1.0)
    decay = FOLLOWED_DECAY ** torch.arange(FOLLOWED_STEPS, device=last.device)
    return [
        torch.log1p(followed[:, 0]),
        torch.log1p(SHARE_SCALE * share[:, 0]),
        torch.log1p(SHARE_SCALE * (share * decay).sum(dim=1)),
        torch.log1p((followed * decay).sum(dim=1)),
    ]


def followed_by(tables: ItemTables, era: Tensor, last: Tensor, item: Tensor) -> Tensor:
    """How often an item [M] came right after each of some items [M, S] by an era [M]; zero after none: [M, S]."""
    pair, step = (last >= 0).nonzero(as_tuple=True)
    n_items = len(tables.category)
    found = torch.zeros(last.shape, device=last.device)
    found[pair, step] = tables.followed.of((era[pair] * n_items + last[pair, step]) * n_items + item[pair])
    return found
