"""Training examples: every step is asked once, by whom it may be known, and nothing from outside its period."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.examples import READ_USERS, Period, Sampling, before, before_in_session, cut, examples, replaced
from tests.train import small

ALWAYS = Period(-np.inf, np.inf)
KNOWN = small.catalogue()


def sampling(steps=4, windows=3, hide=0.0):
    return Sampling(window_steps=steps, batch_windows=windows, hide_previous=hide)


def drawn(files, period=ALWAYS, seed=0, **kwargs):
    return list(examples(files, KNOWN, period, sampling(**kwargs), seed))


def targets(batches):
    """(user, moment) of every query."""
    return [
        (batch.users.user_ids[user], float(at_s))
        for batch in batches
        for user, at_s in zip(batch.queries.user, batch.queries.at_s, strict=True)
    ]


@given(lengths=st.lists(st.integers(0, 23), min_size=1, max_size=5), steps=st.integers(2, 9))
def test_windows_ask_for_every_step_once_and_know_half_a_window(lengths, steps):
    users = small.users([small.history(f"u{n}", [0] * k) for n, k in enumerate(lengths)], KNOWN)
    windows = cut(users, ALWAYS, steps)
    asked = [
        (row, step)
        for row, target, end in zip(windows.row, windows.target, windows.end, strict=True)
        for step in range(target, end)
    ]
    assert sorted(asked) == [(row, step) for row, k in enumerate(lengths) for step in range(k)]
    assert ((windows.end - windows.first) <= steps).all()
    later = windows.first > 0
    assert (windows.target[later] - windows.first[later] >= steps // 2).all()


def test_every_known_item_is_asked_for_once(tmp_path):
    rows = [small.history(f"u{n}", [0, 1, 2, 3, 9, 4][: n + 1]) for n in range(6)]
    batches = drawn(small.write(tmp_path, rows, files=2))
    expected = [
        (row["user_id"], at)
        for row in rows
        for item, at in zip(row["item_id"], row["occurred_at_s"], strict=True)
        if item != "i09"
    ]
    assert sorted(targets(batches)) == sorted(expected)
    assert all(len(batch.users.user_ids) <= 3 for batch in batches)


def test_the_truth_is_the_step_after_the_known_ones(tmp_path):
    for batch in drawn(small.write(tmp_path, [small.history("u", [0, 1, 2, 3, 4, 5, 0, 1])]), hide=0.0):
        queries = batch.queries
        assert (batch.users.item[queries.user, queries.known_steps] == batch.truth).all()
        assert (batch.users.slot[queries.user, queries.known_steps] == queries.slot).all()
        assert (queries.previous_known == (queries.known_steps > 0)).all()


def test_a_hidden_step_before_knows_the_history_to_a_moment_of_the_last_day(tmp_path):
    at_s = small.MONDAY_S + 6 * small.HOUR_S * np.arange(30)
    files = small.write(tmp_path, [small.history("u", [0] * 30, at_s)])
    (batch,) = drawn(files, hide=1.0, steps=40)
    steps = ((batch.queries.at_s - small.MONDAY_S) / (6 * small.HOUR_S)).astype(int)
    assert not batch.queries.previous_known.any()
    unknown = steps - batch.queries.known_steps
    assert set(unknown[steps >= 4]) == {0, 1, 2, 3}


def test_regions_are_told_to_half(tmp_path):
    rows = [small.history(f"u{n}", [0] * 20, region=["south"] * 20) for n in range(30)]
    told = np.concatenate([batch.queries.region for batch in drawn(small.write(tmp_path, rows), steps=40)])
    assert set(told) == {-1, 1}
    assert 0.4 < (told == 1).mean() < 0.6


def test_periods_share_no_target_and_later_steps_do_not_exist(tmp_path):
    rows = [small.history("u", [0, 1, 2, 3, 4, 5, 0, 1, 2, 3])]
    files, (three, seven) = small.write(tmp_path, rows), small.MONDAY_S + small.HOUR_S * np.array([3, 7])
    early, late = (drawn(files, period) for period in (Period(-np.inf, three), Period(three, seven)))
    assert sorted(at for _, at in targets(early)) == [small.MONDAY_S + small.HOUR_S * h for h in range(3)]
    assert sorted(at for _, at in targets(late)) == [small.MONDAY_S + small.HOUR_S * h for h in range(3, 7)]
    for batches, end_s in ((early, three), (late, seven)):
        assert all(
            part.at_s[part.item >= 0].max() < end_s
            for b in batches
            for part in (b.users, b.whole.__class__(**vars(before(b.whole, end_s))))
        )


def test_the_future_may_be_poisoned(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    clean = small.write(tmp_path / "a", [small.history("u", [0, 1, 2])])
    poisoned = small.write(tmp_path / "b", [small.history("u", [0, 1, 2, 5, 5, 5])])
    period = Period(-np.inf, small.MONDAY_S + 3 * small.HOUR_S)
    for one, other in zip(drawn(clean, period), drawn(poisoned, period), strict=True):
        for field in ("item", "at_s", "slot"):
            assert (getattr(one.users, field) == getattr(other.users, field)).all()
        assert (one.truth == other.truth).all()


def test_the_seed_decides_the_order(tmp_path):
    files = small.write(tmp_path, [small.history(f"u{n}", [0, 1, 2]) for n in range(20)])
    assert targets(drawn(files, seed=1)) == targets(drawn(files, seed=1))
    assert targets(drawn(files, seed=1)) != targets(drawn(files, seed=2))


def test_few_users_are_in_memory_at_a_time(tmp_path):
    files = small.write(tmp_path, [small.history(f"u{n}", [0]) for n in range(READ_USERS + 10)])
    assert max(len(batch.whole.user_ids) for batch in drawn(files, windows=64)) == READ_USERS


def test_sessions_end_at_long_gaps():
    at_s = small.MONDAY_S + np.array([0.0, 10.0, 500.0, 510.0])
    users = small.users([small.history("u", [0, 1, 2, 3], at_s), small.history("v", [4])], KNOWN)
    assert before_in_session(users, 100.0).tolist() == [[-2, 0, -2, 2], [-2, -2, -2, -2]]


def test_stretches_are_padded_anew():
    users = small.users([small.history("u", [0, 1, 2, 3]), small.history("v", [4])], KNOWN)
    part = replaced(users, np.array([0, 1, 0]), np.array([1, 0, 0]), np.array([3, 1, 0]))
    assert part.item.tolist() == [[1, 2], [4, -1], [-1, -1]]
    assert part.gap_s[0].tolist() == pytest.approx([3600.0, 3600.0])
    assert part.length.tolist() == [2, 1, 0]
