"""Training examples: every step is asked once, by whom it may be known, and nothing from outside its period."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.examples import (
    LATELY_S,
    Period,
    Sampling,
    before,
    cut,
    examples,
    replaced,
    session_starts,
)
from chronotope.train.known import met_pairs
from chronotope.train.loading import READ_USERS
from tests.train import small

ALWAYS = Period(-np.inf, np.inf)
KNOWN = small.catalogue()


def drawn(files, period=ALWAYS, seed=0, steps=4, queries=9, **hidden):
    sampling = Sampling(window_steps=steps, batch_queries=queries, **{"hide_previous": 0.0} | hidden)
    return list(examples(files, KNOWN, period, sampling, seed))


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
    batches = drawn(small.write(tmp_path, rows, files=2), hide_lately=0.5, hide_previous=0.5)
    expected = [
        (row["user_id"], at)
        for row in rows
        for item, at in zip(row["item_id"], row["occurred_at_s"], strict=True)
        if item != "i09"
    ]
    assert sorted(targets(batches)) == sorted(expected)


@pytest.mark.parametrize("period", [ALWAYS, Period(-np.inf, np.inf, "last")], ids=["all", "last"])
def test_where_nobody_comes_back_only_first_meetings_are_asked_for(period, tmp_path):
    """Also in later windows, which do not hold the first meeting."""
    rows = [small.history("u", [0, 9, 1, 0, 9, 2, 1, 3, 0, 4]), small.history("v", [2, 2]), small.history("w", [])]
    first = [("u", step) for step in (0, 2, 5, 7, 9)] + [("v", 0)]
    expected = first if period is ALWAYS else [("u", 9)]
    found = drawn(small.write(tmp_path, rows), period, repeats=False)
    assert sorted(targets(found)) == [(user, small.MONDAY_S + step * small.HOUR_S) for user, step in expected]


def test_where_nobody_comes_back_no_truth_has_been_met(tmp_path):
    rows = [small.history(f"u{n}", [(n + k * k) % 6 for k in range(40)], days(10, 4)) for n in range(3)]
    files = small.write(tmp_path, rows)
    batches = [batch for seed in range(5) for batch in drawn(files, seed=seed, steps=9, queries=3,
               hide_previous=0.3, hide_lately=0.5, repeats=False)]  # fmt: skip
    assert {len(batch.truth) > 0 for batch in batches} == {True}
    for batch in batches:
        query, item = met_pairs(batch.whole, batch.of_whole)
        assert len(query) or (batch.of_whole.known_steps == 0).all()
        assert (item != batch.truth[query]).all()


def test_a_batch_is_full_of_what_is_asked_for(tmp_path):
    """Of windows without any there is no batch."""
    rows = [small.history(f"u{n}", [0, 1, 2] + [n % 3] * 30) for n in range(20)]
    sizes = [len(batch.truth) for batch in drawn(small.write(tmp_path, rows), steps=4, queries=10, repeats=False)]
    assert sum(sizes) == 60
    assert min(sizes) >= 3
    assert max(sizes) <= 12
    assert len(sizes) <= 8


def test_batches_hold_about_as_many_queries_as_asked_for(tmp_path):
    files = small.write(tmp_path, [small.history(f"u{n}", [0] * 7) for n in range(40)])
    sizes = [len(batch.truth) for batch in drawn(files, queries=50)]
    assert sum(sizes) == 280
    assert max(sizes) <= 50 + 4  # the last window of a batch may go over


def test_the_truth_is_the_step_after_the_known_ones(tmp_path):
    for batch in drawn(small.write(tmp_path, [small.history("u", [0, 1, 2, 3, 4, 5, 0, 1])])):
        queries = batch.queries
        assert (batch.users.item[queries.user, queries.known_steps] == batch.truth).all()
        assert (batch.users.slot[queries.user, queries.known_steps] == queries.slot).all()
        assert (queries.previous_known == (queries.known_steps > 0)).all()


def test_what_comes_after_the_truth_is_told_up_to_the_end_of_the_period(tmp_path):
    """Also across windows; unknown items (i09) are none, and where nobody comes back those met before are none."""
    row = small.history("u", [0, 1, 2, 3, 9, 4, 0, 5])
    files, period = small.write(tmp_path, [row]), Period(-np.inf, row["occurred_at_s"][7])

    def told(**settings):
        batches = drawn(files, period, **settings)
        return sorted((t, after) for b in batches for t, after in zip(b.truth, b.later.tolist(), strict=True))

    ahead = [(0, [-1, -1, -1]), (0, [1, 2, 3]), (1, [2, 3, -1]), (2, [3, -1, 4]), (3, [-1, 4, 0]), (4, [0, -1, -1])]
    assert told() == ahead
    once = [(0, [1, 2, 3]), (1, [2, 3, -1]), (2, [3, -1, 4]), (3, [-1, 4, -1]), (4, [-1, -1, -1])]
    assert told(repeats=False) == once


def test_the_last_step_that_validates_is_told_to_nobody(tmp_path):
    rows = [small.history("u", [0, 1, 2, 5]), small.history("v", [2, 3, 4, 0, 1, 5])]
    batches = drawn(small.write(tmp_path, rows), Period(-np.inf, np.inf, "but_last"))
    assert sum(len(batch.truth) for batch in batches) == 8
    assert not any((batch.later == 5).any() for batch in batches)
    assert any((batch.later == 2).any() for batch in batches)


def days(n_sessions, steps, gap_days=3):
    """Moments of sessions some days apart, of steps an hour apart."""
    session, step = np.divmod(np.arange(n_sessions * steps), steps)
    return small.MONDAY_S + gap_days * small.DAY_S * session + small.HOUR_S * step


def hidings(tmp_path, **hidden):
    """A batch for each of some seeds, of users with many sessions."""
    rows = [small.history(f"u{n}", [(n + k) % 6 for k in range(40)], days(10, 4)) for n in range(3)]
    files = small.write(tmp_path, rows)
    return [batch for seed in range(3) for batch in drawn(files, seed=seed, steps=9, queries=30, **hidden)]


def test_whole_and_windowed_queries_tell_the_same(tmp_path):
    asked = 0
    for batch in hidings(tmp_path, hide_previous=0.3, hide_lately=0.5):
        users, queries, whole, of_whole = batch.users, batch.queries, batch.whole, batch.of_whole
        for name in ("at_s", "slot", "region", "previous_known"):
            assert (getattr(queries, name) == getattr(of_whole, name)).all()
        for q, (row, of) in enumerate(zip(queries.user, of_whole.user, strict=True)):
            assert users.user_ids[row] == whole.user_ids[of]
            n, m = queries.known_steps[q], of_whole.known_steps[q]
            assert n <= m <= whole.length[of]
            assert (users.at_s[row, :n] == whole.at_s[of, m - n : m]).all()
            cut_off = m - n if n else m
            for name in ("hidden_from", "hidden_to"):
                assert getattr(queries, name)[q] == max(0, getattr(of_whole, name)[q] - cut_off) or not n
            asked += 1
    assert asked == 3 * 3 * 40


def test_nothing_of_the_truth_is_in_the_whole_histories(tmp_path):
    for batch in hidings(tmp_path, hide_previous=0.3):
        queries, whole = batch.of_whole, batch.whole
        last_s = whole.at_s[queries.user, np.maximum(queries.known_steps - 1, 0)]
        assert (last_s < queries.at_s)[queries.known_steps > 0].all()


def test_a_hidden_step_before_knows_the_history_to_a_moment_of_the_last_day(tmp_path):
    at_s = small.MONDAY_S + 6 * small.HOUR_S * np.arange(30)
    files = small.write(tmp_path, [small.history("u", [0] * 30, at_s)])
    (batch,) = drawn(files, hide_previous=1.0, steps=40, queries=99)
    steps = ((batch.queries.at_s - small.MONDAY_S) / (6 * small.HOUR_S)).astype(int)
    assert not batch.queries.previous_known.any()
    unknown = steps - batch.queries.known_steps
    assert set(unknown[steps >= 4]) == {0, 1, 2, 3}


def test_without_a_clock_the_time_asked_about_is_that_of_the_step_before(tmp_path):
    rows = [small.history("u", [n % 6 for n in range(40)], days(10, 4), slot=np.full(40, -1))]
    for batch in drawn(small.write(tmp_path, rows), steps=9, queries=30):
        queries, told = batch.queries, batch.queries.known_steps > 0
        before_s = batch.users.at_s[queries.user, np.maximum(queries.known_steps - 1, 0)]
        assert (queries.at_s == before_s)[told].all()
        assert (queries.slot == -1).all()


def test_lately_hidden_are_the_days_before_the_session(tmp_path):
    hidden = []
    for batch in hidings(tmp_path, hide_lately=1.0):
        queries, whole = batch.of_whole, batch.whole
        for q, row in enumerate(queries.user):
            first, end, known = queries.hidden_from[q], queries.hidden_to[q], queries.known_steps[q]
            at_s, session = whole.at_s[row], (queries.at_s[q] - small.MONDAY_S) // (3 * small.DAY_S)
            within = known - 4 * session  # steps of the session that are known
            assert end == (4 * session if within > 0 else 0)
            if end:
                hidden.append((at_s[end] - at_s[first]) / LATELY_S)
                assert 0 <= first <= end < known
    assert max(hidden) <= 1.0
    assert len(set(hidden)) > 9


def test_shares_are_hidden_as_asked_for(tmp_path):
    told, stale = [], []
    for batch in hidings(tmp_path, hide_previous=0.3, hide_lately=0.5):
        queries = batch.of_whole
        told += queries.previous_known[queries.known_steps > 3].tolist()
        within = queries.previous_known & (queries.known_steps % 4 != 0) & (queries.known_steps > 3)
        stale += (queries.hidden_to > 0)[within].tolist()
    assert np.mean(told) == pytest.approx(0.7, abs=0.08)
    assert np.mean(stale) == pytest.approx(0.5, abs=0.08)


def test_sessions_start_after_a_day_without_steps():
    users = small.users([small.history("u", [0] * 8, days(2, 4)), small.history("v", [1, 2])], KNOWN)
    assert session_starts(users)[0].tolist() == [0] * 4 + [4] * 4
    assert session_starts(users)[1, :2].tolist() == [0, 0]


def test_nobody_to_ask_about(tmp_path):
    assert drawn(small.write(tmp_path, [small.history("u", []), small.history("v", [9])])) == []


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
    assert max(len(batch.whole.user_ids) for batch in drawn(files, queries=9999)) == READ_USERS


def test_stretches_are_padded_anew():
    users = small.users([small.history("u", [0, 1, 2, 3]), small.history("v", [4])], KNOWN)
    part = replaced(users, np.array([0, 1, 0]), np.array([1, 0, 0]), np.array([3, 1, 0]))
    assert part.item.tolist() == [[1, 2], [4, -1], [-1, -1]]
    assert part.gap_s[0].tolist() == pytest.approx([3600.0, 3600.0])
    assert part.length.tolist() == [2, 1, 0]
