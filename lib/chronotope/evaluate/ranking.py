"""Where the truth stands among the candidates, and what would have been shown.

Letters: Q queries, N items of the catalogue, K items shown.
"""

from __future__ import annotations

import numpy as np

from chronotope.recommend.ranking import ROUND_DIGITS, largest
from chronotope.train.scoring import Floats, Ints


def ranks_of(scores: Floats, truths: Ints) -> Ints:
    """The rank of each truth: 1 is best, N is last, N + 1 is an item that the catalogue does not have; [Q].

    `rank = N - number of items that score strictly lower`: ties count against the model, so a constant scorer ranks
    every truth last, and so does a score that is no number. Scores within 1e-6 of each other tie.

    Args:
        scores: [Q, N].
        truths: [Q] columns; -1 is a miss whatever the scores are, it is never left out.

    >>> ranks_of(np.array([[0.5, 0.9, 0.5]] * 3, np.float32), np.array([1, 0, -1])).tolist()
    [1, 3, 4]

    """
    n_items = scores.shape[1]
    known = truths >= 0
    even = np.round(scores, ROUND_DIGITS)
    truth = even[np.arange(len(truths)), np.where(known, truths, 0)]
    rank: Ints = n_items - (even < truth[:, None]).sum(axis=1)
    return np.where(known, rank, n_items + 1)


def top_items(scores: Floats, k: int) -> Ints:
    """The columns of the `min(k, N)` best items of each query, best first, ties by column; [Q, K].

    >>> top_items(np.array([[0.5, 0.9, 0.5]], np.float32), 2).tolist()
    [[1, 0]]
    """
    items = largest(scores, np.ones(scores.shape, dtype=bool), k)
    best = np.round(np.take_along_axis(scores, items, axis=1), ROUND_DIGITS)
    order = np.lexsort((items, -best), axis=-1)
    return np.take_along_axis(items, order, axis=1)
