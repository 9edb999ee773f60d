"""Night after night: open sessions grow, join and close, and end up as one pass would have cut them."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings

from tests.examples import few
from tests.oracles import sessions as oracle
from tests.rows import MONDAY
from tests.sessions.logs import GAP_S, cut_at, event, flat, logs, run_nights, shape


def key(name: str) -> str:
    return oracle.session_key("s:u1", name)


def test_an_open_session_goes_on_the_next_night_under_its_key(spark, defaults):
    before = cut_at(spark, [event("e1", 22), event("e2", 23)], defaults, day=0)
    after = cut_at(spark, [event("e3", 25)], defaults, day=1, before=before)
    assert shape(before) == {key("e1"): ["e1", "e2"]}
    assert shape(after) == {key("e1"): ["e1", "e2", "e3"]}
    assert [s["gap_s"] for s in after[0]["steps"]] == [None, 3600.0, 7200.0]


def test_an_open_session_without_news_is_not_written_again(spark, defaults):
    before = cut_at(spark, [event("e1", 22)], defaults, day=0)
    assert cut_at(spark, [event("o1", 30, "s:u2")], defaults, day=1, before=before)[0]["user_id"] == "s:u2"
    assert cut_at(spark, [], defaults, day=1, before=before) == []


def test_an_open_session_is_written_once_more_when_it_closes(spark, defaults):
    before = cut_at(spark, [event("e1", 12)], defaults, day=0)
    [closing] = cut_at(spark, [], defaults, day=defaults.night.late_days, before=before)
    assert (closing["closed"], closing["night"]) == (True, MONDAY.date() + dt.timedelta(days=3))
    assert closing["steps"] == before[0]["steps"]


def test_a_late_event_that_joins_two_sessions_leaves_the_second_key_without_steps(spark, defaults):
    before = cut_at(spark, [event("e1", 1), event("e3", 12)], defaults, day=0)
    rows = {row["session_key"]: row for row in cut_at(spark, [event("e2", 6.5)], defaults, day=1, before=before)}
    assert shape(rows.values()) == {key("e1"): ["e1", "e2", "e3"]}
    assert (rows[key("e3")]["steps"], rows[key("e3")]["closed"]) == ([], True)
    assert len(rows) == 2


def test_a_late_event_before_the_first_gives_the_session_its_key(spark, defaults):
    before = cut_at(spark, [event("e1", 10), event("e2", 11)], defaults, day=0)
    rows = cut_at(spark, [event("e0", 9)], defaults, day=1, before=before)
    assert shape(rows) == {key("e0"): ["e0", "e1", "e2"]}
    assert {row["session_key"]: row["steps"] == [] for row in rows} == {key("e0"): False, key("e1"): True}


def test_a_key_that_was_taken_over_stays_so(spark, defaults):
    late = {0: [event("e2", 10)], 1: [event("e1", 9)], 2: [event("e0", 8)], 3: [event("f0", 80)]}
    table, _ = run_nights(spark, late, defaults)
    assert shape(table.values()) == {key("e0"): ["e0", "e1", "e2"], key("f0"): ["f0"]}
    assert sorted(table) == sorted([key("e0"), key("e1"), key("e2"), key("f0")])


def test_a_closed_session_does_not_take_in_an_event(spark, defaults):
    before = cut_at(spark, [event("e1", 10)], defaults, day=9)
    assert before[0]["closed"]
    after = cut_at(spark, [event("e2", 11)], defaults, day=10, before=before)
    assert shape(after) == {key("e2"): ["e2"]}


def test_a_shorter_gap_setting_splits_open_sessions_cleanly(spark, defaults):
    before = cut_at(spark, [event("e1", 10), event("e2", 12)], defaults, day=0)
    shorter = defaults.model_copy(update={"sessions": defaults.sessions.model_copy(update={"gap_s": 1800.0})})
    after = cut_at(spark, [event("e3", 12.25)], shorter, day=1, before=before)
    assert shape(after) == {key("e1"): ["e1"], key("e2"): ["e2", "e3"]}


def assert_nights_equal_one_pass(spark, defaults, arrivals) -> None:
    table, summed = run_nights(spark, arrivals, defaults)
    events = flat(arrivals)
    at_once = {row["session_key"]: row for row in cut_at(spark, events, defaults, day=max(arrivals))}
    assert shape(table.values()) == shape(at_once.values())
    for name, row in at_once.items():
        assert table[name] | {"night": None} == row | {"night": None}
    assert summed == oracle.transitions(events, GAP_S)


@settings(max_examples=2)
@given(arrivals=logs(days=3, late_days=0))
def test_nights_in_order_equal_one_pass(spark, defaults, arrivals):
    assert_nights_equal_one_pass(spark, defaults, arrivals)


@few
@given(arrivals=logs(days=2, late_days=3))
def test_nights_with_late_events_equal_one_pass(spark, defaults, arrivals):
    assert_nights_equal_one_pass(spark, defaults, arrivals)
