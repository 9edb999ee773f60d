"""Time of the week: slots (hours in local time) and dayparts (named groups of slots)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

from chronotope.config import slots_of

HOURS_PER_WEEK = 168


def slot_of(occurred_at: Column, utc_offset_min: Column) -> Column:
    """Hour of the week in local time, 0 (Monday 00:00) to 167 (Sunday 23:00); null when either input is.

    Arithmetic on epoch seconds, so the session's time zone does not matter: 1970-01-05 was a Monday, four days
    (96 hours) after the epoch.
    """
    local_s = F.unix_seconds(occurred_at) + utc_offset_min.cast("bigint") * 60
    return F.pmod(F.floor(local_s / 3600) - 96, F.lit(HOURS_PER_WEEK)).cast("int")


def daypart_of(slot: Column, dayparts: Mapping[str, Iterable[Iterable[int]]]) -> Column:
    """Name of the daypart that a slot belongs to; null for a null slot."""
    names = F.array(*[F.lit(name) for name in daypart_names(dayparts)])
    return F.when(slot.isNotNull(), F.element_at(names, slot + 1))


def daypart_names(dayparts: Mapping[str, Iterable[Iterable[int]]]) -> list[str]:
    """The daypart of each of the 168 slots.

    >>> daypart_names({"week": [[0, 4, 0, 24]], "weekend": [[5, 6, 0, 24]]})[119:121]
    ['week', 'weekend']
    """
    names = [""] * HOURS_PER_WEEK
    for name, ranges in dayparts.items():
        for slot in slots_of(ranges):
            names[slot] = name
    return names


def end_of(night: dt.date, time_zone: str) -> dt.datetime:
    """24:00 of a night's date on the clock of a time zone, as UTC: the first moment after the night.

    >>> end_of(dt.date(2026, 3, 29), "Europe/Berlin").isoformat()  # clocks went forward that morning
    '2026-03-29T22:00:00+00:00'
    """
    midnight = dt.datetime.combine(night + dt.timedelta(days=1), dt.time(), ZoneInfo(time_zone))
    return midnight.astimezone(dt.UTC)


def next_s(slot: int, end: dt.datetime, time_zone: str) -> float:
    """When the clock of a time zone shows a slot for the first time from the end of a night on, in epoch seconds.

    >>> end = end_of(dt.date(2026, 3, 27), "Europe/Berlin")  # a Friday; clocks go forward on Sunday at two
    >>> saturday, sunday, friday = 5 * 24 + 8, 6 * 24 + 8, 4 * 24 + 23
    >>> [(next_s(slot, end, "Europe/Berlin") - end.timestamp()) / 3600 for slot in (saturday, sunday, friday)]
    [8.0, 31.0, 166.0]
    """
    local = end.astimezone(ZoneInfo(time_zone))
    hours = (slot - 24 * local.weekday() - local.hour) % HOURS_PER_WEEK
    return (local + dt.timedelta(hours=hours)).timestamp()  # the sum is one of hands on a clock, not of time passing


def day_end(day: Column, time_zone: str, days_before: int = 0) -> Column:
    """The moment at which a date column's day, or the day so many days before, ends in a time zone."""
    # A date becomes midnight in the session's zone, which is UTC everywhere in this project.
    return F.to_utc_timestamp(F.date_add(day, 1 - days_before).cast("timestamp"), time_zone)


def middle_slot(ranges: Sequence[Sequence[int]]) -> int:
    """The slot that stands for a daypart: the middle hour of the middle day of its longest range, the first of equals.

    >>> middle_slot([[0, 4, 6, 11]])  # Wednesday, 08:00
    56
    """

    def hours(first_day: int, last_day: int, first_hour: int, end_hour: int) -> int:
        return (last_day - first_day + 1) * (end_hour - first_hour)

    first_day, last_day, first_hour, end_hour = max(ranges, key=lambda each: hours(*each))
    return 24 * ((first_day + last_day) // 2) + (first_hour + end_hour) // 2


def middle_slots(dayparts: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, int]:
    """The slot that stands for each daypart, by name."""
    return {name: middle_slot(ranges) for name, ranges in dayparts.items()}
