"""Items held out of histories, one per user, and how the scores of all items become predictions of them.

Letters: U users, N items.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.ranked import lists, ranks
from chronotope.train.scoring import Ints


@dataclass(frozen=True)
class HeldOut:
    """What may be known, and the item that each of some users met next."""

    known: pd.DataFrame  # user_id and item_id, each user's together and in time order
    next: pd.DataFrame  # user_id and item_id, one row per user
    hide_seen: bool  # whether a user's known items are left out of the ranking

    @cached_property
    def users(self) -> pd.Index:
        """All users of the history, sorted: U."""
        return pd.Index(np.unique(self.known["user_id"]))

    @cached_property
    def items(self) -> pd.Index:
        """All items of the history, sorted: N; the candidates of every ranking."""
        return pd.Index(np.unique(self.known["item_id"]))

    @cached_property
    def history(self) -> pd.DataFrame:
        """The history as columns user and item, places in `users` and `items`."""
        user, item = self.users.get_indexer(self.known["user_id"]), self.items.get_indexer(self.known["item_id"])
        return pd.DataFrame({"user": user, "item": item}).sort_values("user", kind="stable", ignore_index=True)

    @cached_property
    def asking(self) -> Ints:
        """The places of the users who are asked about, in the order of `next`."""
        return self.users.get_indexer(self.next["user_id"])

    @cached_property
    def truths(self) -> Ints:
        """The places of the items that followed; -1 for one that occurs nowhere in the history."""
        return self.items.get_indexer(self.next["item_id"]).astype(np.int64)

    @cached_property
    def hidden(self) -> sparse.csr_matrix | None:
        """The known items of the users who are asked about; None where they are ranked."""
        if not self.hide_seen:
            return None
        pairs = (self.history["user"], self.history["item"])
        met = sparse.csr_matrix((np.ones(len(self.known), np.float32), pairs), shape=(len(self.users), len(self.items)))
        return met[self.asking]

    def ranks(self, scores: np.ndarray) -> Ints:
        """The ranks of the truths in scores [U, N]."""
        return ranks(scores[self.asking], self.truths, self.hidden)

    def predicted(self, model: str, seed: int, scores: np.ndarray) -> pd.DataFrame:
        """The rows of predictions.parquet of one model, of scores [U, N]."""
        top = self.items.to_numpy()[lists(scores[self.asking], self.hidden)]
        rows = self.next[["user_id", "item_id"]]
        return rows.assign(model=model, seed=seed, rank=self.ranks(scores), top20=top.tolist())
