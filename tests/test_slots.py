"""Hours of the week and dayparts, against Python's own calendar."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from chronotope.slots import (
    HOURS_PER_WEEK,
    daypart_names,
    daypart_of,
    end_of,
    middle_s,
    next_moments,
    slot_of,
)


def slots(spark, moments):
    """`slot_of` for pairs of a UTC moment and an offset in minutes."""
    df = spark.createDataFrame(moments, "occurred_at timestamp, utc_offset_min int")
    return [row[0] for row in df.select(slot_of(F.col("occurred_at"), F.col("utc_offset_min"))).collect()]


def expected(moment, offset_min):
    local = moment + dt.timedelta(minutes=offset_min)
    return 24 * local.weekday() + local.hour


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def test_the_week_begins_on_monday_at_midnight_local_time(spark):
    moments = [
        (utc(2012, 10, 1), 0),  # a Monday
        (utc(2012, 9, 30, 23, 59, 59), 0),
        (utc(2012, 10, 1), -60),
        (utc(2012, 9, 30, 23, 30), 30),
        (utc(1969, 12, 31, 23, 59, 59), 0),  # a Wednesday, before the epoch
        (utc(2012, 10, 1, 18, 30), 330),  # India: half an hour off
    ]
    assert slots(spark, moments) == [0, 167, 167, 0, 71, 24]


def test_a_missing_moment_or_offset_has_no_slot(spark):
    assert slots(spark, [(None, 0), (utc(2012, 10, 1), None)]) == [None, None]


@settings(max_examples=5)
@given(st.lists(st.tuples(
    st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=dt.UTC)),
    st.integers(-14 * 60, 14 * 60)), min_size=1, max_size=20))  # fmt: skip
def test_slots_agree_with_pythons_calendar(spark, moments):
    assert slots(spark, moments) == [expected(*moment) for moment in moments]


def test_each_slot_has_its_daypart(spark, defaults):
    names = daypart_names(defaults.night.dayparts)
    df = spark.range(HOURS_PER_WEEK).select(F.col("id").cast("int").alias("slot")).orderBy("slot")
    found = [row[0] for row in df.select(daypart_of(F.col("slot"), defaults.night.dayparts)).collect()]
    assert found == names
    assert (names[0], names[4 * 24 + 23], names[5 * 24], names[167]) == (
        "weekday_night", "weekday_evening", "weekend_night", "weekend_evening")  # fmt: skip


def test_no_slot_has_no_daypart(spark, defaults):
    df = spark.createDataFrame([(None,)], "slot int")
    assert df.select(daypart_of(F.col("slot"), defaults.night.dayparts)).first()[0] is None


@pytest.mark.parametrize(
    ("night", "zone", "end"),
    [
        ("2012-10-31", "UTC", utc(2012, 11, 1)),
        ("2026-03-28", "Europe/Berlin", utc(2026, 3, 28, 23)),
        ("2026-03-29", "Europe/Berlin", utc(2026, 3, 29, 22)),  # a day of 23 hours
        ("2026-10-25", "Europe/Berlin", utc(2026, 10, 25, 23)),  # a day of 25
        ("2026-09-05", "America/Santiago", utc(2026, 9, 6, 4)),  # midnight itself is skipped
        ("2011-12-29", "Pacific/Apia", utc(2011, 12, 30, 10)),  # the next date never was
    ],
)
def test_a_night_ends_at_midnight_on_its_own_clock(night, zone, end):
    assert end_of(dt.date.fromisoformat(night), zone) == end


@given(st.dates(dt.date(1990, 1, 1), dt.date(2040, 1, 1)), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_the_last_moment_of_a_night_is_on_its_date(night, zone):
    last = (end_of(night, zone) - dt.timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert last.date() == night


def weekday_of(name):
    return ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"].index(name)


@pytest.mark.parametrize(
    ("ended_on", "ranges", "day", "hour"),
    [
        ("wednesday", [[0, 4, 6, 11]], "thursday", 8),
        ("thursday", [[0, 4, 6, 11]], "friday", 8),
        ("friday", [[0, 4, 6, 11]], "monday", 8),
        ("friday", [[5, 6, 18, 24]], "saturday", 21),
        ("saturday", [[5, 6, 18, 24]], "sunday", 21),
        ("sunday", [[6, 6, 23, 24]], "sunday", 23),
        ("sunday", [[0, 0, 0, 1], [1, 3, 0, 2]], "tuesday", 1),
    ],
)
def test_a_daypart_is_stood_for_by_its_middle_hour_on_the_first_of_its_days_to_come(ended_on, ranges, day, hour):
    end = end_of(dt.date(2026, 6, 1) + dt.timedelta(weekday_of(ended_on)), "UTC")  # a Monday
    [moment] = next_moments({"named": ranges}, end, "UTC").values()
    assert moment.slot == 24 * weekday_of(day) + hour
    at = dt.datetime.fromtimestamp(moment.at_s, dt.UTC)
    assert (at.weekday(), at.hour, at.minute) == (weekday_of(day), hour, 30)
    assert end < at < end + dt.timedelta(days=7)


def test_each_shipped_daypart_is_stood_for_by_one_of_its_own_slots(defaults):
    names = daypart_names(defaults.night.dayparts)
    for night in range(1, 8):
        found = next_moments(defaults.night.dayparts, end_of(dt.date(2026, 6, night), "UTC"), "UTC")
        assert {name: names[moment.slot] for name, moment in found.items()} == {
            name: name for name in defaults.night.dayparts
        }


@given(
    night=st.dates(dt.date(2010, 1, 1), dt.date(2030, 1, 1)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    slot=st.integers(0, HOURS_PER_WEEK - 1).filter(lambda slot: slot % 24 not in (1, 2)),  # hours that clocks skip
)
def test_a_slot_comes_next_within_a_week_when_the_clock_shows_it(night, zone, slot):
    end = end_of(night, zone)
    moment = dt.datetime.fromtimestamp(middle_s(slot, end, zone), dt.UTC)
    assert end <= moment < end + dt.timedelta(days=7, hours=1)
    local = moment.astimezone(ZoneInfo(zone))
    assert (24 * local.weekday() + local.hour, local.minute, local.second) == (slot, 30, 0)
