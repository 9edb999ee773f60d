"""What is asked of the models with one history per query, and their answers, in batches of bounded memory.

Letters: Q queries, N items, K items shown, L steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from chronotope.evaluate.ranking import ranks_of, top_items
from chronotope.train.batches import users_of
from chronotope.train.scoring import Bools, Catalogue, Doubles, Ints, Queries, Scorer, Users

NO_SLOT = -1  # the time asked about is not told; `at_s` is then the time of the last known step
SCORES_AT_ONCE = 2**21  # scores held at a time: 8 MiB as fp32; the memory features of their queries take 50 times that
STEPS_AT_ONCE = 2**18  # steps read at a time, padding included: the gates of an LSTM of 128 units are 512 MiB


@dataclass(frozen=True)
class Asked:
    """Q queries: what each may know, which is all that there is of its row, and what it asks about."""

    known: pd.DataFrame  # [Q] rows of `chronotope.train.histories.histories`, as `Stages.known` gives them
    at_s: Doubles  # [Q] epoch seconds of the moment asked about
    slot: Ints  # [Q] slot asked about, -1 where the time is not told
    previous_known: Bools  # [Q] whether the last known step is the step just before

    def rows(self, rows: Ints) -> Asked:
        """Some of the queries, in the order of the rows."""
        return Asked(self.known.iloc[rows], self.at_s[rows], self.slot[rows], self.previous_known[rows])

    def without_time(self) -> Asked:
        """The same queries when their time is not told: each is asked at the time of its last known step."""
        last_s = [steps[-1] if len(steps) else 0.0 for steps in self.known["occurred_at_s"]]
        return replace(self, at_s=np.array(last_s, dtype=np.float64), slot=np.full_like(self.slot, NO_SLOT))

    def batch(self, catalogue: Catalogue) -> tuple[Users, Queries]:
        """The queries as the models take them, each as the only query of its own user."""
        users = users_of(self.known, catalogue)
        queries = Queries(
            user=np.arange(len(self.known)),
            known_steps=users.length,
            at_s=self.at_s,
            slot=self.slot,
            region=np.full(len(self.known), -1, dtype=np.int64),
            previous_known=self.previous_known & (users.length > 0),
        )
        return users, queries


def together(parts: Sequence[Asked]) -> Asked:
    """The queries of all parts, one part after the other."""
    arrays = [np.concatenate([getattr(p, name) for p in parts]) for name in ("at_s", "slot", "previous_known")]
    return Asked(pd.concat([p.known for p in parts], ignore_index=True), *arrays)


def scores_of(scorer: Scorer, asked: Asked) -> Iterator[tuple[Ints, np.ndarray]]:
    """The scores, a batch of queries with histories of similar length at a time: their rows [B], scores [B, N]."""
    length = np.array([len(steps) for steps in asked.known["item_id"]], dtype=np.int64)
    order = np.argsort(-length, kind="stable")
    for rows in in_batches(order, length, SCORES_AT_ONCE // len(scorer.catalogue.item_ids), STEPS_AT_ONCE):
        users, queries = asked.rows(rows).batch(scorer.catalogue)
        yield rows, scorer.score(scorer.encode(users, queries), users, queries)


def in_batches(order: Ints, length: Ints, most: int, most_steps: int) -> Iterator[Ints]:
    """Queries, longest history first, in batches of at most `most` and of `most_steps`; one at least.

    >>> [rows.tolist() for rows in in_batches(np.array([1, 0, 2]), np.array([3, 6, 3]), 2, 6)]
    [[1], [0, 2]]
    """
    start = 0
    while start < len(order):
        longest = max(1, int(length[order[start]]))
        size = max(1, min(most, most_steps // longest))
        yield order[start : start + size]
        start += size


def answers(scorer: Scorer, asked: Asked, truths: Sequence[str], n_shown: int) -> pd.DataFrame:
    """One row per query, in their order: `rank` of the truth and `top`, the ids of the best `n_shown` items.

    Ranks are those of `chronotope.evaluate.ranking.ranks_of`: over all items, ties count against the model, and an
    item that the catalogue does not have is a miss of rank N + 1. The list's ties are broken by item id.
    """
    columns = scorer.catalogue.item_index.get_indexer(pd.Index(truths)).astype(np.int64)
    rank = np.zeros(len(columns), dtype=np.int64)
    top = np.zeros((len(columns), min(n_shown, len(scorer.catalogue.item_ids))), dtype=np.int64)
    for rows, scores in scores_of(scorer, asked):
        rank[rows], top[rows] = ranks_of(scores, columns[rows]), top_items(scores, n_shown)
    item_ids = np.array(scorer.catalogue.item_ids, dtype=object)
    return pd.DataFrame({"rank": rank, "top": list(item_ids[top])})
