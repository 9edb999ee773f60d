"""Counts and successions: additive by night."""

from __future__ import annotations

import datetime as dt

import pytest
from chispa import assert_approx_df_equality
from hypothesis import given

from chronotope.sessions import counts, sessions, transitions
from chronotope.slots import daypart_names
from chronotope.tables import TABLES
from tests.examples import few
from tests.oracles import sessions as oracle
from tests.rows import MONDAY, NIGHT, frame
from tests.sessions.logs import event, flat, logs, night_of, run_nights


def counted(spark, rows, defaults):
    found = counts(frame(spark, "events", rows), defaults, NIGHT).collect()
    return {(r["user_id"], r["item_id"], r["daypart"], r["region"]): (r["n"], r["weight"]) for r in found}


def test_counts_by_user_item_daypart_and_region(spark, defaults):
    rows = [
        event("e1", 7, item_id="s:x", region="r"),
        event("e2", 8, item_id="s:x", region="r", action="buy"),
        event("e3", 12, item_id="s:x", region="r"),
        event("e4", 7, item_id="s:x"),
        event("e5", 7, "s:u2", item_id="s:x", region="r", action="checkin"),
        event("e6", 7, item_id=None, action="search"),
    ]
    assert counted(spark, rows, defaults) == {
        ("s:u1", "s:x", "weekday_morning", "r"): (2, 6.0),
        ("s:u1", "s:x", "weekday_midday", "r"): (1, 1.0),
        ("s:u1", "s:x", "weekday_morning", ""): (1, 1.0),
        ("s:u2", "s:x", "weekday_morning", "r"): (1, 1.0),
    }


def test_an_unlisted_action_weighs_one(spark, defaults):
    interest = defaults.interest.model_copy(update={"action_weights": {"buy": 5.0}})
    rows = [event("e1", 7, item_id="s:x"), event("e2", 7, item_id="s:x", action="buy")]
    found = counted(spark, rows, defaults.model_copy(update={"interest": interest}))
    assert found == {("s:u1", "s:x", "weekday_morning", ""): (2, 6.0)}


def test_no_weights_and_no_events(spark, defaults):
    interest = defaults.interest.model_copy(update={"action_weights": {}})
    bare = defaults.model_copy(update={"interest": interest})
    assert counted(spark, [event("e1", 7, item_id="s:x")], bare) == {("s:u1", "s:x", "weekday_morning", ""): (1, 1.0)}
    assert counted(spark, [], bare) == {}


def test_last_at_is_the_latest_event(spark, defaults):
    rows = [event("e1", 9, item_id="s:x"), event("e2", 7, item_id="s:x")]
    [row] = counts(frame(spark, "events", rows), defaults, NIGHT).selectExpr("unix_seconds(last_at) AS s").collect()
    assert row["s"] == (MONDAY + dt.timedelta(hours=9)).timestamp()


@few
@given(log=logs(days=7))
def test_counts_equal_the_oracle(spark, defaults, log):
    events = flat(log)
    names = daypart_names(defaults.night.dayparts)
    expected: dict[tuple[str, str, str, str], tuple[int, float]] = {}
    for (user, item, slot, region), (n, weight, _) in oracle.counts(events, defaults.interest.action_weights).items():
        of = (user, item, names[slot], region)
        known = expected.get(of, (0, 0.0))
        expected[of] = (known[0] + n, known[1] + weight)
    # The weights are halves, which add up exactly in any order.
    assert counted(spark, events, defaults) == expected


def test_counts_decay_to_the_nights_end_and_know_what_hides(spark, defaults):
    rows = [event("e1", 0, item_id="s:x"), event("e2", 12, item_id="s:y", action="buy")]
    found = {r["item_id"]: r for r in counts(frame(spark, "events", rows), defaults, night_of(29)).collect()}
    age_days = {"s:x": 30.0, "s:y": 29.5}
    assert {item: r["decayed"] for item, r in found.items()} == pytest.approx(
        {item: 2 ** (-age / defaults.interest.half_life_long_days) for item, age in age_days.items()}
    )
    assert {item: r["hiding"] for item, r in found.items()} == {"s:x": 0, "s:y": 1}


def test_a_refresh_keeps_what_the_nights_add_up_to(spark, defaults):
    first = [event("e1", 1, item_id="s:x"), event("e2", 7, item_id="s:x", action="buy")]
    second = [event("e3", 2, item_id="s:x"), event("e4", 30, item_id="s:y")]
    before, tonight = night_of(0), night_of(1)
    known = counts(frame(spark, "events", first), defaults, before)
    total = counts(frame(spark, "events", second), defaults, tonight, known)
    in_one = counts(frame(spark, "events", first + second), defaults, tonight)
    assert_approx_df_equality(total, in_one, 1e-12, ignore_row_order=True, ignore_nullable=True)


def moves(spark, rows, defaults):
    night = night_of(0)
    found = transitions(sessions(frame(spark, "events", rows), None, defaults, night), None, night)
    return {(r["from_item_id"], r["item_id"]): r["n"] for r in found.collect()}


def test_successions_skip_steps_without_item_and_stop_at_session_ends(spark, defaults):
    rows = [
        event("e1", 1, item_id="s:x"), event("e2", 2, item_id=None), event("e3", 3, item_id="s:y"),
        event("e4", 4, item_id="s:y"), event("e5", 12, item_id="s:x"), event("e6", 13, item_id="s:y"),
    ]  # fmt: skip
    assert moves(spark, rows, defaults) == {("s:x", "s:y"): 2, ("s:y", "s:y"): 1}


def test_no_succession_in_sessions_of_at_most_one_item(spark, defaults):
    assert moves(spark, [event("e1", 1), event("e2", 2, item_id=None), event("e3", 20, item_id=None)], defaults) == {}


def test_a_late_event_between_two_takes_their_succession_back(spark, defaults):
    arrivals = {0: [event("a", 1), event("b", 3)], 1: [event("x", 2)]}
    _, summed = run_nights(spark, arrivals, defaults)
    assert summed == {("s:u1", "s:a", "s:x"): 1, ("s:u1", "s:x", "s:b"): 1}


def test_only_what_changed_has_a_row(spark, defaults):
    before = sessions(frame(spark, "events", [event("a", 21), event("b", 22)]), None, defaults, night_of(0))
    night = night_of(1)
    after = sessions(frame(spark, "events", [event("c", 25)]), before, defaults, night)
    found = transitions(after, before, night)
    assert [(r["from_item_id"], r["item_id"], r["n"]) for r in found.collect()] == [("s:b", "s:c", 1)]
    assert TABLES["transitions"].faults(found) == []
