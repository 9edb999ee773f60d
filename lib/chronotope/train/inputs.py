"""A batch of users and queries as tensors, and the item tables that the model looks things up in.

Letters: B users, L steps of the longest user, U distinct items of the user with most (and one place for padding),
Q queries, N items, S successors kept per item, M neighbours kept per item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.spatial import cKDTree
from torch import Tensor

from chronotope.places import EARTH_RADIUS_M
from chronotope.train.scoring import Catalogue, Floats, Ints, Queries, Users

MAX_NEIGHBOURS = 48  # the nearest items kept per item: a block of shops; what is farther is told by regions and places
NEIGHBOUR_M = 2000.0  # an item farther than this is no neighbour, however empty the land
UNKNOWN_PLACE = float("nan")


@dataclass(frozen=True)
class ItemTables:
    """What the memory features look up, by item."""

    place: Tensor  # [N, 3] metres from the centre of the Earth, NaN where unknown
    successor: Tensor  # [N, S] items that followed, -1 for none
    followed: Tensor  # [N, S] how often
    leaves: Tensor  # [N] how often anything followed
    neighbour: Tensor  # [N, M] nearest items, -1 for none
    distance_m: Tensor  # [N, M]


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
    asked_s: Tensor  # [Q] float64
    asked_slot: Tensor  # [Q]
    asked_region: Tensor  # [Q]
    previous_known: Tensor  # [Q] bool, False for users without a known step

    @property
    def previous(self) -> Tensor:
        """The item of the step just before [Q]; -1 where it is not known."""
        return torch.where(self.previous_known, self.at_last(self.item), -1)

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
    at_item = tables.place.cpu()[item.clamp(min=0)].masked_fill((item < 0)[..., None], UNKNOWN_PLACE)
    tensors = {
        "item": item,
        "place": torch.where(place.isnan(), at_item, place),
        "own": torch.from_numpy(own),
        "turn": torch.from_numpy(turn),
        "known": torch.from_numpy(known),
        "previous_known": torch.from_numpy(queries.previous_known & (known > 0)),
        "asked_s": torch.from_numpy(queries.at_s),
        "asked_slot": torch.from_numpy(queries.slot),
        "asked_region": torch.from_numpy(queries.region),
        "user": torch.from_numpy(queries.user),
        "gap_s": torch.from_numpy(users.gap_s).float(),
        "distance_m": torch.from_numpy(users.distance_m).float(),
    }
    same = {name: torch.from_numpy(getattr(users, name)) for name in ("action", "at_s", "slot", "region")}
    return Batch(**{name: tensor.to(device) for name, tensor in (tensors | same).items()})


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


def metres_of(lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> Floats:
    """Points on the sphere in metres from its centre, [..., 3]; NaN where a coordinate is.

    Straight-line distance between two of them falls short of the great circle by less than 0.1 % up to 900 km, and
    float32 resolves it to about half a metre.
    """
    phi, lam = np.radians(lat), np.radians(lon)
    point = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
    metres: Floats = (EARTH_RADIUS_M * point).astype(np.float32)
    return metres


def item_tables(catalogue: Catalogue, device: torch.device) -> ItemTables:
    """The look-up tables of a catalogue on a device."""
    place = metres_of(catalogue.lat, catalogue.lon)
    successor, followed = rows_of(catalogue.transitions)
    neighbour, distance_m = neighbours(place)
    leaves = np.asarray(catalogue.transitions.sum(axis=1), dtype=np.float32).ravel()
    arrays = (place, successor, followed, leaves, neighbour, distance_m)
    return ItemTables(*[torch.from_numpy(array).to(device) for array in arrays])


def rows_of(matrix: sparse.csr_matrix) -> tuple[Ints, Floats]:
    """Columns and values of each row, padded to the longest row with -1 and 0: two arrays [N, S], S at least 1."""
    stored = np.diff(matrix.indptr)
    real = np.arange(max(1, stored.max(initial=0))) < stored[:, None]
    columns, values = np.full(real.shape, -1, dtype=np.int64), np.zeros(real.shape, dtype=np.float32)
    columns[real], values[real] = matrix.indices, matrix.data
    return columns, values


def neighbours(place: Floats) -> tuple[Ints, Floats]:
    """Each item's nearest other items [N, M] within `NEIGHBOUR_M` and their distances in metres; -1 and 0 for none."""
    located = np.flatnonzero(np.isfinite(place).all(axis=1))
    columns = np.full((len(place), MAX_NEIGHBOURS), -1, dtype=np.int64)
    metres = np.zeros(columns.shape, dtype=np.float32)
    if len(located) < 2:
        return columns[:, :1], metres[:, :1]
    tree = cKDTree(place[located])
    # The tree answers `len(located)` and infinity where there are too few; the item itself is one of its nearest.
    distance, found = tree.query(place[located], k=MAX_NEIGHBOURS + 1, distance_upper_bound=NEIGHBOUR_M)
    itself = found == np.arange(len(located))[:, None]
    keep = np.argsort(itself, axis=1, kind="stable")[:, :MAX_NEIGHBOURS]
    found, distance = np.take_along_axis(found, keep, axis=1), np.take_along_axis(distance, keep, axis=1)
    real = found < len(located)
    columns[located] = np.where(real, located[np.minimum(found, len(located) - 1)], -1)
    metres[located] = np.where(real, distance, 0.0)
    return columns, metres
