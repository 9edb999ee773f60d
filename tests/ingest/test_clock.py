"""Clock changes, offsets and time zones, against the standard library's zone data."""

from __future__ import annotations

import datetime as dt

import pytest

from chronotope.ingest.outcome import accepted
from tests.ingest.logs import judged, night, one, source
from tests.oracles.ingest import local_slot, offset_min

YEAR = dt.date(2012, 12, 31)


def taken_in(spark, defaults, rows, **changes):
    """The accepted events of a log delivered whole, in time order."""
    frame = judged(spark, defaults, rows, source(by_day=False, **changes), night=night(YEAR))
    return accepted(frame, defaults.ingest, night(YEAR)).orderBy("occurred_at", "event_id").collect()


def test_instants_around_clock_changes_get_the_zones_offset(spark, defaults):
    zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
    changes = [
        dt.datetime(2012, 3, 25, 1),
        dt.datetime(2012, 10, 28, 1),
        dt.datetime(2012, 3, 11, 7),
        dt.datetime(2012, 4, 1),
    ]
    instants = [(at + dt.timedelta(minutes=m)).replace(tzinfo=dt.UTC) for at in changes for m in (-61, -1, 0, 1, 61)]
    rows = [{"at": at.isoformat(), "offset": None, "zone": zone, "user": zone} for at in instants for zone in zones]
    events = taken_in(spark, defaults, rows)
    assert len(events) == len(rows)
    for event in events:
        at, zone = event.occurred_at.replace(tzinfo=dt.UTC), event.user_id.removeprefix("s:")
        assert event.utc_offset_min == offset_min(at, zone)
        assert event.slot == local_slot(at, zone)


def test_own_offset_goes_before_the_zone(spark, defaults):
    event = one_event(spark, defaults, {"offset": "-240", "zone": "Asia/Tokyo", "at": "2012-10-29T03:30:00Z"})
    assert (event.utc_offset_min, event.slot) == (-240, 167)


@pytest.mark.parametrize(
    ("city", "offset"), [("Tokyo", 540), ("Paris", 120), (None, 120)], ids=["named", "rest", "no region"]
)
def test_zone_of_the_region(spark, defaults, city, offset):
    zones = {"Tokyo": "Asia/Tokyo", "*": "Europe/Paris"}
    event = one_event(spark, defaults, {"offset": None, "city": city, "at": "2012-07-01T00:00:00Z"}, time_zones=zones)
    assert event.utc_offset_min == offset


@pytest.mark.parametrize("zone", [" Asia/Kolkata", "Asia/Kolkata  ", "\tAsia/Kolkata\r\n", "\x7fAsia/Kolkata\x1f"])
def test_blanks_around_a_zone_do_not_matter(spark, defaults, zone):
    event = one_event(spark, defaults, {"offset": None, "zone": zone, "at": "2012-07-01T00:00:00Z"})
    assert event.utc_offset_min == 330


def test_local_clock_is_turned_by_the_zone_over_clock_changes(spark, defaults):
    """TIMESTAMP_NTZ: of the doubled hour the first is meant, and the skipped hour counts as not yet changed."""
    clocks = {
        "2012-03-25 00:59:59": "2012-03-25 00:59:59",
        "2012-03-25 01:30:00": "2012-03-25 01:30:00",  # skipped in London
        "2012-03-25 02:00:00": "2012-03-25 01:00:00",
        "2012-10-28 00:30:00": "2012-10-27 23:30:00",
        "2012-10-28 01:30:00": "2012-10-28 00:30:00",  # twice in London
        "2012-10-28 02:00:00": "2012-10-28 02:00:00",
    }
    columns = {"occurred_at": "to_timestamp_ntz(at)", "time_text": "at"}
    rows = [{"at": clock, "user": clock, "offset": None, "zone": "Europe/London"} for clock in clocks]
    events = taken_in(spark, defaults, rows, columns=columns)
    assert {e.user_id.removeprefix("s:"): str(e.occurred_at) for e in events} == clocks


def test_local_clock_is_turned_by_its_own_offset_to_the_microsecond(spark, defaults):
    columns = {"occurred_at": "to_timestamp_ntz(at)", "time_text": "at"}
    event = one_event(spark, defaults, {"at": "2012-05-01 05:00:00.123456", "offset": "330"}, columns=columns)
    assert event.occurred_at == dt.datetime(2012, 4, 30, 23, 30, 0, 123456)


def test_local_clock_without_zone_has_no_offset_and_is_not_called_unreadable(spark, defaults):
    columns = {"occurred_at": "to_timestamp_ntz(at)", "time_text": "at"}
    frame = judged(
        spark, defaults, [{"at": "2012-05-01 05:00:00", "offset": None}], source(by_day=False, columns=columns)
    )
    assert one(frame).reasons == ["unknown_offset"]


@pytest.mark.parametrize(
    ("at", "offset", "zone"),
    [
        ("timestamp_micros(9223372036854775807)", None, "Asia/Tokyo"),
        ("timestamp_micros(-9223372036854775807)", None, "America/New_York"),
        ("cast(timestamp_micros(9223372036854775807) as timestamp_ntz)", "-1080", None),
        ("cast(timestamp_micros(9223372036854775807) as timestamp_ntz)", None, "America/New_York"),
        ("cast(timestamp_micros(-9223372036854775807) as timestamp_ntz)", "1080", None),
        ("timestamp_seconds(253402300800)", "0", None),
    ],
)
@pytest.mark.parametrize("by_day", [True, False])
def test_times_beyond_all_calendars_are_refused_as_unreadable(spark, defaults, at, offset, zone, by_day):
    of = source(by_day=by_day, columns={"occurred_at": f"if(user = 'u', {at}, timestamp'2012-10-31')"})
    if "ntz" in at:
        of = source(by_day=by_day, columns={"occurred_at": f"if(user = 'u', {at}, timestamp_ntz'2012-10-31')"})
    frame = judged(spark, defaults, [{"user": "u", "offset": offset, "zone": zone}, {}], of).collect()
    assert sorted((row.outcome, *row.reasons) for row in frame) == [("accepted",), ("refused", "unreadable_time")]


@pytest.mark.parametrize("offset", ["-1080", "1080"])
def test_the_last_moment_of_the_year_9999_is_read(spark, defaults, offset):
    columns = {"occurred_at": "to_timestamp_ntz(at)", "time_text": "at"}
    row = {"at": "9999-12-31 23:59:59.999999", "offset": offset}
    frame = judged(spark, defaults, [row], source(by_day=False, columns=columns))
    assert one(frame.select("outcome")).outcome == "later"


def one_event(spark, defaults, row, **changes):
    (event,) = taken_in(spark, defaults, [row], **changes)
    return event
