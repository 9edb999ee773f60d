"""A batch of users and queries as tensors.

Letters: B users, L steps of the longest user, U distinct items of the user with most (and one place for padding),
Q queries, N items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chronotope.train.scoring import Ints, Queries, Users
from chronotope.train.tables import ItemTables, metres_of

HOUR_S = 3600.0
UNKNOWN_PLACE = float("nan")
OF_QUERIES = (
    "user", "known", "hidden_from", "hidden_to", "asked_s", "slot_known", "asked_slot", "asked_daypart", "asked_region",
    "previous_known",
)  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Users and queries as tensors on one device."""

    item: Tensor  # [B, L], -1 for padding and unknown items
    action: Tensor  # [B, L]
    at_s: Tensor  # [B, L] float64
    slot: Tensor  # [B, L]
    region: Tensor  # [B, L]
    place: Tensor  # [B, L, 3] metres, of the step, else of its item; NaN where both are unknown
    gap_s: Tensor  # [B, L] NaN on first steps
    distance_m: Tensor  # [B, L] NaN where unknown
    own: Tensor  # [B, U] the user's distinct items, ascending; -1 for padding
    turn: Tensor  # [B, L] which of `own` the step's item is
    user: Tensor  # [Q]
    known: Tensor  # [Q] steps
    hidden_from: Tensor  # [Q] of the known steps, those from here ...
    hidden_to: Tensor  # [Q] ... to before here are not known
    asked_s: Tensor  # [Q] float64
    slot_known: Tensor  # [Q] bool, whether the time asked about is told
    asked_slot: Tensor  # [Q] where it is not told, the slot of the last known step; -1 where that has none
    asked_daypart: Tensor  # [Q] index of the daypart of the asked slot, -1 without a slot
    asked_region: Tensor  # [Q]
    previous_known: Tensor  # [Q] bool, False for users without a known step

    def asking(self, queries: Tensor) -> Batch:
        """The same users with the chosen queries alone."""
        return replace(self, **{name: getattr(self, name)[queries] for name in OF_QUERIES})

    @property
    def previous(self) -> Tensor:
        """The item of the step just before [Q]; -1 where it is not known."""
        return torch.where(self.previous_known, self.at_last(self.item), -1)

    @property
    def clock_h(self) -> Tensor:
        """Hours since Monday 00:00 local time of each step [B, L], NaN without a clock.

        Minutes are those of UTC: where the local clock is half an hour off, hours are told up to half an hour wrongly.
        """
        return clock_h(self.slot, self.at_s)

    @property
    def asked_clock_h(self) -> Tensor:
        """The same of the moments asked about, [Q]."""
        return clock_h(self.asked_slot, self.asked_s)

    def knows(self, rows: Tensor, n_steps: int) -> Tensor:
        """Which of their users' first `n_steps` steps the chosen queries know: [Q, n_steps] bool."""
        steps = torch.arange(n_steps, device=rows.device)
        hidden = (steps >= self.hidden_from[rows, None]) & (steps < self.hidden_to[rows, None])
        return (steps < self.known[rows, None]) & ~hidden

    def steps_ago(self, rows: Tensor, n_steps: int) -> Tensor:
        """How many steps that the chosen queries know came after each of the first `n_steps`: [Q, n_steps]."""
        steps = torch.arange(n_steps, device=rows.device)
        hidden = self.hidden_to[rows, None] - self.hidden_from[rows, None]
        return (self.known[rows, None] - 1 - steps - hidden * (steps < self.hidden_from[rows, None])).clamp(min=0)

    def at_last(self, steps: Tensor) -> Tensor:
        """The entry of each query's last known step, of [B, L, ...]; the first one where no step is known."""
        return steps[self.user, (self.known - 1).clamp(min=0)]


