from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from chronotope.world.cities import CITIES
from chronotope.world.records import iso_time, make_lines
from tests.oracles import world as oracle

AT = 1_773_046_800  # 2026-03-09T09:00:00Z
DAY = 20521
SCHEMA = (
    "event_id string, user string, item string, action string, occurred_s bigint, utc_offset_min int, lat double,"
    "lon double, city string, value double, query string, arrived int, copy int, reasons array<string>"
)


def line(spark, *reasons, **fields):
    """The day and the line of one record."""
    row = {
        "event_id": "e1", "user": "u1", "item": "i1", "action": "buy", "occurred_s": AT, "utc_offset_min": -240,
        "lat": 40.7, "lon": -74.0, "city": "New York", "value": 4.5, "query": None, "arrived": DAY, "copy": 1,
    }  # fmt: skip
    values = (*(row | fields).values(), list(reasons))
    (made,) = make_lines(spark.createDataFrame([values], SCHEMA)).collect()
    return made.day, made.line


def test_a_good_record(spark):
    day, text = line(spark)
    assert day == "2026-03-09"
    assert json.loads(text) == {
        "event_id": "e1", "user": "u1", "item": "i1", "action": "buy", "ts": "2026-03-09T05:00:00-04:00",
        "lat": 40.7, "lon": -74.0, "city": "New York", "value": 4.5,
    }  # fmt: skip


def test_chinese_queries_are_written_as_they_are(spark):
    _, text = line(spark, item=None, query="拿铁 手冲")
    assert '"query":"拿铁 手冲"' in text


@pytest.mark.parametrize(
    ("reasons", "changed"),
    [
        (["missing_user"], {"user": None}),
        (["missing_item"], {"item": None}),
        (["missing_time"], {"ts": None}),
        (["unreadable_time"], {"ts": "2026-13-09T05:00:00-04:00"}),
        (["after_night"], {"ts": "2027-04-13T05:00:00-04:00"}),
        (["unknown_action"], {"action": "teleport"}),
        (["bad_coordinates"], {"lat": 123.4, "lon": 567.8}),
        (["bad_coordinates", "missing_user"], {"lat": 123.4, "lon": 567.8, "user": None}),
        (["too_late"], {}),
        (["duplicate"], {}),
    ],
)
def test_a_broken_record_differs_where_its_reasons_say(spark, reasons, changed):
    good, bad = (json.loads(line(spark, *given)[1]) for given in ([], reasons))
    expected = {name: value for name, value in (good | changed).items() if value is not None}
    assert bad == expected


def test_a_malformed_record_is_half_a_record(spark):
    whole, half = line(spark)[1], line(spark, "malformed")[1]
    assert whole.startswith(half)
    assert len(half) == len(whole) // 2
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(half)


@settings(max_examples=8)
@given(st.lists(st.integers(0, 4_000_000_000), min_size=1, max_size=20), st.sampled_from([*CITIES]))
def test_local_times_are_those_of_the_time_zone_database(spark, seconds, city):
    frame = spark.createDataFrame([(second,) for second in seconds], "s bigint")
    local = F.unix_seconds(F.from_utc_timestamp(F.timestamp_seconds("s"), F.lit(city.zone)))
    texts = frame.select(iso_time(F.col("s"), ((local - F.col("s")) / 60).cast("int"))).collect()
    assert [text for (text,) in texts] == [oracle.iso_time(second, city.zone) for second in seconds]


def test_half_hours_and_years_before_1970(spark):
    texts = spark.range(1).select(iso_time(F.lit(-1), F.lit(330)), iso_time(F.lit(0), F.lit(-210))).first()
    assert tuple(texts) == ("1970-01-01T05:29:59+05:30", "1969-12-31T20:30:00-03:30")
