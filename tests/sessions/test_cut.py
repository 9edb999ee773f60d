"""One night's cut: the boundary, the steps' fields, keys, and what must not matter."""

from __future__ import annotations

import datetime as dt
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.ingest.span import Span
from chronotope.sessions import sessions
from chronotope.tables import TABLES
from tests.examples import few
from tests.oracles import sessions as oracle
from tests.rows import MONDAY, NIGHT, frame
from tests.sessions.logs import GAP_S, cut_at, event, flat, logs, night_of, shape


def test_no_event_gives_no_session(spark, defaults):
    assert cut_at(spark, [], defaults) == []


def test_one_event_is_a_session_of_one_step(spark, defaults):
    [row] = cut_at(spark, [event("e1", 8, lat=40.7, lon=-74.0, cell="c", region="r", slot=8)], defaults)
    [step] = row.pop("steps")
    at = MONDAY + dt.timedelta(hours=8)
    assert step | {"occurred_at": None} == {
        "event_id": "e1", "item_id": "s:e1", "action": "view", "occurred_at": None, "slot": 8, "cell": "c",
        "region": "r", "lat": 40.7, "lon": -74.0, "gap_s": None, "distance_m": None,
    }  # fmt: skip
    assert {name: row[name] for name in ("session_key", "user_id", "closed", "night")} == {
        "session_key": oracle.session_key("s:u1", "e1"), "user_id": "s:u1", "closed": False, "night": MONDAY.date(),
    }  # fmt: skip
    assert row["started_at"].astimezone(dt.UTC) == row["ended_at"].astimezone(dt.UTC) == at


@pytest.mark.parametrize(("microseconds", "expected"), [(-1, 1), (0, 1), (1, 2)])
def test_a_gap_of_exactly_gap_s_stays_in_the_session(spark, defaults, microseconds, expected):
    second = event("e2", 6)
    second["occurred_at"] += dt.timedelta(microseconds=microseconds)
    assert len(cut_at(spark, [event("e1", 0), second], defaults)) == expected


def test_the_first_step_of_a_later_session_has_no_gap_and_no_distance(spark, defaults):
    here = {"lat": 40.7, "lon": -74.0}
    rows = cut_at(spark, [event("e1", 0, **here), event("e2", 1, **here), event("e3", 9, **here)], defaults)
    steps = {s["event_id"]: (s["gap_s"], s["distance_m"]) for row in rows for s in row["steps"]}
    assert steps == {"e1": (None, None), "e2": (3600.0, 0.0), "e3": (None, None)}


def test_ties_in_time_are_ordered_by_event_id(spark, defaults):
    [row] = cut_at(spark, [event("e3", 1), event("e1", 1), event("e2", 1)], defaults)
    assert [s["event_id"] for s in row["steps"]] == ["e1", "e2", "e3"]
    assert [s["gap_s"] for s in row["steps"]] == [None, 0.0, 0.0]


def test_searches_without_item_are_steps(spark, defaults):
    [row] = cut_at(spark, [event("e1", 0), event("e2", 1, item_id=None, action="search"), event("e3", 2)], defaults)
    assert [(s["item_id"], s["action"]) for s in row["steps"]] == [
        ("s:e1", "view"), (None, "search"), ("s:e3", "view"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "two", "metres"),
    [
        ((0.0, 179.9), (0.0, -179.9), 22_239.0),  # across the date line: 0.2 degrees, not 359.8
        ((90.0, 0.0), (90.0, 123.0), 0.0),  # every longitude is the same pole
        ((90.0, 0.0), (-90.0, 0.0), 20_015_115.0),  # pole to pole, half of a great circle
        ((-90.0, 10.0), (-89.0, -170.0), 111_195.1),
        ((0.0, 180.0), (0.0, -180.0), 0.0),
    ],
)
def test_distances_at_the_poles_and_across_the_date_line(spark, defaults, one, two, metres):
    events = [event("e1", 0, lat=one[0], lon=one[1]), event("e2", 1, lat=two[0], lon=two[1])]
    [row] = cut_at(spark, events, defaults)
    assert row["steps"][1]["distance_m"] == pytest.approx(metres, abs=1.0)


def test_a_distance_from_or_to_nowhere_is_null(spark, defaults):
    events = [event("e1", 0, lat=1.0, lon=1.0), event("e2", 1), event("e3", 2, lat=1.0, lon=1.0)]
    [row] = cut_at(spark, events, defaults)
    assert [s["distance_m"] for s in row["steps"]] == [None, None, None]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_a_clock_change_moves_no_gap(spark, defaults, zone):
    # 2012-10-28 01:00 UTC and 2012-11-04 06:00 UTC: the clocks go back; local 02:30 happens twice.
    turns = [dt.datetime(2012, 10, 28, 0, 30, tzinfo=dt.UTC), dt.datetime(2012, 11, 4, 5, 30, tzinfo=dt.UTC)]
    rows = [event(f"e{n}{i}", 0, occurred_at=at + dt.timedelta(hours=i)) for n, at in enumerate(turns) for i in (0, 1)]
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        found = cut_at(spark, rows, defaults)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert [[s["gap_s"] for s in row["steps"]] for row in found] == [[None, 3600.0], [None, 3600.0]]


