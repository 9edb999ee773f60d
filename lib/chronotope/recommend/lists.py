"""From a batch of users to ranked lists, and from these to rows of the table `recommendations`.

Letters: B users, Q lists, K items per list, R rows, N items, D size of a state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from chronotope.config import Settings
from chronotope.errors import ModelError
from chronotope.recommend.candidates import Candidates
from chronotope.recommend.columns import as_maps, lengths, members, no_history
from chronotope.recommend.popular import Popularity
from chronotope.recommend.ranking import Lists, ranked
from chronotope.recommend.reasons import reasons
from chronotope.slots import next_moments
from chronotope.train.batches import users_of
from chronotope.train.histories import STEP_FIELDS
from chronotope.train.scoring import MOST_QUERIES, Bools, Floats, Ints, Queries, Scorer, Users

ANYBODY = "*"  # the user_id of the lists for users without history
# Scores of one step, lists x items, on average: 4 million are 16 MiB in fp32, and the model may need as much again.
MAX_SCORES = 2**22
HISTORY_FIELDS = ["user_id", *(field for field in STEP_FIELDS if field != "event_id")]


@dataclass(frozen=True)
class Asked:
    """The lists that users are asked for, with the names that they are filed under."""

    queries: Queries
    dayparts: pa.Array  # [Q] names
    regions: pa.Array  # [Q] names, "" for none


class ListMaker:
    """Makes the lists of users with one model; each is for when its daypart comes next after the end of the night."""

    def __init__(self, scorer: Scorer, settings: Settings, night_end: dt.datetime):
        self.scorer = scorer
        self.settings = settings
        self.end_s = night_end.timestamp()
        self.moments = next_moments(settings.night.dayparts, night_end, settings.night.time_zone)
        catalogue, recommend = scorer.catalogue, settings.recommend
        self.candidates = Candidates(catalogue, max(recommend.k, recommend.candidates), recommend.near_m)
        self.item_ids = pa.array(catalogue.item_ids, pa.string())
        self.categories = pa.array(catalogue.categories, pa.string()).dictionary_encode()

    def rows(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The lists of any number of rows of `contexts.users_asked`, some lists at a time.

        Those for one region are made together, for few items may stand in them; then those of users with histories of
        similar length, for padding costs as much as steps. A user with lists for several regions is read once for each,
        and encoded as often where no state is given.
        """
        user = np.repeat(np.arange(batch.num_rows), lengths(batch.column("dayparts")))
        region = self.region_of(batch.column("regions").flatten())
        order = np.lexsort((user, lengths(batch.column("item_id"))[user], region))
        at_once = max(1, min(MOST_QUERIES, MAX_SCORES // max(1, len(self.item_ids))))
        for some in at_a_time(user[order], at_once, self.settings.infer.batch_users):
            yield self.of_lists(batch, user[order[some]], pa.array(order[some]))

    def of_lists(self, batch: pa.RecordBatch, user: Ints, chosen: pa.Array) -> pa.RecordBatch:
        """Some of the lists of a batch of users, as rows.

        Args:
            batch: rows of `contexts.users_asked`.
            user: [Q] whose list each is, a row of the batch.
            chosen: [Q] which of the batch's lists each is, counted over all users.
        """
        distinct, user = np.unique(user, return_inverse=True)
        dayparts, regions = (batch.column(name).flatten().take(chosen) for name in ("dayparts", "regions"))
        batch = batch.take(pa.array(distinct))
        users = users_of(batch.select(HISTORY_FIELDS).to_pandas(), self.scorer.catalogue)
        asked = self.asked(user, dayparts, regions, users.length)
        states = self.states(users, batch.column("encoded"))[asked.queries.user]
        hidden = members(batch.column("hidden"), self.item_ids)
        mask = self.candidates.mask(users, asked.queries, hidden)
        lists = self.lists(self.scorer, states, users, asked.queries, mask)
        return self.as_rows(batch.column("user_id").take(pa.array(asked.queries.user)), asked, lists)

    def of_anybody(self) -> Iterator[pa.RecordBatch]:
        """The lists for users without history: by popularity, for every daypart and every region and for none."""
        scorer = Popularity(self.scorer.model_id, self.scorer.catalogue)
        nobody = no_history(ANYBODY)
        dayparts, user = pa.array(list(self.moments)), np.zeros(len(self.moments), np.int64)
        for region in ["", *self.scorer.catalogue.regions]:
            asked = self.asked(user, dayparts, pa.array([region] * len(self.moments)), nobody.length)
            mask = self.candidates.mask(nobody, asked.queries, None)
            states = scorer.encode(nobody, asked.queries)
            lists = self.lists(scorer, states, nobody, asked.queries, mask)
            yield self.as_rows(pa.array([ANYBODY] * len(self.moments)), asked, lists)

    def lists(self, scorer: Scorer, states: Floats, users: Users, queries: Queries, mask: Bools) -> Lists:
        """The ranked lists of the queries."""
        recommend = self.settings.recommend
        return ranked(scorer, states, users, queries, mask, recommend.candidates, recommend.k)

    def asked(self, user: Ints, dayparts: pa.Array, regions: pa.Array, known_steps: Ints) -> Asked:
        """The queries of some lists: a morning list knows the whole history, but not what comes just before.

        Args:
            user: [Q] row of the user in the batch.
            dayparts: [Q] names.
            regions: [Q] names.
            known_steps: [B] lengths of the histories.
        """
        moments = [self.moments[name] for name in dayparts.to_pylist()]
        queries = Queries(
            user=user,
            known_steps=known_steps[user],
            at_s=np.array([moment.at_s for moment in moments], dtype=np.float64),
            slot=np.array([moment.slot for moment in moments], dtype=np.int64),
            region=self.region_of(regions),
            previous_known=np.zeros(user.size, dtype=bool),
        )
        return Asked(queries, dayparts, regions)

    def region_of(self, names: pa.Array) -> Ints:
        """The regions' indices in the catalogue, -1 for those it does not know."""
        found: Ints = self.scorer.catalogue.region_index.get_indexer(names.to_pandas()).astype(np.int64)
        return found

    def states(self, users: Users, encoded: pa.Array) -> Floats:
        """The users' states, [B, D]: those given, and for users without one, encoded from the histories.

        Raises:
            ModelError: when a given state has not the size of the model's.
        """
        sizes, size = lengths(encoded), self.state_size
        there = sizes > 0
        if (sizes[there] != size).any():
            raise ModelError(f"user_states of model {self.scorer.model_id} have not {size} numbers: run infer again")
        given = encoded.flatten().to_numpy(zero_copy_only=False).reshape(there.sum(), size)
        if there.size and there.all():
            return np.asarray(given, dtype=np.float32)
        states = self.encoded(users)
        states[there] = given
        return states

    @cached_property
    def state_size(self) -> int:
        """D, as the model encodes a user without a step."""
        return int(self.encoded(no_history(ANYBODY)).shape[1])

    def encoded(self, users: Users) -> Floats:
        """The states of users after all their steps, [B, D]."""
        n = len(users.user_ids)
        queries = Queries(
            user=np.arange(n), known_steps=users.length, at_s=np.full(n, self.end_s), slot=np.zeros(n, np.int64),
            region=np.full(n, -1), previous_known=np.zeros(n, bool),
        )  # fmt: skip
        return self.scorer.encode(users, queries)

    def as_rows(self, user_ids: pa.Array, asked: Asked, lists: Lists) -> pa.RecordBatch:
        """The lists [Q, K] as Arrow rows, whole columns at a time."""
        row, rank = np.nonzero(lists.there)
        items, of_list = lists.items[row, rank], pa.array(row)
        parts = {name: values[row, rank] for name, values in lists.parts.items()}
        dayparts, placed = asked.dayparts.dictionary_encode(), asked.queries.region[row] >= 0
        columns = {
            "user_id": user_ids.take(of_list),
            "daypart": asked.dayparts.take(of_list),
            "region": asked.regions.take(of_list),
            "rank": pa.array(rank + 1, pa.int32()),
            "item_id": self.item_ids.take(pa.array(items)),
            "score": pa.array(lists.scores[row, rank]),
            "parts": as_maps(parts, len(row)),
            "reason": reasons(parts, self.categories.take(pa.array(items)), dayparts.take(of_list), placed),
        }
        return pa.RecordBatch.from_pydict(columns)


def at_a_time(user: Ints, most: int, most_users: int) -> Iterator[slice]:
    """Cut lists, those of a user side by side, into runs of at most `most` lists and `most_users` users.

    Args:
        user: [Q] whose list each is.
        most: lists of one run, at least 1.
        most_users: users of one run, at least 1.

    >>> list(at_a_time(np.array([4, 4, 7, 2, 2]), 3, 2))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    nth_user = np.cumsum(np.diff(user, prepend=user[:1]) != 0)  # [Q] 0 for the first user
    start = 0
    while start < len(user):
        other = int(np.searchsorted(nth_user, nth_user[start] + most_users))
        end = min(start + most, other)
        yield slice(start, end)
        start = end
