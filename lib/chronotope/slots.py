"""Time of the week: slots (hours in local time) and dayparts (named groups of slots)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

from chronotope.config import slots_of

HOURS_PER_WEEK = 168
HALF_HOUR_S = 1800.0


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


class Moment(NamedTuple):
    """A moment that is asked about: of an hour its middle, for what happens in it is at no time nearer."""

    slot: int
    at_s: float  # epoch seconds


def next_moments(
    dayparts: Mapping[str, Sequence[Sequence[int]]], end: dt.datetime, time_zone: str
) -> dict[str, Moment]:
    """The moment that stands for each daypart, by name, from the end of a night on.

    It is in the middle hour of the daypart's longest range (the first of equals), on the first of that range's days to
    come: who looks at a list looks at it soon.

    >>> end = end_of(dt.date(2026, 3, 27), "Europe/Berlin")  # a Friday; clocks go forward on Sunday at two
    >>> dayparts = {"weekday_morning": [[0, 4, 6, 11]], "weekend_day": [[5, 6, 6, 18]], "sunday": [[6, 6, 6, 10]]}
    >>> found = next_moments(dayparts, end, "Europe/Berlin")
    >>> {name: (of.slot, (of.at_s - end.timestamp()) / 3600) for name, of in found.items()}
    {'weekday_morning': (8, 55.5), 'weekend_day': (132, 12.5), 'sunday': (152, 31.5)}
    """

    def hours(first_day: int, last_day: int, first_hour: int, end_hour: int) -> int:
        return (last_day - first_day + 1) * (end_hour - first_hour)

    found = {}
    for name, ranges in dayparts.items():
        first_day, last_day, first_hour, end_hour = max(ranges, key=lambda each: hours(*each))
        slots = [24 * day + (first_hour + end_hour) // 2 for day in range(first_day, last_day + 1)]
        moments = [Moment(slot, middle_s(slot, end, time_zone)) for slot in slots]
        found[name] = min(moments, key=lambda moment: moment.at_s)
    return found


def middle_s(slot: int, end: dt.datetime, time_zone: str) -> float:
    """The middle of a slot when the clock of a time zone shows it next, from the end of a night on: epoch seconds."""
    local = end.astimezone(ZoneInfo(time_zone))
    hours = (slot - 24 * local.weekday() - local.hour) % HOURS_PER_WEEK
    return (local + dt.timedelta(hours=hours)).timestamp() + HALF_HOUR_S  # hands on a clock are added, not time passing


def day_end(day: Column, time_zone: str, days_before: int = 0) -> Column:
    """The moment at which a date column's day, or the day so many days before, ends in a time zone."""
    # A date becomes midnight in the session's zone, which is UTC everywhere in this project.
    return F.to_utc_timestamp(F.date_add(day, 1 - days_before).cast("timestamp"), time_zone)
