"""What anybody gets: popularity by region and daypart, backed off to what is popular at large."""

from __future__ import annotations

import numpy as np

from chronotope.train.counts import Counter
from chronotope.train.scoring import Catalogue, Floats, Ints, Queries, Users


class Popularity:
    """A `Scorer` for users of whom nothing is known: it reads the context only, and has one part, `popular`.

    The score is the count model's `popular_here`, a smoothed share on a log scale from 0 to 1: where a context has
    few events, those of the daypart and of the whole catalogue decide, so every context ranks every item.
    """

    smoothing = 0.0

    def __init__(self, model_id: str, catalogue: Catalogue):
        self.model_id = model_id
        self.catalogue = catalogue
        self.counter = Counter(catalogue)

    def encode(self, users: Users, queries: Queries) -> Floats:
        """No state, [Q, 0]."""
        return np.zeros((len(queries.user), 0), np.float32)

    def score(self, states: Floats, users: Users, queries: Queries, among: Ints | None = None) -> Floats:
        """The score of every item asked about, [Q, C]."""
        daypart = self.catalogue.daypart_of_slot[queries.slot]
        scores = self.counter.popular_here((1 + queries.region) * len(self.catalogue.dayparts) + daypart)
        return scores if among is None else scores[:, among]

    def parts(
        self, states: Floats, users: Users, queries: Queries, items: Ints, among: Ints | None = None
    ) -> dict[str, Floats]:
        """All of the score of the chosen items [Q, K] is `popular`."""
        return {"popular": np.take_along_axis(self.score(states, users, queries), items, axis=1)}
