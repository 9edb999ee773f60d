from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.evaluate.ranking import ranks_of, top_items
from tests.oracles import evaluate as oracle

LEVELS = st.sampled_from([0.0, 0.25, 0.5, 1.0, -3.0, float("nan")])


@given(st.lists(LEVELS, min_size=1, max_size=8), st.integers(-1, 7))
def test_ranks_are_the_oracles(scores, truth):
    truth = min(truth, len(scores) - 1)
    assert ranks_of(np.array([scores], np.float32), np.array([truth])).tolist() == [oracle.rank_of(scores, truth)]


@pytest.mark.parametrize(
    ("scores", "truth", "rank"),
    [
        ([3, 2, 1], 0, 1),  # perfect
        ([3, 2, 1], 2, 3),  # worst
        ([1, 1, 1], 1, 3),  # a constant scorer earns the last place
        ([2, 2, 1], 0, 2),  # a tie counts against the model
        ([1, 1 + 1e-8, 0], 0, 2),  # and so does the noise of a sum
        ([3, 2, 1], -1, 4),  # an unknown item is a miss
        ([float("nan")] * 3, 0, 3),
        ([5], 0, 1),
    ],
)
def test_limits(scores, truth, rank):
    assert ranks_of(np.array([scores], np.float32), np.array([truth])).tolist() == [rank]


def test_no_query():
    assert ranks_of(np.empty((0, 3), np.float32), np.empty(0, np.int64)).shape == (0,)


def test_the_top_is_in_order_with_ties_by_item_and_no_longer_than_the_catalogue():
    scores = np.array([[0.5, 0.9, 0.5, 0.1]], np.float32)
    assert top_items(scores, 3).tolist() == [[1, 0, 2]]
    assert top_items(scores, 9).tolist() == [[1, 0, 2, 3]]