def batch_of(users: Users, queries: Queries, tables: ItemTables, device: torch.device) -> Batch:
    """Users and queries as tensors; a batch without steps gets one of padding, so that every index exists."""
    if users.item.shape[1] == 0:
        users = one_padding_step(users)
    item = torch.from_numpy(users.item)
    own, turn = distinct_items(users.item)
    place = torch.from_numpy(metres_of(users.lat, users.lon))
    known = np.minimum(queries.known_steps, users.length[queries.user])
    last_slot = np.where(known > 0, users.slot[queries.user, np.maximum(known - 1, 0)], -1)
    slot = np.where(queries.slot >= 0, queries.slot, last_slot)
    nothing = np.zeros_like(known)
    at_item = tables.place.cpu()[item.clamp(min=0)].masked_fill((item < 0)[..., None], UNKNOWN_PLACE)
    tensors = {
        "item": item,
        "place": torch.where(place.isnan(), at_item, place),
        "own": torch.from_numpy(own),
        "turn": torch.from_numpy(turn),
        "known": torch.from_numpy(known),
        "previous_known": torch.from_numpy(queries.previous_known & (known > 0)),
        "asked_s": torch.from_numpy(queries.at_s),
        "hidden_from": torch.from_numpy(nothing if queries.hidden_from is None else queries.hidden_from),
        "hidden_to": torch.from_numpy(nothing if queries.hidden_to is None else queries.hidden_to),
        "slot_known": torch.from_numpy(queries.slot >= 0),
        "asked_slot": torch.from_numpy(slot),
        "asked_daypart": torch.where(torch.from_numpy(slot) >= 0, tables.daypart.cpu()[slot], -1),
        "asked_region": torch.from_numpy(queries.region),
        "user": torch.from_numpy(queries.user),
        "gap_s": torch.from_numpy(users.gap_s).float(),
        "distance_m": torch.from_numpy(users.distance_m).float(),
    }
    same = {name: torch.from_numpy(getattr(users, name)) for name in ("action", "at_s", "slot", "region")}
    return Batch(**{name: tensor.to(device) for name, tensor in (tensors | same).items()})


def clock_h(slot: Tensor, at_s: Tensor) -> Tensor:
    """Slots [...] with the minutes of their moments, in hours; NaN where the slot is -1."""
    hours = slot + (at_s % HOUR_S) / HOUR_S
    return hours.float().masked_fill(slot < 0, float("nan"))


def one_padding_step(users: Users) -> Users:
    """The same users without history, with one step of padding each."""
    none, unknown = np.full((len(users.user_ids), 1), -1, np.int64), np.full((len(users.user_ids), 1), np.nan)
    zero = np.zeros_like(unknown)
    steps: dict[str, Any] = dict.fromkeys(("item", "action", "region"), none)
    steps |= dict.fromkeys(("lat", "lon", "gap_s", "distance_m"), unknown)
    return Users(users.user_ids, users.length, at_s=zero, slot=zero.astype(np.int64), **steps)


def distinct_items(item: Ints) -> tuple[Ints, Ints]:
    """Each user's distinct items, ascending, padded with -1 [B, U], and for each step [B, L] its place among them.

    Padding steps (-1) point at a place that holds -1.

    >>> own, turn = distinct_items(np.array([[7, 3, 7, -1]]))
    >>> own.tolist(), turn.tolist()
    ([[3, 7, -1]], [[1, 0, 1, 2]])
    """
    last = np.iinfo(np.int64).max
    keyed = np.where(item < 0, last, item)
    order = np.argsort(keyed, axis=1, kind="stable")
    ascending = np.take_along_axis(keyed, order, axis=1)
    first = np.ones_like(item)
    first[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    rank = np.cumsum(first, axis=1) - 1
    turn = np.empty_like(item)
    np.put_along_axis(turn, order, rank, axis=1)
    own = np.full((len(item), int(rank.max(initial=0)) + 1), last)
    np.put_along_axis(own, rank, ascending, axis=1)
    return np.where(own == last, -1, own), turn
