"""Histories: one row per user, in order, gaps and distances across sessions."""

from __future__ import annotations

import datetime as dt
import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chronotope.sessions import sessions as cut
from chronotope.train.histories import (
    STEP_FIELDS,
    carried_on,
    gathered,
    histories,
    in_no_order,
    item_steps,
    measured,
    recent,
)
from tests.examples import few
from tests.rows import MONDAY, NIGHT, frame

HOUR = dt.timedelta(hours=1)


def step(name, hours, item="i", **fields):
    base = {
        "event_id": name, "item_id": item, "action": "view", "occurred_at": MONDAY + hours * HOUR, "slot": 0,
        "cell": None, "region": None, "lat": None, "lon": None, "gap_s": 77.0, "distance_m": 77.0,
    }  # fmt: skip
    return tuple((base | fields).values())


def session(key, *steps, user="u"):
    at = [step[3] for step in steps] or [MONDAY]
    return {
        "session_key": key, "user_id": user, "started_at": min(at), "ended_at": max(at), "closed": True,
        "steps": list(steps), "night": NIGHT,
    }  # fmt: skip


def found(spark, sessions, max_steps=100):
    return {row.user_id: row for row in histories(frame(spark, "sessions", sessions), max_steps).collect()}


def test_steps_are_in_order_with_gaps_and_distances_across_sessions(spark):
    late = session("k1", step("c", 30, lat=40.0, lon=-73.0), step("d", 31))
    early = session("k2", step("a", 0, "x", lat=40.0, lon=-74.0, slot=5, region="r"), step("b", 6, lat=40.0, lon=-74.0))
    row = found(spark, [late, early])["u"]
    assert row.event_id == ["a", "b", "c", "d"]
    assert row.item_id == ["x", "i", "i", "i"]
    assert row.gap_s == [None, 6 * 3600.0, 24 * 3600.0, 3600.0]
    assert row.distance_m[:2] == [None, 0.0]
    assert row.distance_m[2] == pytest.approx(111_195 * math.cos(math.radians(40)), rel=1e-3)
    assert row.distance_m[3] is None
    assert (row.slot, row.region, row.lat[3]) == ([5, 0, 0, 0], ["r", None, None, None], None)
    assert row.occurred_at_s[0] == MONDAY.timestamp()


def test_ties_are_broken_by_event_id(spark):
    steps = [step(name, 1) for name in "cadb"]
    assert found(spark, [session("k", *steps)])["u"].event_id == ["a", "b", "c", "d"]


def test_only_the_newest_steps_stay_and_keep_their_gaps(spark):
    row = found(spark, [session("k", *[step(f"e{n}", n) for n in range(5)])], max_steps=2)["u"]
    assert (row.event_id, row.gap_s) == (["e3", "e4"], [3600.0, 3600.0])


def test_the_step_before_the_oldest_kept_one_is_sought_past_sessions_without_an_item(spark):
    searched = session("k2", step("s", 20, None))
    long_ago, before, newest = (session(f"k{n}", step(f"e{n}", 10 * n)) for n in (0, 1, 3))
    sessions = frame(spark, "sessions", [long_ago, before, searched, newest])
    assert {row.session_key for row in recent(sessions, 1).collect()} == {"k1", "k2", "k3"}
    [row] = histories(sessions, 1).collect()
    assert (row.event_id, row.gap_s) == (["e3"], [20 * 3600.0])


def test_steps_without_an_item_are_skipped(spark):
    row = found(spark, [session("k", step("a", 0), step("b", 1, None), step("c", 2))])["u"]
    assert (row.event_id, row.gap_s) == (["a", "c"], [None, 7200.0])


def test_users_without_items_have_no_row(spark):
    searcher = session("k", step("a", 0, None), user="v")
    assert set(found(spark, [searcher, session("l", step("b", 0))])) == {"u"}


def test_fractions_of_seconds_are_kept(spark):
    at = MONDAY + dt.timedelta(microseconds=250_000)
    row = item_steps(frame(spark, "sessions", [session("k", step("a", 0, occurred_at=at))])).first()
    assert row.occurred_at_s == MONDAY.timestamp() + 0.25


def test_order_of_rows_and_other_users_do_not_matter(spark):
    steps = [step(f"e{n}", n) for n in range(6)]
    sessions = [session(f"k{n}", each) for n, each in enumerate(steps)]
    random.Random(1).shuffle(sessions)
    others = [session("o", step("z", 3), user="v")]
    assert found(spark, sessions + others)["u"] == found(spark, sessions[::-1])["u"]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("uv"), st.integers(0, 40), st.sampled_from([None, "i", "j"]), st.sampled_from([None, 1.0, 2.0])
    ),
    min_size=1, max_size=12,
)  # fmt: skip