def test_closed_once_late_days_and_the_gap_have_passed(spark, defaults):
    late_days = defaults.night.late_days
    ended = event("e1", 24 - GAP_S / 3600)  # with the gap, exactly the end of day 0
    [on_the_boundary] = cut_at(spark, [ended], defaults, day=late_days)
    ended["occurred_at"] -= dt.timedelta(microseconds=1)
    [just_before] = cut_at(spark, [ended], defaults, day=late_days)
    assert (on_the_boundary["closed"], just_before["closed"]) == (False, True)


def test_a_session_stays_open_for_what_the_next_night_takes_in_over_a_clock_change(spark, defaults):
    berlin = defaults.night.model_copy(update={"time_zone": "Europe/Berlin", "late_days": 3})
    there = defaults.model_copy(update={"night": berlin})
    # 2012-10-28: the clocks go back, and the three days up to the end of the 30th have 73 hours.
    tuesday = NIGHT - dt.timedelta(days=1)
    late_from = Span(NIGHT, tuesday, "Europe/Berlin", late_days=3).taken_from
    assert late_from == dt.datetime(2012, 10, 27, 22, tzinfo=dt.UTC)

    ends = {"o": late_from - dt.timedelta(seconds=GAP_S), "c": late_from - dt.timedelta(seconds=GAP_S, microseconds=1)}
    rows = [event(name, 0, f"s:{name}", occurred_at=at) for name, at in ends.items()]
    tonight = [r.asDict(recursive=True) for r in sessions(frame(spark, "events", rows), None, there, tuesday).collect()]
    assert {row["user_id"]: row["closed"] for row in tonight} == {"s:o": False, "s:c": True}

    late = frame(spark, "events", [event("late", 0, "s:o", occurred_at=late_from)])
    after = sessions(late, frame(spark, "sessions", tonight), there, NIGHT)
    assert shape([r.asDict(recursive=True) for r in after.collect()]) == {oracle.session_key("s:o", "o"): ["o", "late"]}


@few
@given(log=logs())
def test_same_as_the_oracle(spark, defaults, log):
    events = flat(log)
    found = {
        row["session_key"]: [
            {name: step[name] for name in ("event_id", "item_id", "gap_s", "distance_m")} for step in row["steps"]
        ]
        for row in cut_at(spark, events, defaults, day=2)
    }
    expected = oracle.sessions(events, GAP_S)
    assert found.keys() == expected.keys()
    for key, steps in expected.items():
        for step, other in zip(steps, found[key], strict=True):
            far = step["distance_m"]
            near_enough = None if far is None else pytest.approx(far, rel=1e-9, abs=1e-2)
            assert other == step | {"distance_m": near_enough}


@few
@given(log=logs())
def test_other_users_do_not_move_mine(spark, defaults, log):
    events = flat(log)
    mine = [row for row in events if row["user_id"] == events[0]["user_id"]]
    together = [row for row in cut_at(spark, events, defaults) if row["user_id"] == events[0]["user_id"]]
    assert shape(together) == shape(cut_at(spark, mine, defaults))


def test_an_unrelated_event_of_the_same_user_moves_no_key(spark, defaults):
    events = [event("e1", 10), event("e2", 11), event("e3", 30)]
    alone = shape(cut_at(spark, events, defaults))
    beside = shape(cut_at(spark, [*events, event("a0", 1), event("z9", 20)], defaults))
    assert alone.items() <= beside.items()
    assert len(beside) == 4


@few
@given(log=logs(), partitions=st.integers(1, 5), seed=st.randoms(use_true_random=False))
def test_row_order_and_partitions_do_not_matter(spark, defaults, log, partitions, seed):
    events = flat(log)
    shuffled = seed.sample(events, len(events))
    scattered = frame(spark, "events", shuffled).repartition(partitions)
    found = [r.asDict(recursive=True) for r in sessions(scattered, None, defaults, night_of(2)).collect()]
    expected = cut_at(spark, events, defaults, day=2)
    assert sorted(found, key=itemgetter("session_key")) == sorted(expected, key=itemgetter("session_key"))


def test_the_table_is_as_declared(spark, defaults):
    found = sessions(frame(spark, "events", [event("e1", 0)]), None, defaults, night_of(0))
    assert TABLES["sessions"].faults(found) == []


def test_one_user_with_very_many_events(spark, defaults):
    n = 100_000  # one a minute without a pause: a single session of 100,000 steps
    base = frame(spark, "events", [event("e", 0)]).drop("event_id", "occurred_at")
    numbers = spark.range(n).selectExpr(
        "lpad(id, 6, '0') AS event_id", f"timestamp_seconds({int(MONDAY.timestamp())} + 60 * id) AS occurred_at"
    )
    [row] = sessions(numbers.crossJoin(base), None, defaults, night_of(100)).selectExpr(
        "size(steps) AS n", "steps[99999].event_id AS last", "steps[99999].gap_s AS gap_s", "closed"
    ).collect()  # fmt: skip
    assert (row["n"], row["last"], row["gap_s"], row["closed"]) == (n, "099999", 60.0, True)
