"""The count model: a tuned, additive blend of what counting says; and the yardsticks, which are blends too.

Letters: Q queries, N items, C of them asked about, K chosen per query, F features of `chronotope.train.counts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chronotope.errors import ModelError
from chronotope.train.barred import NEVER
from chronotope.train.counts import FEATURES, Counter, Evidence
from chronotope.train.known import met_pairs
from chronotope.train.scoring import Bools, Catalogue, Floats, Ints, Last, Queries, Users, places_among

Weights = Mapping[str, float]  # feature to weight; a feature that is not named weighs nothing

# Two sets of weights, for two information sets: the step just before the query is known, or it is not.
KINDS = ("morning", "next")

# Where tuning starts, and what a night without anything to tune on uses.
START: Weights = {
    "popular_overall": 0.5,
    "popular_here": 1.0,
    "frequency": 0.5,
    "recent_7d": 0.3,
    "recent_30d": 0.5,
    "same_daypart": 0.3,
    "same_hour": 1.0,
    "own_next": 0.2,
    "own_next_hour": 0.3,
    "all_next": 0.2,
    "near": 0.3,
}

# Popularity breaks the ties among what a yardstick knows nothing about, with a weight that moves nothing else: equal
# counts aside, two values of `log(1 + n / 0.1)` are 0.001 or more apart up to a thousand events.
YARDSTICKS: Mapping[str, Weights] = {
    "popularity": {"popular_overall": 1.0},
    "user_frequency": {"frequency": 1.0, "popular_overall": 1e-3},
    "last_item": {"last": 1.0, "popular_overall": 1e-3},
    "markov": {"own_next": 1.0, "all_next": 0.1, "popular_overall": 1e-3},
}


class CountBlend:
    """A scorer that adds up weighted counts; it has no state (D = 0) and needs no training, only weights.

    Each query is scored with the weights of its kind, `next` when its previous step is known and else `morning`.
    A query without history gets popularity at its daypart and region. Where nobody comes back to an item (`repeats`
    false), an item that the user has met has the score `NEVER`, as part `habit`.
    """

    smoothing = 0.0

    def __init__(
        self, catalogue: Catalogue, weights: Mapping[str, Weights], model_id: str = "counts", repeats: bool = True
    ) -> None:
        self.model_id = model_id
        self.catalogue = catalogue
        self.repeats = repeats
        self.weights = {kind: dict(weights[kind]) for kind in KINDS}
        self._counter = Counter(catalogue)
        self._last = Last[Evidence]()
        self._by_kind = np.array(
            [[self.weights[kind].get(feature, 0.0) for feature in FEATURES] for kind in KINDS], dtype=np.float32
        )

    def encode(self, users: Users, queries: Queries) -> Floats:
        """No states: [Q, 0]."""
        return np.empty((len(queries.user), 0), dtype=np.float32)

    def score(self, states: Floats, users: Users, queries: Queries, among: Ints | None = None) -> Floats:
        """The score of every item asked about, [Q, C]; higher is better."""
        scores = self.evidence(users, queries).scores(self.weights_of(queries), among)
        if not self.repeats:
            query, item = met_pairs(users, queries)
            column = places_among(among, len(self.catalogue.item_ids))[item]
            scores[query[column >= 0], column[column >= 0]] = NEVER
        return scores

    def parts(
        self, states: Floats, users: Users, queries: Queries, items: Ints, among: Ints | None = None
    ) -> Mapping[str, Floats]:
        """What each of `PARTS` adds to the score of the chosen items [Q, K]: name to [Q, K]; zero where -1."""
        parts = self.evidence(users, queries).parts(self.weights_of(queries), items)
        if not self.repeats:
            never = is_met(users, queries, items, len(self.catalogue.item_ids))
            parts = {name: np.where(never, np.float32(0), values) for name, values in parts.items()}
            parts["habit"][never] = NEVER
        return parts

    def evidence(self, users: Users, queries: Queries) -> Evidence:
        """All features of the queries."""
        return self._last.of((users, queries), lambda: self._counter.evidence(users, queries))

    def weights_of(self, queries: Queries) -> Floats:
        """The weights of each query's kind, [Q, F]."""
        return self._by_kind[queries.previous_known.astype(np.int64)]

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` needs to make the same scorer on the same catalogue; plain JSON values."""
        return {"model_id": self.model_id, "weights": self.weights, "repeats": self.repeats}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], catalogue: Catalogue) -> CountBlend:
        """The scorer that `to_dict` was called on.

        Raises:
            ModelError: when the saved weights are not those of this version's features.

        """
        named = {feature for kind in KINDS for feature in saved["weights"].get(kind, {"missing": 0})}
        unknown = sorted(named - set(FEATURES))
        if unknown:
            raise ModelError(
                f"the count model has weights for {unknown}, which this version does not count: train it again"
            )
        return cls(catalogue, saved["weights"], saved["model_id"], saved.get("repeats", True))  # older ones have none


def is_met(users: Users, queries: Queries, items: Ints, n_items: int) -> Bools:
    """Which of the chosen items [Q, K] the query knows its user to have met; an item -1 is none."""
    query, item = met_pairs(users, queries)
    keys = np.arange(len(items))[:, None] * n_items + items
    met: Bools = np.isin(keys, query * n_items + item) & (items >= 0)
    return met


def yardsticks(catalogue: Catalogue) -> list[CountBlend]:
    """The simple scorers that every model is shown beside: popularity, user_frequency, last_item, markov."""
    return [CountBlend(catalogue, dict.fromkeys(KINDS, weights), name) for name, weights in YARDSTICKS.items()]