def as_events(spark, drawn, first):
    rows = [
        {"event_id": f"e{n:02}", "user_id": user, "occurred_at": MONDAY + hours * HOUR, "item_id": item, "lat": lat,
         "lon": lat, "slot": hours}
        for n, (user, hours, item, lat) in enumerate(drawn, start=first)
    ]  # fmt: skip
    return frame(spark, "events", rows)


def by_user(frame_of_histories):
    rows = frame_of_histories.collect()
    return {row.user_id: {name: [rounded(value) for value in row[name]] for name in STEP_FIELDS} for row in rows}


def rounded(value):
    return round(value, 3) if isinstance(value, float) else value


@few
@given(before=EVENTS, tonight=EVENTS, max_steps=st.integers(1, 5))
def test_carried_on_they_are_what_all_sessions_give(spark, defaults, before, tonight, max_steps):
    assume(not ties_with_what_is_not_kept(before, tonight, max_steps))
    old, new = as_events(spark, before, 0), as_events(spark, tonight, 50)
    from_scratch = histories(cut(old.union(new), None, defaults, NIGHT), max_steps)
    known = histories(cut(old, None, defaults, NIGHT), max_steps)
    touched = {user for user, _, item, _ in tonight if item}
    expected = {user: row for user, row in by_user(from_scratch).items() if user in touched}
    assert by_user(carried_on(known, new, max_steps)) == expected


def ties_with_what_is_not_kept(before, tonight, max_steps):
    """Whether an event of tonight has the very time of the step before the oldest one that its user's history kept."""
    new = {(user, hours) for user, hours, item, _ in tonight if item}
    hours_of = {user: sorted(hours for who, hours, item, _ in before if who == user and item) for user in "uv"}
    return any((user, hours[-max_steps - 1]) in new for user, hours in hours_of.items() if len(hours) > max_steps)


def test_what_was_measured_to_a_step_that_is_not_kept_stands_beside_a_late_event_of_the_same_time(spark):
    known = histories(frame(spark, "sessions", [session("k", *[step(f"e{n}", 10 * n) for n in range(4)])]), 2)
    [before] = known.collect()
    [row] = carried_on(known, as_events(spark, [("u", 10, "i", None)], 70), 2).collect()
    assert (row.event_id, row.gap_s, row.distance_m) == (before.event_id, before.gap_s, before.distance_m)


def test_a_late_event_before_the_oldest_step_kept_measures_its_gap_anew(spark):
    known = histories(frame(spark, "sessions", [session("k", *[step(f"e{n}", 10 * n) for n in range(4)])]), 2)
    late = as_events(spark, [("u", 15, "i", None)], 70)
    [row] = carried_on(known, late, 2).collect()
    assert (row.event_id, row.gap_s) == (["e2", "e3"], [5 * 3600.0, 10 * 3600.0])


def test_a_late_event_of_the_very_time_of_a_step_that_is_kept_moves_what_comes_after_both(spark):
    steps = [step("a", 0, lat=None, lon=None), step("b", 1, lat=1.0, lon=1.0)]
    known = histories(frame(spark, "sessions", [session("k", *steps)]), 3)
    late = as_events(spark, [("u", 0, "i", 1.0)], 70)
    [row] = carried_on(known, late, 3).collect()
    assert (row.event_id, row.gap_s, row.distance_m) == (["a", "e70", "b"], [None, 0.0, 3600.0], [None, None, 0.0])


@few
@given(drawn=EVENTS, max_steps=st.integers(1, 4))
def test_sessions_that_are_left_out_change_nothing(spark, defaults, drawn, max_steps):
    sessions = cut(as_events(spark, drawn, 0), None, defaults, NIGHT)
    everything = gathered(measured(item_steps(sessions)), max_steps)
    assert by_user(histories(sessions, max_steps)) == by_user(everything)


def test_users_in_no_order_are_the_same_users(spark):
    ids = [f"u{n:02d}" for n in range(30)]
    found = spark.createDataFrame([(user_id,) for user_id in ids], "user_id string").coalesce(1)
    shuffled = [row.user_id for row in in_no_order(found).collect()]
    assert sorted(shuffled) == ids
    assert shuffled not in (ids, ids[::-1])
