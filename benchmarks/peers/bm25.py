"""implicit's item neighbours under BM25 weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from implicit.nearest_neighbours import BM25Recommender

from benchmarks.peers.history import History


def scores(history: History, settings: Sequence[Mapping[str, Any]], seed: int) -> Iterator[np.ndarray]:
    """Every user's score of every item, [U, N], for each of the settings, as `recommend` makes them; not random."""
    matrix = history.matrix()
    for chosen in settings:
        model = BM25Recommender(**chosen)
        model.fit(matrix, show_progress=False)
        yield (matrix @ model.similarity).toarray()
