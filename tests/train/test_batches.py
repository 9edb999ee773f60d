"""Histories as padded arrays, and users of similar length side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.batches import by_length, users_of
from tests.train import small

KNOWN = small.catalogue()


def test_steps_are_padded_at_the_end():
    rows = [
        small.history("u", [0, 3], region=["south", None], lat=np.array([1.0, np.nan])),
        small.history("v", []),
        small.history("w", [1], action=["buy"]),
    ]
    users = users_of(pd.DataFrame(rows), KNOWN)
    assert users.user_ids == ["u", "v", "w"]
    assert users.length.tolist() == [2, 0, 1]
    assert users.item.tolist() == [[0, 3], [-1, -1], [1, -1]]
    assert users.action.tolist() == [[1, 1], [-1, -1], [0, -1]]
    assert users.region.tolist() == [[1, -1], [-1, -1], [-1, -1]]
    assert np.isnan(users.gap_s[:, 0]).all()
    assert users.gap_s[0, 1] == 3600.0
    assert users.lat[0, 0] == 1.0
    assert np.isnan(users.lat[0, 1])


def test_unknown_names_become_none():
    row = small.history("u", [0, 99], action=["wave", "view"], region=["mars", "north"])
    users = users_of(pd.DataFrame([row]), KNOWN)
    assert (users.item.tolist(), users.action.tolist(), users.region.tolist()) == ([[0, -1]], [[-1, 1]], [[-1, 0]])


def test_no_user_at_all():
    users = users_of(pd.DataFrame([small.history("u", [0])]).iloc[:0], KNOWN)
    assert (users.item.shape, users.user_ids) == ((0, 0), [])


def test_lists_with_nulls_are_read_like_arrays():
    row = small.history("u", [0, 1])
    listed = row | {"gap_s": [None, 5.0], "lat": [None, None]}
    users = users_of(pd.DataFrame([listed]), KNOWN)
    assert np.isnan(users.gap_s[0, 0])
    assert users.gap_s[0, 1] == 5.0


@given(lengths=st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=3), size=st.integers(1, 4))
def test_no_user_is_lost_or_doubled(lengths, size):
    frames = [
        pd.DataFrame(
            [small.history(f"u{f}-{n}", [0] * k) for n, k in enumerate(ks)], columns=list(small.history("u", []))
        )
        for f, ks in enumerate(lengths)
    ]
    batches = list(by_length(frames, size))
    assert sorted(u for b in batches for u in b["user_id"]) == sorted(u for f in frames for u in f["user_id"])
    assert all(len(batch) <= size for batch in batches)


def test_users_of_similar_length_are_side_by_side():
    frame = pd.DataFrame([small.history(f"u{n}", [0] * k) for n, k in enumerate([1, 5, 2, 5, 3])])
    assert [batch["user_id"].tolist() for batch in by_length([frame], 2)] == [["u1", "u3"], ["u4", "u2"], ["u0"]]
