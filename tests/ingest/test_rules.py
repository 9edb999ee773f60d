"""Every rule, its boundaries, and all of them at once."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections import Counter

import h3
import pytest

from chronotope.errors import SourceError
from chronotope.ingest.outcome import accepted
from chronotope.ingest.records import records_of
from chronotope.ingest.rules import REASONS, judge
from chronotope.ingest.taken import taken_before
from chronotope.sessions.cut import open_from
from chronotope.slots import end_of
from tests.ingest import logs
from tests.ingest.logs import NIGHT, ids, log, night, outcomes, source, verdicts
from tests.oracles.ingest import night_by_night

BROKEN = [
    ("after_night", {"at": "2012-11-01T00:00:00Z"}),
    ("bad_coordinates", {"lat": "90.0001", "lon": "0"}),
    ("bad_coordinates", {"lat": "0", "lon": "-180.0001"}),
    ("bad_coordinates", {"lat": "NaN", "lon": "0"}),
    ("bad_coordinates", {"lat": "here", "lon": "there"}),
    ("bad_coordinates", {"lat": "1"}),
    ("bad_coordinates", {"lon": "1", "lat": " "}),
    ("bad_value", {"value": "cheap"}),
    ("bad_value", {"value": "Infinity"}),
    ("malformed", {"_corrupt_record": '{"user": ', "user": None, "at": None}),
    ("malformed", {"user": "u\0"}),
    ("missing_item", {"item": None}),
    ("missing_item", {"item": "", "query": " "}),
    ("missing_time", {"at": None}),
    ("missing_time", {"at": ""}),
    ("missing_user", {"user": None}),
    ("missing_user", {"user": "  "}),
    ("too_late", {"at": "2012-10-28T23:59:59.999999Z"}),
    ("unknown_action", {"action": "stare"}),
    ("unknown_action", {"action": None}),
    ("unknown_offset", {"offset": None}),
    ("unknown_offset", {"offset": "1081"}),
    ("unknown_offset", {"offset": "two"}),
    ("unknown_offset", {"offset": None, "zone": "Europe/Atlantis"}),
    ("unknown_offset", {"offset": None, "zone": "\u00a0Europe/Paris"}),
    ("unreadable_time", {"at": "yesterday"}),
    ("unreadable_time", {"at": "12:30"}),
    ("unreadable_time", {"at": "2012-13-01T00:00:00Z"}),
    ("wrong_encoding", {"city": "S\ufffdo Paulo"}),
]
SOUND = [
    {"at": "2012-10-31T23:59:59.999999Z"},
    {"at": "2012-10-29T00:00:00Z"},
    {"lat": "90", "lon": "180"},
    {"lat": "-90", "lon": "-180"},
    {"item": None, "action": "search", "query": "tea"},
    {"offset": "-1080"},
    {"offset": "330.0"},
    {"offset": None, "zone": "Asia/Kolkata"},
    {"value": "-1e3"},
    {"user": "משתמש", "item": "👩‍👩‍👧", "city": "القاهرة"},
]


def judged(spark, defaults, rows, of=None, **options):
    """The judged rows."""
    return logs.judged(spark, defaults, rows, of, **options).collect()


def test_each_rule_refuses_what_breaks_it_and_nothing_else(spark, defaults):
    rows = [change for _, change in BROKEN] + SOUND
    frame = judged(spark, defaults, rows)
    assert verdicts(frame) == {n: reason for n, (reason, _) in enumerate(BROKEN)}
    assert outcomes(frame).count("accepted") == len(SOUND)


def test_before_1970_is_unreadable_and_too_late(spark, defaults):
    assert verdicts(judged(spark, defaults, [{"at": "1969-12-31T23:59:59Z"}])) == {0: "too_late unreadable_time"}


def test_all_reasons_are_listed_at_once_and_sorted(spark, defaults):
    worst = {
        "user": None, "item": None, "action": "?", "at": "soon", "offset": "far", "lat": "91", "lon": "0",
        "value": "much", "city": "\ufffd",
    }  # fmt: skip
    reasons = (
        "bad_coordinates bad_value missing_item missing_user unknown_action unknown_offset unreadable_time "
        "wrong_encoding"
    )
    copy = {"key": "k", "n": "1"}
    frame = judged(spark, defaults, [worst, copy, {**copy, "n": "2", "user": None, "lat": "1"}])
    assert verdicts(frame) == {0: reasons, 2: "bad_coordinates duplicate missing_user"}


def test_every_reason_is_documented_and_tested():
    assert {reason for reason, _ in BROKEN} | {"duplicate"} == set(REASONS)
    assert list(REASONS) == sorted(REASONS)


def test_refused_record_is_kept_whole(spark, defaults):
    (row,) = judged(spark, defaults, [{"user": None, "name": 'ünï 茶\t"x"', "value": "7"}])
    kept = json.loads(row.record)
    assert kept["name"] == 'ünï 茶\t"x"'
    assert kept["value"] == "7"
    assert row.record_id == hashlib.md5(f"s\x1f{row.record}".encode()).hexdigest()


def test_accepted_record_carries_no_text(spark, defaults):
    (row,) = judged(spark, defaults, [{}])
    assert (row.record, row.record_id, row.reasons) == (None, None, [])


def test_event_id_is_the_digest_of_source_key_and_time(spark, defaults):
    (row,) = judged(spark, defaults, [{"key": "k"}])
    micros = int(dt.datetime(2012, 10, 31, 10, tzinfo=dt.UTC).timestamp() * 1e6)
    assert row.event_id == hashlib.md5(f"s\x1fk\x1f{micros}".encode()).hexdigest()


def test_two_sources_with_the_same_ids_stay_apart(spark, defaults):
    (here,) = judged(spark, defaults, [{}])
    (there,) = judged(spark, defaults, [{}], source(name="t"))
    assert here.event_id != there.event_id
    assert (here.user_id, here.item_id) == ("s:u1", "s:i1")
    assert (there.user_id, there.item_id) == ("t:u1", "t:i1")


def test_night_ends_by_its_time_zone(spark, defaults):
    # In Auckland, 13 hours ahead, October has ended at 11:00 UTC.
    rows = [{"at": "2012-10-31T10:59:59Z"}, {"at": "2012-10-31T11:00:00Z"}, {"at": "2012-10-28T10:59:59Z"}]
    frame = judged(spark, defaults, rows, night=night(time_zone="Pacific/Auckland"))
    assert verdicts(frame) == {1: "after_night", 2: "too_late"}


@pytest.mark.parametrize("late_days", [0, 1, 2])
def test_an_event_of_its_arrival_day_is_never_too_late(spark, defaults, late_days):
    """And one of before is not where a session that it belongs to may have been closed."""
    tomorrow, berlin = night(NIGHT + dt.timedelta(1), NIGHT, "Europe/Berlin", late_days), {"time_zone": "Europe/Berlin"}
    starts = end_of(NIGHT, "Europe/Berlin")
    times = [starts, starts - dt.timedelta(microseconds=1)]
    rows = [{"at": at.isoformat(), "_arrival_day": tomorrow.date} for at in times]
    frame = judged(spark, defaults, rows, night=tomorrow)
    assert verdicts(frame) == ({1: "too_late"} if late_days < 2 else {})
    settings = defaults.model_copy(
        update={
            "night": defaults.night.model_copy(update={**berlin, "late_days": late_days}),
            "sessions": defaults.sessions.model_copy(update={"gap_s": 0.0}),
        }
    )
    assert min(row.occurred_at for row in frame if row.outcome == "accepted") >= naive(open_from(NIGHT, settings))
    taken = spark.createDataFrame(
        [(at, "s", str(at)) for at in times], "occurred_at timestamp, source string, event_id string"
    )
    known = {row.event_id for row in taken_before(taken, source(), tomorrow).collect()}
    assert known == {str(at) for at in times[: 2 if late_days > 1 else 1]}, "what is not too late may come again"


def naive(at):
    """A moment in UTC as Spark gives it back."""
    return at.astimezone(dt.UTC).replace(tzinfo=None)


def test_events_out_of_order_and_three_days_late(spark, defaults):
    rows = [{"at": f"2012-10-{day}T00:00:00Z"} for day in (31, 29, 30, 28)]
    assert verdicts(judged(spark, defaults, rows)) == {3: "too_late"}


class TestCopies:
    def test_first_sound_record_is_the_event(self, spark, defaults):
        rows = [{"key": "k", "user": None}, {"key": "k"}, {"key": "k"}]
        assert verdicts(judged(spark, defaults, rows)) == {0: "duplicate missing_user", 2: "duplicate"}

    def test_faulty_record_after_its_sound_twin_is_a_copy_too(self, spark, defaults):
        before = {"key": "k", "_arrival_day": dt.date(2012, 10, 30), "at": "2012-10-30T01:00:00Z"}
        rows = [before, {**before, "_arrival_day": NIGHT, "user": None}]
        assert verdicts(judged(spark, defaults, rows)) == {1: "duplicate missing_user"}

    def test_faulty_records_make_no_sound_one_a_copy(self, spark, defaults):
        day_before = dt.date(2012, 10, 30)  # its clock was ahead, so what arrived first was refused
        rows = [{"key": "k", "_arrival_day": day_before}, {"key": "k"}]
        assert verdicts(judged(spark, defaults, rows)) == {0: "after_night"}

    def test_same_key_at_another_time_is_another_event(self, spark, defaults):
        rows = [{"key": "k"}, {"key": "k", "at": "2012-10-31T10:00:01Z"}]
        assert outcomes(judged(spark, defaults, rows)) == ["accepted", "accepted"]

    def test_records_without_a_key_are_the_same_event_only_if_they_are_equal(self, spark, defaults):
        keyless, day_before = source(key=["key"]), dt.date(2012, 10, 30)
        rows = [{"n": "1"}, {"n": "2"}, {"n": "2"}]
        frame = judged(spark, defaults, rows, keyless)
        assert sorted(outcomes(frame)) == ["accepted", "accepted", "refused"]
        assert verdicts(frame) == {2: "duplicate"}
        again = night(previous=day_before)
        assert outcomes(judged(spark, defaults, rows[:2], keyless, night=again, taken=ids(spark, frame))) == [
            "refused",
            "refused",
        ]

    def test_a_key_of_which_a_part_is_there_tells_events_apart(self, spark, defaults):
        rows = [{"n": "1"}, {"n": "2"}, {"n": "3", "item": "i2"}]
        frame = judged(spark, defaults, rows, source(key=["key", "item"]))
        assert verdicts(frame) == {2: "duplicate"}
        assert outcomes(frame).count("accepted") == 2

    def test_copy_of_an_event_of_an_earlier_night(self, spark, defaults):
        taken = ids(spark, judged(spark, defaults, [{"key": "k", "at": "2012-10-30T09:00:00Z"}]))
        rows = [{"key": "k", "at": "2012-10-30T09:00:00Z"}, {"key": "l"}]
        frame = judged(spark, defaults, rows, night=night(previous=dt.date(2012, 10, 30)), taken=taken)
        assert verdicts(frame) == {0: "duplicate"}

    def test_equal_invoice_lines_are_separate_events(self, spark, defaults):
        lines = source(identical="separate")
        frame = judged(spark, defaults, [{"key": "line"}] * 3, lines)
        assert outcomes(frame) == ["accepted"] * 3
        assert len({row.event_id for row in frame}) == 3

    def test_equal_lines_delivered_again_are_copies_and_a_third_is_not(self, spark, defaults):
        lines, day_before = source(identical="separate"), dt.date(2012, 10, 30)
        line = {"key": "line", "at": "2012-10-30T09:00:00Z"}
        first = [{**line, "_arrival_day": day_before}] * 2
        frame = judged(spark, defaults, first + [line] * 3, lines)
        assert sorted(verdicts(frame)) == [2, 3]
        assert set(verdicts(frame).values()) == {"duplicate"}
        taken = ids(spark, judged(spark, defaults, first, lines))
        again = judged(spark, defaults, [line] * 3, lines, night=night(previous=day_before), taken=taken)
        assert outcomes(again) == ["accepted", "refused", "refused"]


class TestWholeLog:
    """A log without `{day}` brings its past and its future each night."""

    def test_future_waits_for_its_own_night_whatever_its_faults(self, spark, defaults):
        rows = [{}, {"at": "2012-11-01T00:00:00Z"}, {"at": "2013-01-01T00:00:00Z", "user": None}]
        assert outcomes(judged(spark, defaults, rows, source(by_day=False))) == ["accepted", "later", "later"]

    def test_first_night_takes_all_of_the_past(self, spark, defaults):
        rows = [{"at": "1999-01-01T00:00:00Z"}, {}]
        assert outcomes(judged(spark, defaults, rows, source(by_day=False))) == ["accepted", "accepted"]

    def test_taken_events_are_passed_over_and_new_old_ones_are_too_late(self, spark, defaults):
        whole, old = source(by_day=False), {"key": "k", "at": "2012-10-01T00:00:00Z"}
        taken = ids(spark, judged(spark, defaults, [old], whole))
        # The night before ended on the 31st at 0:00, so that three days before it are open.
        rows = [
            old,
            {"at": "2012-10-27T23:59:59Z"},
            {"at": "2012-10-28T00:00:00Z"},
            {"at": "2012-10-05T00:00:00Z", "user": None},
        ]
        frame = judged(spark, defaults, rows, whole, night=night(previous=dt.date(2012, 10, 30)), taken=taken)
        assert outcomes(frame) == ["accepted", "known", "refused", "refused"]
        assert verdicts(frame) == {1: "too_late", 3: "missing_user too_late"}

    def test_what_nights_judged_whose_rows_are_gone_is_passed_over(self, spark, defaults):
        rows = [
            {"at": "2012-10-05T00:00:00Z"},
            {"at": "2012-10-20T23:59:59Z", "user": None},
            {"at": "2012-10-21T00:00:00Z"},
            {"at": None},
            {},
        ]
        options = {"night": night(previous=dt.date(2012, 10, 30)), "dropped": dt.date(2012, 10, 20)}
        frame = judged(spark, defaults, rows, source(by_day=False), taken=ids(spark, []), **options)
        assert outcomes(frame) == ["accepted", "known", "known", "refused", "refused"]
        assert verdicts(frame) == {2: "too_late", 3: "missing_time"}

    def test_what_was_taken_since_is_known_as_before_and_its_twin_a_copy(self, spark, defaults):
        whole, late = source(by_day=False), {"key": "k", "at": "2012-10-20T12:00:00Z"}
        taken = ids(spark, judged(spark, defaults, [late], whole))
        options = {"night": night(previous=dt.date(2012, 10, 30)), "dropped": dt.date(2012, 10, 20)}
        frame = judged(spark, defaults, [late, {**late, "n": "7", "user": None}], whole, taken=taken, **options)
        assert outcomes(frame) == ["known", "refused"]
        assert verdicts(frame) == {7: "duplicate missing_user"}

    def test_no_event_is_taken_twice_where_more_nights_are_gone_than_may_be_late(self, spark, defaults):
        rows = [{"at": "2012-10-29T10:00:00Z"}, {"at": "2012-10-30T10:00:00Z"}]
        options = {"night": night(previous=dt.date(2012, 10, 30)), "dropped": dt.date(2012, 10, 29)}
        frame = judged(spark, defaults, rows, source(by_day=False), taken=ids(spark, []), **options)
        assert outcomes(frame) == ["accepted", "known"]

    def test_twin_of_a_taken_event_is_a_copy_each_night(self, spark, defaults):
        whole, twins = source(by_day=False), [{"key": "k"}, {"key": "k"}]
        first = judged(spark, defaults, twins, whole)
        assert outcomes(first) == ["accepted", "refused"]
        taken = ids(spark, first)
        later = night(dt.date(2012, 11, 1), NIGHT)
        assert outcomes(judged(spark, defaults, twins, whole, night=later, taken=taken)) == ["known", "refused"]


def test_neither_partitions_nor_row_order_change_the_verdicts(spark, defaults):
    rows = [{"key": "k", "name": name, "n": str(n)} for n, name in enumerate("badc")] + [
        {"key": "k", "user": None, "n": "9"}
    ]
    frame = log(spark, rows)
    results = []
    for shuffled in (frame.coalesce(1), frame.orderBy("name").repartition(3)):
        records = records_of({"log": shuffled}, source())
        results.append(verdicts(judge(records, source(), defaults.ingest, night()).collect()))
    assert results[0] == results[1]
    assert len(results[0]) == 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"columns": {"value": "prize"}}, "events.columns.value (prize) over input 'log': there is no column `prize`"),
        ({"columns": {"value": "nofun(value)"}}, "nofun"),
        ({"columns": {"value": "value +"}}, "events.columns.value (value +)"),
        ({"columns": {"occurred_at": "1"}}, "occurred_at gives int; make it a timestamp"),
    ],
)
def test_wrong_expression_is_named_with_what_the_input_has(spark, changes, told):
    with pytest.raises(SourceError) as caught:
        records_of({"log": log(spark, [{}])}, source(**changes))
    assert told in str(caught.value)
    if "over input" in told:
        assert "the input has 'n', 'key', 'user', 'item', 'action'" in str(caught.value)
        assert "_corrupt" not in str(caught.value)


def arrivals(number):
    """Records of three days with copies, late ones, clocks that are ahead, and faults."""
    dice, rows = random.Random(number), []
    for _ in range(number):
        at = dt.datetime(2012, 10, dice.choice((26, 28, 29, 30, 31)), tzinfo=dt.UTC)
        day, user = dt.date(2012, 10, dice.choice((29, 30, 31))), dice.choice((None, "u", "u", "u"))
        rows.append({"key": str(dice.randrange(3)), "at": at, "arrival": day, "user": user})
    return rows


def as_row(n, record):
    return {**record, "n": str(n), "at": record["at"].isoformat(), "_arrival_day": record["arrival"]}


def test_backfill_judges_as_the_plain_python_nights(spark, defaults):
    records = arrivals(120)
    frame = judged(spark, defaults, [as_row(n, record) for n, record in enumerate(records)])
    expected = Counter(" ".join(reasons) for _, reasons in night_by_night(records))
    assert len(expected) == 8, "the log shows every combination"
    assert Counter(" ".join(row.reasons) for row in frame) == expected


@pytest.mark.parametrize("identical", ["same", "separate"])
def test_backfill_takes_and_refuses_what_the_nights_would_have(spark, defaults, identical):
    rows, of = [as_row(n, record) for n, record in enumerate(arrivals(60))], source(identical=identical)
    backfill = judged(spark, defaults, rows, of)
    nightly = []
    for day, previous in ((29, None), (30, 29), (31, 30)):
        mine = [row for row in rows if row["_arrival_day"].day == day]
        tonight = night(dt.date(2012, 10, day), previous and dt.date(2012, 10, previous))
        nightly += judged(spark, defaults, mine, of, night=tonight, taken=ids(spark, nightly))
    assert sorted(map(seen_of, nightly)) == sorted(map(seen_of, backfill))
    taken = [row.event_id for row in nightly if row.outcome == "accepted"]
    assert len(set(taken)) == len(taken) > 0


def seen_of(row):
    return row.record or row.event_id, tuple(row.reasons)


def test_cells_at_poles_and_across_the_date_line(spark, defaults):
    places = [("90", "0"), ("-90", "77"), ("0", "180"), ("0", "-180")]
    frame = logs.judged(spark, defaults, [{"lat": lat, "lon": lon} for lat, lon in places])
    events = accepted(frame, defaults.ingest, night()).collect()
    cells = {(row.lat, row.lon): row.cell for row in events}
    assert len(cells) == 4
    assert cells[0, 180] == cells[0, -180], "the date line is one line"
    assert all(h3.get_resolution(row.region) == defaults.ingest.region_resolution for row in events)
