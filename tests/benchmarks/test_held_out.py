"""What is held out of histories, as the scores' rows and columns see it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.held_out import HeldOut

KNOWN = pd.DataFrame([("v", "b"), ("v", "a"), ("u", "c"), ("u", "a"), ("w", "b")], columns=["user_id", "item_id"])
NEXT = pd.DataFrame([("v", "c"), ("u", "z"), ("w", "a")], columns=["user_id", "item_id"])
SCORES = np.array([[3, 2, 1], [3, 2, 1], [3, 2, 1]], np.float32)  # users u, v, w; items a, b, c


@pytest.fixture
def held_out():
    return HeldOut(KNOWN, NEXT, hide_seen=True)


def test_candidates_are_the_known_items(held_out):
    assert held_out.items.tolist() == ["a", "b", "c"]
    assert held_out.truths.tolist() == [2, -1, 0]


def test_histories_keep_their_order(held_out):
    assert held_out.history.to_numpy().tolist() == [[0, 2], [0, 0], [1, 1], [1, 0], [2, 1]]


def test_known_items_are_not_ranked(held_out):
    assert held_out.hidden.toarray().tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 0]]  # of v, u and w
    assert held_out.ranks(SCORES).tolist() == [1, 4, 1]  # z is unknown: behind all three


def test_known_items_are_ranked_where_people_repeat_themselves():
    assert HeldOut(KNOWN, NEXT, hide_seen=False).ranks(SCORES).tolist() == [3, 4, 1]


def test_predictions_name_users_items_and_lists(held_out):
    rows = held_out.predicted("m", 7, SCORES)
    assert rows.to_dict("list") == {
        "user_id": ["v", "u", "w"], "item_id": ["c", "z", "a"], "model": ["m"] * 3, "seed": [7] * 3,
        "rank": [1, 4, 1], "top20": [["c", "a", "b"], ["b", "a", "c"], ["a", "c", "b"]],
    }  # fmt: skip
