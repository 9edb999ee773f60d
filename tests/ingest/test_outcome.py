"""Events, rejects and the counts that let a night go on."""

from __future__ import annotations

import datetime as dt
import json

import h3
import pytest

from chronotope.errors import DataError, UsageError
from chronotope.ingest.outcome import Tally, accepted, check_tally, refused, tally
from chronotope.tables import TABLES
from tests.ingest.logs import NIGHT, judged, night, one, source


def counts(accepted=0, refused=0, known=0, later=0, reasons=None, first_later=None, copies=0):
    return Tally(accepted, refused, copies, known, later, reasons or {}, first_later)


def test_event_has_every_declared_column(spark, defaults):
    row = {"lat": "40.75", "lon": "-73.99", "value": "2.5", "query": "te\0a", "offset": "-240"}
    events = accepted(judged(spark, defaults, [row]), defaults.ingest, night())
    assert TABLES["events"].faults(events) == []
    event = one(events)
    assert (event.user_id, event.item_id, event.action, event.source) == ("s:u1", "s:i1", "view", "s")
    assert event.occurred_at == dt.datetime(2012, 10, 31, 10)
    assert event.slot == 2 * 24 + 6
    assert (event.value, event.query, event.night) == (2.5, "tea", NIGHT)
    assert event.cell == h3.latlng_to_cell(40.75, -73.99, 9)
    assert event.region == h3.latlng_to_cell(40.75, -73.99, 5)


def test_named_region_goes_before_the_cell_and_both_may_be_missing(spark, defaults):
    rows = [{"lat": "1", "lon": "1", "city": "Oslo", "user": "a"}, {"user": "b"}]
    events = accepted(judged(spark, defaults, rows), defaults.ingest, night()).orderBy("user_id").collect()
    assert [(event.region, event.cell is None) for event in events] == [("Oslo", False), (None, True)]


def test_equal_refused_records_are_numbered(spark, defaults):
    frame = judged(spark, defaults, [{"user": None, "n": "1"}] * 3 + [{"user": None, "n": "2"}])
    rejects = refused(frame, night())
    assert TABLES["rejects"].faults(rejects) == []
    rows = rejects.collect()
    assert len({(row.record_id, row.copy) for row in rows}) == 4
    assert sorted(row.copy for row in rows) == [1, 1, 2, 3]


def test_a_reject_has_its_user_unless_the_record_has_none_or_cannot_be_parsed(spark, defaults):
    rows = [{"action": "?"}, {"user": None}, {"_corrupt_record": "u1,i1", "user": "i1"}, {"user": "u\0"}]
    found = {row.record: row.user_id for row in refused(judged(spark, defaults, rows), night()).collect()}
    assert {json.loads(record)["n"]: user for record, user in found.items()} == {
        "0": "s:u1", "1": None, "2": None, "3": None,
    }  # fmt: skip


def test_log_delivered_whole_adds_its_faulty_records_once(spark, defaults):
    whole, faulty = source(by_day=False), {"user": None, "n": "1"}
    before = refused(judged(spark, defaults, [faulty] * 2, whole), night()).localCheckpoint()
    later = night(dt.date(2012, 11, 1), NIGHT)
    again = judged(spark, defaults, [faulty] * 3 + [{"action": "?", "n": "2"}], whole, night=later)
    rows = refused(again, later, before).collect()
    assert sorted((row.copy, row.reasons) for row in rows) == [(1, ["unknown_action"]), (3, ["missing_user"])]


def test_tally_counts_outcomes_and_each_reason(spark, defaults):
    rows = [{}, {}, {"user": None, "lat": "1"}, {"user": None}, {"at": "2012-11-02T05:00:00Z"}]
    frame = judged(spark, defaults, rows, source(by_day=False)).localCheckpoint()
    found = tally(frame, refused(frame, night()))
    reasons = {"bad_coordinates": 1, "missing_user": 2}
    assert found == counts(2, 2, 0, 1, reasons, "2012-11-02 05:00:00")


def test_mere_copies_are_counted_apart(spark, defaults):
    rows = [{"key": "k", "n": str(n)} for n in range(3)] + [{"key": "k", "n": "3", "user": None}]
    frame = judged(spark, defaults, rows).localCheckpoint()
    found = tally(frame, refused(frame, night()))
    assert found == counts(1, 3, reasons={"duplicate": 3, "missing_user": 1}, copies=2)


def test_times_beyond_the_years_of_python_are_unreadable(spark, defaults, tmp_path):
    whole = source(by_day=False, columns={"occurred_at": "timestamp_seconds(cast(at as bigint))", "time_text": "at"})
    year_1, year_9999, milliseconds = "-62135596800", "253402300799", "1351677600000"
    rows = [{"at": at} for at in ("1351677600", year_1, milliseconds, year_9999)]
    judged(spark, defaults, rows, whole).write.parquet(str(tmp_path / "judged"))
    frame = spark.read.parquet(str(tmp_path / "judged"))
    found = tally(frame, refused(frame, night()))
    assert found == counts(1, 2, 0, 1, {"unreadable_time": 2}, "9999-12-31 23:59:59")


def test_too_large_a_share_fails_the_night_with_the_counts():
    check_tally(counts(9, 1, reasons={"missing_user": 1}), 0.1, night(), "judged")
    with pytest.raises(DataError) as caught:
        check_tally(counts(89, 11, reasons={"missing_user": 11, "duplicate": 2}), 0.1, night(), "judged")
    for told in (
        "refuses 11 of 100 records",
        "ingest.max_reject_share = 0.1",
        "duplicate 2, missing_user 11",
        "`reasons` in judged",
    ):
        assert told in str(caught.value)


def test_mere_copies_do_not_count_towards_the_share():
    check_tally(counts(8, 1, reasons={"duplicate": 1}, copies=1), 0.1, night(), "judged")
    check_tally(counts(0, 9, reasons={"duplicate": 9}, copies=9), 0.1, night(), "judged")
    with pytest.raises(DataError, match="refuses 1 of 9 records, mere copies aside"):
        check_tally(counts(8, 3, reasons={"duplicate": 3, "missing_user": 1}, copies=2), 0.1, night(), "judged")


def test_known_and_later_records_do_not_count_towards_the_share():
    with pytest.raises(DataError):
        check_tally(counts(1, 1, known=1000, later=1000), 0.4, night(), "judged")


def test_empty_day_passes_unless_it_is_the_first():
    check_tally(counts(), 0.1, night(previous=dt.date(2012, 10, 30)), "judged")
    with pytest.raises(DataError, match="not one record"):
        check_tally(counts(), 0.1, night(), "judged")


def test_first_night_before_the_first_event_is_a_wrong_date():
    with pytest.raises(UsageError, match=r"before the first event, at 2012-11-02 05:00:00 UTC: move --date") as caught:
        check_tally(counts(later=5, first_later="2012-11-02 05:00:00"), 0.1, night(), "judged")
    assert caught.value.exit_code == 2
