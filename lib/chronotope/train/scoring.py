"""What every model answers: how well does each item fit a user at a time and in a place, part by part.

Letters: B users, L steps of the longest user in a batch, Q queries, N items of the catalogue, C of them asked about,
K items chosen per query, E size of a text embedding, D size of a state.

An index of -1 means padding, unknown or none, for items, actions and regions alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
T = TypeVar("T")

LEAST_KEPT = 0.05  # share of itself that a probability keeps where more than that would be taken back
TRENDING_DAYS = 14.0  # half-life of an event among those that say what is trending
# Followers kept per item: what is kept then grows with the catalogue and not with the log, and the chance of one beyond
# the fiftieth is within the noise of its count.
MOST_FOLLOWERS = 50
MOST_QUERIES = 1024  # that should be asked at a time: what a model remembers for each takes it some 100 kB


@dataclass(frozen=True)
class Catalogue:
    """The items that a model knows, and what was counted about them up to the model's cut.

    Column j of every score is item `item_ids[j]`.
    """

    item_ids: list[str]  # N, sorted
    categories: list[str]  # N, "" where the source names none
    languages: list[str]  # N, "" where unknown
    lat: Doubles  # [N] degrees, NaN where unknown
    lon: Doubles  # [N]
    region: Ints  # [N] index in `regions`
    embedding: Floats  # [N, E] unit vectors of the texts, zeros where an item has no text
    gone: Bools  # [N] whether nobody can have it any more: it is known from histories, but stands in no list
    regions: list[str]  # sorted
    actions: list[str]  # sorted
    dayparts: list[str]  # in the order of the settings
    daypart_of_slot: Ints  # [168] index in `dayparts`
    popularity: sparse.csr_matrix  # [(1 + regions) * dayparts, N] events; row (1 + region) * dayparts + daypart;
    #   the rows of region -1 count the events of every region
    transitions: sparse.csr_matrix  # [N, N] times that the column's item followed the row's in a session, for the
    #   likeliest `MOST_FOLLOWERS` of each row
    visitors: Floats  # [N] users who met the item
    trending: Floats  # [N] events, each counting half for every `TRENDING_DAYS` of its age at the cut

    def as_of(self, counted: Counted) -> Catalogue:
        """The same items with what had been counted by another moment."""
        counts = {name: getattr(counted, name) for name in ("popularity", "transitions", "visitors", "trending")}
        return replace(self, **counts)

    @cached_property
    def item_index(self) -> pd.Index[str]:
        """Item id to column."""
        return pd.Index(self.item_ids)

    @cached_property
    def region_index(self) -> pd.Index[str]:
        """Region to its index."""
        return pd.Index(self.regions)

    @cached_property
    def action_index(self) -> pd.Index[str]:
        """Action to its index."""
        return pd.Index(self.actions)


@dataclass(frozen=True)
class Counted:
    """What everybody had done by a moment, counted as a `Catalogue` does."""

    from_s: float  # epoch seconds: from when on this may be known
    popularity: sparse.csr_matrix  # [(1 + regions) * dayparts, N]
    transitions: sparse.csr_matrix  # [N, N]
    visitors: Floats  # [N]
    trending: Floats  # [N]


@dataclass(frozen=True)
class Users:
    """A batch of histories, oldest step first, padded at the end."""

    user_ids: list[str]  # B
    length: Ints  # [B] steps that are real
    item: Ints  # [B, L]
    action: Ints  # [B, L]
    at_s: Doubles  # [B, L] epoch seconds, UTC
    slot: Ints  # [B, L] hour of the week in local time, 0 to 167; -1 where the data has no clock
    region: Ints  # [B, L]
    lat: Doubles  # [B, L] degrees, NaN where unknown
    lon: Doubles  # [B, L]
    gap_s: Doubles  # [B, L] seconds since the step before, across sessions; NaN on a user's first step
    distance_m: Doubles  # [B, L] metres from the step before; NaN where a place is unknown


@dataclass(frozen=True)
class Queries:
    """What is asked: the items of which user, when, where, and what may be known of the past."""

    user: Ints  # [Q] row in the batch of users
    known_steps: Ints  # [Q] only the user's first `known_steps` steps may be used; 0 is a user without history
    at_s: Doubles  # [Q] epoch seconds of the moment asked about; where that is not told, of the last known step
    slot: Ints  # [Q] slot asked about, 0 to 167; -1 where the time is not told
    region: Ints  # [Q] region asked about, -1 when unknown
    previous_known: Bools  # [Q] whether the last known step is the step just before (False in a morning list)
    # Of the known steps, those from `hidden_from` to before `hidden_to` [Q] are not known after all: training asks so,
    # for lists that are older than their readers' sessions. None hides nothing.
    hidden_from: Ints | None = None
    hidden_to: Ints | None = None


def places_of(users: Users, at: tuple[Ints, Ints], catalogue: Catalogue) -> tuple[Doubles, Doubles]:
    """Degrees of the steps at (rows, steps): a step's own place, else its item's; NaN where both are unknown."""
    item = users.item[at]
    of_item = np.where(item >= 0, catalogue.lat[item], np.nan), np.where(item >= 0, catalogue.lon[item], np.nan)
    unplaced = np.isnan(users.lat[at]) | np.isnan(users.lon[at])
    return np.where(unplaced, of_item[0], users.lat[at]), np.where(unplaced, of_item[1], users.lon[at])


class Scorer(Protocol):
    """A model that ranks the catalogue. Scores are additive: the parts of an item sum to its score within 1e-4.

    Where few items may be listed, `among` names their columns [C], ascending: what other items score is not asked, and
    a model may leave it out; None asks about all N.
    """

    model_id: str
    catalogue: Catalogue
    smoothing: float  # share of the truths that was spread evenly over all items when the scores were learned

    def encode(self, users: Users, queries: Queries) -> Floats:
        """The users' states after each query's known steps, [Q, D]; D may be 0 for a model without state."""
        ...

    def score(self, states: Floats, users: Users, queries: Queries, among: Ints | None = None) -> Floats:
        """The score of every item asked about, [Q, C]; higher is better."""
        ...

    def parts(
        self, states: Floats, users: Users, queries: Queries, items: Ints, among: Ints | None = None
    ) -> Mapping[str, Floats]:
        """What each named part adds to the score of the chosen items [Q, K], columns of `among`: name to [Q, K]."""
        ...


def probabilities(scores: Floats, smoothing: float) -> Doubles:
    """Each row [Q, N] as probabilities: its softmax, from which the share that smoothing spread evenly is taken back.

    Where p is likely, whoever learned from smoothed truths says `(1 - smoothing) p + smoothing / N` (Szegedy et al.,
    "Rethinking the inception architecture for computer vision", CVPR 2016, section 7). A probability keeps
    `LEAST_KEPT` of itself at least, for what was learned is below the even share here and there.

    >>> probabilities(np.zeros((1, 4), np.float32), 0.1).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    shares: Doubles = scores.astype(np.float64)
    shares -= shares.max(axis=1, keepdims=True)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=1, keepdims=True)
    if smoothing:
        least = LEAST_KEPT * shares
        shares -= smoothing / shares.shape[1]
        np.maximum(shares, least, out=shares)
        shares /= shares.sum(axis=1, keepdims=True)
    return shares


def places_among(among: Ints | None, n_items: int) -> Ints:
    """Where each item of the catalogue stands among those asked about, [N]; -1 for the others.

    >>> places_among(np.array([1, 3]), 4).tolist()
    [-1, 0, -1, 1]
    """
    if among is None:
        return np.arange(n_items)
    place: Ints = np.full(n_items, -1, dtype=np.int64)
    place[among] = np.arange(len(among))
    return place


class Last(Generic[T]):
    """Keeps the last answer: whoever has scored a batch asks for the parts of the very same batch next."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], T] | None = None

    def of(self, asked: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` gives; what it gave last where the same objects were asked about then."""
        if self._kept is None or any(now is not then for now, then in zip(asked, self._kept[0], strict=True)):
            self._kept = (asked, make())
        return self._kept[1]
