"""The Markov counts, against plain Python over lists of items."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.peers.history import History
from benchmarks.peers.markov import scores

USERS = [[0, 1, 2, 1, 3], [2, 1], [3, 0, 1, 2], [1], [0, 0, 1]]
N_ITEMS = 4


def history():
    return History(np.repeat(np.arange(len(USERS)), [len(items) for items in USERS]), np.concatenate(USERS))


def plain(steps: int, decay: float, shares: bool) -> list[list[float]]:
    moves: Counter = Counter()
    for items in USERS:
        for at, item in enumerate(items):
            for back in range(1, min(steps, at) + 1):
                moves[items[at - back], item] += decay ** (back - 1)
    leaves = {j: sum(moves[j, i] for i in range(N_ITEMS)) for j in range(N_ITEMS)}
    every = Counter(item for items in USERS for item in items)
    rows = []
    for items in USERS:
        row = [1e-6 * every[i] / sum(every.values()) for i in range(N_ITEMS)]
        for back, last in enumerate(reversed(items[-steps:])):
            for i in range(N_ITEMS):
                said = moves[last, i] / leaves[last] if shares and leaves[last] else moves[last, i]
                row[i] += decay**back * said
        rows.append(row)
    return rows


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize(("steps", "decay"), [(1, 1.0), (2, 0.5), (3, 0.7)])
def test_scores_are_the_decayed_counts_of_what_followed(steps, decay, shares):
    (found,) = scores(history(), [{"steps": steps, "decay": decay, "shares": shares}], seed=1)
    np.testing.assert_allclose(found, plain(steps, decay, shares), rtol=1e-9)


def test_each_setting_is_answered_in_turn():
    one, three = {"steps": 1, "decay": 1.0, "shares": False}, {"steps": 3, "decay": 0.5, "shares": False}
    both = list(scores(history(), [one, three], seed=1))
    np.testing.assert_array_equal(both[1], next(iter(scores(history(), [three], seed=1))))
    assert not np.array_equal(both[0], both[1])
