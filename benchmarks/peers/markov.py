"""Markov counts: what followed the last items of a user in everybody's histories. No training, no package.

`score(u, i) = sum_{b<S} decay^b T(l_b, i) + 1e-6 n_i / P`, with l_0 the user's last item, l_1 the one before, and
`T(j, i) = sum_{d<S} decay^d n_d(j, i)`, n_d the times that i came d + 1 steps after j. S = 1 is the first-order chain.
`shares` divides each row of T by its sum. Popularity, n_i of P steps, breaks ties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.peers.history import History


def scores(history: History, settings: Sequence[Mapping[str, Any]], seed: int) -> Iterator[np.ndarray]:
    """Every user's score of every item, [U, N], for each of the settings; nothing is random."""
    popular = 1e-6 * np.bincount(history.item) / len(history.item)
    for chosen in settings:
        weights = chosen["decay"] ** np.arange(chosen["steps"])
        moves = sum(weight * after(history, step + 1) for step, weight in enumerate(weights))
        if chosen["shares"]:
            moves = sparse.diags(1 / np.maximum(np.asarray(moves.sum(axis=1)).ravel(), 1e-9)) @ moves
        yield (last_items(history, weights) @ moves).toarray() + popular


def after(history: History, distance: int) -> sparse.csr_matrix:
    """How often each item came so many steps after another in a user's history, [N, N]."""
    same = history.user[distance:] == history.user[:-distance]
    pairs = (history.item[:-distance][same], history.item[distance:][same])
    n_items = history.shape[1]
    return sparse.csr_matrix((np.ones(same.sum()), pairs), shape=(n_items, n_items))


def last_items(history: History, weights: np.ndarray) -> sparse.csr_matrix:
    """The weights of each user's last items, newest first, [U, N]."""
    ends = np.cumsum(np.bincount(history.user))
    left = ends[history.user] - 1 - np.arange(len(history.user))
    last = left < len(weights)
    return sparse.csr_matrix((weights[left[last]], (history.user[last], history.item[last])), shape=history.shape)
